/** Starts paced-client.mjs in a process of its own and reads what it measured. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * @typedef {object} PacedOrders
 * @property {string} host
 * @property {number} port
 * @property {number} connections
 * @property {'SET' | 'PING'} command
 * @property {number} perSecond requests, over all connections
 * @property {number} warmUpMs sent but not recorded
 * @property {number} durationMs recorded
 * @property {number} keyCount different keys of a SET
 */

/**
 * @typedef {object} PacedResult
 * @property {number} requests recorded
 * @property {number} errors replies that were errors
 * @property {number} unanswered requests without a reply seconds after the end
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} p999Ms
 * @property {number} maxMs
 */

const run = promisify(execFile);
const client = fileURLToPath(new URL('paced-client.mjs', import.meta.url));

/**
 * @param {PacedOrders} orders
 * @returns {Promise<PacedResult>}
 * @throws when a request was answered with an error or not at all
 */
export async function pacedLoad(orders) {
  const { stdout } = await run(process.execPath, [client, JSON.stringify(orders)]);
  /** @type {PacedResult} */
  const result = JSON.parse(stdout);
  if (result.errors > 0) throw new Error(`${result.errors} requests were answered with an error`);
  if (result.unanswered > 0) throw new Error(`${result.unanswered} requests were never answered`);
  return result;
}
