import { basename, dirname, join } from 'node:path';
import { assert } from '../base/assert.js';
import { StorageError } from '../base/errors.js';
import { messageOf } from './errors.js';
import { type FileHandle, type LogFiles, readFully, writeFully } from './files.js';
import { SEGMENT_HEADER_BYTES } from './format.js';
import { removeQuietly } from './segments.js';

const COPY_BYTES = 1024 * 1024;

/**
 * Cuts a torn tail off the active segment, after putting a copy of the whole file beside it as
 * `<name>.torn-<UTC time>`: whoever wants to look at what was lost needs the header too, and copying the file
 * back undoes the repair. The copy is durable before anything is cut.
 *
 * @param offset where the torn group begins, in bytes: from `scanSegment`.
 * @param atMs wall time, Unix ms.
 * @returns the path of the copy.
 * @throws StorageError when the copy cannot be made (then nothing is cut) or the file cannot be cut.
 */
export function repairTornTail(files: LogFiles, path: string, offset: number, atMs: number): string {
  assert(offset >= SEGMENT_HEADER_BYTES, 'a torn tail begins after the segment header');
  const copyPath = attempt(path, 'cannot be copied', () => keptPath(files, path, 'torn', atMs));
  const file = attempt(path, 'cannot be opened', () => files.openForWriting(path));
  try {
    attempt(copyPath, 'cannot be made as a copy of a torn segment', () => copyTo(files, file, copyPath));
    attempt(path, 'its torn tail cannot be cut off', () => {
      files.truncate(file, offset);
      files.fsync(file);
    });
  } finally {
    files.close(file);
  }
  return copyPath;
}

function copyTo(files: LogFiles, source: FileHandle, copyPath: string): void {
  const copy = files.createExclusive(copyPath);
  try {
    const buffer = Buffer.allocUnsafeSlow(COPY_BYTES);
    for (let position = 0; ; position += COPY_BYTES) {
      const length = readFully(files, source, buffer, 0, COPY_BYTES, position);
      writeFully(files, copy, buffer, 0, length, position);
      if (length < COPY_BYTES) break;
    }
    files.fsync(copy);
    files.syncDirectory(dirname(copyPath));
  } catch (error) {
    removeQuietly(files, copyPath);
    throw error;
  } finally {
    files.close(copy);
  }
}

/**
 * A name that is free, in the same directory, for what a repair keeps of a file: `<name>.torn-20260131T093000123Z`
 * sorts by time and needs no quoting in a shell.
 *
 * @param atMs wall time, Unix ms. A clock that stands still, or was set back, must not make two copies one: where
 *   the name is taken, that of the next free millisecond.
 */
export function keptPath(files: LogFiles, path: string, kind: 'torn' | 'aside', atMs: number): string {
  const directory = dirname(path);
  const taken = new Set(files.list(directory));
  for (let ms = atMs; ; ms++) {
    const name = `${basename(path)}.${kind}-${new Date(ms).toISOString().replace(/[-:.]/g, '')}`;
    if (!taken.has(name)) return join(directory, name);
  }
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new StorageError(`${what}: ${messageOf(error)}`, path, undefined, { cause: error });
  }
}
