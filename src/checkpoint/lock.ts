import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { StartupError } from '../base/errors.js';
import { type Connection, openDatabase, sqliteCode } from './sqlite.js';

export const LOCK_FILE = 'lock.db';

/** A process that is just ending gets this long to let go; the second one still refuses within 2 s. */
const PATIENCE_MS = 1000;
const OWNER_ONLY = 0o600;

/** A connection that nobody refers to is closed by the garbage collector, and its lock with it. */
const held = new Set<Connection>();

export interface DirectoryLock {
  /** May be called more than once. */
  release(): void;
}

/**
 * Makes this process the only user of a data directory, until `release` or its end, whichever way it ends.
 *
 * Node has no flock, so SQLite takes the lock: an exclusive transaction on a file of its own, held for life.
 * The kernel lets go of it when the process dies, kill -9 included, and knows the directory by any name. From
 * then on nothing may open that file with node:fs: POSIX drops a process's locks on a file as soon as it
 * closes any descriptor of it.
 *
 * @param directory must exist and be writable.
 * @throws StartupError when another process, or another store in this one, has it.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  createIfMissing(path);
  const database = lockFile(path, directory);
  held.add(database);
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}

function lockFile(path: string, directory: string): Connection {
  let database: Connection | undefined;
  try {
    database = openDatabase(path, PATIENCE_MS, true);
    database.pragma('locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, path, directory);
  }
}

function explain(error: unknown, path: string, directory: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if (code.startsWith('SQLITE_BUSY')) {
    return new StartupError(`the directory ${directory} is in use by another running server`);
  }
  // A file of another owner (SQLITE_CANTOPEN, SQLITE_READONLY), or a disk that fails.
  return new StartupError(
    `dir ${directory} cannot be used: ${path} cannot be locked (${code}: ${error.message}). Check its owner and ` +
      'its permissions, or name another directory with --dir',
  );
}

/** Before SQLite has it open, for its mode. Where it exists, the exclusive creation fails without opening it. */
function createIfMissing(path: string): void {
  try {
    closeSync(openSync(path, 'wx', OWNER_ONLY));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
