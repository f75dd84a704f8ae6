import { createClient as createClient4 } from 'node-redis4';
import { createClient as createClient6 } from 'node-redis6';
import { createClient as createClient5, RESP_TYPES } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { everyByte } from '../support/every-byte.js';
import { defaultKind, launchServer, sleep, type TestServer } from '../support/server.js';

type CreateClient = typeof createClient5;
type Client = ReturnType<CreateClient>;
type Options = NonNullable<Parameters<CreateClient>[0]>;

/**
 * Each release greets a server in its own way: 4 sends AUTH after CLIENT SETINFO, 5 speaks RESP2 unless asked,
 * 6 starts with HELLO 3 and asks for maintenance notifications, which a server may refuse but not hang up on.
 */
const releases = [
  { release: 'node-redis 4', create: createClient4 as unknown as CreateClient, protocol: {} },
  { release: 'node-redis 5', create: createClient5, protocol: {} },
  { release: 'node-redis 5 with RESP3', create: createClient5, protocol: { RESP: 3 as const } },
  { release: 'node-redis 6', create: createClient6 as unknown as CreateClient, protocol: {} },
];

describe.each(releases)('$release', ({ release, create, protocol }) => {
  let server: TestServer;
  let client: Client;
  const open: Client[] = [];

  async function connect(options: Options = {}): Promise<Client> {
    const connection = create({
      url: server.process.url,
      socket: { reconnectStrategy: () => 20 },
      ...protocol,
      ...options,
    } as Options);
    // A killed server is part of these tests; what it does to a command is asserted where it is sent.
    connection.on('error', () => {});
    await connection.connect();
    open.push(connection as Client);
    return connection as Client;
  }

  beforeAll(async () => {
    server = await launchServer();
  });
  afterAll(() => server.dispose());

  beforeEach(async () => {
    client = await connect();
    await client.flushAll();
  });
  afterEach(async () => {
    for (const connection of open.splice(0)) await close(connection);
  });

  it('connects with a name and a database of its own', async () => {
    const named = await connect({ name: 'worker-7', database: 3 });
    await named.set('where', 'three');
    expect(await named.sendCommand(['CLIENT', 'GETNAME'])).toBe('worker-7');
    expect(await client.get('where')).toBeNull();
  });

  // CLIENT SETINFO came with Redis 7.2, which is newer than the redis-server these tests are compared with.
  it.runIf(defaultKind === 'holdfast')('is known to the server by its library', async () => {
    expect(String(await client.sendCommand(['CLIENT', 'INFO']))).toMatch(
      / lib-name=node-redis\S* lib-ver=\d/,
    );
  });

  it('authenticates, and is refused with a wrong password', async () => {
    await client.configSet('requirepass', 'open sesame');
    try {
      expect(await (await connect({ password: 'open sesame' })).ping()).toBe('PONG');
      const refused = connect({ password: 'wrong', socket: { reconnectStrategy: false } });
      await expect(refused).rejects.toThrow(/WRONGPASS/);
    } finally {
      await client.configSet('requirepass', '');
    }
  });

  it('stores strings with every kind of expiry', async () => {
    expect(await client.set('a', '1', { EX: 100 })).toBe('OK');
    expect(await client.setEx('b', 200, '2')).toBe('OK');
    expect(await client.pSetEx('c', 300_000, '3')).toBe('OK');
    expect(await client.set('a', 'other', { NX: true })).toBeNull();
    expect(await client.mGet(['a', 'b', 'c', 'missing'])).toEqual(['1', '2', '3', null]);
    expect(await client.ttl('a')).toBeGreaterThan(98);
    expect(await client.ttl('b')).toBeGreaterThan(198);
    expect(await client.pTTL('c')).toBeGreaterThan(298_000);
    expect(await client.getEx('b', { type: 'EX', value: 5 })).toBe('2');
    expect(await client.ttl('b')).toBeLessThanOrEqual(5);
    expect(await client.getDel('b')).toBe('2');
    expect(await client.exists('b')).toBe(0);
  });

  it('keeps every byte of keys and values', async () => {
    const bytes = everyByte();
    await client.set(bytes, bytes);
    expect(await getBuffer(client, bytes)).toEqual(bytes);
  });

  it('reads and writes hashes as objects', async () => {
    expect(await client.hSet('session:1', { user: 'ada', visits: 1 })).toBe(2);
    expect(await client.hIncrBy('session:1', 'visits', 4)).toBe(5);
    expect({ ...(await client.hGetAll('session:1')) }).toEqual({ user: 'ada', visits: '5' });
    expect(await client.hmGet('session:1', ['user', 'none'])).toEqual(['ada', null]);
    expect(await client.hDel('session:1', ['user', 'none'])).toBe(1);
  });

  it('answers what is sent in one turn in order, with an error in its own place', async () => {
    await client.set('text', 'not a number');
    const commands = Array.from({ length: 500 }, (_, i) => client.set(`key:${i}`, `value:${i}`));
    const mistake = client.incr('text').catch((error: Error) => error.message);
    const reads = Array.from({ length: 500 }, (_, i) => client.get(`key:${i}`));
    await Promise.all(commands);
    expect(await mistake).toBe('ERR value is not an integer or out of range');
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 500 }, (_, i) => `value:${i}`));
  });

  it('runs a transaction as a whole', async () => {
    const replies = await client.multi().set('a', '1').incr('a').hSet('h', 'f', 'v').hGetAll('h').exec();
    expect(replies.slice(0, 3)).toEqual(['OK', 2, 1]);
    expect({ ...(replies[3] as unknown as object) }).toEqual({ f: 'v' });
  });

  it('gives up a transaction when a watched key was changed', async () => {
    await client.set('balance', '10');
    await client.watch('balance');
    await (await connect()).set('balance', '11');
    await expect(client.multi().set('balance', '0').exec()).rejects.toThrow(/watched/);
    expect(await client.get('balance')).toBe('11');
  });

  it('walks over all keys with a scan iterator', async () => {
    const pairs = Array.from({ length: 3000 }, (_, i): [string, string] => [`user:${i}`, String(i)]);
    await client.mSet(pairs);
    const seen = new Set<string>();
    for await (const found of client.scanIterator({ MATCH: 'user:*', COUNT: 200 })) {
      // Release 4 yields keys, later ones pages of keys.
      for (const key of [found].flat()) seen.add(key);
    }
    expect(seen.size).toBe(3000);
  });

  it('comes back after a kill -9 with everything that was acknowledged and has not expired', async () => {
    await client.set('stays', 'here');
    await client.set('session', 'ada', { EX: 1000 });
    await client.set('short', 'gone', { PX: 150 });
    await client.hSet('hash', { a: '1', b: '2' });
    await client.expire('hash', 500);
    await Promise.all(Array.from({ length: 200 }, (_, i) => client.set(`bulk:${i}`, String(i))));

    await server.process.kill();
    const duringTheOutage = client.get('stays').catch((error: Error) => error.message);
    await sleep(200);
    await server.process.start();

    // This client does not wait until a server that it reaches has loaded its data, as ioredis does.
    expect(['here', 'LOADING Redis is loading the dataset in memory']).toContain(await duringTheOutage);
    expect(await client.exists('short')).toBe(0);
    expect(await client.get('session')).toBe('ada');
    expect(await client.ttl('session')).toBeLessThanOrEqual(1000);
    expect(await client.ttl('session')).toBeGreaterThan(985);
    expect({ ...(await client.hGetAll('hash')) }).toEqual({ a: '1', b: '2' });
    expect(await client.ttl('hash')).toBeGreaterThan(485);
    expect(await client.dbSize()).toBe(203);
  });

  /** Release 4 asks for buffers per command, later ones by mapping the reply type. */
  async function getBuffer(from: Client, key: Buffer): Promise<unknown> {
    if (release !== 'node-redis 4') {
      return from.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key);
    }
    const old = from as unknown as ReturnType<typeof createClient4>;
    return old.get(old.commandOptions({ returnBuffers: true }), key);
  }

  async function close(connection: Client): Promise<void> {
    if (release === 'node-redis 4') await connection.disconnect();
    else connection.destroy();
  }
});
