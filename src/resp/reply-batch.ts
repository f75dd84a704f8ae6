import { ReplyWriter } from './reply-writer.js';

/** Where released replies go: a socket, or the in-process caller. */
export interface ReplySink {
  /**
   * Takes `bytes[start, end)`. Called only by a commit.
   *
   * @returns true when the sink still refers to `bytes` after the call (a socket that could not take all of
   * it at once), so that the buffer must not be written to again.
   */
  release(bytes: Buffer, start: number, end: number): boolean;
}

/**
 * The replies of one event-loop turn, for all clients, in the order they were written: one buffer, and who
 * gets which range of it. It travels with the commit group of its turn; the commit releases it, and there is
 * no second way to a socket.
 */
export class ReplyBatch {
  readonly writer = new ReplyWriter();
  private readonly sinks: ReplySink[] = [];
  private readonly starts: number[] = [];
  private count = 0;

  /** What is written from now on is for `sink`. Consecutive replies to one sink become one range. */
  address(sink: ReplySink): void {
    if (this.count > 0 && this.sinks[this.count - 1] === sink) return;
    this.sinks[this.count] = sink;
    this.starts[this.count] = this.writer.length;
    this.count++;
  }

  get empty(): boolean {
    return this.writer.length === 0;
  }

  /** Hands every range to its sink, in order, and is ready to be filled again. */
  release(): void {
    const { writer, sinks, starts, count } = this;
    const { bytes, length } = writer;
    let retained = false;
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      const end = i + 1 < count ? starts[i + 1]! : length;
      if (end > start && sinks[i]!.release(bytes, start, end)) retained = true;
    }
    this.clear();
    if (retained || bytes.length > SHRINK_ABOVE) writer.bytes = Buffer.allocUnsafeSlow(INITIAL);
  }

  /** Forgets the replies unreleased. */
  clear(): void {
    this.sinks.length = 0;
    this.count = 0;
    this.writer.length = 0;
  }
}

const INITIAL = 64 * 1024;
const SHRINK_ABOVE = 4 * 1024 * 1024;
