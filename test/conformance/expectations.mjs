/**
 * The checked-in list of what is expected of each file, and the comparison with what happened. The list may
 * only grow: a test that was ok stays ok, and a test that fails is named with the reason why it may.
 */
import { readFile, writeFile } from 'node:fs/promises';

/** @typedef {import('./tcl-suite.mjs').FileResult} FileResult */

/**
 * @typedef {object} Expectation
 * @property {number} okInRedis tests that Redis itself passes, run this way
 * @property {number} ok tests that Holdfast passes at least
 * @property {Record<string, string>} failing the reason why a test may fail, by its name
 */

/** @typedef {Record<string, Expectation>} Expectations */

const path = new URL('./expectations.json', import.meta.url);

/** @returns {Promise<Expectations>} */
export async function readExpectations() {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** @param {Expectations} expectations */
export function writeExpectations(expectations) {
  return writeFile(path, `${JSON.stringify(expectations, null, 2)}\n`);
}

/**
 * What Redis itself is held to: its own count, and no failure.
 *
 * @param {Expectation} expectation
 * @returns {Expectation}
 */
export function forRedis({ okInRedis }) {
  return { okInRedis, ok: okInRedis, failing: {} };
}

/**
 * What is worse than expected, as sentences; empty when nothing is.
 *
 * @param {FileResult} result
 * @param {Expectation} expectation
 */
export function regressions(result, expectation) {
  const unexpected = [...result.failed].filter(([name]) => !(name in expectation.failing));
  const lines = unexpected.map(([name, detail]) => `failed: ${name}: ${detail}`);
  // A test that never ran is as lost as one that failed, and only the count can tell.
  const missing = expectation.ok - result.ok - unexpected.length;
  if (missing > 0) lines.push(`${missing} fewer ok than expected (${result.ok} of ${expectation.ok})`);
  return lines;
}

/**
 * What is better than expected, as sentences; empty when nothing is.
 *
 * @param {FileResult} result
 * @param {Expectation} expectation
 */
export function improvements(result, expectation) {
  const lines = Object.keys(expectation.failing)
    .filter((name) => !result.failed.has(name))
    .map((name) => `no longer fails: ${name}`);
  if (result.ok > expectation.ok) lines.push(`${result.ok} ok, ${expectation.ok} expected`);
  return lines;
}

/**
 * The expectation raised to what was reached. It is never lowered: a failure that is not listed has to be
 * listed by hand, with its reason.
 *
 * @param {FileResult} result
 * @param {Expectation} expectation
 * @returns {Expectation}
 */
export function raised(result, expectation) {
  const failing = Object.entries(expectation.failing).filter(([name]) => result.failed.has(name));
  return {
    okInRedis: expectation.okInRedis,
    ok: Math.max(result.ok, expectation.ok),
    failing: Object.fromEntries(failing),
  };
}
