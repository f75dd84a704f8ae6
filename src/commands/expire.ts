import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import type { Request } from '../resp/request.js';
import { readInteger } from './arguments.js';
import type { Command, Context } from './command.js';
import { absoluteExpiry, hasPassed, type TimeUnit } from './expiry.js';
import { findToInspect, findToWrite } from './lookup.js';

/*
 * When keys expire: setting it, asking for it, removing it. Expiries are stored as absolute milliseconds, as
 * numbers or, beyond 2^53, as bigints; comparing the two kinds with each other is exact.
 */

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;

/**
 * Order of checks as in Redis: the options, the integer, its range, the key, the condition. A time that has
 * passed deletes the key, and that counts as done.
 */
function setExpiry(context: Context, unit: TimeUnit, command: string): void {
  const { request, reply, keyspace, db } = context;
  const conditions = parseConditions(request);
  const time = readInteger(request, 2);
  const expireAt = absoluteExpiry(time, unit, context.now);
  if (expireAt === undefined) throw new CommandError(errors.invalidExpire(command));
  const ref = findToWrite(context, 1);
  if (ref === 0 || !conditionsHold(conditions, keyspace.expiryOf(ref), expireAt)) {
    reply.integer(0);
    return;
  }
  const { bytes, start, end } = request;
  if (hasPassed(expireAt, context.now)) keyspace.delete(db, bytes, start[1]!, end[1]!);
  else keyspace.expireAt(db, bytes, start[1]!, end[1]!, expireAt);
  reply.integer(1);
}

function parseConditions(request: Request): number {
  let conditions = 0;
  for (let i = 3; i < request.count; i++) conditions |= parseCondition(request, i);
  if (conditions & NX && conditions & (XX | GT | LT)) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible');
  }
  if (conditions & GT && conditions & LT) {
    throw new CommandError('ERR GT and LT options at the same time are not compatible');
  }
  return conditions;
}

function parseCondition(request: Request, i: number): number {
  if (request.is(i, 'NX')) return NX;
  if (request.is(i, 'XX')) return XX;
  if (request.is(i, 'GT')) return GT;
  if (request.is(i, 'LT')) return LT;
  throw new CommandError(`ERR Unsupported option ${request.text(i)}`);
}

/** A key without an expiry counts as one that lives for ever: nothing is later (GT), anything is earlier (LT). */
function conditionsHold(conditions: number, present: ExpireAt, next: ExpireAt): boolean {
  const persistent = present === NO_EXPIRY;
  if (conditions & NX && !persistent) return false;
  if (conditions & XX && persistent) return false;
  if (conditions & GT && (persistent || next <= present)) return false;
  return !(conditions & LT && !persistent && next >= present);
}

function expire(context: Context): void {
  setExpiry(context, 'EX', 'expire');
}

function pexpire(context: Context): void {
  setExpiry(context, 'PX', 'pexpire');
}

function expireat(context: Context): void {
  setExpiry(context, 'EXAT', 'expireat');
}

function pexpireat(context: Context): void {
  setExpiry(context, 'PXAT', 'pexpireat');
}

const MISSING = -2;
const PERSISTENT = -1;

function ttl(context: Context): void {
  const expireAt = knownExpiry(context);
  if (expireAt !== null) context.reply.integer(toSeconds(remaining(expireAt, context.now)));
}

function pttl(context: Context): void {
  const expireAt = knownExpiry(context);
  if (expireAt !== null) context.reply.integer(remaining(expireAt, context.now));
}

function expiretime(context: Context): void {
  const expireAt = knownExpiry(context);
  if (expireAt !== null) context.reply.integer(toSeconds(expireAt));
}

function pexpiretime(context: Context): void {
  const expireAt = knownExpiry(context);
  if (expireAt !== null) context.reply.integer(expireAt);
}

/** The key's expiry; null when there is none, which has then been answered. */
function knownExpiry(context: Context): ExpireAt | null {
  const ref: Ref = findToInspect(context, 1);
  const expireAt = ref === 0 ? NO_EXPIRY : context.keyspace.expiryOf(ref);
  if (expireAt !== NO_EXPIRY) return expireAt;
  context.reply.integer(ref === 0 ? MISSING : PERSISTENT);
  return null;
}

/** Milliseconds still to live. */
function remaining(expireAt: ExpireAt, nowMs: number): ExpireAt {
  return typeof expireAt === 'number' ? Math.max(expireAt - nowMs, 0) : expireAt - BigInt(nowMs);
}

/** To the nearest second, so that a key can be alive with 0 to go. */
function toSeconds(milliseconds: ExpireAt): ExpireAt {
  return typeof milliseconds === 'number'
    ? Math.floor((milliseconds + 500) / 1000)
    : (milliseconds + 500n) / 1000n;
}

function persist(context: Context): void {
  const { request, keyspace, reply } = context;
  const ref = findToWrite(context, 1);
  const expires = ref !== 0 && keyspace.expiryOf(ref) !== NO_EXPIRY;
  if (expires) keyspace.expireAt(context.db, request.bytes, request.start[1]!, request.end[1]!, NO_EXPIRY);
  reply.integer(expires ? 1 : 0);
}

const keyArgument = { name: 'key', type: 'key' } as const;
const conditionArgument = {
  name: 'condition',
  type: 'oneof',
  optional: true,
  args: [
    { name: 'nx', type: 'pure-token', token: 'NX' },
    { name: 'xx', type: 'pure-token', token: 'XX' },
    { name: 'gt', type: 'pure-token', token: 'GT' },
    { name: 'lt', type: 'pure-token', token: 'LT' },
  ],
} as const;
const setting = {
  arity: -3,
  flags: ['write', 'fast'],
  categories: ['keyspace'],
  keys: { first: 1, last: 1, step: 1, access: ['RW', 'update'] },
  group: 'generic',
  complexity: 'O(1)',
} as const;
const asking = {
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['keyspace'],
  keys: { first: 1, last: 1, step: 1, access: ['RO', 'access'] },
  group: 'generic',
  complexity: 'O(1)',
  args: [keyArgument],
} as const;

export const expireCommands = [
  {
    ...setting,
    name: 'expire',
    since: '1.0.0',
    summary: 'Lets a key expire after a number of seconds.',
    args: [keyArgument, { name: 'seconds', type: 'integer' }, conditionArgument],
    handler: expire,
  },
  {
    ...setting,
    name: 'pexpire',
    since: '2.6.0',
    summary: 'Lets a key expire after a number of milliseconds.',
    args: [keyArgument, { name: 'milliseconds', type: 'integer' }, conditionArgument],
    handler: pexpire,
  },
  {
    ...setting,
    name: 'expireat',
    since: '1.2.0',
    summary: 'Lets a key expire at a Unix time in seconds.',
    args: [keyArgument, { name: 'unix-time-seconds', type: 'unix-time' }, conditionArgument],
    handler: expireat,
  },
  {
    ...setting,
    name: 'pexpireat',
    since: '2.6.0',
    summary: 'Lets a key expire at a Unix time in milliseconds.',
    args: [keyArgument, { name: 'unix-time-milliseconds', type: 'unix-time' }, conditionArgument],
    handler: pexpireat,
  },
  {
    ...asking,
    name: 'ttl',
    since: '1.0.0',
    summary: 'Returns the seconds a key has left to live.',
    tips: ['nondeterministic_output'],
    handler: ttl,
  },
  {
    ...asking,
    name: 'pttl',
    since: '2.6.0',
    summary: 'Returns the milliseconds a key has left to live.',
    tips: ['nondeterministic_output'],
    handler: pttl,
  },
  {
    ...asking,
    name: 'expiretime',
    since: '7.0.0',
    summary: 'Returns the Unix time in seconds at which a key expires.',
    handler: expiretime,
  },
  {
    ...asking,
    name: 'pexpiretime',
    since: '7.0.0',
    summary: 'Returns the Unix time in milliseconds at which a key expires.',
    handler: pexpiretime,
  },
  {
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    categories: ['keyspace'],
    keys: { first: 1, last: 1, step: 1, access: ['RW', 'update'] },
    group: 'generic',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Takes the expiry from a key.',
    args: [keyArgument],
    handler: persist,
  },
] as const satisfies readonly Command[];
