import { INT64_MIN, parseInt64, writeInt64 } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import { addInt64 } from '../base/int64.js';
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from '../base/long-double.js';
import { allocateBytes } from '../base/word-view.js';
import type { Ref } from '../keyspace/keyspace.js';
import { NO_EXPIRY } from '../keyspace/mutations.js';
import { readInteger } from './arguments.js';
import type { Command, Context } from './command.js';
import { findStringToWrite } from './lookup.js';

/*
 * Strings that are numbers. A counter is stored as its decimal text with the expiry it had, so that the log
 * says what the value became and not by how much it changed.
 */

/** Room for the longest int64. */
const digits = allocateBytes(20);

function incr(context: Context): void {
  changeBy(context, 1);
}

function decr(context: Context): void {
  changeBy(context, -1);
}

function incrby(context: Context): void {
  changeBy(context, readInteger(context.request, 2));
}

function decrby(context: Context): void {
  const decrement = readInteger(context.request, 2);
  if (decrement === INT64_MIN) throw new CommandError('ERR decrement would overflow');
  changeBy(context, -decrement);
}

function changeBy(context: Context, increment: number | bigint): void {
  const ref = findStringToWrite(context, 1);
  const value = addInt64(currentInteger(context, ref), increment);
  if (value === undefined) throw new CommandError(errors.overflow);
  storeText(context, ref, digits, writeInt64(value, digits, 0));
  context.reply.integer(value);
}

/** The integer a key holds, 0 for a missing one. */
function currentInteger(context: Context, ref: Ref): number | bigint {
  if (ref === 0) return 0;
  const { keyspace } = context;
  keyspace.loadString(ref);
  const value = parseInt64(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
  if (value === undefined) throw new CommandError(errors.notInteger);
  return value;
}

/** Replaces a string by `text[0, end)`, keeping its expiry. */
function storeText(context: Context, ref: Ref, text: Uint8Array, end: number): void {
  const { keyspace, request } = context;
  const expireAt = ref === 0 ? NO_EXPIRY : keyspace.expiryOf(ref);
  keyspace.setString(context.db, request.bytes, request.start[1]!, request.end[1]!, text, 0, end, expireAt);
}

const ZERO: LongDouble = { significand: 0n, exponent: 0 };

function incrbyfloat(context: Context): void {
  const { request, reply } = context;
  const ref = findStringToWrite(context, 1);
  const value = ref === 0 ? ZERO : currentFloat(context, ref);
  const increment = parseLongDouble(request.bytes, request.start[2]!, request.end[2]!);
  if (increment === undefined) throw new CommandError(errors.notFloat);
  const result = addLongDoubles(value, increment);
  if (result === 'infinite') throw new CommandError('ERR increment would produce NaN or Infinity');
  const text = Buffer.from(formatLongDouble(result), 'latin1');
  storeText(context, ref, text, text.length);
  reply.bulkBytes(text);
}

function currentFloat(context: Context, ref: Ref): LongDouble {
  const { keyspace } = context;
  keyspace.loadString(ref);
  const value = parseLongDouble(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
  if (value === undefined) throw new CommandError(errors.notFloat);
  return value;
}

const common = {
  flags: ['write', 'denyoom', 'fast'],
  categories: ['string'],
  keys: { first: 1, last: 1, step: 1, access: ['RW', 'access', 'update'] },
  group: 'string',
  complexity: 'O(1)',
} as const;
const keyArgument = { name: 'key', type: 'key' } as const;

export const counterCommands = [
  {
    ...common,
    name: 'incr',
    arity: 2,
    since: '1.0.0',
    summary: 'Adds one to the integer a key holds; a missing key counts as 0.',
    args: [keyArgument],
    handler: incr,
  },
  {
    ...common,
    name: 'decr',
    arity: 2,
    since: '1.0.0',
    summary: 'Takes one from the integer a key holds; a missing key counts as 0.',
    args: [keyArgument],
    handler: decr,
  },
  {
    ...common,
    name: 'incrby',
    arity: 3,
    since: '1.0.0',
    summary: 'Adds a number to the integer a key holds; a missing key counts as 0.',
    args: [keyArgument, { name: 'increment', type: 'integer' }],
    handler: incrby,
  },
  {
    ...common,
    name: 'decrby',
    arity: 3,
    since: '1.0.0',
    summary: 'Takes a number from the integer a key holds; a missing key counts as 0.',
    args: [keyArgument, { name: 'decrement', type: 'integer' }],
    handler: decrby,
  },
  {
    ...common,
    name: 'incrbyfloat',
    arity: 3,
    since: '2.6.0',
    summary: 'Adds a decimal number to the number a key holds; a missing key counts as 0.',
    args: [keyArgument, { name: 'increment', type: 'double' }],
    handler: incrbyfloat,
  },
] as const satisfies readonly Command[];
