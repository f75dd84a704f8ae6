/**
 * Three kinds of failure, three treatments:
 *
 * - a client's mistake is a `CommandError`: a reply from the table below, and nothing has changed;
 * - what a disk or a file does to us is a `StorageError`: it names file and offset and stops the start or
 *   the write;
 * - a broken invariant is an `AssertionFailure` (base/assert.ts).
 */

/** A reply that begins with `-`. Thrown by a handler before it has changed anything. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/** The error replies that more than one family uses, with Redis's texts byte for byte. */
export const errors = {
  syntax: 'ERR syntax error',
  notInteger: 'ERR value is not an integer or out of range',
  notFloat: 'ERR value is not a valid float',
  outOfRange: 'ERR value is out of range',
  outOfRangePositive: 'ERR value is out of range, must be positive',
  wrongType: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  noSuchKey: 'ERR no such key',
  noAuth: 'NOAUTH Authentication required.',
  invalidCursor: 'ERR invalid cursor',
  overflow: 'ERR increment or decrement would overflow',
  dbIndex: 'ERR DB index is out of range',
  offsetRange: 'ERR offset is out of range',
  outOfMemory: "OOM command not allowed when used memory > 'maxmemory'.",
  arity: (name: string) => `ERR wrong number of arguments for '${name}' command`,
  invalidExpire: (name: string) => `ERR invalid expire time in '${name}' command`,
  unknownSubcommand: (name: string, command: string) =>
    `ERR unknown subcommand '${name}'. Try ${command.toUpperCase()} HELP.`,
} as const;

/** A file that does not hold what it must, or a disk that refuses. */
export class StorageError extends Error {
  override name = 'StorageError';
  /** Absolute path of the file concerned. */
  readonly file: string;
  /** Byte offset in the file, where one is known. */
  readonly offset: number | undefined;
  /** The message without file and offset. */
  readonly reason: string;

  constructor(reason: string, file: string, offset?: number, options?: { cause?: unknown }) {
    super(offset === undefined ? `${file}: ${reason}` : `${file} at byte ${offset}: ${reason}`, options);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** A file that another version of this program wrote: nothing in it is wrong, and nothing may be repaired. */
export class OtherVersionError extends StorageError {
  override name = 'OtherVersionError';
}

/** The server cannot start as it was told to: a message for a person and exit code 1, never a stack trace. */
export class StartupError extends Error {
  override name = 'StartupError';
}
