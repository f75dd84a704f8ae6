import fc from 'fast-check';
import RedisParser from 'redis-parser';
import { describe, expect, it, vi } from 'vitest';
import { COMPLETE, INCOMPLETE, MALFORMED, RequestDecoder } from '../../src/resp/request-decoder.js';
import { cut, cuts, encode, everyByte, waysToCut } from './chunks.js';
import { hostileCases, unauthenticatedCases } from './hostile.js';

const limits = { maxBulkBytes: 256 * 1024 * 1024 };

interface Outcome {
  readonly commands: string[][];
  readonly error: string | null;
}

/** Decodes a stream that grows piece by piece, as a connection's pending input does. */
function decodePieces(pieces: readonly Buffer[], authenticated = true): Outcome {
  const decoder = new RequestDecoder(limits);
  const stream = Buffer.concat(pieces);
  const commands: string[][] = [];
  let end = 0;
  decoder.begin(0);
  for (const piece of pieces) {
    end += piece.length;
    // What has not arrived must not be looked at.
    const arrived = Buffer.alloc(stream.length, 0x2e);
    stream.copy(arrived, 0, 0, end);
    for (;;) {
      const decoded = decoder.decode(arrived, end, authenticated);
      if (decoded === MALFORMED) return { commands, error: decoder.error };
      if (decoded === INCOMPLETE) break;
      commands.push(Array.from({ length: decoder.request.count }, (_, i) => decoder.request.latin1(i)));
    }
  }
  return { commands, error: null };
}

function decodeWithRedisParser(stream: Buffer): string[][] {
  const commands: string[][] = [];
  const parser = new RedisParser({
    returnBuffers: true,
    returnReply: (reply: Buffer[]) => commands.push(reply.map((arg) => arg.toString('latin1'))),
    returnError: (error) => expect.fail(error.message),
  });
  parser.execute(stream);
  return commands;
}

const commandsOf = (bytes: string, authenticated = true) =>
  decodePieces([Buffer.from(bytes, 'latin1')], authenticated).commands;

describe('arrays of bulk strings', () => {
  const argument = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(
      Buffer.from('\r\n'),
      Buffer.from('$3\r\nfoo\r\n'),
      Buffer.from('*1\r\n'),
      Buffer.alloc(0),
    ),
  );
  const request = fc.array(argument, { minLength: 1, maxLength: 8 });

  it('decodes what redis-parser decodes, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 6 }), cuts(600), (requests, positions) => {
        const stream = Buffer.concat(requests.map(encode));
        const expected = decodeWithRedisParser(stream);
        expect(expected).toHaveLength(requests.length);
        expect(decodePieces(cut(stream, positions)).commands).toEqual(expected);
      }),
    );
  });

  it('decodes a stream cut at each single byte', () => {
    const stream = Buffer.concat([
      encode(['SET', 'key', '\r\n$1\r\n']),
      encode(['PING']),
      encode(['GET', '']),
    ]);
    const expected = decodeWithRedisParser(stream);
    expect(decodePieces(everyByte(stream)).commands).toEqual(expected);
    for (let at = 1; at < stream.length; at++) {
      expect(decodePieces(cut(stream, [at])).commands).toEqual(expected);
    }
  });

  it('takes a command of many arguments and gives the room for them back', () => {
    const args = Array.from({ length: 200_000 }, (_, i) => String(i));
    const stream = Buffer.concat([encode(args), encode(['PING'])]);
    const decoder = new RequestDecoder(limits);
    decoder.begin(0);
    expect(decoder.decode(stream, stream.length, true)).toBe(COMPLETE);
    expect(decoder.request.count).toBe(200_000);
    expect(decoder.request.latin1(199_999)).toBe('199999');
    decoder.begin(decoder.position);
    expect(decoder.request.start.length).toBeLessThan(1000);
    expect(decoder.decode(stream, stream.length, true)).toBe(COMPLETE);
    expect(decoder.request.latin1(0)).toBe('PING');
  });

  it.each(['*0\r\n', '*-1\r\n', '*-10\r\n', '*-9223372036854775808\r\n'])(
    'skips the empty command %j, as Redis does',
    (empty) => {
      for (const pieces of waysToCut(Buffer.from(`${empty}${empty}*1\r\n$4\r\nPING\r\n`))) {
        expect(decodePieces(pieces)).toEqual({ commands: [['PING']], error: null });
      }
    },
  );

  it('forgets empty commands instead of holding them as the beginning of one', () => {
    const decoder = new RequestDecoder(limits);
    const bytes = Buffer.from('*0\r\n\r\n*-1\r\n*2\r\n$3\r\nGET');
    decoder.begin(0);
    expect(decoder.decode(bytes, bytes.length, true)).toBe(INCOMPLETE);
    expect(decoder.unfinished).toBe(bytes.indexOf('*2'));
  });

  it('allows before AUTH what AUTH and HELLO need', () => {
    const args = ['HELLO', '3', 'AUTH', 'default', 'p'.repeat(16_384), 'SETNAME', 'n', 'x', 'y', 'z'];
    expect(decodePieces([encode(args)], false)).toEqual({ commands: [args], error: null });
  });

  it('follows a changed limit from the next header on', () => {
    const changing = { maxBulkBytes: 3 };
    const decoder = new RequestDecoder(changing);
    const bytes = encode(['ECHO']);
    decoder.begin(0);
    expect(decoder.decode(bytes, bytes.length, true)).toBe(MALFORMED);
    changing.maxBulkBytes = 4;
    decoder.begin(0);
    expect(decoder.decode(bytes, bytes.length, true)).toBe(COMPLETE);
  });
});

describe('inline commands', () => {
  it.each([
    ['PING\r\n', ['PING']],
    ['PING\n', ['PING']],
    ['  set  k\tv  \r\n', ['set', 'k', 'v']],
    ['set "a b" \'c d\'\r\n', ['set', 'a b', 'c d']],
    ['set "\\x00\\xfF\\n\\r\\t\\b\\a\\q\\"" x\r\n', ['set', '\0\xff\n\r\t\b\x07q"', 'x']],
    ["set 'it\\'s \\n' x\r\n", ['set', "it's \\n", 'x']],
    ['set "\\xZZ" ""\r\n', ['set', 'xZZ', '']],
    ['a"b c" d\r\n', ['ab c', 'd']],
    ['a\vb\fc\r\n', ['a\vb\fc']],
    ['\v\fa\r\n', ['a']],
    ['a\rb\r\n', ['a', 'b']],
    ['\xe9\xff\r\n', ['\xe9\xff']],
  ])('splits %j as sdssplitargs does', (line, expected) => {
    expect(commandsOf(line)).toEqual([expected]);
    expect(decodePieces(everyByte(Buffer.from(line, 'latin1'))).commands).toEqual([expected]);
  });

  it('ignores blank lines between commands', () => {
    expect(commandsOf('\r\n\n   \r\nPING\r\n\r\n')).toEqual([['PING']]);
  });

  it('tells inline commands apart from arrays', () => {
    const decoder = new RequestDecoder(limits);
    const bytes = Buffer.from('PING\r\n*1\r\n$4\r\nPING\r\n');
    decoder.begin(0);
    expect(decoder.decode(bytes, bytes.length, true)).toBe(COMPLETE);
    expect(decoder.inline).toBe(true);
    expect(decoder.decode(bytes, bytes.length, true)).toBe(COMPLETE);
    expect(decoder.inline).toBe(false);
  });

  it('takes a line of just 64 KiB', () => {
    const argument = 'x'.repeat(64 * 1024 - 1);
    expect(commandsOf(`${argument}\r\n`)).toEqual([[argument]]);
  });
});

describe('hostile requests', () => {
  it.each(hostileCases)('refuses $name, however it is cut', ({ bytes, error, unauthenticated }) => {
    const before = encode(['PING']);
    for (const pieces of piecesOf(bytes)) {
      expect(decodePieces([before, ...pieces])).toEqual({
        commands: [['PING']],
        error: `Protocol error: ${error}`,
      });
      expect(decodePieces(pieces, false).error).toBe(`Protocol error: ${unauthenticated ?? error}`);
    }
  });

  it.each(unauthenticatedCases)('refuses $name before AUTH only', ({ bytes, error }) => {
    for (const pieces of waysToCut(bytes)) {
      expect(decodePieces(pieces, false)).toEqual({ commands: [], error: `Protocol error: ${error}` });
      expect(decodePieces(pieces, true)).toEqual({ commands: [], error: null });
    }
  });

  it('never takes random bytes for anything but commands, an error or a wait, whatever the cuts', () => {
    const noise = fc.stringMatching(/^[*$0-9\r\nA-C"' -]{0,60}$/);
    fc.assert(
      fc.property(noise, cuts(60), (text, positions) => {
        const bytes = Buffer.from(text, 'latin1');
        expect(decodePieces(cut(bytes, positions))).toEqual(decodePieces([bytes]));
      }),
      { numRuns: 500 },
    );
  });

  it('looks at each byte of a line a bounded number of times', () => {
    // Read anew for each byte, this line would be read 200 million times over.
    const line = Buffer.from(`*1\r\n$${'1'.repeat(20_000)}`);
    const decoder = new RequestDecoder(limits);
    let reads = 0;
    const counting = new Proxy(line, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, target);
      },
    });
    decoder.begin(0);
    for (let end = 1; end <= line.length; end++) expect(decoder.decode(counting, end, true)).toBe(INCOMPLETE);
    expect(reads).toBeLessThan(line.length * 20);
  });

  it('allocates nothing for what was only announced', () => {
    const decoder = new RequestDecoder(limits);
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    for (const text of ['*1000000\r\n', '*2\r\n$3\r\nSET\r\n$200000000\r\nx']) {
      decoder.begin(0);
      expect(decoder.decode(Buffer.from(text), text.length, true)).toBe(INCOMPLETE);
      expect(decoder.request.start.length).toBe(64);
    }
    expect(allocate).not.toHaveBeenCalled();
    allocate.mockRestore();
  });
});

/** Cutting 64 KiB at every byte copies too much for a test; such cases are cut in a few places. */
function piecesOf(bytes: Buffer): Buffer[][] {
  return bytes.length < 1000 ? waysToCut(bytes) : [[bytes], cut(bytes, [1, 2, 5, 100, 60_000])];
}
