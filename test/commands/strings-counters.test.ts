import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const NOT_INTEGER = 'ERR value is not an integer or out of range';
const NOT_FLOAT = 'ERR value is not a valid float';
const OVERFLOW = 'ERR increment or decrement would overflow';

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, expireCommands, hashCommands]);
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

describe('integers', () => {
  it.each([
    [null, 'incr k', 1],
    [null, 'decr k', -1],
    [null, 'incrby k 5', 5],
    [null, 'decrby k 5', -5],
    [null, 'decrby k 0', 0],
    ['0', 'decrby k 0', 0],
    ['17179869184', 'incr k', 17179869185],
    ['17179869184', 'incrby k 17179869184', 34359738368],
    ['-5', 'incrby k 5', 0],
    ['9007199254740991', 'incr k', 9007199254740992n],
    ['9007199254740993', 'decrby k 2', 9007199254740991],
    ['9223372036854775806', 'incr k', 9223372036854775807n],
    ['-9223372036854775807', 'decr k', -9223372036854775808n],
    ['9223372036854775807', 'incrby k -9223372036854775808', -1],
    ['-1', 'decrby k 9223372036854775807', -9223372036854775808n],
  ])('%s, %s: %s', (before, line, after) => {
    if (before !== null) store.call('set', 'k', before);
    expect(call(line)).toBe(after);
    expect(call('get k')).toBe(String(after));
  });

  it('keeps the expiry', () => {
    call('set k 1 ex 100');
    call('incr k');
    expect(call('ttl k')).toBe(100);
  });

  it.each(['', ' 11', '11 ', 'abc', '1.5', '+1', '01', '-0', '9223372036854775808', '1\0'])(
    'refuses a value of %j',
    (value) => {
      store.call('set', 'k', value);
      expect(error('incr k')).toBe(NOT_INTEGER);
      expect(call('get k')).toBe(value);
    },
  );

  it.each([
    ['9223372036854775807', 'incr k', OVERFLOW],
    ['-9223372036854775808', 'decr k', OVERFLOW],
    ['9223372036854775800', 'incrby k 8', OVERFLOW],
    ['-9223372036854775800', 'decrby k 9', OVERFLOW],
    ['5', 'decrby k -9223372036854775808', 'ERR decrement would overflow'],
    ['5', 'incrby k 1.5', NOT_INTEGER],
    ['5', 'decrby k 9223372036854775808', NOT_INTEGER],
  ])('%s, %s: %s', (before, line, text) => {
    store.call('set', 'k', before);
    expect(error(line)).toBe(text);
    expect(call('get k')).toBe(before);
  });

  it('reads the increment before it looks at the key', () => {
    call('hset h f v');
    expect(error('incrby h abc')).toBe(NOT_INTEGER);
    expect(error('decrby h -9223372036854775808')).toBe('ERR decrement would overflow');
    expect(error('incrby h 1')).toBe(WRONG_TYPE);
    expect(error('incr h')).toBe(WRONG_TYPE);
  });
});

describe('incrbyfloat', () => {
  it.each([
    [null, '1', '1'],
    ['1', '0.25', '1.25'],
    ['0.1', '0.2', '0.3'],
    ['3.0e3', '200', '3200'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['17179869184', '1.5', '17179869185.5'],
    ['1', '-1.1', '-0.1'],
    ['1', '-1', '0'],
    ['1e30', '0', '1000000000000000000024696061952'],
  ])('%s + %s = %s', (before, increment, after) => {
    if (before !== null) store.call('set', 'k', before);
    expect(store.call('incrbyfloat', 'k', increment)).toBe(after);
    expect(call('get k')).toBe(after);
  });

  it('keeps the expiry', () => {
    call('set k 1 ex 100');
    call('incrbyfloat k 0.5');
    expect(call('ttl k')).toBe(100);
  });

  it('leaves no negative zero', () => {
    call('incrbyfloat k 0.024390243902439025');
    expect(call('incrbyfloat k -0.024390243902439025')).toBe('0');
  });

  it('checks the type, the value, the increment, then the sum', () => {
    call('hset h f v');
    expect(error('incrbyfloat h abc')).toBe(WRONG_TYPE);
    store.call('set', 'k', ' 11');
    expect(error('incrbyfloat k abc')).toBe(NOT_FLOAT);
    call('set k 1');
    for (const text of ['abc', 'nan', '']) expect(store.error('incrbyfloat', 'k', text)).toBe(NOT_FLOAT);
    expect(error('incrbyfloat k +inf')).toBe('ERR increment would produce NaN or Infinity');
    expect(call('get k')).toBe('1');
  });

  it('refuses what is text after a zero byte', () => {
    call('set k 1');
    call('setrange k 2 2');
    expect(error('incrbyfloat k 1')).toBe(NOT_FLOAT);
  });
});
