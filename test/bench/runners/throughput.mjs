/**
 * Requests in a second, by redis-benchmark. All rows of a policy are taken on one server, which is filled first:
 * every random key that a command draws exists.
 */
import { nameOf, sideOf } from '../bench.mjs';
import { benchmark } from '../redis-benchmark.mjs';
import { checkpointsEnded, fill, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').ThroughputRow} ThroughputRow */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */

/**
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 */
export async function throughput(rows, bench) {
  for (const policy of new Set(rows.map((row) => row.policy))) {
    const chosen = rows.filter((row) => row.policy === policy);
    await bench.alternate(chosen, (kind) =>
      withServer(kind, policy, (server) => measureOn(server, chosen, bench)),
    );
  }
}

/**
 * @param {ServerProcess} server
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 */
async function measureOn(server, rows, bench) {
  const known = await knownTo(server, rows);
  const present = rows.filter((row) => known.has(commandName(row)));
  for (const row of rows) {
    if (!present.includes(row)) bench.results.note(row, nameOf(server.kind), `no ${commandName(row)}`);
  }
  for (const dataSet of new Set(present.flatMap(({ fills }) => fills))) {
    await fill(server, dataSet, bench.plan.keyCount);
  }
  for (const row of present) {
    await bench.attempt([row], nameOf(server.kind), () => measure(server, row, bench));
  }
}

/**
 * @param {ServerProcess} server
 * @param {ThroughputRow} row
 * @param {Bench} bench
 */
async function measure(server, row, bench) {
  const { command, connections, pipeline } = row;
  const { keyCount, loadSeconds } = bench.plan;
  const requests = Math.ceil(row.expectedPerSecond * loadSeconds);
  // What an earlier row has made due is no cost of this one; what its own writes make due is.
  await withWire(server, checkpointsEnded);
  const perSecond = await benchmark(server, { command, connections, pipeline, requests, keyCount });
  bench.results.record(row, sideOf(server.kind), perSecond);
  bench.progress.step(`${row.measure}: ${nameOf(server.kind)} ${Math.round(perSecond)}/s`);
}

/** @param {ThroughputRow} row */
function commandName(row) {
  return row.command[0] ?? '';
}

/**
 * @param {ServerProcess} server
 * @param {ThroughputRow[]} rows
 * @returns {Promise<Set<string>>} the names among the rows' commands that the server has
 */
function knownTo(server, rows) {
  const names = [...new Set(rows.map(commandName))];
  return withWire(server, async (wire) => {
    const replies = /** @type {unknown[]} */ (await wire.call('COMMAND', 'INFO', ...names));
    return new Set(names.filter((_, i) => replies[i] !== null));
  });
}
