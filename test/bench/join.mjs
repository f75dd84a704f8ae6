/** Runs of some of the rows each, put together: a full run takes the better part of an hour. */
import { isDeepStrictEqual } from 'node:util';
import { rows } from './rows.mjs';

/** @typedef {import('./report.mjs').Run} Run */

/**
 * @param {Run[]} runs
 * @returns {Run} with the rows in their usual order; a later run's result takes the place of an earlier one's
 * @throws when they were not made with the same versions on the same machine, or not on the same scale
 */
export function joined(runs) {
  const [first] = runs;
  if (first === undefined) throw new Error('there is no run to report');
  for (const run of runs) {
    const { date: _, ...where } = run.circumstances;
    const { date, ...expected } = first.circumstances;
    if (!isDeepStrictEqual(where, expected))
      throw new Error(`the runs differ: ${JSON.stringify(where)}, ${JSON.stringify(expected)} (${date})`);
    if (!isDeepStrictEqual({ ...run.plan, rounds: 0 }, { ...first.plan, rounds: 0 }))
      throw new Error('the runs measured different amounts');
  }
  const byId = new Map(runs.flatMap(({ results }) => results).map((result) => [result.id, result]));
  const ids = rows(first.plan).map(({ id }) => id);
  const results = ids.flatMap((id) => byId.get(id) ?? []);
  return { ...first, complete: results.length === ids.length, results };
}
