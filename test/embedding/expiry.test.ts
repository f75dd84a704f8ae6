import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newDirectory, openStore } from './support.js';

it('a key that nobody looks at is gone soon after its time, and counted', async () => {
  const db = await openStore();
  // As one transaction, so that a busy machine does not come between.
  const replies = await db
    .multi()
    .psetex('short', 100, 'v')
    .call('HSETEX', 'h', 'PX', 100, 'FIELDS', 1, 'f', 'v')
    .set('kept', 'v')
    .call('DBSIZE')
    .exec();
  expect(replies?.at(-1)).toBe(3);
  // DBSIZE counts records and looks at none of them.
  await expect.poll(() => db.call('DBSIZE'), { interval: 10, timeout: 2000 }).toBe(1);
  expect(String(await db.call('INFO', 'stats'))).toMatch(/expired_keys:2/);
});

it("a new directory and its parents are the owner's alone", async () => {
  const dir = join(await newDirectory(), 'deep', 'data');
  await openStore({ dir });
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dir, 'snapshot.sqlite')).mode & 0o777).toBe(0o600);
});
