import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { LogSyncError } from '../../src/log/errors.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { repairTornTail } from '../../src/log/repair.js';
import {
  createSegment,
  deleteSegments,
  listSegments,
  newStoreId,
  planReplay,
  readSegmentHeader,
  segmentName,
  segmentNumberOf,
} from '../../src/log/segments.js';
import { LogWriter } from '../../src/log/writer.js';
import { headerOf, LogTest, read, STORE_ID, setting, systemError, temporaryDirectory } from './support.js';

/** Makes segments that begin after the given groups: `[number, previousSeq]`. */
function directoryWith(...segments: [number, number][]): string {
  const directory = temporaryDirectory();
  for (const [number, previousSeq] of segments) {
    nodeFiles.close(createSegment(nodeFiles, directory, headerOf(number, previousSeq)).file);
  }
  return directory;
}

describe('names', () => {
  test('carry the number and are recognised by it', () => {
    expect(segmentName(42)).toBe('log-0000000042.msgpack');
    expect(segmentNumberOf('log-0000000042.msgpack')).toBe(42);
  });

  test.each([
    'log-0000000000.msgpack',
    'log-42.msgpack',
    'log-0000000042.msgpack.new',
    'log-0000000042.msgpack.torn-20260131T093000123Z',
    '../log-0000000042.msgpack',
    'log-00000000x2.msgpack',
    'snapshot.sqlite',
  ])('%s is not one of a segment', (name) => {
    expect(segmentNumberOf(name)).toBeUndefined();
  });

  test('are listed in the order of their numbers, and nothing else is', () => {
    const directory = directoryWith([10, 0], [9, 0], [100, 0]);
    writeFileSync(join(directory, 'snapshot.sqlite'), '');
    writeFileSync(join(directory, 'log-0000000001.msgpack.torn-20260131T093000123Z'), '');
    expect(listSegments(nodeFiles, directory)).toEqual(
      [9, 10, 100].map((number) => join(directory, segmentName(number))),
    );
  });
});

describe('making a segment', () => {
  test('gives a file of one header that only the owner may read', () => {
    const directory = directoryWith([1, 0]);
    const status = statSync(join(directory, segmentName(1)));
    expect(status.size).toBe(SEGMENT_HEADER_BYTES);
    expect(status.mode & 0o777).toBe(0o600);
    expect(readSegmentHeader(nodeFiles, join(directory, segmentName(1))).header).toEqual(headerOf(1, 0));
  });

  test('syncs the header before the name appears, and the directory after', () => {
    const directory = temporaryDirectory();
    const order: string[] = [];
    const files: LogFiles = {
      ...nodeFiles,
      fdatasync: (file) => {
        order.push('fdatasync');
        nodeFiles.fdatasync(file);
      },
      rename: (from, to) => {
        order.push('rename');
        nodeFiles.rename(from, to);
      },
      syncDirectory: (path) => {
        order.push('syncDirectory');
        nodeFiles.syncDirectory(path);
      },
    };
    nodeFiles.close(createSegment(files, directory, headerOf(1, 0)).file);
    expect(order).toEqual(['fdatasync', 'rename', 'syncDirectory']);
  });

  test('refuses to replace one that exists', () => {
    const directory = directoryWith([1, 5]);
    expect(() => createSegment(nodeFiles, directory, headerOf(1, 9))).toThrow(/exists already/);
    expect(readSegmentHeader(nodeFiles, join(directory, segmentName(1))).header.previousSeq).toBe(5);
  });

  test('sweeps up what a crash left of an earlier attempt', () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, `${segmentName(1)}.new`), 'half a hea');
    nodeFiles.close(createSegment(nodeFiles, directory, headerOf(1, 0)).file);
    expect(readdirSync(directory)).toEqual([segmentName(1)]);
  });

  test.each(['write', 'fdatasync', 'rename'] as const)('leaves nothing behind when %s fails', (operation) => {
    const directory = temporaryDirectory();
    const files: LogFiles = {
      ...nodeFiles,
      [operation]: () => {
        throw systemError('ENOSPC');
      },
    };
    expect(() => createSegment(files, directory, headerOf(1, 0))).toThrow(/ENOSPC/);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('says that nothing is known when the directory cannot be synced', () => {
    const files: LogFiles = {
      ...nodeFiles,
      syncDirectory: () => {
        throw systemError('EIO');
      },
    };
    expect(() => createSegment(files, temporaryDirectory(), headerOf(1, 0))).toThrow(LogSyncError);
  });
});

describe('deleting segments', () => {
  test('syncs the directory afterwards, and passes over what is gone already', () => {
    const directory = directoryWith([1, 0], [2, 0]);
    const syncs: string[][] = [];
    const files: LogFiles = { ...nodeFiles, syncDirectory: (path) => syncs.push(readdirSync(path)) };
    const paths = [0, 1, 2].map((number) => join(directory, segmentName(number)));
    deleteSegments(files, paths);
    expect(syncs).toEqual([[]]);
  });
});

describe('planning a replay', () => {
  const numbers = (directory: string, coveredSeq: number) => {
    const plan = planReplay(nodeFiles, directory, coveredSeq);
    return [plan.obsolete, plan.needed].map((part) => part.map(({ header }) => header.number));
  };

  test('of an empty directory finds nothing', () => {
    expect(numbers(temporaryDirectory(), 7)).toEqual([[], []]);
  });

  test('without a checkpoint needs every segment', () => {
    expect(numbers(directoryWith([1, 0], [2, 10], [3, 20]), 0)).toEqual([[], [1, 2, 3]]);
  });

  test('needs no segment whose successor begins at or before the end of the checkpoint', () => {
    const directory = directoryWith([1, 0], [2, 10], [3, 20]);
    expect(numbers(directory, 9)).toEqual([[], [1, 2, 3]]);
    expect(numbers(directory, 10)).toEqual([[1], [2, 3]]);
    expect(numbers(directory, 25)).toEqual([[1, 2], [3]]);
  });

  test('takes deleted segments that a power cut brought back as obsolete, gaps and all', () => {
    expect(numbers(directoryWith([2, 10], [5, 40], [6, 50]), 45)).toEqual([[2], [5, 6]]);
  });

  test('refuses a gap between needed segments', () => {
    expect(() => numbers(directoryWith([1, 0], [3, 20]), 0)).toThrow(/a segment between them is missing/);
  });

  test('refuses when the segment after the checkpoint is missing', () => {
    expect(() => numbers(directoryWith([4, 30], [5, 40]), 20)).toThrow(/ends at 20: a segment is missing/);
  });

  test('refuses a segment of another store, obsolete or not', () => {
    const directory = directoryWith([1, 0]);
    const foreign = { ...headerOf(2, 10), storeId: newStoreId() };
    nodeFiles.close(createSegment(nodeFiles, directory, foreign).file);
    for (const coveredSeq of [0, 10]) {
      expect(() => numbers(directory, coveredSeq)).toThrow(/belongs to another store/);
    }
    expect(() => planReplay(nodeFiles, directory, 0, { storeId: foreign.storeId })).toThrow(StorageError);
  });

  test('refuses a segment that begins before the one it follows', () => {
    expect(() => numbers(directoryWith([1, 0], [2, 20], [3, 10]), 0)).toThrow(/begins before/);
  });
});

describe('repairing a torn tail', () => {
  const REPAIR_MS = Date.UTC(2026, 0, 31, 9, 30, 0, 123);

  function torn(): { log: LogTest; offset: number; whole: Buffer } {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.shrinkSize(3);
    return { log, offset: ends[0]!, whole: log.bytes() };
  }

  test('keeps a private copy of the file as it was and cuts the tail', () => {
    const { log, offset, whole } = torn();
    const copy = repairTornTail(nodeFiles, log.path, offset, REPAIR_MS);
    expect(copy).toBe(`${log.path}.torn-20260131T093000123Z`);
    expect(readFileSync(copy).equals(whole)).toBe(true);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(log.bytes().equals(whole.subarray(0, offset))).toBe(true);
    expect(log.ending()).toEqual({ kind: 'clean' });
  });

  test('keeps every copy, also when a clock stands still between two repairs', () => {
    const { log, offset, whole } = torn();
    const first = repairTornTail(nodeFiles, log.path, offset, REPAIR_MS);
    const tornAgain = Buffer.concat([log.bytes(), Buffer.from('95cf00', 'hex')]);
    log.replace(tornAgain);
    const second = repairTornTail(nodeFiles, log.path, offset, REPAIR_MS);
    expect(second).toBe(`${log.path}.torn-20260131T093000124Z`);
    expect(readFileSync(first).equals(whole)).toBe(true);
    expect(readFileSync(second).equals(tornAgain)).toBe(true);
  });

  test('copies files of more than one buffer whole', () => {
    const log = new LogTest();
    const ends = log.write('x'.repeat(2_500_000), 'two');
    log.shrinkSize(1);
    const whole = log.bytes();
    const copy = repairTornTail(nodeFiles, log.path, ends[0]!, REPAIR_MS);
    expect(readFileSync(copy).equals(whole)).toBe(true);
    expect(read(log.path).values).toHaveLength(1);
  });

  test.each(['write', 'fsync', 'syncDirectory'] as const)(
    'cuts nothing when %s of the copy fails',
    (operation) => {
      const { log, offset, whole } = torn();
      const files: LogFiles = {
        ...nodeFiles,
        [operation]: () => {
          throw systemError('ENOSPC');
        },
      };
      expect(() => repairTornTail(files, log.path, offset, REPAIR_MS)).toThrow(/ENOSPC/);
      expect(log.bytes().equals(whole)).toBe(true);
      expect(existsSync(`${log.path}.torn-20260131T093000123Z`)).toBe(false);
    },
  );

  test('makes the copy durable before it cuts, and the cut durable after', () => {
    const { log, offset } = torn();
    const order: string[] = [];
    const files: LogFiles = {
      ...nodeFiles,
      fsync: (file) => {
        order.push('fsync');
        nodeFiles.fsync(file);
      },
      syncDirectory: (path) => {
        order.push('syncDirectory');
        nodeFiles.syncDirectory(path);
      },
      truncate: (file, size) => {
        order.push('truncate');
        nodeFiles.truncate(file, size);
      },
    };
    repairTornTail(files, log.path, offset, REPAIR_MS);
    expect(order).toEqual(['fsync', 'syncDirectory', 'truncate', 'fsync']);
  });

  test('lets a writer go on where the good part ends', () => {
    const { log, offset } = torn();
    repairTornTail(nodeFiles, log.path, offset, REPAIR_MS);
    const segment = readSegmentHeader(nodeFiles, log.path, { storeId: STORE_ID });
    const writer = LogWriter.resume(nodeFiles, segment, { position: offset, lastSeq: 1, durableSeq: 0 });
    expect(writer.append(setting('key', 'again'), REPAIR_MS)).toBe(2);
    writer.close();
    expect(log.read()).toMatchObject({ values: ['one', 'again'], scan: { ending: { kind: 'clean' } } });
  });
});
