/** The faults of mutants.mjs keep fitting the code; whether they are noticed takes minutes, and is for the script. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutant-list.mjs';
import { edited, tableOf } from './mutants.mjs';

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

describe('the deliberate faults', () => {
  it.each(MUTANTS)('can be put in, and a test is there for it: $name', ({ edits, test }) => {
    for (const edit of edits) {
      const text = readFileSync(pathOf(edit.file), 'utf8');
      expect(edited(text, edit)).not.toBe(text);
    }
    expect(existsSync(pathOf(test))).toBe(true);
  });

  it('are those of the table', () => {
    expect(readFileSync(pathOf('test/faults/README.md'), 'utf8')).toContain(tableOf(MUTANTS));
  });
});

describe('a fault', () => {
  const edit = { file: 'x.ts', from: 'two', to: 'three' };

  it('that fits more than one place, or none, is refused', () => {
    expect(edited('one two', edit)).toBe('one three');
    expect(() => edited('two two', edit)).toThrow('2 times');
    expect(() => edited('one', edit)).toThrow('0 times');
  });
});
