/**
 * The same random commands to a real redis-server 7.0 and to our handlers: the same replies, byte for byte.
 * What Redis 7.0 does not have (IFEQ, MSETEX, NOVALUES) or reads
 * otherwise than 7.4 (an empty cursor) is left to the tables beside this file.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { scanCommands } from '../../src/commands/scan.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';
import { RedisOracle } from '../support/redis-oracle.js';
import { hasTool } from '../support/tools.js';

const STRING_BYTES_MAX = 1024 * 1024;

let redis: RedisOracle;

beforeAll(async () => {
  redis = await RedisOracle.start();
  await redis.run([['config', 'set', 'proto-max-bulk-len', STRING_BYTES_MAX]]);
});

afterAll(() => redis.stop());

function newStore(): CommandHarness {
  return new CommandHarness([stringCommands, keyCommands, expireCommands, scanCommands, hashCommands], {
    nowMs: Date.now(),
    config: { 'proto-max-bulk-len': STRING_BYTES_MAX },
  });
}

const key = fc.constantFrom('a', 'b', 'c', 'd', '');
const value = fc.constantFrom(
  '',
  'foo',
  'foobar',
  '12',
  '-5',
  '1.5',
  ' 1',
  '0x10',
  '9223372036854775807',
  '\0\r\n\xff',
);
const integer = fc.constantFrom(
  ...['0', '1', '-1', '3', '-3', '100', '', 'abc', '+1', '01', '-0', '1.5', '1 '],
  ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '9007199254740993'],
);
/** Never so near to now that the run's own duration would matter. */
const time = fc.constantFrom(
  ...['0', '-1', '100000', '2000000000', '2000000000000', '', 'abc', '1.5', '-9223372036854775808'],
  ...[
    '9223372036854775807',
    '9223372036854775',
    '9223372036854776',
    '-9223372036854775',
    '9223372036854770000',
  ],
);
const float = fc.constantFrom(
  '1',
  '0.1',
  '-1.1',
  '3.0e3',
  '1e5000',
  'inf',
  'nan',
  '',
  ' 1',
  '1e-3',
  '0x1p4',
  '.5',
);

const anyCase = (words: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...words), fc.boolean())
    .map(([word, upper]) => (upper ? word.toUpperCase() : word));
const timed = fc.tuple(anyCase(['ex', 'px', 'exat', 'pxat']), time);
const word = (words: readonly string[]) => anyCase(words).map((chosen) => [chosen]);
const some = (option: fc.Arbitrary<string[]>) =>
  fc.array(option, { maxLength: 3 }).map((options) => options.flat());
const command = (...parts: (fc.Arbitrary<string> | fc.Arbitrary<string[]>)[]) =>
  fc.tuple(...(parts as fc.Arbitrary<string | string[]>[])).map((drawn) => drawn.flat());
const name = (...names: string[]) => fc.constantFrom(...names);
const keys = fc.array(key, { minLength: 1, maxLength: 3 });

const setOptions = some(fc.oneof(timed, word(['nx', 'xx', 'get', 'keepttl', 'persist', 'ex'])));
const getexOptions = some(fc.oneof(timed, word(['persist', 'keepttl', 'px'])));
const copyOptions = some(
  fc.oneof(
    word(['replace', 'db', 'foo']),
    fc.tuple(fc.constant('db'), fc.constantFrom('0', '1', '16', '-1', 'x', '2147483648')),
  ),
);
const lcsOptions = some(
  fc.oneof(word(['len', 'idx', 'withmatchlen', 'foo']), fc.tuple(fc.constant('minmatchlen'), integer)),
);

const commands = fc.oneof(
  command(name('set'), key, value),
  command(name('set'), key, value, setOptions),
  command(name('get', 'strlen', 'getdel', 'incr', 'decr', 'type', 'persist'), key),
  command(name('setex', 'psetex'), key, time, value),
  command(name('setnx', 'getset', 'append', 'msetnx'), key, value),
  command(name('getex'), key, getexOptions),
  command(name('mget', 'del', 'unlink', 'exists', 'touch'), keys),
  command(name('mset', 'msetnx'), fc.array(fc.oneof(key, value), { minLength: 1, maxLength: 5 })),
  command(name('getrange', 'substr'), key, integer, integer),
  command(name('setrange'), key, fc.oneof(integer, fc.constant(String(STRING_BYTES_MAX))), value),
  command(name('incrby', 'decrby'), key, integer),
  command(name('incrbyfloat'), key, float),
  command(name('lcs'), key, key, lcsOptions),
  command(name('hset'), key, fc.constant('field'), value),
  command(name('rename', 'renamenx'), key, key),
  command(name('copy'), key, key, copyOptions),
  command(name('move'), key, fc.constantFrom('0', '1', '2', '16', '-1', 'x', '2147483648')),
  command(name('expire', 'pexpire'), key, time, some(word(['nx', 'xx', 'Foo']))),
  command(name('expireat', 'pexpireat'), key, time, some(word(['nx', 'xx', 'gt', 'lt', 'Foo']))),
  command(name('ttl', 'pttl', 'expiretime', 'pexpiretime'), key),
  command(name('keys'), fc.constantFrom('*', '?', '[a-c]', '', 'a*')),
  command(
    name('scan'),
    fc.constant('0'),
    some(fc.oneof(fc.tuple(anyCase(['count', 'match', 'type']), integer), word(['foo', 'count']))),
    // One call has to be enough, because the two order their keys differently.
    fc.constant<string[]>(['count', '100']),
  ),
  command(name('set', 'get', 'setex', 'getrange', 'copy', 'lcs', 'expire', 'ttl', 'mset'), keys),
);

const TIME_TELLING = new Set(['ttl', 'pttl', 'expiretime', 'pexpiretime']);
const CLOCK_TOLERANCE_MS = 10_000;

/** The replies agree, but for the moments between the two runs and the order of an unordered array. */
function sameReply(args: readonly string[], ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const name = args[0]!;
  if (name === 'keys' || name === 'scan') return sorted(ours) === sorted(theirs);
  if (!TIME_TELLING.has(name)) return false;
  const difference = Number(ours.slice(1)) - Number(theirs.slice(1));
  return Math.abs(difference) <= (name.startsWith('p') ? CLOCK_TOLERANCE_MS : CLOCK_TOLERANCE_MS / 1000);
}

function sorted(reply: string): string {
  return reply.split('\r\n').sort().join();
}

describe.runIf(hasTool('redis-server'))('beside redis-server', () => {
  it.each([2, 3] as const)('answers random commands alike, in RESP%d', async (protocol) => {
    await redis.runRaw([['hello', protocol]]);
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { minLength: 1, maxLength: 60, size: 'max' }), async (sequence) => {
        await redis.runRaw([['flushall']]);
        const store = newStore();
        store.client.protocol = protocol;
        const theirs = await redis.runRaw(sequence);
        for (const [i, args] of sequence.entries()) {
          const ours = store.raw(...args);
          if (!sameReply(args, ours, theirs[i]!))
            expect({ args, reply: ours }).toEqual({ args, reply: theirs[i] });
        }
      }),
      { numRuns: 400 },
    );
  });

  it('matches random patterns alike', async () => {
    const text = (maxLength: number) =>
      fc.array(fc.constantFrom(...'aabc*?[]^-\\'), { maxLength }).map((letters) => letters.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(text(5), { minLength: 1, maxLength: 20 }),
        fc.array(text(8)),
        async (names, patterns) => {
          const pairs = names.flatMap((key) => [key, 'v']);
          const store = newStore();
          store.call('mset', ...pairs);
          const [, , ...theirs] = await redis.runRaw([
            ['flushall'],
            ['mset', ...pairs],
            ...patterns.map((pattern) => ['keys', pattern]),
          ]);
          for (const [i, pattern] of patterns.entries()) {
            expect({ pattern, keys: sorted(store.raw('keys', pattern)) }).toEqual({
              pattern,
              keys: sorted(theirs[i]!),
            });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('adds random decimal numbers alike', async () => {
    const decimal = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc
        .tuple(fc.integer(), fc.integer({ min: -30, max: 30 }))
        .map(([digits, exponent]) => `${digits}e${exponent}`),
      fc.tuple(fc.integer(), fc.nat()).map(([whole, fraction]) => `${whole}.${fraction}`),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(decimal, decimal), { minLength: 1, maxLength: 50 }),
        async (pairs) => {
          const store = newStore();
          const sequence = pairs.flatMap(([a, b]) => [
            ['set', 'k', a],
            ['incrbyfloat', 'k', b],
          ]);
          const theirs = await redis.runRaw(sequence);
          expect(sequence.map((args) => store.raw(...args))).toEqual(theirs);
        },
      ),
      { numRuns: 100 },
    );
  });
});
