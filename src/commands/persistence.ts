import { CommandError, errors } from '../base/errors.js';
import { readInteger, readPositive, readRange, readTimeoutMs } from './arguments.js';
import type { Client } from './client.js';
import type { Command, Context } from './command.js';
import type { Host, ShutdownOptions } from './host.js';

/**
 * SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, SHUTDOWN, WAIT, WAITAOF. What Redis does with an RDB file or by
 * rewriting its append-only file is here a checkpoint: the log up to now goes into SQLite and is deleted.
 */

const ALREADY_SAVING = 'ERR Background save already in progress';

function save({ client, host }: Context): void {
  if (host.persistence.checkpointRunning) throw new CommandError(ALREADY_SAVING);
  host.wait(client, host.persistence.checkpoint(), (reply) => reply.ok(), { reason: 'checkpoint' });
}

/** INFO reports a failure (rdb_last_bgsave_status); nobody waits for this one. */
function startCheckpoint(host: Host): void {
  host.persistence.checkpoint().catch(() => {});
}

function bgsave({ client, request, host, reply }: Context): void {
  if (request.count > 1 && !(request.count === 2 && request.is(1, 'SCHEDULE'))) {
    throw new CommandError(errors.syntax);
  }
  if (host.persistence.checkpointRunning) throw new CommandError(ALREADY_SAVING);
  startCheckpoint(host);
  reply.simple(client.denyBlocking ? 'Background saving scheduled' : 'Background saving started');
}

function bgrewriteaof({ client, host, reply }: Context): void {
  const later = client.denyBlocking || host.persistence.checkpointRunning;
  startCheckpoint(host);
  reply.simple(`Background append only file rewriting ${later ? 'scheduled' : 'started'}`);
}

function lastsave({ host, reply }: Context): void {
  const savedAtMs = host.persistence.lastCheckpointAtMs || host.startedAtMs;
  reply.integer(Math.floor(savedAtMs / 1000));
}

function shutdown({ client, request, host }: Context): void {
  let nosave = false;
  let save = false;
  let now = false;
  let force = false;
  let abort = false;
  for (let i = 1; i < request.count; i++) {
    if (request.is(i, 'NOSAVE')) nosave = true;
    else if (request.is(i, 'SAVE')) save = true;
    else if (request.is(i, 'NOW')) now = true;
    else if (request.is(i, 'FORCE')) force = true;
    else if (request.is(i, 'ABORT')) abort = true;
    else throw new CommandError(errors.syntax);
  }
  if ((abort && request.count > 2) || (nosave && save)) throw new CommandError(errors.syntax);
  if (abort) throw new CommandError('ERR No shutdown in progress.');
  // No reply: the connection ends with the server. There is one only when the server stays.
  const ended = endServer(host, { nosave, now, force });
  host.wait(client, ended, (reply) => reply.ok(), { reason: 'checkpoint' });
}

async function endServer(host: Host, options: ShutdownOptions): Promise<void> {
  try {
    await host.shutdown(options);
  } catch (error) {
    throw new CommandError('ERR Errors trying to SHUTDOWN. Check logs.', { cause: error });
  }
}

/** For what will never come, such as the acknowledgement of a replica. */
function never(): Promise<void> {
  return new Promise(() => {});
}

function wait({ client, request, host, now, reply }: Context): void {
  const replicas = readInteger(request, 1);
  const timeoutMs = readTimeoutMs(request, 2, now);
  if (replicas <= 0 || client.denyBlocking) {
    reply.integer(0);
    return;
  }
  host.wait(client, never(), () => {}, { timeoutMs, timedOut: (late) => late.integer(0) });
}

function isDurable(client: Client, host: Host): boolean {
  return host.persistence.durableSeq >= client.lastWriteSeq;
}

function waitaof({ client, request, host, now, reply }: Context): void {
  const local = readRange(request, 1, 0, 1);
  const replicas = readPositive(request, 2);
  const timeoutMs = readTimeoutMs(request, 3, now);
  const write = (to: Context['reply']) => {
    to.array(2);
    to.integer(isDurable(client, host) ? 1 : 0);
    to.integer(0);
  };
  const satisfied = replicas === 0 && (local === 0 || isDurable(client, host));
  if (satisfied || client.denyBlocking) {
    write(reply);
    return;
  }
  const durable = host.persistence.whenDurable(client.lastWriteSeq);
  const work = replicas === 0 ? durable : durable.then(never);
  host.wait(client, work, write, { reason: 'sync', timeoutMs, timedOut: write });
}

type Details = Pick<Command, 'name' | 'arity' | 'flags' | 'since' | 'summary' | 'handler'> & Partial<Command>;

function command(details: Details): Command {
  return { categories: [], group: 'server', complexity: 'O(1)', ...details };
}

const SAVING = ['no_async_loading', 'admin', 'noscript'] as const;

export const persistenceCommands: readonly Command[] = [
  command({
    name: 'save',
    arity: 1,
    flags: [...SAVING, 'no_multi'],
    since: '1.0.0',
    complexity: 'O(N) where N is the total number of keys in all databases',
    summary: 'Synchronously saves the database(s) to disk.',
    handler: save,
  }),
  command({
    name: 'bgsave',
    arity: -1,
    flags: SAVING,
    since: '1.0.0',
    summary: 'Asynchronously saves the database(s) to disk.',
    args: [{ name: 'schedule', type: 'pure-token', token: 'SCHEDULE', optional: true, since: '3.2.2' }],
    handler: bgsave,
  }),
  command({
    name: 'bgrewriteaof',
    arity: 1,
    flags: SAVING,
    since: '1.0.0',
    summary: 'Asynchronously rewrites the append-only file to disk.',
    handler: bgrewriteaof,
  }),
  command({
    name: 'lastsave',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    categories: ['admin', 'dangerous'],
    since: '1.0.0',
    summary: 'Returns the Unix timestamp of the last successful save to disk.',
    tips: ['nondeterministic_output'],
    handler: lastsave,
  }),
  command({
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    since: '1.0.0',
    complexity:
      'O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)',
    summary: 'Synchronously saves the database(s) to disk and shuts down the Redis server.',
    args: [
      {
        name: 'save-selector',
        type: 'oneof',
        optional: true,
        args: [
          { name: 'nosave', type: 'pure-token', token: 'NOSAVE' },
          { name: 'save', type: 'pure-token', token: 'SAVE' },
        ],
      },
      { name: 'now', type: 'pure-token', token: 'NOW', optional: true, since: '7.0.0' },
      { name: 'force', type: 'pure-token', token: 'FORCE', optional: true, since: '7.0.0' },
      { name: 'abort', type: 'pure-token', token: 'ABORT', optional: true, since: '7.0.0' },
    ],
    handler: shutdown,
  }),
  command({
    name: 'wait',
    arity: 3,
    flags: ['blocking'],
    categories: ['connection'],
    group: 'generic',
    since: '3.0.0',
    summary:
      'Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.',
    args: [
      { name: 'numreplicas', type: 'integer' },
      { name: 'timeout', type: 'integer' },
    ],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    handler: wait,
  }),
  command({
    name: 'waitaof',
    arity: 4,
    flags: ['blocking'],
    categories: ['connection'],
    group: 'generic',
    since: '7.2.0',
    summary:
      'Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.',
    args: [
      { name: 'numlocal', type: 'integer' },
      { name: 'numreplicas', type: 'integer' },
      { name: 'timeout', type: 'integer' },
    ],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    handler: waitaof,
  }),
];
