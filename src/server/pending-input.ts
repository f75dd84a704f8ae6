import { allocateBytes } from '../base/word-view.js';

/** Smallest buffer; most of what stays pending is a piece of one short command. */
const SMALLEST_BYTES = 256;
/** A buffer up to this size is kept for a while: whoever sent one long command sends more of them. */
const KEPT_BYTES = 1024 * 1024;

/**
 * The bytes of a client that are not executed yet, from the first byte of a command on. It grows with what has
 * arrived, at most to twice that, and never to what was only announced; so every byte is copied a bounded number of
 * times, whatever the chunks.
 */
export class PendingInput {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  private usedLately = false;

  get length(): number {
    return this.end - this.start;
  }

  /**
   * Adds `source[from, to)`.
   *
   * @param awaitedEnd position up to which bytes are known to be needed, 0 when that is not known: a
   *   buffer that grows anyway is not made larger than that without reason.
   * @returns true when the bytes held before have another position now (it begins at 0 again).
   */
  append(source: Buffer, from: number, to: number, awaitedEnd: number): boolean {
    const size = to - from;
    const grown = this.end + size > this.bytes.length;
    const moved = grown && this.start > 0;
    if (grown) this.grow(this.length + size, awaitedEnd - this.start);
    source.copy(this.bytes, this.end, from, to);
    this.end += size;
    this.usedLately = true;
    return moved;
  }

  private grow(needed: number, awaited: number): void {
    const roomy = needed * 2;
    const capacity = awaited >= needed && awaited < roomy ? awaited : roomy;
    const larger = allocateBytes(Math.max(capacity, SMALLEST_BYTES));
    const held = this.length;
    this.bytes.copy(larger, 0, this.start, this.end);
    this.bytes = larger;
    this.start = 0;
    this.end = held;
  }

  /** Nothing is pending any more. */
  clear(): void {
    if (this.bytes.length > KEPT_BYTES) this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
  }

  /** Called now and then: gives back a buffer that was not needed since the last time. */
  shrink(): void {
    if (this.length === 0 && !this.usedLately) this.bytes = EMPTY;
    this.usedLately = false;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
