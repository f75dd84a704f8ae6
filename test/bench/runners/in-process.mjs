/** Calls in a second inside the caller's own process, for Holdfast and its alternatives. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { withDirectory } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').InProcessRow} InProcessRow */

/**
 * @typedef {object} InProcessOrders
 * @property {string} store a name in stores.mjs
 * @property {string} dir
 * @property {number} keyCount
 * @property {number} durationMs of reading, and then of writing
 */

/** @typedef {{ get: number, set: number }} InProcessFigures calls in a second */

const child = fileURLToPath(new URL('../in-process-child.mjs', import.meta.url));

const holdfast = 'Holdfast';

/**
 * Every store has its turn in every round, in the other direction each time.
 *
 * @param {InProcessRow[]} rows
 * @param {Bench} bench
 */
export async function inProcess(rows, bench) {
  const peers = [...new Set(rows.map(({ peer }) => peer).filter((peer) => peer !== ''))];
  for (let round = 0; round < bench.plan.rounds; round++) {
    const order = [holdfast, ...peers];
    for (const store of round % 2 === 0 ? order : order.toReversed()) {
      const concerned = store === holdfast ? rows : rows.filter(({ peer }) => peer === store);
      bench.progress.step(`in process, round ${round + 1} of ${bench.plan.rounds}: ${store}`);
      await bench.attempt(concerned, store, async () => {
        const figures = await measure(store, bench);
        const side = store === holdfast ? 'holdfast' : 'peer';
        for (const row of concerned) bench.results.record(row, side, figures[row.call]);
      });
    }
  }
}

/**
 * @param {string} store
 * @param {Bench} bench
 * @returns {Promise<InProcessFigures>}
 */
function measure(store, { plan: { inProcessKeyCount: keyCount, inProcessMs: durationMs } }) {
  return withDirectory((dir) => run({ store, dir, keyCount, durationMs }));
}

/**
 * @param {InProcessOrders} orders
 * @returns {Promise<InProcessFigures>}
 */
function run(orders) {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [child, JSON.stringify(orders)], (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message));
      else resolve(JSON.parse(stdout));
    });
  });
}
