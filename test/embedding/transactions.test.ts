import { describe, expect, expectTypeOf, it } from 'vitest';
import { MultiError, ReplyError } from '../../src/index.js';
import { openStore } from './support.js';

describe('a transaction', () => {
  it('returns the results of its calls, typed and in order', async () => {
    const db = await openStore();
    const results = await db
      .multi()
      .set('a', 1)
      .incr('a')
      .hset('h', { f: 'v' })
      .hgetall('h')
      .call('STRLEN', 'a')
      .get('missing')
      .exec();
    expect(results).toEqual(['OK', 2, 1, { f: 'v' }, 1, null]);
    expectTypeOf(results![1]).toEqualTypeOf<number>();
    expectTypeOf(results![3]).toEqualTypeOf<Record<string, string>>();
    expect(await db.buffers.multi().get('a').exec()).toEqual([Buffer.from('2')]);
  });

  it('runs nothing before exec, and nothing in between', async () => {
    const db = await openStore();
    const multi = db.multi().set('k', 'a').append('k', 'b');
    expect(await db.get('k')).toBeNull();
    const [, value] = await Promise.all([multi.exec(), db.get('k')]);
    expect(value).toBe('ab');
  });

  it('is not done when a watched key has changed', async () => {
    const db = await openStore();
    const client = db.newClient();
    await client.watch('k');
    await db.set('k', 'other');
    expect(await client.multi().set('k', 'mine').exec()).toBeNull();
    expect(await db.get('k')).toBe('other');
    await client.watch('k');
    await client.unwatch();
    await db.set('k', 'another');
    expect(await client.multi().set('k', 'mine').exec()).toEqual(['OK']);
  });

  it('is refused as a whole when one of its commands is no command, and says which', async () => {
    const db = await openStore();
    const error = await db
      .multi()
      .set('k', 1)
      .call('NONSENSE')
      .exec()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ReplyError);
    expect((error as Error).message).toMatch(/^EXECABORT/);
    expect(((error as Error).cause as Error).message).toMatch(/^ERR unknown command 'NONSENSE'/);
    expect(await db.get('k')).toBeNull();
  });

  it('is not sent at all when an argument is none', async () => {
    const db = await openStore();
    await expect(
      db
        .multi()
        .set('k', 1)
        .set('l', undefined as never)
        .exec(),
    ).rejects.toThrow(TypeError);
    expect(await db.get('k')).toBeNull();
    expect(await db.call('PING')).toBe('PONG');
  });

  it('tells what failed as it ran, beside what was done', async () => {
    const db = await openStore();
    const error = await db
      .multi()
      .set('k', 'text')
      .incr('k')
      .strlen('k')
      .exec()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(MultiError);
    expect((error as MultiError).message).toBe('ERR value is not an integer or out of range');
    expect((error as MultiError).results).toEqual(['OK', expect.any(ReplyError), 4]);
  });

  it('does not join one that was begun by hand', async () => {
    const db = await openStore();
    await db.call('MULTI');
    expect(await db.call('SET', 'k', 1)).toBe('QUEUED');
    await expect(db.multi().incr('k').exec()).rejects.toThrow('ERR MULTI calls can not be nested');
    expect(await db.call('EXEC')).toEqual(['OK']);
  });
});
