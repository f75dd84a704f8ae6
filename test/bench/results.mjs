/** What has been measured so far, by row; and what follows from it: medians, ratios, verdicts. */

/** @typedef {import('./rows.mjs').Row} Row */
/** @typedef {import('./rows.mjs').RowBase} RowBase */
/** @typedef {'holdfast' | 'peer'} Side */

/**
 * A row with its figures, as the report shows it and as it is kept in JSON.
 *
 * @typedef {Pick<RowBase, 'id' | 'measure' | 'peer' | 'unit' | 'target'> & {
 *   rounds: Record<Side, number[]>,
 *   holdfast: number | null,
 *   peerFigure: number | null,
 *   ratio: number | null,
 *   verdict: Verdict,
 *   notes: string[],
 * }} Result
 */

/** @typedef {'met' | 'missed' | 'not measured'} Verdict */

export class Results {
  /** @type {Map<string, { rounds: Record<Side, number[]>, notes: Map<string, string> }>} */
  #byId = new Map();

  /**
   * @param {Row} row
   * @param {Side} side
   * @param {number} figure one round's
   */
  record(row, side, figure) {
    this.#entry(row).rounds[side].push(figure);
  }

  /**
   * @param {Row} row
   * @param {string} about what the note is on; a later one on the same takes its place
   * @param {string} text for the reader: how a figure came about, or why there is none
   */
  note(row, about, text) {
    this.#entry(row).notes.set(about, `${about}: ${text}.`);
  }

  /**
   * @param {Row[]} rows
   * @returns {Result[]} in the same order
   */
  of(rows) {
    return rows.map((row) => {
      const { rounds, notes } = this.#entry(row);
      return result(row, rounds, [...notes.values()]);
    });
  }

  /** @param {Row} row */
  #entry(row) {
    let entry = this.#byId.get(row.id);
    if (!entry) {
      entry = { rounds: { holdfast: [], peer: [] }, notes: new Map() };
      this.#byId.set(row.id, entry);
    }
    return entry;
  }
}

/**
 * @param {RowBase} row
 * @param {Record<Side, number[]>} rounds
 * @param {string[]} notes
 * @returns {Result}
 */
export function result({ id, measure, peer, unit, target }, rounds, notes) {
  const holdfast = median(rounds.holdfast);
  const peerFigure = median(rounds.peer);
  const ratio = holdfast === null || peerFigure === null ? null : holdfast / peerFigure;
  const verdict = verdictOn(target, target.of === 'ratio' ? ratio : holdfast);
  return { id, measure, peer, unit, target, rounds, holdfast, peerFigure, ratio, verdict, notes };
}

/**
 * The middle value, the mean of the two middle ones when their number is even; null of nothing.
 *
 * @param {number[]} values
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

/**
 * @param {import('./rows.mjs').Target} target
 * @param {number | null} figure
 * @returns {Verdict}
 */
function verdictOn({ atLeast, atMost }, figure) {
  if (figure === null || !Number.isFinite(figure)) return 'not measured';
  const met = (atLeast === undefined || figure >= atLeast) && (atMost === undefined || figure <= atMost);
  return met ? 'met' : 'missed';
}
