/**
 * The arithmetic behind INCRBYFLOAT and HINCRBYFLOAT: Redis computes them in the 80-bit extended precision of
 * x86 (`long double`: 64 bits of significand) and prints 17 decimals. JavaScript's doubles have 53 bits, and
 * would store 0.30000000000000004 where Redis stores 0.3; so the same numbers are computed here exactly, with
 * BigInt, and rounded where the processor would round.
 */

/** `significand * 2^exponent`, at most 64 bits of significand; or an infinity of either sign. */
export type LongDouble = { readonly significand: bigint; readonly exponent: number } | 'infinite';

const PRECISION_BITS = 64;
/** 2^-16445 is the smallest step (subnormal), values from 2^16384 on are infinite. */
const EXPONENT_MIN = -16445;
const EXPONENT_LIMIT = 16384;
/** Redis reads at most this many bytes (MAX_LONG_DOUBLE_CHARS less its terminator). */
const LENGTH_MAX = 5 * 1024 - 1;
const DECIMALS = 17;
const SCALE = 10n ** BigInt(DECIMALS);
/** Beyond this power of ten any text of LENGTH_MAX digits overflows, or underflows below. */
const DECIMAL_EXPONENT_MAX = 12_000;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;

/**
 * Reads a number as C's strtold does: decimal or hexadecimal, with or without an exponent, or an infinity; no
 * blanks before or after.
 *
 * @returns undefined for anything else, for NaN, and for what over- or underflows.
 */
export function parseLongDouble(bytes: Uint8Array, start: number, end: number): LongDouble | undefined {
  if (end - start > LENGTH_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  if (INFINITE.test(text)) return 'infinite';
  const decimal = DECIMAL.exec(text);
  if (decimal) return fromDigits(decimal, 10);
  const hexadecimal = HEXADECIMAL.exec(text);
  return hexadecimal ? fromDigits(hexadecimal, 16) : undefined;
}

/** @returns `infinite` when the sum is, or is not a number at all (infinities of opposite signs). */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  if (a === 'infinite' || b === 'infinite') return 'infinite';
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.significand << BigInt(a.exponent - exponent)) + (b.significand << BigInt(b.exponent - exponent));
  return round(sum, exponent);
}

/** With 17 decimals, less trailing zeros (ld2string's human form: never an exponent, never `-0`). */
export function formatLongDouble(value: Exclude<LongDouble, 'infinite'>): string {
  const negative = value.significand < 0n;
  const magnitude = (negative ? -value.significand : value.significand) * SCALE;
  const scaled =
    value.exponent >= 0 ? magnitude << BigInt(value.exponent) : shiftRounding(magnitude, -value.exponent);
  const digits = scaled.toString().padStart(DECIMALS + 1, '0');
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, '');
  const text = digits.slice(0, -DECIMALS) + (fraction ? `.${fraction}` : '');
  return negative && text !== '0' ? `-${text}` : text;
}

function fromDigits(match: RegExpExecArray, base: 10 | 16): LongDouble | undefined {
  const [, sign, whole = '', fraction = '', exponentText = '0'] = match;
  const digits = whole + fraction;
  if (digits === '') return undefined;
  const unsigned = BigInt(base === 16 ? `0x${digits}` : digits);
  if (unsigned === 0n) return { significand: 0n, exponent: 0 };
  const significand = sign === '-' ? -unsigned : unsigned;
  const places = fraction.length * (base === 16 ? 4 : 1);
  const exponent = Number(exponentText) - places;
  const value = base === 16 ? fromBinary(significand, exponent) : fromDecimal(significand, exponent);
  return value === 'infinite' || value.significand === 0n ? undefined : value;
}

function fromBinary(significand: bigint, exponent: number): LongDouble {
  if (exponent > EXPONENT_LIMIT) return 'infinite';
  // Below this even LENGTH_MAX hexadecimal digits round to zero; clamping keeps the shift small.
  return round(significand, Math.max(exponent, 2 * EXPONENT_MIN - 4 * LENGTH_MAX));
}

/** `digits * 10^exponent`. */
function fromDecimal(digits: bigint, exponent: number): LongDouble {
  if (exponent > DECIMAL_EXPONENT_MAX) return 'infinite';
  if (exponent < -DECIMAL_EXPONENT_MAX) return { significand: 0n, exponent: 0 };
  if (exponent >= 0) return round(digits * 10n ** BigInt(exponent), 0);
  const divisor = 10n ** BigInt(-exponent);
  const magnitude = digits < 0n ? -digits : digits;
  const shift = Math.max(0, PRECISION_BITS + 2 + bitLength(divisor) - bitLength(magnitude));
  const dividend = magnitude << BigInt(shift);
  // The lowest bit stands for everything that the division left over, so that a tie is told from a near tie.
  const sticky = dividend % divisor === 0n ? 0n : 1n;
  const quotient = ((dividend / divisor) << 1n) | sticky;
  return round(digits < 0n ? -quotient : quotient, -(shift + 1));
}

/** To the nearest number of 64 significant bits, ties to even. */
function round(significand: bigint, exponent: number): LongDouble {
  const magnitude = significand < 0n ? -significand : significand;
  const excess = Math.max(bitLength(magnitude) - PRECISION_BITS, EXPONENT_MIN - exponent, 0);
  const rounded = shiftRounding(magnitude, excess);
  if (bitLength(rounded) + exponent + excess > EXPONENT_LIMIT) return 'infinite';
  return { significand: significand < 0n ? -rounded : rounded, exponent: exponent + excess };
}

/** `magnitude / 2^bits`, to the nearest integer, ties to even. */
function shiftRounding(magnitude: bigint, bits: number): bigint {
  if (bits === 0) return magnitude;
  const shift = BigInt(bits);
  const quotient = magnitude >> shift;
  const rest = magnitude - (quotient << shift);
  const half = 1n << (shift - 1n);
  if (rest > half || (rest === half && (quotient & 1n) === 1n)) return quotient + 1n;
  return quotient;
}

function bitLength(magnitude: bigint): number {
  if (magnitude === 0n) return 0;
  const hexadecimal = magnitude.toString(16);
  return hexadecimal.length * 4 - (Math.clz32(Number.parseInt(hexadecimal[0]!, 16)) - 28);
}
