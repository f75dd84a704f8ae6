import { beforeEach, describe, expect, it } from 'vitest';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { scanCommands } from '../../src/commands/scan.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';
import type { Reply } from '../support/decode-reply.js';

const NOT_INTEGER = 'ERR value is not an integer or out of range';

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, scanCommands, hashCommands]);
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

function sorted(reply: Reply): Reply[] {
  return [...(reply as string[])].sort();
}

function fill(count: number, prefix = 'key:'): string[] {
  const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const name of names) store.call('set', name, 'v');
  return names.sort();
}

/** Every name that a whole iteration returns, with `between` run after each call. */
function scanAll(options: string, between: () => void = () => {}): string[] {
  const names: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = call(`scan ${cursor} ${options}`.trim()) as [string, string[]];
    names.push(...page);
    cursor = next;
    between();
  } while (cursor !== '0');
  return names;
}

describe('keys', () => {
  it('answers every matching key', () => {
    store.call('mset', 'one', 1, 'two', 2, 'three', 3, 'o*e', 4);
    expect(sorted(call('keys *'))).toEqual(['o*e', 'one', 'three', 'two']);
    expect(sorted(call('keys t*'))).toEqual(['three', 'two']);
    expect(sorted(call('keys o?e'))).toEqual(['o*e', 'one']);
    expect(call('keys o\\*e')).toEqual(['o*e']);
    expect(call('keys nothing')).toEqual([]);
  });

  it('finds the empty key with * alone', () => {
    store.call('set', '', 'v');
    expect(call('keys *')).toEqual(['']);
    expect(call('keys **')).toEqual([]);
  });

  it('does not answer expired keys', () => {
    call('set a 1 px 10');
    call('set b 1');
    store.advance(11);
    expect(call('keys *')).toEqual(['b']);
  });

  it('answers only the selected database', () => {
    call('set a 1');
    store.select(1);
    expect(call('keys *')).toEqual([]);
  });
});

describe('scan', () => {
  it.each([10, 100, 1000])('returns each of 1000 keys with COUNT %d', (count) => {
    const names = fill(1000);
    expect([...new Set(scanAll(`count ${count}`))].sort()).toEqual(names);
  });

  it('returns every key that is there all the time, while others come and go', () => {
    const names = fill(500);
    let round = 0;
    const seen = new Set(
      scanAll('', () => {
        for (let i = 0; i < 20; i++) store.call('set', `extra:${round}:${i}`, 'v');
        if (round > 0) for (let i = 0; i < 10; i++) store.call('del', `extra:${round - 1}:${i}`);
        round++;
      }),
    );
    expect(names.filter((name) => !seen.has(name))).toEqual([]);
  });

  it('filters by pattern and by type', () => {
    fill(100);
    for (let i = 0; i < 20; i++) store.call('hset', `hash:${i}`, 'f', 'v');
    expect(new Set(scanAll('match *:1?')).size).toBe(20);
    expect(new Set(scanAll('type hash')).size).toBe(20);
    expect(new Set(scanAll('TYPE HASH match *:1? count 1000')).size).toBe(10);
    expect(new Set(scanAll('type string count 5')).size).toBe(100);
    expect(scanAll('type zset')).toEqual([]);
    expect(scanAll('type nonsense')).toEqual([]);
  });

  it('lets the last of repeated options win', () => {
    fill(20);
    expect(new Set(scanAll('match nothing match *'))).toHaveProperty('size', 20);
  });

  it('does not answer expired keys', () => {
    call('set a 1 px 10');
    call('set b 1');
    store.advance(11);
    expect(scanAll('count 100')).toEqual(['b']);
  });

  it('ends for cursors it never gave out', () => {
    fill(10);
    for (const cursor of ['1', '4294967296', '9007199254740993', '18446744073709551615']) {
      const [next] = call(`scan ${cursor} count 100000`) as [string];
      expect(next).toBe('0');
    }
  });

  it('survives the largest COUNT', () => {
    const names = fill(50);
    expect(sorted((call('scan 0 count 9223372036854775807') as Reply[])[1]!)).toEqual(names);
  });

  it.each([
    ['scan', "ERR wrong number of arguments for 'scan' command"],
    ['scan abc', 'ERR invalid cursor'],
    ['scan -1', 'ERR invalid cursor'],
    ['scan 18446744073709551616', 'ERR invalid cursor'],
    ['scan abc count foo', 'ERR invalid cursor'],
    ['scan 0 count', 'ERR syntax error'],
    ['scan 0 foo', 'ERR syntax error'],
    ['scan 0 match', 'ERR syntax error'],
    ['scan 0 count 0', 'ERR syntax error'],
    ['scan 0 count -5', 'ERR syntax error'],
    ['scan 0 count 1.5', NOT_INTEGER],
    ['scan 0 type', 'ERR syntax error'],
    ['scan 0 novalues', 'ERR NOVALUES option can only be used in HSCAN'],
  ])('%s: %s', (line, text) => {
    expect(error(line)).toBe(text);
  });

  it('refuses an empty cursor', () => {
    expect(store.error('scan', '')).toBe('ERR invalid cursor');
  });
});

describe('randomkey', () => {
  it('answers null for an empty database', () => {
    expect(call('randomkey')).toBeNull();
  });

  it('answers each key sooner or later, never an expired one', () => {
    fill(4);
    store.call('set', 'gone', 'v', 'px', 10);
    store.advance(11);
    const seen = new Set(Array.from({ length: 400 }, () => call('randomkey')));
    expect([...seen].sort()).toEqual(['key:0', 'key:1', 'key:2', 'key:3']);
  });
});
