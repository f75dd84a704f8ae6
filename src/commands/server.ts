import { CommandError, errors } from '../base/errors.js';
import { holdfastVersion, redisVersion } from '../base/version.js';
import { hiddenKeys } from '../keyspace/hidden.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { readInt32, readInteger } from './arguments.js';
import type { Command, Context } from './command.js';

/** DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, TIME, ROLE, LOLWUT. */

function dbsize({ keyspace, db, reply }: Context): void {
  // What GET, SCAN and KEYS do not show is not counted either.
  reply.integer(keyspace.size(db) - hiddenKeys(keyspace, db));
}

/**
 * `[ASYNC|SYNC]`: accepted as in Redis, where they choose the thread that frees the memory. Here emptying a
 * database drops whole tables, which takes no time either way.
 */
function checkFlushMode({ request }: Context): void {
  if (request.count === 1) return;
  if (request.count === 2 && (request.is(1, 'ASYNC') || request.is(1, 'SYNC'))) return;
  throw new CommandError(errors.syntax);
}

function flushdb(context: Context): void {
  checkFlushMode(context);
  const { keyspace, db, reply } = context;
  if (keyspace.size(db) > 0) keyspace.flush(db);
  reply.ok();
}

function flushall(context: Context): void {
  checkFlushMode(context);
  const { keyspace, reply } = context;
  for (let db = 0; db < keyspace.databaseCount; db++) if (keyspace.size(db) > 0) keyspace.flush(db);
  reply.ok();
}

function swapdb({ request, keyspace, reply }: Context): void {
  const first = readDatabase(request, 1, 'ERR invalid first DB index');
  const second = readDatabase(request, 2, 'ERR invalid second DB index');
  for (const db of [first, second]) {
    if (db < 0 || db >= keyspace.databaseCount) throw new CommandError(errors.dbIndex);
  }
  if (first !== second) {
    purgeWatched(keyspace, first, second);
    keyspace.swap(first, second);
  }
  reply.ok();
}

/**
 * An expired key that came over by the exchange would break a watch when it is deleted later, although to the
 * watcher there never was one: it has to go before.
 */
function purgeWatched(keyspace: Keyspace, first: number, second: number): void {
  for (const db of [first, second]) {
    keyspace.watches.eachKeyIn(db, (key) => {
      keyspace.peek(first, key, 0, key.length);
      keyspace.peek(second, key, 0, key.length);
    });
  }
}

function readDatabase(request: Context['request'], i: number, complaint: string): number {
  readInteger(request, i, complaint);
  try {
    return readInt32(request, i);
  } catch {
    throw new CommandError(complaint);
  }
}

/** Microseconds always end in 000: the clock counts milliseconds. */
function time({ host, reply }: Context): void {
  const nowMs = host.clock.wallMs();
  reply.array(2);
  reply.bulkText(String(Math.floor(nowMs / 1000)));
  reply.bulkText(String((nowMs % 1000) * 1000));
}

function role({ host, reply }: Context): void {
  reply.array(3);
  reply.bulkText('master');
  reply.integer(host.persistence.lastSeq);
  reply.array(0);
}

function lolwut({ request, reply }: Context): void {
  if (request.count >= 3 && request.is(1, 'VERSION')) readInteger(request, 2);
  reply.verbatim('txt', `${SEAWEED}\nHoldfast ver. ${holdfastVersion}\nRedis ver. ${redisVersion}\n`);
}

/** A holdfast is the root that seaweed grips the rock with. */
const SEAWEED = `    (      )    (
     )    (      )
    (      )    (
     \\     |    /
      \\    |   /
    .-.\\.-.|.-/.-.
 __/__/___\\|/___\\_\\__
`;

type Details = Pick<Command, 'name' | 'arity' | 'flags' | 'since' | 'summary' | 'handler'> & Partial<Command>;

function command(details: Details): Command {
  return { categories: [], group: 'server', complexity: 'O(1)', ...details };
}

const FLUSH_MODE = [
  {
    name: 'flush-type',
    type: 'oneof',
    optional: true,
    args: [
      { name: 'async', type: 'pure-token', token: 'ASYNC', since: '4.0.0' },
      { name: 'sync', type: 'pure-token', token: 'SYNC', since: '6.2.0' },
    ],
  },
] as const;
const EVERY_SHARD = ['request_policy:all_shards', 'response_policy:all_succeeded'] as const;

export const serverCommands: readonly Command[] = [
  command({
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast'],
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Returns the number of keys in the database.',
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    handler: dbsize,
  }),
  command({
    name: 'flushdb',
    arity: -1,
    flags: ['write'],
    categories: ['keyspace', 'dangerous'],
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys in the selected database',
    summary: 'Removes all keys from the current database.',
    args: FLUSH_MODE,
    tips: EVERY_SHARD,
    handler: flushdb,
  }),
  command({
    name: 'flushall',
    arity: -1,
    flags: ['write'],
    categories: ['keyspace', 'dangerous'],
    since: '1.0.0',
    complexity: 'O(N) where N is the total number of keys in all databases',
    summary: 'Removes all keys from all databases.',
    args: FLUSH_MODE,
    tips: EVERY_SHARD,
    handler: flushall,
  }),
  command({
    name: 'swapdb',
    arity: 3,
    flags: ['write', 'fast'],
    categories: ['keyspace', 'dangerous'],
    since: '4.0.0',
    complexity: 'O(N) where N is the count of clients watching or blocking on keys from both databases.',
    summary: 'Swaps two Redis databases.',
    args: [
      { name: 'index1', type: 'integer' },
      { name: 'index2', type: 'integer' },
    ],
    handler: swapdb,
  }),
  command({
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    since: '2.6.0',
    summary: 'Returns the server time.',
    tips: ['nondeterministic_output'],
    handler: time,
  }),
  command({
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    categories: ['admin', 'dangerous'],
    since: '2.8.12',
    summary: 'Returns the replication role.',
    handler: role,
  }),
  command({
    name: 'lolwut',
    arity: -1,
    flags: ['readonly', 'fast'],
    since: '5.0.0',
    complexity: 'O(1)',
    summary: 'Displays computer art and the Redis version',
    args: [{ name: 'version', type: 'integer', token: 'VERSION', optional: true }],
    handler: lolwut,
  }),
];
