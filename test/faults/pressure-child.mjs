/**
 * A process that does one thing for a test beside it and answers questions about it: what measures must not wait
 * for what presses, nor either of them for what compares.
 */
import { fork } from 'node:child_process';

/** @typedef {{ id: number, name: string, order: unknown }} Call */
/** @typedef {{ id: number, result?: unknown, error?: string }} Answer */

export class Child {
  /** @type {import('node:child_process').ChildProcess} */
  #process;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #nextId = 1;
  #ended;

  /** @param {URL} script that calls `serve` */
  constructor(script) {
    this.#process = fork(script);
    this.#process.on('message', (answer) => this.#answered(/** @type {Answer} */ (answer)));
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.values()) {
          reject(new Error(`${script.pathname} ended (${signal ?? code})`));
        }
        resolve(undefined);
      });
    });
  }

  /**
   * @param {string} name of one of the functions that the script serves
   * @param {unknown} [order] its argument, as JSON
   * @returns {Promise<any>} what it returned; rejected when it threw, or when the process ended first
   */
  call(name, order) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send(/** @type {Call} */ ({ id, name, order }));
    });
  }

  async end() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** @param {Answer} answer */
  #answered({ id, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}

/**
 * The other side: answers the parent's calls with these functions, until the parent ends.
 *
 * @param {Record<string, (order: any) => unknown>} functions
 */
export function serve(functions) {
  process.on('disconnect', () => process.exit());
  process.on('message', async (message) => {
    const { id, name, order } = /** @type {Call} */ (message);
    /** @type {Answer} */
    let answer;
    try {
      answer = { id, result: await functions[name]?.(order) };
    } catch (error) {
      answer = { id, error: String(error) };
    }
    process.send?.(answer);
  });
}
