/** Turns measurements into Markdown tables, which read well on a terminal too. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { connections, keyCount, valueLength } from './scenarios.mjs';

/** @typedef {import('./measure.mjs').Throughput} Throughput */
/** @typedef {import('./measure.mjs').Footprint} Footprint */
/** @typedef {import('./scenarios.mjs').Scenario} Scenario */
/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */

/**
 * @typedef {object} ScenarioResult
 * @property {Scenario} scenario
 * @property {Partial<Record<ServerKind, Throughput[]>>} rounds every measurement, by server
 */

/**
 * @typedef {object} FootprintResult
 * @property {string} dataSet
 * @property {Partial<Record<ServerKind, Footprint>>} footprints by server
 */

/**
 * @param {ScenarioResult[]} results
 * @param {FootprintResult[]} footprints
 * @param {number} rounds
 */
export function markdown(results, footprints, rounds) {
  const policies = [...new Set(results.map(({ scenario }) => scenario.policy))];
  const tables = policies.map((policy) => {
    const rows = results.filter(({ scenario }) => scenario.policy === policy).map(throughputRow);
    return `## appendfsync ${policy}\n\n${throughputTable(rows)}\n`;
  });
  if (footprints.length > 0) tables.push(`## Memory and restart\n\n${footprintTable(footprints)}\n`);
  return [`# Holdfast beside Redis\n\n${circumstances(rounds)}\n`, ...tables].join('\n');
}

/** @param {number} rounds */
function circumstances(rounds) {
  const gibibytes = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `${cpus().length} x ${cpus()[0]?.model.trim()}, ${gibibytes} GiB, Linux ${release()}, Node ${process.versions.node},`,
    `${redisVersion()}. redis-benchmark with ${connections} connections, ${valueLength}-byte values and`,
    `${keyCount.toLocaleString('en')} random keys that exist; one server at a time, taking turns;`,
    rounds === 1 ? 'one round.' : `medians of ${rounds} rounds.`,
  ].join('\n');
}

function redisVersion() {
  const text = execFileSync('redis-server', ['--version'], { encoding: 'utf8' });
  return `Redis ${/v=(\S+)/.exec(text)?.[1]}`;
}

/** @param {string[][]} rows */
function throughputTable(rows) {
  return table(['command', 'P', 'Redis /s', 'Holdfast /s', 'ratio', 'Redis p99 ms', 'Holdfast p99 ms'], rows);
}

/** @param {ScenarioResult} result */
function throughputRow({ scenario, rounds }) {
  const redis = medianOf(rounds.redis, 'perSecond');
  const holdfast = medianOf(rounds.holdfast, 'perSecond');
  return [
    scenario.command,
    String(scenario.pipeline),
    whole(redis),
    whole(holdfast),
    ratio(holdfast, redis),
    decimal(medianOf(rounds.redis, 'p99Ms')),
    decimal(medianOf(rounds.holdfast, 'p99Ms')),
  ];
}

/** @param {FootprintResult[]} footprints */
function footprintTable(footprints) {
  const rows = footprints.flatMap(({ dataSet, footprints: { redis, holdfast } }) => [
    footprintRow(`${dataSet}: bytes per key`, redis?.bytesPerKey, holdfast?.bytesPerKey),
    footprintRow(
      `${dataSet}: restart after kill -9, ms`,
      redis?.restartAfterKillMs,
      holdfast?.restartAfterKillMs,
    ),
    footprintRow(
      `${dataSet}: restart after SIGTERM, ms`,
      redis?.restartAfterStopMs,
      holdfast?.restartAfterStopMs,
    ),
  ]);
  const heading = `${keyCount.toLocaleString('en')} keys, appendfsync everysec`;
  return table([heading, 'Redis', 'Holdfast', 'ratio'], rows);
}

/**
 * @param {string} name
 * @param {number | undefined} redis
 * @param {number | undefined} holdfast
 */
function footprintRow(name, redis, holdfast) {
  return [name, whole(redis), whole(holdfast), ratio(holdfast, redis)];
}

/**
 * @param {Throughput[] | undefined} rounds
 * @param {keyof Throughput} property
 */
function medianOf(rounds, property) {
  return rounds && median(rounds.map((round) => round[property]));
}

/**
 * The middle value, the mean of the two middle ones when their number is even; undefined of nothing.
 *
 * @param {number[]} values
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** @param {number | undefined} value */
function whole(value) {
  return value === undefined ? '-' : Math.round(value).toLocaleString('en');
}

/** @param {number | undefined} value */
function decimal(value) {
  return value === undefined ? '-' : value.toFixed(2);
}

/**
 * @param {number | undefined} holdfast
 * @param {number | undefined} redis
 */
function ratio(holdfast, redis) {
  return holdfast === undefined || redis === undefined ? '-' : (holdfast / redis).toFixed(2);
}

/**
 * @param {string[]} heading
 * @param {string[][]} rows
 */
function table(heading, rows) {
  const widths = heading.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (/** @type {string[]} */ row) =>
    `| ${row.map((cell, column) => align(cell, column, widths[column] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(heading), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

/**
 * @param {string} cell
 * @param {number} column
 * @param {number} width
 */
function align(cell, column, width) {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
