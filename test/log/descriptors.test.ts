import { expect, test } from 'vitest';
import { LogWriteError } from '../../src/log/errors.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { LogTest, read, START_MS, systemError } from './support.js';

/** A process that may open only so many more files at a time. */
function withDescriptors(limit: { free: number }): LogFiles {
  const take = () => {
    if (limit.free === 0) throw systemError('EMFILE');
    limit.free--;
  };
  const opening =
    (open: (path: string) => number) =>
    (path: string): number => {
      take();
      return open(path);
    };
  return {
    ...nodeFiles,
    openForReading: opening(nodeFiles.openForReading),
    openForWriting: opening(nodeFiles.openForWriting),
    createExclusive: opening(nodeFiles.createExclusive),
    openDirectory: opening(nodeFiles.openDirectory),
    close: (file) => {
      limit.free++;
      nodeFiles.close(file);
    },
    list: (directory) => {
      take();
      limit.free++;
      return nodeFiles.list(directory);
    },
    syncDirectory: (directory, opened) => {
      if (opened === undefined) {
        take();
        limit.free++;
      }
      nodeFiles.syncDirectory(directory, opened);
    },
  };
}

test.each([0, 1])('a rotation that finds %i descriptors free is put off, and the log goes on', (free) => {
  const limit = { free: Number.POSITIVE_INFINITY };
  const log = new LogTest(withDescriptors(limit));
  log.write('one');
  limit.free = free;
  expect(() => log.writer.rotate(START_MS)).toThrow(LogWriteError);
  expect(limit.free, 'no descriptor is kept').toBe(free);
  log.write('two');
  log.writer.sync();
  limit.free = 2;
  log.writer.rotate(START_MS);
  log.write('three');
  expect(read(log.segmentPath(1), { lastSeq: 2 }).values).toEqual(['one', 'two']);
  expect(read(log.segmentPath(2), { previousSeq: 2 }).values).toEqual(['three']);
});
