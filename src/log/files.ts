/**
 * Every file operation of the log and of recovery, and the only place in src/log that knows node:fs. The
 * interface is as narrow as the log needs, so that a simulated disk that tears, lies and fails can stand
 * behind it.
 */
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { StorageError } from '../base/errors.js';
import { allocateBytes } from '../base/word-view.js';

/** An open file. */
export type FileHandle = number;

/** Called once, from the event loop or `collectSyncs`, never before the call that it was given to has returned. */
export type SyncCallback = (error: Error | null) => void;

/** Operations throw what the operating system says, an Error with a `code` such as ENOSPC. */
export interface LogFiles {
  openForReading(path: string): FileHandle;
  /** An existing file, for reading and writing. */
  openForWriting(path: string): FileHandle;
  /** A new file with mode 0600, for reading and writing; EEXIST when there is one of that name. */
  createExclusive(path: string): FileHandle;
  close(file: FileHandle): void;
  /** May read less than asked, 0 only at the end of the file. Returns the bytes read. */
  read(file: FileHandle, target: Buffer, start: number, length: number, position: number): number;
  /** May write less than asked. Returns the bytes written. */
  write(file: FileHandle, source: Buffer, start: number, length: number, position: number): number;
  /** Length of the file in bytes. */
  size(file: FileHandle): number;
  truncate(file: FileHandle, size: number): void;
  fdatasync(file: FileHandle): void;
  /** The same off the event loop; the file must stay open until `done` is called. */
  fdatasyncInBackground(file: FileHandle, done: SyncCallback): void;
  /** Calls back now for background syncs that have ended, where that can be told ahead of the event loop. */
  collectSyncs?(): void;
  fsync(file: FileHandle): void;
  rename(from: string, to: string): void;
  /** The name is gone when this returns; the space may follow a moment later. */
  unlink(path: string): void;
  /** Names, not paths, in no particular order. */
  list(directory: string): string[];
  /**
   * For a `syncDirectory` that must not fail for want of a descriptor: what comes before it cannot be undone.
   */
  openDirectory(directory: string): FileHandle;
  /**
   * Makes the directory's entries (new, renamed and removed names) durable.
   *
   * @param opened from `openDirectory`, stays open; without it the directory is opened for the call.
   */
  syncDirectory(directory: string, opened?: FileHandle): void;
}

const OWNER_ONLY = 0o600;

export const nodeFiles: LogFiles = {
  openForReading: (path) => openSync(path, constants.O_RDONLY),
  openForWriting: (path) => openSync(path, constants.O_RDWR),
  createExclusive: (path) =>
    openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY),
  close: closeSync,
  read: readSync,
  write: writeSync,
  size: (file) => fstatSync(file).size,
  truncate: ftruncateSync,
  fdatasync: fdatasyncSync,
  fdatasyncInBackground: fdatasync,
  fsync: fsyncSync,
  rename: renameSync,
  unlink(path) {
    const file = openIfPossible(path);
    try {
      unlinkSync(path);
    } finally {
      // With its last descriptor the space goes, which took 21 ms for a segment of 64 MiB: not on the event loop.
      if (file !== undefined) close(file, () => {});
    }
  },
  list: (directory) => readdirSync(directory),
  openDirectory: (directory) => openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY),
  syncDirectory(directory, opened) {
    if (opened !== undefined) {
      fsyncSync(opened);
      return;
    }
    const handle = nodeFiles.openDirectory(directory);
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  },
};

/** Without a descriptor to spare, or for what is no file of ours, deleting merely takes as long as it takes. */
function openIfPossible(path: string): FileHandle | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** Linux moves at most this much in one call (0x7ffff000 bytes); Node refuses more than 2^31 - 1. */
const LARGEST_TRANSFER = 0x40000000;

/** Writes all of `source[start .. start + length)` at `position`, however many calls that takes. */
export function writeFully(
  files: LogFiles,
  file: FileHandle,
  source: Buffer,
  start: number,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length; ) {
    const asked = Math.min(length - done, LARGEST_TRANSFER);
    const written = files.write(file, source, start + done, asked, position + done);
    if (written <= 0) throw new Error(`write returned ${written} for ${asked} bytes`);
    done += written;
  }
}

/**
 * Reads into `target[start .. start + length)` from `position`, however many calls that takes.
 *
 * @returns the bytes read: fewer than `length` only where the file ends.
 */
export function readFully(
  files: LogFiles,
  file: FileHandle,
  target: Buffer,
  start: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const asked = Math.min(length - done, LARGEST_TRANSFER);
    const read = files.read(file, target, start + done, asked, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

const WINDOW_BYTES = 1024 * 1024;

/**
 * A file read through one buffer: any range of it can be brought into memory, small ranges next to each other
 * without a system call each. Ranges longer than the window make it larger for as long as they are asked for.
 */
export class FileWindow {
  bytes: Buffer = Buffer.alloc(0);
  private position = 0;
  private filled = 0;

  constructor(
    private readonly files: LogFiles,
    private readonly file: FileHandle,
    private readonly path: string,
    readonly fileBytes: number,
  ) {}

  /**
   * Brings `length` bytes at `offset` into `bytes` and returns their place there, valid until the next call.
   * The range must lie inside the file.
   */
  load(offset: number, length: number): number {
    if (offset >= this.position && offset + length <= this.position + this.filled)
      return offset - this.position;
    const capacity = Math.min(Math.max(WINDOW_BYTES, length), this.fileBytes);
    if (this.bytes.length !== capacity) this.bytes = allocateBytes(capacity);
    this.filled = 0;
    const wanted = Math.min(capacity, this.fileBytes - offset);
    const read = readFully(this.files, this.file, this.bytes, 0, wanted, offset);
    if (read < length)
      throw new StorageError('the file became shorter while it was being read', this.path, offset + read);
    this.position = offset;
    this.filled = read;
    return 0;
  }

  /**
   * Brings bytes at `offset` into `bytes`, beginning at `placeOfSome`: as many as are there already, or a
   * window full where those are fewer than `least`. Returns their number.
   */
  loadSome(offset: number, least: number): number {
    const available = this.position + this.filled - offset;
    const present = offset >= this.position && (available >= least || offset + available === this.fileBytes);
    const length = present ? available : Math.min(WINDOW_BYTES, this.fileBytes - offset);
    this.placeOfSome = this.load(offset, length);
    return length;
  }

  /** Where in `bytes` the bytes of the last `loadSome` begin. */
  placeOfSome = 0;
}
