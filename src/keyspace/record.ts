import type { Attached, Heap } from './heap.js';
import { UNIT_MASK } from './heap.js';
import { type ExpireAt, NO_EXPIRY } from './mutations.js';

/**
 * The layout of a record: one contiguous block per key (or per element of a large collection).
 *
 * ```
 * word 0   bits 0..7 flags below; bits 8..31 when it was last used (keyspace/usage.ts)
 * word 1   length of the key in bytes
 * word 2   length of the value in bytes
 * word 3   } only with TIMED: absolute expiry in ms, low and high half; 0 when only fields of the
 * word 4   }   hash expire
 * word 5   }   where the expiry wheel holds it (keyspace/wheel.ts), 0 when it does not
 * word n   only with ATTACHED: number of the attachment
 * bytes    the key, unless attached; then the value, unless attached
 * ```
 *
 * Blocks are 8-byte aligned, words little-endian (typed arrays). A record is never changed in place, but for
 * its usage and its wheel position: a mutation writes a new record and the old one stays readable until the
 * commit, which makes undoing a turn whose append failed a matter of putting references back
 * (keyspace/undo.ts).
 */
export const TYPE_MASK = 0x07;
export const TYPE_STRING = 1;
/** A small hash, packed into the value (keyspace/packed-hash.ts). */
export const TYPE_PACKED_HASH = 2;
/** A large hash: its fields are records of a Dict of their own. */
export const TYPE_LARGE_HASH = 3;

export const TIMED = 0x08;
export const ATTACHED = 0x10;
/** A string that APPEND or SETRANGE made: its encoding is `raw` whatever its length, as in Redis. */
export const EDITED = 0x20;
/** A hash some of whose fields have an expiry of their own. */
export const FIELDS_TIMED = 0x40;

export const FLAGS_MASK = 0xff;

/** Keys and values longer than this are attached, so that a block never exceeds the largest size class. */
export const INLINE_KEY_BYTES_MAX = 8192;
export const INLINE_VALUE_BYTES_MAX = 16384;

/** Index of word 0 of the record in its slab's word view. */
export function wordIndex(ref: number): number {
  return (ref & UNIT_MASK) << 1;
}

/** Bytes before the key. */
export function headerBytes(flags: number): number {
  return 12 + ((flags & TIMED) !== 0 ? 12 : 0) + ((flags & ATTACHED) !== 0 ? 4 : 0);
}

export function flagsOf(heap: Heap, ref: number): number {
  return heap.words[ref >>> 21]![wordIndex(ref)]! & FLAGS_MASK;
}

/**
 * The expiry as a double: exact up to 2^53, and beyond that near enough to tell whether it has passed.
 * Infinity when there is none.
 */
export function dueMs(heap: Heap, ref: number): number {
  const words = heap.words[ref >>> 21]!;
  const at = wordIndex(ref);
  if ((words[at]! & TIMED) === 0) return Number.POSITIVE_INFINITY;
  const low = words[at + 3]! >>> 0;
  const high = words[at + 4]!;
  if (low === 0 && high === 0) return Number.POSITIVE_INFINITY;
  return high * 4294967296 + low;
}

/** The exact expiry. */
export function expiryOf(heap: Heap, ref: number): ExpireAt {
  const words = heap.words[ref >>> 21]!;
  const at = wordIndex(ref);
  if ((words[at]! & TIMED) === 0) return NO_EXPIRY;
  return joinExpiry(words[at + 3]!, words[at + 4]!);
}

export function joinExpiry(low: number, high: number): ExpireAt {
  if (high < 0x200000) return high * 4294967296 + (low >>> 0);
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

export function expiryLow(expireAt: ExpireAt): number {
  return typeof expireAt === 'number' ? expireAt | 0 : Number(BigInt.asIntN(32, expireAt));
}

export function expiryHigh(expireAt: ExpireAt): number {
  return typeof expireAt === 'number' ? Math.floor(expireAt / 4294967296) | 0 : Number(expireAt >> 32n);
}

export function attachmentId(heap: Heap, ref: number): number {
  const words = heap.words[ref >>> 21]!;
  const at = wordIndex(ref);
  const flags = words[at]!;
  if ((flags & ATTACHED) === 0) return 0;
  return words[at + ((flags & TIMED) !== 0 ? 6 : 3)]!;
}

export function attachmentOf(heap: Heap, ref: number): Attached | null {
  const id = attachmentId(heap, ref);
  return id === 0 ? null : heap.attachment(id);
}

/** Where the expiry wheel holds this record, 0 when it does not (keyspace/wheel.ts). */
export function wheelPosition(heap: Heap, ref: number): number {
  const words = heap.words[ref >>> 21]!;
  const at = wordIndex(ref);
  return (words[at]! & TIMED) === 0 ? 0 : words[at + 5]!;
}

/** The record must be TIMED. */
export function setWheelPosition(heap: Heap, ref: number, position: number): void {
  heap.words[ref >>> 21]![wordIndex(ref) + 5] = position;
}
