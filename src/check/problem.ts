import { OtherVersionError, StorageError } from '../base/errors.js';
import { SnapshotDamage } from '../checkpoint/snapshot-file.js';
import { sqliteCode } from '../checkpoint/sqlite.js';
import { errorCode } from '../log/errors.js';

/** Why a file is not what a server would start on. */
export interface Problem {
  /**
   * - `torn`: the end of the active segment was cut short by a crash; a server cuts it off by itself;
   * - `version`: written by another version of this program, or by one that knows more: nothing is wrong with
   *   it, and nothing may be repaired;
   * - `damage`: everything else. A server refuses to start.
   */
  readonly kind: 'torn' | 'version' | 'damage';
  /** Absolute path. */
  readonly file: string;
  /** In bytes, where one is known. */
  readonly offset: number | undefined;
  readonly reason: string;
}

/** SQLite's names for what an operating system or another process did. */
const NOT_READ = /^SQLITE_(IOERR|CANTOPEN|FULL|NOMEM|BUSY|LOCKED|PERM|READONLY)/;

/**
 * @throws the error itself when it says nothing about what is in the file: a file that could not be read today is
 *   not damaged, and must not be repaired.
 */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof StorageError)) throw error;
  const code = sqliteCode(error.cause);
  const notRead = code === undefined ? errorCode(error.cause) !== undefined : NOT_READ.test(code);
  if (notRead) throw error;
  return {
    kind: error instanceof OtherVersionError ? 'version' : 'damage',
    file: error.file,
    offset: error.offset,
    reason: error instanceof SnapshotDamage ? error.what : error.reason,
  };
}
