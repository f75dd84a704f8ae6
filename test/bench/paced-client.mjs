/**
 * Measures latency from a process of its own, at a fixed rate: once every millisecond it sends the requests that
 * are due, spread over its connections, and each is timed from the moment it was due, not from when it could be
 * sent. So neither a server that stalls nor a client that is late makes requests disappear from the figures.
 *
 * Started by paced-load.mjs with its orders as JSON; prints its measurements as JSON.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pad, value } from './data.mjs';
import { Histogram } from './histogram.mjs';
import { request } from './wire.mjs';

/** @typedef {import('./paced-load.mjs').PacedOrders} PacedOrders */
/** @typedef {import('./paced-load.mjs').PacedResult} PacedResult */

/** How long replies that are still missing at the end are waited for. */
const drainMs = 10_000;

const MINUS = 0x2d;
const LINE_FEED = 0x0a;

/** @type {PacedOrders} */
const orders = JSON.parse(process.argv[2] ?? '{}');
const histogram = new Histogram();
const recordFromMs = orders.warmUpMs;
const recordUntilMs = orders.warmUpMs + orders.durationMs;

let errors = 0;
let underWay = 0;
let startMs = 0;

/** One connection; its replies come in the order of its requests and are one line each. */
class Connection {
  /** When the requests not yet answered were due, ms since the start. @type {number[]} */
  #dueMs = [];
  #atLineStart = true;

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed a connection')));
  }

  /**
   * @param {number} count
   * @param {number} dueMs
   */
  send(count, dueMs) {
    let text = '';
    for (let i = 0; i < count; i++) {
      text += nextRequest();
      this.#dueMs.push(dueMs);
    }
    underWay += count;
    this.socket.write(text, 'latin1');
  }

  /** @param {Buffer} chunk */
  #receive(chunk) {
    const nowMs = performance.now() - startMs;
    for (const byte of chunk) {
      if (this.#atLineStart && byte === MINUS) errors++;
      this.#atLineStart = byte === LINE_FEED;
      if (this.#atLineStart) this.#answered(nowMs);
    }
  }

  /** @param {number} nowMs */
  #answered(nowMs) {
    const dueMs = /** @type {number} */ (this.#dueMs.shift());
    underWay--;
    if (dueMs >= recordFromMs && dueMs < recordUntilMs) histogram.record((nowMs - dueMs) * 1000);
  }
}

function nextRequest() {
  if (orders.command === 'PING') return '*1\r\n$4\r\nPING\r\n';
  return request(['SET', `key:${pad(Math.floor(Math.random() * orders.keyCount), 12)}`, value]);
}

/** @returns {Promise<Connection>} */
async function open() {
  const socket = connect({ host: orders.host, port: orders.port, noDelay: true });
  await once(socket, 'connect');
  return new Connection(socket);
}

/**
 * Sends what is due at each whole millisecond, also at those that a late timer has missed.
 *
 * @param {Connection[]} connections
 */
async function sendAll(connections) {
  let sent = 0;
  let turn = 0;
  for (let tickMs = 0; tickMs < recordUntilMs; tickMs++) {
    while (performance.now() - startMs < tickMs) await new Promise((resolve) => setTimeout(resolve, 1));
    let due = Math.floor(((tickMs + 1) * orders.perSecond) / 1000) - sent;
    sent += due;
    for (let left = connections.length; due > 0; left--) {
      const share = Math.ceil(due / left);
      /** @type {Connection} */ (connections[turn++ % connections.length]).send(share, tickMs);
      due -= share;
    }
  }
}

/** @param {Error} error */
function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

async function main() {
  const connections = await Promise.all(Array.from({ length: orders.connections }, open));
  startMs = performance.now();
  await sendAll(connections);
  const deadlineMs = performance.now() + drainMs;
  while (underWay > 0 && performance.now() < deadlineMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
  /** @type {PacedResult} */
  const result = {
    requests: histogram.total,
    errors,
    unanswered: underWay,
    p50Ms: histogram.quantile(0.5) / 1000,
    p99Ms: histogram.quantile(0.99) / 1000,
    p999Ms: histogram.quantile(0.999) / 1000,
    maxMs: histogram.max / 1000,
  };
  process.stdout.write(JSON.stringify(result));
  process.exit(0);
}

await main();
