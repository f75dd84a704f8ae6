/**
 * A small RESP2 and RESP3 decoder for tests that look at replies. It is strict: what no server may send throws.
 * Bytes become latin1 strings, one character per byte, so that any value survives.
 */
export type Reply =
  | string
  | number
  | bigint
  | boolean
  | null
  | ErrorReply
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>;

/** A reply that begins with `-`. The message keeps its code: `ERR syntax error`. */
export class ErrorReply {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Decodes the reply at `offset`; undefined when the bytes end before it does. */
export function decodeReply(bytes: Buffer, offset = 0): { value: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', offset, 'latin1');
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(bytes[offset]!);
  const line = bytes.toString('latin1', offset + 1, lineEnd);
  const end = lineEnd + 2;
  switch (type) {
    case '+':
      return { value: line, end };
    case '-':
      return { value: new ErrorReply(line), end };
    case ':':
      return { value: integer(line), end };
    case '(':
      return { value: BigInt(line), end };
    case ',':
      return { value: double(line), end };
    case '#':
      return { value: line === 't', end };
    case '_':
      return { value: null, end };
    case '$':
    case '=':
      return bulk(bytes, end, line, type === '=');
    case '*':
    case '>':
      return line === '-1' ? { value: null, end } : list(bytes, end, Number(line));
    case '~':
      return mapped(list(bytes, end, Number(line)), (items) => new Set(items));
    case '%':
      return mapped(list(bytes, end, Number(line) * 2), pairs);
    default:
      throw new Error(`not a RESP type: ${JSON.stringify(type)}`);
  }
}

function integer(line: string): number | bigint {
  if (!/^-?(0|[1-9][0-9]*)$/.test(line)) throw new Error(`not a RESP integer: ${line}`);
  return Number.isSafeInteger(Number(line)) ? Number(line) : BigInt(line);
}

function double(line: string): number {
  if (line === 'inf') return Number.POSITIVE_INFINITY;
  if (line === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(line);
}

function bulk(bytes: Buffer, start: number, line: string, verbatim: boolean) {
  if (line === '-1') return { value: null, end: start };
  const size = Number(line);
  if (bytes.length < start + size + 2) return undefined;
  const text = bytes.toString('latin1', start, start + size);
  if (bytes.toString('latin1', start + size, start + size + 2) !== '\r\n')
    throw new Error('a bulk string without CRLF');
  return { value: verbatim ? text.slice(4) : text, end: start + size + 2 };
}

function list(bytes: Buffer, start: number, size: number): { value: Reply[]; end: number } | undefined {
  const value: Reply[] = [];
  let end = start;
  for (let i = 0; i < size; i++) {
    const item = decodeReply(bytes, end);
    if (!item) return undefined;
    value.push(item.value);
    end = item.end;
  }
  return { value, end };
}

function mapped(
  decoded: { value: Reply[]; end: number } | undefined,
  make: (items: Reply[]) => Reply,
): { value: Reply; end: number } | undefined {
  return decoded && { value: make(decoded.value), end: decoded.end };
}

function pairs(items: Reply[]): Map<Reply, Reply> {
  const map = new Map<Reply, Reply>();
  for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
  return map;
}
