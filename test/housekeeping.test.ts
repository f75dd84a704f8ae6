import { expect, it } from 'vitest';
import type { Clock } from '../src/base/clock.js';
import { Housekeeping } from '../src/housekeeping.js';
import { createKeyspace } from '../src/keyspace/keyspace.js';
import { KeyspaceDriver } from './support/keyspace-model.js';

const KEYS = 5000;

it('lets the event loop have a turn after a few milliseconds, however much has expired', async () => {
  const startMs = Date.UTC(2026, 0, 1);
  const keyspace = createKeyspace({ databases: 1, now: startMs });
  const driver = new KeyspaceDriver(keyspace);
  for (let i = 0; i < KEYS; i++) driver.set(0, `key ${i}`, 'value', startMs + 1);
  // A millisecond passes between two looks at the clock.
  let monotonicMs = 0;
  const clock: Clock = { wallMs: () => startMs + 1000, monotonicMs: () => monotonicMs++ };
  const housekeeping = new Housekeeping(keyspace, clock, () => {});
  housekeeping.start();
  const sizes = [keyspace.size(0)];
  for (const endMs = Date.now() + 10_000; keyspace.size(0) > 0 && Date.now() < endMs; ) {
    await new Promise((resolve) => setImmediate(resolve));
    if (keyspace.size(0) < sizes.at(-1)!) sizes.push(keyspace.size(0));
  }
  housekeeping.stop();
  const steps = sizes.slice(1).map((size, i) => sizes[i]! - size);
  expect(steps.reduce((sum, step) => sum + step, 0)).toBe(KEYS);
  expect(Math.max(...steps)).toBeLessThan(KEYS / 5);
});
