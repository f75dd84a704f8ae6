/** From the start of the process to its ready line, after a clean stop and after kill -9. */

import { ServerProcess } from '../../support/server-process.mjs';
import { nameOf, sideOf } from '../bench.mjs';
import { dataSets } from '../data.mjs';
import {
  checkpoint,
  checkpointsEnded,
  expectKeys,
  fill,
  infoOf,
  kinds,
  withDirectory,
  withServer,
  withWire,
} from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').StopRow} StopRow */
/** @typedef {import('../rows.mjs').CrashRow} CrashRow */
/** @typedef {import('../../support/server-process.mjs').ServerKind} ServerKind */

const args = ['--appendfsync', 'everysec'];
const readyTimeoutMs = 600_000;

/** Commands between two looks at the length of the log. */
const commandsPerLook = 5000;

/**
 * Both servers are filled once; then they are started, counted and stopped in turn.
 *
 * @param {StopRow[]} rows
 * @param {Bench} bench
 */
export async function restart(rows, bench) {
  for (const row of rows) {
    await bench.attempt([row], 'both', () =>
      withDirectory((holdfastDir) =>
        withDirectory((redisDir) => restartInTurn(row, { holdfast: holdfastDir, redis: redisDir }, bench)),
      ),
    );
  }
}

/**
 * @param {StopRow} row
 * @param {Record<ServerKind, string>} dirs
 * @param {Bench} bench
 */
async function restartInTurn(row, dirs, bench) {
  /** @type {Partial<Record<ServerKind, ServerProcess>>} */
  const servers = {};
  for (const kind of kinds) {
    bench.progress.step(`${row.measure}: filling ${nameOf(kind)}`);
    await bench.attempt([row], nameOf(kind), async () => {
      servers[kind] = await filledAndStopped(kind, dirs[kind], row.keyCount);
    });
  }
  await bench.alternate([row], async (kind) => {
    const server = servers[kind];
    if (!server) return;
    try {
      const durationMs = await server.start();
      await expectKeys(server, row.keyCount);
      bench.results.record(row, sideOf(kind), durationMs);
      await stopCleanly(server);
    } finally {
      await server.kill();
    }
  });
}

/**
 * @param {ServerKind} kind
 * @param {string} dir
 * @param {number} keyCount
 */
async function filledAndStopped(kind, dir, keyCount) {
  const server = await ServerProcess.start({ kind, dir, args, readyTimeoutMs });
  try {
    await fill(server, 'sessions', keyCount);
    // A stop of Holdfast ends with a checkpoint; taken before, it leaves the same files and a stop that is short.
    // Redis stops with its log as it is, rewritten as far as its defaults had it rewritten.
    await withWire(server, async (wire) => {
      if (kind === 'holdfast') await checkpoint(wire);
      else await checkpointsEnded(wire);
    });
    await stopCleanly(server);
  } finally {
    await server.kill();
  }
  return server;
}

/** @param {ServerProcess} server */
async function stopCleanly(server) {
  const code = await server.stop();
  if (code !== 0) throw new Error(`the stop was not clean: exit code ${code}`);
}

/**
 * Each server's own log is written up to the length in question, which is just short of the point where either
 * would rewrite it, and the server killed at once.
 *
 * @param {CrashRow[]} rows
 * @param {Bench} bench
 */
export async function crash(rows, bench) {
  for (const row of rows) {
    await bench.alternate([row], (kind) =>
      withServer(kind, 'everysec', async (server) => {
        const keyCount = await writeLog(server, row.logBytes);
        await server.kill();
        const durationMs = await server.start();
        await expectKeys(server, keyCount);
        bench.results.record(row, sideOf(kind), durationMs);
        const thousands = Math.round(keyCount / 1000).toLocaleString('en');
        bench.results.note(row, nameOf(kind), `a log of ${thousands} thousand SETEX`);
      }),
    );
  }
}

/**
 * @param {ServerProcess} server an empty one
 * @param {number} logBytes
 * @returns {Promise<number>} keys written
 */
function writeLog(server, logBytes) {
  return withWire(server, async (wire) => {
    let keyCount = 0;
    let writtenBytes = 0;
    let stepBytes = 0;
    // The next step would cross the threshold: stop before it.
    while (writtenBytes + stepBytes < logBytes) {
      await wire.pipe(dataSets.sessions, commandsPerLook, keyCount);
      keyCount += commandsPerLook;
      const nowBytes = Number((await infoOf(wire, 'persistence'))['aof_current_size']);
      stepBytes = nowBytes - writtenBytes;
      writtenBytes = nowBytes;
    }
    return keyCount;
  });
}
