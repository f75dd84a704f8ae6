/** A clock that is set back must not leave what is set afterwards waiting for the old time to come again. */
import { expect, test } from 'vitest';
import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { KeyspaceDriver } from '../support/keyspace-model.js';

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
/** Too long for a packed hash. */
const LONG_VALUE = 'v'.repeat(5000);

function setUp(): { keyspace: Keyspace; driver: KeyspaceDriver; at(nowMs: number): number } {
  const keyspace = createKeyspace({ now: NOW_MS });
  /** Moves the clock, removes what is due, and tells how many keys are left. */
  const at = (nowMs: number) => {
    keyspace.now = nowMs;
    // A server looks only when it is told that something waits.
    if (keyspace.nextExpiryMs() <= nowMs) while (keyspace.expireDue(10) >= 10);
    return keyspace.size(0);
  };
  return { keyspace, driver: new KeyspaceDriver(keyspace), at };
}

test('keys set after the clock was set back expire by it, and those set before keep their time', () => {
  const { keyspace, driver, at } = setUp();
  for (let i = 0; i < 100; i++) driver.set(0, `before:${i}`, 'v', NOW_MS + 1000 + i);
  driver.set(0, 'gone', 'v', NOW_MS + 500);
  expect(at(NOW_MS + 600)).toBe(100);
  const backMs = NOW_MS - DAY_MS;
  expect(at(backMs)).toBe(100);
  for (let i = 0; i < 100; i++) driver.set(0, `after:${i}`, 'v', backMs + 1000 + i);
  expect(keyspace.nextExpiryMs()).toBeLessThanOrEqual(backMs + 1000);
  expect(at(backMs + 999)).toBe(200);
  expect(at(backMs + 1049)).toBe(150);
  expect(at(backMs + 2000)).toBe(100);
  expect(keyspace.nextExpiryMs()).toBeGreaterThan(backMs + 2000);
  expect(at(NOW_MS + 999)).toBe(100);
  expect(at(NOW_MS + 1049)).toBe(50);
  expect(at(NOW_MS + 2000)).toBe(0);
});

test('the fields of a large hash expire by a clock that was set back, and HLEN does not count them', () => {
  const { keyspace, driver, at } = setUp();
  driver.hashSet(0, 'h', [...field('long', NO_EXPIRY, LONG_VALUE), ...field('before', NOW_MS + 500)]);
  expect(at(NOW_MS + 600)).toBe(1);
  const backMs = NOW_MS - DAY_MS;
  at(backMs);
  driver.hashSet(0, 'h', field('after', backMs + 500));
  const length = () => keyspace.hashLength(keyspace.find(0, Buffer.from('h'), 0, 1));
  expect(length()).toBe(2);
  keyspace.now = backMs + 500;
  expect(length()).toBe(1);
  expect(at(backMs + 500)).toBe(1);
  expect(length()).toBe(1);
});

function field(name: string, expireAt: ExpireAt, value = 'v'): [string, string, ExpireAt][] {
  return [[name, value, expireAt]];
}

test('a clock set back many times, with keys coming and going, expires every key in its millisecond', () => {
  const { keyspace, driver, at } = setUp();
  let nowMs = NOW_MS;
  const deadlines = new Map<string, number>();
  for (let step = 0; step < 3000; step++) {
    // A fixed pattern of small steps, long ones, and a clock that goes back every now and then.
    nowMs += step % 7 === 3 ? -((step * 7919) % 5000) : (step * 104_729) % 900;
    const name = `k${(step * 31) % 400}`;
    keyspace.now = nowMs;
    driver.set(0, name, 'v', nowMs + 1 + ((step * 65_537) % 4000));
    deadlines.set(name, nowMs + 1 + ((step * 65_537) % 4000));
    const size = at(nowMs);
    for (const [key, expireAt] of deadlines) if (expireAt <= nowMs) deadlines.delete(key);
    expect(size, `step ${step}`).toBe(deadlines.size);
  }
});
