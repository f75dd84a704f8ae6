import { writeInt64 } from '../../base/bytes.js';
import { allocateBytes } from '../../base/word-view.js';
import type { Request } from '../../resp/request.js';

/** What a program may give as a key, a field, a value or any other argument. */
export type Argument = string | Uint8Array | number | bigint;

const INITIAL_BYTES = 16 * 1024;
/** Above this the buffer of a large call is given back after it. */
const KEPT_BYTES = 1024 * 1024;
/** Up to so many characters a loop in JavaScript is quicker than the call into the runtime. */
const SHORT_TEXT = 40;
const INT64_DIGITS_MAX = 20;

/**
 * A program's arguments as bytes: text in UTF-8, numbers in decimal. One call's arguments lie behind each other
 * in one buffer, which the next call uses again.
 */
export class ArgumentWriter {
  bytes: Buffer = allocateBytes(INITIAL_BYTES);
  /** Where the next argument begins. */
  length = 0;

  /** The arguments written so far are no longer needed. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = allocateBytes(INITIAL_BYTES);
  }

  /** False when it is none of the types above: nothing is turned into text by guessing. */
  write(argument: Argument): boolean {
    if (typeof argument === 'string') this.text(argument);
    else if (typeof argument === 'number') this.number(argument);
    else if (typeof argument === 'bigint') this.text(argument.toString());
    else if (argument instanceof Uint8Array) this.copy(argument);
    else return false;
    return true;
  }

  /**
   * Fills `request` with a whole call. The request is valid until the writer is cleared.
   *
   * @throws TypeError when a program without type checking gave something else.
   */
  fill(request: Request, args: readonly Argument[]): void {
    this.clear();
    request.reserve(args.length);
    request.count = args.length;
    for (let i = 0; i < args.length; i++) {
      request.start[i] = this.length;
      if (!this.write(args[i]!)) {
        const kind = args[i] === null ? 'null' : typeof args[i];
        throw new TypeError(`an argument must be a string, a Uint8Array or a number, not ${kind}`);
      }
      request.end[i] = this.length;
    }
    request.bytes = this.bytes;
  }

  private text(text: string): void {
    this.reserve(text.length * 3);
    if (text.length > SHORT_TEXT || !this.ascii(text)) this.length += this.bytes.write(text, this.length);
  }

  /** False, and nothing written, when the text is more than ASCII. */
  private ascii(text: string): boolean {
    const { bytes, length } = this;
    for (let i = 0; i < text.length; i++) {
      const character = text.charCodeAt(i);
      if (character > 0x7f) return false;
      bytes[length + i] = character;
    }
    this.length = length + text.length;
    return true;
  }

  private number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.text(String(value));
      return;
    }
    this.reserve(INT64_DIGITS_MAX);
    this.length = writeInt64(value, this.bytes, this.length);
  }

  private copy(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  private reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const larger = allocateBytes(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
