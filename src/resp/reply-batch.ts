import { allocateBytes } from '../base/word-view.js';
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

/** Told once a batch has been released. */
export interface ReleaseListener {
  batchReleased(): void;
}

/**
 * The replies of one event-loop turn, for all clients, in the order they were written: one buffer, and who
 * gets which range of it. It travels with the commit group of its turn; the commit releases it, and there is
 * no second way to a socket.
 */
export class ReplyBatch {
  writer = new ReplyWriter();
  /** Number of commands answered. */
  count = 0;
  private readonly sinks: ReplySink[] = [];
  private starts = new Int32Array(INITIAL_COMMANDS);
  /** 1: the reply tells something of the data, or promises a change of them. */
  private ofData = new Uint8Array(INITIAL_COMMANDS);
  private listeners: ReleaseListener[] = [];

  /** What is written from now on is the reply to one command of `sink`. */
  address(sink: ReplySink): void {
    const i = this.count++;
    if (i === this.starts.length) this.grow();
    this.sinks[i] = sink;
    this.starts[i] = this.writer.length;
    this.ofData[i] = 0;
  }

  /** The command being answered reads or writes data. */
  dependsOnData(): void {
    this.ofData[this.count - 1] = 1;
  }

  /**
   * Tells `listener` once, after the replies of this batch have gone to their sinks: a connection that has to
   * be closed after its last reply, or one that goes on reading only then. A batch without replies is
   * released too when somebody waits for it.
   */
  afterRelease(listener: ReleaseListener): void {
    this.listeners.push(listener);
  }

  /** Nothing has been addressed to anybody, and nobody waits for the release. */
  get empty(): boolean {
    return this.count === 0 && this.listeners.length === 0;
  }

  /** Hands every range to its sink, in order, and is ready to be filled again. */
  release(): void {
    const { writer, sinks, starts, count } = this;
    const { bytes, length } = writer;
    let retained = false;
    let i = 0;
    while (i < count) {
      const sink = sinks[i]!;
      const start = starts[i]!;
      // Consecutive replies to one client are one write.
      do i++;
      while (i < count && sinks[i] === sink);
      const end = i < count ? starts[i]! : length;
      if (end > start && sink.release(bytes, start, end)) retained = true;
    }
    this.clear();
    if (retained || bytes.length > SHRINK_ABOVE) writer.bytes = allocateBytes(INITIAL_BYTES);
    if (this.listeners.length > 0) this.tellListeners();
  }

  private tellListeners(): void {
    const { listeners } = this;
    this.listeners = [];
    for (const listener of listeners) listener.batchReleased();
  }

  /**
   * The data that replies from command `from` on speak of will not be: each becomes this error. Replies that
   * have nothing to do with the data stay.
   */
  refuse(from: number, message: string): void {
    const { writer, starts, count } = this;
    const refused = new ReplyWriter(writer.bytes.length);
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      const end = i + 1 < count ? starts[i + 1]! : writer.length;
      starts[i] = refused.length;
      if (i < from || this.ofData[i] === 0) refused.encoded(writer.bytes.subarray(start, end));
      // A client that asked for no reply gets none now either.
      else if (end > start) refused.error(message);
    }
    this.writer = refused;
  }

  /** Forgets the replies unreleased. Listeners stay: what they wait for is the release. */
  clear(): void {
    // The sinks stay referenced until they are overwritten: a few clients longer than they live.
    this.count = 0;
    this.writer.length = 0;
    if (this.sinks.length > SINKS_KEPT) this.sinks.length = 0;
  }

  private grow(): void {
    const starts = new Int32Array(this.starts.length * 2);
    starts.set(this.starts);
    this.starts = starts;
    const ofData = new Uint8Array(this.ofData.length * 2);
    ofData.set(this.ofData);
    this.ofData = ofData;
  }
}

const INITIAL_BYTES = 64 * 1024;
const SHRINK_ABOVE = 4 * 1024 * 1024;
const INITIAL_COMMANDS = 4096;
const SINKS_KEPT = 16384;
