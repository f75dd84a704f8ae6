import { describe, expect, it } from 'vitest';
import { copyBytes, equalBytes } from '../../src/base/bytes.js';
import { halfSipHash } from '../../src/base/siphash.js';
import { allocateBytes, withWordView, wordViewOf } from '../../src/base/word-view.js';
import { crc32 } from '../../src/checkpoint/checksum.js';

const LENGTHS = Array.from({ length: 140 }, (_, length) => length);
const START = 3;

/** Bytes of which no two words are alike, with a view and without one. */
const plain = Uint8Array.from({ length: 200 }, (_, i) => (i * 37 + (i >> 3)) & 0xff);
const viewed = withWordView(Uint8Array.from(plain));

describe.each(LENGTHS)('%i bytes by words', (length) => {
  const end = START + length;

  it('are copied exactly, and nothing beside them', () => {
    const target = allocateBytes(200).fill(0xee);
    copyBytes(viewed, START, end, target, 5);
    const expected = Buffer.alloc(200, 0xee);
    expected.set(plain.subarray(START, end), 5);
    expect(target.equals(expected)).toBe(true);
  });

  it('are compared to the last byte', () => {
    const other = withWordView(Buffer.alloc(200));
    other.set(plain.subarray(START, end), 1);
    expect(equalBytes(viewed, START, end, other, 1, 1 + length)).toBe(true);
    for (let i = 0; i < length; i++) {
      other[1 + i] = other[1 + i]! ^ 0x80;
      expect(equalBytes(viewed, START, end, other, 1, 1 + length)).toBe(false);
      other[1 + i] = other[1 + i]! ^ 0x80;
    }
  });

  it('have the hash and the checksum that they have by bytes', () => {
    expect(halfSipHash(viewed, START, end, 7, 9)).toBe(halfSipHash(plain, START, end, 7, 9));
    expect(crc32(viewed, START, end)).toBe(crc32(plain, START, end));
  });
});

it('a view is of the bytes themselves, wherever they lie in their memory', () => {
  const part = withWordView(Buffer.from(plain.buffer, 8, 16));
  expect(wordViewOf(part)?.getUint8(0)).toBe(plain[8]);
  expect(wordViewOf(plain)).toBeUndefined();
});
