/** Server processes for measurements: started in directories of their own, asked how they are, removed again. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { dataSets } from './data.mjs';
import { Wire } from './wire.mjs';

/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */
/** @typedef {import('./data.mjs').DataSetName} DataSetName */

/** @type {ServerKind[]} */
export const kinds = ['holdfast', 'redis'];

/** Loading five million keys takes its time on a slow machine. */
const readyTimeoutMs = 600_000;

/** How often a server is asked whether its checkpoint has ended. */
const pollMs = 5;

/** How long a checkpoint may take before it counts as hanging. */
const checkpointTimeoutMs = 600_000;

const run = promisify(execFile);

/** Directories in use; whatever ends this process removes them. */
const directories = /** @type {Set<string>} */ (new Set());

process.on('exit', () => {
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
});

/** Processors that servers are confined to, as taskset takes them; undefined: wherever the system puts them. */
let processors = /** @type {string | undefined} */ (undefined);

/** @param {string | undefined} list such as `0` or `0-1`; both servers are treated alike */
export function pinServersTo(list) {
  processors = list;
}

/**
 * @template T
 * @param {(dir: string) => Promise<T>} work
 * @returns {Promise<T>} what `work` came to, with an empty directory that is removed afterwards
 */
export async function withDirectory(work) {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  directories.add(dir);
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    directories.delete(dir);
  }
}

/**
 * @template T
 * @param {ServerKind} kind
 * @param {string} policy appendfsync
 * @param {(server: ServerProcess) => Promise<T>} work
 * @returns {Promise<T>} what `work` came to, on an empty server that is killed afterwards
 */
export function withServer(kind, policy, work) {
  return withDirectory(async (dir) => {
    const server = await ServerProcess.start({
      kind,
      dir,
      args: ['--appendfsync', policy],
      readyTimeoutMs,
    });
    try {
      await pin(server);
      return await work(server);
    } finally {
      await end(server);
    }
  });
}

/**
 * Redis rewrites its log in a process of its own, which a killed parent leaves behind to disturb the next
 * measurement; Holdfast's threads die with it.
 *
 * @param {ServerProcess} server
 */
function end(server) {
  return server.kind === 'redis' ? server.stop() : server.kill();
}

/**
 * Confines every thread that a server has; those it makes later inherit that.
 *
 * @param {ServerProcess} server
 */
export async function pin(server) {
  if (processors !== undefined) await run('taskset', ['-a', '-c', '-p', processors, String(server.pid)]);
}

/**
 * @template T
 * @param {ServerProcess} server
 * @param {(wire: Wire) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withWire(server, work) {
  const wire = await Wire.connect(server);
  try {
    return await work(wire);
  } finally {
    wire.close();
  }
}

/**
 * @param {ServerProcess} server
 * @param {DataSetName} dataSet
 * @param {number} count
 * @param {number} [first]
 */
export function fill(server, dataSet, count, first = 0) {
  return withWire(server, (wire) => wire.pipe(dataSets[dataSet], count, first));
}

/**
 * @param {ServerProcess} server
 * @param {string} section of INFO
 */
export function info(server, section) {
  return withWire(server, (wire) => infoOf(wire, section));
}

/**
 * @param {Wire} wire
 * @param {string} section of INFO
 * @returns {Promise<Record<string, string | undefined>>} its fields
 */
export async function infoOf(wire, section) {
  const text = String(await wire.call('INFO', section));
  return Object.fromEntries(
    [...text.matchAll(/^([^#:\r\n]+):(.*?)\r?$/gm)].map(([, name, field]) => [name, field]),
  );
}

/**
 * What each server does when it is told to rewrite its log: Redis writes all its data, Holdfast what has changed.
 *
 * @param {Wire} wire
 * @returns {Promise<number>} milliseconds until it had ended
 */
export async function checkpoint(wire) {
  await checkpointsEnded(wire);
  const { holdfast_last_seq: lastSeq = '0' } = await infoOf(wire, 'persistence');
  const startedAtMs = performance.now();
  await wire.call('BGREWRITEAOF');
  await checkpointsEnded(wire, Number(lastSeq));
  return performance.now() - startedAtMs;
}

/**
 * Waits until no checkpoint or rewriting runs or is about to.
 *
 * @param {Wire} wire
 * @param {number} [seq] what a checkpoint of Holdfast must have reached, which begins a moment after its command
 * @throws when the last one failed or does not end
 */
export async function checkpointsEnded(wire, seq = 0) {
  const deadlineMs = performance.now() + checkpointTimeoutMs;
  for (;;) {
    const persistence = await infoOf(wire, 'persistence');
    const busy = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled', 'rdb_bgsave_in_progress'].some(
      (name) => persistence[name] === '1',
    );
    if (persistence['aof_last_bgrewrite_status'] !== 'ok') throw new Error('the checkpoint failed');
    const reached = Number(persistence['holdfast_checkpointed_seq'] ?? seq) >= seq;
    if (!busy && reached) return;
    if (performance.now() > deadlineMs) throw new Error('the checkpoint does not end');
    await sleep(pollMs);
  }
}

/** @param {ServerProcess} server */
export async function residentBytes(server) {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`no resident set size of process ${server.pid}`);
  return Number(kibibytes) * 1024;
}

/**
 * @param {ServerProcess} server
 * @param {number} count
 * @throws when it has another number of keys
 */
export async function expectKeys(server, count) {
  const keys = Number(await withWire(server, (wire) => wire.call('DBSIZE')));
  if (keys !== count) throw new Error(`${keys} keys are there instead of ${count}`);
}
