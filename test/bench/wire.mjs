/** A small client of its own: one connection, any number of commands under way, replies read by redis-parser. */
import { once } from 'node:events';
import { connect } from 'node:net';
import RedisParser from 'redis-parser';

/** Commands joined into one write when many are sent. */
const commandsPerChunk = 1000;

/** Chunks sent before the first of them must be answered: enough to keep a server busy. */
const chunksUnderWay = 16;

/**
 * Commands that were sent together, and who waits for their replies.
 *
 * @typedef {object} Batch
 * @property {number} remaining replies still to come
 * @property {unknown} last the newest reply
 * @property {Error | undefined} error the first error among the replies
 * @property {(reply: unknown) => void} resolve
 * @property {(error: Error) => void} reject
 */

export class Wire {
  /** @type {import('node:net').Socket} */
  #socket;
  /** @type {Batch[]} */
  #batches = [];

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    const parser = new RedisParser({
      returnReply: (reply) => this.#answered(reply),
      returnError: (error) => this.#answered(error),
      returnFatalError: (error) => this.#failed(error),
    });
    socket.on('data', (chunk) => parser.execute(chunk));
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => this.#failed(new Error('the server closed the connection')));
  }

  /** @param {{ host: string, port: number }} address */
  static async connect({ host, port }) {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /**
   * @param {string[]} args ASCII only
   * @returns {Promise<unknown>} the reply
   * @throws what the server answered, when that was an error
   */
  call(...args) {
    return this.#send(request(args), 1);
  }

  /**
   * Sends many commands, keeping the server busy but the memory of neither side.
   *
   * @param {(index: number) => string[]} commandAt
   * @param {number} count
   * @param {number} [first] the first command's number
   * @throws the first error among the replies
   */
  async pipe(commandAt, count, first = 0) {
    /** @type {Promise<unknown>[]} */
    const underWay = [];
    for (let start = 0; start < count; start += commandsPerChunk) {
      const length = Math.min(commandsPerChunk, count - start);
      let text = '';
      for (let offset = 0; offset < length; offset++) text += request(commandAt(first + start + offset));
      underWay.push(this.#send(text, length));
      if (underWay.length >= chunksUnderWay) await underWay.shift();
    }
    await Promise.all(underWay);
  }

  close() {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  /**
   * @param {string} text
   * @param {number} replies
   */
  #send(text, replies) {
    const answered = new Promise((resolve, reject) => {
      this.#batches.push({ remaining: replies, last: undefined, error: undefined, resolve, reject });
    });
    // Whoever sends many waits for the oldest first; a later one may fail before its turn.
    answered.catch(() => {});
    this.#socket.write(text, 'latin1');
    return answered;
  }

  /** @param {unknown} reply */
  #answered(reply) {
    const batch = this.#batches[0];
    if (!batch) return;
    batch.last = reply;
    if (reply instanceof Error) batch.error ??= reply;
    if (--batch.remaining > 0) return;
    this.#batches.shift();
    if (batch.error) batch.reject(batch.error);
    else batch.resolve(batch.last);
  }

  /** @param {Error} error */
  #failed(error) {
    for (const batch of this.#batches.splice(0)) batch.reject(error);
  }
}

/** @param {string[]} args ASCII only */
export function request(args) {
  let text = `*${args.length}\r\n`;
  for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`;
  return text;
}
