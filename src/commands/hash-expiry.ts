import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import type { Request } from '../resp/request.js';
import type { Command, CommandArgument, CommandFlag, Context, KeyPositions } from './command.js';
import type { TimeUnit } from './expiry.js';
import {
  conditionArgument,
  expirationArgument,
  FIELD_COUNT_NOT_POSITIVE,
  FieldSelection,
  fieldNamesArgument,
  findField,
  findHashToRead,
  findHashToWrite,
  keyArgument,
  keyRead,
  keyReadAndDeletedFrom,
  keyReadAndUpdated,
  keyUpdated,
  readFieldExpiry,
  readFieldNames,
  removeSelected,
} from './hash-access.js';

/**
 * Fields that expire on their own: the HEXPIRE and HTTL families and HPERSIST of Redis 7.4, HGETEX and
 * HGETDEL of Redis 8. They look at the key first, so a wrong type is reported before any other mistake.
 */

const selected = new FieldSelection();

/** Answers of one field. */
const NO_SUCH_FIELD = -2;
const NO_TIME_SET = -1;
const CONDITION_NOT_MET = 0;
const DONE = 1;
const REMOVED = 2;

type Condition = 'none' | 'NX' | 'XX' | 'GT' | 'LT';

/** HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT. */
function expireFields(context: Context, name: string, unit: TimeUnit): void {
  const { request, keyspace, reply } = context;
  const ref = findHashToWrite(context);
  const expireAt = readFieldExpiry(context, 2, unit, name);
  const condition = readCondition(request, 3);
  const first = readFieldNames(
    request,
    condition === 'none' ? 3 : 4,
    name,
    'ERR Parameter `numFields` should be greater than 0',
  );
  const isPast = expireAt <= context.now;
  selected.reset(request.bytes);
  reply.array(request.count - first);
  for (let i = first; i < request.count; i++) {
    const previous = expiryBefore(context, ref, i, expireAt, isPast);
    if (previous === undefined) reply.integer(NO_SUCH_FIELD);
    else if (!allows(condition, previous, expireAt)) reply.integer(CONDITION_NOT_MET);
    else {
      select(request, i);
      reply.integer(isPast ? REMOVED : DONE);
    }
  }
  if (isPast) removeSelected(context, ref, selected);
  else if (selected.length > 0) {
    keyspace.hashExpireAt(
      context.db,
      request.bytes,
      request.start[1]!,
      request.end[1]!,
      selected.list,
      expireAt,
    );
  }
}

function readCondition(request: Request, i: number): Condition {
  if (request.is(i, 'NX')) return 'NX';
  if (request.is(i, 'XX')) return 'XX';
  if (request.is(i, 'GT')) return 'GT';
  if (request.is(i, 'LT')) return 'LT';
  return 'none';
}

/**
 * The expiry field `i` has when its turn comes, undefined when there is no such field then: a field named
 * twice has already been given `expireAt`, or been removed, by its first mention.
 */
function expiryBefore(
  context: Context,
  ref: number,
  i: number,
  expireAt: number,
  isPast: boolean,
): ExpireAt | undefined {
  if (isSelected(context.request, i)) return isPast ? undefined : expireAt;
  return findField(context, ref, i) ? context.keyspace.fieldExpireAt : undefined;
}

/** A field without an expiry counts as one that never expires: GT cannot be met, LT always is. */
function allows(condition: Condition, previous: ExpireAt, expireAt: number): boolean {
  const persistent = previous === NO_EXPIRY;
  switch (condition) {
    case 'none':
      return true;
    case 'NX':
      return persistent;
    case 'XX':
      return !persistent;
    case 'GT':
      return !persistent && expireAt > previous;
    case 'LT':
      return persistent || expireAt < previous;
  }
}

function isSelected(request: Request, i: number): boolean {
  return selected.has(request.start[i]!, request.end[i]!);
}

function select(request: Request, i: number): void {
  if (!isSelected(request, i)) selected.list.addName(request.start[i]!, request.end[i]!);
}

/** HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: the time left, or the absolute time, in the unit's own scale. */
function answerTimes(context: Context, name: string, unit: TimeUnit): void {
  const { request, keyspace, reply } = context;
  const ref = findHashToRead(context);
  const first = readFieldNames(request, 2, name, FIELD_COUNT_NOT_POSITIVE);
  reply.array(request.count - first);
  for (let i = first; i < request.count; i++) {
    if (!findField(context, ref, i)) reply.integer(NO_SUCH_FIELD);
    else if (keyspace.fieldExpireAt === NO_EXPIRY) reply.integer(NO_TIME_SET);
    else reply.integer(timeOf(keyspace.fieldExpireAt, unit, context.now));
  }
}

/** Seconds are rounded up, as Redis does for fields (for keys it rounds to the nearest). */
function timeOf(expireAt: ExpireAt, unit: TimeUnit, nowMs: number): number | bigint {
  const base = unit === 'EX' || unit === 'PX' ? nowMs : 0;
  const inSeconds = unit === 'EX' || unit === 'EXAT';
  if (typeof expireAt === 'bigint') {
    const exact = expireAt - BigInt(base);
    return inSeconds ? (exact + 999n) / 1000n : exact;
  }
  return inSeconds ? Math.ceil((expireAt - base) / 1000) : expireAt - base;
}

function hpersist(context: Context): void {
  const { request, reply } = context;
  const ref = findHashToWrite(context);
  const first = readFieldNames(request, 2, 'hpersist', FIELD_COUNT_NOT_POSITIVE);
  selected.reset(request.bytes);
  reply.array(request.count - first);
  for (let i = first; i < request.count; i++) {
    if (!findField(context, ref, i)) reply.integer(NO_SUCH_FIELD);
    else reply.integer(selectIfExpiring(context, i) ? DONE : NO_TIME_SET);
  }
  persistSelected(context);
}

/** Selects the field just found unless it has no expiry, or has lost it to an earlier mention. */
function selectIfExpiring(context: Context, i: number): boolean {
  const { request } = context;
  if (context.keyspace.fieldExpireAt === NO_EXPIRY || isSelected(request, i)) return false;
  select(request, i);
  return true;
}

function persistSelected(context: Context): void {
  if (selected.length === 0) return;
  const { request, keyspace } = context;
  keyspace.hashExpireAt(
    context.db,
    request.bytes,
    request.start[1]!,
    request.end[1]!,
    selected.list,
    NO_EXPIRY,
  );
}

function hgetex(context: Context): void {
  const { request, keyspace } = context;
  const ref = findHashToWrite(context);
  const unit = readTimeUnit(request, 2);
  const persist = unit === undefined && request.is(2, 'PERSIST');
  const expireAt = unit === undefined ? NO_EXPIRY : readFieldExpiry(context, 3, unit, 'hgetex');
  const at = unit !== undefined ? 4 : persist ? 3 : 2;
  const first = readFieldNames(request, at, 'hgetex', FIELD_COUNT_NOT_POSITIVE);
  const isPast = unit !== undefined && expireAt <= context.now;
  selected.reset(request.bytes);
  if (isPast) {
    takeFields(context, ref, first);
    return;
  }
  answerValues(context, ref, first, persist, unit !== undefined);
  if (persist) persistSelected(context);
  else if (selected.length > 0) {
    keyspace.hashExpireAt(
      context.db,
      request.bytes,
      request.start[1]!,
      request.end[1]!,
      selected.list,
      expireAt,
    );
  }
}

/** Answers the values; selects the fields whose expiry is to be removed or to be set. */
function answerValues(context: Context, ref: number, first: number, persist: boolean, expire: boolean): void {
  const { request, keyspace, reply } = context;
  reply.array(request.count - first);
  for (let i = first; i < request.count; i++) {
    if (!findField(context, ref, i)) {
      reply.nil();
      continue;
    }
    reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
    if (persist) selectIfExpiring(context, i);
    else if (expire) select(request, i);
  }
}

function hgetdel(context: Context): void {
  const { request } = context;
  const ref = findHashToWrite(context);
  const first = readFieldNames(request, 2, 'hgetdel', FIELD_COUNT_NOT_POSITIVE);
  selected.reset(request.bytes);
  takeFields(context, ref, first);
}

/** Answers the values of the fields and removes them; a second mention finds nothing any more. */
function takeFields(context: Context, ref: number, first: number): void {
  const { request, keyspace, reply } = context;
  reply.array(request.count - first);
  for (let i = first; i < request.count; i++) {
    if (isSelected(request, i) || !findField(context, ref, i)) {
      reply.nil();
      continue;
    }
    reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
    selected.list.addName(request.start[i]!, request.end[i]!);
  }
  removeSelected(context, ref, selected);
}

/** The time option at argument `i`, undefined when there is none. */
export function readTimeUnit(request: Request, i: number): TimeUnit | undefined {
  if (request.is(i, 'EX')) return 'EX';
  if (request.is(i, 'PX')) return 'PX';
  if (request.is(i, 'EXAT')) return 'EXAT';
  if (request.is(i, 'PXAT')) return 'PXAT';
  return undefined;
}

function expireCommand(name: string, unit: TimeUnit, time: CommandArgument, summary: string): Command {
  return {
    ...fieldCommand('7.4.0', ['write', 'denyoom', 'fast'], keyUpdated),
    name,
    arity: -6,
    summary,
    args: [keyArgument, time, conditionArgument('condition', 'NX', 'XX', 'GT', 'LT'), fieldNamesArgument],
    handler: (context) => expireFields(context, name, unit),
  };
}

function timeCommand(name: string, unit: TimeUnit, summary: string): Command {
  return {
    ...fieldCommand('7.4.0', ['readonly', 'fast'], keyRead),
    name,
    arity: -5,
    summary,
    args: [keyArgument, fieldNamesArgument],
    handler: (context) => answerTimes(context, name, unit),
  };
}

/** What the commands of this family have in common. */
function fieldCommand(since: string, flags: readonly CommandFlag[], keys: KeyPositions) {
  return {
    since,
    flags,
    keys,
    categories: ['hash'],
    group: 'hash',
    complexity: 'O(N) where N is the number of fields named.',
  } as const;
}

export const hashExpiryCommands: readonly Command[] = [
  expireCommand(
    'hexpire',
    'EX',
    { name: 'seconds', type: 'integer' },
    'Makes fields of a hash expire in so many seconds.',
  ),
  expireCommand(
    'hpexpire',
    'PX',
    { name: 'milliseconds', type: 'integer' },
    'Makes fields of a hash expire in so many milliseconds.',
  ),
  expireCommand(
    'hexpireat',
    'EXAT',
    { name: 'unix-time-seconds', type: 'unix-time' },
    'Makes fields of a hash expire at a Unix time in seconds.',
  ),
  expireCommand(
    'hpexpireat',
    'PXAT',
    { name: 'unix-time-milliseconds', type: 'unix-time' },
    'Makes fields of a hash expire at a Unix time in milliseconds.',
  ),
  timeCommand('httl', 'EX', 'Tells in how many seconds fields of a hash expire.'),
  timeCommand('hpttl', 'PX', 'Tells in how many milliseconds fields of a hash expire.'),
  timeCommand('hexpiretime', 'EXAT', 'Tells the Unix time in seconds at which fields of a hash expire.'),
  timeCommand(
    'hpexpiretime',
    'PXAT',
    'Tells the Unix time in milliseconds at which fields of a hash expire.',
  ),
  {
    ...fieldCommand('7.4.0', ['write', 'fast'], keyUpdated),
    name: 'hpersist',
    arity: -5,
    summary: 'Makes fields of a hash stay for good.',
    args: [keyArgument, fieldNamesArgument],
    handler: hpersist,
  },
  {
    ...fieldCommand('8.0.0', ['write', 'fast'], keyReadAndUpdated),
    name: 'hgetex',
    arity: -5,
    summary: 'Reads fields of a hash and sets or removes their expiry.',
    args: [
      keyArgument,
      expirationArgument({ name: 'persist', type: 'pure-token', token: 'PERSIST' }),
      fieldNamesArgument,
    ],
    handler: hgetex,
  },
  {
    ...fieldCommand('8.0.0', ['write', 'fast'], keyReadAndDeletedFrom),
    name: 'hgetdel',
    arity: -5,
    summary: 'Reads fields of a hash and removes them.',
    args: [keyArgument, fieldNamesArgument],
    handler: hgetdel,
  },
];
