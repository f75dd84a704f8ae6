import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quote, quoteIfNeeded, splitArguments } from '../../src/base/config-text.js';

const argument = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

/** A lone surrogate has no UTF-8 form; a configuration file cannot hold one. */
function wellFormedText(text: string): string {
  return Buffer.from(text).toString();
}

describe('splitArguments', () => {
  test('reads back whatever quote has written', () => {
    fc.assert(
      fc.property(fc.array(argument), (args) => {
        const wellFormed = args.map(wellFormedText);
        expect(splitArguments(wellFormed.map(quote).join(' '))).toEqual(wellFormed);
      }),
    );
  });

  test('reads back whatever quoteIfNeeded has written', () => {
    fc.assert(
      fc.property(fc.array(argument), (args) => {
        const wellFormed = args.map(wellFormedText);
        expect(splitArguments(wellFormed.map(quoteIfNeeded).join('\t '))).toEqual(wellFormed);
      }),
    );
  });

  test('never fails otherwise than by returning undefined', () => {
    const tricky = fc.string({ unit: fc.constantFrom('"', "'", '\\', 'x', '4', '1', 'n', ' ', 'a') });
    fc.assert(
      fc.property(tricky, (line) => {
        const words = splitArguments(line);
        expect(words === undefined || Array.isArray(words)).toBe(true);
      }),
    );
  });

  test.each([
    ['', []],
    ['  \t ', []],
    ['port 6379', ['port', '6379']],
    ['  port\t6379  ', ['port', '6379']],
    ['save ""', ['save', '']],
    ["a 'single quoted'", ['a', 'single quoted']],
    ["'it\\'s'", ["it's"]],
    ["'no \\n escape'", ['no \\n escape']],
    ['"tab\\tnew\\nline\\r\\a\\b\\\\\\""', ['tab\tnew\nline\r\x07\b\\"']],
    ['"\\x41\\x62"', ['Ab']],
    ['"\\xc3\\xa4"', ['\u00e4']],
    ['"\\xZZ"', ['xZZ']],
    ['"\\q"', ['q']],
    ['foo"bar"', ['foobar']],
    ['back\\slash', ['back\\slash']],
  ])('splits %j into %j', (line, words) => {
    expect(splitArguments(line)).toEqual(words);
  });

  test.each(['"open', "'open", '"closed"x', "'closed'x", '"ends in \\"', 'a "'])('refuses %j', (line) => {
    expect(splitArguments(line)).toBeUndefined();
  });
});

describe('quoteIfNeeded', () => {
  test.each([
    ['plain', 'plain'],
    ['/var/lib/data', '/var/lib/data'],
    ['', '""'],
    ['two words', '"two words"'],
    ["it's", '"it\'s"'],
    ['back\\slash', '"back\\\\slash"'],
    ['\u00e4', '"\\xc3\\xa4"'],
    ['\u0000', '"\\x00"'],
  ])('writes %j as %s', (value, written) => {
    expect(quoteIfNeeded(value)).toBe(written);
  });
});
