import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { keyCommands } from '../../src/commands/keys.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';

const NOT_INTEGER = 'ERR value is not an integer or out of range';
const NOW = 1_700_000_000_000;
const FAR = 9223372036854770000n;

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, expireCommands], { nowMs: NOW });
  store.call('set', 'k', 'v');
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

describe('expire, pexpire, expireat, pexpireat', () => {
  it.each([
    ['expire k 10', NOW + 10_000],
    ['pexpire k 10', NOW + 10],
    ['expireat k 1800000000', 1_800_000_000_000],
    ['pexpireat k 1800000000001', 1_800_000_000_001],
    ['pexpireat k 9223372036854770000', FAR],
    ['pexpireat k 9223372036854775807', 9223372036854775807n],
    ['expireat k 9223372036854775', 9223372036854775000n],
  ])('%s: the key expires at %s', (line, expireAt) => {
    expect(call(line)).toBe(1);
    expect(call('pexpiretime k')).toBe(expireAt);
    expect(call('get k')).toBe('v');
  });

  it.each([
    'expire k 0',
    'expire k -1',
    'pexpire k -5',
    'expireat k 1',
    'pexpireat k -9223372036854775808',
    'pexpire k -9223372036854775808',
    'expire k -9223372036854775',
    `pexpireat k ${NOW}`,
  ])('%s deletes the key and answers 1', (line) => {
    expect(call(line)).toBe(1);
    expect(call('exists k')).toBe(0);
    expect(store.keyspace.size(0)).toBe(0);
  });

  it('answers 0 for a missing key', () => {
    expect(call('expire missing 10')).toBe(0);
    expect(call('pexpire missing -1 xx')).toBe(0);
  });

  it.each([
    ['expire k abc', NOT_INTEGER],
    ['expire k 1.5', NOT_INTEGER],
    ['pexpireat k 9223372036854775808', NOT_INTEGER],
    ['expire k 9223372036854776', "ERR invalid expire time in 'expire' command"],
    ['expire k 9223370399119966', "ERR invalid expire time in 'expire' command"],
    ['expire k -9223372036854776', "ERR invalid expire time in 'expire' command"],
    ['pexpire k 9223372036854775807', "ERR invalid expire time in 'pexpire' command"],
    ['expireat k 9223372036854776', "ERR invalid expire time in 'expireat' command"],
    ['expire k 10 foo', 'ERR Unsupported option foo'],
    ['expire k 10 nx FooBar', 'ERR Unsupported option FooBar'],
    ['expire k 10 nx xx', 'ERR NX and XX, GT or LT options at the same time are not compatible'],
    ['expire k 10 gt nx', 'ERR NX and XX, GT or LT options at the same time are not compatible'],
    ['expire k 10 lt NX', 'ERR NX and XX, GT or LT options at the same time are not compatible'],
    ['expire k 10 gt lt', 'ERR GT and LT options at the same time are not compatible'],
    ['expire k', "ERR wrong number of arguments for 'expire' command"],
    // The options come before the number, the number before the key.
    ['expire missing abc foo', 'ERR Unsupported option foo'],
    ['expire missing abc', NOT_INTEGER],
  ])('%s: %s', (line, text) => {
    expect(error(line)).toBe(text);
    expect(call('ttl k')).toBe(-1);
  });

  it.each([
    ['nx', false, 1],
    ['nx', true, 0],
    ['xx', false, 0],
    ['xx', true, 1],
    ['gt', false, 0],
    ['lt', false, 1],
    ['xx gt', false, 0],
    ['xx lt', false, 0],
  ])('with %s, expiry set before: %s, answers %d', (option, before, reply) => {
    if (before) call('expire k 100');
    expect(call(`expire k 50 ${option}`)).toBe(reply);
  });

  it.each([
    ['101 gt', 1],
    ['100 gt', 0],
    ['99 gt', 0],
    ['101 lt', 0],
    ['100 lt', 0],
    ['99 LT', 1],
    ['99 xx lt', 1],
    ['-1 lt', 1],
    ['-1 gt', 0],
  ])('against 100 seconds, %s answers %d', (rest, reply) => {
    call('expire k 100');
    expect(call(`expire k ${rest}`)).toBe(reply);
  });

  it('compares times beyond 2^53 with each other exactly', () => {
    call(`pexpireat k ${FAR}`);
    expect(call(`pexpireat k ${FAR} gt`)).toBe(0);
    expect(call(`pexpireat k ${FAR + 1n} gt`)).toBe(1);
    expect(call(`pexpireat k ${FAR} lt`)).toBe(1);
    expect(call('pexpire k 1000 lt')).toBe(1);
  });
});

describe('ttl, pttl, expiretime, pexpiretime', () => {
  it.each(['ttl', 'pttl', 'expiretime', 'pexpiretime'])('%s answers -2 and -1', (name) => {
    expect(call(`${name} missing`)).toBe(-2);
    expect(call(`${name} k`)).toBe(-1);
  });

  it.each([
    [1499, 1],
    [1500, 2],
    [499, 0],
    [500, 1],
  ])('%d ms to live are %d seconds', (milliseconds, seconds) => {
    call(`pexpire k ${milliseconds}`);
    expect(call('ttl k')).toBe(seconds);
    expect(call('pttl k')).toBe(milliseconds);
    expect(call('exists k')).toBe(1);
  });

  it('rounds EXPIRETIME too', () => {
    call('pexpireat k 1800000000499');
    expect(call('expiretime k')).toBe(1_800_000_000);
    call('pexpireat k 1800000000500');
    expect(call('expiretime k')).toBe(1_800_000_001);
  });

  it('counts down, to the end', () => {
    call('expire k 10');
    store.advance(9999);
    expect(call('pttl k')).toBe(1);
    store.advance(2);
    expect(call('pttl k')).toBe(-2);
  });

  it('answers times beyond 2^53', () => {
    call(`pexpireat k ${FAR}`);
    expect(call('pttl k')).toBe(FAR - BigInt(NOW));
    expect(call('ttl k')).toBe((FAR - BigInt(NOW) + 500n) / 1000n);
    expect(call('expiretime k')).toBe(FAR / 1000n);
  });

  it('counts hits and misses without being a use of the key', () => {
    call('ttl k');
    call('pexpiretime missing');
    expect(store.stats).toMatchObject({ keyspaceHits: 1, keyspaceMisses: 1 });
  });
});

describe('persist', () => {
  it('answers whether it took an expiry away', () => {
    call('expire k 10');
    expect(call('persist k')).toBe(1);
    expect(call('ttl k')).toBe(-1);
    expect(call('persist k')).toBe(0);
    expect(call('persist missing')).toBe(0);
  });
});
