import { describe, expect, expectTypeOf, it } from 'vitest';
import { ReplyError } from '../../src/index.js';
import { everyByte } from '../support/every-byte.js';
import { openStore } from './support.js';

describe('strings', () => {
  it('come back as text, and as the same bytes through buffers', async () => {
    const db = await openStore();
    const bytes = everyByte();
    await db.set('text', 'Grüße');
    await db.set(bytes, bytes);
    await db.set('number', 42);
    await db.set('big', 9223372036854775807n);
    expect(await db.get('text')).toBe('Grüße');
    expect(await db.buffers.get(bytes)).toEqual(bytes);
    expect(await db.get('number')).toBe('42');
    expect(await db.get('big')).toBe('9223372036854775807');
    expect(await db.get('missing')).toBeNull();
    expect(await db.buffers.get('missing')).toBeNull();
  });

  it.each([0, 1, 39, 40, 41, 200, 70_000])(
    'keep %i characters of key and value, ASCII or not',
    async (length) => {
      const db = await openStore();
      for (const character of ['a', '\u00e4', '\u20ac']) {
        const text = character.repeat(length);
        await db.set(`k${text}`, text);
        expect(await db.get(`k${text}`)).toBe(text);
        expect(await db.call('GET', `k${text}`)).toBe(text);
      }
    },
  );

  it('are set under conditions', async () => {
    const db = await openStore();
    expect(await db.set('k', 'a', { nx: true })).toBe('OK');
    expect(await db.set('k', 'b', { nx: true })).toBeNull();
    expect(await db.set('k', 'b', { ifEq: 'a', get: true })).toBe('a');
    expect(await db.set('k', 'c', { ifNe: 'b' })).toBeNull();
    expect(await db.set('other', 'c', { xx: true })).toBeNull();
    expect(await db.get('k')).toBe('b');
    expectTypeOf(db.set('k', 'v')).resolves.toEqualTypeOf<'OK'>();
    expectTypeOf(db.set('k', 'v', { get: true })).resolves.toEqualTypeOf<string | null>();
  });

  it('expire as every form of set says', async () => {
    const db = await openStore();
    await db.setex('a', 100, 'v');
    await db.psetex('b', 100_000, 'v');
    await db.set('c', 'v', { ex: 100 });
    await db.set('d', 'v', { pxat: Date.now() + 100_000 });
    await db.set('e', 'v');
    for (const key of ['a', 'b', 'c', 'd']) {
      expect(await db.pttl(key)).toBeGreaterThan(90_000);
      expect(await db.pttl(key)).toBeLessThanOrEqual(100_000);
    }
    expect(await db.ttl('e')).toBe(-1);
    expect(await db.ttl('none')).toBe(-2);
    await db.set('a', 'w', { keepTtl: true });
    expect(await db.ttl('a')).toBeGreaterThan(90);
    expect(await db.getex('a', { persist: true })).toBe('w');
    expect(await db.ttl('a')).toBe(-1);
  });

  it('are gone in the millisecond they expire', async () => {
    const db = await openStore();
    await db.psetex('k', 30, 'v');
    expect(await db.get('k')).toBe('v');
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await db.get('k')).toBeNull();
    expect(await db.dbsize()).toBe(0);
  });

  it('are refused with the errors that a socket would get', async () => {
    const db = await openStore({ 'proto-max-bulk-len': '1mb' });
    await db.hset('h', 'f', 'v');
    await expect(db.get('h')).rejects.toThrow(
      'WRONGTYPE Operation against a key holding the wrong kind of value',
    );
    await expect(db.setex('k', 0, 'v')).rejects.toThrow("ERR invalid expire time in 'setex' command");
    await expect(db.setex('k', 1.5, 'v')).rejects.toThrow('ERR value is not an integer or out of range');
    await expect(db.psetex('k', -1, 'v')).rejects.toThrow("ERR invalid expire time in 'psetex' command");
    await expect(db.set('k', 'x'.repeat(1024 * 1024 + 1))).rejects.toThrow('invalid bulk length');
    await expect(db.set('k', 'x'.repeat(1024 * 1024))).resolves.toBe('OK');
    await expect(db.set('k', undefined as never)).rejects.toThrow(TypeError);
    await expect(db.get(null as never)).rejects.toThrow(TypeError);
    await expect(db.call('NONSENSE')).rejects.toBeInstanceOf(ReplyError);
  });

  it('count, join and cut', async () => {
    const db = await openStore();
    expect(await db.incr('n')).toBe(1);
    expect(await db.incrby('n', 10)).toBe(11);
    expect(await db.decr('n')).toBe(10);
    expect(await db.decrby('n', 3n)).toBe(7);
    expect(await db.incrbyfloat('f', 0.5)).toBe(0.5);
    expect(await db.append('s', 'hello')).toBe(5);
    expect(await db.strlen('s')).toBe(5);
    expect(await db.getrange('s', 1, -2)).toBe('ell');
    expect(await db.setrange('s', 0, 'J')).toBe(5);
    expect(await db.getset('s', 'x')).toBe('Jello');
    expect(await db.getdel('s')).toBe('x');
    await db.set('large', '9007199254740993');
    await expect(db.incr('large')).rejects.toThrow(RangeError);
    expect(await db.call('GET', 'large')).toBe('9007199254740994');
    expect(await db.call('INCR', 'large')).toBe(9007199254740995n);
  });

  it('come in numbers', async () => {
    const db = await openStore();
    await db.mset({ a: 1, b: 'two' });
    await db.mset(new Map([[Buffer.from('c'), 'three']]));
    expect(await db.mget(['a', 'b', 'c', 'd'])).toEqual(['1', 'two', 'three', null]);
    expect(await db.buffers.mget(['b'])).toEqual([Buffer.from('two')]);
    expect(await db.msetnx({ d: 1, a: 2 })).toBe(false);
    expect(await db.msetex({ d: 1 }, { ex: 60 })).toBe(true);
    expect(await db.setnx('d', 2)).toBe(false);
    expect(await db.exists('a', 'b', 'nope')).toBe(2);
    expect(await db.del('a', 'b', 'nope')).toBe(2);
  });
});

describe('keys', () => {
  it('are renamed, copied and moved', async () => {
    const db = await openStore();
    await db.set('a', 1);
    expect(await db.rename('a', 'b')).toBe('OK');
    await expect(db.rename('a', 'b')).rejects.toThrow('ERR no such key');
    expect(await db.copy('b', 'c')).toBe(true);
    expect(await db.copy('b', 'c')).toBe(false);
    expect(await db.copy('b', 'c', { replace: true })).toBe(true);
    expect(await db.renamenx('b', 'c')).toBe(false);
    expect(await db.move('c', 1)).toBe(true);
    expect(await db.keys('*')).toEqual(['b']);
    expect(await db.type('b')).toBe('string');
    expect(await db.randomkey()).toBe('b');
    await db.select(1);
    expect(await db.get('c')).toBe('1');
    await db.set('only here', 1);
    await db.select(0);
    expect(await db.get('only here')).toBeNull();
  });

  it('are given and asked for their expiry', async () => {
    const db = await openStore();
    await db.set('k', 1);
    expect(await db.expire('k', 100, 'XX')).toBe(false);
    expect(await db.expire('k', 100)).toBe(true);
    expect(await db.pexpire('k', 50_000, 'GT')).toBe(false);
    const at = Math.floor(Date.now() / 1000) + 500;
    expect(await db.expireat('k', at)).toBe(true);
    expect(await db.expiretime('k')).toBe(at);
    expect(await db.pexpireat('k', at * 1000 + 7)).toBe(true);
    expect(await db.pexpiretime('k')).toBe(at * 1000 + 7);
    expect(await db.persist('k')).toBe(true);
    expect(await db.persist('k')).toBe(false);
    expect(await db.expire('k', 0)).toBe(true);
    expect(await db.exists('k')).toBe(0);
  });

  it('are all found by a scan', async () => {
    const db = await openStore();
    const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => db.set(key, 1)));
    await db.hset('other', 'f', 1);
    const found = new Set<string>();
    for await (const key of db.scanAll({ match: 'key:*', count: 50, type: 'string' })) found.add(key);
    expect([...found].sort()).toEqual(keys.sort());
    const [first] = (await db.buffers.scan('0', { count: 1000, match: 'other' })).items;
    expect(first).toEqual(Buffer.from('other'));
  });
});

describe('hashes', () => {
  it('take fields one by one, from an object and from a Map', async () => {
    const db = await openStore();
    expect(await db.hset('h', 'a', 1)).toBe(1);
    expect(await db.hset('h', { a: 2, b: 'x' })).toBe(1);
    expect(await db.hset('h', new Map([['__proto__', 'own']]))).toBe(1);
    expect(Object.entries(await db.hgetall('h')).sort()).toEqual([
      ['__proto__', 'own'],
      ['a', '2'],
      ['b', 'x'],
    ]);
    expect(await db.hgetall('none')).toEqual({});
    expect(await db.buffers.hgetall('h')).toMatchObject({ b: Buffer.from('x') });
    expect(await db.hget('h', 'a')).toBe('2');
    expect(await db.hmget('h', ['b', 'z'])).toEqual(['x', null]);
    expect(await db.hsetnx('h', 'a', 9)).toBe(false);
    expect(await db.hincrby('h', 'a', 5)).toBe(7);
    expect(await db.hincrbyfloat('h', 'a', 0.5)).toBe(7.5);
    expect(await db.hexists('h', 'z')).toBe(false);
    expect(await db.hstrlen('h', 'a')).toBe(3);
    expect((await db.hkeys('h')).sort()).toEqual(['__proto__', 'a', 'b']);
    expect((await db.hvals('h')).sort()).toEqual(['7.5', 'own', 'x']);
    expect(await db.hdel('h', 'a', '__proto__', 'z')).toBe(2);
    expect(await db.hrandfield('h')).toBe('b');
    expect(await db.hlen('h')).toBe(1);
  });

  it('have fields that expire by themselves', async () => {
    const db = await openStore();
    expect(await db.hsetex('h', { a: 1, b: 2 }, { ex: 100 })).toBe(true);
    expect(await db.hsetex('h', { a: 1 }, { fnx: true })).toBe(false);
    expect(await db.httl('h', ['a', 'z'])).toEqual([100, -2]);
    expect(await db.hexpire('h', 200, ['a'], 'GT')).toEqual([1]);
    expect(await db.hpersist('h', ['a'])).toEqual([1]);
    expect(await db.hpttl('h', ['a'])).toEqual([-1]);
    expect(await db.hpexpire('h', 60_000, ['a'])).toEqual([1]);
    const at = Math.floor(Date.now() / 1000) + 500;
    expect(await db.hexpireat('h', at, ['a'])).toEqual([1]);
    expect(await db.hexpiretime('h', ['a'])).toEqual([at]);
    expect(await db.hpexpireat('h', at * 1000 + 1, ['a'])).toEqual([1]);
    expect(await db.hpexpiretime('h', ['a'])).toEqual([at * 1000 + 1]);
    expect(await db.hgetex('h', ['a'], { persist: true })).toEqual(['1']);
    expect(await db.hgetdel('h', ['a', 'b'])).toEqual(['1', '2']);
    expect(await db.exists('h')).toBe(0);
  });

  it('are all found by a scan, with binary names', async () => {
    const db = await openStore();
    const name = Buffer.from([0xff, 0x00, 0x0d]);
    const fields = Array.from({ length: 300 }, (_, i) => [`f${i}`, i] as const);
    await db.hset('h', [...fields, [name, 'v']]);
    const found = new Map<string, string>();
    for await (const [field, value] of db.hscanAll('h', { match: 'f*', count: 20 })) found.set(field, value);
    expect(found.size).toBe(300);
    expect(found.get('f299')).toBe('299');
    const all = (await db.buffers.hscan('h', '0', { count: 1000 })).items;
    expect(all.some(([field]) => field.equals(name))).toBe(true);
  });
});

describe('any other command', () => {
  it('answers in the shapes of RESP3', async () => {
    const db = await openStore();
    await db.hset('h', 'f', 'v');
    expect(await db.call('HGETALL', 'h')).toEqual(new Map([['f', 'v']]));
    expect(await db.buffers.call('HGETALL', 'h')).toEqual(new Map([[Buffer.from('f'), Buffer.from('v')]]));
    expect(await db.call('PING')).toBe('PONG');
    expect(await db.call('INFO', 'server')).toContain('redis_version:');
    expect(await db.info('server')).toContain('redis_version:');
  });

  it('runs in the order of the calls', async () => {
    const db = await openStore();
    const results = await Promise.all([
      db.set('k', 'a'),
      db.call('APPEND', 'k', 'b'),
      db.get('k'),
      db.buffers.get('k'),
      db.set('k', 'c'),
      db.call('GETSET', 'k', 'd'),
      db.get('k'),
    ]);
    expect(results).toEqual(['OK', 2, 'ab', Buffer.from('ab'), 'OK', 'c', 'd']);
  });

  it('cannot silence the answers that promises wait for', async () => {
    const db = await openStore();
    await expect(db.call('CLIENT', 'REPLY', 'OFF')).rejects.toThrow('ERR syntax error');
    expect(await db.call('PING')).toBe('PONG');
  });

  it('goes on with a new connection after QUIT and CLIENT KILL', async () => {
    const db = await openStore();
    const id = await db.call('CLIENT', 'ID');
    expect(await db.call('QUIT')).toBe('OK');
    expect(await db.call('CLIENT', 'ID')).not.toBe(id);
    const other = db.newClient();
    const otherId = (await other.call('CLIENT', 'ID')) as number;
    expect(await db.call('CLIENT', 'KILL', 'ID', otherId)).toBe(1);
    expect(await other.call('CLIENT', 'ID')).not.toBe(otherId);
    expect(
      await db.call('CLIENT', 'KILL', 'ID', (await db.call('CLIENT', 'ID')) as number, 'SKIPME', 'no'),
    ).toBe(1);
    expect(await db.get('k')).toBeNull();
  });

  it("is counted as everybody's commands are", async () => {
    const db = await openStore();
    await db.call('CONFIG', 'RESETSTAT');
    await db.set('k', 'v');
    await db.get('k');
    await db.get('missing');
    const info = await db.info('all');
    expect(info).toContain('keyspace_hits:1\r\n');
    expect(info).toContain('keyspace_misses:1\r\n');
    expect(info).toMatch(/cmdstat_get:calls=2,/);
    expect(info).toMatch(/cmdstat_set:calls=1,/);
  });
});

describe('getSync', () => {
  it('answers as get does', async () => {
    const db = await openStore();
    await db.set('text', 'Grüße');
    await db.set('bytes', Buffer.from([0, 255, 1]));
    await db.set('large', 'ü'.repeat(20_000));
    await db.hset('h', { f: 'v' });
    expect(db.getSync('text')).toBe('Grüße');
    expect(db.getSync(Buffer.from('text'))).toBe('Grüße');
    expect(db.buffers.getSync('bytes')).toEqual(Buffer.from([0, 255, 1]));
    expect(db.getSync('large')).toBe('ü'.repeat(20_000));
    expect(db.getSync('missing')).toBeNull();
    expect(db.buffers.getSync('missing')).toBeNull();
    expect(() => db.getSync('h')).toThrow(
      new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value'),
    );
    expect(() => db.getSync(null as never)).toThrow(TypeError);
  });

  it('sees what was written before it, answered or not', async () => {
    const db = await openStore();
    const writes = [db.set('k', 1), db.incr('k'), db.hset('h', { f: 'v' })];
    expect(db.getSync('k')).toBe('2');
    await Promise.all(writes);
  });

  it('sees an expiry in its millisecond, however many reads were before', async () => {
    const db = await openStore();
    await db.psetex('k', 50, 'v');
    const expireAtMs = Number(await db.call('PEXPIRETIME', 'k'));
    await db.set('other', 'v');
    let value: string | null = 'v';
    let readAtMs = Date.now();
    for (let reads = 0; value !== null && readAtMs < expireAtMs + 1000; reads++) {
      // All but one of these do not look at the clock.
      for (let i = 0; i < reads % 20; i++) db.getSync('other');
      readAtMs = Date.now();
      value = db.getSync('k');
      if (value !== null) expect(readAtMs).toBeLessThan(expireAtMs);
    }
    expect(value).toBeNull();
    expect(readAtMs).toBeGreaterThanOrEqual(expireAtMs - 1);
  });

  it('is counted', async () => {
    const db = await openStore();
    await db.call('CONFIG', 'RESETSTAT');
    await db.set('k', 'v');
    db.getSync('k');
    db.getSync('missing');
    const info = await db.info('all');
    expect(info).toContain('keyspace_hits:1\r\n');
    expect(info).toContain('keyspace_misses:1\r\n');
    expect(info).toMatch(/cmdstat_get:calls=2,/);
  });

  it('cannot wait', async () => {
    const db = await openStore();
    const other = db.newClient();
    await db.call('CLIENT', 'PAUSE', 10_000, 'WRITE');
    const write = db.set('k', 1);
    expect(() => db.getSync('k')).toThrow('getSync cannot wait for the call before it');
    expect(other.getSync('k')).toBeNull();
    await other.call('CLIENT', 'PAUSE', 10_000, 'ALL');
    expect(() => other.getSync('k')).toThrow('getSync cannot wait until clients are no longer paused');
    await other.call('CLIENT', 'UNPAUSE');
    await write;
    expect(db.getSync('k')).toBe('1');
    other.close();
    expect(() => other.getSync('k')).toThrow('this client is closed');
    await db.close();
    expect(() => db.getSync('k')).toThrow('the database is closed');
  });
});

describe('a client that waits', () => {
  it("holds up its own calls and nobody else's", async () => {
    const db = await openStore();
    const other = db.newClient();
    await db.call('CLIENT', 'PAUSE', 10_000, 'WRITE');
    const order: string[] = [];
    const calls = [
      db.set('k', 1).then(() => order.push('set')),
      db.get('k').then((value) => order.push(`get ${value}`)),
      db.incr('k').then((value) => order.push(`incr ${value}`)),
    ];
    expect(await other.get('k')).toBeNull();
    expect(order).toEqual([]);
    await other.call('CLIENT', 'UNPAUSE');
    await Promise.all(calls);
    expect(order).toEqual(['set', 'get 1', 'incr 2']);
    other.close();
    await expect(other.get('k')).rejects.toThrow('this client is closed');
  });

  it('is answered by SAVE and by the disk', async () => {
    const db = await openStore();
    await db.set('k', 1);
    const [saved, value, onDisk] = await Promise.all([db.save(), db.get('k'), db.waitForDisk(5000)]);
    expect([saved, value, onDisk]).toEqual(['OK', '1', true]);
    expect(await db.info('persistence')).toMatch(/checkpoint\w*_seq:1\r\n/);
  });
});

it('lets timers run while a program only reads', async () => {
  const db = await openStore();
  await db.set('k', 'v');
  let ticked = false;
  setTimeout(() => {
    ticked = true;
  }, 1);
  let reads = 0;
  while (!ticked) {
    await db.get('k');
    reads++;
  }
  expect(reads).toBeGreaterThan(0);
});
