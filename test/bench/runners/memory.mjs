/**
 * Resident bytes for each key: the growth of the process from empty to filled, read once no checkpoint runs and
 * after a pause. A server in another process cannot be told to collect its garbage; the pause is the time in which it
 * does what it does.
 */

import { sleep } from '../../support/server-process.mjs';
import { sideOf } from '../bench.mjs';
import { checkpointsEnded, expectKeys, fill, residentBytes, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').MemoryRow} MemoryRow */

/**
 * @param {MemoryRow[]} rows
 * @param {Bench} bench
 */
export async function memory(rows, bench) {
  const { keyCount, idlePauseMs } = bench.plan;
  for (const row of rows) {
    await bench.alternate([row], (kind) =>
      withServer(kind, 'everysec', async (server) => {
        await sleep(idlePauseMs);
        const emptyBytes = await residentBytes(server);
        await fill(server, row.dataSet, keyCount);
        await withWire(server, checkpointsEnded);
        await sleep(idlePauseMs);
        const filledBytes = await residentBytes(server);
        await expectKeys(server, keyCount);
        bench.results.record(row, sideOf(kind), (filledBytes - emptyBytes) / keyCount);
      }),
    );
  }
}
