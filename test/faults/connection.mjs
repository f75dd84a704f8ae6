/**
 * A client that says exactly what it knows: a command was answered, or it was sent and never answered. It never
 * reconnects and never sends anything twice, which is what an oracle needs.
 */
import { createConnection } from 'node:net';
import RedisParser from 'redis-parser';

/**
 * A reply: bulk and simple strings as latin1 text (one character per byte), integers as numbers.
 *
 * @typedef {null | string | number | Error | readonly unknown[]} Reply
 */

export class Connection {
  /** @type {import('node:net').Socket} */
  #socket;
  /** @type {((reply: Reply) => void)[]} */
  #waiting = [];
  #closed = false;
  /** @type {Promise<void>} */
  closed;

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (reply) => this.#answer(asText(reply)),
      returnError: (error) => this.#answer(error),
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk) => parser.execute(chunk));
    // A server that was killed resets its connections: to the oracle that is the same as a close.
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#closed = true;
        resolve();
      });
    });
  }

  /**
   * @param {number} port
   * @returns {Promise<Connection>}
   */
  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  get isClosed() {
    return this.#closed;
  }

  /**
   * Sends commands in one piece. `onReply` is called for each of them in order; never, once the connection is lost.
   *
   * @param {readonly (readonly string[])[]} commands latin1 text, one character per byte
   * @param {(reply: Reply) => void} onReply
   */
  send(commands, onReply) {
    for (let i = 0; i < commands.length; i++) this.#waiting.push(onReply);
    this.#socket.write(commands.map(encode).join(''), 'latin1');
  }

  /**
   * The replies to all of them, errors among them as values.
   *
   * @param {readonly (readonly string[])[]} commands
   * @returns {Promise<Reply[]>} rejected when the connection is lost first
   */
  ask(commands) {
    return new Promise((resolve, reject) => {
      /** @type {Reply[]} */
      const replies = [];
      if (commands.length === 0) resolve(replies);
      this.closed.then(() => reject(new Error('the server closed the connection')));
      this.send(commands, (reply) => {
        if (replies.push(reply) === commands.length) resolve(replies);
      });
    });
  }

  /**
   * The reply to one command; an error reply is thrown.
   *
   * @param {string[]} command
   */
  async call(...command) {
    const [reply] = await this.ask([command]);
    if (reply instanceof Error) throw reply;
    return /** @type {Reply} */ (reply);
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {Reply} reply */
  #answer(reply) {
    this.#waiting.shift()?.(reply);
  }
}

/** @param {readonly string[]} command */
function encode(command) {
  return `*${command.length}\r\n${command.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`;
}

/**
 * @param {unknown} reply as redis-parser returns it
 * @returns {Reply}
 */
function asText(reply) {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (Array.isArray(reply)) return reply.map(asText);
  return /** @type {null | number | Error} */ (reply);
}
