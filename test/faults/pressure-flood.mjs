/** One client that sends everything it has at once, and compares each byte that comes back. */
import { createConnection } from 'node:net';
import { serve } from './pressure-child.mjs';

/**
 * @typedef {object} FloodOrder
 * @property {number} port
 * @property {number} commands in all
 * @property {'set' | 'mixed' | 'get'} mix SET; SET and GET of the same key in turn; GET of what `set` has set
 */

/** @typedef {{ right: boolean, receivedBytes: number, expectedBytes: number, durationMs: number }} FloodResult */

const COMMANDS_PER_PIECE = 10_000;
const VALUE_PADDING = 'x'.repeat(48);

/** @param {number} i 64 bytes or so, different for each key */
const valueFor = (i) => `${i}:${VALUE_PADDING}`;

/**
 * @param {FloodOrder} order
 * @returns {{ request: Buffer, expected: Buffer }} all commands, and all replies as they must come
 */
function build({ commands, mix }) {
  /** @type {Buffer[]} */
  const requests = [];
  /** @type {Buffer[]} */
  const replies = [];
  for (let first = 0; first < commands; first += COMMANDS_PER_PIECE) {
    let request = '';
    let reply = '';
    for (let i = first; i < Math.min(commands, first + COMMANDS_PER_PIECE); i++) {
      const number = mix === 'mixed' ? i >> 1 : i;
      const reads = mix === 'get' || (mix === 'mixed' && i % 2 === 1);
      const key = `flood:${number}`;
      const value = valueFor(number);
      request += reads
        ? `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`
        : `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
      reply += reads ? `$${value.length}\r\n${value}\r\n` : '+OK\r\n';
    }
    requests.push(Buffer.from(request, 'latin1'));
    replies.push(Buffer.from(reply, 'latin1'));
  }
  return { request: Buffer.concat(requests), expected: Buffer.concat(replies) };
}

/** @type {{ request: Buffer, expected: Buffer }} */
let prepared;

/** @param {FloodOrder} order so that building the commands takes no time from what is measured */
function prepare(order) {
  prepared = build(order);
}

/**
 * Sends what was prepared in one write.
 *
 * @param {{ port: number }} order
 * @returns {Promise<FloodResult>} when every reply has come, a wrong one has, or the server has closed
 */
function send({ port }) {
  const { request, expected } = prepared;
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    const startedMs = performance.now();
    let receivedBytes = 0;
    let right = true;
    const finish = () => {
      socket.destroy();
      const durationMs = performance.now() - startedMs;
      right &&= receivedBytes === expected.length;
      resolve({ right, receivedBytes, expectedBytes: expected.length, durationMs });
    };
    socket.on('data', (chunk) => {
      right &&= chunk.equals(expected.subarray(receivedBytes, receivedBytes + chunk.length));
      receivedBytes += chunk.length;
      if (!right || receivedBytes >= expected.length) finish();
    });
    // What comes after is 'close'.
    socket.on('error', () => {});
    socket.on('close', finish);
    socket.write(request);
  });
}

serve({ prepare, send });
