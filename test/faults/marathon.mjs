/**
 * The kill -9 marathon: eight clients write, the server is killed at a random moment, started again, and
 * everything is compared with what the clients know. One directory, never wiped; segments and checkpoints so
 * small that rotation, checkpoint and deletion happen in every cycle.
 *
 *   npm run build && node test/faults/marathon.mjs --cycles 100 --policy everysec --seed 1
 *
 * The same seed sends the same commands; when the kill arrives is up to the machine.
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { dir as temporaryDirectory } from 'tmp-promise';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { Random } from './random.mjs';
import { makeWriters, settleAll, totalTally } from './workload.mjs';

/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */

/**
 * @typedef {object} MarathonOptions
 * @property {number} cycles
 * @property {string} policy of appendfsync
 * @property {number} seed
 * @property {string} dir
 * @property {ServerKind} [kind]
 * @property {(result: MarathonResult) => void} [onCycle]
 */

/**
 * @typedef {object} MarathonResult
 * @property {number} cycles done
 * @property {number} killsWhileStarting
 * @property {number} checkpoints cycles in which the snapshot took in more of the log
 * @property {import('./workload.mjs').Tally} tally
 * @property {string[]} problems
 */

const CLIENTS = 8;
/** Every so many cycles the server is killed while it starts as well. */
const KILL_START_EVERY = 4;

/** A checkpoint is due within a quarter of a second, and may wait for a slow disk. */
const CHECKPOINT_PATIENCE_MS = 2000;

export const SMALL_CHECKPOINTS = [
  ['--checkpoint-log-size', '64kb'],
  ['--checkpoint-log-percentage', '0'],
  ['--checkpoint-interval', '1'],
].flat();

/**
 * @param {MarathonOptions} options
 * @returns {Promise<MarathonResult>}
 */
export async function runMarathon({ cycles, policy, seed, dir, kind = 'holdfast', onCycle }) {
  const random = new Random(seed);
  const holdfast = kind === 'holdfast';
  const writers = makeWriters(CLIENTS, { seed, fieldExpiry: holdfast });
  const args = ['--appendfsync', policy, ...(holdfast ? SMALL_CHECKPOINTS : [])];
  const server = await ServerProcess.start({ kind, dir, args });
  /** @type {MarathonResult} */
  const result = { cycles: 0, killsWhileStarting: 0, checkpoints: 0, tally: totalTally([]), problems: [] };
  let checkpointed = 0;
  try {
    while (result.cycles < cycles && result.problems.length === 0) {
      await writeAndKill(server, writers, random);
      result.cycles++;
      if (result.cycles % KILL_START_EVERY === 0) {
        await killWhileStarting(server, random);
        result.killsWhileStarting++;
      }
      await server.start();
      result.problems.push(...(await settleAll(server.port, writers)));
      const position = holdfast ? await checkpointedSeq(server.port) : 0;
      if (position > checkpointed) result.checkpoints++;
      checkpointed = position;
      result.tally = totalTally(writers);
      onCycle?.(result);
    }
  } finally {
    await server.kill();
  }
  return result;
}

/**
 * @param {ServerProcess} server
 * @param {import('./workload.mjs').Writer[]} writers
 * @param {Random} random
 */
async function writeAndKill(server, writers, random) {
  const window = random.pick([1, 4, 16, 64]);
  const running = writers.map((writer) => writer.run(server.port, { window }));
  // Any moment, or one soon after a checkpoint: it may be in the middle of the next.
  if (server.kind === 'holdfast' && random.below(3) > 0) await nextCheckpoint(server.port);
  await sleep(50 + random.below(500));
  await server.kill();
  await Promise.all(running);
}

/**
 * Recovery itself is interrupted: nothing may be lost by that either.
 *
 * @param {ServerProcess} server
 * @param {Random} random
 */
async function killWhileStarting(server, random) {
  const started = server.start().catch(() => {});
  await sleep(40 + random.below(260));
  await server.kill();
  await started;
}

/** @param {number} port */
async function nextCheckpoint(port) {
  const before = await checkpointedSeq(port);
  const deadlineMs = Date.now() + CHECKPOINT_PATIENCE_MS;
  while ((await checkpointedSeq(port)) === before && Date.now() < deadlineMs) await sleep(20);
}

/** @param {number} port */
async function checkpointedSeq(port) {
  const connection = await Connection.open(port);
  const info = String(await connection.call('INFO', 'persistence'));
  connection.close();
  return Number(/holdfast_checkpointed_seq:(\d+)/.exec(info)?.[1]);
}

/** @param {MarathonResult} result */
export function describeMarathon({ cycles, killsWhileStarting, checkpoints, tally, problems }) {
  return (
    `${cycles} kills (and ${killsWhileStarting} while starting), ${checkpoints} cycles with a checkpoint, ` +
    `${tally.acknowledged} steps acknowledged, ${tally.unanswered} under way of which ${tally.survived} survived, ` +
    `${problems.length} problems`
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '100' },
      policy: { type: 'string', default: 'everysec' },
      seed: { type: 'string', default: '1' },
      server: { type: 'string', default: 'holdfast' },
      dir: { type: 'string' },
    },
  });
  const dir = values.dir ?? (await temporaryDirectory({ unsafeCleanup: true })).path;
  const line = (/** @type {MarathonResult} */ result) => `${values.policy}: ${describeMarathon(result)}`;
  const result = await runMarathon({
    cycles: Number(values.cycles),
    policy: values.policy,
    seed: Number(values.seed),
    dir,
    kind: values.server === 'redis' ? 'redis' : 'holdfast',
    onCycle: (state) => process.stderr.write(process.stderr.isTTY ? `\r${line(state)}` : ''),
  });
  process.stderr.write(process.stderr.isTTY ? '\n' : '');
  process.stdout.write(`${line(result)}\n`);
  for (const problem of result.problems) process.stdout.write(`  ${problem}\n`);
  if (result.problems.length === 0) return;
  process.stdout.write(`The directory is ${dir}\n`);
  process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
