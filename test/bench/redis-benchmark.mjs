/** Runs redis-benchmark against a server and reads its figures. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { info } from './servers.mjs';

/** @typedef {import('../support/server-process.mjs').ServerProcess} ServerProcess */

/**
 * @typedef {object} Load
 * @property {string[]} command
 * @property {number} connections
 * @property {number} pipeline commands that a connection sends before it waits for the replies
 * @property {number} requests
 * @property {number} keyCount different random numbers
 */

const run = promisify(execFile);

/**
 * @param {ServerProcess} server
 * @param {Load} load
 * @returns {Promise<number>} requests in a second
 * @throws when the server answered with errors, which redis-benchmark counts like any other reply
 */
export async function benchmark(server, load) {
  const errorsBefore = await errorReplies(server);
  const options = [
    ['-h', server.host],
    ['-p', String(server.port)],
    ['-c', String(load.connections)],
    ['-n', String(load.requests)],
    ['-r', String(load.keyCount)],
    ['-P', String(load.pipeline)],
  ].flat();
  const { stdout } = await run('redis-benchmark', [...options, '--csv', ...load.command]);
  const errors = (await errorReplies(server)) - errorsBefore;
  if (errors > 0) throw new Error(`${errors} requests were answered with an error`);
  return requestsPerSecond(stdout);
}

/** @param {ServerProcess} server */
async function errorReplies(server) {
  return Number((await info(server, 'stats'))['total_error_replies']);
}

/**
 * @param {string} csv a heading and one line of quoted values
 * @returns {number}
 */
export function requestsPerSecond(csv) {
  const [heading = '', line = ''] = csv.trim().split('\n');
  const perSecond = Number(cells(line)[cells(heading).indexOf('rps')]);
  if (!(perSecond > 0)) throw new Error(`redis-benchmark printed no rate:\n${csv}`);
  return perSecond;
}

/** @param {string} line of quoted values between commas, none of which holds a quote */
function cells(line) {
  return [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1]);
}
