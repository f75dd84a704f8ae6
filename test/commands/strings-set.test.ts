import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { stringCommands } from '../../src/commands/strings.js';
import { type Argument, CommandHarness } from '../support/command-harness.js';

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const NOT_INTEGER = 'ERR value is not an integer or out of range';
const SYNTAX = 'ERR syntax error';
const NOW = 1_700_000_000_000;
const INT64_MAX = '9223372036854775807';

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, expireCommands, hashCommands], { nowMs: NOW });
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

describe.each([
  { name: 'setex', unitMs: 1000, most: '9223372036854775' },
  { name: 'psetex', unitMs: 1, most: INT64_MAX },
])('$name', ({ name, unitMs, most }) => {
  it('sets a value and its expiry, and answers OK', () => {
    expect(store.raw(name, 'k', 10, 'v')).toBe('+OK\r\n');
    expect(call('get k')).toBe('v');
    expect(call('pexpiretime k')).toBe(NOW + 10 * unitMs);
  });

  it('lets the key live its time and no longer', () => {
    store.call(name, 'k', 10, 'v');
    store.advance(10 * unitMs - 1);
    expect(call('get k')).toBe('v');
    store.advance(2);
    expect(call('get k')).toBeNull();
    expect(call('exists k')).toBe(0);
  });

  it('replaces value, type and expiry of what was there', () => {
    call('hset k field value');
    call('expire k 5000');
    expect(store.call(name, 'k', 7, 'v')).toBe('OK');
    expect(call('type k')).toBe('string');
    expect(call('pttl k')).toBe(7 * unitMs);
  });

  it.each(['k', 'k 10', 'k 10 v x'])('checks the number of arguments first: %s', (rest) => {
    expect(error(`${name} ${rest}`)).toBe(`ERR wrong number of arguments for '${name}' command`);
  });

  it.each(['abc', '', '+5', '05', '-0', '1.5', '1e3', ' 5', '9223372036854775808', '-9223372036854775809'])(
    'refuses %j as no integer',
    (time) => {
      expect(store.error(name, 'k', time, 'v')).toBe(NOT_INTEGER);
    },
  );

  it.each(['0', '-1', '-9223372036854775808', most])(
    'refuses %s as an invalid time, by its own name',
    (time) => {
      call('set k old');
      expect(store.error(name, 'k', time, 'v')).toBe(`ERR invalid expire time in '${name}' command`);
      expect(call('get k')).toBe('old');
      expect(call('ttl k')).toBe(-1);
    },
  );

  it('keeps the longest time that fits, to the millisecond', () => {
    const longest = (BigInt(INT64_MAX) - BigInt(NOW)) / BigInt(unitMs);
    expect(store.call(name, 'k', longest, 'v')).toBe('OK');
    expect(BigInt(call('pexpiretime k') as bigint)).toBe(longest * BigInt(unitMs) + BigInt(NOW));
    expect(store.error(name, 'k', longest + 1n, 'v')).toBe(`ERR invalid expire time in '${name}' command`);
  });

  it('stores any bytes under any name', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    store.call(name, bytes, 10, bytes);
    expect(store.call('get', bytes)).toBe(bytes.toString('latin1'));
  });
});

describe('setex among its peers', () => {
  it('never stores a negative time for ever', () => {
    error('setex k -10 v');
    expect(call('exists k')).toBe(0);
  });

  it('takes lifetimes of more than 8.5 years without capping them', () => {
    const tenYears = 10 * 365 * 86_400;
    call(`setex k ${tenYears} v`);
    expect(call('ttl k')).toBe(tenYears);
  });

  it('measures PX in milliseconds, not against a limit in seconds', () => {
    expect(call('set k v px 31536000001')).toBe('OK');
    expect(call('pttl k')).toBe(31_536_000_001);
  });

  it.each([
    ['setex k 9223372036854776 v', 'setex'],
    ['psetex k 0 v', 'psetex'],
    ['set k v ex 0', 'set'],
    ['set k v px -1', 'set'],
    ['msetex 1 k v ex 0', 'msetex'],
  ])('%s names %s in its error', (line, name) => {
    expect(error(line)).toBe(`ERR invalid expire time in '${name}' command`);
  });
});

describe('set', () => {
  it('replaces any type and drops the expiry', () => {
    call('hset k f v');
    call('expire k 100');
    expect(call('set k v')).toBe('OK');
    expect(call('get k')).toBe('v');
    expect(call('ttl k')).toBe(-1);
  });

  it.each([
    ['set k v nx', null, 'old'],
    ['set k v XX', 'OK', 'v'],
    ['set other v nx', 'OK', 'old'],
    ['set other v xx', null, 'old'],
    ['set k v ifeq old', 'OK', 'v'],
    ['set k v ifeq OLD', null, 'old'],
    ['set k v ifne old', null, 'old'],
    ['set k v IfNe new', 'OK', 'v'],
    ['set k v get', 'old', 'v'],
    ['set k v nx get', 'old', 'old'],
    ['set k v get xx', 'old', 'v'],
    ['set k v get ifeq other', 'old', 'old'],
    ['set k v ifne other get', 'old', 'v'],
    ['set k v ifeq a ifeq old', 'OK', 'v'],
    ['set k v nx nx', null, 'old'],
  ])('%s answers %j and k is %j', (line, reply, value) => {
    call('set k old');
    expect(call(line)).toBe(reply);
    expect(call('get k')).toBe(value);
  });

  it.each([
    ['set k v ifeq x', null, 0],
    ['set k v ifne x', 'OK', 1],
    ['set k v get', null, 1],
    ['set k v xx get', null, 0],
    ['set k v ifeq x get', null, 0],
    ['set k v ifne x get', null, 1],
  ])('%s on a missing key answers %j and leaves %d keys', (line, reply, keys) => {
    expect(call(line)).toBe(reply);
    expect(call('exists k')).toBe(keys);
  });

  it('leaves the expiry alone when the condition is not met', () => {
    call('set k old ex 100');
    for (const line of ['set k v nx', 'set k v ifeq x', 'set k v ifne old ex 5', 'set k v nx get'])
      call(line);
    expect(call('ttl k')).toBe(100);
  });

  it.each([
    ['ex 10', NOW + 10_000],
    ['EX 10 EX 20', NOW + 20_000],
    ['px 10', NOW + 10],
    ['exat 1800000000', 1_800_000_000_000],
    ['pxat 1800000000001', 1_800_000_000_001],
    ['xx ex 10 get', NOW + 10_000],
    ['keepttl', NOW + 777],
    ['get keepttl', NOW + 777],
  ])('with %s the key expires at %d', (options, expireAt) => {
    call('set k old px 777');
    call(`set k v ${options}`);
    expect(call('get k')).toBe('v');
    expect(call('pexpiretime k')).toBe(expireAt);
  });

  it('keeps no expiry where KEEPTTL finds none', () => {
    call('set k v keepttl');
    expect(call('ttl k')).toBe(-1);
  });

  it.each([
    'exat 1',
    'pxat 1',
    `pxat ${NOW}`,
    `exat ${NOW / 1000}`,
    'xx exat 1',
    'ifeq old pxat 5',
    'ifne x exat 1',
  ])('with %s, in the past, answers OK and leaves no key', (options) => {
    call('set k old');
    expect(call(`set k v ${options}`)).toBe('OK');
    expect(call('exists k')).toBe(0);
    expect(store.keyspace.size(0)).toBe(0);
  });

  it('answers the old value when GET meets a time in the past', () => {
    call('set k old');
    expect(call('set k v get exat 1')).toBe('old');
    expect(call('exists k')).toBe(0);
  });

  it('does not delete for a time in the past when the condition is not met', () => {
    call('set k old');
    expect(call('set k v nx exat 1')).toBeNull();
    expect(call('get k')).toBe('old');
  });

  it.each([
    'set k v foo',
    'set k v nx xx',
    'set k v xx nx',
    'set k v nx ifeq a',
    'set k v ifeq a ifne b',
    'set k v ifeq a xx',
    'set k v ifeq',
    'set k v ex 1 px 1',
    'set k v ex 1 keepttl',
    'set k v keepttl exat 1',
    'set k v ex',
    'set k v pxat',
    'set k v persist',
    'set k v ex 1 px',
    'set k v ex abc foo',
    'set k v n',
  ])('%s is a syntax error, whatever the number says', (line) => {
    expect(error(line)).toBe(SYNTAX);
    expect(call('exists k')).toBe(0);
  });

  it('checks the time before the condition and the type', () => {
    call('set k v');
    expect(error('set k v nx ex 0')).toBe("ERR invalid expire time in 'set' command");
    expect(error('set k v nx ex abc')).toBe(NOT_INTEGER);
    call('hset h f v');
    expect(error('set h v get px 0')).toBe("ERR invalid expire time in 'set' command");
  });

  it.each(['set h v get', 'set h v nx get', 'set h v ifeq a', 'set h v ifne a', 'getset h v'])(
    '%s refuses a hash and leaves it',
    (line) => {
      call('hset h f v');
      expect(error(line)).toBe(WRONG_TYPE);
      expect(call('type h')).toBe('hash');
    },
  );

  it('accepts XX and NX on a hash without looking at its type', () => {
    call('hset h f v');
    expect(call('set h v nx')).toBeNull();
    expect(call('set h v xx')).toBe('OK');
  });

  it.each(['0', '-1', '9223372036854776', INT64_MAX])('refuses EXAT %s', (time) => {
    expect(error(`set k v exat ${time}`)).toBe("ERR invalid expire time in 'set' command");
  });

  it('keeps PXAT beyond 2^53 exactly', () => {
    call('set k v pxat 9223372036854775807');
    expect(call('pexpiretime k')).toBe(9223372036854775807n);
    expect(call('get k')).toBe('v');
  });

  it('answers the null of RESP3', () => {
    call('set k v');
    store.client.protocol = 3;
    expect(store.raw('set', 'k', 'w', 'nx')).toBe('_\r\n');
    expect(store.raw('set', 'missing', 'w', 'get')).toBe('_\r\n');
  });

  it('counts a hit or a miss only when it reads', () => {
    call('set k v');
    call('set k v xx');
    call('set k v get');
    call('set missing v get');
    expect(store.stats).toMatchObject({ keyspaceHits: 1, keyspaceMisses: 1 });
  });
});

describe('setnx, getset', () => {
  it('sets only what is missing', () => {
    expect(call('setnx k 1')).toBe(1);
    expect(call('setnx k 2')).toBe(0);
    expect(call('get k')).toBe('1');
  });

  it('returns the old value and drops the expiry', () => {
    expect(call('getset k 1')).toBeNull();
    call('expire k 10');
    expect(call('getset k 2')).toBe('1');
    expect(call('ttl k')).toBe(-1);
    expect(call('get k')).toBe('2');
  });
});

describe('mset, msetnx', () => {
  it('sets every pair and drops expiries', () => {
    call('set a old ex 10');
    expect(call('mset a 1 b 2 a 3')).toBe('OK');
    expect(call('mget a b')).toEqual(['3', '2']);
    expect(call('ttl a')).toBe(-1);
  });

  it.each(['mset a', 'mset a 1 b', 'msetnx a 1 b'])('%s has the wrong number of arguments', (line) => {
    const name = line.split(' ')[0];
    expect(error(line)).toBe(`ERR wrong number of arguments for '${name}' command`);
    expect(call('exists a')).toBe(0);
  });

  it('sets all or nothing', () => {
    expect(call('msetnx a 1 b 2')).toBe(1);
    expect(call('msetnx c 1 b 3')).toBe(0);
    expect(call('mget a b c')).toEqual(['1', '2', null]);
    expect(call('msetnx x 1 x 2')).toBe(1);
    expect(call('get x')).toBe('2');
  });
});

describe('msetex', () => {
  it.each([
    ['', -1],
    ['ex 10', 10_000],
    ['px 10', 10],
    ['nx ex 10', 10_000],
    ['ex 10 nx', 10_000],
    ['keepttl', -1],
    [`pxat ${NOW + 5}`, 5],
  ])('sets every key with %j', (options, ttlMs) => {
    expect(call(`msetex 2 a 1 b 2 ${options}`.trim())).toBe(1);
    expect(call('mget a b')).toEqual(['1', '2']);
    expect(call('pttl a')).toBe(ttlMs);
    expect(call('pttl b')).toBe(ttlMs);
  });

  it('sets all or nothing under NX and XX', () => {
    call('set a old');
    expect(call('msetex 2 a 1 b 2 nx')).toBe(0);
    expect(call('msetex 2 a 1 b 2 xx ex 10')).toBe(0);
    expect(call('mget a b')).toEqual(['old', null]);
    expect(call('msetex 1 a 1 xx ex 10')).toBe(1);
    expect(call('ttl a')).toBe(10);
  });

  it('keeps each expiry with KEEPTTL', () => {
    call('set a old ex 5');
    call('set b old');
    call('msetex 3 a 1 b 2 c 3 keepttl');
    expect([call('ttl a'), call('ttl b'), call('ttl c')]).toEqual([5, -1, -1]);
  });

  it('deletes for a time in the past', () => {
    call('set a old');
    expect(call('msetex 2 a 1 b 2 exat 1')).toBe(1);
    expect(call('exists a b')).toBe(0);
  });

  it.each([
    ['msetex 1 k', "ERR wrong number of arguments for 'msetex' command"],
    ['msetex key1 val1 ex 10', 'ERR invalid numkeys value'],
    ['msetex 0 k v', 'ERR invalid numkeys value'],
    ['msetex -1 k v', 'ERR invalid numkeys value'],
    ['msetex 2147483648 k v ex 10', 'ERR invalid numkeys value'],
    ['msetex 2147483647 k v ex 10', 'ERR wrong number of key-value pairs'],
    ['msetex 2 k v k2', 'ERR wrong number of key-value pairs'],
    ['msetex 1 k v invalid', SYNTAX],
    ['msetex 1 k v get', SYNTAX],
    ['msetex 1 k v ifeq a', SYNTAX],
    ['msetex 1 k v nx xx', SYNTAX],
    ['msetex 1 k v ex 10 px 5', SYNTAX],
    ['msetex 1 k v keepttl ex 5', SYNTAX],
    ['msetex 1 k v ex', SYNTAX],
    ['msetex 1 k v ex abc', NOT_INTEGER],
    ['msetex 1 k v ex -5', "ERR invalid expire time in 'msetex' command"],
  ])('%s: %s', (line, text) => {
    expect(error(line)).toBe(text);
    expect(call('exists k')).toBe(0);
  });
});

describe('conditions on binary values', () => {
  const bytes: Argument = Buffer.from([0, 1, 2, 255, 254, 13, 10]);

  it('compares byte for byte', () => {
    store.call('set', 'k', bytes);
    expect(store.call('set', 'k', 'w', 'ifeq', Buffer.from([0, 1, 2, 255, 254, 13, 11]))).toBeNull();
    expect(store.call('set', 'k', 'w', 'ifeq', bytes)).toBe('OK');
  });

  it('tells an empty value from a missing key', () => {
    store.call('set', 'k', '');
    expect(store.call('set', 'k', 'w', 'ifne', '')).toBeNull();
    expect(store.call('set', 'k', 'w', 'ifeq', '')).toBe('OK');
  });
});
