#!/usr/bin/env node
/**
 * Holdfast beside redis-server with the same fsync policy, both driven by redis-benchmark.
 *
 *   npm run bench -- [--quick] [--rounds N] [--policy P ...] [--command C ...] [--pipeline N ...]
 *                    [--server redis|holdfast ...] [--no-footprint] [--out FILE.md] [--json FILE]
 *
 * It prints what it measured and never fails on a figure.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServerProcess } from '../support/server-process.mjs';
import { fill, measureFootprint, measureThroughput } from './measure.mjs';
import { markdown } from './report.mjs';
import {
  commands,
  dataSets,
  fillCommand,
  keyCount,
  pipelines,
  policies,
  requestCount,
  scenarios,
} from './scenarios.mjs';

/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */
/** @typedef {import('./report.mjs').ScenarioResult} ScenarioResult */
/** @typedef {import('./report.mjs').FootprintResult} FootprintResult */

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    policy: { type: 'string', multiple: true, default: policies },
    command: { type: 'string', multiple: true, default: Object.keys(commands) },
    pipeline: { type: 'string', multiple: true, default: pipelines.map(String) },
    server: { type: 'string', multiple: true, default: ['redis', 'holdfast'] },
    footprint: { type: 'boolean', default: true },
    out: { type: 'string' },
    json: { type: 'string' },
  },
});

const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));
const kinds = /** @type {ServerKind[]} */ (options.server);

/**
 * @template T
 * @param {ServerKind} kind
 * @param {string} policy
 * @param {(server: ServerProcess) => Promise<T>} work
 * @returns {Promise<T>} what `work` came to, on a server with an empty directory of its own
 */
async function withServer(kind, policy, work) {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const server = await ServerProcess.start({ kind, dir, args: ['--appendfsync', policy] });
  try {
    return await work(server);
  } finally {
    await server.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * One server goes through all scenarios of a policy before the other has its turn, and the turns alternate from
 * round to round, so that a slow minute of the machine does not fall on the same one each time.
 *
 * @param {ScenarioResult[]} results
 */
async function measureScenarios(results) {
  for (let round = 0; round < rounds; round++) {
    for (const policy of options.policy) {
      const chosen = results.filter(({ scenario }) => scenario.policy === policy);
      for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
        await withServer(kind, policy, (server) => measureOnServer(server, chosen));
      }
    }
  }
}

/**
 * @param {ServerProcess} server
 * @param {ScenarioResult[]} results of one policy; the measurements are added to them
 */
async function measureOnServer(server, results) {
  await fill(server, fillCommand, keyCount);
  for (const result of results) {
    const { scenario } = result;
    const throughput = await measureThroughput(server, scenario, requestCount(scenario, options.quick));
    result.rounds[server.kind] = [...(result.rounds[server.kind] ?? []), throughput];
    progress(
      `${server.kind} ${scenario.policy} ${scenario.command} P=${scenario.pipeline}: ${throughput.perSecond}/s`,
    );
  }
}

/** @returns {Promise<FootprintResult[]>} */
async function measureFootprints() {
  /** @type {FootprintResult[]} */
  const results = [];
  for (const [dataSet, commandAt] of Object.entries(dataSets)) {
    /** @type {FootprintResult} */
    const result = { dataSet, footprints: {} };
    for (const kind of kinds) {
      progress(`${kind}: memory and restart, ${dataSet}`);
      result.footprints[kind] = await withServer(kind, 'everysec', (server) =>
        measureFootprint(server, commandAt),
      );
    }
    results.push(result);
  }
  return results;
}

/** @param {string} text for a person who waits; the report goes to standard output alone */
function progress(text) {
  process.stderr.write(`${text}\n`);
}

async function main() {
  const choice = {
    policies: options.policy,
    commands: options.command.map((name) => name.toUpperCase()),
    pipelines: options.pipeline.map(Number),
  };
  const results = scenarios(choice).map((scenario) => ({ scenario, rounds: {} }));
  await measureScenarios(results);
  const footprints = options.footprint ? await measureFootprints() : [];
  const report = markdown(results, footprints, rounds);
  console.log(report);
  if (options.out !== undefined) await writeFile(options.out, report);
  if (options.json !== undefined)
    await writeFile(options.json, JSON.stringify({ results, footprints }, null, 2));
}

await main();
