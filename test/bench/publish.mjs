/** Puts a full run where readers find it: test/bench/README.md, the chart beside it, and the README's block. */
import { readFile, writeFile } from 'node:fs/promises';
import { chart } from './chart.mjs';
import { markdown } from './report.mjs';

/** @typedef {import('./report.mjs').Run} Run */

const chartFile = new URL('results.svg', import.meta.url);
const benchReadme = new URL('README.md', import.meta.url);
const readme = new URL('../../README.md', import.meta.url);

const beginMark = '<!-- results: written by `npm run bench -- --publish` -->';
const endMark = '<!-- end of results -->';

/**
 * @param {Run} run
 * @throws when it is not a full one
 */
export async function publish(run) {
  if (run.plan.quick || !run.complete)
    throw new Error('only a full run is published: neither --quick nor --only');
  await writeFile(chartFile, chart(run.results));
  await replaceBlock(benchReadme, `${markdown(run).trim()}\n\n![the ratios as a bar chart](results.svg)`);
  await replaceBlock(readme, summary(run));
}

/** @param {Run} run */
function summary({ circumstances: { date, machine, versions }, results }) {
  const measured = results.filter(({ verdict }) => verdict !== 'not measured');
  const met = measured.filter(({ verdict }) => verdict === 'met');
  return [
    '![Holdfast beside Redis and others, as ratios](test/bench/results.svg)',
    '',
    `${date}: ${versions}; ${machine}.`,
    `${met.length} of the ${measured.length} targets measured were met. The line across a bar is its target.`,
  ].join('\n');
}

/**
 * @param {URL} file
 * @param {string} block
 */
async function replaceBlock(file, block) {
  await writeFile(file, withBlock(await readFile(file, 'utf8'), block));
}

/**
 * @param {string} text
 * @param {string} block
 * @returns {string} the text with what is between the two marks replaced
 * @throws when the marks are not there
 */
export function withBlock(text, block) {
  const begin = text.indexOf(beginMark);
  const end = text.indexOf(endMark, begin);
  if (begin < 0 || end < 0)
    throw new Error(`the marks for the results are missing: ${beginMark} ... ${endMark}`);
  return `${text.slice(0, begin + beginMark.length)}\n\n${block}\n\n${text.slice(end)}`;
}
