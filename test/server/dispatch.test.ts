import { describe, expect, test } from 'vitest';
import { CommandError } from '../../src/base/errors.js';
import { protectedModeRefusal } from '../../src/server/refusals.js';
import { DispatchHarness, settle } from '../support/dispatch-harness.js';

const NOAUTH = 'NOAUTH Authentication required.';

describe('names', () => {
  test('are found in any case of letters', () => {
    const client = new DispatchHarness().connect();
    expect(client.call('sEt', 'k', 'v')).toBe('OK');
    expect(client.call('GET', 'k')).toBe('v');
    expect(client.call('CLIENT', 'iD')).toBe(1);
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])(
    '%s is no command, and no subcommand',
    (name) => {
      const client = new DispatchHarness().connect();
      expect(client.error(name)).toBe(`ERR unknown command '${name}', with args beginning with: `);
      expect(client.error('CLIENT', name)).toBe(`ERR unknown subcommand '${name}'. Try CLIENT HELP.`);
    },
  );

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    '%s is a key like any other',
    (name) => {
      const client = new DispatchHarness().connect();
      expect(client.call('GET', name)).toBe(null);
      expect(client.call('SET', name, '1')).toBe('OK');
      expect(client.call('INCR', name)).toBe(2);
      expect(client.call('HSET', 'h', name, 'v')).toBe(1);
      expect(client.call('HGET', 'h', name)).toBe('v');
    },
  );

  test('an unknown command quotes at most 128 bytes of what came with it', () => {
    const client = new DispatchHarness().connect();
    expect(client.error('FOO', 'a', 'b')).toBe(
      "ERR unknown command 'FOO', with args beginning with: 'a' 'b' ",
    );
    const long = 'x'.repeat(300);
    expect(client.error(long, long)).toBe(
      `ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'x'.repeat(128)}' `,
    );
    expect(client.error('FOO', 'a\r\nb')).toBe(
      "ERR unknown command 'FOO', with args beginning with: 'a  b' ",
    );
  });

  test('an empty name is an unknown command', () => {
    expect(new DispatchHarness().connect().error('')).toBe(
      "ERR unknown command '', with args beginning with: ",
    );
  });

  test('a container asks for a subcommand by its arity', () => {
    const client = new DispatchHarness().connect();
    expect(client.error('CLIENT')).toBe("ERR wrong number of arguments for 'client' command");
    expect(client.error('CLIENT', 'SETNAME')).toBe(
      "ERR wrong number of arguments for 'client|setname' command",
    );
  });

  test.each(['TRACKING', 'MAINT_NOTIFICATIONS', 'CACHING', 'GETREDIR'])(
    'CLIENT %s is refused as an unknown subcommand, and the connection lives on',
    (name) => {
      const client = new DispatchHarness().connect();
      expect(client.error('CLIENT', name, 'ON')).toBe(`ERR unknown subcommand '${name}'. Try CLIENT HELP.`);
      expect(client.call('PING')).toBe('PONG');
    },
  );
});

describe('a browser that is made to talk to the port', () => {
  test.each(['POST', 'Host:'])('is cut off at %s, with one line in the log per minute', (word) => {
    const harness = new DispatchHarness();
    for (let i = 0; i < 3; i++) {
      const client = harness.connect();
      expect(client.raw(word, '/')).toBe('');
      expect(client.closed).toBe(true);
      expect(client.raw('SET', 'k', 'v')).toBe('');
    }
    expect(harness.connect().call('GET', 'k')).toBe(null);
    expect(harness.logged).toHaveLength(1);
    harness.clock.wall += 60_000;
    harness.connect().raw(word, '/');
    expect(harness.logged).toHaveLength(2);
  });
});

describe('authentication', () => {
  test('without it only the commands that need none run', () => {
    const harness = new DispatchHarness({ requirepass: 'secret' });
    const client = harness.connect();
    expect(client.error('GET', 'k')).toBe(NOAUTH);
    expect(client.error('INFO')).toBe(NOAUTH);
    expect(client.error('PING')).toBe(NOAUTH);
    expect(client.error('CLIENT', 'SETINFO', 'LIB-NAME', 'x')).toBe(NOAUTH);
    expect(client.closed).toBe(false);
    expect(client.error('AUTH', 'wrong')).toMatch(/^WRONGPASS /);
    expect(client.call('AUTH', 'secret')).toBe('OK');
    expect(client.call('GET', 'k')).toBe(null);
  });

  test('an unknown command and a wrong arity are told before it', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    expect(client.error('FOO')).toMatch(/^ERR unknown command/);
    expect(client.error('GET')).toBe("ERR wrong number of arguments for 'get' command");
  });

  test('a password set later does not throw out who is there, and one taken away lets everybody in', () => {
    const harness = new DispatchHarness({ requirepass: 'secret' });
    const outside = harness.connect();
    const inside = harness.connect();
    inside.call('AUTH', 'secret');
    inside.call('CONFIG', 'SET', 'requirepass', '');
    expect(outside.call('GET', 'k')).toBe(null);
    const early = harness.connect();
    inside.call('CONFIG', 'SET', 'requirepass', 'other');
    expect(early.call('GET', 'k')).toBe(null);
    expect(harness.connect().error('GET', 'k')).toBe(NOAUTH);
  });
});

describe('protected mode', () => {
  const refusal = (overrides: object, address: string, kind: 'tcp' | 'unix' = 'tcp') => {
    const harness = new DispatchHarness(overrides);
    return protectedModeRefusal(harness.config, harness.connect(kind, address).client);
  };

  test('refuses other machines while there is no password', () => {
    expect(refusal({}, '192.168.0.9:4000')).toMatch(/^DENIED Redis is running in protected mode/);
    expect(refusal({}, '127.0.0.10:4000')).toMatch(/^DENIED/);
    expect(refusal({}, '127.0.0.1:4000')).toBe(null);
    expect(refusal({}, '[::1]:4000')).toBe(null);
    expect(refusal({}, '/tmp/x:0', 'unix')).toBe(null);
    expect(refusal({ requirepass: 'secret' }, '192.168.0.9:4000')).toBe(null);
    expect(refusal({ 'protected-mode': false }, '192.168.0.9:4000')).toBe(null);
  });
});

describe('the state of the server', () => {
  test('while loading only what is marked for it runs', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    harness.persistence.loading = true;
    harness.persistence.loadProgress = 0.25;
    harness.clock.wall += 3000;
    expect(client.error('GET', 'k')).toBe('LOADING Redis is loading the dataset in memory');
    expect(client.error('PING')).toBe('LOADING Redis is loading the dataset in memory');
    expect(client.call('SELECT', '1')).toBe('OK');
    expect(client.info('loading')).toBe('1');
    expect(client.info('loading_loaded_perc')).toBe('25.00');
    expect(client.info('loading_eta_seconds')).toBe('9');
    harness.persistence.loading = false;
    expect(client.call('GET', 'k')).toBe(null);
    expect(client.info('loading')).toBe('0');
    expect(client.info('loading_eta_seconds')).toBe('');
  });

  test('a disk that refuses refuses writes and PING, never reads', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.call('SET', 'k', 'v');
    harness.storage.writeRefusal = 'MISCONF Errors writing to the AOF file: No space left on device';
    expect(client.error('SET', 'k', 'w')).toBe(harness.storage.writeRefusal);
    expect(client.error('PING')).toBe(harness.storage.writeRefusal);
    expect(client.call('GET', 'k')).toBe('v');
    harness.storage.writeRefusal = null;
    expect(client.call('SET', 'k', 'w')).toBe('OK');
  });

  test('past maxmemory only what needs memory is refused', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.call('SET', 'k', 'v');
    harness.storage.roomy = false;
    expect(client.call('SET', 'k', 'v')).toBe('OK');
    client.call('CONFIG', 'SET', 'maxmemory', '1');
    expect(client.error('SET', 'k', 'w')).toBe("OOM command not allowed when used memory > 'maxmemory'.");
    expect(client.call('GET', 'k')).toBe('v');
    expect(client.call('DEL', 'k')).toBe(1);
    harness.storage.roomy = true;
    expect(client.call('SET', 'k', 'w')).toBe('OK');
  });

  test('DEBUG needs its option, which may be limited to this machine', () => {
    const refused = /^ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local"/;
    expect(new DispatchHarness().connect().error('DEBUG', 'SLEEP', '0')).toMatch(refused);
    const local = new DispatchHarness({ 'enable-debug-command': 'local' });
    expect(local.connect().call('DEBUG', 'SLEEP', '0')).toBe('OK');
    expect(local.connect('unix', '/tmp/x:0').call('DEBUG', 'SLEEP', '0')).toBe('OK');
    expect(local.connect('tcp', '10.0.0.1:99').error('DEBUG', 'SLEEP', '0')).toMatch(refused);
    const all = new DispatchHarness({ 'enable-debug-command': 'yes' });
    expect(all.connect('tcp', '10.0.0.1:99').call('DEBUG', 'SLEEP', '0')).toBe('OK');
  });
});

describe('replies', () => {
  test('an error takes back what its handler had written', () => {
    const client = new DispatchHarness().connect();
    client.send('SET', 'k', 'text');
    client.send('INCR', 'k');
    client.send('GET', 'k');
    expect(client.take()).toBe('+OK\r\n-ERR value is not an integer or out of range\r\n$4\r\ntext\r\n');
  });

  test('go to the client that asked, in the order it asked', () => {
    const harness = new DispatchHarness();
    const [first, second] = [harness.connect(), harness.connect()];
    first.send('ECHO', 'a');
    second.send('ECHO', 'b');
    first.send('ECHO', 'c');
    expect(first.take()).toBe('$1\r\na\r\n$1\r\nc\r\n');
    expect(second.take()).toBe('$1\r\nb\r\n');
  });

  test('nothing runs after QUIT', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.send('QUIT');
    client.send('SET', 'k', 'v');
    expect(client.take()).toBe('+OK\r\n');
    expect(client.client.closeAfterReply).toBe(true);
    expect(harness.connect().call('GET', 'k')).toBe(null);
  });

  test('CLIENT REPLY OFF swallows everything, errors too, until ON', () => {
    const client = new DispatchHarness().connect();
    client.send('CLIENT', 'REPLY', 'OFF');
    client.send('SET', 'k', 'v');
    client.send('NOSUCH');
    client.send('CLIENT', 'REPLY', 'SKIP');
    client.send('GET', 'k');
    client.send('CLIENT', 'REPLY', 'ON');
    client.send('GET', 'k');
    expect(client.take()).toBe('+OK\r\n$1\r\nv\r\n');
  });

  test('CLIENT REPLY SKIP swallows the next reply only', () => {
    const client = new DispatchHarness().connect();
    client.send('CLIENT', 'REPLY', 'SKIP');
    client.send('SET', 'k', 'v');
    client.send('GET', 'k');
    expect(client.take()).toBe('$1\r\nv\r\n');
  });

  test('follow the protocol of each client', () => {
    const harness = new DispatchHarness();
    const [old, current] = [harness.connect(), harness.connect()];
    current.call('HELLO', '3');
    old.send('GET', 'k');
    current.send('GET', 'k');
    old.send('GET', 'k');
    expect(old.take()).toBe('$-1\r\n$-1\r\n');
    expect(current.take()).toBe('_\r\n');
  });
});

describe('waiting', () => {
  test('answers when the work is done, and reads on', async () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    let finish = () => {};
    harness.persistence.checkpoint = () => new Promise((resolve) => (finish = resolve));
    client.send('SAVE');
    expect(client.take()).toBe('');
    expect(client.client.blocked?.reason).toBe('checkpoint');
    finish();
    await settle();
    expect(client.take()).toBe('+OK\r\n');
    expect(client.client.blocked).toBe(null);
    expect(client.resumed).toBe(1);
  });

  test('work that fails becomes an error reply', async () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    harness.persistence.checkpoint = () => Promise.reject(new Error('disk I/O error'));
    client.send('SAVE');
    await settle();
    expect(client.take()).toBe('-ERR disk I/O error\r\n');
    harness.persistence.checkpoint = () => Promise.reject(new CommandError('BUSY try later'));
    client.send('SAVE');
    await settle();
    expect(client.take()).toBe('-BUSY try later\r\n');
    expect(client.info('errorstat_BUSY')).toBe('count=1');
  });

  test('a reply that was switched off stays off when it comes late', async () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.send('CLIENT', 'REPLY', 'SKIP');
    client.send('SAVE');
    await settle();
    client.send('PING');
    expect(client.take()).toBe('+PONG\r\n');
  });

  test('a client that went away is not answered', async () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    let finish = () => {};
    harness.persistence.checkpoint = () => new Promise((resolve) => (finish = resolve));
    client.send('SAVE');
    client.close();
    finish();
    await settle();
    expect(client.take()).toBe('');
    expect(client.resumed).toBe(0);
  });
});

describe('CLIENT PAUSE', () => {
  test('WRITE holds writes back until the end, and lets reads pass', async () => {
    const harness = new DispatchHarness();
    const [admin, writer, reader] = [harness.connect(), harness.connect(), harness.connect()];
    admin.call('CLIENT', 'PAUSE', '100000', 'WRITE');
    writer.send('SET', 'k', 'v');
    expect(writer.take()).toBe('');
    expect(writer.client.blocked?.reason).toBe('pause');
    expect(reader.call('GET', 'k')).toBe(null);
    expect(admin.info('blocked_clients')).toBe('0');
    expect(admin.call('CLIENT', 'UNPAUSE')).toBe('OK');
    await settle();
    expect(writer.take()).toBe('+OK\r\n');
    expect(writer.resumed).toBe(1);
    expect(reader.call('GET', 'k')).toBe('v');
  });

  test('WRITE holds back the EXEC of a transaction that writes, and no other', async () => {
    const harness = new DispatchHarness();
    const [admin, writer, reader] = [harness.connect(), harness.connect(), harness.connect()];
    for (const line of [['MULTI'], ['INCR', 'k']]) writer.call(...line);
    for (const line of [['MULTI'], ['GET', 'k']]) reader.call(...line);
    admin.call('CLIENT', 'PAUSE', '100000', 'WRITE');
    expect(reader.call('EXEC')).toEqual([null]);
    expect(writer.raw('EXEC')).toBe('');
    admin.call('CLIENT', 'UNPAUSE');
    await settle();
    expect(writer.take()).toBe('*1\r\n:1\r\n');
  });

  test('ends by itself', async () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.call('CLIENT', 'PAUSE', '20');
    expect(client.raw('GET', 'k')).toBe('');
    await expect.poll(() => client.take(), { interval: 5 }).toBe('$-1\r\n');
  });

  test('a client that leaves takes its command with it', async () => {
    const harness = new DispatchHarness();
    const [admin, writer] = [harness.connect(), harness.connect()];
    admin.call('CLIENT', 'PAUSE', '100000', 'WRITE');
    writer.send('SET', 'k', 'v');
    writer.close();
    admin.call('CLIENT', 'UNPAUSE');
    await settle();
    expect(admin.call('GET', 'k')).toBe(null);
  });

  test('a second pause never shortens or weakens the first', () => {
    const harness = new DispatchHarness();
    const [admin, other] = [harness.connect(), harness.connect()];
    admin.send('CLIENT', 'PAUSE', '100000', 'WRITE');
    admin.send('CLIENT', 'PAUSE', '1', 'ALL');
    admin.take();
    expect(other.raw('PING')).toBe('');
    harness.dispatcher.close();
  });
});

describe('counting', () => {
  test('calls, failures and refusals are told apart', () => {
    const client = new DispatchHarness().connect();
    client.call('SET', 'k', 'text');
    client.call('INCR', 'k');
    client.call('INCR');
    client.call('INCR', 'n');
    expect(client.info('cmdstat_incr', 'commandstats')).toMatch(
      /^calls=2,usec=.*,rejected_calls=1,failed_calls=1$/,
    );
    expect(client.info('errorstat_ERR')).toBe('count=2');
    expect(client.info('total_error_replies')).toBe('2');
    client.call('CONFIG', 'RESETSTAT');
    expect(client.info('cmdstat_incr', 'commandstats')).toBe('');
    expect(client.info('errorstat_ERR')).toBe('');
    expect(client.info('total_error_replies')).toBe('0');
  });

  test('what a transaction runs is counted once', () => {
    const client = new DispatchHarness().connect();
    for (const line of [['MULTI'], ['SET', 'k', 'v'], ['EXEC']]) client.call(...line);
    expect(client.info('cmdstat_set', 'commandstats')).toMatch(/^calls=1,/);
    expect(client.info('cmdstat_exec', 'commandstats')).toMatch(/^calls=1,/);
  });

  test('no more than 128 error codes are remembered', () => {
    const client = new DispatchHarness({ 'enable-debug-command': 'yes' }).connect();
    for (let i = 0; i < 200; i++) client.call('DEBUG', 'ERROR', `CODE${i}`);
    const text = String(client.call('INFO', 'errorstats'));
    expect(text.match(/^errorstat_/gm)).toHaveLength(128);
    expect(client.info('total_error_replies')).toBe('200');
  });
});

describe('time', () => {
  test('a command sees the time of its turn, and a command after a slow one the time after that', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.call('SET', 'k', 'v', 'PX', '100');
    client.send('KEYS', '*');
    harness.clock.wall += 101;
    client.send('GET', 'k');
    expect(client.take()).toBe('*1\r\n$1\r\nk\r\n$-1\r\n');
  });

  test('brief commands of one turn share one reading, for sixteen commands at most', () => {
    const harness = new DispatchHarness();
    const client = harness.connect();
    client.call('SET', 'k', 'v', 'PX', '100');
    client.send('PING');
    harness.clock.wall += 101;
    for (let i = 0; i < 16; i++) client.send('EXISTS', 'k');
    const seen = client.replies(client.take()).slice(1);
    expect(seen.at(0)).toBe(1);
    expect(seen.at(-1)).toBe(0);
  });
});

test('errors of this program are not turned into replies', () => {
  const harness = new DispatchHarness();
  const client = harness.connect();
  harness.storage.keyspace.setString = () => {
    throw new TypeError('a fault');
  };
  expect(() => client.send('SET', 'k', 'v')).toThrow(TypeError);
});

test('the queue of a transaction counts against client-query-buffer-limit', () => {
  const harness = new DispatchHarness({ 'client-query-buffer-limit': 1024 * 1024 });
  const client = harness.connect();
  client.call('MULTI');
  expect(client.call('SET', 'k', 'x'.repeat(600_000))).toBe('QUEUED');
  client.send('SET', 'k', 'x'.repeat(600_000));
  expect(client.closed).toBe(true);
  expect(harness.connect().info('client_query_buffer_limit_disconnections')).toBe('1');
});
