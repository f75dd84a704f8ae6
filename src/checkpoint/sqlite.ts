import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { StartupError } from '../base/errors.js';

export type Connection = BetterSqlite3.Database;
export type Statement = BetterSqlite3.Statement<unknown[]>;

/** better-sqlite3 from version 13 calls functions that Node-API has from version 10 (Node 22.14, 23.6). */
const NODE_API_OF_VERSION_13 = 10;

const require = createRequire(import.meta.url);

/**
 * Opens a SQLite file.
 *
 * @param busyTimeoutMs how long one statement may block its thread while another connection holds a lock.
 * @throws StartupError where the installed better-sqlite3 cannot run on this Node.
 */
export function openDatabase(path: string, busyTimeoutMs: number, fileMustExist: boolean): Connection {
  const Database = library();
  return new Database(path, { timeout: busyTimeoutMs, fileMustExist });
}

/** Opens an existing SQLite file such that nothing can be written to it. */
export function openReadOnly(path: string): Connection {
  const Database = library();
  return new Database(path, { readonly: true, fileMustExist: true });
}

/** SQLite's name for what went wrong (`SQLITE_BUSY`, `SQLITE_CORRUPT_INDEX`, ...); undefined for other errors. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const code = error.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

/**
 * @returns why this better-sqlite3 cannot be used, or undefined when it can.
 * Loading it regardless would end the process with a segmentation fault, and no message.
 */
export function incompatibility(libraryVersion: string, nodeApiVersion: number): string | undefined {
  const major = Number.parseInt(libraryVersion, 10);
  if (major < 13 || nodeApiVersion >= NODE_API_OF_VERSION_13) return undefined;
  return (
    `better-sqlite3 ${libraryVersion} needs Node-API ${NODE_API_OF_VERSION_13}, and Node ${process.versions.node} ` +
    `has ${nodeApiVersion}. Install better-sqlite3 12 (npm install better-sqlite3@^12.11.1) or use Node 22.14 or newer.`
  );
}

let loaded: typeof BetterSqlite3 | undefined;

function library(): typeof BetterSqlite3 {
  loaded ??= load();
  return loaded;
}

function load(): typeof BetterSqlite3 {
  const { version } = require('better-sqlite3/package.json') as { version: string };
  const problem = incompatibility(version, Number(process.versions.napi));
  if (problem !== undefined) throw new StartupError(problem);
  return require('better-sqlite3') as typeof BetterSqlite3;
}
