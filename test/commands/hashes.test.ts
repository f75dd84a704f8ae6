import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { contents, expireKey, expiryOfKey, newHashHarness, putString, WRONGTYPE } from '../support/hashes.js';

let redis: CommandHarness;

beforeEach(() => {
  redis = newHashHarness();
});

describe('HSET', () => {
  test('answers the number of fields that are new', () => {
    expect(redis.call('HSET', 'h', 'a', '1')).toBe(1);
    expect(redis.call('HSET', 'h', 'a', '2')).toBe(0);
    expect(redis.call('HSET', 'h', 'a', '3', 'b', '4', 'c', '5')).toBe(2);
    expect(contents(redis, 'h')).toEqual({ a: '3', b: '4', c: '5' });
  });

  test('counts a field named twice once; its last value wins', () => {
    expect(redis.call('HSET', 'h', 'a', '1', 'b', '2', 'a', '3')).toBe(2);
    expect(contents(redis, 'h')).toEqual({ a: '3', b: '2' });
  });

  test('takes any bytes, empty ones too, as field and as value', () => {
    expect(redis.call('HSET', 'h', '', 'empty name', 'empty value', '', '\x00\xff\r\n', '\xff\x00')).toBe(3);
    expect(redis.call('HGET', 'h', '')).toBe('empty name');
    expect(redis.call('HGET', 'h', 'empty value')).toBe('');
    expect(redis.call('HGET', 'h', '\x00\xff\r\n')).toBe('\xff\x00');
  });

  test('keeps the expiry of the key', () => {
    redis.call('HSET', 'h', 'a', '1');
    expireKey(redis, 'h', redis.nowMs + 5000);
    redis.call('HSET', 'h', 'b', '2');
    expect(expiryOfKey(redis, 'h')).toBe(redis.nowMs + 5000);
  });

  test.each([
    ['HSET', 'h', 'a'],
    ['HSET', 'h'],
    ['HSET', 'h', 'a', '1', 'b'],
  ])('refuses a field without a value: %s %s %s', (...args) => {
    expect(redis.error(...args)).toBe("ERR wrong number of arguments for 'hset' command");
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
  });

  test('stays right from a packed hash to thousands of fields', () => {
    for (let i = 0; i < 3000; i++) expect(redis.call('HSET', 'h', `field ${i}`, `value ${i}`)).toBe(1);
    expect(redis.call('HLEN', 'h')).toBe(3000);
    for (let i = 0; i < 3000; i += 7) expect(redis.call('HGET', 'h', `field ${i}`)).toBe(`value ${i}`);
    expect(redis.call('HGET', 'h', 'field 3000')).toBeNull();
  });
});

describe('HMSET', () => {
  test('sets fields and answers OK', () => {
    expect(redis.raw('HMSET', 'h', 'a', '1', 'b', '2')).toBe('+OK\r\n');
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '2' });
  });

  test('names itself in the arity error', () => {
    expect(redis.error('HMSET', 'h', 'a', '1', 'b')).toBe(
      "ERR wrong number of arguments for 'hmset' command",
    );
  });
});

describe('HSETNX', () => {
  test('sets a field only once', () => {
    expect(redis.call('HSETNX', 'h', 'a', '1')).toBe(1);
    expect(redis.call('HSETNX', 'h', 'a', '2')).toBe(0);
    expect(redis.call('HSETNX', 'h', 'b', '3')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '3' });
  });
});

describe('reading', () => {
  beforeEach(() => {
    redis.call('HSET', 'h', 'a', '1', 'b', 'twelve bytes');
  });

  test('HGET answers the value, or null for a missing field or key', () => {
    expect(redis.call('HGET', 'h', 'b')).toBe('twelve bytes');
    expect(redis.raw('HGET', 'h', 'c')).toBe('$-1\r\n');
    expect(redis.raw('HGET', 'missing', 'a')).toBe('$-1\r\n');
    redis.client.protocol = 3;
    expect(redis.raw('HGET', 'h', 'c')).toBe('_\r\n');
  });

  test('HMGET answers every field in the order asked, also twice', () => {
    expect(redis.call('HMGET', 'h', 'b', 'c', 'a', 'b')).toEqual(['twelve bytes', null, '1', 'twelve bytes']);
    expect(redis.call('HMGET', 'missing', 'a', 'b')).toEqual([null, null]);
  });

  test('HGETALL is an array in RESP2 and a map in RESP3, also of nothing', () => {
    expect(redis.raw('HGETALL', 'h')).toBe('*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$12\r\ntwelve bytes\r\n');
    expect(redis.raw('HGETALL', 'missing')).toBe('*0\r\n');
    redis.client.protocol = 3;
    expect(redis.raw('HGETALL', 'h')).toBe('%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$12\r\ntwelve bytes\r\n');
    expect(redis.raw('HGETALL', 'missing')).toBe('%0\r\n');
  });

  test('HKEYS and HVALS are arrays in both protocols', () => {
    for (const call of [redis.call.bind(redis), redis.call3.bind(redis)]) {
      expect(call('HKEYS', 'h')).toEqual(['a', 'b']);
      expect(call('HVALS', 'h')).toEqual(['1', 'twelve bytes']);
      expect(call('HKEYS', 'missing')).toEqual([]);
      expect(call('HVALS', 'missing')).toEqual([]);
    }
  });

  test('HEXISTS, HLEN and HSTRLEN answer integers, 0 for what is missing', () => {
    expect(redis.call('HEXISTS', 'h', 'a')).toBe(1);
    expect(redis.call('HEXISTS', 'h', 'c')).toBe(0);
    expect(redis.call('HEXISTS', 'missing', 'a')).toBe(0);
    expect(redis.call('HLEN', 'h')).toBe(2);
    expect(redis.call('HLEN', 'missing')).toBe(0);
    expect(redis.call('HSTRLEN', 'h', 'b')).toBe(12);
    expect(redis.call('HSTRLEN', 'h', 'c')).toBe(0);
    expect(redis.call('HSTRLEN', 'missing', 'a')).toBe(0);
  });

  test('counts keyspace hits and misses', () => {
    redis.stats.reset();
    redis.call('HGET', 'h', 'a');
    redis.call('HGETALL', 'h');
    redis.call('HGET', 'missing', 'a');
    expect(redis.stats).toMatchObject({ keyspaceHits: 2, keyspaceMisses: 1 });
  });
});

describe('HDEL', () => {
  test('answers how many fields it removed, each once', () => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2', 'c', '3');
    expect(redis.call('HDEL', 'h', 'a', 'x', 'a')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ b: '2', c: '3' });
    expect(redis.call('HDEL', 'h', 'x')).toBe(0);
    expect(redis.call('HDEL', 'missing', 'a')).toBe(0);
  });

  test('removes the key with its last field', () => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2');
    expect(redis.call('HDEL', 'h', 'b', 'a', 'a', 'b')).toBe(2);
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
  });

  test('tells hundreds of names apart', () => {
    const names = Array.from({ length: 300 }, (_, i) => `field ${i}`);
    redis.call('HSET', 'h', ...names.flatMap((name) => [name, 'v']), 'kept', 'v');
    expect(redis.call('HDEL', 'h', ...names, ...names)).toBe(300);
    expect(contents(redis, 'h')).toEqual({ kept: 'v' });
  });
});

describe('HINCRBY', () => {
  test('adds to a field, and to 0 where there is none', () => {
    expect(redis.call('HINCRBY', 'h', 'n', '5')).toBe(5);
    expect(redis.call('HINCRBY', 'h', 'n', '-7')).toBe(-2);
    expect(redis.call('HINCRBY', 'h', 'n', '0')).toBe(-2);
    expect(redis.call('HGET', 'h', 'n')).toBe('-2');
  });

  test('is exact over the whole range of 64 bits', () => {
    redis.call('HSET', 'h', 'n', '9007199254740992');
    expect(redis.raw('HINCRBY', 'h', 'n', '1')).toBe(':9007199254740993\r\n');
    redis.call('HSET', 'h', 'n', '9223372036854775806');
    expect(redis.raw('HINCRBY', 'h', 'n', '1')).toBe(':9223372036854775807\r\n');
    expect(redis.error('HINCRBY', 'h', 'n', '1')).toBe('ERR increment or decrement would overflow');
    expect(redis.call('HGET', 'h', 'n')).toBe('9223372036854775807');
    redis.call('HSET', 'h', 'n', '-9223372036854775808');
    expect(redis.error('HINCRBY', 'h', 'n', '-1')).toBe('ERR increment or decrement would overflow');
    expect(redis.raw('HINCRBY', 'h', 'n', '9223372036854775807')).toBe(':-1\r\n');
  });

  test.each(['', ' 1', '1 ', '+1', '01', '1.0', '1e3', 'abc', '9223372036854775808'])(
    'refuses the increment %j before it looks at the key',
    (increment) => {
      putString(redis, 's', 'text');
      expect(redis.error('HINCRBY', 's', 'n', increment)).toBe('ERR value is not an integer or out of range');
    },
  );

  test.each(['', 'abc', '1.5', ' 1', '01'])('refuses to add to the value %j', (value) => {
    redis.call('HSET', 'h', 'n', value);
    expect(redis.error('HINCRBY', 'h', 'n', '1')).toBe('ERR hash value is not an integer');
    expect(redis.call('HGET', 'h', 'n')).toBe(value);
  });

  test('works on a field with a long name', () => {
    const name = 'n'.repeat(5000);
    redis.call('HINCRBY', 'h', name, '41');
    expect(redis.call('HINCRBY', 'h', name, '1')).toBe(42);
    expect(contents(redis, 'h')).toEqual({ [name]: '42' });
  });
});

describe('HINCRBYFLOAT', () => {
  test.each([
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['3', '-1.2', '1.8'],
    ['0.1', '0.2', '0.3'],
    ['1', '-1', '0'],
    ['3.0', '1.1', '4.1'],
    ['17179869184', '0.25', '17179869184.25'],
  ])('%s + %s = %s', (value, increment, sum) => {
    redis.call('HSET', 'h', 'n', value);
    expect(redis.call('HINCRBYFLOAT', 'h', 'n', increment)).toBe(sum);
    expect(redis.call('HGET', 'h', 'n')).toBe(sum);
  });

  test('adds to 0 where there is no field, and answers a bulk string in RESP3 too', () => {
    redis.client.protocol = 3;
    expect(redis.raw('HINCRBYFLOAT', 'h', 'n', '2.50')).toBe('$3\r\n2.5\r\n');
  });

  test.each([
    ['abc', 'ERR value is not a valid float'],
    ['', 'ERR value is not a valid float'],
    [' 1', 'ERR value is not a valid float'],
    ['nan', 'ERR value is not a valid float'],
    ['inf', 'ERR value is NaN or Infinity'],
    ['-Infinity', 'ERR value is NaN or Infinity'],
  ])('refuses the increment %j before it looks at the key', (increment, error) => {
    putString(redis, 's', 'text');
    expect(redis.error('HINCRBYFLOAT', 's', 'n', increment)).toBe(error);
  });

  test('refuses to add to what is not a number, and to leave the range', () => {
    redis.call('HSET', 'h', 'n', 'abc', 'max', '1e4932', 'inf', 'inf');
    expect(redis.error('HINCRBYFLOAT', 'h', 'n', '1')).toBe('ERR hash value is not a float');
    const notFinite = 'ERR increment would produce NaN or Infinity';
    expect(redis.error('HINCRBYFLOAT', 'h', 'max', '1e4932')).toBe(notFinite);
    expect(redis.error('HINCRBYFLOAT', 'h', 'inf', '1')).toBe(notFinite);
  });
});

describe('a key that holds a string', () => {
  test.each([
    ['HSET', 'a', '1'],
    ['HMSET', 'a', '1'],
    ['HSETNX', 'a', '1'],
    ['HGET', 'a'],
    ['HMGET', 'a', 'b'],
    ['HGETALL'],
    ['HDEL', 'a'],
    ['HEXISTS', 'a'],
    ['HLEN'],
    ['HKEYS'],
    ['HVALS'],
    ['HSTRLEN', 'a'],
    ['HINCRBY', 'a', '1'],
    ['HINCRBYFLOAT', 'a', '1'],
    ['HRANDFIELD'],
    ['HRANDFIELD', '1'],
    ['HSCAN', '0'],
  ])('is of the wrong type for %s', (name, ...rest) => {
    putString(redis, 's', 'text');
    expect(redis.error(name!, 's', ...rest)).toBe(WRONGTYPE);
  });
});
