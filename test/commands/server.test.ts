import { beforeEach, describe, expect, test } from 'vitest';
import { holdfastVersion, redisVersion } from '../../src/base/version.js';
import { DispatchHarness, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness();
  client = harness.connect();
});

const run = (...lines: string[]) => lines.map((line) => client.call(...line.split(' '))).at(-1);

test('FLUSHDB empties the selected database, FLUSHALL all of them', () => {
  run('SET k v', 'SELECT 1', 'SET k v', 'HSET h a b', 'SELECT 2', 'SET k v', 'FLUSHDB');
  expect([run('DBSIZE'), run('SELECT 1', 'DBSIZE'), run('SELECT 0', 'DBSIZE')]).toEqual([0, 2, 1]);
  run('FLUSHALL ASYNC');
  expect([run('DBSIZE'), run('SELECT 1', 'DBSIZE')]).toEqual([0, 0]);
});

test('emptying what is empty is no change', () => {
  run('FLUSHALL', 'FLUSHDB', 'SWAPDB 2 2');
  expect(harness.storage.mutationCount).toBe(0);
});

test('SWAPDB exchanges two databases under the clients that selected them', () => {
  run('SET k zero', 'SELECT 1', 'SET k one PX 5000');
  const other = harness.connect();
  other.call('SWAPDB', '0', '1');
  expect(run('GET k')).toBe('zero');
  expect(other.call('GET', 'k')).toBe('one');
  expect(other.call('PTTL', 'k')).toBe(5000);
});

test('the number of databases is configurable', () => {
  const few = new DispatchHarness({ databases: 2 }).connect();
  expect(few.error('SELECT', '16')).toBe('ERR DB index is out of range');
});

test('TIME is the wall clock', () => {
  harness.clock.wall = 1_700_000_123_045;
  expect(run('TIME')).toEqual(['1700000123', '45000']);
});

test('ROLE is a master without replicas', () => {
  run('SET k v');
  expect(run('ROLE')).toEqual(['master', 1, []]);
});

test('LOLWUT ends with the versions', () => {
  const text = String(run('LOLWUT VERSION 5'));
  expect(text.endsWith(`Holdfast ver. ${holdfastVersion}\nRedis ver. ${redisVersion}\n`)).toBe(true);
  client.call('HELLO', '3');
  expect(client.raw('LOLWUT')).toMatch(/^=\d+\r\ntxt:/);
});

describe('OBJECT and MEMORY', () => {
  test('IDLETIME counts seconds since the last use, which looking is not', () => {
    run('SET k v');
    harness.clock.wall += 7000;
    run('TTL k', 'TYPE k', 'OBJECT ENCODING k');
    expect(run('OBJECT IDLETIME k')).toBe(7);
    run('GET k');
    expect(run('OBJECT IDLETIME k')).toBe(0);
  });

  test('FREQ and IDLETIME exclude each other, by policy', () => {
    run('SET k v');
    expect(client.error('OBJECT', 'FREQ', 'k')).toMatch(/^ERR An LFU maxmemory policy is not selected/);
    run('CONFIG SET maxmemory-policy allkeys-lfu');
    expect(client.error('OBJECT', 'IDLETIME', 'k')).toMatch(/^ERR An LFU maxmemory policy is selected/);
    expect(run('OBJECT FREQ k')).toBeTypeOf('number');
    expect([run('OBJECT FREQ nosuch'), run('OBJECT IDLETIME nosuch')]).toEqual([null, null]);
  });

  test('MEMORY USAGE covers key and value', () => {
    run('SET k v');
    const small = Number(run('MEMORY USAGE k'));
    client.call('SET', 'k', 'x'.repeat(10_000));
    const large = Number(run('MEMORY USAGE k SAMPLES 0'));
    expect(small).toBeGreaterThan(1);
    expect(small).toBeLessThan(200);
    expect(large).toBeGreaterThan(10_000);
    expect(run('MEMORY USAGE nosuch')).toBe(null);
  });
});
