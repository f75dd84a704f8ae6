import { CommandError, errors } from '../base/errors.js';
import type { FieldVisitor } from '../keyspace/keyspace.js';
import { FieldList, NO_EXPIRY } from '../keyspace/mutations.js';
import { ReplyWriter } from '../resp/reply-writer.js';
import type { Command, CommandArgument, Context } from './command.js';
import {
  FieldSelection,
  fieldArgument,
  fieldsArgument,
  findField,
  findHashToRead,
  findHashToWrite,
  hashLength,
  keyArgument,
  keyDeletedFrom,
  keyInserted,
  keyOnlyRead,
  keyRead,
  keyUpdated,
  removeSelected,
  valueArgument,
} from './hash-access.js';

/** Reading and writing whole fields: HSET, HGET and their kin. */

const written = new FieldList();
const removed = new FieldSelection();

function hset(context: Context): void {
  const before = setPairs(context, 'hset');
  context.reply.integer(hashLength(context) - before);
}

function hmset(context: Context): void {
  setPairs(context, 'hmset');
  context.reply.ok();
}

/**
 * Sets the field-value pairs from argument 2 on, and drops the fields' own expiries.
 *
 * @returns the number of live fields there were before. How many were created is told by the length
 * afterwards: that stays right when a field is named twice, without looking any of them up.
 */
function setPairs(context: Context, name: string): number {
  const { request, keyspace } = context;
  const { start, end, count } = request;
  if (count % 2 !== 0) throw new CommandError(errors.arity(name));
  const ref = findHashToWrite(context);
  const before = ref === 0 ? 0 : keyspace.hashLength(ref);
  written.reset(request.bytes);
  for (let i = 2; i < count; i += 2) {
    written.add(start[i]!, end[i]!, start[i + 1]!, end[i + 1]!, NO_EXPIRY);
  }
  keyspace.hashSet(context.db, request.bytes, start[1]!, end[1]!, written);
  return before;
}

function hsetnx(context: Context): void {
  const { request, keyspace, reply } = context;
  if (findField(context, findHashToWrite(context), 2)) {
    reply.integer(0);
    return;
  }
  const { start, end } = request;
  written.reset(request.bytes).add(start[2]!, end[2]!, start[3]!, end[3]!, NO_EXPIRY);
  keyspace.hashSet(context.db, request.bytes, start[1]!, end[1]!, written);
  reply.integer(1);
}

function hget(context: Context): void {
  const { keyspace, reply } = context;
  if (findField(context, findHashToRead(context), 2)) {
    reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
  } else {
    reply.nil();
  }
}

function hmget(context: Context): void {
  const { request, keyspace, reply } = context;
  const ref = findHashToRead(context);
  reply.array(request.count - 2);
  for (let i = 2; i < request.count; i++) {
    if (findField(context, ref, i)) reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
    else reply.nil();
  }
}

/** Where the visitors below write: they are made once, so that reading a hash makes no closure. */
let output = new ReplyWriter(0);

const writeField: FieldVisitor = (field, fieldStart, fieldEnd) => {
  output.bulk(field, fieldStart, fieldEnd);
};

const writeValue: FieldVisitor = (_field, _fieldStart, _fieldEnd, value, valueStart, valueEnd) => {
  output.bulk(value, valueStart, valueEnd);
};

const writePair: FieldVisitor = (field, fieldStart, fieldEnd, value, valueStart, valueEnd) => {
  output.bulk(field, fieldStart, fieldEnd);
  output.bulk(value, valueStart, valueEnd);
};

function hgetall(context: Context): void {
  const { keyspace, reply } = context;
  const ref = findHashToRead(context);
  reply.map(ref === 0 ? 0 : keyspace.hashLength(ref));
  if (ref === 0) return;
  output = reply;
  keyspace.hashEach(ref, writePair);
}

function hkeys(context: Context): void {
  listEach(context, writeField);
}

function hvals(context: Context): void {
  listEach(context, writeValue);
}

function listEach(context: Context, write: FieldVisitor): void {
  const { keyspace, reply } = context;
  const ref = findHashToRead(context);
  reply.array(ref === 0 ? 0 : keyspace.hashLength(ref));
  if (ref === 0) return;
  output = reply;
  keyspace.hashEach(ref, write);
}

function hdel(context: Context): void {
  const { request, reply } = context;
  const { start, end } = request;
  const ref = findHashToWrite(context);
  removed.reset(request.bytes);
  for (let i = 2; i < request.count; i++) {
    if (findField(context, ref, i) && !removed.has(start[i]!, end[i]!)) {
      removed.list.addName(start[i]!, end[i]!);
    }
  }
  removeSelected(context, ref, removed);
  reply.integer(removed.length);
}

function hexists(context: Context): void {
  context.reply.integer(findField(context, findHashToRead(context), 2) ? 1 : 0);
}

function hlen(context: Context): void {
  const ref = findHashToRead(context);
  context.reply.integer(ref === 0 ? 0 : context.keyspace.hashLength(ref));
}

function hstrlen(context: Context): void {
  const { keyspace, reply } = context;
  const found = findField(context, findHashToRead(context), 2);
  reply.integer(found ? keyspace.valueEnd - keyspace.valueStart : 0);
}

const pairsArgument: CommandArgument = {
  name: 'data',
  type: 'block',
  multiple: true,
  args: [fieldArgument, valueArgument],
};

export const hashCommands: readonly Command[] = [
  {
    name: 'hset',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyUpdated,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being set.',
    summary: 'Sets fields of a hash; answers how many of them are new.',
    args: [keyArgument, pairsArgument],
    handler: hset,
  },
  {
    name: 'hmset',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyUpdated,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being set.',
    summary: 'Sets fields of a hash; HSET with an OK for an answer.',
    deprecatedSince: '4.0.0',
    replacedBy: '`HSET` with multiple field-value pairs',
    args: [keyArgument, pairsArgument],
    handler: hmset,
  },
  {
    name: 'hsetnx',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    categories: ['hash'],
    keys: keyInserted,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Sets a field of a hash unless the hash has it already.',
    args: [keyArgument, fieldArgument, valueArgument],
    handler: hsetnx,
  },
  {
    name: 'hget',
    arity: 3,
    flags: ['readonly', 'fast'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Reads one field of a hash.',
    args: [keyArgument, fieldArgument],
    handler: hget,
  },
  {
    name: 'hmget',
    arity: -3,
    flags: ['readonly', 'fast'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being read.',
    summary: 'Reads several fields of a hash.',
    args: [keyArgument, fieldsArgument],
    handler: hmget,
  },
  {
    name: 'hgetall',
    arity: 2,
    flags: ['readonly'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields in the hash.',
    summary: 'Reads every field of a hash with its value.',
    tips: ['nondeterministic_output_order'],
    args: [keyArgument],
    handler: hgetall,
  },
  {
    name: 'hdel',
    arity: -3,
    flags: ['write', 'fast'],
    categories: ['hash'],
    keys: keyDeletedFrom,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being removed.',
    summary: 'Removes fields of a hash, and the hash with its last field.',
    args: [keyArgument, fieldsArgument],
    handler: hdel,
  },
  {
    name: 'hexists',
    arity: 3,
    flags: ['readonly', 'fast'],
    categories: ['hash'],
    keys: keyOnlyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Tells whether a hash has a field.',
    args: [keyArgument, fieldArgument],
    handler: hexists,
  },
  {
    name: 'hlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    categories: ['hash'],
    keys: keyOnlyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(1), or O(N) where fields of the hash may expire.',
    summary: 'Counts the fields of a hash.',
    args: [keyArgument],
    handler: hlen,
  },
  {
    name: 'hkeys',
    arity: 2,
    flags: ['readonly'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields in the hash.',
    summary: 'Lists the names of the fields of a hash.',
    tips: ['nondeterministic_output_order'],
    args: [keyArgument],
    handler: hkeys,
  },
  {
    name: 'hvals',
    arity: 2,
    flags: ['readonly'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields in the hash.',
    summary: 'Lists the values of the fields of a hash.',
    tips: ['nondeterministic_output_order'],
    args: [keyArgument],
    handler: hvals,
  },
  {
    name: 'hstrlen',
    arity: 3,
    flags: ['readonly', 'fast'],
    categories: ['hash'],
    keys: keyOnlyRead,
    group: 'hash',
    since: '3.2.0',
    complexity: 'O(1)',
    summary: 'Gives the length in bytes of a field of a hash.',
    args: [keyArgument, fieldArgument],
    handler: hstrlen,
  },
];
