import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandHarness } from '../support/command-harness.js';
import { ErrorReply, type Reply } from '../support/decode-reply.js';
import { newHashHarness, putString } from '../support/hashes.js';
import { RedisOracle } from '../support/redis-oracle.js';
import { hasTool } from '../support/tools.js';

/** The same random commands to a real redis-server and to the handlers: the replies must be the same. */

let oracle: RedisOracle;

beforeAll(async () => {
  oracle = await RedisOracle.start();
});

afterAll(() => oracle.stop());

type Command = readonly string[];

const manyFields = Array.from({ length: 200 }, (_, i) => `field:${i}`);
const key = fc.constantFrom('h', 'h', 'h', 'g', 'text');
const field = fc.constantFrom('a', 'b', 'c', 'd', '', '1', '\x00\xff\r\n', 'long '.repeat(30));
const anyField = fc.oneof({ weight: 4, arbitrary: field }, fc.constantFrom(...manyFields));
const integer = fc.constantFrom(
  ...['0', '1', '-1', '7', '-250', '9223372036854775807', '-9223372036854775808', '9007199254740993'],
);
const decimal = fc.constantFrom(
  ...['0.1', '-0.25', '3.0', '1e3', '5.0e-5', '-17', '123456.789', '1e17', '0x1p4', '2.5'],
);
const noNumber = fc.constantFrom('', ' 1', '1 ', '+1', '01', '1.5.2', 'abc', '9223372036854775808', 'nan');
const value = fc.oneof(integer, decimal, noNumber, fc.constant('x'.repeat(100)));
const pairs = fc.array(fc.tuple(anyField, value), { minLength: 1, maxLength: 6 }).map((all) => all.flat());
const fields = fc.array(anyField, { minLength: 1, maxLength: 8 });
const everyPair = manyFields.flatMap((name, i) => [name, String(i)]);
const pattern = fc.constantFrom('*', 'a', '[a-c]', '?', 'field:1*', '*9', '[^a]*', '\\a', '*\xff*', 'none');

/** Weights keep the hashes alive: much is set, a little is removed. */
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(key, pairs).map(([k, all]) => ['HSET', k, ...all]) },
  { weight: 2, arbitrary: fc.tuple(key, pairs).map(([k, all]) => ['HMSET', k, ...all]) },
  { weight: 1, arbitrary: key.map((k) => ['HSET', k, ...everyPair]) },
  { weight: 1, arbitrary: key.map((k) => ['HDEL', k, ...manyFields.slice(5)]) },
  { weight: 2, arbitrary: fc.tuple(key, fields).map(([k, all]) => ['HDEL', k, ...all]) },
  { weight: 2, arbitrary: fc.tuple(key, anyField, value).map(([k, f, v]) => ['HSETNX', k, f, v]) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, field, fc.oneof(integer, integer, noNumber))
      .map(([k, f, by]) => ['HINCRBY', k, f, by]),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, field, fc.oneof(decimal, decimal, integer, noNumber))
      .map(([k, f, by]) => ['HINCRBYFLOAT', k, f, by]),
  },
  { weight: 2, arbitrary: fc.tuple(key, anyField).map(([k, f]) => ['HGET', k, f]) },
  { weight: 2, arbitrary: fc.tuple(key, fields).map(([k, all]) => ['HMGET', k, ...all]) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom('HGETALL', 'HLEN', 'HKEYS', 'HVALS'), key).map((all) => [...all]),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('HEXISTS', 'HSTRLEN'), key, anyField).map((all) => [...all]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        key,
        fc.constantFrom('1000', '0', '-5', '-1', 'x', '-9223372036854775808', '99999999999999999999'),
      )
      .chain(([k, count]) =>
        fc.constantFrom(
          [k],
          [k, count],
          [k, count, 'WITHVALUES'],
          [k, count, 'values'],
          [k, count, 'a', 'b'],
        ),
      )
      .map((args) => ['HRANDFIELD', ...args]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(key, pattern)
      .chain(([k, glob]) =>
        fc.constantFrom(
          [k, '0', 'MATCH', glob, 'COUNT', '100000'],
          [k, '0', 'count', '100000'],
          [k, 'x'],
          [k, '0', 'MATCH'],
          [k, '0', 'COUNT', '0'],
          [k, '0', 'COUNT', glob],
        ),
      )
      .map((args) => ['HSCAN', ...args]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Command>(
      ['HSET', 'h'],
      ['HSET', 'h', 'a'],
      ['HSET', 'h', 'a', '1', 'b'],
      ['HMSET', 'h', 'a', '1', 'b'],
      ['HGET', 'h'],
      ['HMGET', 'h'],
      ['HDEL', 'h'],
      ['HGETALL', 'h', 'a'],
      ['HINCRBY', 'h', 'a'],
      ['HRANDFIELD'],
      ['HSCAN', 'h'],
    ),
  },
);

const UNORDERED = new Set(['HGETALL', 'HKEYS', 'HVALS', 'HSCAN', 'HRANDFIELD']);

/** A reply without what may differ: the order of fields, and which ones chance picked. */
function comparable(args: Command, reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.message}`;
  const name = args[0]!;
  if (name === 'HRANDFIELD' && args.length === 2) return reply === null ? null : 'one field';
  if (name === 'HRANDFIELD' && args[2]!.startsWith('-')) return (reply as Reply[]).length;
  if (!UNORDERED.has(name)) return reply;
  if (reply instanceof Map) return [...reply.entries()].map(String).sort();
  if (name === 'HSCAN') {
    const [cursor, elements] = reply as [string, string[]];
    return [cursor, inPairs(elements).sort()];
  }
  const elements = reply as Reply[];
  const flatPairs = name === 'HGETALL' || (args.length > 3 && elements.every((e) => !Array.isArray(e)));
  return flatPairs ? inPairs(elements as string[]).sort() : elements.map(String).sort();
}

function inPairs(elements: readonly string[]): string[] {
  const pairsOfText: string[] = [];
  for (let i = 0; i < elements.length; i += 2) pairsOfText.push(`${elements[i]},${elements[i + 1]}`);
  return pairsOfText;
}

function freshHarness(): CommandHarness {
  const harness = newHashHarness();
  putString(harness, 'text', 'a string');
  return harness;
}

describe.runIf(hasTool('redis-server')).each([2, 3] as const)('in RESP%d', (protocol) => {
  test('random hash commands are answered as Redis answers them', async () => {
    await oracle.run([['HELLO', protocol]]);
    const property = fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 60 }),
      async (commands) => {
        const harness = freshHarness();
        harness.client.protocol = protocol;
        const [, , ...expected] = await oracle.run([['FLUSHALL'], ['SET', 'text', 'a string'], ...commands]);
        for (const [i, args] of commands.entries()) {
          const actual = comparable(args, harness.call(...args));
          expect(actual, args.join(' ').slice(0, 200)).toEqual(comparable(args, expected[i]!));
        }
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

describe.runIf(hasTool('redis-server'))('the command table', () => {
  test('has the arity, key positions and flags that Redis has', async () => {
    await oracle.run([['HELLO', 2]]);
    const { registry } = newHashHarness();
    const names = [...registry.commands.keys()];
    const infos = (await oracle.run([['COMMAND', 'INFO', ...names]]))[0] as (Reply[] | null)[];
    let compared = 0;
    for (const [i, info] of infos.entries()) {
      if (info === null) continue; // Newer than the Redis at hand.
      const { definition } = registry.get(names[i]!)!;
      const [name, arity, flags, first, last, step] = info as [
        string,
        number,
        string[],
        number,
        number,
        number,
      ];
      expect({ name, arity, flags: new Set(flags), keys: [first, last, step] }).toEqual({
        name: definition.name,
        arity: definition.arity,
        flags: new Set(definition.flags),
        keys: [1, 1, 1],
      });
      expect(definition.keys).toMatchObject({ first: 1, last: 1, step: 1 });
      compared++;
    }
    expect(compared).toBe(16);
  });
});
