import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addLongDoubles,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from '../../src/base/long-double.js';

function parse(text: string): LongDouble | undefined {
  const bytes = Buffer.from(text, 'latin1');
  return parseLongDouble(bytes, 0, bytes.length);
}

function add(a: string, b: string): string {
  const sum = addLongDoubles(parse(a)!, parse(b)!);
  return sum === 'infinite' ? sum : formatLongDouble(sum);
}

function reprint(text: string): string | undefined {
  return parse(text) === undefined ? undefined : add(text, '0');
}

describe('long doubles', () => {
  it.each([
    ['0.1', '0.2', '0.3'],
    ['3.0e3', '200', '3200'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['1', '0.25', '1.25'],
    ['17179869184', '1.5', '17179869185.5'],
    ['17179869184', '17179869184', '34359738368'],
    ['1', '-1.1', '-0.1'],
    ['0.024390243902439025', '-0.024390243902439025', '0'],
    ['9007199254740993', '0', '9007199254740993'],
    ['18446744073709551615', '0', '18446744073709551615'],
    ['18446744073709551615', '1', '18446744073709551616'],
    // 65 bits do not fit: the tie goes to the even neighbour.
    ['18446744073709551617', '0', '18446744073709551616'],
    ['18446744073709551619', '0', '18446744073709551620'],
    ['1e-18', '0', '0'],
    ['-1e-18', '0', '0'],
    ['1e-17', '0', '0.00000000000000001'],
    ['1e30', '1', '1000000000000000000024696061952'],
  ])('%s + %s = %s', (a, b, sum) => {
    expect(add(a, b)).toBe(sum);
  });

  it.each([
    ['+5', '5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1E2', '100'],
    ['1e+2', '100'],
    ['0x10', '16'],
    ['0x.8', '0.5'],
    ['0x1p-1', '0.5'],
    ['-0', '0'],
    ['000012', '12'],
    ['0e999999999999', '0'],
  ])('reads %s as strtold does', (text, value) => {
    expect(reprint(text)).toBe(value);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    'abc',
    '.',
    '-',
    'e5',
    '1e',
    '1e+',
    '0x',
    '1\0',
    'nan',
    '--1',
    '1,5',
    '1e5000',
    '1e-5000',
  ])('refuses %j', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it('refuses texts of 5 KiB, takes shorter ones', () => {
    expect(reprint('0'.repeat(5119))).toBe('0');
    expect(parse('0'.repeat(5120))).toBeUndefined();
  });

  it('tells what is infinite', () => {
    for (const text of ['inf', '+inf', '-Infinity']) expect(parse(text)).toBe('infinite');
    expect(add('inf', '-inf')).toBe('infinite');
    expect(add('1.18e4932', '1.18e4932')).toBe('infinite');
    expect(parse('1e4933')).toBeUndefined();
    expect(parse('0x1p16384')).toBeUndefined();
  });

  it('keeps subnormal numbers and refuses what is smaller', () => {
    expect(parse('0x1p-16445')).toEqual({ significand: 1n, exponent: -16445 });
    expect(parse('0x1p-16447')).toBeUndefined();
    expect(parse('1e-99999999999')).toBeUndefined();
  });

  it('is exact for every 64-bit integer', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }), (value) => {
        expect(reprint(String(value))).toBe(String(value));
      }),
    );
  });

  it('agrees with doubles to the precision of doubles', () => {
    const double = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(double, double, (a, b) => {
        expect(Number(add(String(a), String(b)))).toBeCloseTo(a + b, 8);
        expect(add(String(a), String(b))).toBe(add(String(b), String(a)));
      }),
    );
  });
});
