import RedisParser from 'redis-parser';
import { parseInt64 } from '../base/bytes.js';
import { type Reply, ReplyError, ReplyProtocolError } from './reply.js';
import { type AttributeHandler, Resp3Reader } from './resp3-reader.js';

export { PushMessage, type Reply, ReplyError, ReplyProtocolError, VerbatimString } from './reply.js';

export interface ReplyReaderOptions {
  /** Called for every reply, in order, while `feed` runs. It must not call `feed` itself. */
  onReply(reply: Reply): void;
  /** RESP3: attributes that came before a reply. They are dropped when nobody asks for them. */
  onAttributes?: AttributeHandler;
  /** 2, the default: redis-parser reads. 3: our own reader, which understands both protocols. */
  protocol?: 2 | 3;
  /** Strings as Buffers that share no memory with what was fed. Default: text. */
  buffers?: boolean;
}

/**
 * The one reader of replies, for the tools and the tests. RESP2 is read by redis-parser, RESP3 (which
 * redis-parser does not know) by `Resp3Reader`.
 *
 * redis-parser trusts whoever it listens to: it allocates what an array header announces, recurses into nested
 * arrays, and after an error would take the rest of the stream for a new one. So this class is for
 * servers that one has chosen to talk to, turns whatever the parser throws into one kind of error, and reads
 * nothing more after it. What redis-parser returns may share memory with the network chunk or with its own
 * pool, and its long integers are rounded; both are put right here.
 */
export class ReplyReader {
  private readonly parser: { execute(chunk: Buffer): void };
  private failure: ReplyProtocolError | null = null;

  constructor(options: ReplyReaderOptions) {
    this.parser = options.protocol === 3 ? new Resp3Reader(options) : this.resp2Parser(options);
  }

  /**
   * Reads a chunk as it came from the socket. It may be kept until the reply that it begins is whole, so it
   * must not be written to again.
   *
   * @throws ReplyProtocolError when it is no RESP, and for every chunk after that.
   */
  feed(chunk: Buffer): void {
    if (this.failure) throw this.failure;
    try {
      this.parser.execute(chunk);
    } catch (error) {
      // RangeError: an announced length that cannot be allocated, or nesting deeper than the stack.
      if (error instanceof RangeError) this.fail(error.message);
      else if (error instanceof ReplyProtocolError) this.failure = error;
      else throw error;
    }
    if (this.failure) throw this.failure;
  }

  private resp2Parser(options: ReplyReaderOptions): RedisParser {
    const buffers = options.buffers === true;
    return new RedisParser({
      returnBuffers: true,
      stringNumbers: true,
      returnReply: (reply: Resp2Reply) => options.onReply(fromResp2(reply, buffers)),
      returnError: (error) => options.onReply(new ReplyError(error.message)),
      // Its message quotes what was received, which may be somebody's data: name the place only.
      returnFatalError: () => this.fail('not a RESP2 reply'),
    });
  }

  private fail(message: string): void {
    this.failure = new ReplyProtocolError(message);
  }
}

/** What redis-parser returns with Buffers for strings and strings for integers: no two kinds look alike. */
type Resp2Reply = null | string | Buffer | Error | Resp2Reply[];

function fromResp2(reply: Resp2Reply, buffers: boolean): Reply {
  if (reply === null) return null;
  if (typeof reply === 'string') return integerFrom(reply);
  if (Buffer.isBuffer(reply)) return buffers ? Buffer.from(reply) : reply.toString('utf8');
  if (reply instanceof Error) return new ReplyError(reply.message);
  return reply.map((item) => fromResp2(item, buffers));
}

function integerFrom(digits: string): number | bigint {
  const bytes = Buffer.from(digits, 'latin1');
  const value = parseInt64(bytes, 0, bytes.length);
  if (value === undefined) throw new ReplyProtocolError(`not an integer: ${digits.slice(0, 32)}`);
  return value;
}
