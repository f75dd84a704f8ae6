import { CommandError } from '../base/errors.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Client } from './client.js';
import type { Command, Context } from './command.js';

/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing itself is the dispatcher's, because any command can be
 * queued. A transaction is one commit group: EXEC is one command to the engine, and groups end between
 * commands only.
 */

/** Forgets the queue and everything watched: after EXEC, DISCARD or RESET. */
export function endTransaction(client: Client, keyspace: Keyspace): void {
  client.transaction = null;
  keyspace.watches.unwatchAll(client);
  client.watchBroken = false;
}

function multi({ client, reply }: Context): void {
  if (client.transaction) throw new CommandError('ERR MULTI calls can not be nested');
  client.transaction = { queue: [], aborted: false, writes: false, deniesOnMemory: false, bytes: 0 };
  reply.ok();
}

function exec({ client, keyspace, reply, host }: Context): void {
  const { transaction } = client;
  if (!transaction) throw new CommandError('ERR EXEC without MULTI');
  lookUpWatchedKeys(client, keyspace);
  const broken = client.watchBroken;
  endTransaction(client, keyspace);
  if (transaction.aborted) {
    throw new CommandError('EXECABORT Transaction discarded because of previous errors.');
  }
  if (broken) {
    reply.nilArray();
    return;
  }
  reply.array(transaction.queue.length);
  client.denyBlocking = true;
  for (const args of transaction.queue) host.runQueued(client, args);
  client.denyBlocking = false;
}

/** A key that has expired is deleted when it is looked at, and with that breaks its watch. */
function lookUpWatchedKeys(client: Client, keyspace: Keyspace): void {
  if (client.watching === 0) return;
  keyspace.watches.eachKeyOf(client, (db, key) => {
    keyspace.peek(db, key, 0, key.length);
  });
}

function discard({ client, keyspace, reply }: Context): void {
  if (!client.transaction) throw new CommandError('ERR DISCARD without MULTI');
  endTransaction(client, keyspace);
  reply.ok();
}

function watch({ client, keyspace, request, db, reply }: Context): void {
  if (client.transaction) throw new CommandError('ERR WATCH inside MULTI is not allowed');
  // A broken watch stays broken whatever else is watched.
  for (let i = 1; i < request.count && !client.watchBroken; i++) {
    const start = request.start[i]!;
    const end = request.end[i]!;
    // What has expired must be gone before it is watched: its deletion is not a change to this client.
    keyspace.peek(db, request.bytes, start, end);
    keyspace.watches.watch(db, request.bytes, start, end, client);
  }
  reply.ok();
}

function unwatch({ client, keyspace, reply }: Context): void {
  keyspace.watches.unwatchAll(client);
  client.watchBroken = false;
  reply.ok();
}

const FLAGS = ['noscript', 'loading', 'stale', 'fast', 'allow_busy'] as const;

export const transactionCommands: readonly Command[] = [
  {
    name: 'multi',
    arity: 1,
    flags: FLAGS,
    categories: ['transaction'],
    group: 'transactions',
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'Starts a transaction.',
    handler: multi,
  },
  {
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    categories: ['transaction'],
    group: 'transactions',
    since: '1.2.0',
    complexity: 'Depends on commands in the transaction',
    summary: 'Executes all commands in a transaction.',
    handler: exec,
  },
  {
    name: 'discard',
    arity: 1,
    flags: FLAGS,
    categories: ['transaction'],
    group: 'transactions',
    since: '2.0.0',
    complexity: 'O(N), when N is the number of queued commands',
    summary: 'Discards a transaction.',
    handler: discard,
  },
  {
    name: 'watch',
    arity: -2,
    flags: FLAGS,
    categories: ['transaction'],
    keys: { first: 1, last: -1, step: 1, access: ['RO'] },
    group: 'transactions',
    since: '2.2.0',
    complexity: 'O(1) for every key.',
    summary: 'Monitors changes to keys to determine the execution of a transaction.',
    args: [{ name: 'key', type: 'key', multiple: true }],
    handler: watch,
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: FLAGS,
    categories: ['transaction'],
    group: 'transactions',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Forgets about watched keys of a transaction.',
    handler: unwatch,
  },
];
