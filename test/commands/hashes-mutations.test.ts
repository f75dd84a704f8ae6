import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Keyspace } from '../../src/keyspace/keyspace.js';
import type { MutationSink } from '../../src/keyspace/mutations.js';
import { type CommandHarness, toBytes } from '../support/command-harness.js';
import { ErrorReply } from '../support/decode-reply.js';
import { newHashHarness } from '../support/hashes.js';
import { newKeyspace } from '../support/new-keyspace.js';

/** What reaches the log: the effect of each command, absolute, and nothing when there is none. */

/** A sink that notes the names of the mutations and hands them on. */
function recorder(names: string[], next: MutationSink): MutationSink {
  return new Proxy(next, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => void;
      return (...args: unknown[]) => {
        names.push(String(name));
        method.apply(target, args);
      };
    },
  });
}

let redis: CommandHarness;
let mutations: string[];

beforeEach(() => {
  redis = newHashHarness();
  redis.call('HSET', 'h', 'a', '1', 'b', '2', 'c', '3');
  mutations = [];
  redis.keyspace.journal = recorder(mutations, newKeyspace());
});

describe('the mutations of a command', () => {
  test.each([
    [['HSET', 'h', 'a', '1', 'x', '2'], ['hashSet']],
    [['HSETNX', 'h', 'x', '1'], ['hashSet']],
    [['HINCRBY', 'h', 'a', '1'], ['hashSet']],
    [['HINCRBYFLOAT', 'h', 'a', '1'], ['hashSet']],
    [['HDEL', 'h', 'a', 'b', 'x'], ['hashDelete']],
    [['HDEL', 'h', 'a', 'b', 'c'], ['delete']],
    [['HEXPIRE', 'h', '10', 'FIELDS', '3', 'a', 'x', 'b'], ['hashExpireAt']],
    [['HEXPIRE', 'h', '0', 'FIELDS', '2', 'a', 'x'], ['hashDelete']],
    [['HEXPIRE', 'h', '0', 'FIELDS', '3', 'a', 'b', 'c'], ['delete']],
    [['HGETEX', 'h', 'EX', '10', 'FIELDS', '2', 'a', 'b'], ['hashExpireAt']],
    [['HGETEX', 'h', 'EX', '0', 'FIELDS', '2', 'a', 'b'], ['hashDelete']],
    [['HGETDEL', 'h', 'FIELDS', '2', 'a', 'x'], ['hashDelete']],
    [['HGETDEL', 'h', 'FIELDS', '3', 'a', 'b', 'c'], ['delete']],
    [
      ['HSETEX', 'h', 'a', 'x', '10'],
      ['hashSet', 'expireAt'],
    ],
    [['HSETEX', 'h', '10', 'a', 'x'], ['hashSet']],
    [['HSETEX', 'h', 'NX', '10', 'a', 'x', 'y', 'z'], ['hashSet']],
    [['HSETEX', 'h', 'EX', '10', 'FIELDS', '1', 'a', 'x'], ['hashSet']],
    [['HSETEX', 'h', 'EX', '0', 'FIELDS', '1', 'a', 'x'], ['hashDelete']],
  ])('%j', (args, expected) => {
    expect(redis.call(...args)).not.toBeInstanceOf(ErrorReply);
    expect(mutations).toEqual(expected);
  });

  test.each([
    ['HGETALL', 'h'],
    ['HSETNX', 'h', 'a', '9'],
    ['HDEL', 'h', 'x', 'y'],
    ['HDEL', 'missing', 'x'],
    ['HINCRBY', 'h', 'a', '9223372036854775807'],
    ['HEXPIRE', 'h', '10', 'XX', 'FIELDS', '1', 'a'],
    ['HEXPIRE', 'h', '0', 'FIELDS', '1', 'x'],
    ['HEXPIRE', 'missing', '0', 'FIELDS', '1', 'x'],
    ['HPERSIST', 'h', 'FIELDS', '1', 'a'],
    ['HGETEX', 'h', 'FIELDS', '1', 'a'],
    ['HGETEX', 'h', 'PERSIST', 'FIELDS', '1', 'a'],
    ['HGETEX', 'h', 'EX', '10', 'FIELDS', '1', 'x'],
    ['HGETDEL', 'h', 'FIELDS', '1', 'x'],
    ['HSETEX', 'h', 'NX', '10', 'a', 'x'],
    ['HSETEX', 'h', 'FNX', '10', 'a', 'x'],
    ['HSETEX', 'h', 'FXX', 'FIELDS', '1', 'x', 'y'],
    ['HSETEX', 'h', 'NX', 'FIELDS', '1', 'x', 'y'],
    ['HSETEX', 'h', 'EX', '0', 'FIELDS', '1', 'x', 'y'],
    ['HSETEX', 'missing', 'EX', '0', 'FIELDS', '1', 'x', 'y'],
  ])('none without an effect: %s %s %s %s', (...args) => {
    redis.call(...args);
    expect(mutations).toEqual([]);
  });
});

/** Everything live in a keyspace: each key with its expiry and its fields with values and expiries. */
function dump(keyspace: Keyspace): Record<string, unknown> {
  const keys: Record<string, unknown> = {};
  keyspace.each(0, (key, start, end, ref) => {
    const fields: Record<string, unknown> = {};
    keyspace.hashEach(ref, (field, fieldStart, fieldEnd, value, valueStart, valueEnd, expireAt) => {
      fields[text(field, fieldStart, fieldEnd)] = [text(value, valueStart, valueEnd), expireAt];
    });
    keys[text(key, start, end)] = { expireAt: keyspace.expiryOf(ref), fields };
  });
  return keys;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

const field = fc.constantFrom('a', 'b', 'c', 'd');
const names = fc.array(field, { minLength: 1, maxLength: 5 }).map((all) => [String(all.length), ...all]);
const pairs = fc
  .array(fc.tuple(field, fc.constantFrom('x', 'y', '1', '2.5')), { minLength: 1, maxLength: 4 })
  .map((all) => all.flat());
const seconds = fc.constantFrom('0', '1', '2', '3', '50');
const time = fc.oneof(
  fc.constant([] as string[]),
  fc.constant(['KEEPTTL']),
  seconds.map((s) => ['EX', s]),
);
const step = fc.oneof(
  fc.constantFrom(0, 500, 1000, 1700).map((ms) => ms),
  pairs.map((all) => ['HSET', 'h', ...all]),
  fc.tuple(field, fc.constantFrom('1', '-3')).map(([f, by]) => ['HINCRBY', 'h', f, by]),
  fc.tuple(field, seconds).map(([f, s]) => ['HSETEX', 'h', f, 'x', s]),
  fc
    .tuple(fc.constantFrom([], ['NX'], ['FNX'], ['FXX'], ['KEEPTTL']), seconds, pairs)
    .map(([flags, s, all]) => ['HSETEX', 'h', ...flags, s, ...all]),
  fc
    .tuple(fc.constantFrom([], ['FNX'], ['FXX'], ['NX'], ['XX']), time, pairs)
    .map(([flags, t, all]) => ['HSETEX', 'h', ...flags, ...t, 'FIELDS', String(all.length / 2), ...all]),
  fc
    .tuple(seconds, fc.constantFrom([], ['NX'], ['XX'], ['GT'], ['LT']), names)
    .map(([s, flags, all]) => ['HEXPIRE', 'h', s, ...flags, 'FIELDS', ...all]),
  fc
    .tuple(fc.constantFrom([], ['EX', '2'], ['EX', '0'], ['PERSIST']), names)
    .map(([t, all]) => ['HGETEX', 'h', ...t, 'FIELDS', ...all]),
  fc
    .tuple(fc.constantFrom('HPERSIST', 'HGETDEL', 'HTTL'), names)
    .map(([n, all]) => [n, 'h', 'FIELDS', ...all]),
  names.map(([, ...all]) => ['HDEL', 'h', ...all]),
);

test('a keyspace that only hears the mutations, and expires nothing itself, holds the same data', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.boolean(), (steps, large) => {
      const harness = newHashHarness();
      const replica = newKeyspace();
      replica.expiring = 'off';
      harness.keyspace.journal = replica;
      if (large) harness.call('HSET', 'h', ...Array.from({ length: 200 }, (_, i) => [`f${i}`, 'x']).flat());
      for (const one of steps) {
        if (typeof one === 'number') harness.advance(one);
        else harness.call(...one);
        replica.now = harness.nowMs;
        // Reading the key removes, and logs, what has expired.
        const key = toBytes('h');
        harness.keyspace.now = harness.nowMs;
        harness.keyspace.peek(0, key, 0, key.length);
        expect(dump(replica)).toEqual(dump(harness.keyspace));
      }
    }),
    { numRuns: 100 },
  );
});
