#!/usr/bin/env node
/**
 * Redis 7.0.15's own test suite, file by file, against a Holdfast started for it.
 *
 *   npm run test:conformance -- [--only FILE ...] [--server holdfast|redis|HOST:PORT] [--update] [--json FILE]
 *
 * Exits 1 when anything that was ok no longer is.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServerProcess } from '../support/server-process.mjs';
import {
  forRedis,
  improvements,
  raised,
  readExpectations,
  regressions,
  writeExpectations,
} from './expectations.mjs';
import { redisSource } from './redis-source.mjs';
import { runFile } from './tcl-suite.mjs';

/** @typedef {import('./expectations.mjs').Expectations} Expectations */
/** @typedef {import('./tcl-suite.mjs').Target} Target */

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    server: { type: 'string', default: 'holdfast' },
    update: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

/** @returns {Promise<Target>} a server without data */
function openTarget() {
  const { server } = options;
  if (server === 'holdfast' || server === 'redis') return startTarget(server);
  const [, host, port] = /^(.+):(\d+)$/.exec(server) ?? [];
  if (host === undefined) throw new Error(`--server: holdfast, redis or HOST:PORT, not ${server}`);
  return Promise.resolve({ host, port: Number(port), close: async () => {} });
}

/** @param {import('../support/server-process.mjs').ServerKind} kind */
async function startTarget(kind) {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
  const server = await ServerProcess.start({ kind, dir });
  const close = async () => {
    await server.kill();
    await rm(dir, { recursive: true, force: true });
  };
  return { host: server.host, port: server.port, close };
}

/**
 * @param {Expectations} expectations
 * @returns {string[]} the files to run
 */
function chosenFiles(expectations) {
  const known = Object.keys(expectations);
  for (const file of options.only ?? []) {
    if (!known.includes(file)) throw new Error(`--only: ${file} is none of ${known.join(', ')}`);
  }
  return options.only ?? known;
}

/** @param {(string | number)[]} cells */
function row(cells) {
  const widths = [22, 6, 8, 9, 10];
  return cells
    .map((cell, column) => String(cell)[column === 0 ? 'padEnd' : 'padStart'](widths[column] ?? 0))
    .join('');
}

/** @param {string[]} lines */
function printDetails(lines) {
  for (const line of lines) console.log(`    ${line}`);
}

async function main() {
  const expectations = await readExpectations();
  const source = await redisSource();
  const totals = { passed: 0, failed: 0, expectedFailures: 0, skipped: 0 };
  console.log(row(['file', 'ok', 'failed', 'skipped', 'Redis ok']));
  for (const file of chosenFiles(expectations)) {
    const listed = /** @type {import('./expectations.mjs').Expectation} */ (expectations[file]);
    const expectation = options.server === 'redis' ? forRedis(listed) : listed;
    const result = await runFile(source, file, openTarget);
    console.log(row([file, result.ok, result.failed.size, result.skipped, listed.okInRedis]));
    const worse = regressions(result, expectation);
    printDetails(worse);
    printDetails(improvements(result, expectation));
    totals.passed += result.ok;
    totals.failed += worse.length;
    totals.expectedFailures += [...result.failed.keys()].filter((name) => name in expectation.failing).length;
    totals.skipped += result.skipped;
    if (options.update && options.server !== 'redis') expectations[file] = raised(result, expectation);
  }
  if (options.update) await writeExpectations(expectations);
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(totals));
  console.log(
    `${totals.passed} ok, ${totals.failed} worse than expected, ` +
      `${totals.expectedFailures} failing as listed in expectations.json, ${totals.skipped} skipped`,
  );
  process.exitCode = totals.failed === 0 ? 0 : 1;
}

await main();
