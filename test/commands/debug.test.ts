import { beforeEach, describe, expect, test } from 'vitest';
import { DispatchHarness, settle, type TestClient } from '../support/dispatch-harness.js';
import { RedisOracle } from '../support/redis-oracle.js';
import { hasTool } from '../support/tools.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness({ 'enable-debug-command': 'yes' });
  client = harness.connect();
});

const run = (...lines: string[]) => lines.map((line) => client.call(...line.split(' '))).at(-1);

test('SLEEP stops everything for as long as it says', () => {
  const startedMs = performance.now();
  run('DEBUG SLEEP 0.03');
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(29);
});

test('OBJECT shows where and how a value is kept', () => {
  run('SET k 12345');
  expect(run('DEBUG OBJECT k')).toMatch(
    /^Value at:0x[0-9a-f]+ refcount:1 encoding:int serializedlength:\d+ lru:\d+ lru_seconds_idle:0$/,
  );
  expect(client.error('DEBUG', 'OBJECT', 'nosuch')).toBe('ERR no such key');
});

test('SET-ACTIVE-EXPIRE reaches whoever expires keys', () => {
  run('DEBUG SET-ACTIVE-EXPIRE 0');
  expect(harness.activeExpire).toBe(false);
  run('DEBUG SET-ACTIVE-EXPIRE 1');
  expect(harness.activeExpire).toBe(true);
});

test.each(['RELOAD', 'LOADAOF'])(
  '%s answers OK when disk and memory agree, and else what differs',
  async (name) => {
    client.send('DEBUG', name);
    await settle();
    expect(client.take()).toBe('+OK\r\n');
    harness.persistence.verify = () => Promise.reject(new Error('db 0: key "k" differs'));
    client.send('DEBUG', name);
    await settle();
    expect(client.take()).toBe('-ERR db 0: key "k" differs\r\n');
  },
);

test('ERROR answers what it is told, LOG logs it', () => {
  expect(client.error('DEBUG', 'ERROR', 'CODE some text')).toBe('CODE some text');
  run('DEBUG LOG hello');
  expect(harness.logged).toEqual(['DEBUG LOG: hello']);
});

test('POPULATE adds strings and leaves what is there', () => {
  run('SET key:1 mine');
  run('DEBUG POPULATE 3');
  expect(run('MGET key:0 key:1 key:2')).toEqual(['value:0', 'mine', 'value:2']);
  run('DEBUG POPULATE 1 user 10');
  expect(run('GET user:0')).toBe('value:0\0\0\0');
  run('DEBUG POPULATE 1 cut 3');
  expect(run('GET cut:0')).toBe('val');
});

describe('PROTOCOL', () => {
  test.each([
    ['string', '$11\r\nHello World\r\n', '$11\r\nHello World\r\n'],
    ['integer', ':12345\r\n', ':12345\r\n'],
    ['null', '$-1\r\n', '_\r\n'],
    ['array', '*3\r\n:0\r\n:1\r\n:2\r\n', '*3\r\n:0\r\n:1\r\n:2\r\n'],
    ['set', '*3\r\n:0\r\n:1\r\n:2\r\n', '~3\r\n:0\r\n:1\r\n:2\r\n'],
    ['map', '*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n', '%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n'],
    ['true', ':1\r\n', '#t\r\n'],
    ['false', ':0\r\n', '#f\r\n'],
    ['double', '$5\r\n3.141\r\n', ',3.141\r\n'],
    [
      'bignum',
      '$37\r\n1234567999999999999999999999999999999\r\n',
      '(1234567999999999999999999999999999999\r\n',
    ],
    ['verbatim', '$25\r\nThis is a verbatim\nstring\r\n', '=29\r\ntxt:This is a verbatim\nstring\r\n'],
    [
      'attrib',
      '$39\r\nSome real reply following the attribute\r\n',
      '|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following the attribute\r\n',
    ],
    [
      'push',
      '-ERR RESP2 is not supported by this command\r\n',
      '>2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n',
    ],
  ])('%s', (type, resp2, resp3) => {
    expect(client.raw('DEBUG', 'PROTOCOL', type)).toBe(resp2);
    client.call('HELLO', '3');
    expect(client.raw('DEBUG', 'PROTOCOL', type)).toBe(resp3);
  });

  test.each(['nosuch', 'constructor'])('%s is refused', (type) => {
    expect(client.error('DEBUG', 'PROTOCOL', type)).toMatch(/^ERR Wrong protocol type name\./);
  });
});

test.each(['NOSUCH', 'constructor', 'SLEEP', 'SLEEP 1 2', 'SEGFAULT', 'DIGEST x'])(
  'DEBUG %s is refused',
  (line) => {
    const name = line.split(' ')[0];
    expect(client.error('DEBUG', ...line.split(' '))).toBe(
      `ERR unknown subcommand or wrong number of arguments for '${name}'. Try DEBUG HELP.`,
    );
  },
);

describe('DIGEST', () => {
  const script = [
    ...['SET a 1', 'SET b text', 'SETEX c 1000 v', 'HSET h f 1 g 2', 'HSET i g 2 f 1', 'SELECT 3', 'SET a 1'],
  ].map((line) => line.split(' '));
  const digests = ['DEBUG DIGEST', 'DEBUG DIGEST-VALUE a b c h i nosuch'].map((line) => line.split(' '));

  test.runIf(hasTool('redis-server'))('is the one that Redis computes of the same data', async () => {
    const oracle = await RedisOracle.start(['--enable-debug-command', 'yes']);
    try {
      const selected = [...script, ['SELECT', '0'], ...digests];
      const theirs = (await oracle.run(selected)).slice(-2);
      const ours = selected.map((command) => client.call(...command)).slice(-2);
      expect(ours).toEqual(theirs);
      expect(ours[0]).toMatch(/^[0-9a-f]{40}$/);
    } finally {
      await oracle.stop();
    }
  });

  test('does not depend on the order in which data came', () => {
    const digest = (...lines: string[]) => run('FLUSHALL', ...lines, 'DEBUG DIGEST');
    const one = digest('SET a 1', 'SET b 2', 'HSET h f 1 g 2');
    expect(digest('HSET h g 2', 'SET b 2', 'HSET h f 1', 'SET a 1')).toBe(one);
    expect(digest('SET a 2', 'SET b 1', 'HSET h f 1 g 2')).not.toBe(one);
    expect(digest('SET a 1', 'SET b 2', 'HSET h f 2 g 1')).not.toBe(one);
    expect(digest()).toBe('0'.repeat(40));
  });
});
