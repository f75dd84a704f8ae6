import { INT64_MAX, INT64_MIN } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import type { ExpireAt } from '../keyspace/mutations.js';
import { readInteger } from './arguments.js';
import type { Context } from './command.js';

/**
 * How a command gave a time: in seconds or milliseconds, from now or absolute. Everything that is stored or
 * logged is absolute milliseconds; this is the one place that converts.
 */
export type TimeUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT';

/**
 * The absolute expiry in Unix ms, or undefined when it does not fit in an int64 (Redis: "invalid expire
 * time in '...' command"). May be negative or in the past; the caller decides what that means.
 *
 * Order of checks as in Redis 7 (getExpireMillisecondsOrReply, expireGenericCommand): seconds that overflow
 * when multiplied, then a sum with now that overflows.
 */
export function absoluteExpiry(time: number | bigint, unit: TimeUnit, nowMs: number): ExpireAt | undefined {
  const scale = unit === 'EX' || unit === 'EXAT' ? 1000 : 1;
  const base = unit === 'EX' || unit === 'PX' ? nowMs : 0;
  if (typeof time === 'number') {
    const milliseconds = time * scale;
    const at = milliseconds + base;
    if (Number.isSafeInteger(milliseconds) && Number.isSafeInteger(at)) return at;
  }
  return exactExpiry(BigInt(time) * BigInt(scale), BigInt(base));
}

/** The sum where a double could not hold it. */
function exactExpiry(milliseconds: bigint, base: bigint): ExpireAt | undefined {
  if (milliseconds > INT64_MAX || milliseconds < INT64_MIN) return undefined;
  const at = milliseconds + base;
  if (at > INT64_MAX) return undefined;
  return Number.isSafeInteger(Number(at)) ? Number(at) : at;
}

/**
 * The absolute expiry that argument `i` asks for, for SET, SETEX, GETEX and their like: unlike EXPIRE they refuse
 * zero and negative times. An absolute time may still be in the past (`hasPassed`).
 *
 * @param command the name that the error quotes.
 * @throws the integer error, then `invalid expire time`.
 */
export function positiveExpiry(context: Context, i: number, unit: TimeUnit, command: string): ExpireAt {
  const time = readInteger(context.request, i);
  const at = time > 0 ? absoluteExpiry(time, unit, context.now) : undefined;
  if (at === undefined) throw new CommandError(errors.invalidExpire(command));
  return at;
}

/**
 * Is this moment over, so that a key given it must not exist? The moment itself counts as over, as in Redis's
 * checkAlreadyExpired.
 */
export function hasPassed(at: ExpireAt, nowMs: number): boolean {
  return at <= nowMs;
}
