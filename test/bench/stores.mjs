/**
 * The stores measured without a socket, each called the way that is quickest for it and with the same promise:
 * a write survives the death of the process at once, and a power cut after at most a moment.
 */
import { join } from 'node:path';

/**
 * @typedef {object} Store
 * @property {(key: string) => unknown} get a value or a promise of one; a program awaits it before the next
 * @property {(entries: [string, string][]) => unknown} setMany a program awaits it before the next
 * @property {() => unknown} close
 */

/** @param {string} dir @returns {Promise<Store>} */
async function openHoldfast(dir) {
  const entry = new URL('../../.build/index.js', import.meta.url).href;
  /** @type {typeof import('../../src/index.js')} */
  const { open } = await import(entry);
  const db = await open({ dir, appendfsync: 'everysec' });
  return {
    get: (key) => db.getSync(key),
    setMany: (entries) => Promise.all(entries.map(([key, value]) => db.set(key, value))),
    close: () => db.close(),
  };
}

/** @param {string} dir @returns {Promise<Store>} */
async function openBetterSqlite3(dir) {
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(join(dir, 'store.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec('CREATE TABLE store (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID');
  const read = database.prepare('SELECT value FROM store WHERE key = ?').pluck();
  const write = database.prepare('INSERT OR REPLACE INTO store VALUES (?, ?)');
  const writeMany = database.transaction((/** @type {[string, string][]} */ entries) => {
    for (const [key, value] of entries) write.run(key, value);
  });
  return { get: (key) => read.get(key), setMany: writeMany, close: () => database.close() };
}

/** @param {string} dir @returns {Promise<Store>} */
async function openLmdb(dir) {
  const { open } = await import('lmdb');
  // Its default: a commit is in the file at once and on the disk shortly after.
  const database = open({ path: join(dir, 'store.lmdb'), encoding: 'string' });
  return {
    get: (key) => database.get(key),
    setMany: (entries) => Promise.all(entries.map(([key, value]) => database.put(key, value))),
    close: () => database.close(),
  };
}

/** @param {string} dir @returns {Promise<Store>} */
async function openKeyv(dir) {
  const { default: Keyv } = await import('keyv');
  const adapter = new (await keyvSqlite())(`sqlite://${join(dir, 'keyv.sqlite')}`);
  await adapter.query('PRAGMA journal_mode = WAL');
  await adapter.query('PRAGMA synchronous = NORMAL');
  const keyv = new Keyv({ store: adapter });
  return {
    get: (key) => keyv.get(key),
    setMany: (entries) => Promise.all(entries.map(([key, value]) => keyv.set(key, value))),
    close: () => keyv.disconnect(),
  };
}

/** @typedef {import('keyv').KeyvStoreAdapter & { query(sql: string): Promise<unknown> }} KeyvSqlite */

/** @returns {Promise<new (uri: string) => KeyvSqlite>} */
async function keyvSqlite() {
  // Not among the dependencies: its driver is compiled, or fetched from elsewhere, when it is installed.
  const name = '@keyv/sqlite';
  try {
    return (await import(name)).default;
  } catch {
    throw new Error(`${name} is not installed; \`npm install --no-save ${name}@4\` adds it`);
  }
}

/** @type {Record<string, (dir: string) => Promise<Store>>} */
export const stores = {
  Holdfast: openHoldfast,
  'better-sqlite3': openBetterSqlite3,
  lmdb: openLmdb,
  'keyv and @keyv/sqlite': openKeyv,
};
