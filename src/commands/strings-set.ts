import { equalBytes } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import type { Request } from '../resp/request.js';
import type { Command, Context } from './command.js';
import { hasPassed, positiveExpiry, type TimeUnit } from './expiry.js';
import { findStringToRead, findToWrite, replyString, requireString } from './lookup.js';
import {
  existenceArguments,
  expirationArgument,
  parseStringOptions,
  type StringOptions,
} from './strings-options.js';

/*
 * The commands that replace a whole string. Each ends in keyspace.setString with an absolute expiry, or, when
 * that expiry is already over, in the key's deletion: a key that nobody could read is not worth a record.
 */

/** Sets the key in argument `keyAt` to argument `valueAt`, whatever it held. */
function store(context: Context, keyAt: number, valueAt: number, expireAt: ExpireAt): void {
  const { bytes, start, end } = context.request;
  context.keyspace.setString(
    context.db,
    bytes,
    start[keyAt]!,
    end[keyAt]!,
    bytes,
    start[valueAt]!,
    end[valueAt]!,
    expireAt,
  );
}

/** As `store`, where the expiry may be in the past; `ref` is the present key, 0 for none. */
function storeOrDelete(context: Context, keyAt: number, ref: Ref, expireAt: ExpireAt): void {
  if (expireAt === NO_EXPIRY || !hasPassed(expireAt, context.now)) {
    store(context, keyAt, keyAt + 1, expireAt);
  } else if (ref !== 0) {
    const { bytes, start, end } = context.request;
    context.keyspace.delete(context.db, bytes, start[keyAt]!, end[keyAt]!);
  }
}

function set(context: Context): void {
  if (context.request.count === 3) {
    store(context, 1, 2, NO_EXPIRY);
    context.reply.ok();
    return;
  }
  const options = parseStringOptions(context.request, 3, 'set');
  const expireAt = givenExpiry(context, options, 'set');
  const ref = options.get ? findStringToRead(context, 1) : findToWrite(context, 1);
  if (options.get) replyString(context, ref);
  if (conditionHolds(context, options, ref)) {
    storeOrDelete(context, 1, ref, options.keepTtl ? expiryOf(context, ref) : expireAt);
    if (!options.get) context.reply.ok();
  } else if (!options.get) {
    context.reply.nil();
  }
}

/** The absolute expiry that the options ask for, NO_EXPIRY when they name no time. */
function givenExpiry(context: Context, options: StringOptions, command: string): ExpireAt {
  if (options.unit === null) return NO_EXPIRY;
  return positiveExpiry(context, options.timeAt, options.unit, command);
}

function expiryOf(context: Context, ref: Ref): ExpireAt {
  return ref === 0 ? NO_EXPIRY : context.keyspace.expiryOf(ref);
}

function conditionHolds(context: Context, options: StringOptions, ref: Ref): boolean {
  switch (options.condition) {
    case 'none':
      return true;
    case 'NX':
      return ref === 0;
    case 'XX':
      return ref !== 0;
    case 'IFEQ':
      return ref !== 0 && holds(context, ref, options.comparedAt);
    case 'IFNE':
      return ref === 0 || !holds(context, ref, options.comparedAt);
  }
}

/** Is the value of this key what argument `i` says? @throws WRONGTYPE */
function holds(context: Context, ref: Ref, i: number): boolean {
  requireString(context, ref);
  const { keyspace, request } = context;
  keyspace.loadString(ref);
  const { valueBytes, valueStart, valueEnd } = keyspace;
  return equalBytes(valueBytes, valueStart, valueEnd, request.bytes, request.start[i]!, request.end[i]!);
}

function setex(context: Context): void {
  setWithTime(context, 'EX', 'setex');
}

function psetex(context: Context): void {
  setWithTime(context, 'PX', 'psetex');
}

function setWithTime(context: Context, unit: TimeUnit, command: string): void {
  store(context, 1, 3, positiveExpiry(context, 2, unit, command));
  context.reply.ok();
}

function setnx(context: Context): void {
  const missing = findToWrite(context, 1) === 0;
  if (missing) store(context, 1, 2, NO_EXPIRY);
  context.reply.integer(missing ? 1 : 0);
}

function getset(context: Context): void {
  replyString(context, findStringToRead(context, 1));
  store(context, 1, 2, NO_EXPIRY);
}

function mset(context: Context): void {
  const { request } = context;
  if (request.count % 2 === 0) throw new CommandError(errors.arity('mset'));
  for (let i = 1; i < request.count; i += 2) store(context, i, i + 1, NO_EXPIRY);
  context.reply.ok();
}

function msetnx(context: Context): void {
  const { request } = context;
  if (request.count % 2 === 0) throw new CommandError(errors.arity('msetnx'));
  const missing = everyKey(context, 1, request.count, false);
  if (missing) for (let i = 1; i < request.count; i += 2) store(context, i, i + 1, NO_EXPIRY);
  context.reply.integer(missing ? 1 : 0);
}

/** Does every second argument from `first` to before `end` name a key that exists (or that does not)? */
function everyKey(context: Context, first: number, end: number, exists: boolean): boolean {
  for (let i = first; i < end; i += 2) {
    if ((findToWrite(context, i) !== 0) !== exists) return false;
  }
  return true;
}

const INT32_MAX = 0x7fffffff;

function msetex(context: Context): void {
  const { request } = context;
  const pairs = request.int64(1);
  if (pairs === undefined || pairs < 1 || pairs > INT32_MAX) {
    throw new CommandError('ERR invalid numkeys value');
  }
  const end = 2 + Number(pairs) * 2;
  if (end > request.count) throw new CommandError('ERR wrong number of key-value pairs');
  const options = parseStringOptions(request, end, 'msetex');
  const expireAt = givenExpiry(context, options, 'msetex');
  const { condition, keepTtl } = options;
  if (condition !== 'none' && !everyKey(context, 2, end, condition === 'XX')) {
    context.reply.integer(0);
    return;
  }
  for (let i = 2; i < end; i += 2) {
    const ref = findToWrite(context, i);
    storeOrDelete(context, i, ref, keepTtl ? expiryOf(context, ref) : expireAt);
  }
  context.reply.integer(1);
}

const oneKey = { first: 1, last: 1, step: 1 } as const;
const keyArgument = { name: 'key', type: 'key' } as const;
const valueArgument = { name: 'value', type: 'string' } as const;
const pairsArgument = {
  name: 'data',
  type: 'block',
  multiple: true,
  args: [keyArgument, valueArgument],
} as const;

/** SET reads the old value only where GET asks for it. */
function accessOfSet(request: Request, name: number): readonly string[] {
  for (let i = name + 3; i < request.count; i++) {
    if (request.is(i, 'GET')) return ['RW', 'access', 'update'];
  }
  return ['OW', 'update'];
}

export const setCommands = [
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'access', 'update', 'variable_flags'], accessOfCall: accessOfSet },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key a string value, optionally with an expiry or under a condition.',
    args: [
      keyArgument,
      valueArgument,
      {
        name: 'condition',
        type: 'oneof',
        optional: true,
        args: [
          ...existenceArguments,
          { name: 'ifeq-value', type: 'string', token: 'IFEQ' },
          { name: 'ifne-value', type: 'string', token: 'IFNE' },
        ],
      },
      { name: 'get', type: 'pure-token', token: 'GET', optional: true },
      expirationArgument('KEEPTTL'),
    ],
    handler: set,
  },
  {
    name: 'setex',
    arity: 4,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { ...oneKey, access: ['OW', 'update'] },
    group: 'string',
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key a string value that expires after a number of seconds.',
    deprecatedSince: '2.6.12',
    replacedBy: '`SET` with the `EX` argument',
    args: [keyArgument, { name: 'seconds', type: 'integer' }, valueArgument],
    handler: setex,
  },
  {
    name: 'psetex',
    arity: 4,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { ...oneKey, access: ['OW', 'update'] },
    group: 'string',
    since: '2.6.0',
    complexity: 'O(1)',
    summary: 'Gives a key a string value that expires after a number of milliseconds.',
    deprecatedSince: '2.6.12',
    replacedBy: '`SET` with the `PX` argument',
    args: [keyArgument, { name: 'milliseconds', type: 'integer' }, valueArgument],
    handler: psetex,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['OW', 'insert'] },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key a string value only if it does not exist.',
    deprecatedSince: '2.6.12',
    replacedBy: '`SET` with the `NX` argument',
    args: [keyArgument, valueArgument],
    handler: setnx,
  },
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['string'],
    keys: { ...oneKey, access: ['RW', 'access', 'update'] },
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key a string value and returns the one before.',
    deprecatedSince: '6.2.0',
    replacedBy: '`SET` with the `!GET` argument',
    args: [keyArgument, valueArgument],
    handler: getset,
  },
  {
    name: 'mset',
    arity: -3,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { first: 1, last: -1, step: 2, access: ['OW', 'update'] },
    group: 'string',
    since: '1.0.1',
    complexity: 'O(N) where N is the number of keys to set',
    summary: 'Gives several keys string values at once.',
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    args: [pairsArgument],
    handler: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: ['write', 'denyoom'],
    categories: ['string'],
    keys: { first: 1, last: -1, step: 2, access: ['OW', 'insert'] },
    group: 'string',
    since: '1.0.1',
    complexity: 'O(N) where N is the number of keys to set',
    summary: 'Gives several keys string values at once, only if none of them exists.',
    tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
    args: [pairsArgument],
    handler: msetnx,
  },
  {
    name: 'msetex',
    arity: -4,
    flags: ['write', 'denyoom', 'movablekeys'],
    categories: ['string'],
    keys: { numkeysAt: 1, step: 2, access: ['OW', 'update'] },
    group: 'string',
    since: '8.4.0',
    complexity: 'O(N) where N is the number of keys to set',
    summary:
      'Gives several keys string values at once, with one expiry for all and optionally under a condition.',
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    args: [
      { name: 'numkeys', type: 'integer' },
      pairsArgument,
      { name: 'condition', type: 'oneof', optional: true, args: existenceArguments },
      expirationArgument('KEEPTTL'),
    ],
    handler: msetex,
  },
] as const satisfies readonly Command[];
