import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { StorageError } from '../../src/base/errors.js';
import { createKeyspace } from '../../src/keyspace/keyspace.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { segmentName } from '../../src/log/segments.js';
import { recover } from '../../src/recovery.js';

let folder: { path: string; cleanup(): Promise<void> };

beforeEach(async () => {
  folder = await dir({ unsafeCleanup: true });
});

afterEach(() => folder.cleanup());

const segmentPath = (number: number) => join(folder.path, segmentName(number));

/** Starts, does something, and stops. Returns the number of groups that were there, and what `action` returns. */
async function run<T>(
  action: (append: (value: string) => void, rotate: () => void) => T,
  files: LogFiles = nodeFiles,
): Promise<{ groups: number; result: T }> {
  const { writer, lock, groups } = await recover({
    directory: folder.path,
    keyspace: createKeyspace(),
    files,
    clock: systemClock,
    log: (message) => expect.unreachable(message),
  });
  try {
    const append = (value: string) => {
      const encoder = new GroupEncoder();
      const bytes = Buffer.from(`key${value}`);
      encoder.setString(0, bytes, 0, 3, bytes, 3, bytes.length, 0);
      writer.append(encoder, systemClock.wallMs());
    };
    return { groups, result: action(append, () => writer.rotate(systemClock.wallMs())) };
  } finally {
    writer.close();
    lock.release();
  }
}

const start = async () => (await run(() => {})).groups;

/** Two groups in the first segment, one in the second, none in the snapshot. */
async function writeTwoSegments(files: LogFiles = nodeFiles): Promise<void> {
  await run((append, rotate) => {
    append('one');
    append('two');
    rotate();
    append('three');
  }, files);
}

function contents(): Map<string, string> {
  const names = readdirSync(folder.path).filter((name) => name.endsWith('.msgpack'));
  return new Map(names.map((name) => [name, readFileSync(join(folder.path, name), 'latin1')]));
}

it('a log whose newest segment is missing stops the start, which says what was sealed and changes nothing', async () => {
  await writeTwoSegments();
  rmSync(segmentPath(2));
  const before = contents();
  const error = await start().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StorageError);
  const { message, file, offset } = error as StorageError;
  expect(file).toBe(segmentPath(1));
  expect(offset).toBe(statSync(segmentPath(1)).size - 1);
  expect(message).toContain(`${segmentName(2)} is missing`);
  expect(message).toContain('from a backup');
  expect(contents()).toEqual(before);
});

it('so does one whose newest segment had no group yet', async () => {
  await run((append, rotate) => {
    append('one');
    rotate();
  });
  expect(await start()).toBe(1);
  rmSync(segmentPath(2));
  await expect(start()).rejects.toThrow('is missing');
});

it('a seal that a power cut has taken back leaves a log like any other', async () => {
  await writeTwoSegments();
  truncateSync(segmentPath(1), statSync(segmentPath(1)).size - 1);
  expect(await start()).toBe(3);
  rmSync(segmentPath(2));
  expect(await start()).toBe(2);
});

it('a process killed before the seal was written leaves a log like any other', async () => {
  const isSeal = (source: Buffer, begin: number, length: number) => length === 1 && source[begin] === 1;
  let seals = 0;
  const files: LogFiles = {
    ...nodeFiles,
    write: (file, source, begin, length, position) => {
      if (!isSeal(source, begin, length)) return nodeFiles.write(file, source, begin, length, position);
      seals++;
      throw new Error('killed');
    },
  };
  await run((append, rotate) => {
    append('one');
    rotate();
  }, files);
  expect(seals).toBe(1);
  expect(existsSync(segmentPath(2))).toBe(true);
  expect((await run((append) => append('two'))).groups).toBe(1);
  expect(statSync(segmentPath(2)).size).toBeGreaterThan(SEGMENT_HEADER_BYTES);
  expect(await start()).toBe(2);
});
