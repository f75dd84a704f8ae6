/**
 * Redis's glob patterns (stringmatchlen in its util.c), on bytes:
 *
 * | element | matches |
 * |---|---|
 * | `*` | any bytes, also none |
 * | `?` | one byte |
 * | `[abc]` `[a-z]` `[^a]` | one byte (not) in the class; `\` escapes inside it; a missing `]` is forgiven |
 * | `\x` | the byte x |
 *
 * Three habits of Redis are kept: a range may be written backwards; an empty string matches only an empty
 * pattern (not even `*`); nothing matches beyond the thousandth star that has something behind it. One is not: bytes above 127 are compared as unsigned, where Redis depends on whether
 * the platform's `char` is signed.
 *
 * A mismatch goes back to the last `*` only, because an earlier one could not reach further than the later
 * already tried. So the time is at most length of pattern times length of string, and nothing recurses.
 */
export function matchesGlob(
  pattern: Uint8Array,
  patternStart: number,
  patternEnd: number,
  string: Uint8Array,
  stringStart: number,
  stringEnd: number,
  ignoreCase = false,
): boolean {
  if (stringStart === stringEnd) return patternStart === patternEnd;
  let at = patternStart;
  let position = stringStart;
  /** Where to go on after the last star, and the first string position it has not swallowed. */
  let afterStar = -1;
  let resumeAt = 0;
  let stars = 0;
  while (position < stringEnd) {
    if (at < patternEnd && pattern[at] === STAR) {
      at = skipStars(pattern, at, patternEnd);
      if (at === patternEnd) return true;
      if (++stars > STARS_MAX) return false;
      afterStar = at;
      resumeAt = position;
      continue;
    }
    const next =
      at < patternEnd ? matchOne(pattern, at, patternEnd, string[position]!, ignoreCase) : MISMATCH;
    if (next !== MISMATCH) {
      at = next;
      position++;
    } else if (afterStar < 0) {
      return false;
    } else {
      at = afterStar;
      position = ++resumeAt;
    }
  }
  return skipStars(pattern, at, patternEnd) === patternEnd;
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const MISMATCH = -1;
/** Where Redis stops its recursion. */
const STARS_MAX = 1000;

function skipStars(pattern: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && pattern[at] === STAR) at++;
  return at;
}

/** Matches one byte against the element at `at`; the position of the next element, or MISMATCH. */
function matchOne(pattern: Uint8Array, at: number, end: number, byte: number, ignoreCase: boolean): number {
  const first = pattern[at]!;
  if (first === QUESTION) return at + 1;
  if (first === OPEN) return matchClass(pattern, at + 1, end, byte, ignoreCase);
  const literalAt = first === BACKSLASH && at + 1 < end ? at + 1 : at;
  return same(pattern[literalAt]!, byte, ignoreCase) ? literalAt + 1 : MISMATCH;
}

/** `start` is just after the opening bracket. */
function matchClass(
  pattern: Uint8Array,
  start: number,
  end: number,
  byte: number,
  ignoreCase: boolean,
): number {
  const negated = start < end && pattern[start] === CARET;
  let at = negated ? start + 1 : start;
  let found = false;
  while (at < end && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < end) {
      // An escaped byte is compared exactly, even where case is ignored, as in Redis.
      if (pattern[at + 1] === byte) found = true;
      at += 2;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      if (inRange(pattern[at]!, pattern[at + 2]!, byte, ignoreCase)) found = true;
      at += 3;
    } else {
      if (same(pattern[at]!, byte, ignoreCase)) found = true;
      at++;
    }
  }
  if (found === negated) return MISMATCH;
  return at < end ? at + 1 : at;
}

function inRange(from: number, to: number, byte: number, ignoreCase: boolean): boolean {
  const low = Math.min(from, to);
  const high = Math.max(from, to);
  if (!ignoreCase) return byte >= low && byte <= high;
  const folded = lower(byte);
  return folded >= lower(low) && folded <= lower(high);
}

function same(a: number, b: number, ignoreCase: boolean): boolean {
  return a === b || (ignoreCase && lower(a) === lower(b));
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
