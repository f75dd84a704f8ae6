/**
 * Many keys whose deadlines fall into one second. A client of its own process sends a PING every millisecond
 * from shortly before to well after, and its longest wait is kept; another connection looks when the memory is
 * back.
 */

import { sleep } from '../../support/server-process.mjs';
import { nameOf, sideOf } from '../bench.mjs';
import { expiringString } from '../data.mjs';
import { pacedLoad } from '../paced-load.mjs';
import { infoOf, residentBytes, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').ExpiryRow} ExpiryRow */
/** @typedef {import('../wire.mjs').Wire} Wire */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */

/** The second in which everything expires. */
const spanMs = 1000;

/** How long loading may take, by key; the first deadline lies that far ahead. */
const loadUsPerKey = 20;

/** The probe starts that long before the first deadline, and goes on for so long after the last. */
const probeBeforeMs = 1000;
const probeAfterMs = 5000;

/** Memory counts as free when no more than this part of what the keys took is left. */
const remainder = 0.05;

const pollMs = 20;
const freeTimeoutMs = 120_000;

/**
 * @param {ExpiryRow[]} rows
 * @param {Bench} bench
 */
export async function expiry(rows, bench) {
  await bench.alternate(rows, (kind) =>
    withServer(kind, 'everysec', async (server) => {
      const figures = await measure(server, bench.plan.keyCount);
      for (const row of rows) {
        bench.results.record(row, sideOf(kind), figures[row.figure]);
        if (row.figure === 'freeAfterSeconds') bench.results.note(row, nameOf(kind), figures.resident);
      }
    }),
  );
}

/**
 * @param {ServerProcess} server an empty one
 * @param {number} keyCount
 */
function measure(server, keyCount) {
  return withWire(server, async (wire) => {
    const emptyBytes = await usedMemory(wire);
    const resident = [await residentMebibytes(server)];
    const firstDeadlineMs = Date.now() + 2 * probeBeforeMs + (keyCount * loadUsPerKey) / 1000;
    const deadlineOf = (/** @type {number} */ index) =>
      firstDeadlineMs + Math.floor((index * spanMs) / keyCount);
    await wire.pipe((index) => expiringString(index, Math.floor(deadlineOf(index))), keyCount);
    const filledBytes = await usedMemory(wire);
    resident.push(await residentMebibytes(server));
    const pauseMs = firstDeadlineMs - probeBeforeMs - Date.now();
    if (pauseMs < 0) throw new Error('loading took longer than until the first deadline');
    await sleep(pauseMs);
    const probe = pacedLoad({
      host: server.host,
      port: server.port,
      connections: 1,
      command: 'PING',
      perSecond: 1000,
      warmUpMs: probeBeforeMs / 2,
      durationMs: probeBeforeMs / 2 + spanMs + probeAfterMs,
      keyCount,
    });
    const limitBytes = emptyBytes + (filledBytes - emptyBytes) * remainder;
    const freedAtMs = freeAt(wire, limitBytes);
    const [{ maxMs }, atMs] = await Promise.all([probe, freedAtMs]);
    resident.push(await residentMebibytes(server));
    const lastDeadlineMs = firstDeadlineMs + spanMs;
    return {
      waitMs: maxMs,
      freeAfterSeconds: Math.max(0, atMs - lastDeadlineMs) / 1000,
      resident: `${resident.join(', ')} MB resident when empty, when filled, seconds after the last deadline`,
    };
  });
}

/**
 * @param {Wire} wire
 * @param {number} limitBytes
 * @returns {Promise<number>} the time, in ms since 1970, when the server used no more than that
 */
async function freeAt(wire, limitBytes) {
  const giveUpAtMs = Date.now() + freeTimeoutMs;
  while ((await usedMemory(wire)) > limitBytes) {
    if (Date.now() > giveUpAtMs) throw new Error('the memory was not free after two minutes');
    await sleep(pollMs);
  }
  return Date.now();
}

/** @param {ServerProcess} server */
async function residentMebibytes(server) {
  return Math.round((await residentBytes(server)) / 2 ** 20);
}

/** @param {Wire} wire */
async function usedMemory(wire) {
  return Number((await infoOf(wire, 'memory'))['used_memory']);
}
