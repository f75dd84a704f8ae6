import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addresses,
  choice,
  formatSize,
  integer,
  type Kind,
  octal,
  outputLimits,
  parseSize,
  saveRules,
  size,
  text,
  yesNo,
} from '../../src/base/config-kinds.js';
import { options } from '../../src/base/config-options.js';
import { splitArguments } from '../../src/base/config-text.js';

const limits = outputLimits({
  normal: { hardBytes: 1, softBytes: 2, softSeconds: 3 },
  replica: { hardBytes: 4, softBytes: 5, softSeconds: 6 },
  pubsub: { hardBytes: 7, softBytes: 8, softSeconds: 9 },
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    ['1b', 1],
    ['1k', 1000],
    ['1kb', 1024],
    ['2M', 2_000_000],
    ['64mb', 67_108_864],
    ['1g', 1_000_000_000],
    ['1Gb', 1_073_741_824],
  ])('%s is %d bytes', (written, bytes) => {
    expect(parseSize(written)).toBe(bytes);
  });

  test.each(['', '-1', '1.5mb', '1tb', 'mb', '1 mb', '0x10', '+1'])('%j is no size', (written) => {
    expect(parseSize(written)).toBeUndefined();
  });

  test('what formatSize writes reads back as the same number', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });

  test('whole units are written as such', () => {
    expect([0, 1, 1000, 1024, 1536, 64 * 1024 ** 2, 3 * 1024 ** 3].map(formatSize)).toEqual([
      '0',
      '1',
      '1000',
      '1kb',
      '1536',
      '64mb',
      '3gb',
    ]);
  });
});

describe('refusals are worded as in Redis', () => {
  const parse = (kind: Kind<unknown>, ...args: string[]) => {
    return () => kind.parse(args);
  };

  test.each<[string, () => unknown]>([
    ["argument must be 'yes' or 'no'", parse(yesNo() as Kind<unknown>, 'maybe')],
    ["argument couldn't be parsed into an integer", parse(integer(0, 9) as Kind<unknown>, '08')],
    ["argument couldn't be parsed into an integer", parse(integer(0, 9) as Kind<unknown>, '+1')],
    ["argument couldn't be parsed into an integer", parse(integer(0, 9) as Kind<unknown>, '1k')],
    ['argument must be between 0 and 9 inclusive', parse(integer(0, 9) as Kind<unknown>, '10')],
    ['argument must be between 0 and 9 inclusive', parse(integer(0, 9) as Kind<unknown>, '-1')],
    ['argument must be a memory value', parse(size(0, 9) as Kind<unknown>, 'much')],
    ['argument must be between 1024 and 2048 inclusive', parse(size(1024, 2048) as Kind<unknown>, '1k')],
    ["argument couldn't be parsed as an octal number", parse(octal(0, 0o777) as Kind<unknown>, '8')],
    ['argument must be between 0 and 777 inclusive', parse(octal(0, 0o777) as Kind<unknown>, '1000')],
    ['argument(s) must be one of the following: a, b', parse(choice('a', 'b') as Kind<unknown>, 'c')],
    ['argument(s) must be one of the following: a, b', parse(choice('a', 'b') as Kind<unknown>)],
    ['wrong number of arguments', parse(text('path') as Kind<unknown>)],
    ['wrong number of arguments', parse(text('path') as Kind<unknown>, 'a', 'b')],
    ['Too many bind addresses specified.', parse(addresses() as Kind<unknown>, ...Array(17).fill('::1'))],
    ['Invalid save parameters', parse(saveRules() as Kind<unknown>, '60')],
    ['Invalid save parameters', parse(saveRules() as Kind<unknown>, '0', '1')],
    ['Invalid save parameters', parse(saveRules() as Kind<unknown>, '60', '-1')],
    ['Invalid save parameters', parse(saveRules() as Kind<unknown>, '60', 'x')],
    [
      'Wrong number of arguments in buffer limit configuration.',
      parse(limits as Kind<unknown>, 'normal', '0', '0'),
    ],
    [
      'Invalid client class specified in buffer limit configuration.',
      parse(limits as Kind<unknown>, 'master', '0', '0', '0'),
    ],
    [
      'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
      parse(limits as Kind<unknown>, 'normal', '0', '0', '-1'),
    ],
    [
      'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
      parse(limits as Kind<unknown>, 'normal', 'x', '0', '0'),
    ],
  ])('%s', (reason, refuse) => {
    expect(refuse).toThrow(expect.objectContaining({ name: 'OptionError', message: reason }));
  });
});

describe('bind addresses', () => {
  test('a leading minus makes one optional, a star stands for every interface', () => {
    expect(addresses().parse(['127.0.0.1', '-::1', '*', '-::*'])).toEqual([
      { text: '127.0.0.1', host: '127.0.0.1', optional: false },
      { text: '-::1', host: '::1', optional: true },
      { text: '*', host: '0.0.0.0', optional: false },
      { text: '-::*', host: '::', optional: true },
    ]);
  });

  test('one empty argument is no address at all', () => {
    expect(addresses().parse([''])).toEqual([]);
  });
});

describe('output limits', () => {
  test('classes that are not named keep their limits', () => {
    const current = limits.parse(['normal', '10mb', '5mb', '30']);
    expect(limits.format(limits.parse(['pubsub', '1kb', '0', '0'], current))).toBe(
      'normal 10485760 5242880 30 slave 4 5 6 pubsub 1024 0 0',
    );
  });

  test('the old name of the replica class is understood', () => {
    expect(limits.parse(['SLAVE', '1', '1', '1']).replica).toEqual({
      hardBytes: 1,
      softBytes: 1,
      softSeconds: 1,
    });
  });
});

describe('save rules', () => {
  test('a further line of a file adds, anything else replaces', () => {
    const rules = saveRules().parse(['900', '1']);
    expect(saveRules().format(saveRules().parse(['60', '100'], rules, true))).toBe('900 1 60 100');
    expect(saveRules().format(saveRules().parse(['60', '100'], rules))).toBe('60 100');
  });

  test('the empty text drops every rule before it', () => {
    expect(saveRules().parse([''], [{ seconds: 1, changes: 1 }], true)).toEqual([]);
  });
});

test('every option: what is written to a file, and what CONFIG GET prints, reads back as the same value', () => {
  for (const [name, option] of Object.entries(options)) {
    const kind = option.kind as Kind<unknown>;
    const read = (line: string) => kind.parse(kind.takesMany ? splitArguments(line)! : [line]);
    const value = read(option.fallback);
    const written = kind.lines(value).flatMap((line) => splitArguments(line)!);
    expect(kind.parse(written), name).toEqual(value);
    expect(read(kind.format(value)), name).toEqual(value);
  }
});
