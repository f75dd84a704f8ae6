/**
 * Reading numbers and words out of raw bytes, in place. Everything a client sends is bytes; a JavaScript
 * string is made only where a person will read it.
 *
 * A range of bytes is always three arguments, `(bytes, start, end)`, end exclusive: no view object is made.
 */

import { wordViewOf } from './word-view.js';

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;

export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;

/**
 * A signed 64-bit integer as Redis reads one (string2ll in its util.c): decimal digits with an optional
 * leading minus, nothing else. No plus sign, no blanks, no leading zeros, no `-0`, 1 to 20 bytes.
 *
 * @returns a number up to +-(2^53 - 1), a bigint beyond that, undefined when it is not an int64.
 */
export function parseInt64(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const length = end - start;
  if (length === 0 || length > 20) return undefined;
  const negative = bytes[start] === MINUS;
  let at = negative ? start + 1 : start;
  if (at === end) return undefined;
  const first = bytes[at]!;
  if (first === ZERO) return length === 1 ? 0 : undefined;
  if (end - at > 15) return parseLongInt64(bytes, at, end, negative);
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]!;
    if (digit < ZERO || digit > NINE) return undefined;
    value = value * 10 + (digit - ZERO);
  }
  return negative ? -value : value;
}

function parseLongInt64(
  bytes: Uint8Array,
  start: number,
  end: number,
  negative: boolean,
): number | bigint | undefined {
  if (end - start > 19) return undefined;
  let high = 0;
  let low = 0;
  // Two halves of at most ten digits each stay exact in doubles; one multiplication joins them.
  const split = end - 9;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]!;
    if (digit < ZERO || digit > NINE) return undefined;
    if (at < split) high = high * 10 + (digit - ZERO);
    else low = low * 10 + (digit - ZERO);
  }
  const magnitude = BigInt(high) * 1_000_000_000n + BigInt(low);
  const value = negative ? -magnitude : magnitude;
  if (value > INT64_MAX || value < INT64_MIN) return undefined;
  if (magnitude <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  return value;
}

const BILLION = 1_000_000_000;

/**
 * Writes an int64 in decimal, as parseInt64 reads it, without making a string for a safe integer.
 *
 * @returns the position after the last digit; at most 20 bytes past `at`.
 */
export function writeInt64(value: number | bigint, target: Uint8Array, at: number): number {
  if (typeof value === 'bigint') return writeAscii(value.toString(), target, at);
  if (value < 0) {
    target[at] = MINUS;
    return writeInt64(-value, target, at + 1);
  }
  // Each half fits in 32 bits, where the engine divides integers instead of doubles.
  const high = Math.floor(value / BILLION);
  if (high === 0) return writeDigits(value, digitCount(value), target, at);
  return writeDigits(value - high * BILLION, 9, target, writeDigits(high, digitCount(high), target, at));
}

function digitCount(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) count++;
  return count;
}

/** `value` below 2^31 in exactly `count` digits, with leading zeros where it is shorter. */
function writeDigits(value: number, count: number, target: Uint8Array, at: number): number {
  let rest = value | 0;
  for (let i = at + count - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    target[i] = ZERO + (rest - next * 10);
    rest = next;
  }
  return at + count;
}

function writeAscii(text: string, target: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** True when the bytes spell `word` (which must be given in upper case), in any case of letters. */
export function equalsWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    let byte = bytes[start + i]!;
    if (byte >= 0x61 && byte <= 0x7a) byte -= 32;
    if (byte !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** True when two byte ranges hold the same bytes. */
export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return false;
  const aView = wordViewOf(a);
  const bView = wordViewOf(b);
  if (aView !== undefined && bView !== undefined && length >= WORD) {
    return equalWords(aView, aStart, aEnd, bView, bStart);
  }
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** At least one word. */
function equalWords(a: DataView, start: number, end: number, b: DataView, bStart: number): boolean {
  const move = bStart - start;
  const last = end - WORD;
  for (let at = start; at < last; at += WORD) {
    if (a.getInt32(at, true) !== b.getInt32(at + move, true)) return false;
  }
  return a.getInt32(last, true) === b.getInt32(last + move, true);
}

/** Up to here a loop wins, even one over single bytes: the call into the runtime costs more than the copying. */
const LOOP_BYTES_MAX = 128;
const WORD = 4;

/** Copies a byte range, which must not overlap its target. Quickest between buffers with a word view. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetStart: number,
): void {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) {
    target.set(source.subarray(start, end), targetStart);
    return;
  }
  const from = wordViewOf(source);
  const to = wordViewOf(target);
  if (from !== undefined && to !== undefined && length >= WORD) copyWords(from, start, end, to, targetStart);
  else for (let i = 0; i < length; i++) target[targetStart + i] = source[start + i]!;
}

/** At least one word. The last word may overlap the one before it. */
function copyWords(from: DataView, start: number, end: number, to: DataView, targetStart: number): void {
  const move = targetStart - start;
  const last = end - WORD;
  let at = start;
  for (; at + 3 * WORD <= last; at += 4 * WORD) {
    const target = at + move;
    to.setInt32(target, from.getInt32(at, true), true);
    to.setInt32(target + WORD, from.getInt32(at + WORD, true), true);
    to.setInt32(target + 2 * WORD, from.getInt32(at + 2 * WORD, true), true);
    to.setInt32(target + 3 * WORD, from.getInt32(at + 3 * WORD, true), true);
  }
  for (; at < last; at += WORD) to.setInt32(at + move, from.getInt32(at, true), true);
  if (at < end) to.setInt32(last + move, from.getInt32(last, true), true);
}

/** One character per byte, exact for any bytes. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** Text for a person: UTF-8, with replacement characters where the bytes are not that. */
export function utf8(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

/** A copy that shares no memory with the source: what is kept must never be a view of a network chunk. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  copyBytes(bytes, start, end, copy, 0);
  return copy;
}
