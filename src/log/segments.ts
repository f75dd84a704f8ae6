import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { StorageError } from '../base/errors.js';
import { errorCode, LogSyncError, messageOf, namingFile } from './errors.js';
import { type FileHandle, type LogFiles, readFully, writeFully } from './files.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  STORE_ID_BYTES,
} from './format.js';

const NAME = /^log-(\d{10})\.msgpack$/;
/** A segment that is being made has this after its name; what a crash leaves of one holds no group. */
const UNFINISHED = '.new';

/** A segment on disk whose header has been read and checked. */
export interface Segment {
  readonly path: string;
  readonly header: SegmentHeader;
}

/** What a segment's header must say; what is left out may be anything. */
export interface HeaderExpectation {
  readonly storeId?: Buffer;
}

export function newStoreId(): Buffer {
  return randomBytes(STORE_ID_BYTES);
}

export function segmentName(number: number): string {
  return `log-${String(number).padStart(10, '0')}.msgpack`;
}

/** The number in a segment's name, undefined for any other name (copies of torn segments among them). */
export function segmentNumberOf(name: string): number | undefined {
  const match = NAME.exec(name);
  const number = Number(match?.[1]);
  return number > 0 ? number : undefined;
}

/** Names of everything in a directory. */
export function listNames(files: LogFiles, directory: string): string[] {
  return namingFile(directory, 'cannot be listed', () => files.list(directory));
}

/** Paths of the segments in a directory, in the order of their numbers. */
export function listSegments(files: LogFiles, directory: string): string[] {
  const names = listNames(files, directory).filter((name) => segmentNumberOf(name) !== undefined);
  // All digits are written out, so the order of the names is the order of the numbers.
  return names.sort().map((name) => join(directory, name));
}

/** Removes what crashes during the making of a segment have left. No group is ever in these files. */
export function removeUnfinishedSegments(files: LogFiles, directory: string): void {
  const left = files
    .list(directory)
    .filter(
      (name) => name.endsWith(UNFINISHED) && segmentNumberOf(name.slice(0, -UNFINISHED.length)) !== undefined,
    );
  for (const name of left) files.unlink(join(directory, name));
  if (left.length > 0) files.syncDirectory(directory);
}

/** A segment just made, with its file open for writing. */
export interface NewSegment {
  readonly segment: Segment;
  readonly file: FileHandle;
}

/**
 * Makes a segment and returns it open. It appears under its name only when its header is on the disk, so a
 * segment with a damaged header is never the trace of a crash, and the name itself is durable on return.
 *
 * @throws LogSyncError when the directory cannot be made durable. Whether the segment exists after a power cut
 *   is then unknown, and its header says that the one before has ended: nothing may be appended to either.
 *   Any other error means that there is no such segment.
 */
export function createSegment(files: LogFiles, directory: string, header: SegmentHeader): NewSegment {
  const path = join(directory, segmentName(header.number));
  if (files.list(directory).includes(basename(path)))
    throw new StorageError('the segment exists already', path);
  removeUnfinishedSegments(files, directory);
  // Opened first: after the rename, a lack of descriptors would have to be taken for a failed fsync.
  const folder = files.openDirectory(directory);
  try {
    return { segment: { path, header }, file: createDurably(files, path, header, folder) };
  } finally {
    closeQuietly(files, folder);
  }
}

/** @param folder the open directory. */
function createDurably(files: LogFiles, path: string, header: SegmentHeader, folder: FileHandle): FileHandle {
  const unfinished = path + UNFINISHED;
  const file = files.createExclusive(unfinished);
  try {
    writeFully(files, file, encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
    files.fdatasync(file);
    files.rename(unfinished, path);
  } catch (error) {
    files.close(file);
    removeQuietly(files, unfinished);
    throw error;
  }
  try {
    files.syncDirectory(dirname(path), folder);
  } catch (error) {
    files.close(file);
    const message = `the directory of a new segment cannot be made durable: ${messageOf(error)}`;
    throw new LogSyncError(message, path, undefined, { cause: error });
  }
  return file;
}

/** Of a directory nothing is written through its descriptor: closing it decides nothing. */
function closeQuietly(files: LogFiles, folder: FileHandle): void {
  try {
    files.close(folder);
  } catch {
    // The segment is made, or the reason why it is not is on its way to the caller.
  }
}

/** Used where a failure is already on its way to the caller and a second one would only hide it. */
export function removeQuietly(files: LogFiles, path: string): void {
  try {
    files.unlink(path);
  } catch {
    // The first failure is the one to report; an unfinished file is swept up by the next attempt.
  }
}

/**
 * Deletes segments in the given order and makes that durable. One that is gone already is what was wanted: an
 * earlier attempt may have got that far.
 */
export function deleteSegments(files: LogFiles, paths: readonly string[]): void {
  for (const path of paths) {
    namingFile(path, 'cannot be deleted', () => unlinkIfThere(files, path));
  }
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    namingFile(directory, 'a deletion in it cannot be made durable', () => files.syncDirectory(directory));
  }
}

function unlinkIfThere(files: LogFiles, path: string): void {
  try {
    files.unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** @throws StorageError when the header does not hold, or is not the one that the name promises. */
export function readSegmentHeader(
  files: LogFiles,
  path: string,
  expectation: HeaderExpectation = {},
): Segment {
  const file = openSegment(files, path);
  try {
    return namingFile(path, 'cannot be read', () => readHeaderOf(files, file, path, expectation));
  } finally {
    files.close(file);
  }
}

export function openSegment(files: LogFiles, path: string): FileHandle {
  return namingFile(path, 'cannot be opened', () => files.openForReading(path));
}

/** Length of the file, reserved space included. */
export function segmentFileBytes(files: LogFiles, path: string): number {
  const file = openSegment(files, path);
  try {
    return namingFile(path, 'cannot be read', () => files.size(file));
  } finally {
    files.close(file);
  }
}

export function readHeaderOf(
  files: LogFiles,
  file: FileHandle,
  path: string,
  expectation: HeaderExpectation,
): Segment {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const read = readFully(files, file, bytes, 0, SEGMENT_HEADER_BYTES, 0);
  const header = decodeSegmentHeader(bytes.subarray(0, read));
  if (typeof header === 'string') throw new StorageError(header, path, 0);
  const number = segmentNumberOf(basename(path));
  if (header.number !== number) {
    throw new StorageError(`holds segment ${header.number}, which is not what its name says`, path, 0);
  }
  if (expectation.storeId !== undefined && !header.storeId.equals(expectation.storeId)) {
    throw new StorageError('belongs to another store', path, 0);
  }
  return { path, header };
}

/** What the seal at the end of a log's last segment means; a segment is sealed when the next one is durable. */
export function missingSuccessor({ header }: Segment): string {
  return `${segmentName(header.number + 1)} is missing: this segment was sealed, so another one has followed it`;
}

/** The segments of a log, divided by what the checkpoint already holds. */
export interface LogPlan {
  /** Everything in them is in the checkpoint: they may be deleted. */
  readonly obsolete: readonly Segment[];
  /** To be read in this order, without a gap; the last one is the active segment. */
  readonly needed: readonly Segment[];
}

/**
 * Reads the headers of every segment in a directory and decides which must be replayed on top of a checkpoint
 * that covers every group up to `coveredSeq` (0: no checkpoint).
 *
 * A deletion that a power cut undid brings old segments back, perhaps with gaps between them. Those are told by
 * a later segment that begins at or before the checkpoint's end.
 *
 * @throws StorageError when a segment is missing, belongs to another store, or has a damaged header.
 */
export function planReplay(
  files: LogFiles,
  directory: string,
  coveredSeq: number,
  expectation: HeaderExpectation = {},
): LogPlan {
  const segments = listSegments(files, directory).map((path) => readSegmentHeader(files, path, expectation));
  const first = segments.findLastIndex(({ header }) => header.previousSeq <= coveredSeq);
  if (segments.length > 0 && first < 0) {
    const { path, header } = segments[0]!;
    throw new StorageError(
      `begins after group ${header.previousSeq}, but the checkpoint ends at ${coveredSeq}: a segment is missing`,
      path,
      0,
    );
  }
  const obsolete = segments.slice(0, Math.max(first, 0));
  const needed = segments.slice(Math.max(first, 0));
  for (let i = 1; i < segments.length; i++) checkSameStore(segments[i - 1]!, segments[i]!);
  for (let i = 1; i < needed.length; i++) checkSuccession(needed[i - 1]!, needed[i]!);
  return { obsolete, needed };
}

function checkSameStore(segment: Segment, next: Segment): void {
  if (!next.header.storeId.equals(segment.header.storeId)) {
    throw new StorageError(`belongs to another store than ${basename(segment.path)}`, next.path, 0);
  }
}

function checkSuccession(segment: Segment, next: Segment): void {
  if (next.header.number !== segment.header.number + 1) {
    throw new StorageError(
      `follows ${basename(segment.path)}: a segment between them is missing`,
      next.path,
      0,
    );
  }
  if (next.header.previousSeq < segment.header.previousSeq) {
    throw new StorageError(`begins before ${basename(segment.path)}`, next.path, 0);
  }
}
