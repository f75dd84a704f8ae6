/** Runs of some of the rows each, put together: a full run takes the better part of an hour. */
import { isDeepStrictEqual } from 'node:util';
import { result } from './results.mjs';
import { rows } from './rows.mjs';

/** @typedef {import('./report.mjs').Run} Run */
/** @typedef {import('./results.mjs').Result} Result */

/**
 * @param {Run[]} runs
 * @returns {Run} with the rows in their usual order. A row of several runs has the rounds of all: nobody is to choose
 *   the run with the best figures
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
  /** @type {Map<string, Result>} */
  const byId = new Map();
  for (const each of runs.flatMap((run) => run.results)) {
    const before = byId.get(each.id);
    byId.set(each.id, before === undefined ? each : pooled(before, each));
  }
  const ids = rows(first.plan).map(({ id }) => id);
  const results = ids.flatMap((id) => byId.get(id) ?? []);
  return { ...first, complete: results.length === ids.length, results };
}

/**
 * @param {Result} first
 * @param {Result} second of the same row
 */
function pooled(first, second) {
  const rounds = {
    holdfast: [...first.rounds.holdfast, ...second.rounds.holdfast],
    peer: [...first.rounds.peer, ...second.rounds.peer],
  };
  return result(first, rounds, [...new Set([...first.notes, ...second.notes])]);
}
