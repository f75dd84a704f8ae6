import KeyvRedis from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchServer, sleep, type TestServer } from '../support/server.js';

describe('cache-manager over @keyv/redis', () => {
  let server: TestServer;
  let adapter: KeyvRedis<unknown>;
  let keyv: Keyv;
  let cache: Cache;

  beforeAll(async () => {
    server = await launchServer();
  });
  afterAll(() => server.dispose());

  beforeEach(() => {
    adapter = new KeyvRedis(
      { url: server.process.url, socket: { reconnectStrategy: () => 20 } },
      { namespace: 'cache', throwOnErrors: true },
    );
    keyv = new Keyv({ store: adapter, namespace: 'cache', useKeyPrefix: false });
    // A killed server is part of these tests; what it does to a call is asserted where it is made.
    keyv.on('error', () => {});
    cache = createCache({ stores: [keyv] });
  });
  afterEach(async () => {
    await cache.clear();
    await adapter.disconnect(true);
  });

  it('stores values of any kind and deletes them', async () => {
    await cache.set('object', { nested: [1, 'two', null] });
    await cache.set('text', 'gr\u00fc\u00df dich');
    expect(await cache.get('object')).toEqual({ nested: [1, 'two', null] });
    expect(await cache.get('text')).toBe('gr\u00fc\u00df dich');
    expect(await cache.del('object')).toBe(true);
    expect(await cache.get('object')).toBeUndefined();
  });

  it('reads and writes many at once', async () => {
    await cache.mset([
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 60_000 },
    ]);
    expect(await cache.mget(['a', 'b', 'c'])).toEqual([1, 2, undefined]);
    expect(await cache.mdel(['a', 'b'])).toBe(true);
    expect(await cache.mget(['a', 'b'])).toEqual([undefined, undefined]);
  });

  it('computes a value once while it lives, and again when it has expired', async () => {
    let computed = 0;
    const read = () => cache.wrap('answer', async () => ++computed, 100);
    expect([await read(), await read()]).toEqual([1, 1]);
    await sleep(150);
    expect(await read()).toBe(2);
  });

  it('walks over and clears its own namespace only', async () => {
    const client = await adapter.getClient();
    await client.set('foreign', 'untouched');
    for (let i = 0; i < 50; i++) await cache.set(`k${i}`, i);
    const seen = new Map<string, unknown>();
    for await (const [key, value] of keyv.iterator!(undefined)) seen.set(key, value);
    expect(seen.size).toBe(50);
    expect(seen.get('k49')).toBe(49);
    await cache.clear();
    expect(await cache.get('k0')).toBeUndefined();
    expect(await client.get('foreign')).toBe('untouched');
  });

  it('has what it cached after a kill -9 of the store, with its time to live, and nothing expired', async () => {
    await cache.set('long', 'kept', 600_000);
    await cache.set('short', 'gone', 150);
    await server.process.kill();
    await sleep(200);
    await server.process.start();
    expect(await cache.get('long')).toBe('kept');
    expect(await cache.get('short')).toBeUndefined();
    const client = await adapter.getClient();
    const remainingMs = await client.pTTL('cache::long');
    expect(remainingMs).toBeGreaterThan(585_000);
    expect(remainingMs).toBeLessThanOrEqual(600_000);
  });
});
