/**
 * The checksum column of the snapshot's rows.
 *
 * It is a sum, modulo 2^32, of one term for each column: the CRC-32 of bytes, and the residue of numbers. A
 * change of one column always changes the sum, whichever bit it is. A sum and not one CRC over everything,
 * because SQL can then correct it where a column changes and the others are not at hand: giving a key of
 * 200 MB a new expiry, or another name, must not read its value.
 */
import { crc32 as zlibCrc32 } from 'node:zlib';
import { wordViewOf } from '../base/word-view.js';
import type { ExpireAt } from '../keyspace/mutations.js';

/** The largest prime below 2^32: no power of two is a multiple of it, so no flipped bit goes unnoticed. */
export const RESIDUE_MODULUS = 4294967291;

/** Below this a table lookup for each byte costs less than the call into zlib with a view made for it. */
const LONG_BYTES = 240;

const TABLE = makeTable();

export function keyChecksum(
  db: number,
  type: number,
  keyCrc: number,
  valueCrc: number,
  content: number,
  expireAt: ExpireAt,
): number {
  return (db * 256 + type + keyCrc + valueCrc + (content % RESIDUE_MODULUS) + residue(expireAt)) >>> 0;
}

export function fieldChecksum(
  collection: number,
  fieldCrc: number,
  valueCrc: number,
  content: number,
  expireAt: ExpireAt,
): number {
  return (
    ((collection % RESIDUE_MODULUS) +
      fieldCrc +
      valueCrc +
      (content % RESIDUE_MODULUS) +
      residue(expireAt)) >>>
    0
  );
}

/**
 * Of the row that says what the snapshot contains: a wrong position would make a start skip what the log alone
 * has. Always written whole, so one CRC-32 over the store id and the numbers as text.
 */
export function metaChecksum(
  storeId: Uint8Array,
  lastSeq: number,
  lastSegment: number,
  coversUntilMs: number,
  nextContent: number,
): number {
  return zlibCrc32(`${lastSeq} ${lastSegment} ${coversUntilMs} ${nextContent}`, zlibCrc32(storeId));
}

/** The share of an expiry in the sum. */
export function residue(expireAt: ExpireAt): number {
  if (typeof expireAt === 'number') return expireAt % RESIDUE_MODULUS;
  return Number(expireAt % BigInt(RESIDUE_MODULUS));
}

/** CRC-32 as zlib computes it. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= LONG_BYTES) return zlibCrc32(bytes.subarray(start, end));
  const view = wordViewOf(bytes);
  let crc = -1;
  let at = start;
  // Four bytes at a time: their lookups do not wait for each other.
  if (view !== undefined) for (; at + 4 <= end; at += 4) crc = afterWord(crc ^ view.getInt32(at, true));
  else {
    for (; at + 4 <= end; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      crc = afterWord(crc ^ word);
    }
  }
  for (; at < end; at++) crc = TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function afterWord(word: number): number {
  return (
    TABLE[768 + (word & 0xff)]! ^
    TABLE[512 + ((word >>> 8) & 0xff)]! ^
    TABLE[256 + ((word >>> 16) & 0xff)]! ^
    TABLE[word >>> 24]!
  );
}

/** Four tables: what a byte contributes when none, one, two or three more bytes follow it. */
function makeTable(): Int32Array {
  const table = new Int32Array(4 * 256);
  for (let index = 0; index < 256; index++) {
    let remainder = index;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
    }
    table[index] = remainder;
  }
  for (let index = 256; index < table.length; index++) {
    const before = table[index - 256]!;
    table[index] = (before >>> 8) ^ table[before & 0xff]!;
  }
  return table;
}
