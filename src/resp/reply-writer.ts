import { copyBytes } from '../base/bytes.js';
import { formatDouble } from '../base/double.js';
import { allocateBytes } from '../base/word-view.js';

/**
 * Replies as RESP2 or RESP3 bytes, appended to one growing buffer that a commit later releases to the
 * sockets. Nothing here reaches a client by itself.
 *
 * `protocol` is the RESP version of the client being answered; the dispatcher sets it before each command.
 * RESP2 has no maps, sets, doubles, booleans or nulls of their own: each method writes the shape Redis uses
 * there.
 */
export class ReplyWriter {
  bytes: Buffer;
  /** Bytes written so far; a reply begins at the length the writer had before it. */
  length = 0;
  protocol: 2 | 3 = 2;

  constructor(capacity = 64 * 1024) {
    this.bytes = allocateBytes(capacity);
  }

  /** `+text`. Latin-1, without line breaks. */
  simple(text: string): void {
    this.line(0x2b, text);
  }

  ok(): void {
    const at = this.room(5);
    const bytes = this.bytes;
    bytes[at] = 0x2b;
    bytes[at + 1] = 0x4f;
    bytes[at + 2] = 0x4b;
    bytes[at + 3] = 0x0d;
    bytes[at + 4] = 0x0a;
    this.length = at + 5;
  }

  /** `-CODE message`. Line breaks in it become blanks: a client's bytes may be quoted in an error. */
  error(message: string): void {
    const safe = /[\r\n]/.test(message) ? message.replace(/[\r\n]/g, ' ') : message;
    const text = Buffer.from(safe, 'utf8');
    const at = this.room(text.length + 3);
    this.bytes[at] = 0x2d;
    text.copy(this.bytes, at + 1);
    this.length = at + 1 + text.length;
    this.crlf();
  }

  integer(value: number | bigint): void {
    this.room(24);
    this.bytes[this.length++] = 0x3a;
    if (typeof value === 'number') this.digits(value);
    else this.raw(value.toString());
    this.crlf();
  }

  /** A bulk string of raw bytes. */
  bulk(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.room(size + 32);
    this.bytes[this.length++] = 0x24;
    this.digits(size);
    this.crlf();
    copyBytes(source, start, end, this.bytes, this.length);
    this.length += size;
    this.crlf();
  }

  bulkBytes(value: Uint8Array): void {
    this.bulk(value, 0, value.length);
  }

  /** A bulk string of text, as UTF-8. */
  bulkText(text: string): void {
    const value = Buffer.from(text, 'utf8');
    this.bulk(value, 0, value.length);
  }

  /** The null of the protocol where a bulk string could have been: `$-1` or `_`. */
  nil(): void {
    this.room(8);
    this.raw(this.protocol === 3 ? '_\r\n' : '$-1\r\n');
  }

  /** The null of the protocol where an array could have been: `*-1` or `_`. */
  nilArray(): void {
    this.room(8);
    this.raw(this.protocol === 3 ? '_\r\n' : '*-1\r\n');
  }

  /** The head of an array of `size` elements, which follow as replies of their own. */
  array(size: number): void {
    this.head(0x2a, size);
  }

  /** The head of a map of `size` pairs; in RESP2 an array of twice as many elements. */
  map(size: number): void {
    if (this.protocol === 3) this.head(0x25, size);
    else this.head(0x2a, size * 2);
  }

  /** The head of a set; in RESP2 an array. */
  set(size: number): void {
    this.head(this.protocol === 3 ? 0x7e : 0x2a, size);
  }

  /** The head of an out-of-band push; in RESP2 an array. */
  push(size: number): void {
    this.head(this.protocol === 3 ? 0x3e : 0x2a, size);
  }

  /** A double; in RESP2 a bulk string (%.17g, as Redis's addReplyDouble). */
  double(value: number): void {
    const text = formatDouble(value);
    if (this.protocol === 3) this.line(0x2c, text);
    else this.bulkText(text);
  }

  /** A boolean; in RESP2 the integers 1 and 0. */
  boolean(value: boolean): void {
    this.room(8);
    if (this.protocol === 3) this.raw(value ? '#t\r\n' : '#f\r\n');
    else this.raw(value ? ':1\r\n' : ':0\r\n');
  }

  /** A verbatim string for people (`txt` or `mkd`); in RESP2 a bulk string. */
  verbatim(format: 'txt' | 'mkd', text: string): void {
    if (this.protocol === 2) {
      this.bulkText(text);
      return;
    }
    const value = Buffer.from(`${format}:${text}`, 'utf8');
    this.head(0x3d, value.length);
    const at = this.room(value.length + 2);
    value.copy(this.bytes, at);
    this.length = at + value.length;
    this.crlf();
  }

  /** Bytes that are RESP already. */
  encoded(source: Uint8Array): void {
    const at = this.room(source.length);
    this.bytes.set(source, at);
    this.length = at + source.length;
  }

  /** Takes back everything written after `length` was `mark`. */
  rewind(mark: number): void {
    this.length = mark;
  }

  /** Grows the buffer so that `size` more bytes fit; returns the write position. */
  private room(size: number): number {
    const needed = this.length + size;
    if (needed > this.bytes.length) this.grow(needed);
    return this.length;
  }

  private grow(needed: number): void {
    const larger = allocateBytes(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  private line(type: number, text: string): void {
    const at = this.room(text.length + 3);
    this.bytes[at] = type;
    this.length = at + 1;
    this.raw(text);
    this.crlf();
  }

  private head(type: number, size: number): void {
    this.room(16);
    this.bytes[this.length++] = type;
    this.digits(size);
    this.crlf();
  }

  /** Latin-1 text; the caller has made room. */
  private raw(text: string): void {
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  private crlf(): void {
    const at = this.room(2);
    this.bytes[at] = 0x0d;
    this.bytes[at + 1] = 0x0a;
    this.length = at + 2;
  }

  /** A safe integer in decimal; the caller has made room for 17 bytes. */
  private digits(value: number): void {
    const { bytes } = this;
    let rest = value;
    if (rest < 0) {
      bytes[this.length++] = 0x2d;
      rest = -rest;
    }
    if (rest < 10) {
      bytes[this.length++] = 0x30 + rest;
      return;
    }
    if (rest > 0x7fffffff) {
      this.raw(String(rest));
      return;
    }
    let size = 1;
    for (let limit = rest; limit >= 10; limit = (limit / 10) | 0) size++;
    let at = this.length + size;
    this.length = at;
    do {
      const next = (rest / 10) | 0;
      bytes[--at] = 0x30 + (rest - next * 10);
      rest = next;
    } while (rest > 0);
  }
}
