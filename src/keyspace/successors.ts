import { assert } from '../base/assert.js';
import { Attached } from './heap.js';
import { type ExpireAt, NO_EXPIRY } from './mutations.js';
import {
  attachmentId,
  attachmentOf,
  EDITED,
  expiryOf,
  FIELDS_TIMED,
  flagsOf,
  INLINE_KEY_BYTES_MAX,
  TIMED,
  TYPE_MASK,
  TYPE_STRING,
  wordIndex,
} from './record.js';
import type { Records } from './records.js';
import type { Table } from './table.js';

/** Appending to a long string copies it only each time it has grown by a quarter. */
const APPEND_GROWTH = 1.25;

/** New records made of old ones: what the keyspace needs to change a key without changing its record. */
export class Successors {
  private readonly records: Records;

  constructor(records: Records) {
    this.records = records;
  }

  /** The same value with another expiry. */
  withExpiry(old: number, expireAt: ExpireAt): number {
    const { records } = this;
    const flags = flagsOf(records.heap, old);
    const fieldsTimed = (flags & FIELDS_TIMED) !== 0 ? FIELDS_TIMED | TIMED : 0;
    const kept = (flags & (TYPE_MASK | EDITED)) | fieldsTimed;
    const valueLength = records.heap.words[old >>> 21]![wordIndex(old) + 2]!;
    return records.rewrite(old, kept, valueLength, expireAt);
  }

  /** A record of the same value and expiry under another key; `fields` replaces the fields of a large hash. */
  renamed(old: number, key: Uint8Array, start: number, end: number, fields: Table | null): number {
    const { records } = this;
    const flags = flagsOf(records.heap, old);
    const kept = flags & (TYPE_MASK | EDITED | FIELDS_TIMED | TIMED);
    const expireAt = expiryOf(records.heap, old);
    const attachment = attachmentOf(records.heap, old);
    records.locateValue(old);
    const { valueBytes, valueStart, valueEnd } = records;
    if (!attachment?.fields) {
      return records.write(kept, key, start, end, valueBytes, valueStart, valueEnd, expireAt);
    }
    const moved = new Attached();
    moved.fields = fields ?? attachment.fields;
    if (end - start > INLINE_KEY_BYTES_MAX) moved.key = Buffer.from(key.subarray(start, end));
    return records.writeAttached(kept, key, start, end, 0, expireAt, moved);
  }

  /** A string with bytes written into it at an offset, zero bytes up to it; `old` is 0 for a new one. */
  editedString(
    old: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): number {
    const { records } = this;
    const expireAt = old === 0 ? NO_EXPIRY : expiryOf(records.heap, old);
    let oldLength = 0;
    if (old !== 0) {
      assert(
        (flagsOf(records.heap, old) & TYPE_MASK) === TYPE_STRING,
        'setRange on a key that is not a string',
      );
      records.locateValue(old);
      oldLength = records.valueEnd - records.valueStart;
    }
    const end = offset + (valueEnd - valueStart);
    const length = Math.max(oldLength, end);
    if (
      old !== 0 &&
      offset >= oldLength &&
      this.appendInPlace(old, oldLength, offset, value, valueStart, valueEnd)
    ) {
      return records.rewrite(old, TYPE_STRING | EDITED, length, expireAt);
    }
    const whole = Buffer.alloc(length);
    if (old !== 0) whole.set(records.valueBytes.subarray(records.valueStart, records.valueEnd));
    whole.set(value.subarray(valueStart, valueEnd), offset);
    return records.write(TYPE_STRING | EDITED, key, keyStart, keyEnd, whole, 0, length, expireAt);
  }

  /**
   * A long string grows in its own buffer: bytes past the old length belong to no record but the new one,
   * so the old record still reads what it did. False when the value is not attached.
   */
  private appendInPlace(
    old: number,
    oldLength: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const { heap } = this.records;
    if (attachmentId(heap, old) === 0) return false;
    const attachment = attachmentOf(heap, old)!;
    if (!attachment.value) return false;
    const length = offset + (valueEnd - valueStart);
    if (length > attachment.value.length) {
      const larger = Buffer.allocUnsafeSlow(Math.ceil(length * APPEND_GROWTH));
      larger.set(attachment.value.subarray(0, oldLength));
      heap.replaceValue(attachment, larger);
    }
    attachment.value.fill(0, oldLength, offset);
    attachment.value.set(value.subarray(valueStart, valueEnd), offset);
    return true;
  }
}
