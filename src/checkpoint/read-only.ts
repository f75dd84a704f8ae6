import { constants, copyFileSync, existsSync, linkSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { asStorageError, checkIdentity } from './snapshot-file.js';
import { type Connection, openReadOnly } from './sqlite.js';

const FOLDER_PREFIX = '.holdfast-check-';

/**
 * Opens a snapshot such that neither it nor any other file beside it changes, and none appears.
 *
 * SQLite, even when it only reads, makes a `-shm` file and perhaps a `-wal` beside the database, and whoever
 * closes a database last writes its `-wal` into it. So it is given the same file under another name, a hard
 * link in a folder of its own, with a copy of the `-wal` beside it. The folder is removed again before the
 * first row is read: what SQLite has open stays readable, and nothing is left behind however the process ends.
 *
 * @param path of a snapshot that no process is writing to.
 * @throws StorageError when it is not a snapshot, or was written by another version, or cannot be read.
 */
export function openUnchanged(path: string): Connection {
  const folder = makeView(path);
  let database: Connection | undefined;
  try {
    database = openReadOnly(join(folder, basename(path)));
    checkIdentity(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw asStorageError(error, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns a new folder (mode 0700) with the snapshot under its own name. */
function makeView(path: string): string {
  return linkedView(path) ?? copiedView(path);
}

/** Undefined where the file's folder takes no new entries, or the file no second name. */
function linkedView(path: string): string | undefined {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(dirname(path), FOLDER_PREFIX));
    linkSync(path, join(folder, basename(path)));
    copyWal(path, folder);
    return folder;
  } catch {
    // A folder that may not be written to, a file system without links: a copy elsewhere does too.
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

function copiedView(path: string): string {
  const folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX));
  try {
    copyFileSync(path, join(folder, basename(path)), constants.COPYFILE_FICLONE);
    copyWal(path, folder);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function copyWal(path: string, folder: string): void {
  const wal = `${path}-wal`;
  if (existsSync(wal)) copyFileSync(wal, join(folder, basename(wal)), constants.COPYFILE_FICLONE);
}
