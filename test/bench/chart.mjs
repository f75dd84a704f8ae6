/**
 * The ratios as a bar chart in SVG, written by hand: one bar for each row whose target is a ratio, a line across
 * it where the target is. It brings its own background, because a picture inside a page does not know the page's,
 * and follows the reader's choice of light or dark.
 */
import { ratioText, targetText } from './report.mjs';

/** @typedef {import('./results.mjs').Result} Result */

const width = 880;
const margin = 24;
const labelWidth = 330;
const valueWidth = 150;
const barLeft = margin + labelWidth + 12;
const barRight = width - margin - valueWidth;
const rowHeight = 24;
const barHeight = 14;
const headingHeight = 46;
const footHeight = 16;

/** A longer bar ends in a break: one of 30 would leave the others too short to compare. */
const axisMax = 4;

const styles = `
    .page { fill: #ffffff; stroke: #d0d7de; }
    text { fill: #1f2328; font: 12px -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; }
    .heading { font-size: 14px; font-weight: 600; }
    .faint { fill: #59636e; }
    .grid { stroke: #d1d9e0; }
    .one { stroke: #818b98; }
    .met { fill: #1a7f64; }
    .missed { fill: #bc4c00; }
    .target { stroke: #1f2328; stroke-width: 2; }
    .break { stroke: #ffffff; stroke-width: 3; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d; }
      text { fill: #f0f6fc; }
      .faint { fill: #9198a1; }
      .grid { stroke: #2a313c; }
      .one { stroke: #656c76; }
      .met { fill: #2ea98a; }
      .missed { fill: #db6d28; }
      .target { stroke: #f0f6fc; }
      .break { stroke: #0d1117; }
    }`;

/** @param {Result[]} results those without a ratio, or whose target is not one, are left out */
export function chart(results) {
  const charted = results.filter(({ target, ratio }) => target.of === 'ratio' && ratio !== null);
  const panels = [
    {
      title: 'Holdfast / other: more is better',
      rows: charted.filter(({ target }) => target.atLeast !== undefined),
    },
    {
      title: 'Holdfast / other: less is better',
      rows: charted.filter(({ target }) => target.atMost !== undefined),
    },
  ].filter(({ rows }) => rows.length > 0);
  let top = margin / 2;
  const drawn = panels.map(({ title, rows }) => {
    const text = panel(title, rows, top);
    top += headingHeight + rows.length * rowHeight + footHeight;
    return text;
  });
  const height = top + margin / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `  <title>Holdfast beside Redis and others, as ratios</title>`,
    `  <style>${styles}\n  </style>`,
    `  <rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

/**
 * @param {string} title
 * @param {Result[]} rows
 * @param {number} top
 */
function panel(title, rows, top) {
  const first = top + headingHeight;
  const bottom = first + rows.length * rowHeight;
  const longest = Math.max(...rows.flatMap((row) => [row.ratio ?? 0, bound(row)]));
  const axisEnd = Math.min(axisMax, Math.max(1.25, Math.ceil(longest * 4) / 4));
  const x = (/** @type {number} */ ratio) =>
    round(barLeft + (Math.min(ratio, axisEnd) / axisEnd) * (barRight - barLeft));
  return [
    `  <text class="heading" x="${margin}" y="${top + 22}">${escaped(title)}</text>`,
    ...ticks(axisEnd).flatMap((tick) => [
      `  <line class="${tick === 1 ? 'one' : 'grid'}" x1="${x(tick)}" y1="${first - 4}" x2="${x(tick)}" y2="${bottom}"/>`,
      `  <text class="faint" x="${x(tick)}" y="${first - 9}" text-anchor="middle">${tick}</text>`,
    ]),
    ...rows.map((row, i) => bar(row, first + i * rowHeight, x, axisEnd)),
  ].join('\n');
}

/** @param {number} axisEnd */
function ticks(axisEnd) {
  const step = axisEnd > 2 ? 1 : 0.5;
  return Array.from({ length: Math.floor(axisEnd / step) + 1 }, (_, i) => i * step);
}

/**
 * @param {Result} row
 * @param {number} top
 * @param {(ratio: number) => number} x
 * @param {number} axisEnd
 */
function bar(row, top, x, axisEnd) {
  const ratio = row.ratio ?? 0;
  const barTop = top + (rowHeight - barHeight) / 2;
  const baseline = top + rowHeight / 2 + 4;
  const at = x(bound(row));
  const parts = [
    `  <text x="${barLeft - 12}" y="${baseline}" text-anchor="end">${escaped(label(row))}</text>`,
    `  <rect class="${row.verdict}" x="${barLeft}" y="${barTop}" width="${round(x(ratio) - barLeft)}" height="${barHeight}" rx="2"/>`,
    `  <line class="target" x1="${at}" y1="${barTop - 3}" x2="${at}" y2="${barTop + barHeight + 3}"/>`,
  ];
  if (ratio > axisEnd) {
    const middle = x(axisEnd) - 14;
    parts.push(
      `  <line class="break" x1="${middle - 3}" y1="${barTop + barHeight + 2}" x2="${middle + 3}" y2="${barTop - 2}"/>`,
    );
  }
  const target = `<tspan class="faint"> (${escaped(targetText(row.target, row.unit))})</tspan>`;
  parts.push(`  <text x="${barRight + 12}" y="${baseline}">${ratioText(ratio)}${target}</text>`);
  return parts.join('\n');
}

/**
 * A label has room for one line.
 *
 * @param {Result} row
 */
function label({ measure, peer }) {
  const shortened = measure
    .replace(
      'p99.9 latency of SET at half the saturating rate, during checkpoints',
      'p99.9 latency during checkpoints',
    )
    .replace('resident bytes per key', 'bytes per key')
    .replace('17-byte key and 64-byte value', '17 + 64 bytes')
    .replace(' of a 64-byte value', '');
  return peer === 'Redis' || shortened.includes(peer) ? shortened : `${shortened}, beside ${peer}`;
}

/** @param {Result} row */
function bound({ target }) {
  return /** @type {number} */ (target.atLeast ?? target.atMost);
}

/** @param {number} coordinate */
function round(coordinate) {
  return Math.round(coordinate * 10) / 10;
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
