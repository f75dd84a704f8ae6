import { expect, it } from 'vitest';
import type { Database } from '../../src/index.js';
import { openStore } from './support.js';

async function persistence(db: Database): Promise<Map<string, string>> {
  return fieldsOf(String(await db.call('INFO', 'persistence')));
}

function fieldsOf(info: string): Map<string, string> {
  return new Map(info.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
}

it('a checkpoint asked for in a transaction contains the whole of it', async () => {
  const db = await openStore();
  await db.multi().set('a', 1).call('BGSAVE').set('b', 2).exec();
  await expect.poll(async () => (await persistence(db)).get('holdfast_checkpointed_seq')).toBe('1');
  expect((await persistence(db)).get('holdfast_last_seq')).toBe('1');
});

it('INFO right behind BGREWRITEAOF says that it runs', async () => {
  const db = await openStore();
  await db.set('k', 'v');
  const [, info] = await Promise.all([db.call('BGREWRITEAOF'), db.call('INFO', 'persistence')]);
  expect(fieldsOf(String(info)).get('aof_rewrite_in_progress')).toBe('1');
  await expect.poll(async () => (await persistence(db)).get('aof_rewrite_in_progress')).toBe('0');
});
