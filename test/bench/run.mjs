#!/usr/bin/env node
/**
 * Holdfast beside redis-server with the same fsync policy, and beside other stores that live in a Node.js process.
 * It prints what it measured and never fails on a figure; what could not be measured says why.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Bench } from './bench.mjs';
import { chart } from './chart.mjs';
import { joined } from './join.mjs';
import { circumstances } from './machine.mjs';
import { plan } from './plan.mjs';
import { Progress } from './progress.mjs';
import { publish } from './publish.mjs';
import { markdown } from './report.mjs';
import { chosenRows, rows } from './rows.mjs';
import { checkpoint } from './runners/checkpoint.mjs';
import { expiry } from './runners/expiry.mjs';
import { growth } from './runners/growth.mjs';
import { inProcess } from './runners/in-process.mjs';
import { latency } from './runners/latency.mjs';
import { logSize } from './runners/log-size.mjs';
import { memory } from './runners/memory.mjs';
import { crash, restart } from './runners/restart.mjs';
import { throughput } from './runners/throughput.mjs';
import { pinServersTo } from './servers.mjs';

/** @typedef {import('./rows.mjs').Row} Row */
/** @typedef {import('./report.mjs').Run} Run */

const usage = `npm run bench -- [options]

  --quick          fewer rounds, less data, no rows of 5M and 10M keys: under two minutes
  --only NAME      only the row of that name, or those that begin so; again, or several between commas
  --list           the rows' names, and nothing is measured
  --rounds N       repetitions of which the median is reported
  --pin LIST       confine both servers to these processors, as in \`taskset -c\`
  --json FILE      everything that was measured, as JSON
  --from FILE      measure nothing; take the results from such a file; again, to join several
  --out FILE       the report, as Markdown
  --svg FILE       the ratios, as a bar chart
  --publish        write a full run into test/bench/README.md and README.md
`;

/**
 * Every kind of row has one runner.
 *
 * @type {{ [Name in Row['runner']]: (rows: Extract<Row, { runner: Name }>[], bench: Bench) => Promise<void> }}
 */
const runners = {
  throughput,
  latency,
  memory,
  restart,
  crash,
  growth,
  logSize,
  checkpoint,
  expiry,
  inProcess,
};

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    pin: { type: 'string' },
    json: { type: 'string' },
    from: { type: 'string', multiple: true },
    out: { type: 'string' },
    svg: { type: 'string' },
    publish: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

// Servers and directories are given up when this process ends, which a signal alone would not do in order.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

/**
 * @param {Row[]} chosen
 * @param {Bench} bench
 */
async function measure(chosen, bench) {
  for (const name of new Set(chosen.map(({ runner }) => runner))) {
    const concerned = chosen.filter(({ runner }) => runner === name);
    const run = /** @type {(rows: Row[], bench: Bench) => Promise<void>} */ (runners[name]);
    await bench.attempt(concerned, name, () => run(concerned, bench));
  }
  bench.progress.end();
}

/** @returns {Promise<Run>} */
async function measuredRun() {
  const bench = new Bench(chosenPlan(), new Progress(process.stderr));
  const all = rows(bench.plan);
  const chosen = only(all);
  pinServersTo(options.pin);
  const where = circumstances(options.pin === undefined ? {} : { pin: options.pin });
  await measure(chosen, bench);
  const complete = chosen.length === all.length;
  return { circumstances: where, plan: bench.plan, complete, results: bench.results.of(chosen) };
}

function chosenPlan() {
  const rounds = options.rounds === undefined ? {} : { rounds: positive(options.rounds) };
  return plan({ quick: options.quick, ...rounds });
}

/** @param {string} text */
function positive(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--rounds: '${text}' is not a number of rounds`);
  return Number(text);
}

/** @param {Row[]} all */
function only(all) {
  const names = options.only?.flatMap((list) => list.split(','));
  return names === undefined ? all : chosenRows(all, names);
}

/** @param {string} file @returns {Promise<Run>} */
async function readRun(file) {
  return JSON.parse(await readFile(file, 'utf8'));
}

async function main() {
  if (options.help) return void process.stdout.write(usage);
  if (options.list) {
    for (const { id, measure } of only(rows(chosenPlan()))) console.log(`${id.padEnd(26)} ${measure}`);
    return;
  }
  if (options.publish && options.from === undefined && (options.quick || options.only !== undefined)) {
    throw new Error('only a full run is published: --publish goes with neither --quick nor --only');
  }
  /** @type {Run} */
  const run =
    options.from === undefined ? await measuredRun() : joined(await Promise.all(options.from.map(readRun)));
  const report = markdown(run);
  console.log(report);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(run, null, 2)}\n`);
  if (options.out !== undefined) await writeFile(options.out, report);
  if (options.svg !== undefined) await writeFile(options.svg, chart(run.results));
  if (options.publish) await publish(run);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
