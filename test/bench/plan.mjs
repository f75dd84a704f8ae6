/**
 * How much is measured: the sizes and repetitions of a run. The full plan is the one whose figures may be
 * published; the quick one is for use while working and measures the same things on less data.
 */

/**
 * @typedef {object} Plan
 * @property {boolean} quick
 * @property {number} rounds repetitions; the median is reported
 * @property {number} keyCount keys in a data set, and different random keys in a load
 * @property {number} loadSeconds about how long one throughput measurement takes on a machine as fast as expected
 * @property {number} idlePauseMs how long a server is left alone before its memory is read
 * @property {number} pacedSeconds how long latency is measured at a fixed rate
 * @property {number} inProcessKeyCount keys of the measurements without a socket
 * @property {number} inProcessMs how long each of them reads, and writes
 */

/** @type {Plan} */
const full = {
  quick: false,
  rounds: 5,
  keyCount: 1_000_000,
  loadSeconds: 2,
  idlePauseMs: 5000,
  pacedSeconds: 10,
  inProcessKeyCount: 100_000,
  inProcessMs: 2000,
};

/** @type {Plan} */
const quick = {
  quick: true,
  rounds: 1,
  keyCount: 150_000,
  loadSeconds: 0.2,
  idlePauseMs: 800,
  pacedSeconds: 2,
  inProcessKeyCount: 20_000,
  inProcessMs: 300,
};

/**
 * @param {{ quick: boolean, rounds?: number }} options
 * @returns {Plan}
 */
export function plan(options) {
  const chosen = options.quick ? quick : full;
  return { ...chosen, rounds: options.rounds ?? chosen.rounds };
}

/**
 * A count as it is spoken of: 200k, 1M, 5M.
 *
 * @param {number} count
 */
export function countText(count) {
  if (count >= 1_000_000) return `${count / 1_000_000}M`;
  return count >= 1000 ? `${count / 1000}k` : String(count);
}
