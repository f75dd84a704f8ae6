import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SNAPSHOT_FILE } from '../checkpoint/snapshot-file.js';
import type { LogFiles } from '../log/files.js';
import { listSegments, segmentNumberOf } from '../log/segments.js';
import { checkLog, type LogBase, type LogCheck } from './log.js';
import type { Problem } from './problem.js';
import { readSegmentFile } from './segment.js';
import { checkSnapshot, type Progress, type SnapshotCheck } from './snapshot.js';

/** A data directory, as a start would find it. */
export interface StoreCheck {
  /** Absolute path. */
  readonly directory: string;
  /** Undefined where there is none. */
  readonly snapshot: SnapshotCheck | undefined;
  readonly log: LogCheck;
  /** The log has every group from the first on: it can do without the snapshot. */
  readonly logFromStart: boolean;
  /** Everything that stops a start, or that a start would cut off; none for a sound directory. */
  readonly problems: readonly Problem[];
}

export interface StoreProgress {
  readonly phase: 'snapshot' | 'log';
  /** Rows of the snapshot, bytes of the log. */
  readonly done: number;
  readonly total: number;
}

/**
 * Finds out whether a server would start on a directory, with what, and if not, why. Nothing is changed, and
 * memory does not grow with the data.
 *
 * @param directory absolute; no process may be writing to it.
 * @param nowMs Unix ms, by which expired keys are counted.
 * @throws StorageError when a file of the log cannot be read at all.
 */
export async function checkStore(
  files: LogFiles,
  directory: string,
  nowMs: number,
  onProgress: (progress: StoreProgress) => void,
): Promise<StoreCheck> {
  const report =
    (phase: StoreProgress['phase']): Progress =>
    (done, total) =>
      onProgress({ phase, done, total });
  const path = join(directory, SNAPSHOT_FILE);
  const snapshot = existsSync(path) ? await checkSnapshot(path, nowMs, report('snapshot')) : undefined;
  const logFromStart = beginsAtStart(files, directory);
  const log = checkLog(files, directory, baseOf(snapshot, logFromStart), report('log'));
  const own =
    snapshot === undefined ? missing(files, directory, log) : (snapshot.problem ?? logGone(snapshot, log));
  return { directory, snapshot, log, logFromStart, problems: [...(own ? [own] : []), ...log.problems] };
}

function beginsAtStart(files: LogFiles, directory: string): boolean {
  const [first] = listSegments(files, directory);
  if (first === undefined || segmentNumberOf(basename(first)) !== 1) return false;
  return readSegmentFile(files, first).header?.previousSeq === 0;
}

/** A log that cannot stand in for a damaged snapshot is still judged by where that snapshot ends. */
function baseOf(snapshot: SnapshotCheck | undefined, logFromStart: boolean): LogBase {
  const replaced = snapshot?.problem !== undefined && logFromStart;
  return { lastSeq: replaced ? 0 : (snapshot?.meta?.lastSeq ?? 0), storeId: snapshot?.meta?.storeId };
}

/** A snapshot that is not there, which is sound only before the end of a store's very first start. */
function missing(files: LogFiles, directory: string, log: LogCheck): Problem | undefined {
  const stray = files.list(directory).find((name) => name === `${SNAPSHOT_FILE}-wal`);
  if (stray !== undefined) {
    const reason = `its ${SNAPSHOT_FILE} is missing`;
    return { kind: 'damage', file: join(directory, stray), offset: undefined, reason };
  }
  if (log.segments.length > 0) return undefined;
  const reason = 'holds neither a snapshot nor a log: there is nothing to check';
  return { kind: 'damage', file: directory, offset: undefined, reason };
}

/** A start refuses a snapshot without anything in it and without a log: a server always leaves one of them. */
function logGone({ path, meta }: SnapshotCheck, log: LogCheck): Problem | undefined {
  if (log.segments.length > 0 || meta?.lastSeq !== 0) return undefined;
  const reason = 'contains nothing yet, and the log that has everything is gone';
  return { kind: 'damage', file: path, offset: undefined, reason };
}
