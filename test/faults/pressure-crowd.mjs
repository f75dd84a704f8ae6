/** Many connections in one process, each of which writes a key of its own and reads it back. */
import { createConnection } from 'node:net';
import { serve } from './pressure-child.mjs';

/** One that is refused says why before it is closed. @typedef {{ refusals: string[], closed: number }} Refused */

/** Connections under way at the same time: fewer than a server lets wait to be accepted. */
const CONNECTING_AT_ONCE = 256;
/** One that no writer of workload.mjs uses. */
const DATABASE = '14';
/** All of them are read in one thread, one after the other. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

/** @param {number} number @param {number} round */
const crowdValue = (number, round) => `value ${round} of ${number}`;

class Member {
  /** @type {import('node:net').Socket} */
  #socket;
  #received = '';
  #expected = '';
  /** @type {((right: boolean) => void) | undefined} */
  #answered;
  isOpen = false;
  /** What came although nothing was asked. */
  unasked = '';
  /** @type {Promise<void>} resolved with the connection open, or given up */
  opened;
  /** @type {Promise<void>} */
  closed;

  /** @param {number} port @param {number} number */
  constructor(port, number) {
    this.number = number;
    const onread = {
      buffer: readBuffer,
      callback: (/** @type {number} */ size) => this.#receive(readBuffer.toString('latin1', 0, size)),
    };
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true, onread });
    this.opened = new Promise((resolve) => {
      this.#socket.once('connect', () => {
        this.isOpen = true;
        resolve();
      });
      this.#socket.once('close', () => resolve());
    });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.isOpen = false;
        this.#answered?.(false);
        resolve();
      });
    });
    // What comes after is 'close'.
    this.#socket.on('error', () => {});
  }

  /**
   * SELECT, SET and GET in one piece.
   *
   * @param {number} round
   * @returns {Promise<boolean>} whether both were answered as they should be
   */
  writeAndRead(round) {
    const key = `crowd:${this.number}`;
    const value = crowdValue(this.number, round);
    this.#received = '';
    this.#expected = `+OK\r\n+OK\r\n$${value.length}\r\n${value}\r\n`;
    return new Promise((resolve) => {
      this.#answered = resolve;
      const commands = [
        ['SELECT', DATABASE],
        ['SET', key, value],
        ['GET', key],
      ];
      if (this.isOpen) this.#socket.write(commands.map(encode).join(''), 'latin1');
      else resolve(false);
    });
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {string} text */
  #receive(text) {
    if (this.#expected === '') this.unasked += text;
    this.#received += text;
    if (this.#received.length >= this.#expected.length) this.#answered?.(this.#received === this.#expected);
    return true;
  }
}

/** @param {readonly string[]} words of one character per byte */
function encode(words) {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** @type {Member[]} */
const members = [];

/**
 * Opens connections, each of which writes and reads as soon as it is open. They stay open.
 *
 * @param {{ port: number, count: number }} order
 * @returns {Promise<number>} how many were answered rightly
 */
async function open({ port, count }) {
  const last = members.length + count;
  let right = 0;
  const openNext = async () => {
    while (members.length < last) {
      const member = new Member(port, members.length);
      members.push(member);
      await member.opened;
      if (await member.writeAndRead(0)) right++;
    }
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, openNext));
  return right;
}

/**
 * All of them write and read, at the same time.
 *
 * @param {{ round: number }} order
 * @returns {Promise<number>} how many were answered rightly
 */
async function write({ round }) {
  const answers = await Promise.all(members.map((member) => member.writeAndRead(round)));
  return answers.filter((right) => right).length;
}

/**
 * Opens connections that the server should refuse, all at once, and waits until it has closed them.
 *
 * @param {{ port: number, count: number, patienceMs: number }} order
 * @returns {Promise<Refused>}
 */
async function beRefused({ port, count, patienceMs }) {
  const extra = Array.from({ length: count }, (_, i) => new Member(port, -i - 1));
  const patience = new Promise((resolve) => setTimeout(resolve, patienceMs));
  await Promise.race([patience, Promise.all(extra.map(({ closed }) => closed))]);
  const closed = extra.filter(({ isOpen }) => !isOpen).length;
  for (const member of extra) member.close();
  return { refusals: extra.map(({ unasked }) => unasked), closed };
}

function countOpen() {
  return members.filter(({ isOpen }) => isOpen).length;
}

/** @param {{ count: number }} order closes that many of the connections opened last */
async function close({ count }) {
  const leaving = members.splice(-count);
  for (const member of leaving) member.close();
  await Promise.all(leaving.map(({ closed }) => closed));
}

serve({ open, write, beRefused, countOpen, close });
