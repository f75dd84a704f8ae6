import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { contents, expiryOfKey, newHashHarness, putString, WRONGTYPE } from '../support/hashes.js';

const ARITY = "ERR wrong number of arguments for 'hsetex' command";
const NOT_INTEGER = 'ERR value is not an integer or out of range';
const INVALID_TIME = "ERR invalid expire time in 'hsetex' command";
const ONE_TIME = 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified';
const ONE_CONDITION = 'ERR Only one of FXX or FNX arguments can be specified';

let redis: CommandHarness;

beforeEach(() => {
  redis = newHashHarness();
});

/** Seconds left of each field: -1 without an expiry, -2 without the field. */
function fieldTtl(...fields: string[]) {
  return redis.call('HTTL', 'h', 'FIELDS', fields.length, ...fields);
}

/** Seconds left of a key. */
function keyTtl(key: string): number | undefined {
  const expireAt = expiryOfKey(redis, key);
  return expireAt === undefined ? undefined : expireAt === 0 ? -1 : (Number(expireAt) - redis.nowMs) / 1000;
}

describe('HSETEX key field value seconds', () => {
  test('works as in its documentation, with the TTL reset by each call as its text says', () => {
    expect(redis.raw('HSETEX', 'myhash', 'field1', 'value1', '60')).toBe(':1\r\n');
    expect(keyTtl('myhash')).toBe(60);
    expect(redis.raw('HSETEX', 'myhash', 'field2', 'value2', '120')).toBe(':1\r\n');
    expect(redis.call('HEXISTS', 'myhash', 'field1')).toBe(1);
    expect(keyTtl('myhash')).toBe(120);
    expect(redis.raw('HSETEX', 'myhash', 'field1', 'newvalue', '180')).toBe(':0\r\n');
    expect(keyTtl('myhash')).toBe(180);
    expect(contents(redis, 'myhash')).toEqual({ field1: 'newvalue', field2: 'value2' });
  });

  test('makes the whole hash expire', () => {
    redis.call('HSET', 'h', 'old', '1');
    redis.call('HSETEX', 'h', 'a', 'x', '60');
    redis.advance(59_999);
    expect(contents(redis, 'h')).toEqual({ old: '1', a: 'x' });
    redis.advance(2);
    expect(contents(redis, 'h')).toBeUndefined();
  });

  test('can shorten the time of the key, and drops the own time of the field', () => {
    redis.call('HSETEX', 'h', '500', 'a', 'x');
    redis.call('HSETEX', 'h', 'b', 'x', '100');
    redis.call('HSETEX', 'h', 'a', 'y', '10');
    expect(keyTtl('h')).toBe(10);
    expect(fieldTtl('a', 'b')).toEqual([-1, -1]);
  });

  test('takes a field named like a keyword', () => {
    for (const field of ['NX', 'EX', 'FIELDS', 'KEEPTTL']) {
      expect(redis.call('HSETEX', 'h', field, 'v', '10')).toBe(1);
    }
    expect(contents(redis, 'h')).toEqual({ NX: 'v', EX: 'v', FIELDS: 'v', KEEPTTL: 'v' });
  });

  test('keeps an expiry beyond 2^53 ms exactly, up to the last that fits in 64 bits', () => {
    const last = (2n ** 63n - 1n - BigInt(redis.nowMs)) / 1000n;
    expect(redis.call('HSETEX', 'h', 'a', 'x', last)).toBe(1);
    expect(expiryOfKey(redis, 'h')).toBe(last * 1000n + BigInt(redis.nowMs));
    expect(redis.error('HSETEX', 'h', 'a', 'x', last + 1n)).toBe(INVALID_TIME);
    expect(redis.error('HSETEX', 'h', 'a', 'x', '9223372036854775807')).toBe(INVALID_TIME);
  });

  test.each(['0', '-1', '-9223372036854775808'])('refuses %s seconds', (seconds) => {
    expect(redis.error('HSETEX', 'h', 'a', 'x', seconds)).toBe(INVALID_TIME);
    expect(contents(redis, 'h')).toBeUndefined();
  });

  test('reports a bad time before a wrong type', () => {
    putString(redis, 's', 'text');
    expect(redis.error('HSETEX', 's', 'a', 'x', '0')).toBe(INVALID_TIME);
    expect(redis.error('HSETEX', 's', 'a', 'x', '10')).toBe(WRONGTYPE);
  });
});

describe('with four arguments', () => {
  test('the one that is an integer is the time: last of the key, second of the field', () => {
    expect(redis.call('HSETEX', 'h', '60', 'a', 'x')).toBe(1);
    expect(keyTtl('h')).toBe(-1);
    expect(fieldTtl('a')).toEqual([60]);
    expect(redis.call('HSETEX', 'h', 'a', 'x', '60')).toBe(0);
    expect(keyTtl('h')).toBe(60);
    expect(fieldTtl('a')).toEqual([-1]);
  });

  test('when both are, hsetex-positional decides', () => {
    expect(redis.call('HSETEX', 'h', '1', '2', '60')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ '1': '2' });
    expect(keyTtl('h')).toBe(60);

    redis = newHashHarness({ 'hsetex-positional': 'ttl-first' });
    expect(redis.call('HSETEX', 'h', '1', '2', '60')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ '2': '60' });
    expect(fieldTtl('2')).toEqual([1]);
    expect(redis.call('HSETEX', 'h', 'a', 'x', '60')).toBe(1);
    expect(keyTtl('h')).toBe(60);
  });

  test.each([
    ['a', 'x', 'y'],
    ['FIELDS', '1', 'a'],
    ['a', 'x', '1.5'],
    ['a', 'x', '010'],
    ['a', 'x', '9223372036854775808'],
    ['FNX', '10', 'a'],
  ])('neither an integer is an error: %s %s %s', (...rest) => {
    expect(redis.error('HSETEX', 'h', ...rest)).toBe(NOT_INTEGER);
  });

  test.each([[[]], [['h']], [['h', 'a']], [['h', 'a', '60']]])('fewer are too few: %j', (args) => {
    expect(redis.error('HSETEX', ...args)).toBe(ARITY);
  });
});

describe('HSETEX key [NX|FNX|FXX] [KEEPTTL] seconds field value ...', () => {
  test('gives each field its time and answers how many are new', () => {
    expect(redis.call('HSETEX', 'h', '60', 'a', '1', 'b', '2')).toBe(2);
    expect(redis.call('HSETEX', 'h', '90', 'b', '3', 'c', '4', 'c', '5')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '3', c: '5' });
    expect(fieldTtl('a', 'b', 'c')).toEqual([60, 90, 90]);
    expect(keyTtl('h')).toBe(-1);
  });

  test('NX leaves alone each field that exists, with its time', () => {
    redis.call('HSETEX', 'h', '60', 'a', 'x');
    expect(redis.call('HSETEX', 'h', 'NX', '90', 'a', '2', 'b', '3', 'b', '4')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: 'x', b: '3' });
    expect(fieldTtl('a', 'b')).toEqual([60, 90]);
    expect(redis.call('HSETEX', 'h', 'nx', '5', 'a', '2', 'b', '3')).toBe(0);
    expect(fieldTtl('a', 'b')).toEqual([60, 90]);
  });

  test('FNX sets all fields or, when any exists, none', () => {
    expect(redis.call('HSETEX', 'h', 'FNX', '60', 'a', '1', 'b', '2')).toBe(2);
    expect(redis.call('HSETEX', 'h', 'FNX', '90', 'b', '3', 'c', '4')).toBe(0);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '2' });
    expect(fieldTtl('b')).toEqual([60]);
  });

  test('FXX sets all fields or, when any is missing, none', () => {
    expect(redis.call('HSETEX', 'h', 'FXX', '60', 'a', '1')).toBe(0);
    expect(contents(redis, 'h')).toBeUndefined();
    redis.call('HSET', 'h', 'a', '1', 'b', '2');
    expect(redis.call('HSETEX', 'h', 'FXX', '60', 'a', '3', 'c', '4')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'FXX', '60', 'a', '3', 'b', '4')).toBe(0);
    expect(contents(redis, 'h')).toEqual({ a: '3', b: '4' });
    expect(fieldTtl('a', 'b')).toEqual([60, 60]);
  });

  test('KEEPTTL keeps the time of a field that has one', () => {
    redis.call('HSETEX', 'h', '60', 'a', 'x');
    redis.call('HSET', 'h', 'b', '1');
    expect(redis.call('HSETEX', 'h', 'KEEPTTL', '90', 'a', '2', 'b', '2', 'c', '2')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '2', b: '2', c: '2' });
    expect(fieldTtl('a', 'b', 'c')).toEqual([60, 90, 90]);
    expect(redis.call('HSETEX', 'h', 'FXX', 'KEEPTTL', '5', 'a', '3')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'KEEPTTL', 'FXX', '5', 'a', '4')).toBe(0);
    expect(contents(redis, 'h')).toMatchObject({ a: '4' });
    expect(fieldTtl('a')).toEqual([60]);
  });

  test('takes fields named like keywords and integers', () => {
    expect(redis.call('HSETEX', 'h', '60', 'FIELDS', '1', '2', '3')).toBe(2);
    expect(contents(redis, 'h')).toEqual({ FIELDS: '1', '2': '3' });
  });

  test.each([
    [['0', 'a', 'x'], INVALID_TIME],
    [['-5', 'a', 'x', 'b', 'y'], INVALID_TIME],
    [['9223372036854775807', 'a', 'x'], INVALID_TIME],
    [['60', 'a', 'x', 'b'], ARITY],
    [['KEEPTTL', 'FNX', '60', 'a'], ARITY],
    [['KEEPTTL', 'FNX', 'NX', '60'], ARITY],
    [['NX', 'FNX', '60', 'a', 'x'], 'ERR syntax error'],
    [['XX', '60', 'a', 'x'], 'ERR syntax error'],
    [['NX', 'XX', '60', 'a', 'x'], 'ERR syntax error'],
    [['EX', '10', '60', 'a', 'x'], 'ERR syntax error'],
    [['FNX', 'FXX', '60', 'a', 'x'], ONE_CONDITION],
    [['KEEPTTL', 'KEEPTTL', '60', 'a', 'x'], ONE_TIME],
  ])('HSETEX h %j answers %s', (rest, error) => {
    expect(redis.error('HSETEX', 'h', ...rest)).toBe(error);
    expect(contents(redis, 'h')).toBeUndefined();
  });

  test('reports a bad time before a wrong type', () => {
    putString(redis, 's', 'text');
    expect(redis.error('HSETEX', 's', '0', 'a', 'x')).toBe(INVALID_TIME);
    expect(redis.error('HSETEX', 's', '10', 'a', 'x')).toBe(WRONGTYPE);
  });
});

describe('HSETEX key [FNX|FXX] [EX|PX|EXAT|PXAT time|KEEPTTL] FIELDS n field value ...', () => {
  test.each([
    ['EX', 60, 60_000],
    ['px', 1500, 1500],
    ['EXAT', 1_700_000_009, 9000],
    ['PXAT', 1_700_000_000_001, 1],
  ])('%s %d gives each field its time and answers 1', (option, time, leftMs) => {
    redis.call('HSET', 'h', 'a', '0');
    expect(redis.call('HSETEX', 'h', option, time, 'FIELDS', '2', 'a', '1', 'b', '2')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '2' });
    expect(redis.call('HPTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([leftMs, leftMs]);
    expect(keyTtl('h')).toBe(-1);
  });

  test('without a time drops the time of the fields; KEEPTTL keeps it', () => {
    redis.call('HSETEX', 'h', 'EX', '60', 'FIELDS', '2', 'a', '1', 'b', '2');
    expect(redis.call('HSETEX', 'h', 'KEEPTTL', 'FIELDS', '2', 'b', '3', 'c', '4')).toBe(1);
    expect(fieldTtl('a', 'b', 'c')).toEqual([60, 60, -1]);
    expect(redis.call('HSETEX', 'h', 'FIELDS', '1', 'a', '5')).toBe(1);
    expect(fieldTtl('a', 'b', 'c')).toEqual([-1, 60, -1]);
    expect(contents(redis, 'h')).toEqual({ a: '5', b: '3', c: '4' });
  });

  test('the last value of a field named twice wins', () => {
    expect(redis.call('HSETEX', 'h', 'EX', '60', 'FIELDS', '2', 'a', '1', 'a', '2')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '2' });
  });

  test('FNX and FXX set all fields or none', () => {
    expect(redis.call('HSETEX', 'h', 'FXX', 'FIELDS', '1', 'a', '1')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'FNX', 'EX', '60', 'FIELDS', '2', 'a', '1', 'b', '2')).toBe(1);
    expect(redis.call('HSETEX', 'h', 'EX', '90', 'FNX', 'FIELDS', '2', 'b', '3', 'c', '4')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'FXX', 'EX', '90', 'FIELDS', '2', 'b', '3', 'c', '4')).toBe(0);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '2' });
    expect(redis.call('HSETEX', 'h', 'FXX', 'EX', '90', 'FIELDS', '2', 'b', '3', 'a', '4')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ a: '4', b: '3' });
    expect(fieldTtl('a', 'b')).toEqual([90, 90]);
  });

  test('NX and XX are conditions on the key', () => {
    expect(redis.call('HSETEX', 'h', 'XX', 'EX', '60', 'FIELDS', '1', 'a', '1')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'NX', 'EX', '60', 'FIELDS', '1', 'a', '1')).toBe(1);
    expect(redis.call('HSETEX', 'h', 'NX', 'EX', '60', 'FIELDS', '1', 'b', '2')).toBe(0);
    expect(redis.call('HSETEX', 'h', 'XX', 'FNX', 'FIELDS', '1', 'b', '2')).toBe(1);
    expect(redis.call('HSETEX', 'h', 'XX', 'FNX', 'FIELDS', '1', 'b', '3')).toBe(0);
    expect(contents(redis, 'h')).toEqual({ a: '1', b: '2' });
  });

  test.each([
    ['EX', '0'],
    ['PX', '0'],
    ['EXAT', '0'],
    ['EXAT', '1600000000'],
    ['PXAT', '1699999999999'],
  ])('%s %s, a time that has come, removes the fields and answers 1', (option, time) => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2');
    expect(redis.call('HSETEX', 'h', option, time, 'FIELDS', '3', 'a', 'x', 'c', 'x', 'a', 'y')).toBe(1);
    expect(contents(redis, 'h')).toEqual({ b: '2' });
    expect(redis.call('HSETEX', 'h', option, time, 'FIELDS', '1', 'b', 'x')).toBe(1);
    expect(contents(redis, 'h')).toBeUndefined();
    expect(redis.call('HSETEX', 'h', option, time, 'FIELDS', '1', 'b', 'x')).toBe(1);
    expect(contents(redis, 'h')).toBeUndefined();
  });

  test('a time that has come still has to meet the condition', () => {
    redis.call('HSET', 'h', 'a', '1');
    expect(redis.call('HSETEX', 'h', 'FNX', 'EX', '0', 'FIELDS', '1', 'a', 'x')).toBe(0);
    expect(contents(redis, 'h')).toEqual({ a: '1' });
  });

  test.each([
    [['EX', '60', 'PX', '60', 'FIELDS', '1', 'a', 'x'], ONE_TIME],
    [['EX', '60', 'EX', '60', 'FIELDS', '1', 'a', 'x'], ONE_TIME],
    [['KEEPTTL', 'EXAT', '60', 'FIELDS', '1', 'a', 'x'], ONE_TIME],
    [['PXAT', '60', 'KEEPTTL', 'FIELDS', '1', 'a', 'x'], ONE_TIME],
    [['FNX', 'FXX', 'FIELDS', '1', 'a', 'x'], ONE_CONDITION],
    [['FXX', 'FXX', 'FIELDS', '1', 'a', 'x'], ONE_CONDITION],
    [['NX', 'XX', 'FIELDS', '1', 'a', 'x'], 'ERR syntax error'],
    [['NX', 'FNX', 'KEEPTTL', 'EX'], ONE_TIME],
    [['NX', 'FNX', 'XX', 'EX'], 'ERR missing expire time'],
    [['EX', 'abc', 'FIELDS', '1', 'a', 'x'], NOT_INTEGER],
    [['EX', 'FIELDS', '1', 'a', 'x'], NOT_INTEGER],
    [['EX', '-1', 'FIELDS', '1', 'a', 'x'], 'ERR invalid expire time, must be >= 0'],
    [['EX', '9223372036854775807', 'FIELDS', '1', 'a', 'x'], INVALID_TIME],
    [['EXAT', '70368744178', 'FIELDS', '1', 'a', 'x'], INVALID_TIME],
    [['PXAT', '70368744177664', 'FIELDS', '1', 'a', 'x'], INVALID_TIME],
    [['WHAT', '60', 'FIELDS', '1', 'a', 'x'], 'ERR unknown argument: WHAT'],
    [['EX', '60', 'field', 'a', 'x'], 'ERR unknown argument: field'],
    [['field1', 'value1', 'field2', 'value2', '60'], 'ERR unknown argument: field1'],
    [['FIELDS', '0', 'a', 'x'], 'ERR invalid number of fields'],
    [['FIELDS', '-1', 'a', 'x'], 'ERR invalid number of fields'],
    [['FIELDS', 'n', 'a', 'x'], 'ERR invalid number of fields'],
    [['FIELDS', '2147483648', 'a', 'x'], 'ERR invalid number of fields'],
    [['FIELDS', '2', 'a', 'x'], ARITY],
    [['FIELDS', '1', 'a', 'x', 'b', 'y'], ARITY],
    [['FIELDS', '1', 'a', 'x', 'b'], ARITY],
    [['FNX', 'FIELDS', '1', 'a'], ARITY],
    [['EX', '60', 'FNX', 'FIELDS'], ARITY],
    [['EX', '60', 'FNX', 'NX'], ARITY],
  ])('HSETEX h %j answers %s', (rest, error) => {
    expect(redis.error('HSETEX', 'h', ...rest)).toBe(error);
    expect(contents(redis, 'h')).toBeUndefined();
  });

  test('reads keywords in any case', () => {
    expect(redis.call('hsetex', 'h', 'fnx', 'ex', '60', 'fields', '1', 'a', 'x')).toBe(1);
    expect(fieldTtl('a')).toEqual([60]);
  });

  test('reports every other mistake before a wrong type', () => {
    putString(redis, 's', 'text');
    expect(redis.error('HSETEX', 's', 'EX', '-1', 'FIELDS', '1', 'a', 'x')).toBe(
      'ERR invalid expire time, must be >= 0',
    );
    expect(redis.error('HSETEX', 's', 'FIELDS', '1', 'a', 'x')).toBe(WRONGTYPE);
  });

  test('takes the latest time a field can have', () => {
    expect(redis.call('HSETEX', 'h', 'PXAT', '70368744177663', 'FIELDS', '1', 'a', 'x')).toBe(1);
    expect(redis.call('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([70368744177663]);
  });
});
