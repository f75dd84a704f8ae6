import { equalsWord, latin1, parseInt64, utf8 } from '../base/bytes.js';

/**
 * One decoded command: ranges over the buffer it arrived in, nothing copied. The decoder owns one Request
 * and fills it anew for every command, so whatever a handler keeps it must copy.
 *
 * Argument 0 is the command's name.
 */
export class Request {
  bytes: Uint8Array = new Uint8Array(0);
  /** Number of arguments, the name included. */
  count = 0;
  start = new Int32Array(64);
  end = new Int32Array(64);

  /** Makes room for `count` arguments, keeping the ranges already there. */
  reserve(count: number): void {
    if (count <= this.start.length) return;
    const capacity = Math.max(count, this.start.length * 2);
    const start = new Int32Array(capacity);
    const end = new Int32Array(capacity);
    start.set(this.start);
    end.set(this.end);
    this.start = start;
    this.end = end;
  }

  /** Length of argument `i` in bytes. */
  length(i: number): number {
    return this.end[i]! - this.start[i]!;
  }

  /** Is argument `i` this word (given in upper case), in any case of letters? */
  is(i: number, word: string): boolean {
    return equalsWord(this.bytes, this.start[i]!, this.end[i]!, word);
  }

  /** Argument `i` as a strict int64 (base/bytes.ts), undefined when it is not one. */
  int64(i: number): number | bigint | undefined {
    return parseInt64(this.bytes, this.start[i]!, this.end[i]!);
  }

  /** Argument `i` as text for a person or a name; UTF-8. */
  text(i: number): string {
    return utf8(this.bytes, this.start[i]!, this.end[i]!);
  }

  /** Argument `i`, one character per byte, exact for any bytes. */
  latin1(i: number): string {
    return latin1(this.bytes, this.start[i]!, this.end[i]!);
  }

  /** A view of argument `i`, valid only while the command runs. */
  view(i: number): Buffer {
    const start = this.start[i]!;
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, this.end[i]! - start);
  }

  /** A copy of argument `i` that may be kept. */
  copy(i: number): Buffer {
    return Buffer.from(this.view(i));
  }

  /** Fills this request with copied arguments (a queued command, or one made in process). */
  load(args: readonly Uint8Array[]): this {
    let total = 0;
    for (const arg of args) total += arg.length;
    const bytes = Buffer.allocUnsafe(total);
    this.reserve(args.length);
    let at = 0;
    for (let i = 0; i < args.length; i++) {
      bytes.set(args[i]!, at);
      this.start[i] = at;
      at += args[i]!.length;
      this.end[i] = at;
    }
    this.bytes = bytes;
    this.count = args.length;
    return this;
  }
}
