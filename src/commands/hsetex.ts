import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import type { Command, CommandArgument, Context } from './command.js';
import { absoluteExpiry } from './expiry.js';
import {
  conditionArgument,
  expirationArgument,
  FieldSelection,
  fieldArgument,
  findField,
  findHashToWrite,
  hashLength,
  keyArgument,
  keyUpdated,
  readFieldExpiry,
  removeSelected,
  valueArgument,
} from './hash-access.js';
import { readTimeUnit } from './hash-expiry.js';

/**
 * HSETEX in every form that is in use, told apart by the number of arguments and by keywords:
 *
 * | form | syntax | what expires | reply |
 * |---|---|---|---|
 * | key | `HSETEX key field value seconds` | the whole key | 1 created, 0 updated |
 * | positional (Dragonfly) | `HSETEX key [NX\|FNX\|FXX] [KEEPTTL] seconds field value ...` | each field | fields created |
 * | keyword (Redis 8, Valkey 9) | `HSETEX key [NX\|XX] [FNX\|FXX] [EX s\|PX ms\|EXAT t\|PXAT t\|KEEPTTL] FIELDS n field value ...` | each field | 1 all set, 0 none |
 *
 * With exactly four arguments the one that is an integer decides: the last is a time for the key, the second
 * a time for the field. When both are, `hsetex-positional` (ttl-last, ttl-first) decides.
 *
 * NX is a condition on the key in the keyword form, on each field by itself in the positional one. A time
 * that has passed is an error in the first two forms, whose times are durations, and removes the fields in
 * the third.
 */
function hsetex(context: Context): void {
  const { request } = context;
  forgetKeywords();
  if (request.count > 5) {
    setWithKeywords(context);
    return;
  }
  const first = request.int64(2);
  const last = request.int64(4);
  if (last !== undefined && (first === undefined || ttlIsLast(context))) {
    setFieldOfExpiringKey(context, last);
  } else if (first !== undefined) {
    setForSeconds(context, first, 3);
  } else {
    throw new CommandError(errors.notInteger);
  }
}

function ttlIsLast(context: Context): boolean {
  return context.host.config.values['hsetex-positional'] === 'ttl-last';
}

const NAME = 'hsetex';
const chosen = new FieldSelection();

/** `HSETEX key field value seconds`: the last call decides when the key expires. */
function setFieldOfExpiringKey(context: Context, seconds: number | bigint): void {
  const { request, keyspace, reply } = context;
  const { bytes, start, end } = request;
  const expireAt = expiryAfter(context, seconds);
  const existed = findField(context, findHashToWrite(context), 2);
  chosen.reset(bytes).list.add(start[2]!, end[2]!, start[3]!, end[3]!, NO_EXPIRY);
  keyspace.hashSet(context.db, bytes, start[1]!, end[1]!, chosen.list);
  keyspace.expireAt(context.db, bytes, start[1]!, end[1]!, expireAt);
  reply.integer(existed ? 0 : 1);
}

function expiryAfter(context: Context, seconds: number | bigint): ExpireAt {
  const expireAt = seconds > 0 ? absoluteExpiry(seconds, 'EX', context.now) : undefined;
  if (expireAt === undefined) throw new CommandError(errors.invalidExpire(NAME));
  return expireAt;
}

type FieldCondition = 'none' | 'FNX' | 'FXX';

/** The keywords before the fields, as read by `readKeywords`. One object, filled anew for every command. */
const keywords = {
  nx: false,
  xx: false,
  fields: 'none' as FieldCondition,
  keepTtl: false,
  /** Absolute Unix ms; undefined without EX, PX, EXAT or PXAT. */
  expireAt: undefined as number | undefined,
};

function setWithKeywords(context: Context): void {
  const { request } = context;
  const at = readKeywords(context);
  if (at === request.count) throw new CommandError(errors.arity(NAME));
  if (request.is(at, 'FIELDS')) {
    setFields(context, at);
    return;
  }
  const seconds = request.int64(at);
  if (seconds === undefined) throw new CommandError(`ERR unknown argument: ${request.text(at)}`);
  setForSeconds(context, seconds, at + 1);
}

/**
 * Reads the keywords that any form may begin with, from argument 2 on.
 *
 * @returns the number of the first argument that is none.
 */
function readKeywords(context: Context): number {
  const { request } = context;
  let i = 2;
  for (; i < request.count; i++) {
    const unit = readTimeUnit(request, i);
    if (unit !== undefined) {
      refuseSecondTime();
      if (++i === request.count) throw new CommandError('ERR missing expire time');
      keywords.expireAt = readFieldExpiry(context, i, unit, NAME);
    } else if (request.is(i, 'KEEPTTL')) {
      refuseSecondTime();
      keywords.keepTtl = true;
    } else if (request.is(i, 'FNX')) setFieldCondition('FNX');
    else if (request.is(i, 'FXX')) setFieldCondition('FXX');
    else if (request.is(i, 'NX')) keywords.nx = true;
    else if (request.is(i, 'XX')) keywords.xx = true;
    else break;
  }
  if (keywords.nx && keywords.xx) throw new CommandError(errors.syntax);
  return i;
}

function forgetKeywords(): void {
  keywords.nx = false;
  keywords.xx = false;
  keywords.fields = 'none';
  keywords.keepTtl = false;
  keywords.expireAt = undefined;
}

function refuseSecondTime(): void {
  if (!keywords.keepTtl && keywords.expireAt === undefined) return;
  throw new CommandError('ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified');
}

function setFieldCondition(condition: FieldCondition): void {
  if (keywords.fields !== 'none') {
    throw new CommandError('ERR Only one of FXX or FNX arguments can be specified');
  }
  keywords.fields = condition;
}

/** The positional form: `seconds` and the field-value pairs from argument `first` on. */
function setForSeconds(context: Context, seconds: number | bigint, first: number): void {
  const { request, keyspace, reply } = context;
  const rest = request.count - first;
  if (rest === 0 || rest % 2 !== 0) throw new CommandError(errors.arity(NAME));
  if (keywords.xx || keywords.expireAt !== undefined || (keywords.nx && keywords.fields !== 'none')) {
    throw new CommandError(errors.syntax);
  }
  const expireAt = expiryAfter(context, seconds);
  const ref = findHashToWrite(context);
  if (!fieldConditionHolds(context, ref, first)) {
    reply.integer(0);
    return;
  }
  const before = ref === 0 ? 0 : keyspace.hashLength(ref);
  choosePairs(context, ref, first, expireAt);
  if (chosen.length > 0) writeChosen(context);
  reply.integer(hashLength(context) - before);
}

/** Chooses what the positional form writes: NX leaves out each field that is there already. */
function choosePairs(context: Context, ref: Ref, first: number, expireAt: ExpireAt): void {
  const { start, end, bytes, count } = context.request;
  chosen.reset(bytes);
  for (let i = first; i < count; i += 2) {
    const exists = findField(context, ref, i);
    if (keywords.nx && (exists || chosen.has(start[i]!, end[i]!))) continue;
    const kept = keywords.keepTtl && exists ? context.keyspace.fieldExpireAt : NO_EXPIRY;
    chosen.list.add(start[i]!, end[i]!, start[i + 1]!, end[i + 1]!, kept === NO_EXPIRY ? expireAt : kept);
  }
}

function writeChosen(context: Context): void {
  const { bytes, start, end } = context.request;
  context.keyspace.hashSet(context.db, bytes, start[1]!, end[1]!, chosen.list);
}

/** FNX: none of the fields exists. FXX: all of them do. */
function fieldConditionHolds(context: Context, ref: Ref, first: number): boolean {
  if (keywords.fields === 'none') return true;
  const mustExist = keywords.fields === 'FXX';
  for (let i = first; i < context.request.count; i += 2) {
    if (findField(context, ref, i) !== mustExist) return false;
  }
  return true;
}

/** The keyword form; argument `at` is FIELDS. */
function setFields(context: Context, at: number): void {
  const { reply } = context;
  const first = readPairCount(context, at);
  const ref = findHashToWrite(context);
  const keyConditionHolds = ref === 0 ? !keywords.xx : !keywords.nx;
  if (!keyConditionHolds || !fieldConditionHolds(context, ref, first)) {
    reply.integer(0);
    return;
  }
  const { expireAt } = keywords;
  if (expireAt !== undefined && expireAt <= context.now) removePairs(context, ref, first);
  else setPairs(context, ref, first, expireAt ?? NO_EXPIRY);
  reply.integer(1);
}

/** Reads `FIELDS numfields` at `at` against the field-value pairs that follow; returns where these begin. */
function readPairCount(context: Context, at: number): number {
  const { request } = context;
  if (at >= request.count - 3) throw new CommandError(errors.arity(NAME));
  const count = request.int64(at + 1);
  if (count === undefined || count < 1 || count > INT32_MAX) {
    throw new CommandError('ERR invalid number of fields');
  }
  if (Number(count) * 2 !== request.count - at - 2) throw new CommandError(errors.arity(NAME));
  return at + 2;
}

const INT32_MAX = 0x7fffffff;

function setPairs(context: Context, ref: Ref, first: number, expireAt: ExpireAt): void {
  const { start, end, bytes, count } = context.request;
  chosen.reset(bytes);
  for (let i = first; i < count; i += 2) {
    const kept = keywords.keepTtl && findField(context, ref, i);
    const fieldExpireAt = kept ? context.keyspace.fieldExpireAt : expireAt;
    chosen.list.add(start[i]!, end[i]!, start[i + 1]!, end[i + 1]!, fieldExpireAt);
  }
  writeChosen(context);
}

/** What has a time in the past is as good as expired at once: only what was there before goes. */
function removePairs(context: Context, ref: Ref, first: number): void {
  const { start, end, bytes, count } = context.request;
  chosen.reset(bytes);
  for (let i = first; i < count; i += 2) {
    if (findField(context, ref, i) && !chosen.has(start[i]!, end[i]!)) {
      chosen.list.addName(start[i]!, end[i]!);
    }
  }
  removeSelected(context, ref, chosen);
}

/** For COMMAND DOCS: the forms of the table above, in its order. */
const pairsArgument: CommandArgument = {
  name: 'data',
  type: 'block',
  multiple: true,
  args: [fieldArgument, valueArgument],
};
const secondsArgument: CommandArgument = { name: 'seconds', type: 'integer' };
const keepTtlArgument: CommandArgument = { name: 'keepttl', type: 'pure-token', token: 'KEEPTTL' };

const wholeKeyForm: CommandArgument = {
  name: 'whole-key',
  type: 'block',
  args: [fieldArgument, valueArgument, secondsArgument],
};

const positionalForm: CommandArgument = {
  name: 'positional',
  type: 'block',
  args: [
    conditionArgument('condition', 'NX', 'FNX', 'FXX'),
    { ...keepTtlArgument, optional: true },
    secondsArgument,
    pairsArgument,
  ],
};

const keywordForm: CommandArgument = {
  name: 'keyword',
  type: 'block',
  args: [
    conditionArgument('key-condition', 'NX', 'XX'),
    conditionArgument('fields-condition', 'FNX', 'FXX'),
    expirationArgument(keepTtlArgument),
    {
      name: 'fields',
      type: 'block',
      token: 'FIELDS',
      args: [{ name: 'numfields', type: 'integer' }, pairsArgument],
    },
  ],
};

export const hsetexCommands: readonly Command[] = [
  {
    name: NAME,
    arity: -5,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyUpdated,
    group: 'hash',
    since: '8.0.0',
    complexity: 'O(N) where N is the number of fields being set.',
    summary: 'Sets fields of a hash together with their expiry, or with that of the whole key.',
    args: [keyArgument, { name: 'form', type: 'oneof', args: [wholeKeyForm, positionalForm, keywordForm] }],
    handler: hsetex,
  },
];
