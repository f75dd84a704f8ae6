import { describe, expect, it } from 'vitest';
import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';
import { NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { contentOf, KeyspaceDriver } from '../support/keyspace-model.js';

const MIB = 1024 * 1024;

function settle(keyspace: Keyspace): void {
  keyspace.commit(keyspace.undoPosition);
  while (keyspace.hasGarbage) keyspace.collectGarbage(10_000);
  while (keyspace.compactionDue) keyspace.compact(2000);
}

describe('memory after deletions', () => {
  it('goes back when nine of ten keys go, whichever they are', () => {
    const keyspace = createKeyspace({ now: 1000 });
    const driver = new KeyspaceDriver(keyspace);
    for (let i = 0; i < 400_000; i++) {
      driver.set(0, `key:${i}`, 'x'.repeat(40 + ((i * 7919) % 200)));
      if (i % 1000 === 0) keyspace.commit(keyspace.undoPosition);
    }
    const full = keyspace.memoryReserved();
    for (let i = 0; i < 400_000; i++) {
      if (i % 10 !== 3) driver.delete(0, `key:${i}`);
      if (i % 1000 === 0) keyspace.commit(keyspace.undoPosition);
    }
    settle(keyspace);
    expect(keyspace.size(0)).toBe(40_000);
    expect(keyspace.memoryReserved()).toBeLessThan(full * 0.6);
    expect(keyspace.memoryReserved()).toBeLessThan(keyspace.memoryUsed() * 1.4 + 40 * MIB);
    for (let i = 3; i < 400_000; i += 10) {
      expect(driver.get(0, `key:${i}`)).toBe('x'.repeat(40 + ((i * 7919) % 200)));
    }
  });

  it('serves other sizes than those it was taken for', () => {
    const keyspace = createKeyspace({ now: 1000 });
    const driver = new KeyspaceDriver(keyspace);
    for (let size = 20; size < 700; size += 60) {
      for (let i = 0; i < 100_000; i++) {
        driver.set(0, `key:${i}`, 'x'.repeat(size));
        if (i % 1000 === 0) keyspace.commit(keyspace.undoPosition);
      }
      settle(keyspace);
      expect(keyspace.memoryReserved()).toBeLessThan(keyspace.memoryUsed() * 1.4 + 50 * MIB);
    }
  });

  it('is compacted without a field, an expiry or a database getting lost', () => {
    const keyspace = createKeyspace({ now: 1000, databases: 3 });
    const driver = new KeyspaceDriver(keyspace);
    const fields = Array.from(
      { length: 200_000 },
      (_, i) =>
        [`field ${i}`, 'v'.repeat(150), i % 3 === 0 ? 5_000 + i : NO_EXPIRY] as [string, string, number],
    );
    driver.hashSet(1, 'large', fields);
    for (let i = 0; i < 300_000; i++) {
      driver.set(
        i % 2 === 0 ? 0 : 2,
        `key:${i}`,
        `value ${i}`.padEnd(120),
        i % 5 === 0 ? 90_000 + i : NO_EXPIRY,
      );
      if (i % 1000 === 0) keyspace.commit(keyspace.undoPosition);
    }
    const names = fields.filter((_, i) => i % 8 !== 0).map(([name]) => name);
    driver.hashDelete(1, 'large', names);
    for (let i = 0; i < 300_000; i++) if (i % 8 !== 0) driver.delete(i % 2 === 0 ? 0 : 2, `key:${i}`);
    keyspace.commit(keyspace.undoPosition);
    const before = [0, 1, 2].map((db) => contentOf(keyspace, db));
    const reserved = keyspace.memoryReserved();
    expect(keyspace.compactionDue).toBe(true);
    settle(keyspace);
    expect(keyspace.memoryReserved()).toBeLessThan(reserved * 0.65);
    expect([0, 1, 2].map((db) => contentOf(keyspace, db))).toEqual(before);

    keyspace.now = 1_000_000;
    while (keyspace.expireDue(1000) >= 1000);
    const live = before.map((database) =>
      [...database.values()].filter(({ expireAt }) => expireAt === NO_EXPIRY),
    );
    expect([0, 1, 2].map((db) => keyspace.size(db))).toEqual(live.map(({ length }) => length));
  });

  it('does not move a table that was flushed on the way', () => {
    const keyspace = createKeyspace({ now: 1000 });
    const driver = new KeyspaceDriver(keyspace);
    for (let i = 0; i < 200_000; i++) driver.set(0, `key:${i}`, 'x'.repeat(100));
    for (let i = 0; i < 200_000; i++) if (i % 8 !== 0) driver.delete(0, `key:${i}`);
    keyspace.commit(keyspace.undoPosition);
    keyspace.compact(2000);
    keyspace.flush(0);
    driver.set(0, 'after', 'kept');
    settle(keyspace);
    expect(driver.get(0, 'after')).toBe('kept');
    expect(keyspace.memoryUsed()).toBeLessThan(MIB);
  });
});
