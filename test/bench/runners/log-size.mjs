/** How much longer the log is than what was written, for SETEX without a pipeline: groups as small as they get. */

import { sleep } from '../../support/server-process.mjs';
import { sideOf } from '../bench.mjs';
import { sessionKeyLength, valueLength } from '../data.mjs';
import { benchmark } from '../redis-benchmark.mjs';
import { infoOf, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').LogSizeRow} LogSizeRow */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */

/** What a record may have besides key and value before it counts as overhead: an expiry, lengths, a type. */
const allowanceBytes = 16;

/** Few enough that neither server rewrites its log meanwhile. */
const requests = 100_000;

/** Redis writes its log once a turn, and the figure it reports follows. */
const settleMs = 200;

const command = ['SETEX', 'sess:__rand_int__', '3600', 'x'.repeat(valueLength)];

/**
 * @param {LogSizeRow[]} rows
 * @param {Bench} bench
 */
export async function logSize(rows, bench) {
  const load = { command, connections: 50, pipeline: 1, requests, keyCount: bench.plan.keyCount };
  const expectedBytes = requests * (sessionKeyLength + valueLength + allowanceBytes);
  for (const row of rows) {
    await bench.alternate([row], (kind) =>
      withServer(kind, 'everysec', async (server) => {
        const before = await logBytes(server);
        await benchmark(server, load);
        await sleep(settleMs);
        bench.results.record(row, sideOf(kind), ((await logBytes(server)) - before) / expectedBytes);
      }),
    );
  }
}

/** @param {ServerProcess} server */
async function logBytes(server) {
  const persistence = await withWire(server, (wire) => infoOf(wire, 'persistence'));
  return Number(persistence['aof_current_size']);
}
