import { describe, expect, test } from 'vitest';
import { Totals } from './history.js';
import { simulate } from './simulate.js';

/** Of the first seeds; run.mjs tries others, for as long as one likes. */
const CYCLES = 1000;
const TIMEOUT_MS = 300_000;

describe('a simulated store', () => {
  test(
    `keeps its promises through ${CYCLES} cycles of work, faults, crashes and power cuts`,
    async () => {
      const totals = new Totals();
      for (let seed = 1; totals.cycles < CYCLES; seed++) await simulate(seed, totals);
      // The run is worth nothing when what it is about did not happen.
      for (const [name, count] of Object.entries(totals)) expect(count, name).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

describe('a seed', () => {
  test('gives the same history again', async () => {
    const run = async () => {
      const totals = new Totals();
      await simulate(7, totals);
      return totals;
    };
    expect(await run()).toEqual(await run());
  });
});
