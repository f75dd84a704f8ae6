import { StorageError } from '../base/errors.js';

/**
 * A group, or a new segment, could not be written. Nothing of it is in the log, and the writer takes the next
 * append: a full disk that gets room again needs no restart.
 */
export class LogWriteError extends StorageError {
  override name = 'LogWriteError';

  /** The operating system's name for what happened (`ENOSPC`, `EIO`, ...), where there is one. */
  get code(): string | undefined {
    return errorCode(this.cause);
  }
}

/**
 * An fdatasync (or the fsync of the directory that names a new segment) failed. The kernel may have dropped the pages it could not write and will report success the
 * next time, so the writer never again claims that anything is durable: every later call throws this too,
 * with the first failure as its cause.
 */
export class LogSyncError extends StorageError {
  override name = 'LogSyncError';

  get code(): string | undefined {
    return errorCode(this.cause);
  }
}

/** Bytes that are no record, inside a group whose checksum holds. */
export class RecordError extends Error {
  override name = 'RecordError';
  /** Where in the given bytes the record goes wrong. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** Runs `action`; what the operating system refuses becomes a StorageError that names the file. */
export function namingFile<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StorageError || errorCode(error) === undefined) throw error;
    throw new StorageError(`${what}: ${messageOf(error)}`, path, undefined, { cause: error });
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The operating system's name for an error, such as ENOSPC. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
