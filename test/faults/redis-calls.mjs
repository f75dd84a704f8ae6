/** Redis killed at its n-th system call of each kind, as system-calls.mjs does it to our server. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { TracedServer } from './traced-server.mjs';
import { makeWriters, settleAll, totalTally } from './workload.mjs';

const CLIENTS = 4;
const WRITING_MS = 900;
const CALLS = ['openat', 'write', 'fdatasync', 'fsync', 'rename', 'unlink', 'ftruncate'];
/** Rewrites as often as our server checkpoints: several in each round. */
const ARGS = [
  '--appendfsync',
  'always',
  '--auto-aof-rewrite-min-size',
  '16kb',
  '--auto-aof-rewrite-percentage',
  '20',
];

/**
 * Every name under which Redis may open or append to its files, which it names from its working directory. Of the
 * other calls all are counted: they have no other use.
 *
 * @param {string} call
 * @param {string} dir
 */
function paths(call, dir) {
  if (call !== 'openat' && call !== 'write') return [];
  const names = ['appendonly.aof.manifest', 'temp-appendonly.aof.manifest'];
  for (let number = 1; number < 100; number++) {
    names.push(`appendonly.aof.${number}.incr.aof`, `appendonly.aof.${number}.base.rdb`);
  }
  const relative = names.map((name) => join('appendonlydir', name));
  return [...relative, ...relative.map((name) => join(dir, name))];
}

/**
 * @typedef {object} Round
 * @property {boolean} killed by the call, and not afterwards
 * @property {string[]} problems
 */

/**
 * @param {string} call
 * @param {number} count
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 * @returns {Promise<Round>}
 */
async function round(call, count, dir, writers) {
  const server = await TracedServer.start({
    kind: 'redis',
    dir,
    trace: call,
    inject: `${call}:signal=SIGKILL:when=${count}`,
    paths: paths(call, dir),
    args: ARGS,
  });
  if (await server.ready()) {
    const running = writers.map((writer) => writer.run(server.port, { window: 4 }));
    await Promise.race([server.ended, sleep(WRITING_MS)]);
    const killed = server.hasEnded;
    await server.kill();
    await Promise.all(running);
    return { killed, problems: await restartAndCompare(dir, writers) };
  }
  return { killed: true, problems: await restartAndCompare(dir, writers) };
}

/**
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 */
async function restartAndCompare(dir, writers) {
  const server = await ServerProcess.start({ kind: 'redis', dir, args: ARGS }).catch((error) => error);
  if (server instanceof Error) return [`no start: ${server.message.slice(-300)}`];
  try {
    return await settleAll(server.port, writers);
  } finally {
    await server.kill();
  }
}

/**
 * @param {object} options
 * @param {number} options.most the largest n
 * @param {(line: string) => void} options.print called with a line for each kind of call
 */
export async function killAtCalls({ most, print }) {
  for (const call of CALLS) {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-redis-')));
    const writers = makeWriters(CLIENTS, { seed: 1, largestValue: 2000, fieldExpiry: false });
    const problems = [];
    let rounds = 0;
    let kills = 0;
    for (let count = 1; count <= most && problems.length === 0; count++) {
      const result = await round(call, count, dir, writers);
      rounds++;
      if (result.killed) kills++;
      problems.push(...result.problems.map((problem) => `n = ${count}: ${problem}`));
    }
    const { acknowledged } = totalTally(writers);
    print(
      `${call}: ${rounds} rounds, killed in ${kills}, ${acknowledged} steps acknowledged, ${problems.length} problems`,
    );
    for (const problem of problems.slice(0, 3)) print(`  ${problem}`);
    rmSync(dir, { recursive: true, force: true });
  }
}
