import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { contents, expireKey, expiryOfKey, newHashHarness, putString, WRONGTYPE } from '../support/hashes.js';

const MAX_FIELD_EXPIRE_AT_MS = 70_368_744_177_663;
const FIELDS_MISSING = 'ERR Mandatory argument FIELDS is missing or not at the right position';
const COUNT_MISMATCH = 'ERR The `numfields` parameter must match the number of arguments';

let redis: CommandHarness;

beforeEach(() => {
  redis = newHashHarness();
  redis.call('HSET', 'h', 'a', '1', 'b', '2', 'c', '3');
});

describe('HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT', () => {
  test.each([
    ['HEXPIRE', (now: number) => [10, now + 10_000]],
    ['HPEXPIRE', (now: number) => [1234, now + 1234]],
    ['HEXPIREAT', (now: number) => [Math.floor(now / 1000) + 9, (Math.floor(now / 1000) + 9) * 1000]],
    ['HPEXPIREAT', (now: number) => [now + 77, now + 77]],
  ])('%s sets the absolute time of each field', (name, times) => {
    const [given, expected] = times(redis.nowMs) as [number, number];
    expect(redis.call(name, 'h', given, 'FIELDS', '3', 'a', 'missing', 'b')).toEqual([1, -2, 1]);
    expect(redis.call('HPEXPIRETIME', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([expected, expected, -1]);
  });

  test('a field is gone after its time, the others stay', () => {
    redis.call('HPEXPIRE', 'h', '100', 'FIELDS', '1', 'a');
    redis.advance(99);
    expect(redis.call('HGET', 'h', 'a')).toBe('1');
    redis.advance(2);
    expect(contents(redis, 'h')).toEqual({ b: '2', c: '3' });
    expect(redis.call('HLEN', 'h')).toBe(2);
    expect(redis.call('HMGET', 'h', 'a', 'b')).toEqual([null, '2']);
    expect(redis.call('HEXISTS', 'h', 'a')).toBe(0);
    expect(redis.call('HSTRLEN', 'h', 'a')).toBe(0);
    expect(redis.call('HKEYS', 'h')).toEqual(['b', 'c']);
    expect(redis.call('HDEL', 'h', 'a')).toBe(0);
    expect(redis.call('HSET', 'h', 'a', 'again')).toBe(1);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1]);
  });

  test('a hash of which every field has expired does not exist, nor does its own expiry live on', () => {
    expireKey(redis, 'h', redis.nowMs + 60_000);
    redis.call('HPEXPIRE', 'h', '100', 'FIELDS', '3', 'a', 'b', 'c');
    redis.advance(101);
    expect(redis.call('HLEN', 'h')).toBe(0);
    expect(redis.call('HGETALL', 'h')).toEqual([]);
    expect(redis.call('HRANDFIELD', 'h')).toBeNull();
    expect(redis.call('HSETEX', 'h', 'XX', 'FIELDS', '1', 'a', '1')).toBe(0);
    expect(redis.call('HSET', 'h', 'new', '1')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ new: '1' });
    expect(expiryOfKey(redis, 'h')).toBe(0);
  });

  test('removing the last live field removes the key, whatever has expired beside it', () => {
    redis.call('HPEXPIRE', 'h', '100', 'FIELDS', '2', 'a', 'b');
    redis.advance(101);
    expect(redis.call('HDEL', 'h', 'c')).toBe(1);
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
  });

  test.each([
    // condition, field without an expiry, field that expires in 100 s; the new time is 50, 100, 200 s
    ['NX', [1, 1, 1], [0, 0, 0]],
    ['XX', [0, 0, 0], [1, 1, 1]],
    ['GT', [0, 0, 0], [0, 0, 1]],
    ['LT', [1, 1, 1], [1, 0, 0]],
    ['gt', [0, 0, 0], [0, 0, 1]],
  ])('%s', (condition, persistent, expiring) => {
    for (const [i, seconds] of [50, 100, 200].entries()) {
      redis.call('HSETEX', 'h', 'EX', '100', 'FIELDS', '1', 'b', '2');
      redis.call('HSET', 'h', 'a', '1');
      const answers = redis.call('HEXPIRE', 'h', seconds, condition, 'FIELDS', '2', 'a', 'b');
      expect(answers).toEqual([persistent[i], expiring[i]]);
      const left = [persistent[i] === 1 ? seconds : -1, expiring[i] === 1 ? seconds : 100];
      expect(redis.call('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual(left);
    }
  });

  test.each([
    ['HEXPIRE', '0'],
    ['HPEXPIRE', '0'],
    ['HEXPIREAT', '0'],
    ['HEXPIREAT', '1'],
    ['HPEXPIREAT', '1699999999999'],
  ])('%s %s, a time that has come, removes the fields and answers 2', (name, time) => {
    expect(redis.call(name, 'h', time, 'FIELDS', '3', 'a', 'missing', 'b')).toEqual([2, -2, 2]);
    expect(contents(redis, 'h')).toEqual({ c: '3' });
    expect(redis.call(name, 'h', time, 'FIELDS', '1', 'c')).toEqual([2]);
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
  });

  test('a time that has come still has to meet the condition', () => {
    expect(redis.call('HEXPIRE', 'h', '0', 'XX', 'FIELDS', '1', 'a')).toEqual([0]);
    expect(redis.call('HEXPIRE', 'h', '0', 'GT', 'FIELDS', '1', 'a')).toEqual([0]);
    expect(redis.call('HEXPIRE', 'h', '0', 'LT', 'FIELDS', '1', 'a')).toEqual([2]);
    expect(contents(redis, 'h')).toEqual({ b: '2', c: '3' });
  });

  test('a field named twice is judged by what its first mention did', () => {
    expect(redis.call('HEXPIRE', 'h', '10', 'NX', 'FIELDS', '2', 'a', 'a')).toEqual([1, 0]);
    expect(redis.call('HEXPIRE', 'h', '20', 'GT', 'FIELDS', '2', 'a', 'a')).toEqual([1, 0]);
    expect(redis.call('HEXPIRE', 'h', '10', 'FIELDS', '2', 'b', 'b')).toEqual([1, 1]);
    expect(redis.call('HEXPIRE', 'h', '0', 'FIELDS', '2', 'b', 'b')).toEqual([2, -2]);
    expect(contents(redis, 'h')).toEqual({ a: '1', c: '3' });
  });

  test('a missing key has none of the fields', () => {
    expect(redis.call('HEXPIRE', 'missing', '10', 'FIELDS', '2', 'a', 'b')).toEqual([-2, -2]);
    expect(redis.call('HEXPIRE', 'missing', '0', 'FIELDS', '1', 'a')).toEqual([-2]);
    expect(expiryOfKey(redis, 'missing')).toBeUndefined();
  });

  test('the latest time is 2^46 - 1 ms, from now or absolute', () => {
    const invalid = (name: string) => `ERR invalid expire time in '${name}' command`;
    const left = MAX_FIELD_EXPIRE_AT_MS - redis.nowMs;
    expect(redis.call('HPEXPIREAT', 'h', MAX_FIELD_EXPIRE_AT_MS, 'FIELDS', '1', 'a')).toEqual([1]);
    expect(redis.call('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([MAX_FIELD_EXPIRE_AT_MS]);
    expect(redis.call('HPEXPIRE', 'h', left, 'FIELDS', '1', 'b')).toEqual([1]);
    expect(redis.error('HPEXPIREAT', 'h', MAX_FIELD_EXPIRE_AT_MS + 1, 'FIELDS', '1', 'a')).toBe(
      invalid('hpexpireat'),
    );
    expect(redis.error('HPEXPIRE', 'h', left + 1, 'FIELDS', '1', 'a')).toBe(invalid('hpexpire'));
    expect(redis.error('HEXPIRE', 'h', '9223372036854775807', 'FIELDS', '1', 'a')).toBe(invalid('hexpire'));
    expect(redis.error('HEXPIREAT', 'h', '70368744178', 'FIELDS', '1', 'a')).toBe(invalid('hexpireat'));
  });

  test.each([
    [['abc', 'FIELDS', '1', 'a'], 'ERR value is not an integer or out of range'],
    [['1.5', 'FIELDS', '1', 'a'], 'ERR value is not an integer or out of range'],
    [['-1', 'FIELDS', '1', 'a'], 'ERR invalid expire time, must be >= 0'],
    [['-1', 'WHAT', '1', 'a'], 'ERR invalid expire time, must be >= 0'],
    [['10', 'WHAT', '1', 'a'], FIELDS_MISSING],
    [['10', 'NX', 'XX', 'FIELDS', '1', 'a'], FIELDS_MISSING],
    [['10', 'FIELDS', '0', 'a'], 'ERR Parameter `numFields` should be greater than 0'],
    [['10', 'FIELDS', '-1', 'a'], 'ERR Parameter `numFields` should be greater than 0'],
    [['10', 'FIELDS', 'x', 'a'], 'ERR Parameter `numFields` should be greater than 0'],
    [['10', 'FIELDS', '2', 'a'], COUNT_MISMATCH],
    [['10', 'FIELDS', '1', 'a', 'b'], COUNT_MISMATCH],
    [['10', 'FIELDS', '9223372036854775807', 'a'], COUNT_MISMATCH],
    [['10', 'NX', 'FIELDS', '1'], COUNT_MISMATCH],
    [['10', 'FIELDS', '1'], "ERR wrong number of arguments for 'hexpire' command"],
  ])('HEXPIRE h %j answers %s', (rest, error) => {
    expect(redis.error('HEXPIRE', 'h', ...rest)).toBe(error);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1]);
  });
});

describe('HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME', () => {
  test('answer -2 without the field or key, -1 without an expiry', () => {
    for (const name of ['HTTL', 'HPTTL', 'HEXPIRETIME', 'HPEXPIRETIME']) {
      expect(redis.call(name, 'h', 'FIELDS', '2', 'a', 'missing')).toEqual([-1, -2]);
      expect(redis.call(name, 'missing', 'FIELDS', '2', 'a', 'b')).toEqual([-2, -2]);
    }
  });

  test('round seconds up', () => {
    redis.call('HPEXPIREAT', 'h', redis.nowMs + 1001, 'FIELDS', '1', 'a');
    expect(redis.call('HPTTL', 'h', 'FIELDS', '1', 'a')).toEqual([1001]);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([2]);
    expect(redis.call('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([redis.nowMs + 1001]);
    expect(redis.call('HEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([redis.nowMs / 1000 + 2]);
    redis.advance(1);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([1]);
  });

  test('are exact beyond 2^53', () => {
    redis.call('HSETEX', 'h', '9223370336854775', 'a', 'x');
    const expireAt = 9223370336854775n * 1000n + BigInt(redis.nowMs);
    expect(redis.call('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([expireAt]);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([9223370336854775n]);
  });
});

describe('HPERSIST', () => {
  test('removes expiries, and tells fields that have none', () => {
    redis.call('HEXPIRE', 'h', '10', 'FIELDS', '2', 'a', 'b');
    expect(redis.call('HPERSIST', 'h', 'FIELDS', '4', 'a', 'c', 'missing', 'a')).toEqual([1, -1, -2, -1]);
    expect(redis.call('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([-1, 10, -1]);
    expect(redis.call('HPERSIST', 'missing', 'FIELDS', '1', 'a')).toEqual([-2]);
  });
});

describe('HGETDEL', () => {
  test('answers values and removes their fields; a second mention finds nothing', () => {
    expect(redis.call('HGETDEL', 'h', 'FIELDS', '4', 'a', 'missing', 'b', 'a')).toEqual([
      '1',
      null,
      '2',
      null,
    ]);
    expect(contents(redis, 'h')).toEqual({ c: '3' });
    expect(redis.call('HGETDEL', 'h', 'FIELDS', '1', 'c')).toEqual(['3']);
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
    expect(redis.call('HGETDEL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([null, null]);
  });
});

describe('HGETEX', () => {
  test('without an option only reads', () => {
    redis.call('HEXPIRE', 'h', '10', 'FIELDS', '1', 'a');
    expect(redis.call('HGETEX', 'h', 'FIELDS', '3', 'a', 'missing', 'a')).toEqual(['1', null, '1']);
    expect(redis.call('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([10, -1]);
  });

  test.each([
    ['EX', 10, 10_000],
    ['px', 1500, 1500],
    ['EXAT', 1_700_000_010, 10_000],
    ['PXAT', 1_700_000_000_777, 777],
  ])('%s %d sets the expiry of the fields it finds', (option, time, leftMs) => {
    expect(redis.call('HGETEX', 'h', option, time, 'FIELDS', '3', 'a', 'missing', 'b')).toEqual([
      '1',
      null,
      '2',
    ]);
    expect(redis.call('HPTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([leftMs, leftMs, -1]);
  });

  test('PERSIST removes the expiry', () => {
    redis.call('HEXPIRE', 'h', '10', 'FIELDS', '2', 'a', 'b');
    expect(redis.call('HGETEX', 'h', 'PERSIST', 'FIELDS', '3', 'a', 'c', 'missing')).toEqual([
      '1',
      '3',
      null,
    ]);
    expect(redis.call('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([-1, 10, -1]);
  });

  test.each([
    ['EX', '0'],
    ['PX', '0'],
    ['EXAT', '0'],
    ['PXAT', '1699999999999'],
  ])('%s %s answers the values and removes the fields', (option, time) => {
    expect(redis.call('HGETEX', 'h', option, time, 'FIELDS', '2', 'a', 'a')).toEqual(['1', null]);
    expect(contents(redis, 'h')).toEqual({ b: '2', c: '3' });
    expect(redis.call('HGETEX', 'h', option, time, 'FIELDS', '2', 'b', 'c')).toEqual(['2', '3']);
    expect(expiryOfKey(redis, 'h')).toBeUndefined();
    expect(redis.call('HGETEX', 'h', option, time, 'FIELDS', '1', 'b')).toEqual([null]);
  });

  test.each([
    [['EX', 'abc', 'FIELDS', '1', 'a'], 'ERR value is not an integer or out of range'],
    [['EX', '-1', 'FIELDS', '1', 'a'], 'ERR invalid expire time, must be >= 0'],
    [['EX', '70368744178', 'FIELDS', '1', 'a'], "ERR invalid expire time in 'hgetex' command"],
    [['PXAT', '70368744177664', 'FIELDS', '1', 'a'], "ERR invalid expire time in 'hgetex' command"],
    [['EX', '10', 'PERSIST', 'FIELDS', '1', 'a'], FIELDS_MISSING],
    [['EX', '10', 'x'], FIELDS_MISSING],
    [['KEEPTTL', 'FIELDS', '1', 'a'], FIELDS_MISSING],
    [['EX', '10', 'FIELDS'], "ERR wrong number of arguments for 'hgetex' command"],
    [['EX', '10'], "ERR wrong number of arguments for 'hgetex' command"],
  ])('HGETEX h %j answers %s', (rest, error) => {
    expect(redis.error('HGETEX', 'h', ...rest)).toBe(error);
    expect(redis.call('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1]);
  });
});

describe('FIELDS numfields field ...', () => {
  test.each(['HTTL', 'HPTTL', 'HEXPIRETIME', 'HPEXPIRETIME', 'HPERSIST', 'HGETDEL', 'HGETEX'])(
    'is read by %s as Redis reads it',
    (name) => {
      const positive = 'ERR Number of fields must be a positive integer';
      expect(redis.error(name, 'h', 'WHAT', '1', 'a')).toBe(FIELDS_MISSING);
      expect(redis.error(name, 'h', 'FIELDS', 'x', 'a')).toBe(positive);
      expect(redis.error(name, 'h', 'FIELDS', '0', 'a')).toBe(positive);
      expect(redis.error(name, 'h', 'fields', '-1', 'a')).toBe(positive);
      expect(redis.error(name, 'h', 'FIELDS', '2', 'a')).toBe(COUNT_MISMATCH);
      expect(redis.error(name, 'h', 'FIELDS', '1', 'a', 'b')).toBe(COUNT_MISMATCH);
      const arity = `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
      expect(redis.error(name, 'h', 'FIELDS', '1')).toBe(arity);
      expect(contents(redis, 'h')).toEqual({ a: '1', b: '2', c: '3' });
    },
  );

  test.each(['HTTL', 'HPERSIST', 'HGETDEL', 'HGETEX'])(
    '%s reports a wrong type before any other mistake',
    (name) => {
      putString(redis, 's', 'text');
      expect(redis.error(name, 's', 'WHAT', '1', 'a')).toBe(WRONGTYPE);
    },
  );

  test('HEXPIRE reports a wrong type before any other mistake', () => {
    putString(redis, 's', 'text');
    expect(redis.error('HEXPIRE', 's', 'abc', 'FIELDS', '1', 'a')).toBe(WRONGTYPE);
  });
});

describe('writing to a field that expires', () => {
  beforeEach(() => {
    redis.call('HEXPIRE', 'h', '100', 'FIELDS', '3', 'a', 'b', 'c');
  });

  test.each([['HSET'], ['HMSET']])('%s drops its expiry', (name) => {
    redis.call(name, 'h', 'a', '9');
    expect(redis.call('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([-1, 100]);
  });

  test('HINCRBY and HINCRBYFLOAT keep it', () => {
    expect(redis.call('HINCRBY', 'h', 'a', '1')).toBe(2);
    expect(redis.call('HINCRBYFLOAT', 'h', 'b', '0.5')).toBe('2.5');
    expect(redis.call('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([100, 100]);
  });

  test('an expired field counts as missing', () => {
    redis.advance(100_001);
    expect(redis.call('HINCRBY', 'h', 'a', '1')).toBe(1);
    expect(redis.call('HSETNX', 'h', 'b', 'new')).toBe(1);
    expect(redis.call('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([-1, -1, -2]);
  });
});
