import { copyBytes, equalBytes } from '../base/bytes.js';
import { withWordView } from '../base/word-view.js';
import { type ExpireAt, NO_EXPIRY } from './mutations.js';
import { expiryHigh, expiryLow, joinExpiry } from './record.js';

/**
 * A small hash as one run of bytes, in the order its fields were added: what a listpack is in Redis.
 *
 * ```
 * count    2 bytes, little-endian
 * then for each field
 *   varint   length of the field * 2, + 1 when the field has an expiry of its own
 *   varint   length of the value
 *   8 bytes  only with an expiry: absolute ms, low word then high word, little-endian
 *   bytes    field, value
 * ```
 */
const HEAD_BYTES = 2;

/** Walks over the fields of a packed hash; its properties are the current field. One is reused for all. */
export class PackedReader {
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  entryStart = 0;
  fieldStart = 0;
  fieldEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  timed = false;
  private expiryAt = 0;
  private at = 0;
  private left = 0;

  open(bytes: Uint8Array, start: number): this {
    this.bytes = bytes;
    this.count = bytes[start]! | (bytes[start + 1]! << 8);
    this.left = this.count;
    this.at = start + HEAD_BYTES;
    return this;
  }

  /** Goes on to the next field; false after the last. */
  next(): boolean {
    if (this.left === 0) return false;
    this.left--;
    this.entryStart = this.at;
    const fieldHead = this.varint();
    const valueLength = this.varint();
    this.timed = (fieldHead & 1) === 1;
    if (this.timed) {
      this.expiryAt = this.at;
      this.at += 8;
    }
    this.fieldStart = this.at;
    this.fieldEnd = this.fieldStart + (fieldHead >>> 1);
    this.valueStart = this.fieldEnd;
    this.valueEnd = this.valueStart + valueLength;
    this.at = this.valueEnd;
    return true;
  }

  /** Goes on to the field of this name; false when there is none. */
  seek(field: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    while (this.next()) {
      if (
        this.fieldEnd - this.fieldStart === length &&
        equalBytes(this.bytes, this.fieldStart, this.fieldEnd, field, start, end)
      ) {
        return true;
      }
    }
    return false;
  }

  /** The current field's own expiry. */
  get expireAt(): ExpireAt {
    if (!this.timed) return NO_EXPIRY;
    return joinExpiry(word(this.bytes, this.expiryAt), word(this.bytes, this.expiryAt + 4));
  }

  /** The same as a double, Infinity for none: for comparing with now. */
  get dueMs(): number {
    if (!this.timed) return Number.POSITIVE_INFINITY;
    return word(this.bytes, this.expiryAt + 4) * 4294967296 + (word(this.bytes, this.expiryAt) >>> 0);
  }

  private varint(): number {
    const { bytes } = this;
    let byte = bytes[this.at++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; ; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}

/** A packed hash being changed: a copy in a scratch buffer, to be written out as a new record. */
export class PackedEditor {
  bytes = withWordView(new Uint8Array(4096));
  /** Bytes in use. */
  length = HEAD_BYTES;
  /** The longest field or value written since `load`, in bytes. */
  longestElement = 0;
  private readonly reader = new PackedReader();

  get count(): number {
    return this.bytes[0]! | (this.bytes[1]! << 8);
  }

  clear(): this {
    this.length = HEAD_BYTES;
    this.longestElement = 0;
    this.setCount(0);
    return this;
  }

  load(bytes: Uint8Array, start: number, end: number): this {
    this.length = 0;
    this.longestElement = 0;
    this.reserve(end - start);
    copyBytes(bytes, start, end, this.bytes, 0);
    this.length = end - start;
    return this;
  }

  set(
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): void {
    const fieldLength = fieldEnd - fieldStart;
    const valueLength = valueEnd - valueStart;
    this.longestElement = Math.max(this.longestElement, fieldLength, valueLength);
    const timed = expireAt !== NO_EXPIRY;
    const fieldHead = fieldLength * 2 + (timed ? 1 : 0);
    const size =
      varintBytes(fieldHead) + varintBytes(valueLength) + (timed ? 8 : 0) + fieldLength + valueLength;
    let at = this.makeRoom(field, fieldStart, fieldEnd, size);
    at = this.putVarint(at, fieldHead);
    at = this.putVarint(at, valueLength);
    if (timed) {
      putWord(this.bytes, at, expiryLow(expireAt));
      putWord(this.bytes, at + 4, expiryHigh(expireAt));
      at += 8;
    }
    copyBytes(field, fieldStart, fieldEnd, this.bytes, at);
    copyBytes(value, valueStart, valueEnd, this.bytes, at + fieldLength);
  }

  /** @returns whether the field was there. */
  delete(field: Uint8Array, start: number, end: number): boolean {
    const { reader } = this;
    if (!reader.open(this.bytes, 0).seek(field, start, end)) return false;
    this.bytes.copyWithin(reader.entryStart, reader.valueEnd, this.length);
    this.length -= reader.valueEnd - reader.entryStart;
    this.setCount(this.count - 1);
    return true;
  }

  /** Changes a field's expiry; the field must be there. */
  setExpiry(field: Uint8Array, start: number, end: number, expireAt: ExpireAt): void {
    const { reader } = this;
    if (!reader.open(this.bytes, 0).seek(field, start, end)) return;
    const value = this.bytes.slice(reader.valueStart, reader.valueEnd);
    this.set(field, start, end, value, 0, value.length, expireAt);
  }

  /**
   * Opens a gap of `size` bytes for the field's entry, in place of the one there is, or at the end.
   *
   * @returns where the gap begins.
   */
  private makeRoom(field: Uint8Array, start: number, end: number, size: number): number {
    const { reader } = this;
    this.reserve(this.length + size);
    if (!reader.open(this.bytes, 0).seek(field, start, end)) {
      const at = this.length;
      this.length += size;
      this.setCount(this.count + 1);
      return at;
    }
    const { entryStart, valueEnd } = reader;
    const grownBy = size - (valueEnd - entryStart);
    if (grownBy !== 0) {
      this.bytes.copyWithin(valueEnd + grownBy, valueEnd, this.length);
      this.length += grownBy;
    }
    return entryStart;
  }

  private reserve(size: number): void {
    if (size <= this.bytes.length) return;
    const larger = withWordView(new Uint8Array(Math.max(size, this.bytes.length * 2)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  private setCount(count: number): void {
    this.bytes[0] = count & 0xff;
    this.bytes[1] = count >>> 8;
  }

  private putVarint(at: number, value: number): number {
    let position = at;
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[position++] = rest;
    return position;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
  bytes[at + 2] = (value >>> 16) & 0xff;
  bytes[at + 3] = (value >>> 24) & 0xff;
}
