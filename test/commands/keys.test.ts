import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';

const NOT_INTEGER = 'ERR value is not an integer or out of range';
const SAME = 'ERR source and destination objects are the same';
const INT32_RANGE = 'ERR value is out of range, value must between -2147483648 and 2147483647';

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, expireCommands, hashCommands]);
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

describe.each(['del', 'unlink'])('%s', (name) => {
  it('counts what it deleted, of any type', () => {
    call('mset a 1 b 2');
    call('hset h f v');
    expect(call(`${name} a a missing h`)).toBe(2);
    expect(call('exists a b h')).toBe(1);
  });

  it('does not count what has expired', () => {
    call('set a 1 px 10');
    store.advance(11);
    expect(call(`${name} a`)).toBe(0);
  });
});

describe('exists, touch, type', () => {
  it('counts a key as often as it is named', () => {
    call('set a 1');
    expect(call('exists a missing a')).toBe(2);
    expect(call('touch a missing a')).toBe(2);
  });

  it('answers status replies', () => {
    call('set a 1');
    call('hset h f v');
    expect(store.raw('type', 'a')).toBe('+string\r\n');
    expect(store.raw('type', 'h')).toBe('+hash\r\n');
    expect(store.raw('type', 'missing')).toBe('+none\r\n');
  });

  it('uses the key only in TOUCH, and there even for a client that asked not to', () => {
    store.call('set', 'a', 1);
    const idle = () => store.keyspace.idleSecondsOf(store.keyspace.peek(0, Buffer.from('a'), 0, 1));
    store.advance(100_000);
    for (const line of ['exists a', 'type a', 'ttl a']) call(line);
    expect(idle()).toBe(100);
    store.client.noTouch = true;
    call('get a');
    expect(idle()).toBe(100);
    call('touch a');
    expect(idle()).toBe(0);
  });
});

describe('rename, renamenx', () => {
  it('takes value, type and expiry along and replaces the target', () => {
    call('set a 1 ex 100');
    call('hset b f v');
    expect(call('rename a b')).toBe('OK');
    expect(call('get b')).toBe('1');
    expect(call('ttl b')).toBe(100);
    expect(call('exists a')).toBe(0);
  });

  it('does not give the target its old expiry', () => {
    call('set a 1');
    call('set b 2 ex 100');
    call('rename a b');
    expect(call('ttl b')).toBe(-1);
  });

  it('refuses a missing source, even when both names are the same', () => {
    expect(error('rename a b')).toBe('ERR no such key');
    expect(error('rename a a')).toBe('ERR no such key');
    expect(error('renamenx a a')).toBe('ERR no such key');
  });

  it('does nothing between equal names', () => {
    call('set a 1');
    expect(call('rename a a')).toBe('OK');
    expect(call('renamenx a a')).toBe(0);
    expect(call('get a')).toBe('1');
  });

  it('renames only to a free name with RENAMENX', () => {
    call('mset a 1 b 2');
    expect(call('renamenx a b')).toBe(0);
    expect(call('renamenx a c')).toBe(1);
    expect(call('mget a b c')).toEqual([null, '2', '1']);
  });

  it('counts an expired target as free', () => {
    call('set a 1');
    call('set b 2 px 10');
    store.advance(11);
    expect(call('renamenx a b')).toBe(1);
    expect(call('get b')).toBe('1');
    expect(call('ttl b')).toBe(-1);
  });
});

describe('copy', () => {
  it('copies value and expiry, and the two live apart', () => {
    call('set a 1 ex 100');
    expect(call('copy a b')).toBe(1);
    expect(call('ttl b')).toBe(100);
    call('append b 2');
    expect(call('mget a b')).toEqual(['1', '12']);
  });

  it('copies hashes', () => {
    call('hset h f v g w');
    expect(call('copy h i')).toBe(1);
    call('hset h f changed');
    expect(call('hget i f')).toBe('v');
    expect(call('hlen i')).toBe(2);
  });

  it('replaces only when told to', () => {
    call('mset a 1 b 2');
    expect(call('copy a b')).toBe(0);
    expect(call('get b')).toBe('2');
    expect(call('copy a b REPLACE')).toBe(1);
    expect(call('get b')).toBe('1');
  });

  it('copies to another database, also under the same name', () => {
    call('set a 1');
    expect(call('copy a a db 3')).toBe(1);
    expect(call('copy a a DB 3')).toBe(0);
    expect(call('copy a a replace db 3')).toBe(1);
    store.select(3);
    expect(call('get a')).toBe('1');
  });

  it.each([
    ['copy a b db 16', 'ERR DB index is out of range'],
    ['copy a b db -1', 'ERR DB index is out of range'],
    ['copy a b db x', NOT_INTEGER],
    ['copy a b db 2147483648', INT32_RANGE],
    ['copy a b db', 'ERR syntax error'],
    ['copy a b foo', 'ERR syntax error'],
    ['copy a a', SAME],
    ['copy a a db 0', SAME],
    ['copy missing missing', SAME],
  ])('%s: %s', (line, text) => {
    expect(error(line)).toBe(text);
  });

  it('answers 0 for a missing source', () => {
    expect(call('copy missing b')).toBe(0);
    expect(call('copy missing b replace db 2')).toBe(0);
  });
});

describe('move', () => {
  it('moves a key with its expiry', () => {
    call('set a 1 ex 100');
    expect(call('move a 2')).toBe(1);
    expect(call('exists a')).toBe(0);
    store.select(2);
    expect(call('get a')).toBe('1');
    expect(call('ttl a')).toBe(100);
  });

  it('answers 0 for a missing source or a taken target', () => {
    expect(call('move a 2')).toBe(0);
    call('set a 1');
    call('copy a a db 2');
    expect(call('move a 2')).toBe(0);
    expect(call('exists a')).toBe(1);
  });

  it.each([
    ['move a 0', SAME],
    ['move missing 0', SAME],
    ['move a 16', 'ERR DB index is out of range'],
    ['move a x', NOT_INTEGER],
    ['move a 9223372036854775807', INT32_RANGE],
  ])('%s: %s', (line, text) => {
    expect(error(line)).toBe(text);
  });
});
