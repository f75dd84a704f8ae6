import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { newHashHarness } from '../support/hashes.js';

let redis: CommandHarness;

beforeEach(() => {
  redis = newHashHarness();
});

/** Runs HSCAN to its end; every element answered, in order, repeats included. */
function scanAll(...options: (string | number)[]): string[] {
  const elements: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = redis.call('HSCAN', 'h', cursor, ...options) as [string, string[]];
    elements.push(...page);
    cursor = next;
  } while (cursor !== '0');
  return elements;
}

function fill(count: number): string[] {
  const names = Array.from({ length: count }, (_, i) => `field:${i}`);
  redis.call('HSET', 'h', ...names.flatMap((name) => [name, `value of ${name}`]));
  return names;
}

describe('HSCAN', () => {
  test('answers a small hash whole, whatever the count', () => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2', 'c', '3');
    expect(redis.call('HSCAN', 'h', '0', 'COUNT', '1')).toEqual(['0', ['a', '1', 'b', '2', 'c', '3']]);
    expect(redis.raw('HSCAN', 'h', '0', 'MATCH', 'b')).toBe('*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n');
  });

  test.each([1, 10, 333, 5000])('visits every field of a large hash, COUNT %d', (count) => {
    const names = fill(3000);
    const elements = scanAll('COUNT', count);
    const seen = new Map<string, string>();
    for (let i = 0; i < elements.length; i += 2) seen.set(elements[i]!, elements[i + 1]!);
    expect(new Set(seen.keys())).toEqual(new Set(names));
    for (const [name, value] of seen) expect(value).toBe(`value of ${name}`);
  });

  test('visits about COUNT fields at a time', () => {
    fill(3000);
    const [, page] = redis.call('HSCAN', 'h', '0', 'COUNT', '100') as [string, string[]];
    expect(page.length / 2).toBeGreaterThanOrEqual(100);
    expect(page.length / 2).toBeLessThan(300);
  });

  test('visits what is there from start to end while other fields come and go', () => {
    const names = fill(1000);
    const seen = new Set<string>();
    let cursor = '0';
    let round = 0;
    do {
      const [next, page] = redis.call('HSCAN', 'h', cursor, 'NOVALUES') as [string, string[]];
      for (const name of page) seen.add(name);
      cursor = next;
      for (let i = 0; i < 20; i++) redis.call('HSET', 'h', `new:${round}:${i}`, 'x');
      redis.call('HDEL', 'h', `new:${round - 1}:3`, `new:${round - 1}:4`);
      round++;
    } while (cursor !== '0');
    expect(names.filter((name) => !seen.has(name))).toEqual([]);
  });

  test('NOVALUES answers names only', () => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2');
    expect(redis.call('HSCAN', 'h', '0', 'NOVALUES')).toEqual(['0', ['a', 'b']]);
    expect(redis.call('HSCAN', 'h', '0', 'novalues', 'match', 'b*')).toEqual(['0', ['b']]);
  });

  test('MATCH looks at the names alone', () => {
    fill(500);
    redis.call('HSET', 'h', 'other', 'field:1');
    const names = scanAll('MATCH', 'field:1?', 'COUNT', '1000', 'NOVALUES');
    expect(new Set(names)).toEqual(new Set(Array.from({ length: 10 }, (_, i) => `field:1${i}`)));
    expect(scanAll('MATCH', '*', 'NOVALUES', 'COUNT', '10000')).toContain('other');
  });

  test('leaves out what has expired', () => {
    redis.call('HSET', 'h', 'a', '1', 'b', '2');
    redis.call('HPEXPIRE', 'h', '100', 'FIELDS', '1', 'a');
    redis.advance(101);
    expect(redis.call('HSCAN', 'h', '0')).toEqual(['0', ['b', '2']]);
  });

  test('a missing key is scanned at once, even with wrong options', () => {
    expect(redis.raw('HSCAN', 'missing', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
    expect(redis.call('HSCAN', 'missing', '99', 'WHAT')).toEqual(['0', []]);
  });

  test.each([
    [['abc'], 'ERR invalid cursor'],
    [['-1'], 'ERR invalid cursor'],
    [[''], 'ERR invalid cursor'],
    [['18446744073709551616'], 'ERR invalid cursor'],
    [['0', 'WHAT'], 'ERR syntax error'],
    [['0', 'MATCH'], 'ERR syntax error'],
    [['0', 'COUNT'], 'ERR syntax error'],
    [['0', 'COUNT', '0'], 'ERR syntax error'],
    [['0', 'COUNT', '-5'], 'ERR syntax error'],
    [['0', 'COUNT', 'x'], 'ERR value is not an integer or out of range'],
    [['0', 'TYPE', 'string'], 'ERR syntax error'],
  ])('HSCAN h %j answers %s', (rest, error) => {
    redis.call('HSET', 'h', 'a', '1');
    expect(redis.error('HSCAN', 'h', ...rest)).toBe(error);
  });
});
