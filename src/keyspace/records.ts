import { copyBytes } from '../base/bytes.js';
import { Attached, Heap } from './heap.js';
import { type ExpireAt, NO_EXPIRY } from './mutations.js';
import {
  ATTACHED,
  attachmentId,
  attachmentOf,
  expiryHigh,
  expiryLow,
  headerBytes,
  INLINE_KEY_BYTES_MAX,
  INLINE_VALUE_BYTES_MAX,
  TIMED,
  wordIndex,
} from './record.js';
import type { Table } from './table.js';

/** A collection's table being freed, a bounded number of records at a time. */
interface Garbage {
  readonly table: Table;
  cursor: number;
}

/** Writes records into the heap, points at their parts, and frees them. */
export class Records {
  readonly heap = new Heap();
  /** Bits 8..31 of word 0 of new records: when they were last used (usage.ts). */
  usage = 0;

  /** The range that `locateKey` found. */
  keyBytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  /** The range that `locateValue` found. */
  valueBytes: Buffer = Buffer.alloc(0);
  valueStart = 0;
  valueEnd = 0;

  private readonly garbage: Garbage[] = [];

  /** A new record of these bytes. `flags` needs no TIMED or ATTACHED: they follow from what is given. */
  write(
    flags: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): number {
    const keyLength = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    let attachment: Attached | null = null;
    if (keyLength > INLINE_KEY_BYTES_MAX || valueLength > INLINE_VALUE_BYTES_MAX) {
      attachment = new Attached();
      if (keyLength > INLINE_KEY_BYTES_MAX) attachment.key = exactCopy(key, keyStart, keyEnd);
      if (valueLength > INLINE_VALUE_BYTES_MAX) attachment.value = exactCopy(value, valueStart, valueEnd);
    }
    const inlineValue = attachment?.value ? 0 : valueLength;
    const ref = this.begin(flags, key, keyStart, keyEnd, inlineValue, expireAt, attachment);
    const { heap } = this;
    heap.words[ref >>> 21]![wordIndex(ref) + 2] = valueLength;
    if (inlineValue > 0) copyBytes(value, valueStart, valueEnd, heap.bytes[ref >>> 21]!, this.writtenTo);
    return ref;
  }

  /** A new record whose value, if any, is all in `attachment` (which must hold a long key already). */
  writeAttached(
    flags: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueLength: number,
    expireAt: ExpireAt,
    attachment: Attached,
  ): number {
    const ref = this.begin(flags, key, keyStart, keyEnd, 0, expireAt, attachment);
    this.heap.words[ref >>> 21]![wordIndex(ref) + 2] = valueLength;
    return ref;
  }

  /** As `ref`, its attachment shared, with another expiry and other flags. */
  rewrite(ref: number, flags: number, valueLength: number, expireAt: ExpireAt): number {
    const { heap } = this;
    this.locateKey(ref);
    const { keyBytes, keyStart, keyEnd } = this;
    const id = attachmentId(heap, ref);
    if (id === 0) {
      this.locateValue(ref);
      const { valueBytes, valueStart } = this;
      const end = valueStart + valueLength;
      return this.write(flags, keyBytes, keyStart, keyEnd, valueBytes, valueStart, end, expireAt);
    }
    this.locateValue(ref);
    const { valueBytes, valueStart } = this;
    const attachment = heap.attachment(id);
    const inlineValue = attachment.value || attachment.fields ? 0 : valueLength;
    const copy = this.begin(flags, keyBytes, keyStart, keyEnd, inlineValue, expireAt, attachment, id);
    heap.words[copy >>> 21]![wordIndex(copy) + 2] = valueLength;
    if (inlineValue > 0) {
      const target = heap.bytes[copy >>> 21]!;
      copyBytes(valueBytes, valueStart, valueStart + valueLength, target, this.writtenTo);
    }
    return copy;
  }

  locateKey(ref: number): void {
    const { heap } = this;
    const words = heap.words[ref >>> 21]!;
    const at = wordIndex(ref);
    const length = words[at + 1]!;
    if (length > INLINE_KEY_BYTES_MAX) {
      this.keyBytes = attachmentOf(heap, ref)!.key!;
      this.keyStart = 0;
    } else {
      this.keyBytes = heap.bytes[ref >>> 21]!;
      this.keyStart = (at << 2) + headerBytes(words[at]!);
    }
    this.keyEnd = this.keyStart + length;
  }

  locateValue(ref: number): void {
    const { heap } = this;
    const words = heap.words[ref >>> 21]!;
    const at = wordIndex(ref);
    const flags = words[at]!;
    const keyLength = words[at + 1]!;
    const valueLength = words[at + 2]!;
    if ((flags & ATTACHED) !== 0) {
      const attachment = attachmentOf(heap, ref)!;
      if (attachment.value) {
        this.valueBytes = attachment.value;
        this.valueStart = 0;
        this.valueEnd = valueLength;
        return;
      }
    }
    this.valueBytes = heap.bytes[ref >>> 21]!;
    const inlineKey = keyLength > INLINE_KEY_BYTES_MAX ? 0 : keyLength;
    this.valueStart = (at << 2) + headerBytes(flags) + inlineKey;
    this.valueEnd = this.valueStart + valueLength;
  }

  /**
   * Frees a record that nothing refers to. Its attachment goes with it, unless `successor` shares it or it
   * has moved on.
   */
  dispose(ref: number, successor: number, moved: boolean): void {
    const { heap } = this;
    const id = attachmentId(heap, ref);
    if (id !== 0 && (successor === 0 || attachmentId(heap, successor) !== id)) {
      const { fields } = heap.detach(id);
      if (fields && !moved) this.disposeTable(fields);
    }
    heap.free(ref);
  }

  /** Frees a whole table, a little at a time (`collect`). */
  disposeTable(table: Table): void {
    table.disposed = true;
    this.garbage.push({ table, cursor: 0 });
  }

  /** Is something waiting to be freed? */
  get hasGarbage(): boolean {
    return this.garbage.length > 0;
  }

  /** Frees about `budget` records of disposed tables. */
  collect(budget: number): void {
    const current = this.garbage[0];
    if (!current) return;
    current.cursor = current.table.dict.scan(current.cursor, budget, (ref) => this.dispose(ref, 0, false));
    if (current.cursor !== 0) return;
    current.table.dict.dispose();
    this.garbage.shift();
  }

  /** Where `begin` left off: the place of the value in the slab. */
  private writtenTo = 0;

  private begin(
    flags: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    inlineValueBytes: number,
    expireAt: ExpireAt,
    attachment: Attached | null,
    attachedAs = 0,
  ): number {
    const { heap } = this;
    const keyLength = keyEnd - keyStart;
    const inlineKeyBytes = keyLength > INLINE_KEY_BYTES_MAX ? 0 : keyLength;
    const timed = expireAt !== NO_EXPIRY || (flags & TIMED) !== 0;
    const allFlags = flags | (timed ? TIMED : 0) | (attachment ? ATTACHED : 0);
    const header = headerBytes(allFlags);
    const ref = heap.allocate(header + inlineKeyBytes + inlineValueBytes);
    const words = heap.words[ref >>> 21]!;
    const at = wordIndex(ref);
    words[at] = allFlags | (this.usage << 8);
    words[at + 1] = keyLength;
    if (timed) {
      words[at + 3] = expiryLow(expireAt);
      words[at + 4] = expiryHigh(expireAt);
      words[at + 5] = 0;
    }
    if (attachment) words[at + (timed ? 6 : 3)] = attachedAs || heap.attach(attachment);
    const start = (at << 2) + header;
    if (inlineKeyBytes > 0) copyBytes(key, keyStart, keyEnd, heap.bytes[ref >>> 21]!, start);
    this.writtenTo = start + inlineKeyBytes;
    return ref;
  }
}

function exactCopy(bytes: Uint8Array, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
