import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { LogSyncError, LogWriteError } from '../../src/log/errors.js';
import { type LogFiles, nodeFiles, type SyncCallback } from '../../src/log/files.js';
import { groupBytesClaimed, groupDurableSeq, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { readSegmentHeader } from '../../src/log/segments.js';
import { LogWriter } from '../../src/log/writer.js';
import { hasTool } from '../support/tools.js';
import { headerOf, LogTest, read, START_MS, setting, systemError } from './support.js';

/** A disk whose operations can be made to fail, and that counts them. */
class FaultyFiles implements LogFiles {
  failing = new Set<keyof LogFiles>();
  /** While set, only this many more bytes of a write reach the file, then ENOSPC. */
  room: number | undefined;
  readonly counts = new Map<keyof LogFiles, number>();
  /** While set, background syncs wait until `completeSyncs`. */
  holdSyncs = false;
  private held: (() => void)[] = [];
  private readonly directories = new Set<number>();

  private enter(operation: keyof LogFiles): void {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    if (this.failing.has(operation)) throw systemError('EIO');
  }

  count(operation: keyof LogFiles): number {
    return this.counts.get(operation) ?? 0;
  }

  completeSyncs(): void {
    for (const complete of this.held.splice(0)) complete();
  }

  openForReading = nodeFiles.openForReading;
  openForWriting = nodeFiles.openForWriting;
  size = nodeFiles.size;
  list = nodeFiles.list;
  read = nodeFiles.read;
  fsync = nodeFiles.fsync;

  createExclusive(path: string): number {
    this.enter('createExclusive');
    return nodeFiles.createExclusive(path);
  }

  /** Counts the segments' files only. */
  close(file: number): void {
    if (!this.directories.delete(file)) this.enter('close');
    nodeFiles.close(file);
  }

  write(file: number, source: Buffer, start: number, length: number, position: number): number {
    this.enter('write');
    if (this.room === undefined) return nodeFiles.write(file, source, start, length, position);
    if (this.room === 0) throw systemError('ENOSPC');
    const written = nodeFiles.write(file, source, start, Math.min(length, this.room), position);
    this.room -= written;
    return written;
  }

  truncate(file: number, size: number): void {
    this.enter('truncate');
    nodeFiles.truncate(file, size);
  }

  fdatasync(file: number): void {
    this.enter('fdatasync');
    nodeFiles.fdatasync(file);
  }

  fdatasyncInBackground(_file: number, done: SyncCallback): void {
    const error = this.failing.has('fdatasyncInBackground') ? systemError('EIO') : null;
    const complete = () => done(error);
    if (this.holdSyncs) this.held.push(complete);
    else setImmediate(complete);
  }

  rename(from: string, to: string): void {
    this.enter('rename');
    nodeFiles.rename(from, to);
  }

  unlink(path: string): void {
    this.enter('unlink');
    nodeFiles.unlink(path);
  }

  openDirectory(directory: string): number {
    this.enter('openDirectory');
    const handle = nodeFiles.openDirectory(directory);
    this.directories.add(handle);
    return handle;
  }

  syncDirectory(directory: string, opened?: number): void {
    this.enter('syncDirectory');
    nodeFiles.syncDirectory(directory, opened);
  }
}

const NOW_MS = START_MS + 1000;

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

function syncInBackground(writer: LogWriter): Promise<LogSyncError | undefined> {
  return new Promise((resolve) => writer.syncInBackground(resolve));
}

describe('appending', () => {
  test('writes each group with one write, at consecutive numbers', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    const before = files.count('write');
    log.write('one', 'two', 'three');
    expect(files.count('write') - before).toBe(3);
    expect(log.writer.lastSeq).toBe(3);
    expect(log.read().seqs).toEqual([1, 2, 3]);
  });

  test('continues the numbers of the log before it', () => {
    const log = new LogTest();
    const writer = LogWriter.create(nodeFiles, log.directory, headerOf(2, 41));
    expect(writer.append(setting('k', 'v'), NOW_MS)).toBe(42);
    expect(read(log.segmentPath(2)).seqs).toEqual([42]);
    writer.close();
  });

  test('takes a value of 64 MiB', () => {
    const log = new LogTest();
    const value = 'v'.repeat(64 * 1024 * 1024);
    log.write('before', value, 'after');
    const { values, scan } = log.read();
    expect(scan.ending.kind).toBe('clean');
    expect(values.map((found) => found.length)).toEqual([6, value.length, 5]);
  });

  test('goes on after a short write', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    const shortWrites: LogFiles['write'] = (file, source, start, length, position) =>
      nodeFiles.write(file, source, start, Math.min(length, 5), position);
    files.write = shortWrites;
    log.write('one', 'two');
    expect(log.read().values).toEqual(['one', 'two']);
  });
});

describe('the durable sequence number of a group', () => {
  /** What every group of a segment says had reached the disk when it was written. */
  function claims(path: string): number[] {
    const bytes = readFileSync(path);
    const found: number[] = [];
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; at += groupBytesClaimed(bytes, at)) {
      found.push(groupDurableSeq(bytes, at));
    }
    return found;
  }

  test('is what was synced when the group was appended, not what is under way', async () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one', 'two');
    log.writer.sync();
    log.write('three');
    files.holdSyncs = true;
    const synced = syncInBackground(log.writer);
    log.write('four');
    files.completeSyncs();
    await synced;
    log.write('five');
    expect(claims(log.path)).toEqual([0, 0, 2, 2, 3]);
  });

  test('covers everything before a new segment', () => {
    const log = new LogTest();
    log.write('one', 'two');
    log.writer.rotate(NOW_MS);
    log.write('three');
    expect(claims(log.path)).toEqual([2]);
  });

  test('covers everything that a resumed log had', () => {
    const log = new LogTest();
    const [position] = log.write('one') as [number];
    const segment = readSegmentHeader(nodeFiles, log.path);
    const writer = LogWriter.resume(nodeFiles, segment, { position, lastSeq: 1, durableSeq: 0 });
    writer.append(setting('k', 'v'), NOW_MS);
    writer.close();
    expect(claims(log.path)).toEqual([0, 1]);
  });
});

describe('a write that fails', () => {
  test('is undone, and the writer goes on when there is room again', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    const ends = log.write('one');
    files.room = 20;
    const error = thrownBy(() => log.write('two'));
    expect(error).toBeInstanceOf(LogWriteError);
    expect(error).toMatchObject({ code: 'ENOSPC', file: log.path, offset: ends[0] });
    expect(statSync(log.path).size).toBe(ends[0]);
    expect(thrownBy(() => log.write('two'))).toBeInstanceOf(LogWriteError);
    files.room = undefined;
    log.write('three');
    expect(log.writer.lastSeq).toBe(2);
    expect(log.read()).toMatchObject({ values: ['one', 'three'], scan: { ending: { kind: 'clean' } } });
  });

  test('that leaves debris says so, and the next append cuts it', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    const ends = log.write('one');
    files.room = 20;
    files.failing.add('truncate');
    expect(() => log.write('two')).toThrow(/nor can the part that was written be cut off/);
    expect(statSync(log.path).size).toBe(ends[0]! + 20);
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[0], bytes: 20 });
    files.room = undefined;
    files.failing.clear();
    log.write('x');
    expect(log.read()).toMatchObject({ values: ['one', 'x'], scan: { ending: { kind: 'clean' } } });
  });

  test('that leaves debris which cannot be cut is left behind in a sealed segment', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    const ends = log.write('one');
    files.room = 20;
    files.failing.add('truncate');
    expect(() => log.write('two')).toThrow(LogWriteError);
    files.room = undefined;
    log.write('three');
    expect(log.writer.sealed).toMatchObject([{ lastSeq: 1, bytes: ends[0], header: { number: 1 } }]);
    const first = read(log.segmentPath(1), { lastSeq: 1 });
    expect(first).toMatchObject({ values: ['one'], scan: { ending: { kind: 'abandoned', bytes: 20 } } });
    expect(read(log.segmentPath(2), { previousSeq: 1 })).toMatchObject({ values: ['three'], seqs: [2] });
  });

  test('is a LogWriteError also when no other segment can be made, until one can', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.room = 20;
    files.failing = new Set(['truncate', 'createExclusive']);
    expect(() => log.write('two')).toThrow(LogWriteError);
    files.room = undefined;
    expect(() => log.write('two')).toThrow(/segment 2 cannot be made/);
    files.failing.delete('createExclusive');
    log.write('three');
    expect(log.writer.lastSeq).toBe(2);
    expect(read(log.segmentPath(2)).values).toEqual(['three']);
  });

  test.runIf(hasTool('prlimit'))('of a real disk, past the largest file allowed, is undone', () => {
    const log = new LogTest();
    const ends = log.write('one');
    const limit = (...options: string[]) =>
      execFileSync('prlimit', [`--pid=${process.pid}`, ...options], { encoding: 'utf8' }).trim();
    const usual = limit('--fsize', '--noheadings', '--raw', '--output=SOFT');
    limit('--fsize=4096:');
    let error: unknown;
    let size = 0;
    try {
      error = thrownBy(() => log.write('x'.repeat(10_000)));
      size = statSync(log.path).size;
      log.write('fits');
    } finally {
      limit(`--fsize=${usual}:`);
    }
    expect(error).toMatchObject({ name: 'LogWriteError', code: 'EFBIG' });
    expect(size).toBe(ends[0]);
    log.write('x'.repeat(10_000));
    expect(log.read().values.map((value) => value.length)).toEqual([3, 4, 10_000]);
  });
});

describe('syncing', () => {
  test('moves the durable number to the last group', () => {
    const log = new LogTest();
    log.write('one', 'two');
    expect(log.writer.durableSeq).toBe(0);
    log.writer.sync();
    expect(log.writer.durableSeq).toBe(2);
  });

  test('in the background covers what was appended before it began', async () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    files.holdSyncs = true;
    log.write('one');
    const first = syncInBackground(log.writer);
    log.write('two');
    const second = syncInBackground(log.writer);
    log.write('three');
    expect(log.writer.durableSeq).toBe(0);
    files.completeSyncs();
    expect(await first).toBeUndefined();
    expect(await second).toBeUndefined();
    expect(log.writer.durableSeq).toBe(2);
  });

  test('in the background really reaches the file system', async () => {
    const log = new LogTest();
    log.write('one');
    expect(await syncInBackground(log.writer)).toBeUndefined();
    expect(log.writer.durableSeq).toBe(1);
  });

  test('that fails is final, whatever a later one would return', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.failing.add('fdatasync');
    expect(() => log.writer.sync()).toThrow(LogSyncError);
    files.failing.clear();
    const syncs = files.count('fdatasync');
    const attempts: (() => unknown)[] = [
      () => log.writer.sync(),
      () => log.write('two'),
      () => log.writer.rotate(NOW_MS),
      () => log.writer.syncInBackground(() => {}),
    ];
    for (const attempt of attempts) {
      expect(thrownBy(attempt)).toMatchObject({ name: 'LogSyncError', code: 'EIO', file: log.path });
    }
    expect(files.count('fdatasync')).toBe(syncs);
    expect([log.writer.durableSeq, log.writer.lastSeq]).toEqual([0, 1]);
    log.writer.close();
  });

  test('that fails in the background is final for those under way too', async () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    files.holdSyncs = true;
    log.write('one');
    files.failing.add('fdatasyncInBackground');
    const first = syncInBackground(log.writer);
    files.failing.clear();
    log.write('two');
    const second = syncInBackground(log.writer);
    files.completeSyncs();
    expect(await first).toBeInstanceOf(LogSyncError);
    expect(await second).toBeInstanceOf(LogSyncError);
    expect(log.writer.durableSeq).toBe(0);
    expect(() => log.write('three')).toThrow(LogSyncError);
  });
});

describe('rotating', () => {
  test('seals the segment, makes it durable and goes on in the next', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    const sealed = log.writer.rotate(NOW_MS);
    expect(sealed).toMatchObject({ path: log.segmentPath(1), lastSeq: 2, bytes: ends[1] });
    expect(log.writer.durableSeq).toBe(2);
    expect(log.writer.sealed).toEqual([sealed]);
    log.write('three');
    const ending = { kind: 'sealed', offset: ends[1] };
    expect(read(log.segmentPath(1), { lastSeq: 2 }).scan.ending).toEqual(ending);
    expect(read(log.segmentPath(2), { previousSeq: 2 }).seqs).toEqual([3]);
    expect(readSegmentHeader(nodeFiles, log.path).header).toMatchObject({ number: 2, createdAtMs: NOW_MS });
    expect(log.writer.totalBytes).toBe(ends[1]! + log.writer.segmentBytes);
  });

  test('does nothing while the segment holds no group', () => {
    const log = new LogTest();
    expect(log.writer.rotate(NOW_MS)).toBeUndefined();
    expect(readdirSync(log.directory)).toHaveLength(1);
  });

  test('that finds no room leaves the segment active', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.room = 10;
    expect(() => log.writer.rotate(NOW_MS)).toThrow(LogWriteError);
    files.room = undefined;
    log.write('two');
    expect(readdirSync(log.directory)).toHaveLength(1);
    expect(read(log.segmentPath(1)).values).toEqual(['one', 'two']);
  });

  test('that cannot sync the directory is final: which segment goes on is unknown', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.failing.add('syncDirectory');
    expect(() => log.writer.rotate(NOW_MS)).toThrow(LogSyncError);
    files.failing.clear();
    expect(() => log.write('two')).toThrow(LogSyncError);
  });

  test('closes the old file only when no background sync uses it', async () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.holdSyncs = true;
    const pending = syncInBackground(log.writer);
    log.writer.rotate(NOW_MS);
    expect(files.count('close')).toBe(0);
    files.completeSyncs();
    expect(await pending).toBeUndefined();
    expect(files.count('close')).toBe(1);
  });
});

describe('the seal', () => {
  const endingOfFirst = (log: LogTest) => read(log.segmentPath(1), { lastSeq: 1 }).scan.ending;

  test('is written when the next segment is durable, and synced', () => {
    const order: string[] = [];
    const files: LogFiles = {
      ...nodeFiles,
      write: (file, source, start, length, position) => {
        order.push(`write ${length}`);
        return nodeFiles.write(file, source, start, length, position);
      },
      fdatasync: (file) => {
        order.push('fdatasync');
        nodeFiles.fdatasync(file);
      },
      syncDirectory: (directory) => {
        order.push('syncDirectory');
        nodeFiles.syncDirectory(directory);
      },
    };
    const log = new LogTest(files);
    log.write('one');
    order.length = 0;
    log.writer.rotate(NOW_MS);
    const next = [`write ${SEGMENT_HEADER_BYTES}`, 'fdatasync', 'syncDirectory'];
    expect(order).toEqual(['fdatasync', ...next, 'write 1', 'fdatasync']);
  });

  test('for which there is no room is left out, and the log goes on', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.room = SEGMENT_HEADER_BYTES;
    log.writer.rotate(NOW_MS);
    files.room = undefined;
    log.write('two');
    expect(endingOfFirst(log)).toEqual({ kind: 'clean' });
    expect(read(log.segmentPath(2), { previousSeq: 1 }).seqs).toEqual([2]);
  });

  test('that cannot be synced is final, as every failed fdatasync is', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.syncDirectory = (directory) => {
      nodeFiles.syncDirectory(directory);
      files.failing.add('fdatasync');
    };
    expect(() => log.writer.rotate(NOW_MS)).toThrow(LogSyncError);
    files.failing.clear();
    expect(log.writer.failure).toBeInstanceOf(LogSyncError);
    expect(() => log.write('two')).toThrow(LogSyncError);
    log.writer.close();
    expect(files.count('close')).toBe(2);
    expect(read(log.segmentPath(1), { lastSeq: 1 }).values).toEqual(['one']);
  });

  test('is not written behind reserved space that cannot be cut off', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files, { preallocateBytes: 1000 });
    log.write('one');
    files.failing.add('truncate');
    log.writer.rotate(NOW_MS);
    expect(endingOfFirst(log)).toMatchObject({ kind: 'abandoned', bytes: 1000 });
    expect(read(log.segmentPath(1)).scan.ending).toMatchObject({ kind: 'zeros', bytes: 1000 });
  });
});

describe('removing sealed segments', () => {
  function threeSegments(files: LogFiles = nodeFiles): LogTest {
    const log = new LogTest(files);
    for (const value of ['one', 'two']) {
      log.write(value, value);
      log.writer.rotate(NOW_MS);
    }
    return log;
  }

  test('deletes those whose every group is covered, and no other', () => {
    const log = threeSegments();
    log.writer.remove(1);
    expect(log.writer.sealed).toHaveLength(2);
    log.writer.remove(3);
    expect(log.writer.sealed.map(({ header }) => header.number)).toEqual([2]);
    expect(existsSync(log.segmentPath(1))).toBe(false);
    log.writer.remove(100);
    expect(readdirSync(log.directory)).toEqual(['log-0000000003.msgpack']);
  });

  test('that fails half way can be tried again', () => {
    const files = new FaultyFiles();
    const log = threeSegments(files);
    files.failing.add('syncDirectory');
    expect(() => log.writer.remove(4)).toThrow(LogWriteError);
    expect(log.writer.sealed).toHaveLength(2);
    files.failing.clear();
    log.writer.remove(4);
    expect(log.writer.sealed).toEqual([]);
    log.write('goes on');
  });
});

describe('closing and resuming', () => {
  test('goes on with the next number where the last group ended', () => {
    const log = new LogTest();
    log.write('one', 'two');
    log.writer.close();
    const { scan } = log.read();
    const state = { ...scan, position: scan.endOffset };
    const writer = LogWriter.resume(nodeFiles, log.writer.segment, state);
    expect([writer.lastSeq, writer.durableSeq]).toEqual([2, 2]);
    writer.append(setting('k', 'three'), NOW_MS);
    writer.close();
    expect(log.read().values).toEqual(['one', 'two', 'three']);
  });

  test('syncs on close, and a second close does nothing', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    log.writer.close();
    expect(log.writer.durableSeq).toBe(1);
    log.writer.close();
    expect(files.count('close')).toBe(1);
    expect(() => log.write('two')).toThrow(AssertionFailure);
  });

  test('closes the file although the last sync fails, and says that it failed', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.write('one');
    files.failing.add('fdatasync');
    expect(() => log.writer.close()).toThrow(LogSyncError);
    expect(files.count('close')).toBe(1);
  });

  test('refuses to resume past the end of the file', () => {
    const log = new LogTest();
    const state = { position: SEGMENT_HEADER_BYTES + 100, lastSeq: 1, durableSeq: 0 };
    expect(() => LogWriter.resume(nodeFiles, log.writer.segment, state)).toThrow(/cannot be resumed/);
  });

  test('makes the name of a resumed segment durable: its maker may have been killed before it did', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.writer.close();
    const state = { position: SEGMENT_HEADER_BYTES, lastSeq: 0, durableSeq: 0 };
    const before = files.count('syncDirectory');
    LogWriter.resume(files, log.writer.segment, state).close();
    expect(files.count('syncDirectory') - before).toBe(1);
    files.failing.add('syncDirectory');
    expect(() => LogWriter.resume(files, log.writer.segment, state)).toThrow(LogSyncError);
  });

  test('refuses to resume without knowing that what was read is durable', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files);
    log.writer.close();
    files.failing.add('fdatasync');
    const state = { position: SEGMENT_HEADER_BYTES, lastSeq: 0, durableSeq: 0 };
    expect(() => LogWriter.resume(files, log.writer.segment, state)).toThrow(LogSyncError);
  });
});

describe('reserved space', () => {
  const options = { preallocateBytes: 100_000 };

  test('is zeros behind the groups, and the groups are written into it', () => {
    const log = new LogTest(nodeFiles, options);
    const ends = log.write('one');
    const size = statSync(log.path).size;
    expect(size).toBe(ends[0]! + options.preallocateBytes);
    log.write('two', 'three');
    expect(statSync(log.path).size).toBe(size);
    expect(log.read()).toMatchObject({
      values: ['one', 'two', 'three'],
      scan: { ending: { kind: 'zeros', bytes: size - log.writer.segmentBytes } },
    });
  });

  test('is extended when a group reaches past it, of any size', () => {
    const log = new LogTest(nodeFiles, options);
    const values = Array.from({ length: 40 }, (_, i) => 'v'.repeat(i * 1000));
    log.write(...values, 'w'.repeat(250_000));
    expect(log.read().values).toEqual([...values, 'w'.repeat(250_000)]);
    expect(statSync(log.path).size).toBe(log.writer.segmentBytes + options.preallocateBytes);
  });

  test('is cut off when the segment is sealed and when the log is closed', () => {
    const log = new LogTest(nodeFiles, options);
    const ends = log.write('one');
    log.writer.rotate(NOW_MS);
    expect(read(log.segmentPath(1)).scan).toMatchObject({
      fileBytes: ends[0]! + 1,
      ending: { kind: 'sealed' },
    });
    log.write('two');
    log.writer.close();
    expect(statSync(log.segmentPath(2)).size).toBe(log.writer.segmentBytes);
  });

  test('is cut off when a log that was killed is resumed', () => {
    const log = new LogTest(nodeFiles, options);
    const ends = log.write('one');
    const { scan } = log.read();
    const state = { ...scan, position: scan.endOffset };
    LogWriter.resume(nodeFiles, log.writer.segment, state).close();
    expect(statSync(log.path).size).toBe(ends[0]);
  });

  test('that cannot be had fails no append', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files, options);
    files.room = 60;
    log.write('one');
    files.room = undefined;
    log.write('two');
    expect(log.read().values).toEqual(['one', 'two']);
    expect(log.ending().kind).toBe('zeros');
  });

  test('is given up by a write that fails, and taken again', () => {
    const files = new FaultyFiles();
    const log = new LogTest(files, options);
    const ends = log.write('one');
    files.room = 20;
    expect(() => log.write('two')).toThrow(LogWriteError);
    expect(statSync(log.path).size).toBe(ends[0]);
    files.room = undefined;
    log.write('three');
    expect(log.read().values).toEqual(['one', 'three']);
    expect(log.ending().kind).toBe('zeros');
  });
});
