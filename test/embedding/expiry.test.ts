import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newDirectory, openStore } from './support.js';

it('a key that nobody looks at is gone soon after its time, and counted', async () => {
  const db = await openStore();
  await db.psetex('short', 30, 'v');
  await db.call('HSETEX', 'h', 'PX', 30, 'FIELDS', 1, 'f', 'v');
  await db.set('kept', 'v');
  expect(await db.call('DBSIZE')).toBe(3);
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
