/**
 * Requests in a second, by redis-benchmark. All rows of a policy are taken on one pair of servers, which are filled
 * first: every random key that a command draws exists. Row by row the servers take turns, seconds apart, so that a slow
 * minute of the machine falls on both.
 */
import { nameOf, sideOf } from '../bench.mjs';
import { benchmark } from '../redis-benchmark.mjs';
import { checkpointsEnded, fill, kinds, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').ThroughputRow} ThroughputRow */
/** @typedef {import('../../support/server-process.mjs').ServerKind} ServerKind */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */
/** @typedef {Record<ServerKind, ServerProcess>} Pair */

/**
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 */
export async function throughput(rows, bench) {
  for (const policy of new Set(rows.map((row) => row.policy))) {
    const chosen = rows.filter((row) => row.policy === policy);
    await bench.attempt(chosen, 'both', () =>
      withServer('holdfast', policy, (holdfast) =>
        withServer('redis', policy, (redis) => measureOn({ holdfast, redis }, chosen, bench)),
      ),
    );
  }
}

/**
 * @param {Pair} pair
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 */
async function measureOn(pair, rows, bench) {
  const known = {
    holdfast: await knownTo(pair.holdfast, rows, bench),
    redis: await knownTo(pair.redis, rows, bench),
  };
  for (const kind of kinds) await fillFor(pair[kind], known[kind], bench);
  for (const row of rows) {
    await bench.alternate([row], async (kind) => {
      if (known[kind].includes(row)) await measure(pair, kind, row, bench);
    });
  }
}

/**
 * @param {ServerProcess} server
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 */
async function fillFor(server, rows, bench) {
  for (const dataSet of new Set(rows.flatMap(({ fills }) => fills))) {
    bench.progress.step(`filling ${nameOf(server.kind)} with ${dataSet}`);
    await fill(server, dataSet, bench.plan.keyCount);
  }
}

/**
 * @param {Pair} pair
 * @param {ServerKind} kind
 * @param {ThroughputRow} row
 * @param {Bench} bench
 */
async function measure(pair, kind, row, bench) {
  const { command, connections, pipeline } = row;
  const { keyCount, loadSeconds } = bench.plan;
  const requests = Math.ceil(row.expectedPerSecond * loadSeconds);
  // What an earlier measurement has made due is no cost of this one, on either server; what its own writes make due is.
  for (const each of kinds) await withWire(pair[each], checkpointsEnded);
  const perSecond = await benchmark(pair[kind], { command, connections, pipeline, requests, keyCount });
  bench.results.record(row, sideOf(kind), perSecond);
  bench.progress.step(`${row.measure}: ${nameOf(kind)} ${Math.round(perSecond)}/s`);
}

/** @param {ThroughputRow} row */
function commandName(row) {
  return row.command[0] ?? '';
}

/**
 * @param {ServerProcess} server
 * @param {ThroughputRow[]} rows
 * @param {Bench} bench
 * @returns {Promise<ThroughputRow[]>} those whose command the server has; the others say that it has not
 */
async function knownTo(server, rows, bench) {
  const names = [...new Set(rows.map(commandName))];
  const replies = await withWire(server, async (wire) => {
    return /** @type {unknown[]} */ (await wire.call('COMMAND', 'INFO', ...names));
  });
  const known = new Set(names.filter((_, i) => replies[i] !== null));
  const present = rows.filter((row) => known.has(commandName(row)));
  for (const row of rows) {
    if (!present.includes(row)) bench.results.note(row, nameOf(server.kind), `no ${commandName(row)}`);
  }
  return present;
}
