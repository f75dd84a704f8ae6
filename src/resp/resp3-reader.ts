import { INT64_MAX, INT64_MIN } from '../base/bytes.js';
import { PushMessage, type Reply, ReplyError, ReplyProtocolError, VerbatimString } from './reply.js';

export type AttributeHandler = (attributes: ReadonlyMap<Reply, Reply>) => void;

/** Aggregates inside one another; real replies have a handful. */
const MAX_DEPTH = 128;
/** Longest line: a type byte with a number, a simple string or an error. */
const MAX_LINE_BYTES = 64 * 1024;
/** Longest bulk string: what Redis itself can send. */
const MAX_BULK_BYTES = 512 * 1024 * 1024;

/** The length that stands for null in RESP2. */
const NULL = -1;

const LF = 0x0a;

/** An aggregate whose items are still coming. */
interface Open {
  readonly type: string;
  /** Items still to come; a map's keys and values count one each. */
  missing: number;
  readonly items: Reply[];
}

/** A type whose payload follows its length: `$` bulk string, `=` verbatim string, `!` bulk error. */
interface Awaited {
  readonly type: string;
  readonly length: number;
}

/**
 * A strict reader of RESP3, and so of RESP2. It keeps a stack of its own instead of recursing, goes on
 * where it stopped, and allocates nothing for an announced length. Streamed strings and aggregates (`$?`),
 * which no released Redis sends, are refused.
 */
export class Resp3Reader {
  private chunks: Buffer[] = [];
  private size = 0;
  /** Bytes without which nothing more can be read, so that a long string is joined once. */
  private needed = 1;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private awaited: Awaited | null = null;
  private readonly stack: Open[] = [];

  constructor(
    private readonly options: {
      onReply(reply: Reply): void;
      onAttributes?: AttributeHandler;
      buffers?: boolean;
    },
  ) {}

  /** @throws ReplyProtocolError when the bytes are no RESP; the reader is of no use after that. */
  execute(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size < this.needed) return;
    this.bytes = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks);
    this.at = 0;
    while (this.readToken());
    this.keepRest();
  }

  private keepRest(): void {
    const rest = this.bytes.subarray(this.at);
    this.chunks = rest.length > 0 ? [rest] : [];
    this.size = rest.length;
    this.bytes = rest;
  }

  /** Reads one line or one payload; false when it is not all there. */
  private readToken(): boolean {
    if (this.awaited) return this.readPayload(this.awaited);
    const lineEnd = this.bytes.indexOf(LF, this.at);
    if (lineEnd < 0) {
      if (this.bytes.length - this.at > MAX_LINE_BYTES) throw new ReplyProtocolError('a line without end');
      this.needed = this.bytes.length - this.at + 1;
      return false;
    }
    if (lineEnd - this.at < 2 || this.bytes[lineEnd - 1] !== 0x0d) {
      throw new ReplyProtocolError('a line that does not end in CRLF');
    }
    const type = String.fromCharCode(this.bytes[this.at]!);
    const line = this.bytes.subarray(this.at + 1, lineEnd - 1);
    this.at = lineEnd + 1;
    this.readLine(type, line);
    return true;
  }

  private readLine(type: string, line: Buffer): void {
    switch (type) {
      case '+':
        this.give(this.string(line));
        break;
      case '-':
        this.give(new ReplyError(line.toString('utf8')));
        break;
      case ':':
        this.give(integer(line.toString('latin1')));
        break;
      case '(':
        this.give(bigNumber(line.toString('latin1')));
        break;
      case ',':
        this.give(double(line.toString('latin1')));
        break;
      case '#':
        this.give(boolean(line.toString('latin1')));
        break;
      case '_':
        if (line.length > 0) throw new ReplyProtocolError('a null with a value');
        this.give(null);
        break;
      case '$':
      case '=':
      case '!':
        this.openPayload(type, line);
        break;
      case '*':
      case '~':
      case '>':
      case '%':
      case '|':
        this.openAggregate(type, line);
        break;
      default:
        throw new ReplyProtocolError(`unknown type byte 0x${type.charCodeAt(0).toString(16)}`);
    }
  }

  private openPayload(type: string, line: Buffer): void {
    const length = size(line, type === '$');
    if (length > MAX_BULK_BYTES) throw new ReplyProtocolError(`a string of ${length} bytes`);
    if (length === NULL) this.give(null);
    else this.awaited = { type, length };
  }

  private readPayload({ type, length }: Awaited): boolean {
    const end = this.at + length;
    if (this.bytes.length < end + 2) {
      this.needed = length + 2;
      return false;
    }
    if (this.bytes[end] !== 0x0d || this.bytes[end + 1] !== LF) {
      throw new ReplyProtocolError('a string that is longer than announced');
    }
    const payload = this.bytes.subarray(this.at, end);
    this.at = end + 2;
    this.awaited = null;
    this.needed = 1;
    this.give(this.payload(type, payload));
    return true;
  }

  private payload(type: string, payload: Buffer): Reply {
    if (type === '$') return this.string(payload);
    if (type === '!') return new ReplyError(payload.toString('utf8'));
    if (payload.length < 4 || payload[3] !== 0x3a)
      throw new ReplyProtocolError('a verbatim string without a format');
    return new VerbatimString(payload.toString('latin1', 0, 3), this.string(payload.subarray(4)));
  }

  private openAggregate(type: string, line: Buffer): void {
    const count = size(line, type === '*');
    if (count === NULL) {
      this.give(null);
      return;
    }
    if (this.stack.length === MAX_DEPTH)
      throw new ReplyProtocolError(`more than ${MAX_DEPTH} nested replies`);
    const pairs = type === '%' || type === '|';
    this.stack.push({ type, missing: pairs ? count * 2 : count, items: [] });
    this.closeFull();
  }

  /** A value is complete: it goes into the innermost open aggregate, or to the caller. */
  private give(value: Reply): void {
    const innermost = this.stack.at(-1);
    if (!innermost) {
      this.options.onReply(value);
      return;
    }
    innermost.items.push(value);
    innermost.missing--;
    this.closeFull();
  }

  private closeFull(): void {
    const innermost = this.stack.at(-1)!;
    if (innermost.missing > 0) return;
    this.stack.pop();
    const { type, items } = innermost;
    // Attributes are no value of their own: the reply they belong to follows.
    if (type === '|') this.options.onAttributes?.(pairs(items));
    else this.give(aggregate(type, items));
  }

  private string(bytes: Buffer): string | Buffer {
    return this.options.buffers === true ? Buffer.from(bytes) : bytes.toString('utf8');
  }
}

function aggregate(type: string, items: Reply[]): Reply {
  if (type === '%') return pairs(items);
  if (type === '~') return new Set(items);
  return type === '>' ? new PushMessage(items) : items;
}

function pairs(items: readonly Reply[]): Map<Reply, Reply> {
  const map = new Map<Reply, Reply>();
  for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
  return map;
}

/** A length or count; NULL, -1, where RESP2 has it. */
function size(line: Buffer, nullable: boolean): number {
  const text = line.toString('latin1');
  if (nullable && text === '-1') return NULL;
  if (!/^(0|[1-9]\d{0,9})$/.test(text)) throw new ReplyProtocolError('not a length');
  return Number(text);
}

function integer(text: string): number | bigint {
  const value = bigNumber(text);
  if (value > INT64_MAX || value < INT64_MIN) throw new ReplyProtocolError('an integer of more than 64 bits');
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function bigNumber(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new ReplyProtocolError('not an integer');
  return BigInt(text.startsWith('+') ? text.slice(1) : text);
}

function double(text: string): number {
  if (text === 'inf' || text === '+inf') return Infinity;
  if (text === '-inf') return -Infinity;
  if (text === 'nan' || text === '-nan') return NaN;
  if (!/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text)) throw new ReplyProtocolError('not a double');
  return Number(text);
}

function boolean(text: string): boolean {
  if (text !== 't' && text !== 'f') throw new ReplyProtocolError('not a boolean');
  return text === 't';
}
