import { expect, it } from 'vitest';
import { Config } from '../src/base/config.js';
import { Eviction } from '../src/eviction.js';
import { createKeyspace } from '../src/keyspace/keyspace.js';
import { KeyspaceDriver } from './support/keyspace-model.js';

const NOW_MS = 1_700_000_000_000;

function filled(policy: string) {
  const keyspace = createKeyspace({ now: NOW_MS });
  const driver = new KeyspaceDriver(keyspace);
  for (let i = 0; i < 2000; i++)
    driver.set(0, `key:${i}`, 'x'.repeat(500), i % 2 === 0 ? NOW_MS + 1e6 + i : 0);
  keyspace.commit(keyspace.undoPosition);
  return { keyspace, driver, eviction: new Eviction(keyspace, new Config({ 'maxmemory-policy': policy })) };
}

it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-ttl', 'volatile-random'])(
  '%s deletes no more than it takes, though memory is freed only with the commit',
  (policy) => {
    const { keyspace, eviction } = filled(policy);
    const limitBytes = keyspace.memoryUsed() * 0.9;
    let evicted = 0;
    expect(eviction.makeRoom(limitBytes, () => evicted++)).toBe(true);
    expect(evicted).toBeGreaterThan(100);
    expect(evicted).toBeLessThan(300);
    const before = evicted;
    expect(eviction.makeRoom(limitBytes, () => evicted++)).toBe(true);
    expect(evicted).toBe(before);
    keyspace.commit(keyspace.undoPosition);
    expect(keyspace.memoryUsed()).toBeLessThan(limitBytes * 1.02);
    expect(keyspace.size(0)).toBe(2000 - evicted);
  },
);

it('noeviction deletes nothing, and volatile policies spare what has no expiry', () => {
  const none = filled('noeviction');
  expect(none.eviction.makeRoom(1000, () => {})).toBe(false);
  expect(none.keyspace.size(0)).toBe(2000);
  const some = filled('volatile-lru');
  expect(some.eviction.makeRoom(1000, () => {})).toBe(false);
  expect(some.keyspace.size(0)).toBeGreaterThanOrEqual(1000);
  expect(some.driver.get(0, 'key:1')).toBe('x'.repeat(500));
});
