/**
 * A segment may go only after what it holds is durable in the snapshot, and the log may go on only after its names
 * are durable. The order is read from the system calls
 * of a real server, not from its code.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { hasTool } from '../support/tools.js';
import { Connection } from './connection.mjs';
import { SMALL_CHECKPOINTS } from './marathon.mjs';
import { TracedServer } from './traced-server.mjs';

interface Call {
  name: string;
  /** The file that the call is about. */
  file: string;
}

/** `-y` names the file behind each descriptor; calls that another thread interrupts are on two lines. */
function callsIn(trace: string): Call[] {
  const calls: Call[] = [];
  for (const line of trace.split('\n')) {
    const match = /^\d+ +(\w+)\((?:\d+<([^>]*)>|"([^"]*)")/.exec(line);
    // An error is no deed: an unlink of what is not there, for instance.
    if (match && !/ = -1 /.test(line)) calls.push({ name: match[1]!, file: match[2] ?? match[3]! });
  }
  return calls;
}

/** What a server does with its files while it is filled and checkpointed five times, from its first start on. */
async function traceCheckpoints(duringCheckpoints: (dataDirectory: string) => void): Promise<Call[]> {
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  const dir = realpathSync(path);
  const output = join(dir, 'trace');
  const server = await TracedServer.start({
    dir: join(dir, 'data'),
    trace: 'pwrite64,fdatasync,fsync,unlink,rename,ftruncate',
    output,
    decodePaths: true,
    args: ['--appendfsync', 'no', ...SMALL_CHECKPOINTS],
  });
  onTestFinished(() => server.kill());
  expect(await server.ready(), server.log).toBe(true);
  duringCheckpoints(join(dir, 'data'));
  const connection = await Connection.open(server.port);
  for (let round = 0; round < 5; round++) {
    await connection.ask(Array.from({ length: 50 }, (_, i) => ['SET', `key:${i}`, `${round}`.repeat(500)]));
    await connection.call('SAVE');
  }
  connection.close();
  await server.kill();
  return callsIn(readFileSync(output, 'utf8'));
}

/** SQLite cannot move commits into the snapshot then, which would sync them too. */
function readThroughout(dataDirectory: string): void {
  const reader = new Database(join(dataDirectory, 'snapshot.sqlite'), { readonly: true });
  onTestFinished(() => void reader.close());
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM meta').get();
}

it.runIf(hasTool('strace')).each([
  ['', () => {}],
  [', also while another program reads the snapshot', readThroughout],
])(
  'each deleted segment was sealed, fsynced, and covered by a durable commit of the snapshot before%s',
  async (_while, duringCheckpoints) => {
    const calls = await traceCheckpoints(duringCheckpoints);
    expect(checkOrder(calls)).toBeGreaterThanOrEqual(5);
    expect(checkNames(calls)).toBeGreaterThanOrEqual(10);
  },
);

/** Replays the calls, knowing for each file whether it has unsynced writes. @returns the segments deleted. */
function checkOrder(calls: readonly Call[]): number {
  const dirty = new Set<string>();
  /** Segments written to since the last durable commit of the snapshot. */
  let uncovered = new Set<string>();
  let deleted = 0;
  for (const { name, file } of calls) {
    const segment = /log-\d{10}\.msgpack$/.test(file);
    const wal = file.endsWith('snapshot.sqlite-wal');
    switch (name) {
      case 'pwrite64':
        dirty.add(file);
        if (segment) uncovered.add(file);
        break;
      case 'fsync':
      case 'fdatasync':
        // A commit is durable when the -wal is: the worker read the sealed segments before.
        if (wal && dirty.has(file)) uncovered = new Set([...uncovered].filter((path) => dirty.has(path)));
        dirty.delete(file);
        break;
      case 'unlink':
        if (!segment) break;
        deleted++;
        expect(
          uncovered,
          `${basename(file)} is deleted before a commit that covers it is durable`,
        ).not.toContain(file);
        expect([...dirty].filter((path) => path.endsWith('-wal'))).toEqual([]);
        break;
    }
  }
  return deleted;
}

/**
 * The log goes on only when the directory has been synced after a new name, or the loss of one. @returns the number
 * of syncs that were needed.
 */
function checkNames(calls: readonly Call[]): number {
  let unsynced: Call | undefined;
  let syncs = 0;
  for (const call of calls) {
    const { name, file } = call;
    const isName = /log-\d{10}\.msgpack(\.new)?$|snapshot\.sqlite\.new$/.test(file);
    if ((name === 'rename' || name === 'unlink') && isName) unsynced = call;
    if (unsynced === undefined) continue;
    if (name === 'pwrite64' && file.endsWith('.msgpack'))
      expect.fail(
        `${unsynced.name} of ${basename(unsynced.file)}, and the directory is not synced before a write`,
      );
    if (name !== 'fsync' || file !== dirname(unsynced.file)) continue;
    unsynced = undefined;
    syncs++;
  }
  return syncs;
}

it('the check itself notices a name that is not made durable', () => {
  const rename = { name: 'rename', file: '/d/log-0000000002.msgpack.new' };
  const remove = { name: 'unlink', file: '/d/log-0000000001.msgpack' };
  const sync = { name: 'fsync', file: '/d' };
  const write = { name: 'pwrite64', file: '/d/log-0000000002.msgpack' };
  expect(checkNames([rename, sync, write, remove, sync, write])).toBe(2);
  expect(() => checkNames([rename, write, sync])).toThrow();
  expect(() => checkNames([rename, sync, remove, write])).toThrow();
  expect(() => checkNames([{ ...rename, file: '/d/snapshot.sqlite.new' }, write])).toThrow();
});

it('the check itself notices a segment that goes too early', () => {
  const segment = '/d/log-0000000001.msgpack';
  const wal = '/d/snapshot.sqlite-wal';
  const write = (file: string) => ({ name: 'pwrite64', file });
  const sync = (file: string) => ({ name: 'fdatasync', file });
  const remove = { name: 'unlink', file: segment };
  expect(checkOrder([write(segment), sync(segment), write(wal), sync(wal), remove])).toBe(1);
  expect(() => checkOrder([write(segment), sync(segment), write(wal), remove, sync(wal)])).toThrow();
  expect(() => checkOrder([write(segment), sync(segment), remove])).toThrow();
  expect(() => checkOrder([write(segment), write(wal), sync(wal), remove])).toThrow();
});
