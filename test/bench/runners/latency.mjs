/**
 * Latency under a steady load while checkpoints run, one after the other. Both servers get the same rate: half
 * of what redis-benchmark gets out of the slower one, with 50 connections and no pipelining.
 */
import { nameOf, sideOf } from '../bench.mjs';
import { pacedLoad } from '../paced-load.mjs';
import { benchmark } from '../redis-benchmark.mjs';
import { checkpoint, fill, kinds, withServer, withWire } from '../servers.mjs';

/** @typedef {import('../bench.mjs').Bench} Bench */
/** @typedef {import('../rows.mjs').LatencyRow} LatencyRow */
/** @typedef {import('../../support/server-process.mjs').ServerProcess} ServerProcess */

const connections = 50;
const policy = 'everysec';

/** Sent before anything is recorded: time for compilers and caches to warm up, and for a checkpoint to begin. */
const warmUpMs = 1000;

/** About what is expected, to choose a number of requests that takes the time planned. */
const expectedPerSecond = 150_000;

/**
 * @param {LatencyRow[]} rows
 * @param {Bench} bench
 */
export async function latency(rows, bench) {
  for (const row of rows) {
    await bench.attempt([row], 'saturating rate', async () => {
      const perSecond = Math.floor((await saturatingRate(bench)) / 2);
      bench.results.note(row, 'rate', `${perSecond.toLocaleString('en')} requests in a second`);
      await bench.alternate([row], (kind) =>
        withServer(kind, policy, (server) => measure(server, row, perSecond, bench)),
      );
    });
  }
}

/** @param {Bench} bench */
async function saturatingRate({ plan: { keyCount, loadSeconds }, progress }) {
  const requests = Math.ceil(expectedPerSecond * loadSeconds);
  const load = {
    command: ['SET', 'key:__rand_int__', 'x'.repeat(64)],
    connections,
    pipeline: 1,
    requests,
    keyCount,
  };
  let slowest = Number.POSITIVE_INFINITY;
  for (const kind of kinds) {
    progress.step(`latency, saturating rate: ${nameOf(kind)}`);
    slowest = Math.min(slowest, await withServer(kind, policy, (server) => benchmark(server, load)));
  }
  return slowest;
}

/**
 * @param {ServerProcess} server
 * @param {LatencyRow} row
 * @param {number} perSecond
 * @param {Bench} bench
 */
async function measure(server, row, perSecond, { plan, results }) {
  await fill(server, 'strings', plan.keyCount);
  let ended = false;
  const load = pacedLoad({
    host: server.host,
    port: server.port,
    connections,
    command: 'SET',
    perSecond,
    warmUpMs,
    durationMs: plan.pacedSeconds * 1000,
    keyCount: plan.keyCount,
  }).finally(() => {
    ended = true;
  });
  let checkpointCount = 0;
  const checkpoints = withWire(server, async (wire) => {
    for (; !ended; checkpointCount++) await checkpoint(wire);
  });
  const [result] = await Promise.all([load, checkpoints]);
  results.record(row, sideOf(server.kind), result.p999Ms);
  const { p50Ms, p99Ms, maxMs } = result;
  const others = `median ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, longest ${maxMs.toFixed(2)} ms`;
  results.note(row, nameOf(server.kind), `${others}, checkpoints: ${checkpointCount} (last round)`);
}
