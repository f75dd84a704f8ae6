/** What every runner is given: the plan, a place for figures, and a way to fail without stopping the others. */
import { Results } from './results.mjs';
import { kinds } from './servers.mjs';

/** @typedef {import('./plan.mjs').Plan} Plan */
/** @typedef {import('./progress.mjs').Progress} Progress */
/** @typedef {import('./results.mjs').Side} Side */
/** @typedef {import('./rows.mjs').Row} Row */
/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */

export class Bench {
  results = new Results();

  /**
   * @param {Plan} plan
   * @param {Progress} progress
   */
  constructor(plan, progress) {
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * Both servers take their turn in every round, and the turns alternate from round to round, so that a slow
   * minute of the machine does not fall on the same one each time.
   *
   * @param {Row[]} rows whose figures `work` takes; when it fails, they say why
   * @param {(kind: ServerKind, round: number) => Promise<void>} work
   * @param {number} [rounds]
   */
  async alternate(rows, work, rounds = this.plan.rounds) {
    for (let round = 0; round < rounds; round++) {
      for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
        this.progress.step(`${rows[0]?.runner}, round ${round + 1} of ${rounds}: ${nameOf(kind)}`);
        await this.attempt(rows, nameOf(kind), () => work(kind, round));
      }
    }
  }

  /**
   * A measurement that cannot be taken is part of the report and not the end of it.
   *
   * @param {Row[]} rows
   * @param {string} who
   * @param {() => Promise<void>} work
   */
  async attempt(rows, who, work) {
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      for (const row of rows) this.results.note(row, who, firstLine(reason));
      this.progress.step(`${rows[0]?.id}, ${who} failed: ${reason}`);
    }
  }
}

/** @param {ServerKind} kind @returns {Side} */
export function sideOf(kind) {
  return kind === 'holdfast' ? 'holdfast' : 'peer';
}

/** @param {ServerKind} kind */
export function nameOf(kind) {
  return kind === 'holdfast' ? 'Holdfast' : 'Redis';
}

/** @param {string} text */
function firstLine(text) {
  return text.split('\n', 1)[0] ?? '';
}
