import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { assert } from '../base/assert.js';
import { OtherVersionError, StorageError } from '../base/errors.js';
import { holdfastVersion } from '../base/version.js';
import { metaChecksum } from './checksum.js';
import { type Connection, openDatabase, sqliteCode } from './sqlite.js';

/** Name of the snapshot inside the data directory. */
export const SNAPSHOT_FILE = 'snapshot.sqlite';

/** "Hfst" in ASCII, and the layout of schema.sql: the same numbers as there. */
const APPLICATION_ID = 0x48667374;
export const SCHEMA_VERSION = 1;

const OWNER_ONLY = 0o600;
/** SQLite's own cache of pages, in KiB: the inner pages of some 20 million keys, and those being changed. */
const CACHE_KIBIBYTES = 64 * 1024;
/** In SQLite's words FULL: a commit returns when it is on the disk. */
const SYNCHRONOUS_FULL = 2;

/** What the snapshot says of itself. */
export interface SnapshotMeta {
  /** 16 bytes. */
  readonly storeId: Buffer;
  /** Sequence number of the last commit group that the rows contain; 0 for none. */
  readonly lastSeq: number;
  /** Number of the log segment with that group; 0 for none. */
  readonly lastSegment: number;
  /** Unix ms of that group. */
  readonly coversUntilMs: number;
  /** Unix ms. */
  readonly createdAtMs: number;
  /** The version of this program that wrote last. */
  readonly holdfastVersion: string;
}

/**
 * Makes an empty snapshot, mode 0600. It appears under its name only when it is complete and durable, so that
 * a file of that name which is not a snapshot is always damage and never a start that was cut short.
 *
 * @param path must not exist.
 * @param storeId 16 random bytes, the same as in the log of this store.
 */
export function createSnapshot(path: string, storeId: Buffer, createdAtMs: number): void {
  const unfinished = `${path}.new`;
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true });
  // SQLite gives its -wal and -shm files the mode of the file itself.
  closeSync(openSync(unfinished, 'wx', OWNER_ONLY));
  const database = openDatabase(unfinished, 0, true);
  try {
    // One fsync at the end does for all of it: nobody relies on the file before it has its name.
    database.pragma('synchronous = OFF');
    database.exec(schemaText());
    database
      .prepare('INSERT INTO meta VALUES (1, ?, 0, 0, ?, ?, 1, ?, ?)')
      .run(storeId, createdAtMs, createdAtMs, holdfastVersion, metaChecksum(storeId, 0, 0, createdAtMs, 1));
    database.pragma('journal_mode = WAL');
  } finally {
    database.close();
  }
  fsyncPath(unfinished);
  renameSync(unfinished, path);
  fsyncPath(dirname(path));
}

/**
 * Brings what the -wal holds into the snapshot's own file and syncs it.
 *
 * For a start that is about to rely on the snapshot alone: after a failed fsync of the -wal and a restart, its pages
 * may be in the system's memory only, and no later fsync of that file says otherwise.
 *
 * @returns false when another program still reads an older state, for which part of it has to stay in the -wal.
 * @throws StorageError when it cannot be written.
 */
export function completeSnapshot(path: string): boolean {
  const database = openSnapshot(path, 0);
  try {
    const [row] = database.pragma('wal_checkpoint(PASSIVE)') as WalCheckpoint[];
    return row !== undefined && row.busy === 0 && row.log === row.checkpointed;
  } catch (error) {
    throw asStorageError(error, path);
  } finally {
    database.close();
  }
}

/** What SQLite answers to `wal_checkpoint`: frames in the -wal, and those of them that are in the file now. */
interface WalCheckpoint {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/**
 * Opens an existing snapshot for reading and writing (reading alone may need SQLite to recover its WAL) and
 * checks that it is one that this program knows.
 *
 * @param busyTimeoutMs how long a statement may block its thread while another program holds a lock.
 * @throws StorageError when it is not a snapshot, or was written by a newer version, or cannot be read.
 */
export function openSnapshot(path: string, busyTimeoutMs: number): Connection {
  // By name and not by opening it: closing any descriptor of the file would drop SQLite's locks on it.
  chmodSync(path, OWNER_ONLY);
  const database = openDatabase(path, busyTimeoutMs, true);
  try {
    checkIdentity(database, path);
    configure(database);
    return database;
  } catch (error) {
    database.close();
    throw asStorageError(error, path);
  }
}

/** @throws StorageError when the row is missing or holds what it cannot. */
export function readMeta(database: Connection, path: string): SnapshotMeta {
  const row = database
    .prepare(
      `SELECT store_id AS storeId, last_seq AS lastSeq, last_segment AS lastSegment,
         covers_until_ms AS coversUntilMs, created_at_ms AS createdAtMs, holdfast_version AS holdfastVersion,
         next_content AS nextContent, checksum
       FROM meta WHERE id = 1`,
    )
    .get() as (SnapshotMeta & { nextContent: number; checksum: number }) | undefined;
  if (row === undefined) throw new SnapshotDamage('its meta table is empty', path);
  const { nextContent, checksum, ...meta } = row;
  if (
    metaChecksum(meta.storeId, meta.lastSeq, meta.lastSegment, meta.coversUntilMs, nextContent) !== checksum
  ) {
    throw new SnapshotDamage('the checksum of its meta row does not match', path);
  }
  return meta;
}

/**
 * What SQLite itself can find wrong with the structure of the file: pages that are lost or used twice, keys
 * out of order, values that their column does not allow. 1 million small keys: 0.12 to 0.2 s.
 *
 * @throws StorageError when it finds something.
 */
export function checkStructure(database: Connection, path: string): void {
  let report: unknown;
  try {
    report = database.pragma('quick_check(1)', { simple: true });
  } catch (error) {
    throw asStorageError(error, path);
  }
  if (report !== 'ok') throw new SnapshotDamage(`SQLite reports: ${String(report)}`, path);
}

/** The snapshot does not hold what it must. The message is for a person who finds the start refused. */
export class SnapshotDamage extends StorageError {
  override name = 'SnapshotDamage';

  /** @param what is wrong, in a few words. */
  constructor(
    readonly what: string,
    path: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the snapshot is damaged (${what}). Nothing was changed. Restore the data directory from a backup, or ` +
        'move it away to start without data',
      path,
      undefined,
      options,
    );
  }
}

/** SQLite's complaint about a file it cannot read, as ours; any other error as it is. */
export function asStorageError(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new SnapshotDamage(`${code}: ${error.message}`, path, { cause: error });
  }
  return new StorageError(`${code}: ${error.message}`, path, undefined, { cause: error });
}

/** @throws StorageError when it is not a snapshot that this version of the program knows. */
export function checkIdentity(database: Connection, path: string): void {
  const applicationId = database.pragma('application_id', { simple: true });
  if (applicationId !== APPLICATION_ID) {
    throw new SnapshotDamage(`application id ${String(applicationId)}, not ${APPLICATION_ID}`, path);
  }
  const version = database.pragma('user_version', { simple: true });
  if (version !== SCHEMA_VERSION) {
    throw new OtherVersionError(
      `the snapshot has layout version ${String(version)}, and this program (${holdfastVersion}) knows ` +
        `version ${SCHEMA_VERSION} only. Start it with the version that wrote it`,
      path,
    );
  }
  // Pages of rows are joined as text when they are loaded, which is exact only where nothing is converted.
  const encoding = database.pragma('encoding', { simple: true });
  if (encoding !== 'UTF-8') throw new SnapshotDamage(`encoding ${String(encoding)}`, path);
}

function configure(database: Connection): void {
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
  // better-sqlite3 is compiled with NORMAL for WAL, which may lose a commit with the power: the log of what
  // it contains would be deleted by then.
  assert(
    database.pragma('synchronous', { simple: true }) === SYNCHRONOUS_FULL,
    'SQLite is not synchronous=FULL',
  );
}

function schemaText(): string {
  return readFileSync(new URL('./schema.sql', import.meta.url), 'utf8');
}

/** A file that no connection has open, or a directory. */
function fsyncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
