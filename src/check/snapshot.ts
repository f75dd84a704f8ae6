import { existsSync, statSync } from 'node:fs';
import { readSnapshot } from '../checkpoint/loader.js';
import { openUnchanged } from '../checkpoint/read-only.js';
import { asStorageError, checkStructure, readMeta, type SnapshotMeta } from '../checkpoint/snapshot-file.js';
import type { Connection } from '../checkpoint/sqlite.js';
import { contentCounter } from './counting.js';
import { type Problem, problemOf } from './problem.js';

/** Called now and then with how much of the file at hand has been read, in whatever unit. */
export type Progress = (done: number, total: number) => void;

export interface SnapshotCheck {
  /** Absolute path. */
  readonly path: string;
  /** The file and what SQLite has not yet moved into it from its `-wal`. */
  readonly bytes: number;
  readonly walBytes: number;
  /** Undefined where the damage is such that it cannot be told. */
  readonly meta: SnapshotMeta | undefined;
  /** Undefined where not every row could be read. */
  readonly content: SnapshotContent | undefined;
  readonly problem: Problem | undefined;
}

export interface SnapshotContent {
  readonly strings: number;
  readonly hashes: number;
  readonly hashFields: number;
  /** Among the keys and fields above, those whose time has passed. */
  readonly expiredKeys: number;
  readonly expiredFields: number;
}

/**
 * Reads all of a snapshot as a start does, structure and the checksum of every row, and changes nothing.
 *
 * @param path of a snapshot that no process is writing to.
 * @param nowMs Unix ms.
 */
export async function checkSnapshot(
  path: string,
  nowMs: number,
  onProgress: Progress,
): Promise<SnapshotCheck> {
  const files = { path, bytes: statSync(path).size, walBytes: sizeIfAny(`${path}-wal`) };
  let database: Connection | undefined;
  // Kept apart from the rest: what the snapshot says of itself is worth having also where a row is damaged.
  let meta: SnapshotMeta | undefined;
  try {
    database = openUnchanged(path);
    meta = readMeta(database, path);
    checkStructure(database, path);
    const { sink, counts } = contentCounter(nowMs);
    const { keys, hashFields } = await readSnapshot(database, path, sink, { onProgress });
    const content = { ...counts, hashes: keys - counts.strings, hashFields };
    return { ...files, meta, content, problem: undefined };
  } catch (error) {
    return { ...files, meta, content: undefined, problem: problemOf(asStorageError(error, path)) };
  } finally {
    database?.close();
  }
}

function sizeIfAny(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
