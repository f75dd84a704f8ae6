/** How long a checkpoint takes when little of much data has changed. */
import { nameOf, sideOf } from '../bench.mjs';
import { dataSets } from '../data.mjs';
import { fill, kinds, checkpoint as timedCheckpoint, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').CheckpointRow} CheckpointRow */

/**
 * The data stay the same from round to round, so each server is filled once and keeps its turn.
 *
 * @param {CheckpointRow[]} rows
 * @param {Bench} bench
 */
export async function checkpoint(rows, bench) {
  for (const row of rows) {
    for (const kind of kinds) {
      await bench.attempt([row], nameOf(kind), () =>
        withServer(kind, 'everysec', async (server) => {
          bench.progress.step(`${row.measure}: filling ${nameOf(kind)}`);
          await fill(server, 'sessions', row.keyCount);
          await withWire(server, async (wire) => {
            await timedCheckpoint(wire);
            for (let round = 0; round < bench.plan.rounds; round++) {
              await wire.pipe(() => dataSets.sessions(randomBelow(row.keyCount)), row.changes);
              bench.results.record(row, sideOf(kind), await timedCheckpoint(wire));
            }
          });
        }),
      );
    }
  }
}

/** @param {number} end */
function randomBelow(end) {
  return Math.floor(Math.random() * end);
}
