import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from './base/clock.js';
import { StartupError, StorageError } from './base/errors.js';
import { loadSnapshot } from './checkpoint/loader.js';
import { type DirectoryLock, lockDirectory } from './checkpoint/lock.js';
import { completeSnapshot, createSnapshot, SNAPSHOT_FILE } from './checkpoint/snapshot-file.js';
import type { Keyspace } from './keyspace/keyspace.js';
import { applyRecords } from './log/decoder.js';
import type { LogFiles } from './log/files.js';
import { scanSegment } from './log/reader.js';
import { repairTornTail } from './log/repair.js';
import {
  deleteSegments,
  listNames,
  missingSuccessor,
  newStoreId,
  planReplay,
  type Segment,
  segmentFileBytes,
} from './log/segments.js';
import { LogWriter, type SealedSegment } from './log/writer.js';

export interface RecoveryOptions {
  /** Absolute path of the data directory. Created, mode 0700, when it is missing. */
  readonly directory: string;
  /** Empty; filled by the recovery. */
  readonly keyspace: Keyspace;
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  readonly onProgress?: (progress: RecoveryProgress) => void;
  /** Called when the snapshot has told its store, before its rows are read. Never for a new store. */
  readonly onSnapshot?: (path: string, storeId: Buffer) => void;
  /** LogWriter's option. */
  readonly preallocateBytes?: number;
}

export interface RecoveryProgress {
  readonly phase: 'snapshot' | 'log';
  /** Bytes; of the snapshot about so many. */
  readonly done: number;
  readonly total: number;
}

export interface Recovered {
  readonly lock: DirectoryLock;
  readonly writer: LogWriter;
  readonly snapshotPath: string;
  readonly storeId: Buffer;
  /** The last group that the snapshot contains. */
  readonly checkpointedSeq: number;
  /** The newest wall time on disk, Unix ms; 0 for a new store. */
  readonly lastAtMs: number;
  /** Groups and records replayed from the log. */
  readonly groups: number;
  readonly records: number;
  /** What was read, for a person. */
  readonly source: string;
}

/**
 * Brings the data directory back into memory, in this order:
 *
 * 1. take the directory's lock;
 * 2. load the snapshot; the position is its last_seq;
 * 3. replay the log's segments on top: skip what the snapshot has, demand every group after it;
 * 4. cut a torn tail off the last segment, keeping a copy; anything else that does not check out refuses the
 *    start;
 * 5. go on writing where the log ends.
 *
 * Nothing expires here: the caller drops what has expired when it may write to the log.
 *
 * @throws StartupError, StorageError when it cannot: then nothing has been changed.
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  prepareDirectory(options.directory);
  const lock = lockDirectory(options.directory);
  try {
    return await recoverLocked(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function recoverLocked(options: RecoveryOptions, lock: DirectoryLock): Promise<Recovered> {
  const { directory, keyspace, files, clock } = options;
  keyspace.expiring = 'off';
  // What is on disk has been acknowledged: no part of it is ever taken back.
  keyspace.undoing = false;
  const snapshotPath = join(directory, SNAPSHOT_FILE);
  const snapshot = await loadSnapshotIfAny(snapshotPath, options);
  const coveredSeq = snapshot?.lastSeq ?? 0;
  const plan = planReplay(files, directory, coveredSeq, snapshot ? { storeId: snapshot.storeId } : {});
  const storeId = snapshot?.storeId ?? plan.needed[0]?.header.storeId ?? newStoreId();
  if (!snapshot) refuseStrayFiles(options, plan.needed.length > 0);
  const replay = new Replay(options, coveredSeq);
  await replay.run(plan.needed);
  keyspace.undoing = true;
  const lastAtMs = Math.max(replay.lastAtMs, snapshot?.coversUntilMs ?? 0);
  if (snapshot && plan.needed.length === 0) noticeMissingLog(snapshot, options);
  // The log is whole: only now may anything on disk change.
  if (plan.obsolete.length > 0) removeObsolete(options, plan.obsolete, snapshotPath);
  const writer = resumeWriting(options, plan.needed, replay, {
    storeId,
    coveredSeq,
    lastSegment: snapshot?.lastSegment ?? 0,
  });
  // After the log, so that a snapshot without any log is never what a crash during the first start has left.
  if (!snapshot) createSnapshot(snapshotPath, storeId, clock.wallMs());
  return {
    lock,
    writer,
    snapshotPath,
    storeId,
    checkpointedSeq: coveredSeq,
    lastAtMs,
    groups: replay.groups,
    records: replay.records,
    source: describeSource(snapshot !== null, plan.needed.length),
  };
}

function prepareDirectory(directory: string): void {
  try {
    if (!existsSync(directory)) makeDirectory(directory);
    else if (!statSync(directory).isDirectory()) {
      throw new StartupError(`dir ${directory} is not a directory. Name one with --dir`);
    }
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(
      `dir ${directory} cannot be used: ${(error as Error).message}. Name another with --dir`,
    );
  }
}

/** With its parents. Not mkdir's own `recursive`: in a file system that has no directories to make it never ends. */
function makeDirectory(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeDirectory(parent);
  mkdirSync(path, { mode: 0o700 });
}

async function loadSnapshotIfAny(path: string, options: RecoveryOptions) {
  if (!existsSync(path)) return null;
  return loadSnapshot(path, options.keyspace, {
    onMeta: ({ storeId }) => options.onSnapshot?.(path, storeId),
    onProgress: (done, total) => options.onProgress?.({ phase: 'snapshot', done, total }),
  });
}

/** A directory without a snapshot is new, or its log is complete, unless something tells that one was there. */
function refuseStrayFiles({ directory, files }: RecoveryOptions, hasLog: boolean): void {
  const names = listNames(files, directory);
  // SQLite would take it for the new snapshot's.
  const wal = names.find((name) => name === `${SNAPSHOT_FILE}-wal`);
  const stray = wal ?? (hasLog ? undefined : names.find((name) => name.includes('.torn-')));
  if (stray === undefined) return;
  throw new StorageError(
    `this file belongs to a snapshot ${hasLog ? 'that is' : 'and a log that are'} gone. Nothing was changed. Restore ` +
      'the directory from a backup; `holdfast check --fix` can move the file away where the log is complete',
    join(directory, stray),
  );
}

/** A server always leaves a log beside its snapshot, if only an empty segment. */
function noticeMissingLog(snapshot: { readonly lastSeq: number }, { directory, log }: RecoveryOptions): void {
  if (snapshot.lastSeq === 0) {
    throw new StorageError(
      'the snapshot contains nothing yet, and the log that has everything is gone. Nothing was changed. Restore ' +
        'the log segments from a backup, or move the directory away to start without data',
      join(directory, SNAPSHOT_FILE),
    );
  }
  log(
    `There are no log segments beside ${SNAPSHOT_FILE}, which contains everything up to group ${snapshot.lastSeq}: ` +
      'what was written after that is gone if they were removed. Going on from the snapshot',
  );
}

/** Segments that the snapshot covers, which a kill has kept from being deleted. */
function removeObsolete(
  { files, log }: RecoveryOptions,
  segments: readonly Segment[],
  snapshotPath: string,
): void {
  if (!completeSnapshot(snapshotPath)) {
    log(
      `Another program reads an older state of ${SNAPSHOT_FILE}: log segments that are no longer needed are kept ` +
        'until the next start',
    );
    return;
  }
  deleteSegments(
    files,
    segments.map(({ path }) => path),
  );
}

interface Position {
  readonly storeId: Buffer;
  readonly coveredSeq: number;
  readonly lastSegment: number;
}

/** Opens the log for writing after what was replayed. */
function resumeWriting(
  options: RecoveryOptions,
  segments: readonly Segment[],
  replay: Replay,
  position: Position,
): LogWriter {
  const { files, directory, clock, preallocateBytes } = options;
  const active = segments.at(-1);
  if (active && replay.lastSeq >= position.coveredSeq) {
    return LogWriter.resume(
      files,
      active,
      { position: replay.endOffset, lastSeq: replay.lastSeq, durableSeq: replay.durableSeq },
      { sealed: replay.sealed, preallocateBytes },
    );
  }
  if (active) {
    options.log(
      `The log ends with group ${replay.lastSeq}, but the snapshot contains everything up to ${position.coveredSeq}: ` +
        'log segments were removed or are older than the snapshot. Going on from the snapshot',
    );
    const snapshotPath = join(directory, SNAPSHOT_FILE);
    if (!completeSnapshot(snapshotPath)) {
      throw new StorageError(
        'another program reads an older state of it: end that, and start again',
        snapshotPath,
      );
    }
  }
  const lastNumber = Math.max(active?.header.number ?? 0, position.lastSegment);
  // Sequence numbers never run backwards: what is written next follows the snapshot.
  const writer = LogWriter.create(
    files,
    directory,
    {
      storeId: position.storeId,
      number: lastNumber + 1,
      previousSeq: position.coveredSeq,
      createdAtMs: clock.wallMs(),
    },
    { preallocateBytes },
  );
  // Only now: a power cut may undo any of the deletions, and a sealed segment must not be the last one then.
  deleteSegments(
    files,
    segments.map(({ path }) => path),
  );
  return writer;
}

/**
 * Reads what is on disk into a second keyspace, changing nothing: for comparing it with memory. The log must
 * not be written to, nor segments be deleted, before `readBack` has resolved.
 */
export async function readBack(
  options: Pick<RecoveryOptions, 'directory' | 'keyspace' | 'files' | 'clock'>,
): Promise<void> {
  options.keyspace.expiring = 'off';
  options.keyspace.undoing = false;
  const quiet: RecoveryOptions = { ...options, log: () => {} };
  const snapshot = await loadSnapshotIfAny(join(options.directory, SNAPSHOT_FILE), quiet);
  const coveredSeq = snapshot?.lastSeq ?? 0;
  const plan = planReplay(options.files, options.directory, coveredSeq);
  await new Replay(quiet, coveredSeq).run(plan.needed);
}

/** Applies the groups of the log that the snapshot does not contain. */
class Replay {
  lastSeq: number;
  lastAtMs = 0;
  /** Where the last segment's last group ends. */
  endOffset = 0;
  /** The last group that the last segment proves to be on the disk. */
  durableSeq = 0;
  groups = 0;
  records = 0;
  readonly sealed: SealedSegment[] = [];
  private bytesDone = 0;
  private bytesTotal = 0;
  private readonly options: RecoveryOptions;
  private readonly coveredSeq: number;

  constructor(options: RecoveryOptions, coveredSeq: number) {
    this.options = options;
    this.coveredSeq = coveredSeq;
    this.lastSeq = coveredSeq;
  }

  async run(segments: readonly Segment[]): Promise<void> {
    this.bytesTotal = segments.reduce(
      (total, { path }) => total + segmentFileBytes(this.options.files, path),
      0,
    );
    for (let i = 0; i < segments.length; i++) {
      this.replaySegment(segments[i]!, segments[i + 1]);
      // A server that is loading answers -LOADING between segments.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private replaySegment(segment: Segment, next: Segment | undefined): void {
    const { files, keyspace } = this.options;
    const expectation = {
      fromSeq: this.coveredSeq + 1,
      ...(next ? { lastSeq: next.header.previousSeq } : {}),
    };
    const scan = scanSegment(files, segment.path, expectation, (_seq, _atMs, bytes, start, end) => {
      this.records += applyRecords(bytes, start, end, keyspace);
      this.groups++;
    });
    const { ending } = scan;
    if (ending.kind === 'corrupt') {
      throw new StorageError(
        `the log is damaged (${ending.reason}). Nothing was changed. \`holdfast check\` shows how much of it is ` +
          'sound; restore the directory from a backup, or let it salvage what precedes the damage',
        segment.path,
        ending.offset,
      );
    }
    if (ending.kind === 'sealed' && !next) {
      throw new StorageError(
        `${missingSuccessor(segment)}. Nothing was changed. Restore what is missing from a backup; \`holdfast check ` +
          '--fix` can let the log end here, without what was written after it',
        segment.path,
        ending.offset,
      );
    }
    if (ending.kind === 'torn') this.cutTornTail(segment, ending);
    if (next) this.sealed.push({ ...segment, lastSeq: scan.lastSeq, bytes: scan.endOffset });
    this.lastSeq = scan.lastSeq;
    this.lastAtMs = Math.max(this.lastAtMs, scan.lastAtMs);
    this.endOffset = scan.endOffset;
    this.durableSeq = scan.durableSeq;
    this.bytesDone += scan.fileBytes;
    this.options.onProgress?.({ phase: 'log', done: this.bytesDone, total: this.bytesTotal });
  }

  private cutTornTail(segment: Segment, ending: { offset: number; bytes: number; reason: string }): void {
    const { files, clock, log } = this.options;
    const copy = repairTornTail(files, segment.path, ending.offset, clock.wallMs());
    log(
      `Torn tail of ${segment.path}: ${ending.reason}; cut off ${ending.bytes} bytes at byte ${ending.offset}. ` +
        `They were never acknowledged as durable. The file as it was is kept as ${basename(copy)}`,
    );
  }
}

function describeSource(hasSnapshot: boolean, segments: number): string {
  const log = `${segments} log segment${segments === 1 ? '' : 's'}`;
  if (!hasSnapshot) return segments === 0 ? 'an empty directory' : log;
  return `${SNAPSHOT_FILE} and ${log}`;
}
