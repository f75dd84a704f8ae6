/** Tells a person who waits what is being measured: one line that changes on a terminal, plain lines elsewhere. */

export class Progress {
  #stream;
  #startedAtMs = performance.now();

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream) {
    this.#stream = stream;
  }

  /** @param {string} text */
  step(text) {
    const line = `${this.#elapsed()} ${text}`;
    if (!this.#stream.isTTY) this.#stream.write(`${line}\n`);
    else this.#stream.write(`\r\x1b[K${line.slice(0, this.#stream.columns - 1)}`);
  }

  /** Leaves the terminal as it was. */
  end() {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }

  #elapsed() {
    const seconds = Math.round((performance.now() - this.#startedAtMs) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }
}
