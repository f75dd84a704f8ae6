import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../src/base/glob.js';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const p = Buffer.from(pattern, 'latin1');
  const t = Buffer.from(text, 'latin1');
  return matchesGlob(p, 0, p.length, t, 0, t.length, ignoreCase);
}

describe('glob patterns', () => {
  it.each([
    ['*', 'anything', true],
    ['**', 'anything', true],
    ['a*', 'a', true],
    ['a*', 'ba', false],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'acb', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['?', '', false],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['ab', 'a', false],
    ['a***', 'a', true],
    ['*?', 'a', true],
  ])('%j on %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each([
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-b]llo', 'hbllo', true],
    ['h[b-a]llo', 'hallo', true],
    ['[a-]', 'a', true],
    ['[a-]', '^', true],
    ['[]', 'a', false],
    ['[^]', 'a', true],
    ['[^', 'a', true],
    ['[', '[', false],
    ['[abc', 'b', true],
    ['[abc', 'd', false],
    ['[\\]]', ']', true],
    ['[\\-x]', '-', true],
    ['[a\\]b]', 'b', true],
    ['[a^]', '^', true],
    ['[\\', '\\', true],
  ])('class %j on %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each([
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['h\\?llo', 'h?llo', true],
    ['\\\\', '\\', true],
    ['a\\', 'a\\', true],
  ])('escape %j on %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('lets an empty string match only an empty pattern, as Redis does', () => {
    expect(matches('', '')).toBe(true);
    expect(matches('*', '')).toBe(false);
    expect(matches('', 'a')).toBe(false);
  });

  it('ignores case only when asked to', () => {
    expect(matches('HeL*', 'hello')).toBe(false);
    expect(matches('HeL*', 'hello', true)).toBe(true);
    expect(matches('[A-C]', 'b', true)).toBe(true);
    expect(matches('[XYZ]', 'y', true)).toBe(true);
    expect(matches('[\\Y]', 'y', true)).toBe(false);
  });

  it('matches inside a larger buffer', () => {
    const bytes = Buffer.from('xxa*yyabcyy');
    expect(matchesGlob(bytes, 2, 4, bytes, 6, 9)).toBe(true);
    expect(matchesGlob(bytes, 2, 4, bytes, 7, 9)).toBe(false);
  });

  it('compares all 256 bytes', () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = String.fromCharCode(byte);
      expect(matches(`[${text}]`, text)).toBe(text !== ']' && text !== '\\');
      expect(matches('[\x00-\xff]', text)).toBe(true);
    }
  });

  it('agrees with the definition by recursion', () => {
    const token = fc.constantFrom('*', '?', 'a', 'b', '[ab]', '[^a]', '\\a');
    const pattern = fc.array(token, { maxLength: 8 });
    const text = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (tokens, letters) => {
        expect(matches(tokens.join(''), letters.join(''))).toBe(byRecursion(tokens, letters));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not become exponential with many stars', () => {
    const startedAt = performance.now();
    expect(matches(`${'a*'.repeat(40)}b`, 'a'.repeat(100))).toBe(false);
    expect(matches(`${'*a'.repeat(40)}*b`, 'a'.repeat(1000))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(100);
  });

  it('goes through a thousand stars and no further, as Redis does', () => {
    expect(matches('*a'.repeat(1000), 'a'.repeat(2000))).toBe(true);
    expect(matches('*a'.repeat(1001), 'a'.repeat(2000))).toBe(false);
    expect(matches(`${'*a'.repeat(1000)}*`, 'a'.repeat(2000))).toBe(true);
    expect(matches('*?'.repeat(50_000), 'a'.repeat(50_000))).toBe(false);
  });

  it('takes patterns of 100 KB without recursion', () => {
    const size = 100_000;
    expect(matches('?'.repeat(size), 'a'.repeat(size))).toBe(true);
    expect(matches('*'.repeat(size), 'a'.repeat(size))).toBe(true);
    expect(matches(`${'a*'.repeat(1000)}${'b'.repeat(size)}`, 'a'.repeat(1000) + 'b'.repeat(size))).toBe(
      true,
    );
    expect(matches(`[${'b'.repeat(size)}]`, 'a')).toBe(false);
  });
});

function byRecursion(tokens: string[], letters: string[]): boolean {
  const [token, ...rest] = tokens;
  if (token === undefined) return letters.length === 0;
  if (token === '*') {
    return byRecursion(rest, letters) || (letters.length > 0 && byRecursion(tokens, letters.slice(1)));
  }
  const [letter, ...others] = letters;
  if (letter === undefined) return false;
  const fits = { '?': true, a: letter === 'a', b: letter === 'b', '[ab]': true, '[^a]': letter !== 'a' };
  return (fits[token as keyof typeof fits] ?? letter === 'a') && byRecursion(rest, others);
}
