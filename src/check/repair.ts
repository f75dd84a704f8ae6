import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../base/errors.js';
import { SNAPSHOT_FILE } from '../checkpoint/snapshot-file.js';
import { messageOf } from '../log/errors.js';
import type { LogFiles } from '../log/files.js';
import { keptPath, repairTornTail } from '../log/repair.js';
import type { LogSegment } from './log.js';
import type { StoreCheck } from './store.js';

const OWNER_ONLY = 0o600;

/** What makes a server start with everything that precedes the damage. Nothing is deleted. */
export interface Repair {
  /** False for a torn tail, which a server cuts off without asking too. */
  readonly needsConsent: boolean;
  /** Files to be renamed, in this order: should it be interrupted, the next start refuses or has the same. */
  readonly setAside: readonly string[];
  /** The segment that the log then ends with, where something follows its last group. It is copied before it is cut. */
  readonly cut: Cut | undefined;
  /** True when the snapshot is set aside, and the next start makes it again from the log. */
  readonly rebuildsSnapshot: boolean;
  readonly kept: Kept;
  readonly lost: Lost;
}

/** Offset and length in bytes of what is cut off a segment, up to its end. */
export interface Cut {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface Kept {
  /** The last group, in the snapshot or in the log. */
  readonly seq: number;
  /** When that was written, Unix ms. */
  readonly atMs: number | undefined;
  /** Of the log. */
  readonly groups: number;
  readonly bytes: number;
}

export interface Lost {
  /** The last group known to have been there; undefined where nothing is known to be lost. */
  readonly untilSeq: number | undefined;
  /** When that was written, Unix ms, where it is known. */
  readonly untilMs: number | undefined;
}

/** @returns the repair, or a sentence that says why there is none, and what can be done instead. */
export function planRepair(check: StoreCheck): Repair | string {
  const obstacle = otherVersion(check) ?? mixedStores(check) ?? noSnapshot(check) ?? nothingLeft(check);
  if (obstacle !== undefined) return obstacle;
  const { segments, strays, breakIndex, keptSeq, keptAtMs } = check.log;
  const broken = segments[breakIndex];
  const cut = broken?.usable === 'beginning' ? broken : undefined;
  const rest = segments.slice(cut ? breakIndex + 1 : breakIndex);
  const kept = segments.slice(0, breakIndex).filter(({ role }) => role !== 'covered');
  if (cut) kept.push(cut);
  const snapshotFiles = unusableSnapshot(check);
  return {
    needsConsent: check.problems.some(({ kind }) => kind !== 'torn'),
    setAside: [...[...strays, ...rest].map(({ path }) => path).reverse(), ...snapshotFiles],
    cut: cut ? cutAt(cut, cut.okUpTo) : sealOf(kept.at(-1)),
    rebuildsSnapshot: snapshotFiles.length > 0,
    kept: {
      seq: keptSeq,
      atMs: keptAtMs ?? check.snapshot?.meta?.coversUntilMs,
      groups: kept.reduce((total, { groups }) => total + groups, 0),
      bytes: kept.reduce((total, { okUpTo }) => total + okUpTo, 0),
    },
    lost: lostBy(check, broken ? [broken, ...rest] : rest),
  };
}

/**
 * Carries a repair out.
 *
 * @param atMs Unix ms, for the names of what is set aside.
 * @returns the paths of what was set aside or copied, mode 0600.
 * @throws StorageError when something cannot be renamed, copied or cut; what follows is then left alone.
 */
export function runRepair(files: LogFiles, directory: string, repair: Repair, atMs: number): string[] {
  const aside = repair.setAside.map((path) => {
    const target = setAside(files, path, atMs);
    files.syncDirectory(directory);
    return target;
  });
  if (repair.cut) aside.push(repairTornTail(files, repair.cut.path, repair.cut.offset, atMs));
  return aside;
}

function setAside(files: LogFiles, path: string, atMs: number): string {
  try {
    const target = keptPath(files, path, 'aside', atMs);
    chmodSync(path, OWNER_ONLY);
    files.rename(path, target);
    return target;
  } catch (error) {
    throw new StorageError(`cannot be set aside: ${messageOf(error)}`, path, undefined, { cause: error });
  }
}

function cutAt({ path, bytes }: LogSegment, offset: number): Cut {
  return { path, offset, bytes: bytes - offset };
}

/** A start refuses a log whose last segment is sealed, so the seal goes where the segments behind it do. */
function sealOf(last: LogSegment | undefined): Cut | undefined {
  return last?.ending?.kind === 'sealed' ? cutAt(last, last.ending.offset) : undefined;
}

function otherVersion({ problems }: StoreCheck): string | undefined {
  if (!problems.some(({ kind }) => kind === 'version')) return undefined;
  return 'What another version of the program wrote is not repaired. Use the version that wrote it, or a newer one.';
}

/** Which of several stores is the right one, no checksum tells. */
function mixedStores({ log, snapshot }: StoreCheck): string | undefined {
  const advice = 'Move away what does not belong here, and check again.';
  const ids = log.segments.flatMap(({ header }) => header?.storeId ?? []);
  const own = snapshot?.meta?.storeId;
  if (own === undefined) {
    const same = ids.every((id) => id.equals(ids[0]!));
    return same ? undefined : `The segments belong to different stores. ${advice}`;
  }
  if (ids.length === 0 || ids.some((id) => id.equals(own))) return undefined;
  return `Snapshot and log belong to different stores. ${advice}`;
}

/** Without a snapshot the log must be complete. */
function noSnapshot({ snapshot, logFromStart }: StoreCheck): string | undefined {
  if ((snapshot !== undefined && snapshot.problem === undefined) || logFromStart) return undefined;
  const restore = 'Restore the directory from a backup.';
  if (snapshot === undefined)
    return `Without the snapshot, there is no beginning to what the log has. ${restore}`;
  return (
    `The log does not begin with the first group, so the snapshot cannot be made again from it. ${restore} If there ` +
    'is none, set this directory aside and read from the snapshot what sqlite3 still can: its views are called ' +
    'keys, strings and hashes. The rows alone are no state that ever was: the log after them does not fit to fewer.'
  );
}

function nothingLeft({ problems, log }: StoreCheck): string | undefined {
  const torn = problems.every(({ kind }) => kind === 'torn');
  if (torn || log.keptSeq > 0) return undefined;
  return 'Nothing precedes the damage, so there is nothing to be kept. Restore the directory from a backup.';
}

/** The -wal first: SQLite would take one that is left beside a new snapshot for that one's own. */
function unusableSnapshot({ directory, snapshot }: StoreCheck): string[] {
  if (snapshot !== undefined && snapshot.problem === undefined) return [];
  const path = join(directory, SNAPSHOT_FILE);
  return [`${path}-wal`, `${path}-shm`, path].filter((file) => existsSync(file));
}

function lostBy({ snapshot, log }: StoreCheck, segments: readonly LogSegment[]): Lost {
  const storeId = snapshot?.meta?.storeId ?? log.segments.find(({ header }) => header)?.header?.storeId;
  const known = segments
    .filter(({ header }) => storeId !== undefined && header?.storeId.equals(storeId))
    .flatMap(groupsKnownFrom);
  if (snapshot?.meta) known.push({ seq: snapshot.meta.lastSeq, atMs: snapshot.meta.coversUntilMs });
  const last = known.filter(({ seq }) => seq > log.keptSeq).sort((a, b) => b.seq - a.seq)[0];
  return { untilSeq: last?.seq, untilMs: last?.atMs };
}

/** Groups that a segment shows to have been there. */
function groupsKnownFrom({ header, last, ending }: LogSegment): { seq: number; atMs: number | undefined }[] {
  const behind = ending?.kind === 'corrupt' && ending.nextGroup ? [ending.nextGroup] : [];
  return [...behind, ...(last ? [last] : []), { seq: header?.previousSeq ?? 0, atMs: header?.createdAtMs }];
}
