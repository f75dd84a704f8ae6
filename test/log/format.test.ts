import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Unpackr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { FieldList, Op } from '../../src/keyspace/mutations.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import {
  crcSeedOf,
  decodeSegmentHeader,
  encodeSegmentHeader,
  GROUP_HEADER_BYTES,
  groupChecksumHolds,
  SEAL,
  SEGMENT_HEADER_BYTES,
} from '../../src/log/format.js';
import { headerOf, LogTest, STORE_ID, sealed } from './support.js';

const document = readFileSync(new URL('../../src/log/FORMAT.md', import.meta.url), 'utf8');

/** The bytes of the worked example, and the offset that each of its lines claims. */
function workedExample(): Buffer {
  const block = /```hex\n([\s\S]*?)```/.exec(document)?.[1];
  expect(block).toBeDefined();
  const bytes: number[] = [];
  for (const line of block!.split('\n').filter((candidate) => candidate.trim() !== '')) {
    const [hex, comment] = line.split('#') as [string, string];
    expect(Number.parseInt(comment, 10), `offset in "${line}"`).toBe(bytes.length);
    bytes.push(
      ...hex
        .trim()
        .split(/ +/)
        .map((pair) => Number.parseInt(pair, 16)),
    );
  }
  return Buffer.from(bytes);
}

/** Two groups: SETEX k 10 v; then HSET h f 1 and the deletion of k. */
function exampleAsWritten(): Buffer {
  const first = new GroupEncoder();
  first.setString(0, Buffer.from('k'), 0, 1, Buffer.from('v'), 0, 1, 1735689610000);
  const second = new GroupEncoder();
  const fields = new FieldList().reset(Buffer.from('f1'));
  fields.add(0, 1, 1, 2, 0);
  second.hashSet(0, Buffer.from('h'), 0, 1, fields);
  second.delete(0, Buffer.from('k'), 0, 1);
  const seed = crc32(Buffer.concat([STORE_ID, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])]));
  const firstBytes = first.seal(1, 1735689600000, 0, seed);
  const secondBytes = second.seal(2, 1735689610005, 1, seed);
  return Buffer.concat([
    encodeSegmentHeader(headerOf(1, 0)),
    first.bytes.subarray(0, firstBytes),
    second.bytes.subarray(0, secondBytes),
    Buffer.alloc(4),
  ]);
}

const unpackr = new Unpackr({ useRecords: false, structuredClone: false, moreTypes: false });

/** Every msgpack value of a stream, with where each begins and ends, by msgpackr alone. */
function values(bytes: Buffer): { value: unknown; start: number; end: number }[] {
  const found: { value: unknown; start: number; end: number }[] = [];
  unpackr.unpackMultiple(bytes, (value: unknown, start?: number, end?: number) => {
    found.push({ value, start: start!, end: end! });
  });
  return found;
}

describe('FORMAT.md', () => {
  test('its worked example is what the encoder writes, byte for byte', () => {
    expect(workedExample().toString('hex')).toBe(exampleAsWritten().toString('hex'));
  });

  test('its worked example is read by the log reader', () => {
    const log = new LogTest();
    log.replace(workedExample());
    const { scan, seqs } = log.read();
    expect(seqs).toEqual([1, 2]);
    expect(scan.ending).toEqual({ kind: 'zeros', offset: 174, bytes: 4 });
  });

  test('msgpackr alone decodes its worked example from the description', () => {
    const bytes = workedExample();
    const stream = values(bytes);
    const [header, ...rest] = stream;
    const groups = rest.filter(({ value }) => Array.isArray(value));

    expect(header!.value).toEqual(['holdfast', 1, STORE_ID, 1, 0, 1735689600000, 0x1c56b6b0].map(asDecoded));
    expect(crc32(bytes.subarray(0, 56))).toBe(0x1c56b6b0);

    const records = groups.map(({ value, start, end }) => {
      const [seq, atMs, durableSeq, checksum, payload] = value as [bigint, bigint, bigint, number, Buffer];
      const covered = Buffer.from(bytes.subarray(start, end));
      covered.fill(0, 29, 33);
      const identity = Buffer.concat([STORE_ID, Buffer.from('0000000000000001', 'hex')]);
      expect(crc32(Buffer.concat([identity, covered]))).toBe(checksum);
      return [
        Number(seq),
        Number(atMs),
        Number(durableSeq),
        values(Buffer.from(payload)).map((record) => record.value),
      ];
    });
    expect(records).toEqual([
      [1, 1735689600000, 0, [[1, 0, Buffer.from('k'), Buffer.from('v'), 1735689610000n]]],
      [
        2,
        1735689610005,
        1,
        [
          [9, 0, Buffer.from('h'), Buffer.from('f'), Buffer.from('1'), null],
          [3, 0, Buffer.from('k')],
        ],
      ],
    ]);
  });

  test('its list of mutations is the one in the code', () => {
    const table = document.slice(document.search(/^\| *number *\| *mutation/m));
    const rows = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| *(\d+) *\| *(\w+) *\|/gm)];
    expect(Object.fromEntries(rows.map(([, number, name]) => [name, Number(number)]))).toEqual(Op);
  });

  test('its sizes are the ones in the code', () => {
    expect(document).toContain(`always ${SEGMENT_HEADER_BYTES} bytes`);
    expect(document).toContain(`One byte, \`${SEAL.toString(16).padStart(2, '0')}\``);
    expect(document).toMatch(new RegExp(`^\\| *${GROUP_HEADER_BYTES} *\\| length *\\| *\\| payload`, 'm'));
  });
});

/** msgpackr gives 64-bit integers as bigints. */
function asDecoded(value: unknown, index: number): unknown {
  return typeof value === 'number' && index >= 3 && index <= 5 ? BigInt(value) : value;
}

describe('the segment header', () => {
  const header = headerOf(42, 2 ** 53 - 2);

  test('survives being encoded and decoded', () => {
    expect(decodeSegmentHeader(encodeSegmentHeader(header))).toEqual(header);
  });

  test('is refused with any one bit flipped', () => {
    for (let offset = 0; offset < SEGMENT_HEADER_BYTES; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = encodeSegmentHeader(header);
        bytes[offset] = bytes[offset]! ^ (1 << bit);
        expect(typeof decodeSegmentHeader(bytes), `bit ${bit} of byte ${offset}`).toBe('string');
      }
    }
  });

  test('is refused when cut short anywhere', () => {
    const bytes = encodeSegmentHeader(header);
    for (let length = 0; length < SEGMENT_HEADER_BYTES; length++) {
      expect(decodeSegmentHeader(bytes.subarray(0, length))).toMatch(/cut short/);
    }
  });

  test('of a later version is refused by its version', () => {
    const bytes = encodeSegmentHeader(header);
    bytes[10] = 2;
    expect(decodeSegmentHeader(bytes)).toMatch(/version 2/);
  });
});

describe('the checksum of a group', () => {
  const seed = crcSeedOf(STORE_ID, 1);
  const encoder = new GroupEncoder();
  encoder.flush(0);
  encoder.swap(1, 2);
  const group = sealed(encoder, 7, { durableSeq: 5 });

  test('covers each bit of it, those of its length as well, whatever the length makes of what follows', () => {
    expect(groupChecksumHolds(group, 0, group.length, seed)).toBe(true);
    for (let offset = 0; offset < group.length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Buffer.from(group);
        bytes[offset] = bytes[offset]! ^ (1 << bit);
        const holds = groupChecksumHolds(bytes, 0, bytes.length, seed);
        expect(holds, `bit ${bit} of byte ${offset}`).toBe(false);
      }
    }
  });

  test('covers the store and the segment', () => {
    const other = Buffer.from(STORE_ID).reverse();
    expect(groupChecksumHolds(group, 0, group.length, crcSeedOf(STORE_ID, 2))).toBe(false);
    expect(groupChecksumHolds(group, 0, group.length, crcSeedOf(other, 1))).toBe(false);
  });
});

test('a sealed group is 38 bytes longer than its payload', () => {
  const encoder = new GroupEncoder();
  encoder.flush(0);
  expect(encoder.payloadBytes).toBe(3);
  expect(sealed(encoder, 1).length).toBe(41);
});
