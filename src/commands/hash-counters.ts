import { copyBytes, parseInt64, writeInt64 } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import { addInt64 } from '../base/int64.js';
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from '../base/long-double.js';
import { allocateBytes } from '../base/word-view.js';
import { type ExpireAt, FieldList, NO_EXPIRY } from '../keyspace/mutations.js';
import type { Command, Context } from './command.js';
import { fieldArgument, findField, findHashToWrite, keyArgument, keyReadAndUpdated } from './hash-access.js';

/** HINCRBY and HINCRBYFLOAT. Both leave the field's own expiry as it is. */

function hincrby(context: Context): void {
  const { request, keyspace, reply } = context;
  const increment = request.int64(3);
  if (increment === undefined) throw new CommandError(errors.notInteger);
  const existed = findField(context, findHashToWrite(context), 2);
  const value = existed ? parseInt64(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd) : 0;
  if (value === undefined) throw new CommandError('ERR hash value is not an integer');
  const sum = addInt64(value, increment);
  if (sum === undefined) throw new CommandError(errors.overflow);
  const expireAt = existed ? keyspace.fieldExpireAt : NO_EXPIRY;
  const split = request.length(2);
  const staged = stageName(context, INT64_MAX_BYTES);
  storeStaged(context, staged, split, writeInt64(sum, staged, split), expireAt);
  reply.integer(sum);
}

function hincrbyfloat(context: Context): void {
  const { request, keyspace, reply } = context;
  const increment = parseLongDouble(request.bytes, request.start[3]!, request.end[3]!);
  if (increment === undefined) throw new CommandError(errors.notFloat);
  if (increment === 'infinite') throw new CommandError('ERR value is NaN or Infinity');
  const existed = findField(context, findHashToWrite(context), 2);
  const value = existed ? parseLongDouble(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd) : ZERO;
  if (value === undefined) throw new CommandError('ERR hash value is not a float');
  const sum = addLongDoubles(value, increment);
  if (sum === 'infinite') throw new CommandError('ERR increment would produce NaN or Infinity');
  const text = formatLongDouble(sum);
  const expireAt = existed ? keyspace.fieldExpireAt : NO_EXPIRY;
  const split = request.length(2);
  const staged = stageName(context, text.length);
  storeStaged(context, staged, split, split + staged.write(text, split, 'latin1'), expireAt);
  reply.bulk(staged, split, split + text.length);
}

const ZERO: LongDouble = { significand: 0n, exponent: 0 };

/** The longest: a sign and 19 digits. */
const INT64_MAX_BYTES = 20;
const written = new FieldList();
const scratch = allocateBytes(512);

/**
 * Copies the field's name, argument 2, to the start of a buffer with `room` bytes after it: name and computed
 * value must lie in one buffer, because a FieldList refers to one.
 */
function stageName(context: Context, room: number): Buffer {
  const { request } = context;
  const size = request.length(2) + room;
  const staged = size <= scratch.length ? scratch : Buffer.allocUnsafe(size);
  copyBytes(request.bytes, request.start[2]!, request.end[2]!, staged, 0);
  return staged;
}

/** Sets the field named by `staged[0, split)` to `staged[split, end)`. */
function storeStaged(context: Context, staged: Buffer, split: number, end: number, expireAt: ExpireAt): void {
  const { request, keyspace } = context;
  written.reset(staged).add(0, split, split, end, expireAt);
  keyspace.hashSet(context.db, request.bytes, request.start[1]!, request.end[1]!, written);
}

export const hashCounterCommands: readonly Command[] = [
  {
    name: 'hincrby',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyReadAndUpdated,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Adds an integer to a field of a hash; a missing field counts as 0.',
    args: [keyArgument, fieldArgument, { name: 'increment', type: 'integer' }],
    handler: hincrby,
  },
  {
    name: 'hincrbyfloat',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyReadAndUpdated,
    group: 'hash',
    since: '2.6.0',
    complexity: 'O(1)',
    summary: 'Adds a floating point number to a field of a hash; a missing field counts as 0.',
    args: [keyArgument, fieldArgument, { name: 'increment', type: 'double' }],
    handler: hincrbyfloat,
  },
];
