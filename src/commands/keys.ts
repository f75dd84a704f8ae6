import { equalBytes } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import { readInt32 } from './arguments.js';
import type { Command, Context } from './command.js';
import { findToInspect, findToRead, findToWrite } from './lookup.js';

/*
 * Keys of any type: removing, finding out about, renaming, copying. Expiries are in expire.ts, iteration in
 * scan.ts.
 */

/** DEL, and UNLINK: memory is given back at once here, there is no slower way that could wait. */
function del(context: Context): void {
  const { request, keyspace, db } = context;
  const { bytes, start, end } = request;
  let deleted = 0;
  for (let i = 1; i < request.count; i++) {
    if (keyspace.peek(db, bytes, start[i]!, end[i]!) === 0) continue;
    keyspace.delete(db, bytes, start[i]!, end[i]!);
    deleted++;
  }
  context.reply.integer(deleted);
}

function exists(context: Context): void {
  let found = 0;
  for (let i = 1; i < context.request.count; i++) if (findToInspect(context, i) !== 0) found++;
  context.reply.integer(found);
}

/** Counts as a use of the keys even for a client that said CLIENT NO-TOUCH: that is what it is for. */
function touch(context: Context): void {
  const { request, keyspace } = context;
  let touched = 0;
  for (let i = 1; i < request.count; i++) {
    if (findToRead(context, i) === 0) continue;
    touched++;
    if (context.client.noTouch) {
      keyspace.find(context.db, request.bytes, request.start[i]!, request.end[i]!);
    }
  }
  context.reply.integer(touched);
}

function type(context: Context): void {
  const ref = findToInspect(context, 1);
  context.reply.simple(ref === 0 ? 'none' : context.keyspace.typeOf(ref));
}

function rename(context: Context): void {
  requireKey(context, 1);
  if (!sameArguments(context, 1, 2)) renameTo(context);
  context.reply.ok();
}

function renamenx(context: Context): void {
  requireKey(context, 1);
  const free = !sameArguments(context, 1, 2) && findToWrite(context, 2) === 0;
  if (free) renameTo(context);
  context.reply.integer(free ? 1 : 0);
}

function requireKey(context: Context, i: number): void {
  if (findToWrite(context, i) === 0) throw new CommandError(errors.noSuchKey);
}

function renameTo(context: Context): void {
  const { db, keyspace, request } = context;
  const { bytes, start, end } = request;
  keyspace.rename(db, bytes, start[1]!, end[1]!, db, bytes, start[2]!, end[2]!);
}

function sameArguments(context: Context, i: number, j: number): boolean {
  const { bytes, start, end } = context.request;
  return equalBytes(bytes, start[i]!, end[i]!, bytes, start[j]!, end[j]!);
}

const SAME_OBJECT = 'ERR source and destination objects are the same';

function copy(context: Context): void {
  const { db, request, keyspace, reply } = context;
  const { replace, toDb } = parseCopyOptions(context);
  if (toDb === db && sameArguments(context, 1, 2)) throw new CommandError(SAME_OBJECT);
  const { bytes, start, end } = request;
  const copied =
    findToRead(context, 1) !== 0 && (replace || keyspace.peek(toDb, bytes, start[2]!, end[2]!) === 0);
  if (copied) keyspace.copy(db, bytes, start[1]!, end[1]!, toDb, bytes, start[2]!, end[2]!);
  reply.integer(copied ? 1 : 0);
}

function parseCopyOptions(context: Context): { replace: boolean; toDb: number } {
  const { request } = context;
  const options = { replace: false, toDb: context.db };
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'REPLACE')) options.replace = true;
    else if (request.is(i, 'DB') && i + 1 < request.count) options.toDb = databaseArgument(context, ++i);
    else throw new CommandError(errors.syntax);
  }
  return options;
}

/** A database number. @throws the errors that Redis has for a bad one. */
function databaseArgument(context: Context, i: number): number {
  const number = readInt32(context.request, i);
  if (number < 0 || number >= context.keyspace.databaseCount) throw new CommandError(errors.dbIndex);
  return number;
}

function move(context: Context): void {
  const { db, request, keyspace, reply } = context;
  const toDb = databaseArgument(context, 2);
  if (toDb === db) throw new CommandError(SAME_OBJECT);
  const { bytes, start, end } = request;
  const moved = findToWrite(context, 1) !== 0 && keyspace.peek(toDb, bytes, start[1]!, end[1]!) === 0;
  if (moved) keyspace.rename(db, bytes, start[1]!, end[1]!, toDb, bytes, start[1]!, end[1]!);
  reply.integer(moved ? 1 : 0);
}

const allKeys = { first: 1, last: -1, step: 1 } as const;
const manyKeysArgument = { name: 'key', type: 'key', multiple: true } as const;
const keyArgument = { name: 'key', type: 'key' } as const;

export const keyCommands = [
  {
    name: 'del',
    arity: -2,
    flags: ['write'],
    categories: ['keyspace'],
    keys: { ...allKeys, access: ['RM', 'delete'] },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys, O(M) more for each that holds M elements',
    summary: 'Deletes keys.',
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    args: [manyKeysArgument],
    handler: del,
  },
  {
    name: 'unlink',
    arity: -2,
    flags: ['write', 'fast'],
    categories: ['keyspace'],
    keys: { ...allKeys, access: ['RM', 'delete'] },
    group: 'generic',
    since: '4.0.0',
    complexity: 'O(1) for each key, O(N) more for one that holds N elements',
    summary: 'Deletes keys; the same as DEL here.',
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    args: [manyKeysArgument],
    handler: del,
  },
  {
    name: 'exists',
    arity: -2,
    flags: ['readonly', 'fast'],
    categories: ['keyspace'],
    keys: { ...allKeys, access: ['RO'] },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys to check',
    summary: 'Counts how many of the given keys exist; one named twice counts twice.',
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    args: [manyKeysArgument],
    handler: exists,
  },
  {
    name: 'touch',
    arity: -2,
    flags: ['readonly', 'fast'],
    categories: ['keyspace'],
    keys: { ...allKeys, access: ['RO'] },
    group: 'generic',
    since: '3.2.1',
    complexity: 'O(N) where N is the number of keys to touch',
    summary: 'Marks keys as just used and counts how many exist.',
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    args: [manyKeysArgument],
    handler: touch,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    categories: ['keyspace'],
    keys: { first: 1, last: 1, step: 1, access: ['RO'] },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Tells what kind of value a key holds.',
    args: [keyArgument],
    handler: type,
  },
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    categories: ['keyspace'],
    keys: {
      access: ['RW', 'access', 'delete'],
      each: [
        { at: 1, access: ['RW', 'access', 'delete'] },
        { at: 2, access: ['OW', 'update'] },
      ],
    },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key another name, replacing what had that name.',
    args: [keyArgument, { name: 'newkey', type: 'key' }],
    handler: rename,
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    categories: ['keyspace'],
    keys: {
      access: ['RW', 'access', 'delete'],
      each: [
        { at: 1, access: ['RW', 'access', 'delete'] },
        { at: 2, access: ['OW', 'insert'] },
      ],
    },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key another name only if nothing has that name.',
    args: [keyArgument, { name: 'newkey', type: 'key' }],
    handler: renamenx,
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    categories: ['keyspace'],
    keys: {
      access: ['RO', 'access'],
      each: [
        { at: 1, access: ['RO', 'access'] },
        { at: 2, access: ['OW', 'update'] },
      ],
    },
    group: 'generic',
    since: '6.2.0',
    complexity: 'O(N) where N is the number of elements, O(1) for a string',
    summary: 'Copies the value and the expiry of a key to another name or database.',
    args: [
      { name: 'source', type: 'key' },
      { name: 'destination', type: 'key' },
      { name: 'destination-db', type: 'integer', token: 'DB', optional: true },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', optional: true },
    ],
    handler: copy,
  },
  {
    name: 'move',
    arity: 3,
    flags: ['write', 'fast'],
    categories: ['keyspace'],
    keys: { first: 1, last: 1, step: 1, access: ['RW', 'access', 'update'] },
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Moves a key to another database, if nothing has its name there.',
    args: [keyArgument, { name: 'db', type: 'integer' }],
    handler: move,
  },
] as const satisfies readonly Command[];
