import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PushMessage,
  type Reply,
  ReplyError,
  ReplyProtocolError,
  ReplyReader,
  VerbatimString,
} from '../../src/resp/reply-reader.js';
import { ReplyWriter } from '../../src/resp/reply-writer.js';
import { cut, cuts, everyByte } from './chunks.js';

function read(pieces: readonly Buffer[], options: { protocol?: 2 | 3; buffers?: boolean } = {}): Reply[] {
  const replies: Reply[] = [];
  const reader = new ReplyReader({ ...options, onReply: (reply) => replies.push(reply) });
  for (const piece of pieces) reader.feed(piece);
  return replies;
}

const readText = (text: string, protocol: 2 | 3) => read([Buffer.from(text, 'latin1')], { protocol });

/** A random RESP2 reply, written to the writer. */
type Shape = null | string | number | bigint | { error: string } | { simple: string } | Shape[];

const shapes = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.record({ error: fc.constantFrom('ERR no', 'WRONGTYPE Operation') }),
    fc.record({ simple: fc.constantFrom('OK', 'QUEUED') }),
    fc.array(tie('shape'), { maxLength: 4 }),
  ),
})).shape;

function write(writer: ReplyWriter, shape: Shape): void {
  if (shape === null) writer.nil();
  else if (typeof shape === 'string') writer.bulkText(shape);
  else if (typeof shape === 'number' || typeof shape === 'bigint') writer.integer(shape);
  else if ('error' in shape) writer.error(shape.error);
  else if ('simple' in shape) writer.simple(shape.simple);
  else {
    writer.array(shape.length);
    for (const item of shape) write(writer, item);
  }
}

function expected(shape: Shape): Reply {
  if (shape === null || typeof shape === 'string' || typeof shape === 'number') return shape;
  if (typeof shape === 'bigint') return Number.isSafeInteger(Number(shape)) ? Number(shape) : shape;
  if ('error' in shape) return new ReplyError(shape.error);
  if ('simple' in shape) return shape.simple;
  return shape.map(expected);
}

describe.each([2, 3] as const)('replies of RESP2 with protocol %i', (protocol) => {
  it('are what the writer wrote, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(shapes, { maxLength: 5 }), cuts(400), (list, positions) => {
        const writer = new ReplyWriter();
        for (const shape of list) write(writer, shape);
        const stream = Buffer.from(writer.bytes.subarray(0, writer.length));
        expect(read(cut(stream, positions), { protocol })).toEqual(list.map(expected));
      }),
    );
  });

  it('are exact in their integers', () => {
    expect(
      readText(':9223372036854775807\r\n:-9223372036854775808\r\n:9007199254740991\r\n', protocol),
    ).toEqual([9223372036854775807n, -9223372036854775808n, 9007199254740991]);
  });

  it('share no memory with what was fed', () => {
    const text = '$5\r\nhello\r\n*1\r\n$5\r\nworld\r\n';
    const chunk = Buffer.allocUnsafeSlow(text.length);
    chunk.write(text);
    const [first, second] = read([chunk], { protocol, buffers: true }) as [Buffer, [Buffer]];
    chunk.fill(0);
    expect(first).toEqual(Buffer.from('hello'));
    expect(second).toEqual([Buffer.from('world')]);
    expect(first.buffer).not.toBe(chunk.buffer);
  });

  it('keep any bytes as Buffers', () => {
    const bytes = Buffer.from([0, 255, 13, 10, 36]);
    const stream = Buffer.concat([Buffer.from('$5\r\n'), bytes, Buffer.from('\r\n')]);
    expect(read(everyByte(stream), { protocol, buffers: true })).toEqual([bytes]);
  });

  it('include errors among the items of an array', () => {
    const [reply] = readText('*2\r\n+OK\r\n-WRONGTYPE no\r\n', protocol) as [[string, ReplyError]];
    expect(reply[0]).toBe('OK');
    expect(reply[1]).toBeInstanceOf(ReplyError);
    expect(reply[1].code).toBe('WRONGTYPE');
  });

  it('end with the first thing that is no reply', () => {
    const replies: Reply[] = [];
    const reader = new ReplyReader({ protocol, onReply: (reply) => replies.push(reply) });
    expect(() => reader.feed(Buffer.from('+OK\r\nHTTP/1.1 400\r\n'))).toThrow(ReplyProtocolError);
    expect(() => reader.feed(Buffer.from('+OK\r\n'))).toThrow(ReplyProtocolError);
    expect(replies).toEqual(['OK']);
  });

  it('end with an announced length that nobody could have', () => {
    expect(() => readText('*99999999999\r\n', protocol)).toThrow(ReplyProtocolError);
  });

  it('do not overflow the stack', () => {
    expect(() => readText('*1\r\n'.repeat(100_000), protocol)).toThrow(ReplyProtocolError);
  });

  it('do not put what was received into the error', () => {
    expect(() => readText('secret\r\n', protocol)).toThrow(/^(?!.*secret)/);
  });
});

describe('replies of RESP3', () => {
  it.each<[string, Reply]>([
    ['_\r\n', null],
    ['#t\r\n', true],
    ['#f\r\n', false],
    [',1.5\r\n', 1.5],
    [',-1e-7\r\n', -1e-7],
    [',inf\r\n', Infinity],
    [',-inf\r\n', -Infinity],
    [',nan\r\n', NaN],
    ['(1234567999999999999999999999999999999\r\n', 1234567999999999999999999999999999999n],
    ['(-5\r\n', -5n],
    ['=8\r\ntxt:some\r\n', new VerbatimString('txt', 'some')],
    ['!6\r\nERR no\r\n', new ReplyError('ERR no')],
    [
      '%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n',
      new Map<Reply, Reply>([
        ['a', 1],
        ['b', []],
      ]),
    ],
    ['~3\r\n+a\r\n_\r\n:2\r\n', new Set(['a', null, 2])],
    ['>2\r\n+message\r\n$1\r\nx\r\n', new PushMessage(['message', 'x'])],
    ['*2\r\n%1\r\n~0\r\n>0\r\n#t\r\n', [new Map([[new Set(), new PushMessage([])]]), true]],
    ['%0\r\n', new Map()],
    ['*-1\r\n', null],
    ['$-1\r\n', null],
  ])('%j is read for what it is, byte by byte too', (text, value) => {
    const bytes = Buffer.from(text, 'latin1');
    expect(read([bytes], { protocol: 3 })).toEqual([value]);
    expect(read(everyByte(bytes), { protocol: 3 })).toEqual([value]);
  });

  it('hand attributes over before the reply they belong to, also inside an aggregate', () => {
    const seen: unknown[] = [];
    const reader = new ReplyReader({
      protocol: 3,
      onReply: (reply) => seen.push(reply),
      onAttributes: (attributes) => seen.push(attributes),
    });
    reader.feed(Buffer.from('|1\r\n+ttl\r\n:3\r\n+OK\r\n*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n:2\r\n'));
    expect(seen).toEqual([new Map([['ttl', 3]]), 'OK', new Map([['a', 'b']]), [1, 2]]);
  });

  it.each([
    '#x\r\n',
    ',abc\r\n',
    ',\r\n',
    ':1.5\r\n',
    ':\r\n',
    ':9223372036854775808\r\n',
    '_x\r\n',
    '(1x\r\n',
    '$03\r\nabc\r\n',
    '$-2\r\n',
    '$?\r\n',
    '$3\r\nabcd\r\n',
    '%-1\r\n',
    '~1x\r\n',
    '=2\r\nab\r\n',
    '=4\r\nabcd\r\n',
    '+OK\n',
    '\r\n',
    '@1\r\n',
  ])('%j is refused', (text) => {
    expect(() => readText(text, 3)).toThrow(ReplyProtocolError);
  });

  it('joins a long string once, not once per chunk', () => {
    const size = 8 * 1024 * 1024;
    const chunk = Buffer.alloc(1024, 'x');
    const pieces = [
      Buffer.from(`$${size}\r\n`),
      ...Array<Buffer>(size / 1024).fill(chunk),
      Buffer.from('\r\n'),
    ];
    const began = performance.now();
    const [reply] = read(pieces, { protocol: 3, buffers: true }) as [Buffer];
    expect(reply.length).toBe(size);
    // Joined once per chunk it would be 32 GB of copying.
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
