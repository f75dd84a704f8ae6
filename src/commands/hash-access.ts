import { equalBytes, latin1 } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { FieldList } from '../keyspace/mutations.js';
import type { Request } from '../resp/request.js';
import type { CommandArgument, Context, KeyPositions } from './command.js';
import { absoluteExpiry, type TimeUnit } from './expiry.js';
import { findToRead, findToWrite } from './lookup.js';

/**
 * What the hash families share: finding the hash, choosing fields each once, taking fields away, reading
 * `FIELDS numfields ...` and field times. In every hash command the key is argument 1.
 */

/** The hash the command names, to read it; 0 when there is no such key. @throws WRONGTYPE */
export function findHashToRead(context: Context): Ref {
  return requireHash(context, findToRead(context, 1));
}

/** The hash the command names, to change it; 0 when there is no such key. @throws WRONGTYPE */
export function findHashToWrite(context: Context): Ref {
  return requireHash(context, findToWrite(context, 1));
}

function requireHash(context: Context, ref: Ref): Ref {
  if (ref !== 0 && !context.keyspace.isHash(ref)) throw new CommandError(errors.wrongType);
  return ref;
}

/** Is argument `i` a live field of this hash? Points the keyspace at its value and expiry when it is. */
export function findField(context: Context, ref: Ref, i: number): boolean {
  const { request } = context;
  return ref !== 0 && context.keyspace.hashFind(ref, request.bytes, request.start[i]!, request.end[i]!);
}

/** Number of live fields of the hash the command names; 0 when there is none. */
export function hashLength(context: Context): number {
  const { request, keyspace } = context;
  const ref = keyspace.peek(context.db, request.bytes, request.start[1]!, request.end[1]!);
  return ref === 0 ? 0 : keyspace.hashLength(ref);
}

/**
 * Fields a command has chosen to change, as ranges over the request. A client may name one field twice;
 * `has` tells, so that what depends on the number of distinct fields stays right.
 */
export class FieldSelection {
  readonly list = new FieldList();
  /** The first `indexed` names of the list, so that n calls of `has` cost O(n) and not O(n^2). */
  private names = new Set<string>();
  private indexed = 0;

  reset(bytes: Uint8Array): this {
    this.list.reset(bytes);
    if (this.indexed > 0) this.names = new Set();
    this.indexed = 0;
    return this;
  }

  get length(): number {
    return this.list.length;
  }

  /** Has a field of these bytes been added since the reset? */
  has(start: number, end: number): boolean {
    const { list } = this;
    if (list.length > COMPARED_ONE_BY_ONE) return this.index().has(latin1(list.bytes, start, end));
    for (let i = 0; i < list.length; i++) {
      if (equalBytes(list.bytes, list.fieldStart[i]!, list.fieldEnd[i]!, list.bytes, start, end)) return true;
    }
    return false;
  }

  private index(): Set<string> {
    const { list, names } = this;
    for (; this.indexed < list.length; this.indexed++) {
      names.add(latin1(list.bytes, list.fieldStart[this.indexed]!, list.fieldEnd[this.indexed]!));
    }
    return names;
  }
}

/** Up to here comparing bytes is cheaper than making a string per field. */
const COMPARED_ONE_BY_ONE = 16;

/**
 * Takes the selected fields, all live and each named once, out of the hash; takes the key away with its last
 * live field, because an empty hash does not exist.
 */
export function removeSelected(context: Context, ref: Ref, selection: FieldSelection): void {
  if (selection.length === 0) return;
  const { request, keyspace } = context;
  const start = request.start[1]!;
  const end = request.end[1]!;
  if (selection.length === keyspace.hashLength(ref)) {
    keyspace.delete(context.db, request.bytes, start, end);
    return;
  }
  keyspace.hashDelete(context.db, request.bytes, start, end, selection.list);
}

/**
 * Reads `FIELDS numfields field [field ...]`, which must be the rest of the command, from argument `at` on.
 *
 * @param invalidCount the error for a count that is not a positive integer; commands differ in it.
 * @returns the argument number of the first field.
 */
export function readFieldNames(request: Request, at: number, name: string, invalidCount: string): number {
  if (at >= request.count || !request.is(at, 'FIELDS')) {
    throw new CommandError('ERR Mandatory argument FIELDS is missing or not at the right position');
  }
  if (at + 1 >= request.count) throw new CommandError(errors.arity(name));
  const count = request.int64(at + 1);
  if (count === undefined || count < 1) throw new CommandError(invalidCount);
  if (count !== request.count - at - 2) {
    throw new CommandError('ERR The `numfields` parameter must match the number of arguments');
  }
  return at + 2;
}

export const FIELD_COUNT_NOT_POSITIVE = 'ERR Number of fields must be a positive integer';

/**
 * Latest expiry of a field in Unix ms, year 4199: Redis packs field expiries into 48 bits and leaves two of
 * them for its own use (HFE_MAX_ABS_TIME_MSEC in t_hash.c, (2^48 - 1) >> 2).
 */
export const MAX_FIELD_EXPIRE_AT_MS = 70_368_744_177_663;

/**
 * Argument `i` as the absolute expiry of fields, in Unix ms, 0 to MAX_FIELD_EXPIRE_AT_MS. It may lie in the
 * past: such fields are removed.
 */
export function readFieldExpiry(context: Context, i: number, unit: TimeUnit, name: string): number {
  const time = context.request.int64(i);
  if (time === undefined) throw new CommandError(errors.notInteger);
  if (time < 0) throw new CommandError('ERR invalid expire time, must be >= 0');
  const expireAt = absoluteExpiry(time, unit, context.now);
  if (expireAt === undefined || expireAt > MAX_FIELD_EXPIRE_AT_MS) {
    throw new CommandError(errors.invalidExpire(name));
  }
  return Number(expireAt);
}

/** Key positions of a command whose only key is argument 1, by what it does to that key. */
function keyAtOne(...access: string[]): KeyPositions {
  return { first: 1, last: 1, step: 1, access };
}

export const keyOnlyRead = keyAtOne('RO');
export const keyRead = keyAtOne('RO', 'access');
export const keyUpdated = keyAtOne('RW', 'update');
export const keyReadAndUpdated = keyAtOne('RW', 'access', 'update');
export const keyInserted = keyAtOne('RW', 'insert');
export const keyDeletedFrom = keyAtOne('RW', 'delete');
export const keyReadAndDeletedFrom = keyAtOne('RW', 'access', 'delete');

/** Documentation of arguments that several hash commands have. */
export const keyArgument: CommandArgument = { name: 'key', type: 'key' };
export const fieldArgument: CommandArgument = { name: 'field', type: 'string' };
export const valueArgument: CommandArgument = { name: 'value', type: 'string' };
export const fieldsArgument: CommandArgument = { name: 'field', type: 'string', multiple: true };

/** `FIELDS numfields field [field ...]`. */
export const fieldNamesArgument: CommandArgument = {
  name: 'fields',
  type: 'block',
  token: 'FIELDS',
  args: [{ name: 'numfields', type: 'integer' }, fieldsArgument],
};

/** `EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds`, and one more. */
export function expirationArgument(last: CommandArgument): CommandArgument {
  return {
    name: 'expiration',
    type: 'oneof',
    optional: true,
    args: [
      { name: 'seconds', type: 'integer', token: 'EX' },
      { name: 'milliseconds', type: 'integer', token: 'PX' },
      { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT' },
      { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT' },
      last,
    ],
  };
}

/** One of these keywords, or none. */
export function conditionArgument(name: string, ...tokens: readonly string[]): CommandArgument {
  return {
    name,
    type: 'oneof',
    optional: true,
    args: tokens.map((token) => ({ name: token.toLowerCase(), type: 'pure-token', token })),
  };
}
