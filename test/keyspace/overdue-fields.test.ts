import { expect, test } from 'vitest';
import { createKeyspace } from '../../src/keyspace/keyspace.js';
import { KeyspaceDriver } from '../support/keyspace-model.js';

const NOW_MS = 1_000_000;
/** Too long for a packed hash. */
const LONG_VALUE = 'v'.repeat(5000);

test('a large hash whose fields had all expired when it was loaded is gone in the same millisecond', () => {
  const keyspace = createKeyspace({ now: NOW_MS });
  keyspace.expiring = 'off';
  new KeyspaceDriver(keyspace).hashSet(0, 'h', [
    ['f', LONG_VALUE, NOW_MS - 1],
    ['g', LONG_VALUE, NOW_MS],
  ]);
  keyspace.now = NOW_MS;
  keyspace.expiring = 'purge';
  const key = Buffer.from('h');
  let seen = 0;
  keyspace.each(0, () => seen++);
  expect(seen).toBe(0);
  expect(keyspace.find(0, key, 0, 1)).toBe(0);
  expect(keyspace.size(0)).toBe(0);
});
