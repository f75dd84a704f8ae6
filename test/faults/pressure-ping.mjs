/**
 * Sends PING at a fixed rate and times each from the moment it was due, not from when it could be sent: a server
 * that stalls for a second shows in every PING of that second.
 */
import { createConnection } from 'node:net';
import { serve } from './pressure-child.mjs';

/** @typedef {{ count: number, p50Ms: number, p99Ms: number, maxMs: number, lost: number, errors: number }} PingFigures */

const PING = '*1\r\n$4\r\nPING\r\n';
const INTERVAL_MS = 2;
/** What is not answered so long after the last one was sent counts as lost. */
const PATIENCE_MS = 30_000;
const MINUS = 0x2d;
const LINE_FEED = 0x0a;

/** @type {import('node:net').Socket} */
let socket;
let nextDueMs = 0;
/** When the unanswered ones were due. @type {number[]} */
let dueMs = [];
/** Of those answered since the figures were last taken. @type {number[]} */
let latenciesMs = [];
let errors = 0;
let atLineStart = true;

/** @param {{ port: number }} order */
function start({ port }) {
  return new Promise((resolve, reject) => {
    socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
    socket.on('data', receive);
    socket.on('error', reject);
    socket.once('connect', () => {
      nextDueMs = performance.now();
      sendDue();
      resolve(undefined);
    });
  });
}

function sendDue() {
  if (socket.destroyed) return;
  let text = '';
  for (; nextDueMs <= performance.now(); nextDueMs += INTERVAL_MS) {
    dueMs.push(nextDueMs);
    text += PING;
  }
  if (text !== '') socket.write(text, 'latin1');
  setTimeout(sendDue, nextDueMs - performance.now());
}

/** @param {Buffer} chunk of replies, one line each */
function receive(chunk) {
  const nowMs = performance.now();
  let answered = 0;
  for (const byte of chunk) {
    if (atLineStart && byte === MINUS) errors++;
    atLineStart = byte === LINE_FEED;
    if (atLineStart) latenciesMs.push(nowMs - /** @type {number} */ (dueMs[answered++]));
  }
  dueMs.splice(0, answered);
}

/**
 * The figures of every PING that was due since they were last taken, once all of these are answered.
 *
 * @returns {Promise<PingFigures>}
 */
async function take() {
  const untilMs = nextDueMs;
  const deadlineMs = performance.now() + PATIENCE_MS;
  const outstanding = () => dueMs.length > 0 && /** @type {number} */ (dueMs[0]) < untilMs;
  while (outstanding() && !socket.destroyed && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  const lost = dueMs.filter((due) => due < untilMs).length;
  const sorted = Float64Array.from(latenciesMs).sort();
  const figures = {
    count: sorted.length,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    maxMs: sorted.at(-1) ?? 0,
    lost,
    errors,
  };
  dueMs = dueMs.filter((due) => due >= untilMs);
  latenciesMs = [];
  errors = 0;
  return figures;
}

serve({ start, take });
