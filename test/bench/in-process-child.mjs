/**
 * Fills one store, then reads and writes it at random, and prints calls in a second as JSON. In a process of its
 * own, so that no store's garbage, threads or compiled code are another's.
 */
import { value } from './data.mjs';
import { stores } from './stores.mjs';

/** @typedef {import('./runners/in-process.mjs').InProcessOrders} InProcessOrders */
/** @typedef {import('./stores.mjs').Store} Store */

/** Calls made without waiting for each other, which a store may commit together. */
const setsTogether = 1000;

/** Calls between two looks at the clock. */
const getsPerLook = 1000;

/** @type {InProcessOrders} */
const orders = JSON.parse(process.argv[2] ?? '{}');

/**
 * Every key once, in random order. The strings lie in memory in the order in which they are used, so that what is
 * measured is how a store finds its data, not how this program finds its keys.
 */
const keys = shuffled(orders.keyCount).map((index) => `key:${index}`);
let nextKey = 0;

function randomKey() {
  nextKey = nextKey + 1 < keys.length ? nextKey + 1 : 0;
  return /** @type {string} */ (keys[nextKey]);
}

/** @param {number} count @returns {number[]} */
function shuffled(count) {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] ?? 0, numbers[last] ?? 0];
  }
  return numbers;
}

/** @param {Store} store */
async function fill(store) {
  // In the order of their numbers: another one than that in which they are read.
  for (let start = 0; start < keys.length; start += setsTogether) {
    const count = Math.min(setsTogether, keys.length - start);
    await store.setMany(Array.from({ length: count }, (_, i) => [`key:${start + i}`, value]));
  }
}

/**
 * @param {Store} store
 * @param {number} durationMs
 * @returns {Promise<number>} calls in a second
 */
async function gets(store, durationMs) {
  const startedAtMs = performance.now();
  let calls = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    for (let i = 0; i < getsPerLook; i++) {
      const found = store.get(randomKey());
      // A program does not await what is not a promise.
      const text = found instanceof Promise ? await found : found;
      if (text !== value) throw new Error(`a wrong value was read: ${text}`);
    }
    calls += getsPerLook;
    elapsedMs = performance.now() - startedAtMs;
  }
  return (calls / elapsedMs) * 1000;
}

/**
 * @param {Store} store
 * @param {number} durationMs
 * @returns {Promise<number>} calls in a second
 */
async function sets(store, durationMs) {
  const startedAtMs = performance.now();
  let calls = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    await store.setMany(Array.from({ length: setsTogether }, () => [randomKey(), value]));
    calls += setsTogether;
    elapsedMs = performance.now() - startedAtMs;
  }
  return (calls / elapsedMs) * 1000;
}

async function main() {
  const openStore = stores[orders.store];
  if (!openStore) throw new Error(`there is no store '${orders.store}'`);
  const store = await openStore(orders.dir);
  await fill(store);
  // Unrecorded first, for the compiler.
  await gets(store, orders.durationMs / 2);
  const figures = { get: await gets(store, orders.durationMs), set: await sets(store, orders.durationMs) };
  await store.close();
  process.stdout.write(JSON.stringify(figures));
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
