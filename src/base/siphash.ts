import { wordViewOf } from './word-view.js';

/**
 * HalfSipHash-1-3: a keyed hash of bytes to 32 bits, in 32-bit arithmetic only (J.-P. Aumasson and D. J.
 * Bernstein, "SipHash: a fast short-input PRF", 2012; the 32-bit variant of its reference code, with the
 * 1-3 rounds that the Linux kernel uses for its hash tables).
 *
 * Keyed, because clients choose the keys: without knowing the secret, nobody can pick keys that all fall
 * into one place of the index.
 */
export interface HashSecret {
  readonly k0: number;
  readonly k1: number;
}

/** @returns a signed 32-bit integer; its bits are the hash. */
export function halfSipHash(bytes: Uint8Array, start: number, end: number, k0: number, k1: number): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const length = end - start;
  const wordsEnd = end - (length & 3);
  const view = wordViewOf(bytes);
  let at = start;
  for (; at < wordsEnd; at += 4) {
    const m =
      view === undefined
        ? bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
        : view.getInt32(at, true);
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = (v1 << 5) | (v1 >>> 27);
    v1 ^= v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = (v3 << 8) | (v3 >>> 24);
    v3 ^= v2;
    v0 = (v0 + v3) | 0;
    v3 = (v3 << 7) | (v3 >>> 25);
    v3 ^= v0;
    v2 = (v2 + v1) | 0;
    v1 = (v1 << 13) | (v1 >>> 19);
    v1 ^= v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  let last = length << 24;
  const rest = end - at;
  if (rest === 3) last |= (bytes[at + 2]! << 16) | (bytes[at + 1]! << 8) | bytes[at]!;
  else if (rest === 2) last |= (bytes[at + 1]! << 8) | bytes[at]!;
  else if (rest === 1) last |= bytes[at]!;
  v3 ^= last;
  // The last word's round, then three rounds of finalisation.
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = (v1 << 5) | (v1 >>> 27);
    v1 ^= v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = (v3 << 8) | (v3 >>> 24);
    v3 ^= v2;
    v0 = (v0 + v3) | 0;
    v3 = (v3 << 7) | (v3 >>> 25);
    v3 ^= v0;
    v2 = (v2 + v1) | 0;
    v1 = (v1 << 13) | (v1 >>> 19);
    v1 ^= v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= last;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3;
}
