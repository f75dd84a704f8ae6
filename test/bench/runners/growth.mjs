/** How much of the speed at 100 thousand keys is left at 10 million, on one server that grows in between. */
import { sideOf } from '../bench.mjs';
import { benchmark } from '../redis-benchmark.mjs';
import { median } from '../results.mjs';
import { checkpointsEnded, fill, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').GrowthRow} GrowthRow */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */

const few = 100_000;
const many = 10_000_000;
const load = { connections: 50, pipeline: 16 };

/** About what is expected, to choose a number of requests that takes the time planned. */
const expectedPerSecond = 600_000;

/**
 * Filling takes longer than measuring, so each size is measured several times on the same server instead of the
 * whole being repeated.
 *
 * @param {GrowthRow[]} rows
 * @param {Bench} bench
 */
export async function growth(rows, bench) {
  await bench.alternate(
    rows,
    (kind) =>
      withServer(kind, 'everysec', async (server) => {
        const before = await speeds(server, rows, few, 0, bench);
        const after = await speeds(server, rows, many, few, bench);
        for (const row of rows) {
          const [slow, fast] = [after.get(row) ?? null, before.get(row) ?? null];
          if (slow !== null && fast !== null) bench.results.record(row, sideOf(kind), slow / fast);
        }
      }),
    1,
  );
}

/**
 * @param {ServerProcess} server
 * @param {GrowthRow[]} rows
 * @param {number} keyCount that the server is to have
 * @param {number} present that it has
 * @param {Bench} bench
 */
async function speeds(server, rows, keyCount, present, { plan, progress }) {
  progress.step(`growth: filling ${server.kind} with ${keyCount} keys`);
  await fill(server, 'strings', keyCount - present, present);
  await withWire(server, checkpointsEnded);
  const requests = Math.ceil(expectedPerSecond * plan.loadSeconds);
  /** @type {Map<GrowthRow, number | null>} */
  const medians = new Map();
  for (const row of rows) {
    const rounds = [];
    for (let round = 0; round < plan.rounds; round++) {
      rounds.push(await benchmark(server, { ...load, command: row.command, requests, keyCount }));
    }
    medians.set(row, median(rounds));
  }
  return medians;
}
