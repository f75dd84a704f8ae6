import { describe, expect, test } from 'vitest';
import { type Watcher, WatchTable } from '../../src/keyspace/watch.js';

const newWatcher = (): Watcher => ({ watchBroken: false, watching: 0 });

function watch(table: WatchTable, db: number, key: string, watcher: Watcher): void {
  const bytes = Buffer.from(key, 'latin1');
  table.watch(db, bytes, 0, bytes.length, watcher);
}

function touch(table: WatchTable, db: number, key: string): void {
  const bytes = Buffer.from(`--${key}--`, 'latin1');
  table.touched(db, bytes, 2, bytes.length - 2);
}

/** Which keys exist, as `db:key`. */
function existing(...keys: string[]) {
  return (db: number, key: Buffer) => keys.includes(`${db}:${key.toString('latin1')}`);
}

describe('a watched key', () => {
  test('that is touched breaks its watchers, once and for all', () => {
    const table = new WatchTable(2);
    const [first, second, other] = [newWatcher(), newWatcher(), newWatcher()];
    watch(table, 0, 'k', first);
    watch(table, 0, 'k', second);
    watch(table, 0, 'l', first);
    watch(table, 0, 'm', other);
    touch(table, 0, 'k');
    expect([first, second, other].map((watcher) => watcher.watchBroken)).toEqual([true, true, false]);
    expect([first, second, other].map((watcher) => watcher.watching)).toEqual([0, 0, 1]);
  });

  test('belongs to its database, and is compared byte by byte', () => {
    const table = new WatchTable(2);
    const watcher = newWatcher();
    watch(table, 1, '\xff\x00', watcher);
    touch(table, 0, '\xff\x00');
    touch(table, 1, '\xff');
    touch(table, 1, '\xfe\x00');
    expect(watcher.watchBroken).toBe(false);
    touch(table, 1, '\xff\x00');
    expect(watcher.watchBroken).toBe(true);
  });

  test('is counted once however often it is watched', () => {
    const table = new WatchTable(1);
    const watcher = newWatcher();
    watch(table, 0, 'k', watcher);
    watch(table, 0, 'k', watcher);
    expect(watcher.watching).toBe(1);
  });

  test('shares no memory with what named it', () => {
    const table = new WatchTable(1);
    const watcher = newWatcher();
    const bytes = Buffer.from('key');
    table.watch(0, bytes, 0, 3, watcher);
    bytes.fill(0);
    const seen: string[] = [];
    table.eachKeyOf(watcher, (_db, key) => seen.push(key.toString()));
    expect(seen).toEqual(['key']);
    touch(table, 0, 'key');
    expect(watcher.watchBroken).toBe(true);
  });
});

test('the table is active only while somebody watches', () => {
  const table = new WatchTable(1);
  const [first, second] = [newWatcher(), newWatcher()];
  expect(table.active).toBe(false);
  watch(table, 0, 'k', first);
  watch(table, 0, 'k', second);
  table.unwatchAll(first);
  expect(table.active).toBe(true);
  table.unwatchAll(second);
  expect(table.active).toBe(false);
  touch(table, 0, 'k');
  expect([first.watchBroken, second.watchBroken]).toEqual([false, false]);
});

test('unwatching leaves a broken watch broken', () => {
  const table = new WatchTable(1);
  const watcher = newWatcher();
  watch(table, 0, 'k', watcher);
  touch(table, 0, 'k');
  table.unwatchAll(watcher);
  expect(watcher.watchBroken).toBe(true);
});

test('keys may be broken while they are visited', () => {
  const table = new WatchTable(1);
  const watcher = newWatcher();
  for (const key of ['a', 'b', 'c']) watch(table, 0, key, watcher);
  const seen: string[] = [];
  table.eachKeyOf(watcher, (_db, key) => {
    seen.push(key.toString());
    touch(table, 0, 'a');
  });
  expect(seen).toEqual(['a', 'b', 'c']);
  expect(watcher.watching).toBe(0);
});

describe('emptying a database', () => {
  test('breaks the watches of keys that exist, and no others', () => {
    const table = new WatchTable(2);
    const [present, missing, elsewhere] = [newWatcher(), newWatcher(), newWatcher()];
    watch(table, 0, 'here', present);
    watch(table, 0, 'gone', missing);
    watch(table, 1, 'here', elsewhere);
    table.databaseFlushed(0, existing('0:here', '1:here'));
    expect([present, missing, elsewhere].map((watcher) => watcher.watchBroken)).toEqual([true, false, false]);
  });
});

describe('exchanging two databases', () => {
  const cases: [string, string[], boolean][] = [
    ['a key that is in the first only', ['0:k'], true],
    ['a key that is in the second only', ['1:k'], true],
    ['a key that is in both', ['0:k', '1:k'], true],
    ['a key that is in neither', ['2:k'], false],
  ];
  test.each(cases)('%s', (_name, keys, broken) => {
    const table = new WatchTable(3);
    const [first, second, third] = [newWatcher(), newWatcher(), newWatcher()];
    watch(table, 0, 'k', first);
    watch(table, 1, 'k', second);
    watch(table, 2, 'k', third);
    table.databasesSwapped(0, 1, existing(...keys));
    expect([first, second, third].map((watcher) => watcher.watchBroken)).toEqual([broken, broken, false]);
  });

  test('with itself changes nothing', () => {
    const table = new WatchTable(1);
    const watcher = newWatcher();
    watch(table, 0, 'k', watcher);
    table.databasesSwapped(0, 0, existing('0:k'));
    expect(watcher.watchBroken).toBe(false);
  });
});
