import { CommandError, errors } from '../base/errors.js';
import { NO_EXPIRY } from '../keyspace/mutations.js';
import { helpHandler, readPositive, subcommandSyntaxError } from './arguments.js';
import type { Command, Context, Handler } from './command.js';
import { datasetDigest, valueDigest } from './digest.js';

/**
 * DEBUG: for tests, refused unless `enable-debug-command` allows it. The subcommands are those that Redis's
 * own tests use; RELOAD and LOADAOF do not replace the data but prove that the disk would give it back.
 */

/** Stops the whole server, as in Redis: clients that wait see what a stalled server looks like. */
function sleep({ request, reply }: Context): void {
  const seconds = Number.parseFloat(request.text(2)) || 0;
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  reply.ok();
}

function inspect({ keyspace, request, db }: Context, i: number): number {
  return keyspace.peek(db, request.bytes, request.start[i]!, request.end[i]!);
}

function object(context: Context): void {
  const { keyspace, now, reply } = context;
  const ref = inspect(context, 2);
  if (ref === 0) throw new CommandError(errors.noSuchKey);
  const idleSeconds = keyspace.idleSecondsOf(ref);
  // 24 bits of Unix seconds, as Redis keeps the time of last use.
  const lastUse = (Math.floor(now / 1000) - idleSeconds) & 0xffffff;
  reply.simple(
    `Value at:0x${ref.toString(16)} refcount:1 encoding:${keyspace.encodingOf(ref)}` +
      ` serializedlength:${keyspace.bytesOf(ref)} lru:${lastUse} lru_seconds_idle:${idleSeconds}`,
  );
}

function setActiveExpire({ request, host, reply }: Context): void {
  host.setActiveExpire(request.latin1(2) !== '0');
  reply.ok();
}

function reload({ client, host }: Context): void {
  if (client.denyBlocking) throw new CommandError('ERR DEBUG RELOAD is not allowed inside a transaction');
  host.wait(client, host.persistence.verify(), (reply) => reply.ok(), { reason: 'checkpoint' });
}

function digest({ keyspace, reply }: Context): void {
  reply.simple(datasetDigest(keyspace));
}

function digestValue(context: Context): void {
  const { request, keyspace, reply } = context;
  reply.array(request.count - 2);
  for (let i = 2; i < request.count; i++) reply.simple(valueDigest(keyspace, inspect(context, i)));
}

function error({ request }: Context): never {
  throw new CommandError(request.text(2));
}

function log({ request, host, reply }: Context): void {
  host.log(`DEBUG LOG: ${request.text(2)}`);
  reply.ok();
}

/** `POPULATE count [prefix] [size]`: strings `prefix:0`, `prefix:1`... that do not exist yet. */
function populate({ request, keyspace, db, reply }: Context): void {
  const count = readPositive(request, 2);
  const prefix = request.count > 3 ? request.text(3) : 'key';
  const size = request.count > 4 ? readPositive(request, 4) : 0;
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`${prefix}:${i}`);
    if (keyspace.peek(db, key, 0, key.length) !== 0) continue;
    const value = sized(Buffer.from(`value:${i}`), size);
    keyspace.setString(db, key, 0, key.length, value, 0, value.length, NO_EXPIRY);
  }
  reply.ok();
}

/** `text` cut or filled with zero bytes to `size`; as it is for 0. */
function sized(text: Buffer, size: number): Buffer {
  if (size === 0) return text;
  const value = Buffer.alloc(size);
  text.copy(value);
  return value;
}

/** A reply of each type, for tests of client libraries. */
const PROTOCOL: Readonly<Record<string, (reply: Context['reply']) => void>> = {
  string: (reply) => reply.bulkText('Hello World'),
  integer: (reply) => reply.integer(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: it is the number that Redis sends.
  double: (reply) => reply.double(3.141),
  bignum: (reply) => {
    const digits = '1234567999999999999999999999999999999';
    if (reply.protocol === 3) reply.encoded(Buffer.from(`(${digits}\r\n`));
    else reply.bulkText(digits);
  },
  null: (reply) => reply.nil(),
  array: (reply) => {
    reply.array(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  set: (reply) => {
    reply.set(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  map: (reply) => {
    reply.map(3);
    for (let i = 0; i < 3; i++) {
      reply.integer(i);
      reply.boolean(i === 1);
    }
  },
  attrib: (reply) => {
    if (reply.protocol === 3) {
      reply.encoded(Buffer.from('|1\r\n'));
      reply.bulkText('key-popularity');
      reply.array(2);
      reply.bulkText('key:123');
      reply.integer(90);
    }
    reply.bulkText('Some real reply following the attribute');
  },
  push: (reply) => {
    if (reply.protocol === 2) throw new CommandError('ERR RESP2 is not supported by this command');
    reply.push(2);
    reply.bulkText('server-cpu-usage');
    reply.integer(42);
    reply.bulkText('Some real reply following the push reply');
  },
  verbatim: (reply) => reply.verbatim('txt', 'This is a verbatim\nstring'),
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
};

function protocol({ request, reply }: Context): void {
  const name = request.text(2).toLowerCase();
  if (!Object.hasOwn(PROTOCOL, name)) {
    throw new CommandError(
      'ERR Wrong protocol type name. Please use one of the following:' +
        ' string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
    );
  }
  PROTOCOL[name]!(reply);
}

const HELP = [
  'DIGEST',
  '    Output a hex signature representing the current DB content.',
  'DIGEST-VALUE <key> [<key> ...]',
  '    Output a hex signature of the values of all the specified keys.',
  'ERROR <string>',
  '    Return a Redis protocol error with <string> as message. Useful for clients',
  '    unit tests to simulate Redis errors.',
  'LOADAOF',
  '    As RELOAD.',
  'LOG <message>',
  '    Write <message> to the server log.',
  'OBJECT <key>',
  '    Show low level info about `key` and associated value.',
  'POPULATE <count> [<prefix>] [<size>]',
  '    Create <count> string keys named key:<num>. If <prefix> is specified then',
  "    it is used instead of the 'key' prefix.",
  'PROTOCOL <type>',
  '    Reply with a test value of the specified type. <type> can be: string,',
  '    integer, double, bignum, null, array, set, map, attrib, push, verbatim,',
  '    true, false.',
  'RELOAD',
  '    Recover the data from disk beside the data in memory, and compare the two.',
  'SET-ACTIVE-EXPIRE <0|1>',
  '    Setting it to 0 disables expiring keys in background when they are not',
  '    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the',
  '    default.',
  'SLEEP <seconds>',
  '    Stop the server for <seconds>. Decimals allowed.',
];

interface Subcommand {
  /** Number of arguments, DEBUG and the subcommand included. */
  readonly fewest: number;
  readonly most: number;
  readonly run: Handler;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  digest: { fewest: 2, most: 2, run: digest },
  'digest-value': { fewest: 2, most: Number.POSITIVE_INFINITY, run: digestValue },
  error: { fewest: 3, most: 3, run: error },
  help: { fewest: 2, most: 2, run: helpHandler('DEBUG', HELP) },
  loadaof: { fewest: 2, most: 2, run: reload },
  log: { fewest: 3, most: 3, run: log },
  object: { fewest: 3, most: 3, run: object },
  populate: { fewest: 3, most: 5, run: populate },
  protocol: { fewest: 3, most: 3, run: protocol },
  reload: { fewest: 2, most: 2, run: reload },
  'set-active-expire': { fewest: 3, most: 3, run: setActiveExpire },
  sleep: { fewest: 3, most: 3, run: sleep },
};

function debug(context: Context): void {
  const { request } = context;
  const name = request.text(1).toLowerCase();
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  const { count } = request;
  if (!subcommand || count < subcommand.fewest || count > subcommand.most)
    throw subcommandSyntaxError(request);
  subcommand.run(context);
}

export const debugCommands: readonly Command[] = [
  {
    name: 'debug',
    arity: -2,
    flags: ['admin', 'noscript', 'loading', 'stale', 'protected'],
    categories: [],
    group: 'server',
    since: '1.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'A container for debugging commands.',
    handler: debug,
  },
];
