import { INT64_MAX, INT64_MIN } from './bytes.js';

/**
 * The sum of two int64, each in the form parseInt64 gives: a number up to +-(2^53 - 1), a bigint beyond.
 *
 * @returns the sum in that form, undefined when it does not fit in an int64.
 */
export function addInt64(a: number | bigint, b: number | bigint): number | bigint | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const exact = BigInt(a) + BigInt(b);
  if (exact > INT64_MAX || exact < INT64_MIN) return undefined;
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}
