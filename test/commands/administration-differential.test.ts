import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reply } from '../support/decode-reply.js';
import { DispatchHarness } from '../support/dispatch-harness.js';
import { RedisOracle } from '../support/redis-oracle.js';
import { hasTool } from '../support/tools.js';

/** Administrative commands to a real redis-server and to the dispatcher: the bytes must be the same. */

let oracle: RedisOracle;

beforeAll(async () => {
  oracle = await RedisOracle.start();
});

afterAll(() => oracle.stop());

/** One client's life, a line each. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'databases and their numbers': [
    ...['SELECT a', 'SELECT 99999999999', 'SELECT 16', 'SELECT -1', 'SELECT 3', 'SELECT 0 0'],
    ...[
      'SWAPDB a 1',
      'SWAPDB 0 b',
      'SWAPDB 0 99',
      'SWAPDB 99999999999 0',
      'SWAPDB 0 99999999999',
      'SWAPDB 0 0',
    ],
    ...['SET k v', 'DBSIZE', 'SELECT 0', 'DBSIZE', 'SWAPDB 0 3', 'DBSIZE', 'GET k'],
    ...['FLUSHALL x', 'FLUSHDB ASYNC SYNC', 'FLUSHDB async', 'DBSIZE', 'FLUSHALL SYNC'],
  ],
  'handshakes that go wrong': [
    ...['HELLO 4', 'HELLO 1', 'HELLO a', 'HELLO 3.0', 'HELLO 3 FOO', 'HELLO 3 SETNAME', 'HELLO 3 AUTH a'],
    ...['HELLO 3 AUTH other x', 'AUTH x', 'AUTH default x', 'AUTH a b', 'AUTH a b c', 'AUTH'],
    ...['PING', 'PING a', 'PING a b', 'ECHO', 'ECHO a', 'ECHO a b', 'RESET x', 'RESET'],
  ],
  'CLIENT, told wrongly': [
    ...['CLIENT', 'CLIENT FOO', 'CLIENT ID x', 'CLIENT GETNAME', 'CLIENT SETNAME n', 'CLIENT GETNAME'],
    ...['CLIENT KILL', 'CLIENT KILL 1.2.3.4:5', 'CLIENT KILL ID a', 'CLIENT KILL ID 0', 'CLIENT KILL TYPE x'],
    ...['CLIENT KILL USER x', 'CLIENT KILL ID 99', 'CLIENT KILL ID 1 SKIPME maybe', 'CLIENT KILL ID 1 FOO'],
    ...[
      'CLIENT KILL ID 99 TYPE normal',
      'CLIENT KILL LADDR x ADDR y',
      'CLIENT KILL TYPE pubsub USER default',
    ],
    ...[
      'CLIENT LIST FOO',
      'CLIENT LIST TYPE x',
      'CLIENT LIST ID a',
      'CLIENT LIST ID',
      'CLIENT LIST ID 99 98',
    ],
    ...['CLIENT LIST TYPE replica', 'CLIENT LIST TYPE normal x', 'CLIENT REPLY x', 'CLIENT REPLY ON'],
    ...['CLIENT NO-EVICT x', 'CLIENT NO-EVICT on', 'CLIENT NO-EVICT OFF'],
    ...['CLIENT PAUSE a', 'CLIENT PAUSE -1', 'CLIENT PAUSE 0', 'CLIENT PAUSE 1 x', 'CLIENT PAUSE 1 WRITE y'],
    ...[
      'CLIENT UNPAUSE',
      'CLIENT UNBLOCK a',
      'CLIENT UNBLOCK 99',
      'CLIENT UNBLOCK 99 x',
      'CLIENT UNBLOCK 99 ERROR',
    ],
  ],
  'what a key is like inside': [
    ...['OBJECT ENCODING k', 'OBJECT REFCOUNT k', 'OBJECT FREQ k', 'OBJECT IDLETIME k', 'MEMORY USAGE k'],
    ...['OBJECT', 'OBJECT FOO k', 'OBJECT ENCODING', 'MEMORY FOO', 'OBJECT HELP'],
    ...['SET k text', 'OBJECT ENCODING k', 'OBJECT REFCOUNT k', 'OBJECT FREQ k', 'OBJECT IDLETIME k'],
    ...[
      'SET k 12',
      'OBJECT ENCODING k',
      'APPEND k 3',
      'OBJECT ENCODING k',
      'HSET h a b',
      'OBJECT ENCODING h',
    ],
    ...[
      'MEMORY USAGE k SAMPLES',
      'MEMORY USAGE k SAMPLES -1',
      'MEMORY USAGE k SAMPLES a',
      'MEMORY USAGE k FOO 1',
    ],
  ],
  configuration: [
    ...['CONFIG', 'CONFIG FOO', 'CONFIG GET', 'CONFIG GET nosuch', 'CONFIG HELP', 'CONFIG REWRITE'],
    ...['CONFIG SET a', 'CONFIG SET a b', 'CONFIG SET maxmemory x', 'CONFIG SET maxmemory 1 maxmemory 2'],
    ...[
      'CONFIG SET maxmemory 100mb',
      'CONFIG GET maxmemory',
      'CONFIG GET MAXMEMORY',
      'CONFIG GET maxmemory-p*',
    ],
    ...['CONFIG SET maxmemory 1 maxmemory-policy nosuch', 'CONFIG GET maxmemory', 'CONFIG SET maxmemory 0 x'],
    ...['CONFIG SET daemonize yes', 'CONFIG SET maxmemory 0', 'CONFIG RESETSTAT', 'CONFIG RESETSTAT x'],
  ],
  'persistence and replication': [
    ...['WAIT a 0', 'WAIT 1 a', 'WAIT 1 -1', 'WAIT 0 0', 'WAIT -1 0', 'BGSAVE x', 'ROLE', 'LOLWUT VERSION a'],
    ...['SHUTDOWN x', 'SHUTDOWN ABORT', 'SHUTDOWN SAVE NOSAVE', 'SHUTDOWN ABORT NOW', 'SAVE x', 'LASTSAVE x'],
  ],
  transactions: [
    ...['EXEC', 'DISCARD', 'MULTI', 'MULTI', 'WATCH a', 'EXEC foo', 'EXEC', 'MULTI', 'FOO', 'EXEC'],
    ...[
      'MULTI',
      'SHUTDOWN',
      'EXEC',
      'MULTI',
      'PING',
      'INCR a b',
      'EXEC',
      'MULTI',
      'PING',
      'DISCARD',
      'UNWATCH',
    ],
    ...['SET k text', 'MULTI', 'INCR k', 'GET k', 'EXEC', 'WATCH k', 'SET k 1', 'MULTI', 'PING', 'EXEC'],
    ...['WATCH', 'WATCH k', 'MULTI', 'EXEC', 'MULTI', 'CLIENT FOO', 'EXEC', 'MULTI', 'RESET', 'EXEC'],
  ],
  functions: [
    ...['FUNCTION', 'FUNCTION FLUSH', 'FUNCTION FLUSH x', 'FUNCTION FLUSH SYNC x', 'FUNCTION FLUSH async'],
    ...['FUNCTION LIST', 'FUNCTION LIST foo', 'FUNCTION LIST LIBRARYNAME', 'FUNCTION LIST WITHCODE'],
    ...['FUNCTION LIST LIBRARYNAME x', 'FUNCTION foo'],
  ],
  'COMMAND, and its errors': [
    ...[
      'COMMAND COUNT x',
      'COMMAND INFO nosuch',
      'COMMAND INFO get|key',
      'COMMAND DOCS nosuch',
      'COMMAND FOO',
    ],
    ...[
      'COMMAND GETKEYS get k',
      'COMMAND GETKEYS foo k',
      'COMMAND GETKEYS ping x',
      'COMMAND GETKEYS get a b',
    ],
    ...['COMMAND GETKEYS mset a 1 b 2', 'COMMAND GETKEYS mset a 1 b', 'COMMAND GETKEYS object encoding k'],
    ...['COMMAND GETKEYS memory usage k', 'COMMAND GETKEYS lcs a b', 'COMMAND GETKEYS rename a b'],
    ...[
      'COMMAND GETKEYSANDFLAGS set a b',
      'COMMAND GETKEYSANDFLAGS set a b GET',
      'COMMAND GETKEYSANDFLAGS get a',
    ],
    ...['COMMAND GETKEYSANDFLAGS mset a 1 b 2', 'COMMAND GETKEYSANDFLAGS rename a b', 'COMMAND HELP'],
    ...[
      'COMMAND LIST x',
      'COMMAND LIST FILTERBY x',
      'COMMAND LIST FILTERBY x y',
      'COMMAND LIST FILTERBY MODULE x',
    ],
    ...[
      'COMMAND LIST FILTERBY ACLCAT x',
      'COMMAND LIST FILTERBY PATTERN SET',
      'COMMAND LIST FILTERBY PATTERN hsetn*',
    ],
  ],
};

describe.runIf(hasTool('redis-server')).each(['2', '3'])('in RESP%s', (protocol) => {
  test.each(Object.entries(SCRIPTS))('%s', async (_name, lines) => {
    const commands = ['RESET', 'FLUSHALL', `HELLO ${protocol}`, ...lines].map((line) => line.split(' '));
    const theirs = await oracle.runRaw(commands);
    const client = new DispatchHarness().connect();
    const ours = commands.map((command) => client.raw(...command));
    const transcript = (replies: readonly string[]) => lines.map((line, i) => `${line} -> ${replies[i + 3]}`);
    expect(transcript(ours)).toEqual(transcript(theirs));
  });
});

/** Fields of COMMAND INFO, in order. */
const FIELDS = [
  'name',
  'arity',
  'flags',
  'first',
  'last',
  'step',
  'categories',
  'tips',
  'keys',
  'subcommands',
];

/** Where 7.4 differs from the 7.0 that is asked here. */
const CHANGED_SINCE_7_0 = [
  'client|setname tips',
  'config|resetstat tips',
  'config|rewrite tips',
  'wait flags',
  'wait categories',
  'command|getkeys arity',
  'command|getkeysandflags arity',
];

/** Sets and maps as arrays and objects, in one order; without the notes, which are prose. */
function plain(reply: Reply): unknown {
  if (reply instanceof Set) return { set: [...reply].map((item) => JSON.stringify(plain(item))).sort() };
  if (reply instanceof Map) {
    const entries = [...reply].filter(([name]) => name !== 'notes');
    return Object.fromEntries(entries.map(([name, value]) => [String(name), plain(value)]));
  }
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

test.runIf(hasTool('redis-server'))(
  'COMMAND INFO agrees with Redis about every command that both have',
  async () => {
    const client = new DispatchHarness().connect();
    client.call('HELLO', '3');
    const names = [...new DispatchHarness().dispatcher.registry.all()].map((command) => command.fullName);
    const [, theirs] = await oracle.run([
      ['HELLO', '3'],
      ['COMMAND', 'INFO', ...names],
    ]);
    const ours = client.call('COMMAND', 'INFO', ...names) as Reply[];
    const differing: string[] = [];
    let compared = 0;
    for (const [i, name] of names.entries()) {
      const their = (theirs as Reply[])[i];
      if (their === null) continue;
      compared++;
      for (const [at, field] of FIELDS.entries()) {
        // The subcommands are compared by their own names.
        if (field === 'subcommands') continue;
        const [one, other] = [ours[i], their].map((info) => JSON.stringify(plain((info as Reply[])[at]!)));
        if (one !== other) differing.push(`${name} ${field}`);
      }
    }
    expect(differing.sort()).toEqual([...CHANGED_SINCE_7_0].sort());
    expect(compared).toBeGreaterThan(100);
  },
);
