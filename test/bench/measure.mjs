/**
 * One measurement each: throughput and latency of a scenario, the memory of a data set, the time of a restart.
 * Every function works on a server that is already up and knows nothing of which one it is.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline as pipeStreams } from 'node:stream/promises';
import { promisify } from 'node:util';
import { sleep } from '../support/server-process.mjs';
import { commands, connections, keyCount } from './scenarios.mjs';

/** @typedef {import('../support/server-process.mjs').ServerProcess} ServerProcess */
/** @typedef {import('./scenarios.mjs').Scenario} Scenario */

/**
 * @typedef {object} Throughput
 * @property {number} perSecond requests
 * @property {number} p50Ms median latency
 * @property {number} p99Ms 99th percentile of latency
 */

/**
 * @typedef {object} Footprint
 * @property {number} bytesPerKey growth of the resident set by loading the data set, for each key
 * @property {number} restartAfterKillMs from starting the process to its ready line, after kill -9
 * @property {number} restartAfterStopMs the same after SIGTERM, which Holdfast answers with a checkpoint
 */

const run = promisify(execFile);

/** Commands joined into one write when a data set is loaded. */
const commandsPerChunk = 1000;

/** A server may still be working off what it was sent (expiry, garbage, a background thread) for a moment. */
const settleMs = 1000;

/**
 * @param {ServerProcess} server
 * @param {Scenario} scenario
 * @param {number} requests
 * @returns {Promise<Throughput>}
 */
export async function measureThroughput(server, scenario, requests) {
  const load = [
    ['-h', server.host],
    ['-p', String(server.port)],
    ['-c', String(connections)],
    ['-n', String(requests)],
    ['-r', String(keyCount)],
    ['-P', String(scenario.pipeline)],
  ].flat();
  const command = /** @type {string[]} */ (commands[scenario.command]);
  const { stdout } = await run('redis-benchmark', [...load, '--csv', ...command]);
  return throughputIn(stdout);
}

/**
 * @param {string} csv a heading and one line of quoted values
 * @returns {Throughput}
 */
function throughputIn(csv) {
  const [heading = '', line = ''] = csv.trim().split('\n');
  const names = cells(heading);
  const values = cells(line);
  const value = (/** @type {string} */ name) => {
    const number = Number(values[names.indexOf(name)]);
    if (!(number >= 0)) throw new Error(`redis-benchmark printed no ${name}:\n${csv}`);
    return number;
  };
  return { perSecond: value('rps'), p50Ms: value('p50_latency_ms'), p99Ms: value('p99_latency_ms') };
}

/** @param {string} line of quoted values between commas, none of which holds a quote */
function cells(line) {
  return [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1]);
}

/**
 * Loads a data set into an empty server.
 *
 * @param {ServerProcess} server
 * @param {(index: number) => string[]} commandAt
 * @param {number} count
 * @throws when a command was answered with an error
 */
export async function fill(server, commandAt, count) {
  const loader = spawn('redis-cli', ['-h', server.host, '-p', String(server.port), '--pipe'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let summary = '';
  loader.stdout.setEncoding('utf8').on('data', (text) => {
    summary += text;
  });
  const closed = once(loader, 'close');
  await pipeStreams(Readable.from(chunks(commandAt, count)), loader.stdin);
  await closed;
  if (!summary.includes(`errors: 0, replies: ${count}`)) throw new Error(`loading failed:\n${summary}`);
}

/**
 * @param {(index: number) => string[]} commandAt
 * @param {number} count
 */
function* chunks(commandAt, count) {
  for (let start = 0; start < count; start += commandsPerChunk) {
    const length = Math.min(commandsPerChunk, count - start);
    yield Array.from({ length }, (_, offset) => request(commandAt(start + offset))).join('');
  }
}

/** @param {string[]} args ASCII only */
function request(args) {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

/**
 * @param {ServerProcess} server an empty one
 * @param {(index: number) => string[]} commandAt
 * @returns {Promise<Footprint>}
 */
export async function measureFootprint(server, commandAt) {
  const before = await residentBytes(server);
  await fill(server, commandAt, keyCount);
  await sleep(settleMs);
  const after = await residentBytes(server);
  const restartAfterKillMs = await server.crashAndRestart();
  await expectKeys(server);
  const restartAfterStopMs = await server.restart();
  await expectKeys(server);
  return { bytesPerKey: (after - before) / keyCount, restartAfterKillMs, restartAfterStopMs };
}

/** @param {ServerProcess} server */
async function expectKeys(server) {
  const { stdout } = await run('redis-cli', ['-h', server.host, '-p', String(server.port), 'DBSIZE']);
  if (Number(stdout) !== keyCount)
    throw new Error(`${server.kind} has ${stdout.trim()} keys after a restart`);
}

/** @param {ServerProcess} server */
async function residentBytes(server) {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`no resident set size of process ${server.pid}`);
  return Number(kibibytes) * 1024;
}
