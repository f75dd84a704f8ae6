/** Replies as values, as the reply readers of this folder return them. */

/** An error reply: a value like any other, since in an EXEC it stands among the replies that succeeded. */
export class ReplyError extends Error {
  override name = 'ReplyError';

  /** The first word, by which programs tell errors apart (`ERR`, `WRONGTYPE`). */
  get code(): string {
    return this.message.split(' ', 1)[0]!;
  }
}

/** RESP3: text with a three-letter format. */
export class VerbatimString {
  constructor(
    readonly format: string,
    readonly text: string | Buffer,
  ) {}
}

/** RESP3: what the server says unasked; never the reply to a command. */
export class PushMessage {
  constructor(readonly items: readonly Reply[]) {}
}

/**
 * One reply. Integers beyond 2^53 and RESP3's big numbers are bigints. Strings, simple ones too, are Buffers
 * or text as the reader was told.
 */
export type Reply =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | ReplyError
  | VerbatimString
  | PushMessage
  | readonly Reply[]
  | ReadonlyMap<Reply, Reply>
  | ReadonlySet<Reply>;

/** What arrived is no RESP. The connection has to be given up: where the next reply begins is unknown. */
export class ReplyProtocolError extends Error {
  override name = 'ReplyProtocolError';
}
