import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { INT64_MAX } from '../../src/base/bytes.js';
import { type ExpireAt, FieldList, type MutationSink, Op } from '../../src/keyspace/mutations.js';
import { applyRecords } from '../../src/log/decoder.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import { RecordError } from '../../src/log/errors.js';
import { GROUP_HEADER_BYTES } from '../../src/log/format.js';
import { type Recorded, RecordingSink, setting, text } from './support.js';

const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  // Either side of where bin8 becomes bin16 and bin16 becomes bin32.
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 65535, 65536).map((n) => new Uint8Array(n).fill(0xc4)) },
);
const db = fc.oneof(fc.nat(15), fc.constantFrom(127, 128, 2 ** 32 - 1));
const expiry: fc.Arbitrary<ExpireAt> = fc.oneof(
  fc.constantFrom<ExpireAt>(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 53n, INT64_MAX),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  fc.bigInt({ min: 2n ** 53n, max: INT64_MAX }),
);

/** A mutation with each range in a buffer of its own, at an offset, as callers have them. */
type Apply = (sink: MutationSink) => void;

const padded = (range: Uint8Array): Uint8Array => Uint8Array.from([0xaa, ...range, 0xbb]);

function fieldList(fields: readonly (readonly [Uint8Array, Uint8Array, ExpireAt])[]): FieldList {
  const list = new FieldList().reset(Buffer.concat(fields.flatMap((field) => [field[0], field[1]])));
  let at = 0;
  for (const [field, value, expireAt] of fields) {
    const valueStart = at + field.length;
    list.add(at, valueStart, valueStart, valueStart + value.length, expireAt);
    at = valueStart + value.length;
  }
  return list;
}

const fields = fc.array(fc.tuple(bytes, bytes, expiry), { minLength: 1, maxLength: 20 });
const names = fc.array(bytes, { minLength: 1, maxLength: 40 });
const namesOnly = (list: Uint8Array[]): FieldList =>
  fieldList(list.map((name) => [name, name.subarray(0, 0), 0]));

const mutation: fc.Arbitrary<Apply> = fc.oneof(
  fc.tuple(db, bytes, bytes, expiry).map(
    ([d, k, v, e]): Apply =>
      (s) =>
        s.setString(d, padded(k), 1, 1 + k.length, padded(v), 1, 1 + v.length, e),
  ),
  fc.tuple(db, bytes, fc.nat(2 ** 31 - 1), bytes).map(
    ([d, k, o, v]): Apply =>
      (s) =>
        s.setRange(d, padded(k), 1, 1 + k.length, o, padded(v), 1, 1 + v.length),
  ),
  fc.tuple(db, bytes).map(
    ([d, k]): Apply =>
      (s) =>
        s.delete(d, padded(k), 1, 1 + k.length),
  ),
  fc.tuple(db, bytes, expiry).map(
    ([d, k, e]): Apply =>
      (s) =>
        s.expireAt(d, padded(k), 1, 1 + k.length, e),
  ),
  fc.tuple(db, bytes, db, bytes).map(
    ([d, k, d2, k2]): Apply =>
      (s) =>
        s.rename(d, padded(k), 1, 1 + k.length, d2, padded(k2), 1, 1 + k2.length),
  ),
  fc.tuple(db, bytes, db, bytes).map(
    ([d, k, d2, k2]): Apply =>
      (s) =>
        s.copy(d, padded(k), 1, 1 + k.length, d2, padded(k2), 1, 1 + k2.length),
  ),
  db.map(
    (d): Apply =>
      (s) =>
        s.flush(d),
  ),
  fc.tuple(db, db).map(
    ([d, d2]): Apply =>
      (s) =>
        s.swap(d, d2),
  ),
  fc.tuple(db, bytes, fields).map(
    ([d, k, f]): Apply =>
      (s) =>
        s.hashSet(d, padded(k), 1, 1 + k.length, fieldList(f)),
  ),
  fc.tuple(db, bytes, names).map(
    ([d, k, f]): Apply =>
      (s) =>
        s.hashDelete(d, padded(k), 1, 1 + k.length, namesOnly(f)),
  ),
  fc.tuple(db, bytes, names, expiry).map(
    ([d, k, f, e]): Apply =>
      (s) =>
        s.hashExpireAt(d, padded(k), 1, 1 + k.length, namesOnly(f), e),
  ),
);

function payloadOf(encoder: GroupEncoder): Buffer {
  return Buffer.from(encoder.bytes.subarray(GROUP_HEADER_BYTES, GROUP_HEADER_BYTES + encoder.payloadBytes));
}

function encoded(...mutations: Apply[]): Buffer {
  const encoder = new GroupEncoder();
  for (const apply of mutations) apply(encoder);
  return payloadOf(encoder);
}

function decoded(payload: Uint8Array): Recorded[] {
  const sink = new RecordingSink();
  expect(applyRecords(payload, 0, payload.length, sink)).toBe(sink.calls.length);
  return sink.calls;
}

const unpackr = new Unpackr({ useRecords: false, structuredClone: false, moreTypes: false });
const nameOfOp = Object.fromEntries(Object.entries(Op).map(([name, number]) => [number, name]));

/** What msgpackr reads, in the order of the mutation's arguments. */
function byMsgpackr(payload: Buffer): Recorded[] {
  return (unpackr.unpackMultiple(payload) as unknown[][]).map((record) => {
    const [op, ...rest] = record.map(plain);
    const name = nameOfOp[Number(op)]!;
    const list = { hashSet: 2, hashDelete: 2, hashExpireAt: 3 }[name];
    if (list === undefined) return [name, ...rest];
    return [name, ...rest.slice(0, list), rest.slice(list)];
  });
}

function plain(value: unknown): string | number | bigint {
  if (value === null) return 0;
  if (value instanceof Uint8Array) return text(value, 0, value.length);
  if (typeof value === 'bigint') return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  expect(typeof value).toBe('number');
  return value as number;
}

describe('records', () => {
  test('are read back by the decoder and by msgpackr exactly as they were encoded', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 12 }), (mutations) => {
        const direct = new RecordingSink();
        for (const apply of mutations) apply(direct);
        const payload = encoded(...mutations);
        expect(decoded(payload)).toEqual(direct.calls);
        expect(byMsgpackr(payload)).toEqual(direct.calls);
      }),
      { numRuns: 400 },
    );
  });

  test('cut short anywhere are refused, except between two of them', () => {
    fc.assert(
      fc.property(mutation, mutation, (first, second) => {
        const boundary = encoded(first).length;
        const payload = encoded(first, second);
        fc.pre(payload.length < 2000);
        for (let length = 1; length < payload.length; length++) {
          const sink = new RecordingSink();
          const apply = () => applyRecords(payload, 0, length, sink);
          if (length === boundary) expect(apply()).toBe(1);
          else expect(apply, `cut at ${length}`).toThrow(RecordError);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('of arbitrary bytes are decoded or refused, and never read past their end', () => {
    const recordLike = fc
      .tuple(fc.integer({ min: 0x90, max: 0x9f }), fc.nat(12), fc.uint8Array({ maxLength: 30 }))
      .map(([array, op, rest]) => Uint8Array.from([array, op, 0, ...rest]));
    fc.assert(
      fc.property(recordLike, (payload) => {
        const sink = new RecordingSink();
        const surrounded = Buffer.concat([payload, Buffer.alloc(64, 0x01)]);
        try {
          applyRecords(surrounded, 0, payload.length, sink);
        } catch (error) {
          expect(error).toBeInstanceOf(RecordError);
          expect((error as RecordError).at).toBeLessThanOrEqual(payload.length);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['no array', 'c0'],
    ['an empty array', '90'],
    ['a number not in the vocabulary', '930c00c4016b'],
    ['the number zero', '930000c4016b'],
    ['one element too many', '940300c4016bc0'],
    ['one element too few', '920300'],
    ['a key that is text', '930300a16b'],
    ['a database that is nil', '9303c0c4016b'],
    ['an expiry of zero', '940400c4016bcf0000000000000000'],
    ['an expiry beyond 2^63 - 1', '940400c4016bcf8000000000000000'],
    ['an expiry in 32 bits', '940400c4016bce00000001'],
    ['an offset as a small integer', '950200c4016b05c40161'],
    ['a hash without fields', '930900c4016b'],
    ['a hash with a field without an expiry', '950900c4016bc40166c40176'],
    ['a hash field deletion without fields', '930a00c4016b'],
    ['a hash expiry without fields', '940b00c4016bc0'],
    ['an array that claims four billion elements', 'ddffffffff0a00c4016bc40166'],
    ['a key longer than the group', '930300c6ffffffff6b'],
  ])('with %s are refused at their place, those before them applied', (_what, hex) => {
    const good = encoded((sink) => sink.flush(3));
    const payload = Buffer.concat([good, Buffer.from(hex, 'hex')]);
    const sink = new RecordingSink();
    let thrown: unknown;
    try {
      applyRecords(payload, 0, payload.length, sink);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RecordError);
    expect((thrown as RecordError).at).toBeGreaterThanOrEqual(good.length);
    expect(sink.calls).toEqual([['flush', 3]]);
  });
});

describe('the group encoder', () => {
  const set = (encoder: GroupEncoder, value: Uint8Array) =>
    encoder.setString(0, Buffer.from('key'), 0, 3, value, 0, value.length, 0);

  test('counts records and payload bytes, and forgets them on clear', () => {
    const encoder = setting('key', 'value');
    expect([encoder.records, encoder.payloadBytes]).toEqual([1, 16]);
    encoder.clear();
    expect([encoder.records, encoder.payloadBytes]).toEqual([0, 0]);
  });

  test('goes back to a mark as if nothing had come after it', () => {
    const encoder = setting('key', 'value');
    const before = payloadOf(encoder);
    const mark = encoder.mark();
    set(encoder, Buffer.alloc(200_000));
    encoder.flush(1);
    encoder.truncate(mark);
    expect(encoder.records).toBe(1);
    expect(payloadOf(encoder).equals(before)).toBe(true);
  });

  test('refuses to seal a group without records', () => {
    expect(() => new GroupEncoder().seal(1, 0, 0, 0)).toThrow(AssertionFailure);
  });

  test('grows for a huge value and gives the memory back on clear', () => {
    const encoder = new GroupEncoder();
    const value = Buffer.alloc(20 * 1024 * 1024, 7);
    set(encoder, value);
    set(encoder, Buffer.from('after'));
    const [huge, after] = decoded(payloadOf(encoder));
    expect(String(huge![3]).length).toBe(value.length);
    expect(after![3]).toBe('after');
    encoder.clear();
    expect(encoder.bytes.length).toBeLessThanOrEqual(4 * 1024 * 1024);
    set(encoder, Buffer.from('again'));
    expect(decoded(payloadOf(encoder))[0]![3]).toBe('again');
  });

  test('may be sealed again with another number, as after a failed write', () => {
    const encoder = setting('key', 'value');
    const once = Buffer.from(encoder.bytes.subarray(0, encoder.seal(9, 5, 8, 1)));
    encoder.seal(1, 1, 0, 1);
    const again = Buffer.from(encoder.bytes.subarray(0, encoder.seal(9, 5, 8, 1)));
    expect(again.equals(once)).toBe(true);
  });
});
