/**
 * Kills the server at its n-th system call of each kind, for n = 1, 2, 3..., during its start and while it
 * appends, rotates, checkpoints and deletes; after each, everything must be as the clients know it.
 *
 *   npm run build && node test/faults/system-calls.mjs [--calls pwrite64,fdatasync] [--most 24]
 */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { SMALL_CHECKPOINTS } from './marathon.mjs';
import { logPaths, snapshotPaths, TracedServer } from './traced-server.mjs';
import { makeWriters, settleAll } from './workload.mjs';

/**
 * @typedef {object} Sweep
 * @property {string} call one kind of system call
 * @property {'log' | 'snapshot' | 'copy'} files `copy`: from the first call on the copy of a torn segment on, all files
 * @property {boolean} [fresh] begin each round with an empty directory
 * @property {boolean} [torn] begin each round with a torn tail, so that the start has something to repair
 */

/**
 * @typedef {object} SweepResult
 * @property {Sweep} sweep
 * @property {number} rounds
 * @property {number} killedStarting
 * @property {number} killedServing
 * @property {string[]} problems
 */

const CLIENTS = 4;
/** Long enough for two or three checkpoints, which begin every quarter of a second. */
const WRITING_MS = 900;

const SERVER_ARGS = ['--appendfsync', 'always', ...SMALL_CHECKPOINTS, '--checkpoint-log-size', '4kb'];

/** @type {Sweep[]} */
export const ALL_SWEEPS = [
  ...['openat', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'unlink', 'ftruncate'].map((call) => ({
    call,
    files: /** @type {const} */ ('log'),
  })),
  // SQLite asks with fsync, the log with fdatasync.
  ...['openat', 'pwrite64', 'fsync', 'ftruncate', 'unlink'].map((call) => ({
    call,
    files: /** @type {const} */ ('snapshot'),
  })),
  ...['openat', 'pwrite64', 'fsync', 'ftruncate'].map((call) => ({
    call,
    files: /** @type {const} */ ('log'),
    torn: true,
  })),
  ...['pwrite64', 'fsync'].map((call) => ({ call, files: /** @type {const} */ ('copy'), torn: true })),
  ...['openat', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'unlink'].flatMap((call) => [
    { call, files: /** @type {const} */ ('log'), fresh: true },
    { call, files: /** @type {const} */ ('snapshot'), fresh: true },
  ]),
];

/** Calls on other files do not count; none: all files. The copy has a name that nobody knows before. */
const pathsOf = { log: logPaths, snapshot: snapshotPaths, copy: () => [] };

const newDirectory = () => realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-calls-')));

/**
 * @param {Sweep} sweep
 * @param {object} options
 * @param {Iterable<number>} options.counts the values of n; the sweep ends with the first that is not reached
 * @param {number} options.seed
 * @returns {Promise<SweepResult>}
 */
export async function runSweep(sweep, { counts, seed }) {
  /** @type {SweepResult} */
  const result = { sweep, rounds: 0, killedStarting: 0, killedServing: 0, problems: [] };
  let dir = newDirectory();
  let writers = makeWriters(CLIENTS, { seed, largestValue: 2000 });
  if (!sweep.fresh) await fill(dir, writers);
  try {
    for (const count of counts) {
      if (sweep.fresh) {
        rmSync(dir, { recursive: true, force: true });
        dir = newDirectory();
        writers = makeWriters(CLIENTS, { seed: seed + count, largestValue: 2000 });
      }
      const killed = await killAt(sweep, count, dir, writers);
      result.rounds++;
      if (killed === 'starting') result.killedStarting++;
      if (killed === 'serving') result.killedServing++;
      const problems = await restartAndCompare(dir, writers);
      result.problems.push(...problems.map((problem) => `${sweep.call} ${count} (${killed}): ${problem}`));
      if (killed === 'not' || problems.length > 0) break;
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return result;
}

/**
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 */
async function fill(dir, writers) {
  const server = await ServerProcess.start({ dir, args: SERVER_ARGS });
  const running = writers.map((writer) => writer.run(server.port, { window: 4 }));
  await sleep(300);
  await server.kill();
  await Promise.all(running);
  await restartAndCompare(dir, writers);
}

/**
 * @param {Sweep} sweep
 * @param {number} count
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 * @returns {Promise<'starting' | 'serving' | 'not'>} when the call was reached and the server killed
 */
async function killAt({ call, files, torn }, count, dir, writers) {
  if (torn) tearTail(dir);
  const number = files === 'copy' ? (await callsBeforeCopy(dir, call)) + count : count;
  const server = await TracedServer.start({
    dir,
    trace: call,
    inject: `${call}:signal=SIGKILL:when=${number}`,
    paths: pathsOf[files](dir),
    args: SERVER_ARGS,
  });
  if (!(await server.ready())) return 'starting';
  const running = writers.map((writer) => writer.run(server.port, { window: 4 }));
  await Promise.race([server.ended, sleep(WRITING_MS)]);
  const killed = server.hasEnded;
  await server.kill();
  await Promise.all(running);
  return killed ? 'serving' : 'not';
}

/**
 * How many such calls the main thread makes before its first on the copy of a torn segment, seen in a start on a clone.
 *
 * @param {string} dir with a torn tail
 * @param {string} call
 */
async function callsBeforeCopy(dir, call) {
  const place = newDirectory();
  try {
    const clone = join(place, 'data');
    cpSync(dir, clone, { recursive: true });
    const output = join(place, 'trace');
    const server = await TracedServer.start({ dir: clone, trace: call, output, decodePaths: true });
    await server.ready();
    await server.kill();
    const calls = readFileSync(output, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`${call}(`));
    const first = calls.findIndex((line) => line.includes('.torn-'));
    if (first < 0) throw new Error('no torn tail was repaired');
    const thread = calls[first]?.split(' ')[0];
    return calls.slice(0, first).filter((line) => line.split(' ')[0] === thread).length;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/**
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 */
async function restartAndCompare(dir, writers) {
  const server = await ServerProcess.start({ dir, args: SERVER_ARGS }).catch((error) => error);
  if (server instanceof Error) return [`no start: ${server.message}`];
  try {
    return await settleAll(server.port, writers);
  } finally {
    await server.kill();
  }
}

/**
 * Half a group, as a crash in the middle of a write leaves it.
 *
 * @param {string} dir
 */
function tearTail(dir) {
  const names = readdirSync(dir).filter((name) => /^log-\d{10}\.msgpack$/.test(name));
  appendFileSync(
    join(dir, /** @type {string} */ (names.sort().at(-1))),
    Buffer.from([0x95, 0xcf, 0, 0, 0, 0]),
  );
}

/** @param {SweepResult} result */
export function describeSweep({ sweep, rounds, killedStarting, killedServing, problems }) {
  const where = `${sweep.files}${sweep.fresh ? ', first start' : ''}${sweep.torn ? ', torn tail' : ''}`;
  return (
    `${sweep.call} (${where}): ${rounds} rounds, killed ${killedStarting} times while starting, ` +
    `${killedServing} while serving, ${problems.length} problems`
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '' },
      most: { type: 'string', default: '24' },
      seed: { type: 'string', default: '1' },
    },
  });
  const calls = values.calls.split(',').filter((call) => call !== '');
  const counts = Array.from({ length: Number(values.most) }, (_, i) => i + 1);
  for (const sweep of ALL_SWEEPS.filter(({ call }) => calls.length === 0 || calls.includes(call))) {
    const result = await runSweep(sweep, { counts, seed: Number(values.seed) });
    process.stdout.write(`${describeSweep(result)}\n`);
    for (const problem of result.problems) process.stdout.write(`  ${problem}\n`);
    if (result.problems.length > 0) process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
