import { Redis as Redis5, type RedisOptions } from 'ioredis5';
import { Redis as Redis6 } from 'ioredis6';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { everyByte } from '../support/every-byte.js';
import { defaultKind, launchServer, sleep, type TestServer } from '../support/server.js';

type Client = Redis5;

/** The two releases differ in their handshake (RESP2 with AUTH, RESP3 with HELLO), not in what is used here. */
const releases = [
  { release: 'ioredis 5', Redis: Redis5 },
  { release: 'ioredis 6', Redis: Redis6 as unknown as typeof Redis5 },
];

describe.each(releases)('$release', ({ Redis }) => {
  let server: TestServer;
  let client: Client;
  const open: Client[] = [];

  function connect(options: RedisOptions = {}): Client {
    const patience = { retryStrategy: () => 20, maxRetriesPerRequest: null };
    const connection = new Redis({ port: server.process.port, ...patience, ...options });
    // A killed server is part of these tests; what it does to a command is asserted where it is sent.
    connection.on('error', () => {});
    open.push(connection);
    return connection;
  }

  beforeAll(async () => {
    server = await launchServer();
  });
  afterAll(() => server.dispose());

  beforeEach(async () => {
    client = connect();
    await client.flushall();
  });
  afterEach(() => {
    for (const connection of open.splice(0)) connection.disconnect();
  });

  it('becomes ready with a name and a database of its own', async () => {
    const named = connect({ connectionName: 'worker-7', db: 3 });
    await named.set('where', 'three');
    expect(named.status).toBe('ready');
    expect(await named.client('GETNAME')).toBe('worker-7');
    expect(await client.get('where')).toBeNull();
  });

  // CLIENT SETINFO came with Redis 7.2, which is newer than the redis-server these tests are compared with.
  it.runIf(defaultKind === 'holdfast')('is known to the server by its library', async () => {
    expect(await client.client('INFO')).toMatch(/ lib-name=ioredis\S* lib-ver=\d/);
  });

  it('authenticates, and is refused with a wrong password', async () => {
    await client.config('SET', 'requirepass', 'open sesame');
    try {
      expect(await connect({ password: 'open sesame' }).ping()).toBe('PONG');
      const stranger = connect({ password: 'wrong', retryStrategy: () => null, maxRetriesPerRequest: 0 });
      await expect(stranger.get('k')).rejects.toThrow(/NOAUTH|WRONGPASS|closed/);
    } finally {
      await client.config('SET', 'requirepass', '');
    }
  });

  it('stores strings with every kind of expiry', async () => {
    expect(await client.set('a', '1', 'EX', 100)).toBe('OK');
    expect(await client.setex('b', 200, '2')).toBe('OK');
    expect(await client.psetex('c', 300_000, '3')).toBe('OK');
    expect(await client.set('a', 'other', 'NX')).toBeNull();
    expect(await client.mget('a', 'b', 'c', 'missing')).toEqual(['1', '2', '3', null]);
    expect(await client.ttl('a')).toBeGreaterThan(98);
    expect(await client.ttl('b')).toBeGreaterThan(198);
    expect(await client.pttl('c')).toBeGreaterThan(298_000);
    expect(await client.persist('a')).toBe(1);
    expect(await client.ttl('a')).toBe(-1);
  });

  it('keeps every byte of keys and values', async () => {
    const bytes = everyByte();
    await client.set(bytes, bytes);
    await client.hset('h', new Map([[bytes, bytes]]));
    expect(await client.getBuffer(bytes)).toEqual(bytes);
    expect(await client.hgetBuffer('h', bytes)).toEqual(bytes);
    expect(await client.keysBuffer('*')).toContainEqual(bytes);
  });

  it('reads and writes hashes as objects', async () => {
    expect(await client.hset('session:1', { user: 'ada', visits: 1 })).toBe(2);
    expect(await client.hincrby('session:1', 'visits', 4)).toBe(5);
    expect(await client.hgetall('session:1')).toEqual({ user: 'ada', visits: '5' });
    expect(await client.hmget('session:1', 'user', 'none')).toEqual(['ada', null]);
    expect(await client.hdel('session:1', 'user', 'none')).toBe(1);
  });

  it('answers a long pipeline in order, with an error in its own place', async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.set(`key:${i}`, `value:${i}`);
    pipeline.hget('key:0', 'field');
    for (let i = 0; i < 1000; i++) pipeline.get(`key:${i}`);
    const replies = (await pipeline.exec())!;
    expect(replies).toHaveLength(2001);
    expect(replies[1000]![0]?.message).toBe(
      'WRONGTYPE Operation against a key holding the wrong kind of value',
    );
    expect(replies.slice(1001).map(([, value]) => value)).toEqual(
      Array.from({ length: 1000 }, (_, i) => `value:${i}`),
    );
  });

  it('pipelines by itself what is sent in one turn', async () => {
    const automatic = connect({ enableAutoPipelining: true });
    const counts = await Promise.all(Array.from({ length: 500 }, () => automatic.incr('counter')));
    expect(counts).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  });

  it('runs a transaction as a whole, or not at all', async () => {
    const replies = await client.multi().set('a', 1).incr('a').hset('h', 'f', 'v').exec();
    expect(replies).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, 1],
    ]);
    await expect(client.multi().set('a', 9).call('SET', 'only-a-key').exec()).rejects.toThrow(/EXECABORT/);
    expect(await client.get('a')).toBe('2');
  });

  it('gives up a transaction when a watched key was changed', async () => {
    await client.set('balance', 10);
    await client.watch('balance');
    await connect().set('balance', 11);
    expect(await client.multi().set('balance', 0).exec()).toBeNull();
    expect(await client.get('balance')).toBe('11');
  });

  it('walks over all keys with a scan stream', async () => {
    const pairs = Array.from({ length: 3000 }, (_, i) => [`user:${i}`, String(i)]).flat();
    await client.mset(pairs);
    await client.hset('user:hash', 'f', 'v');
    const seen = new Set<string>();
    for await (const keys of client.scanStream({ match: 'user:*', type: 'string', count: 200 })) {
      for (const key of keys as string[]) seen.add(key);
    }
    expect(seen.size).toBe(3000);
  });

  it('comes back after a kill -9 with everything that was acknowledged and has not expired', async () => {
    await client.set('stays', 'here');
    await client.set('session', 'ada', 'EX', 1000);
    await client.set('short', 'gone', 'PX', 150);
    await client.hset('hash', { a: '1', b: '2' });
    await client.expire('hash', 500);
    const pending = Promise.all(Array.from({ length: 200 }, (_, i) => client.set(`bulk:${i}`, i)));
    await pending;

    await server.process.kill();
    const duringTheOutage = client.get('stays');
    await sleep(200);
    await server.process.start();

    expect(await duringTheOutage).toBe('here');
    expect(await client.exists('short')).toBe(0);
    expect(await client.get('session')).toBe('ada');
    expect(await client.ttl('session')).toBeLessThanOrEqual(1000);
    expect(await client.ttl('session')).toBeGreaterThan(985);
    expect(await client.hgetall('hash')).toEqual({ a: '1', b: '2' });
    expect(await client.ttl('hash')).toBeGreaterThan(485);
    expect(await client.dbsize()).toBe(203);
  });
});
