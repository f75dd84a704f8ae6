import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { newHashHarness } from '../support/hashes.js';

let redis: CommandHarness;

beforeEach(() => {
  redis = newHashHarness();
});

/** Fields f0... with the values v0... */
function fill(count: number): void {
  for (let i = 0; i < count; i++) redis.call('HSET', 'h', `f${i}`, `v${i}`);
}

function expectedValue(field: string): string {
  return field.replace('f', 'v');
}

function draw(...args: (string | number)[]): string[] {
  return redis.call('HRANDFIELD', 'h', ...args) as string[];
}

/** How often each field comes up in `draws` of one draw. */
function frequencies(draws: number, drawOnce: () => readonly string[]): Map<string, number> {
  const seen = new Map<string, number>();
  for (let i = 0; i < draws; i++) {
    for (const field of drawOnce()) seen.set(field, (seen.get(field) ?? 0) + 1);
  }
  return seen;
}

describe('HRANDFIELD without a count', () => {
  test('answers one field, or null where there is no key', () => {
    fill(3);
    expect(['f0', 'f1', 'f2']).toContain(redis.call('HRANDFIELD', 'h'));
    expect(redis.raw('HRANDFIELD', 'missing')).toBe('$-1\r\n');
    redis.client.protocol = 3;
    expect(redis.raw('HRANDFIELD', 'missing')).toBe('_\r\n');
  });

  test.each([10, 200])('comes up with each of %d fields', (size) => {
    fill(size);
    const seen = frequencies(size * 30, () => [redis.call('HRANDFIELD', 'h') as string]);
    expect(seen.size).toBe(size);
  });
});

describe('HRANDFIELD with a count', () => {
  test.each([
    // size and count that take each of the ways: whole, one pass, picks until enough differ
    [10, 3],
    [10, 9],
    [10, 10],
    [10, 1000],
    [400, 1],
    [400, 5],
    [400, 300],
    [400, 400],
  ])('of %d fields answers different ones: %d', (size, count) => {
    fill(size);
    const fields = draw(count);
    expect(fields).toHaveLength(Math.min(size, count));
    expect(new Set(fields).size).toBe(fields.length);
    for (const field of fields) expect(redis.call('HEXISTS', 'h', field)).toBe(1);
  });

  test.each([
    [20, 5],
    [300, 75],
    [300, 150],
  ])('of %d fields answers every subset of %d equally often', (size, count) => {
    fill(size);
    const draws = 2000;
    const seen = frequencies(draws, () => draw(count));
    const expected = (draws * count) / size;
    expect(seen.size).toBe(size);
    // Seven standard deviations of a binomial distribution: no run in a thousand million fails by chance.
    const allowed = 7 * Math.sqrt(expected * (1 - count / size));
    for (const times of seen.values()) expect(Math.abs(times - expected)).toBeLessThan(allowed);
  });

  test('negative: answers exactly as many, with repeats', () => {
    fill(3);
    const fields = draw(-500);
    expect(fields).toHaveLength(500);
    expect(new Set(fields)).toEqual(new Set(['f0', 'f1', 'f2']));
  });

  test('WITHVALUES: a flat array in RESP2, nested pairs in RESP3', () => {
    fill(1);
    expect(redis.raw('HRANDFIELD', 'h', '5', 'WITHVALUES')).toBe('*2\r\n$2\r\nf0\r\n$2\r\nv0\r\n');
    expect(redis.raw('HRANDFIELD', 'h', '-1', 'withvalues')).toBe('*2\r\n$2\r\nf0\r\n$2\r\nv0\r\n');
    redis.client.protocol = 3;
    expect(redis.raw('HRANDFIELD', 'h', '5', 'WITHVALUES')).toBe('*1\r\n*2\r\n$2\r\nf0\r\n$2\r\nv0\r\n');
    expect(redis.raw('HRANDFIELD', 'h', '-1', 'WITHVALUES')).toBe('*1\r\n*2\r\n$2\r\nf0\r\n$2\r\nv0\r\n');
  });

  test.each([3, 10, 150, -20])('WITHVALUES %d: every value belongs to its field', (count) => {
    fill(200);
    const pairs = redis.call3('HRANDFIELD', 'h', count, 'WITHVALUES') as [string, string][];
    expect(pairs).toHaveLength(Math.abs(count));
    for (const [field, value] of pairs) expect(value).toBe(expectedValue(field));
  });

  test('answers an empty array for 0 and for a missing key', () => {
    fill(1);
    expect(redis.raw('HRANDFIELD', 'h', '0', 'WITHVALUES')).toBe('*0\r\n');
    expect(redis.raw('HRANDFIELD', 'missing', '5')).toBe('*0\r\n');
    expect(redis.raw('HRANDFIELD', 'missing', '-9223372036854775807')).toBe('*0\r\n');
  });

  test('a huge count answers the whole hash', () => {
    fill(2);
    expect(draw('9223372036854775807')).toEqual(['f0', 'f1']);
    expect(draw('4611686018427387903', 'WITHVALUES')).toEqual(['f0', 'v0', 'f1', 'v1']);
  });

  test('a reply beyond its bound is refused, not built', () => {
    redis.call('HSET', 'h', 'long', 'x'.repeat(32 * 1024 * 1024));
    expect(redis.error('HRANDFIELD', 'h', '-9223372036854775807')).toBe('ERR value is out of range');
    expect(redis.error('HRANDFIELD', 'h', '-10', 'WITHVALUES')).toBe('ERR value is out of range');
    expect(draw('-10')).toHaveLength(10);
  });

  test('leaves out what has expired', () => {
    fill(200);
    const expiring = Array.from({ length: 190 }, (_, i) => `f${i}`);
    redis.call('HPEXPIRE', 'h', '100', 'FIELDS', expiring.length, ...expiring);
    redis.advance(101);
    const live = Array.from({ length: 10 }, (_, i) => `f${190 + i}`);
    expect(new Set(draw(500))).toEqual(new Set(live));
    expect(new Set(draw(-500))).toEqual(new Set(live));
    for (const field of draw(2)) expect(live).toContain(field);
  });

  test.each([
    [['abc'], 'ERR value is not an integer or out of range'],
    [['9223372036854775808'], 'ERR value is not an integer or out of range'],
    [['1', 'VALUES'], 'ERR syntax error'],
    [['1', 'WITHVALUES', 'WITHVALUES'], 'ERR syntax error'],
    [['abc', 'VALUES'], 'ERR value is not an integer or out of range'],
    [
      ['-9223372036854775808'],
      'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
    ],
    [['-9223372036854770000', 'WITHVALUES'], 'ERR value is out of range'],
    [['4611686018427387904', 'WITHVALUES'], 'ERR value is out of range'],
  ])('HRANDFIELD h %j answers %s', (rest, error) => {
    expect(redis.error('HRANDFIELD', 'h', ...rest)).toBe(error);
  });
});
