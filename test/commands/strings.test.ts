import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const NOT_INTEGER = 'ERR value is not an integer or out of range';
const SYNTAX = 'ERR syntax error';
const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';
const NOW = 1_700_000_000_000;
const LIMIT = 1000;

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, expireCommands, hashCommands], {
    nowMs: NOW,
    config: { 'proto-max-bulk-len': LIMIT },
  });
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

describe('get, mget, strlen', () => {
  it('answers values, nulls and lengths', () => {
    call('set k value');
    expect(call('get k')).toBe('value');
    expect(call('get missing')).toBeNull();
    expect(call('strlen k')).toBe(5);
    expect(call('strlen missing')).toBe(0);
    expect(call('mget k missing k')).toEqual(['value', null, 'value']);
  });

  it('answers null in MGET for a key of another type', () => {
    call('hset h f v');
    expect(call('mget h missing')).toEqual([null, null]);
    expect(store.call3('mget', 'h')).toEqual([null]);
  });

  it.each(['get h', 'strlen h', 'getrange h 0 1', 'getdel h', 'getex h', 'append h x', 'setrange h 0 x'])(
    '%s refuses a hash',
    (line) => {
      call('hset h f v');
      expect(error(line)).toBe(WRONG_TYPE);
    },
  );

  it('counts hits and misses', () => {
    call('set k v');
    for (const line of [
      'get k',
      'mget k missing',
      'strlen missing',
      'getrange k 0 1',
      'getex k',
      'getdel k',
    ]) {
      call(line);
    }
    expect(store.stats).toMatchObject({ keyspaceHits: 5, keyspaceMisses: 2 });
  });
});

describe('getrange, substr', () => {
  const cases: [start: string, end: string, part: string][] = [
    ['0', '3', 'This'],
    ['0', '-1', 'This is'],
    ['-3', '-1', ' is'],
    ['5', '100', 'is'],
    ['5', '3', ''],
    ['-1', '-3', ''],
    ['100', '200', ''],
    ['-100', '2', 'Thi'],
    ['-100', '-50', 'T'],
    ['-50', '-100', ''],
    ['-9223372036854775807', '-9223372036854775808', ''],
    ['0', '9223372036854775807', 'This is'],
    ['-9223372036854775808', '9223372036854775807', 'This is'],
  ];

  it.each(cases)('from %s to %s is %j', (start, end, part) => {
    store.call('set', 'k', 'This is');
    expect(store.call('getrange', 'k', start, end)).toBe(part);
    expect(store.call('substr', 'k', start, end)).toBe(part);
  });

  it('answers an empty string for a missing key and an empty value', () => {
    expect(call('getrange missing 0 -1')).toBe('');
    call('setrange k 0 a');
    store.call('set', 'empty', '');
    expect(call('getrange empty 0 -1')).toBe('');
  });

  it('reads both numbers before it looks at the key', () => {
    call('hset h f v');
    expect(error('getrange h a 1')).toBe(NOT_INTEGER);
    expect(error('getrange h 1 a')).toBe(NOT_INTEGER);
    expect(error('substr k 0')).toBe("ERR wrong number of arguments for 'substr' command");
  });
});

describe('getdel', () => {
  it('returns and deletes', () => {
    call('set k v');
    expect(call('getdel k')).toBe('v');
    expect(call('exists k')).toBe(0);
    expect(call('getdel k')).toBeNull();
  });
});

describe('getex', () => {
  it.each([
    ['', NOW + 777],
    ['ex 10', NOW + 10_000],
    ['px 10', NOW + 10],
    ['EXAT 1800000000', 1_800_000_000_000],
    ['pxat 1800000000001', 1_800_000_000_001],
    ['pxat 9223372036854775807', 9223372036854775807n],
    ['persist', -1],
    ['persist persist', -1],
  ])('with %j the key expires at %d', (options, expireAt) => {
    call('set k v px 777');
    expect(call(`getex k ${options}`.trim())).toBe('v');
    expect(call('pexpiretime k')).toBe(expireAt);
  });

  it.each(['exat 1', 'pxat 1', `pxat ${NOW}`])('with %s returns the value and deletes the key', (options) => {
    call('set k v');
    expect(call(`getex k ${options}`)).toBe('v');
    expect(call('exists k')).toBe(0);
  });

  it.each(['ex 1 px 1', 'persist ex 1', 'ex 1 persist', 'keepttl', 'nx', 'get', 'ex', 'foo'])(
    'with %s is a syntax error, also for a missing key',
    (options) => {
      expect(error(`getex missing ${options}`)).toBe(SYNTAX);
    },
  );

  it('answers a missing key, then the type, before it reads the number', () => {
    expect(call('getex missing ex abc')).toBeNull();
    call('hset h f v');
    expect(error('getex h ex abc')).toBe(WRONG_TYPE);
    call('set k v');
    expect(error('getex k ex abc')).toBe(NOT_INTEGER);
    for (const time of ['0', '-1', '9223372036854776']) {
      expect(error(`getex k ex ${time}`)).toBe("ERR invalid expire time in 'getex' command");
    }
  });

  it('writes nothing when PERSIST finds no expiry', () => {
    call('set k v');
    let writes = 0;
    const { keyspace } = store;
    const { expireAt } = keyspace;
    keyspace.expireAt = (...args) => {
      writes++;
      expireAt.apply(keyspace, args);
    };
    call('getex k persist');
    expect(writes).toBe(0);
    call('getex k ex 5');
    call('getex k persist');
    expect(writes).toBe(2);
  });
});

describe('append', () => {
  it('creates, extends and keeps the expiry', () => {
    expect(call('append k Hello')).toBe(5);
    call('expire k 100');
    expect(call('append k World')).toBe(10);
    expect(call('get k')).toBe('HelloWorld');
    expect(call('ttl k')).toBe(100);
  });

  it('creates a key for an empty value', () => {
    expect(store.call('append', 'k', '')).toBe(0);
    expect(call('exists k')).toBe(1);
    expect(store.call('append', 'k', '')).toBe(0);
    expect(call('get k')).toBe('');
  });

  it('extends numbers as text', () => {
    call('set k 12');
    expect(call('append k 34')).toBe(4);
    expect(call('incr k')).toBe(1235);
  });

  it('does not let a string outgrow the limit', () => {
    store.call('set', 'k', 'x'.repeat(LIMIT - 1));
    expect(call('append k y')).toBe(LIMIT);
    expect(error('append k z')).toBe(TOO_LONG);
    expect(call('strlen k')).toBe(LIMIT);
  });
});

describe('setrange', () => {
  it.each([
    ['foo', '0', 'b', 3, 'boo'],
    ['foo', '1', 'oXX', 4, 'foXX'],
    ['foo', '4', 'x', 5, 'foo\0x'],
    ['foo', '1', '', 3, 'foo'],
    [null, '0', 'foo', 3, 'foo'],
    [null, '2', 'foo', 5, '\0\0foo'],
  ])('on %j at %s with %j answers %d and leaves %j', (before, offset, value, length, after) => {
    if (before !== null) store.call('set', 'k', before);
    expect(store.call('setrange', 'k', offset, value)).toBe(length);
    expect(call('get k')).toBe(after);
  });

  it('does not create a key for an empty value', () => {
    expect(store.call('setrange', 'k', 10, '')).toBe(0);
    expect(call('exists k')).toBe(0);
  });

  it('keeps the expiry', () => {
    call('set k foo ex 100');
    call('setrange k 1 xx');
    expect(call('ttl k')).toBe(100);
  });

  it('checks the number, the offset, the type, then the size', () => {
    call('hset h f v');
    expect(error('setrange h a x')).toBe(NOT_INTEGER);
    expect(error('setrange h -1 x')).toBe('ERR offset is out of range');
    expect(error('setrange h 5000 x')).toBe(WRONG_TYPE);
    expect(error(`setrange k ${LIMIT} x`)).toBe(TOO_LONG);
    expect(error('setrange k 9223372036854775807 x')).toBe(TOO_LONG);
    expect(store.call('setrange', 'k', '9223372036854775807', '')).toBe(0);
    expect(call(`setrange k ${LIMIT - 1} x`)).toBe(LIMIT);
  });
});
