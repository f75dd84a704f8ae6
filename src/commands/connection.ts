import { createHash, timingSafeEqual } from 'node:crypto';
import { CommandError, errors } from '../base/errors.js';
import { redisVersion } from '../base/version.js';
import { readInt32, readInteger } from './arguments.js';
import { checkClientName } from './client-names.js';
import type { Command, Context } from './command.js';
import { endTransaction } from './transactions.js';

/** HELLO, AUTH, PING, ECHO, QUIT, RESET, SELECT. */

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';

/**
 * Compares digests, not passwords: of equal length whatever was sent, in a time that tells nothing about
 * where they differ.
 */
function passwordMatches(given: Uint8Array, configured: string): boolean {
  const digest = (value: Uint8Array | string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(given), digest(configured));
}

/** @throws CommandError WRONGPASS. The one user is `default`; without a password it takes any. */
function authenticate({ host, client, request }: Context, userAt: number, passwordAt: number): void {
  const { requirepass } = host.config.values;
  const matches = requirepass === '' || passwordMatches(request.view(passwordAt), requirepass);
  const known = userAt === 0 || request.latin1(userAt) === 'default';
  if (!matches || !known) throw new CommandError(WRONG_PASSWORD);
  client.authenticated = true;
  client.user = 'default';
}

function auth(context: Context): void {
  const { request, host, reply } = context;
  if (request.count > 3) throw new CommandError(errors.syntax);
  if (request.count === 2 && host.config.values.requirepass === '') {
    throw new CommandError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your' +
        ' configuration is correct?',
    );
  }
  authenticate(context, request.count - 2, request.count - 1);
  reply.ok();
}

function readProtocol({ request, client }: Context): 2 | 3 {
  if (request.count < 2) return client.protocol;
  const version = readInteger(request, 1, 'ERR Protocol version is not an integer or out of range');
  if (version !== 2 && version !== 3) throw new CommandError('NOPROTO unsupported protocol version');
  return version;
}

interface HelloOptions {
  /** Argument numbers, 0 where the option is not given. */
  userAt: number;
  name: string | null;
}

function readHelloOptions({ request }: Context): HelloOptions {
  const options: HelloOptions = { userAt: 0, name: null };
  for (let i = 2; i < request.count; ) {
    const more = request.count - 1 - i;
    if (more >= 2 && request.is(i, 'AUTH')) {
      options.userAt = i + 1;
      i += 3;
    } else if (more >= 1 && request.is(i, 'SETNAME')) {
      options.name = checkClientName(request.latin1(i + 1));
      i += 2;
    } else {
      throw new CommandError(`ERR Syntax error in HELLO option '${request.text(i)}'`);
    }
  }
  return options;
}

function hello(context: Context): void {
  const { client, host, reply } = context;
  const protocol = readProtocol(context);
  const { userAt, name } = readHelloOptions(context);
  if (userAt > 0) authenticate(context, userAt, userAt + 1);
  if (!client.authenticated && host.config.values.requirepass !== '') {
    throw new CommandError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH' +
        ' <user> <pass> option can be used to authenticate the client and select the RESP protocol version' +
        ' at the same time',
    );
  }
  if (name !== null) client.name = name;
  client.protocol = protocol;
  reply.protocol = protocol;
  writeHello(context);
}

function writeHello({ client, reply }: Context): void {
  reply.map(7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(redisVersion);
  reply.bulkText('proto');
  reply.integer(client.protocol);
  reply.bulkText('id');
  reply.integer(client.id);
  reply.bulkText('mode');
  reply.bulkText('standalone');
  reply.bulkText('role');
  reply.bulkText('master');
  reply.bulkText('modules');
  reply.array(0);
}

function ping({ request, reply }: Context): void {
  if (request.count > 2) throw new CommandError(errors.arity('ping'));
  if (request.count === 1) reply.simple('PONG');
  else reply.bulk(request.bytes, request.start[1]!, request.end[1]!);
}

function echo({ request, reply }: Context): void {
  reply.bulk(request.bytes, request.start[1]!, request.end[1]!);
}

function quit({ client, reply }: Context): void {
  client.closeAfterReply = true;
  reply.ok();
}

function reset({ client, keyspace, host, reply }: Context): void {
  endTransaction(client, keyspace);
  client.db = 0;
  client.protocol = 2;
  client.authenticated = host.config.values.requirepass === '';
  client.user = 'default';
  client.name = '';
  client.replyMode = 'on';
  client.noEvict = false;
  client.noTouch = false;
  reply.protocol = 2;
  reply.simple('RESET');
}

function select({ client, keyspace, request, reply }: Context): void {
  const db = readInt32(request, 1);
  if (db < 0 || db >= keyspace.databaseCount) throw new CommandError(errors.dbIndex);
  client.db = db;
  reply.ok();
}

const ALWAYS = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'] as const;

export const connectionCommands: readonly Command[] = [
  {
    name: 'hello',
    arity: -1,
    flags: ALWAYS,
    categories: ['connection'],
    group: 'connection',
    since: '6.0.0',
    complexity: 'O(1)',
    summary: 'Handshakes with the server.',
    args: [
      {
        name: 'arguments',
        type: 'block',
        optional: true,
        args: [
          { name: 'protover', type: 'integer' },
          {
            name: 'auth',
            type: 'block',
            token: 'AUTH',
            optional: true,
            args: [
              { name: 'username', type: 'string' },
              { name: 'password', type: 'string' },
            ],
          },
          { name: 'clientname', type: 'string', token: 'SETNAME', optional: true },
        ],
      },
    ],
    handler: hello,
  },
  {
    name: 'auth',
    arity: -2,
    flags: ALWAYS,
    categories: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of passwords defined for the user',
    summary: 'Authenticates the connection.',
    args: [
      { name: 'username', type: 'string', optional: true, since: '6.0.0' },
      { name: 'password', type: 'string' },
    ],
    handler: auth,
  },
  {
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    categories: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: "Returns the server's liveliness response.",
    args: [{ name: 'message', type: 'string', optional: true }],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    handler: ping,
  },
  {
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    categories: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns the given string.',
    args: [{ name: 'message', type: 'string' }],
    handler: echo,
  },
  {
    name: 'quit',
    arity: -1,
    flags: ALWAYS,
    categories: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Closes the connection.',
    deprecatedSince: '7.2.0',
    replacedBy: 'just closing the connection',
    handler: quit,
  },
  {
    name: 'reset',
    arity: 1,
    flags: ALWAYS,
    categories: ['connection'],
    group: 'connection',
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Resets the connection.',
    handler: reset,
  },
  {
    name: 'select',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    categories: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Changes the selected database.',
    args: [{ name: 'index', type: 'integer' }],
    handler: select,
  },
];
