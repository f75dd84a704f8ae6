/** Turns results into Markdown, which reads well on a terminal too. */
import { countText } from './plan.mjs';

/** @typedef {import('./results.mjs').Result} Result */
/** @typedef {import('./rows.mjs').Target} Target */
/** @typedef {import('./rows.mjs').Unit} Unit */
/** @typedef {import('./plan.mjs').Plan} Plan */
/** @typedef {import('./machine.mjs').Circumstances} Circumstances */

/**
 * A whole run, as it is kept in JSON: everything a report and a chart are made of.
 *
 * @typedef {object} Run
 * @property {Circumstances} circumstances
 * @property {Plan} plan
 * @property {boolean} complete every row was asked for
 * @property {Result[]} results
 */

/** @param {Run} run */
export function markdown(run) {
  return [`${preamble(run)}\n`, `${resultTable(run.results)}\n`, ...footnotes(run.results)].join('\n');
}

/** @param {Run} run */
function preamble({ circumstances: { date, machine, versions, pinned }, plan }) {
  return [
    `${date}. ${versions}.`,
    `${machine}${pinned === undefined ? '' : `; servers confined to processors ${pinned}`}.`,
    `${plan.quick ? 'Quick run, not for comparison: ' : ''}medians of the rounds; ${countText(plan.keyCount)} random keys,`,
    `64-byte values, 50 connections unless the row says otherwise.`,
  ].join('\n');
}

/** @param {Result[]} results */
export function resultTable(results) {
  const heading = [
    'measure',
    'target',
    'ratio',
    'Holdfast',
    'compared with',
    'its figure',
    'rounds',
    'verdict',
  ];
  return table(heading, results.map(resultRow), [0, 4]);
}

/** @param {Result} result */
function resultRow({ measure, target, ratio, unit, holdfast, peer, peerFigure, rounds, verdict }) {
  const marks = { met: 'met', missed: 'missed', 'not measured': '-' };
  return [
    measure,
    targetText(target, unit),
    ratio === null ? '-' : ratioText(ratio),
    figureText(holdfast, unit),
    peer,
    peer === '' ? '' : figureText(peerFigure, unit),
    String(rounds.holdfast.length),
    marks[verdict],
  ];
}

/** @param {Result[]} results */
function footnotes(results) {
  const noted = results.filter(({ notes }) => notes.length > 0);
  return noted
    .map(({ measure, notes }) => `- ${measure}: ${notes.join(' ')}`)
    .concat(noted.length > 0 ? [''] : []);
}

/**
 * @param {Target} target a bare number is one on the ratio; with a unit it is one on Holdfast's figure
 * @param {Unit} unit
 */
export function targetText({ of, atLeast, atMost }, unit) {
  const bound = /** @type {number} */ (atLeast ?? atMost);
  const number = of === 'ratio' ? bound.toFixed(2) : figureText(bound, unit);
  return `${atLeast === undefined ? '<=' : '>='} ${number}`;
}

/** @param {number} ratio */
export function ratioText(ratio) {
  return ratio >= 100 ? Math.round(ratio).toLocaleString('en') : ratio.toFixed(2);
}

/**
 * @param {number | null} figure
 * @param {Unit} unit
 */
export function figureText(figure, unit) {
  if (figure === null) return '-';
  if (unit === 'times') return `${figure.toFixed(2)} x`;
  const digits = figure < 100 && unit !== '/s' && unit !== 'bytes' ? 2 : 0;
  const number = figure.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === '/s' ? `${number}/s` : `${number} ${unit}`;
}

/**
 * @param {string[]} heading
 * @param {string[][]} rows
 * @param {number[]} textColumns those aligned to the left
 */
function table(heading, rows, textColumns) {
  const widths = heading.map((name, column) =>
    Math.max(3, name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (/** @type {string[]} */ row) =>
    `| ${row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return textColumns.includes(column) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join(' | ')} |`;
  const rule = widths.map((width, column) =>
    textColumns.includes(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(heading), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}
