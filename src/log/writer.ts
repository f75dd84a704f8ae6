import { dirname } from 'node:path';
import { assert } from '../base/assert.js';
import type { GroupEncoder } from './encoder.js';
import { LogSyncError, LogWriteError, messageOf } from './errors.js';
import { type FileHandle, type LogFiles, writeFully } from './files.js';
import { crcSeedOf, SEAL, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.js';
import { rewriteUnproven, type SegmentState } from './rewrite.js';
import { createSegment, deleteSegments, type NewSegment, type Segment } from './segments.js';

/** A segment that takes no more groups and is on the disk: what the checkpointer may read. */
export interface SealedSegment extends Segment {
  /** Its last group; equal to `header.previousSeq` when it holds none. */
  readonly lastSeq: number;
  /** Up to the end of its last group. */
  readonly bytes: number;
}

export interface LogWriterOptions {
  /**
   * Bytes of zeros to keep written ahead of the groups, so that most fdatasyncs find the file's length and
   * blocks unchanged and have only data to write. 0 (the default): none.
   */
  readonly preallocateBytes?: number;
  /** Sealed segments that recovery found and the checkpoint does not cover yet, oldest first. */
  readonly sealed?: readonly SealedSegment[];
}

/** The segment being written, and what its file may still be needed for. */
interface ActiveFile {
  readonly segment: Segment;
  readonly file: FileHandle;
  readonly crcSeed: number;
  /** Background fdatasyncs under way: the file must not be closed under them. */
  syncsUnderWay: number;
  retired: boolean;
}

/** Told when a background fdatasync has ended: durableSeq has moved, or the writer has latched. */
export type SyncListener = (error: LogSyncError | undefined) => void;

/**
 * The end of the log that grows: one active segment, to which each commit group goes in one write.
 *
 * Sequence numbers are given here, each one more than the last. Every failure leaves the log as it was before
 * the call: a group is in it whole, or not at all.
 *
 * - A failed write is undone by cutting the file back; the writer stays usable (`LogWriteError`). Where even
 *   cutting fails, the next append tries again and then moves to a new segment, leaving the debris behind the
 *   end of a sealed one, where readers know to ignore it.
 * - A failed fdatasync, or fsync of the directory, is final (`LogSyncError`): see there.
 */
export class LogWriter {
  /** Sealed and not yet removed, oldest first. */
  readonly sealed: SealedSegment[];
  /** From `LogWriterOptions`; a change takes effect once the space reserved so far is used. */
  preallocateBytes: number;
  private active: ActiveFile;
  private position: number;
  /** Length of the file: what is past `position` is zeros, unless `debris`. */
  private fileBytes: number;
  /** Bytes of a failed write lie past `position` and could not be cut off. */
  private debris = false;
  private seq: number;
  private syncedSeq: number;
  private syncFailure: LogSyncError | undefined;
  private closed = false;

  private constructor(
    private readonly files: LogFiles,
    segment: Segment,
    file: FileHandle,
    state: { position: number; lastSeq: number },
    options: LogWriterOptions,
  ) {
    this.sealed = [...(options.sealed ?? [])];
    this.preallocateBytes = options.preallocateBytes ?? 0;
    this.active = activate(segment, file);
    this.position = state.position;
    this.fileBytes = state.position;
    this.seq = state.lastSeq;
    this.syncedSeq = state.lastSeq;
  }

  /**
   * Begins a new segment, durable on return.
   *
   * @throws LogWriteError when it cannot be made.
   */
  static create(
    files: LogFiles,
    directory: string,
    header: SegmentHeader,
    options: LogWriterOptions = {},
  ): LogWriter {
    const { segment, file } = makeSegment(files, directory, header);
    return new LogWriter(
      files,
      segment,
      file,
      { position: SEGMENT_HEADER_BYTES, lastSeq: header.previousSeq },
      options,
    );
  }

  /**
   * Goes on with an existing segment after its last valid group. What follows that (reserved zeros; a torn
   * tail must have been repaired before) is cut off, and what was read is made durable, the name of the
   * segment included: after a kill either may have been in the system's memory only. What no header proves to
   * be on the disk is written again for that (`rewriteUnproven`).
   *
   * @param state from `scanSegment`.
   * @throws LogWriteError when it cannot be opened, cut or written, LogSyncError when it cannot be made durable.
   */
  static resume(
    files: LogFiles,
    segment: Segment,
    state: SegmentState,
    options: LogWriterOptions = {},
  ): LogWriter {
    const { path } = segment;
    const file = writing(path, 'the active segment cannot be opened', () => files.openForWriting(path));
    try {
      writing(path, 'the active segment cannot be resumed', () => {
        cutTo(files, file, state.position);
        rewriteUnproven(files, file, segment, state);
      });
      const writer = new LogWriter(files, segment, file, state, options);
      writer.syncName();
      writer.sync();
      return writer;
    } catch (error) {
      files.close(file);
      throw error;
    }
  }

  /** The segment that appends go to. */
  get segment(): Segment {
    return this.active.segment;
  }

  /** Bytes of the active segment, header included, reserved space not. */
  get segmentBytes(): number {
    return this.position;
  }

  /** Bytes of all segments that have not been removed. */
  get totalBytes(): number {
    return this.sealed.reduce((total, { bytes }) => total + bytes, this.position);
  }

  /** The last group appended. */
  get lastSeq(): number {
    return this.seq;
  }

  /** Every group up to this one is on the disk. */
  get durableSeq(): number {
    return this.syncedSeq;
  }

  /** The failed fdatasync that ended this writer's usefulness, if there was one. */
  get failure(): LogSyncError | undefined {
    return this.syncFailure;
  }

  /**
   * Appends the encoder's records as one group, in one write. The encoder is left as it is.
   *
   * @param atMs wall time of the commit, Unix ms.
   * @returns the group's sequence number.
   * @throws LogWriteError when nothing was written; LogSyncError once an fdatasync has failed.
   */
  append(encoder: GroupEncoder, atMs: number): number {
    this.checkUsable();
    // A file that cannot be mended is sealed as it is: its groups are whole, and the header of the next
    // segment says with which of them it ends.
    if (this.debris && !this.cutTail()) this.startNextSegment(atMs, false);
    const seq = this.seq + 1;
    const groupBytes = encoder.seal(seq, atMs, this.syncedSeq, this.active.crcSeed);
    try {
      writeFully(this.files, this.active.file, encoder.bytes, 0, groupBytes, this.position);
    } catch (error) {
      throw this.undoWrite(seq, error);
    }
    this.position += groupBytes;
    this.seq = seq;
    if (this.position >= this.fileBytes) {
      this.fileBytes = this.position;
      this.preallocate();
    }
    return seq;
  }

  /**
   * Finds out whether the log takes writes again after a failed append: writes zeros, which can be no group,
   * behind the last one and cuts them off.
   *
   * @throws LogWriteError when it does not; LogSyncError once an fdatasync has failed.
   */
  probe(): void {
    this.checkUsable();
    const { path } = this.active.segment;
    writing(path, 'the log still takes no writes', () => {
      writeFully(this.files, this.active.file, ZEROS, 0, ZEROS.length, this.position);
      this.files.truncate(this.active.file, this.position);
    });
    this.fileBytes = this.position;
    this.debris = false;
  }

  /**
   * Makes every group appended so far durable, waiting for the disk.
   *
   * @throws LogSyncError when the disk refuses, now or earlier.
   */
  sync(): void {
    this.checkUsable();
    try {
      this.files.fdatasync(this.active.file);
    } catch (error) {
      throw this.latch(this.active.segment.path, error);
    }
    this.syncedSeq = this.seq;
  }

  /**
   * Makes every group appended so far durable without waiting; groups may be appended meanwhile, and are not
   * covered. Several may be under way at once.
   *
   * @throws LogSyncError when an fdatasync failed earlier; a failure of this one goes to `done`.
   */
  syncInBackground(done: SyncListener): void {
    this.checkUsable();
    const { active, seq } = this;
    active.syncsUnderWay++;
    this.files.fdatasyncInBackground(active.file, (error) => {
      active.syncsUnderWay--;
      if (active.retired && active.syncsUnderWay === 0) this.files.close(active.file);
      if (error !== null) this.latch(active.segment.path, error);
      // A sync that was under way when another one failed proves nothing about the groups it covered.
      else if (this.syncFailure === undefined) this.syncedSeq = Math.max(this.syncedSeq, seq);
      done(this.syncFailure);
    });
  }

  /** Calls back now for background syncs that have ended, where the files can tell ahead of the event loop. */
  collectSyncs(): void {
    this.files.collectSyncs?.();
  }

  /**
   * Seals the active segment and begins the next. Waits for an fdatasync of what is not yet durable (sync in
   * the background first to keep that short), and for those of the new segment and of the seal.
   *
   * @param atMs wall time, Unix ms.
   * @returns the sealed segment, now last in `sealed`; undefined when the active one holds no group.
   * @throws LogWriteError when the next cannot be made (appends then go on in this one), LogSyncError.
   */
  rotate(atMs: number): SealedSegment | undefined {
    this.checkUsable();
    if (this.seq === this.active.segment.header.previousSeq) return undefined;
    const isTailCut = this.cutTail();
    return this.startNextSegment(atMs, isTailCut);
  }

  /**
   * Deletes the sealed segments whose every group is covered by `coveredSeq`, and makes that durable.
   *
   * @throws LogWriteError when one cannot be deleted; all of them stay in `sealed`, to be tried again.
   */
  remove(coveredSeq: number): void {
    const kept = this.sealed.findIndex(({ lastSeq }) => lastSeq > coveredSeq);
    const count = kept < 0 ? this.sealed.length : kept;
    if (count === 0) return;
    const paths = this.sealed.slice(0, count).map(({ path }) => path);
    writing(paths[0]!, 'covered segments cannot be deleted', () => deleteSegments(this.files, paths));
    this.sealed.splice(0, count);
  }

  /**
   * Makes everything durable and closes the file; the second call does nothing. A writer that has latched is
   * closed without claiming anything.
   *
   * @throws LogSyncError when the last groups cannot be made durable; the file is closed all the same.
   */
  close(): void {
    if (this.closed) return;
    try {
      if (this.syncFailure === undefined) {
        this.cutTail();
        this.sync();
      }
    } finally {
      this.closed = true;
      this.retire(this.active);
    }
  }

  private checkUsable(): void {
    assert(!this.closed, 'the log writer is closed');
    if (this.syncFailure === undefined) return;
    const { cause, file } = this.syncFailure;
    throw new LogSyncError(`an earlier fdatasync failed: ${messageOf(cause)}`, file, undefined, { cause });
  }

  /** A process killed while it made the segment may have left the name in the system's memory only. */
  private syncName(): void {
    const { path } = this.active.segment;
    try {
      this.files.syncDirectory(dirname(path));
    } catch (error) {
      throw this.latch(path, error);
    }
  }

  private latch(path: string, error: unknown): LogSyncError {
    this.syncFailure ??= new LogSyncError(`it cannot be made durable: ${messageOf(error)}`, path, undefined, {
      cause: error,
    });
    return this.syncFailure;
  }

  /** Cuts off what a failed write may have left. Returns the error to throw. */
  private undoWrite(seq: number, error: unknown): LogWriteError {
    let message = `group ${seq} cannot be written: ${messageOf(error)}`;
    try {
      this.files.truncate(this.active.file, this.position);
      this.fileBytes = this.position;
    } catch (truncateError) {
      this.debris = true;
      message += `; nor can the part that was written be cut off: ${messageOf(truncateError)}`;
    }
    return new LogWriteError(message, this.active.segment.path, this.position, { cause: error });
  }

  /**
   * Cuts what is behind the last group: reserved zeros, or what a failed write left. Readers recognise both
   * at the end of a segment, so only an append has to care when this fails.
   */
  private cutTail(): boolean {
    if (!this.debris && this.fileBytes === this.position) return true;
    try {
      this.files.truncate(this.active.file, this.position);
    } catch {
      return false;
    }
    this.fileBytes = this.position;
    this.debris = false;
    return true;
  }

  /** @param isTailCut nothing follows the last group of the active segment: there is a place for the seal. */
  private startNextSegment(atMs: number, isTailCut: boolean): SealedSegment {
    if (this.syncedSeq < this.seq) this.sync();
    const previous = this.active;
    const { segment } = previous;
    const header: SegmentHeader = {
      storeId: segment.header.storeId,
      number: segment.header.number + 1,
      previousSeq: this.seq,
      createdAtMs: atMs,
    };
    const next = this.makeNextSegment(dirname(segment.path), header);
    const sealed: SealedSegment = { ...segment, lastSeq: this.seq, bytes: this.position };
    this.sealed.push(sealed);
    this.active = activate(next.segment, next.file);
    this.position = SEGMENT_HEADER_BYTES;
    this.fileBytes = SEGMENT_HEADER_BYTES;
    this.debris = false;
    try {
      if (isTailCut) this.writeSeal(previous, sealed.bytes);
    } finally {
      this.retire(previous);
    }
    return sealed;
  }

  /**
   * Marks a segment as having a successor, so that the loss of that one is noticed. Only once the successor is
   * durable: a seal without one stops the next start.
   *
   * A segment without a seal is sound too, so a write that fails is not reported.
   *
   * @throws LogSyncError when the seal cannot be made durable: no failed fdatasync is ever passed over.
   */
  private writeSeal({ file, segment }: ActiveFile, position: number): void {
    try {
      writeFully(this.files, file, SEAL_BYTES, 0, SEAL_BYTES.length, position);
    } catch {
      return;
    }
    try {
      this.files.fdatasync(file);
    } catch (error) {
      throw this.latch(segment.path, error);
    }
  }

  private makeNextSegment(directory: string, header: SegmentHeader): NewSegment {
    try {
      return makeSegment(this.files, directory, header);
    } catch (error) {
      if (error instanceof LogSyncError) this.syncFailure ??= error;
      throw error;
    }
  }

  /** Closes a file as soon as no background fdatasync uses it. */
  private retire(active: ActiveFile): void {
    active.retired = true;
    if (active.syncsUnderWay === 0) this.files.close(active.file);
  }

  /**
   * Writes zeros ahead. Running out of room here is not yet a failure of anything, so it is not reported: the
   * group that finds no room will be.
   */
  private preallocate(): void {
    const end = this.position + this.preallocateBytes;
    try {
      while (this.fileBytes < end) {
        const length = Math.min(ZEROS.length, end - this.fileBytes);
        writeFully(this.files, this.active.file, ZEROS, 0, length, this.fileBytes);
        this.fileBytes += length;
      }
    } catch {
      // What was written of the last piece is zeros too, and cut off with the rest.
    }
  }
}

const ZEROS = Buffer.alloc(64 * 1024);
const SEAL_BYTES = Buffer.from([SEAL]);

function activate(segment: Segment, file: FileHandle): ActiveFile {
  const crcSeed = crcSeedOf(segment.header.storeId, segment.header.number);
  return { segment, file, crcSeed, syncsUnderWay: 0, retired: false };
}

function makeSegment(files: LogFiles, directory: string, header: SegmentHeader): NewSegment {
  return writing(directory, `segment ${header.number} cannot be made`, () =>
    createSegment(files, directory, header),
  );
}

function cutTo(files: LogFiles, file: FileHandle, position: number): void {
  const fileBytes = files.size(file);
  if (fileBytes < position)
    throw new Error(`it has ${fileBytes} bytes, but its last group ends at ${position}`);
  if (fileBytes > position) files.truncate(file, position);
}

/** Runs `action`; whatever it throws, but a LogSyncError, becomes a LogWriteError that names the file. */
function writing<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof LogSyncError) throw error;
    throw new LogWriteError(`${what}: ${messageOf(error)}`, path, undefined, { cause: error });
  }
}
