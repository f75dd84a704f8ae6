import type { Random } from '../faults/random.mjs';
import type { Argument } from '../support/command-harness.js';

/** Names that programs get wrong: empty, every byte, invalid UTF-8, a BOM, and what every JavaScript object has. */
export const NAMES: readonly string[] = [
  '',
  'a',
  'b',
  'c',
  'h1',
  'h2',
  '__proto__',
  'constructor',
  '\xff\xfe\x00',
  '\xef\xbb\xbfbom',
  Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join(''),
  'k'.repeat(3000),
];

const NUMBERS = ['0', '-1', '9223372036854775807', '-9223372036854775808', '3.5', '1e300', 'not a number'];

/** Any command that writes, with arguments that are right more often than not. */
export function randomCommand(random: Random, nowMs: number): Argument[] {
  const name = () => random.pick(NAMES);
  const value = () =>
    random.below(3) ? random.bytes(random.below(200)) : random.pick([...NUMBERS, ...NAMES]);
  const large = () => random.bytes(100).repeat(1 + random.below(300));
  const integer = () => String(random.pick([1, -1, 7, 1000, random.below(100)]));
  const seconds = () => String(random.pick([1, 2, 100, 3_000_000, 9_000_000_000]));
  const milliseconds = () => String(random.pick([1, 500, 1500, 2 ** 31, 2 ** 40 + 1]));
  const atMs = () => String(nowMs + random.pick([-1000, 1, 700, 5000, 2 ** 31 + 7]));
  const fields = (): string[] => Array.from({ length: 1 + random.below(4) }, name);
  const pairs = (): string[] => fields().flatMap((field) => [field, value()]);
  const db = () => String(random.below(3));
  const commands: readonly (() => Argument[])[] = [
    () => ['SET', name(), value()],
    () => ['SET', name(), large()],
    () => ['SET', name(), value(), random.pick(['EX', 'PX']), seconds()],
    () => ['SET', name(), value(), random.pick(['KEEPTTL', 'NX', 'XX', 'GET'])],
    () => ['SET', name(), value(), 'PXAT', atMs()],
    () => ['SETEX', name(), seconds(), value()],
    () => ['PSETEX', name(), milliseconds(), value()],
    () => ['SETNX', name(), value()],
    () => ['GETSET', name(), value()],
    () => ['GETDEL', name()],
    () => ['GETEX', name(), random.pick(['EX', 'PX']), seconds()],
    () => ['GETEX', name(), 'PERSIST'],
    () => ['APPEND', name(), value()],
    () => ['SETRANGE', name(), String(random.below(300)), value()],
    () => ['INCR', name()],
    () => ['DECRBY', name(), integer()],
    () => ['INCRBY', name(), random.pick(NUMBERS)],
    () => ['INCRBYFLOAT', name(), random.pick(['0.1', '-3', '1e5'])],
    () => ['MSET', ...pairs()],
    () => ['MSETNX', ...pairs()],
    () => ['DEL', ...fields()],
    () => ['UNLINK', name()],
    () => ['EXPIRE', name(), seconds(), ...random.pick([[], ['NX'], ['XX'], ['GT'], ['LT']])],
    () => ['PEXPIRE', name(), milliseconds()],
    () => ['PEXPIREAT', name(), atMs()],
    () => ['PERSIST', name()],
    () => ['RENAME', name(), name()],
    () => ['RENAMENX', name(), name()],
    () => ['COPY', name(), name(), 'DB', db(), 'REPLACE'],
    () => ['MOVE', name(), db()],
    () => ['HSET', name(), ...pairs()],
    () => ['HSET', name(), name(), large()],
    () => ['HSETNX', name(), name(), value()],
    () => ['HDEL', name(), ...fields()],
    () => ['HINCRBY', name(), name(), integer()],
    () => ['HINCRBYFLOAT', name(), name(), '0.25'],
    () => ['HSETEX', name(), 'PX', milliseconds(), 'FIELDS', '1', name(), value()],
    () => ['HSETEX', name(), name(), value(), seconds()],
    () => ['HEXPIRE', name(), seconds(), 'FIELDS', '1', name()],
    () => ['HPEXPIREAT', name(), atMs(), 'FIELDS', '1', name()],
    () => ['HPERSIST', name(), 'FIELDS', '1', name()],
    () => ['HGETDEL', name(), 'FIELDS', '1', name()],
    () => ['HGETEX', name(), 'PX', milliseconds(), 'FIELDS', '1', name()],
  ];
  const rare: readonly (() => Argument[])[] = [
    () => ['FLUSHDB'],
    () => ['FLUSHALL'],
    () => ['SWAPDB', db(), db()],
  ];
  return random.pick(random.below(150) === 0 ? rare : commands)();
}
