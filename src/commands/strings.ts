import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { NO_EXPIRY } from '../keyspace/mutations.js';
import { readInteger } from './arguments.js';
import type { Command, Context } from './command.js';
import { hasPassed, positiveExpiry } from './expiry.js';
import { findStringToRead, findStringToWrite, findToRead, replyString } from './lookup.js';
import { counterCommands } from './strings-counters.js';
import { lcsCommands } from './strings-lcs.js';
import { expirationArgument, parseStringOptions, type StringOptions } from './strings-options.js';
import { setCommands } from './strings-set.js';

/*
 * Reading strings, and changing a part of one. The rest of the family: strings-set.ts, strings-counters.ts,
 * strings-lcs.ts.
 */

function get(context: Context): void {
  replyString(context, findStringToRead(context, 1));
}

function mget(context: Context): void {
  const { request, reply, keyspace } = context;
  reply.array(request.count - 1);
  for (let i = 1; i < request.count; i++) {
    const ref = findToRead(context, i);
    replyString(context, ref !== 0 && keyspace.isString(ref) ? ref : 0);
  }
}

/**
 * Order of checks as in Redis: the options, then the key (a missing one is answered before its time is even
 * read), its type, the time.
 */
function getex(context: Context): void {
  const options = parseStringOptions(context.request, 2, 'getex');
  const ref = findStringToRead(context, 1);
  if (ref === 0) context.reply.nil();
  else if (options.unit !== null) getAndExpire(context, ref, options);
  else getAndPersist(context, ref, options.persist);
}

function getAndExpire(context: Context, ref: Ref, options: StringOptions): void {
  const { keyspace, request, db } = context;
  const expireAt = positiveExpiry(context, options.timeAt, options.unit!, 'getex');
  replyString(context, ref);
  if (hasPassed(expireAt, context.now)) {
    keyspace.delete(db, request.bytes, request.start[1]!, request.end[1]!);
  } else {
    keyspace.expireAt(db, request.bytes, request.start[1]!, request.end[1]!, expireAt);
  }
}

function getAndPersist(context: Context, ref: Ref, persist: boolean): void {
  const { keyspace, request } = context;
  replyString(context, ref);
  if (!persist || keyspace.expiryOf(ref) === NO_EXPIRY) return;
  keyspace.expireAt(context.db, request.bytes, request.start[1]!, request.end[1]!, NO_EXPIRY);
}

function getdel(context: Context): void {
  const { keyspace, request } = context;
  const ref = findStringToRead(context, 1);
  replyString(context, ref);
  if (ref !== 0) keyspace.delete(context.db, request.bytes, request.start[1]!, request.end[1]!);
}

function strlen(context: Context): void {
  context.reply.integer(lengthOf(context, findStringToRead(context, 1)));
}

/** Bytes in a string, 0 for a missing one. */
function lengthOf(context: Context, ref: Ref): number {
  if (ref === 0) return 0;
  const { keyspace } = context;
  keyspace.loadString(ref);
  return keyspace.valueEnd - keyspace.valueStart;
}

/** GETRANGE and SUBSTR: from `start` to `end`, both inclusive, negative ones counted from the end. */
function getrange(context: Context): void {
  const { request, reply, keyspace } = context;
  const start = readInteger(request, 2);
  const end = readInteger(request, 3);
  const length = lengthOf(context, findStringToRead(context, 1));
  const first = fromStart(start, length);
  const last = Math.min(fromStart(end, length), length - 1);
  // Before clamping, or two positions in front of the string would both become its first byte.
  const backwards = start < 0 && end < 0 && start > end;
  if (backwards || first > last) reply.bulk(EMPTY, 0, 0);
  else reply.bulk(keyspace.valueBytes, keyspace.valueStart + first, keyspace.valueStart + last + 1);
}

const EMPTY = new Uint8Array(0);

/** A position counted from the start; one in front of it becomes 0, as in Redis up to 7.4. */
function fromStart(position: number | bigint, length: number): number {
  const number = Number(position);
  return number < 0 ? Math.max(number + length, 0) : number;
}

function append(context: Context): void {
  const { request, keyspace, db } = context;
  const ref = findStringToWrite(context, 1);
  const { bytes, start, end } = request;
  if (ref === 0) {
    keyspace.setString(db, bytes, start[1]!, end[1]!, bytes, start[2]!, end[2]!, NO_EXPIRY);
    context.reply.integer(request.length(2));
    return;
  }
  const length = lengthOf(context, ref);
  requireAllowedLength(context, length, request.length(2));
  keyspace.setRange(db, bytes, start[1]!, end[1]!, length, bytes, start[2]!, end[2]!);
  context.reply.integer(length + request.length(2));
}

function setrange(context: Context): void {
  const { request, keyspace } = context;
  const offset = readInteger(request, 2);
  if (offset < 0) throw new CommandError(errors.offsetRange);
  const length = lengthOf(context, findStringToWrite(context, 1));
  const added = request.length(3);
  if (added === 0) {
    context.reply.integer(length);
    return;
  }
  requireAllowedLength(context, Number(offset), added);
  const { bytes, start, end } = request;
  keyspace.setRange(context.db, bytes, start[1]!, end[1]!, Number(offset), bytes, start[3]!, end[3]!);
  context.reply.integer(Math.max(length, Number(offset) + added));
}

/** A string must not outgrow what a client could have sent at once, which is also what SQLite can hold. */
function requireAllowedLength(context: Context, length: number, added: number): void {
  if (length + added > context.host.config.values['proto-max-bulk-len']) {
    throw new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
  }
}

const oneKey = { first: 1, last: 1, step: 1 } as const;
const keyArgument = { name: 'key', type: 'key' } as const;
const rangeArguments = [
  keyArgument,
  { name: 'start', type: 'integer' },
  { name: 'end', type: 'integer' },
] as const;

export const stringCommands = [
  ...setCommands,
  ...counterCommands,
  ...lcsCommands,
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RO', 'access'] },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns the string value of a key.',
    args: [keyArgument],
    handler: get,
  },
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    categories: ['string'],
    keys: { first: 1, last: -1, step: 1, access: ['RO', 'access'] },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys to retrieve',
    summary: 'Returns the string values of several keys; null for a key that holds none.',
    tips: ['request_policy:multi_shard'],
    args: [{ name: 'key', type: 'key', multiple: true }],
    handler: mget,
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'access', 'update'] },
    group: 'string',
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Returns the string value of a key and sets or removes its expiry.',
    args: [keyArgument, expirationArgument('PERSIST')],
    handler: getex,
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'access', 'delete'] },
    group: 'string',
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Returns the string value of a key and deletes the key.',
    args: [keyArgument],
    handler: getdel,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RO'] },
    group: 'string',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Returns the length of a string in bytes.',
    args: [keyArgument],
    handler: strlen,
  },
  {
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RO', 'access'] },
    group: 'string',
    since: '2.4.0',
    complexity: 'O(N) where N is the length of the returned string',
    summary: 'Returns a part of a string.',
    args: rangeArguments,
    handler: getrange,
  },
  {
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RO', 'access'] },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(N) where N is the length of the returned string',
    summary: 'Returns a part of a string; the older name of GETRANGE.',
    deprecatedSince: '2.0.0',
    replacedBy: '`GETRANGE`',
    args: rangeArguments,
    handler: getrange,
  },
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'insert'] },
    group: 'string',
    since: '2.0.0',
    complexity: 'O(1) amortized for a short appended value',
    summary: 'Adds bytes to the end of a string, creating it if it is missing.',
    args: [keyArgument, { name: 'value', type: 'string' }],
    handler: append,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'update'] },
    group: 'string',
    since: '2.2.0',
    complexity: 'O(M) where M is the length of the value',
    summary: 'Overwrites a part of a string from an offset, filling a gap with zero bytes.',
    args: [keyArgument, { name: 'offset', type: 'integer' }, { name: 'value', type: 'string' }],
    handler: setrange,
  },
] as const satisfies readonly Command[];
