import { copyBytes } from '../base/bytes.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';

/** What the changes since the last transaction make of a key or a field. */
export enum Change {
  /** Only its expiry may differ from the snapshot's. */
  none,
  absent,
  /** A string key, or a field with a value. */
  value,
  /** A hash: `fields` says what differs, or is all there is where `replaces` is set. */
  hash,
}

/** Bytes that one entry costs beside its value: the object, its place in a Map and its name, measured roughly. */
const ENTRY_BYTES = 200;
const SLAB_BYTES = 1024 * 1024;
/** A value from this size on gets a buffer of its own, so that a slab's end is never a large waste. */
const OWN_BUFFER_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/** A value in memory, and the expiry beside it. */
export class Pending {
  change = Change.none;
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** Bytes reserved from `start`: a value that fits is replaced, or grows, in place. */
  capacity = 0;
  expireAt: ExpireAt = NO_EXPIRY;
  /** True when the snapshot's expiry is to be overwritten by `expireAt`; implied by a value. */
  expirySet = false;

  get length(): number {
    return this.end - this.start;
  }

  setExpiry(expireAt: ExpireAt): void {
    this.expireAt = expireAt;
    this.expirySet = true;
  }
}

export class PendingKey extends Pending {
  /** True when nothing of the snapshot's key remains. */
  replaces = false;
  /** By name, one character for each byte. Only where `change` is `hash`. */
  fields: Map<string, Pending> = NO_FIELDS;

  becomeValue(): void {
    this.change = Change.value;
    this.replaces = true;
    this.expirySet = true;
    this.fields = NO_FIELDS;
  }

  becomeAbsent(): void {
    this.change = Change.absent;
    this.replaces = true;
    this.expirySet = false;
    this.fields = NO_FIELDS;
  }

  /** From `none` (the snapshot's fields stay) or `absent` (there are none). */
  becomeHash(): void {
    if (this.change === Change.absent) this.setExpiry(NO_EXPIRY);
    this.change = Change.hash;
    this.fields = new Map();
  }
}

const NO_FIELDS: Map<string, Pending> = new Map();

/**
 * What has changed since the last transaction, as the last state of each key and field: a key that is written
 * a thousand times costs one row.
 *
 * Names are latin1 strings, one character for each byte: exact for any bytes, hashed by the engine, and their
 * order is the order of the bytes, which is the order of the rows. Values are copied into large slabs, because
 * a Buffer for each would cost more than most of them hold.
 */
export class Overlay {
  readonly databases = new Map<number, Map<string, PendingKey>>();
  /** Memory in use, in bytes, by estimate; it only grows until `clear`. */
  bytes = 0;
  private slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  private slabUsed = 0;

  find(db: number, key: string): PendingKey | undefined {
    return this.databases.get(db)?.get(key);
  }

  findOrAdd(db: number, key: string): PendingKey {
    const keys = this.database(db);
    const found = keys.get(key);
    if (found !== undefined) return found;
    const pending = new PendingKey();
    this.bytes += ENTRY_BYTES + key.length;
    keys.set(key, pending);
    return pending;
  }

  put(db: number, key: string, pending: PendingKey): void {
    this.bytes += ENTRY_BYTES + key.length;
    this.database(db).set(key, pending);
  }

  remove(db: number, key: string): void {
    this.databases.get(db)?.delete(key);
  }

  field(owner: PendingKey, field: string): Pending {
    const found = owner.fields.get(field);
    if (found !== undefined) return found;
    const pending = new Pending();
    this.bytes += ENTRY_BYTES + field.length;
    owner.fields.set(field, pending);
    return pending;
  }

  /** Copies a value in, over the one before where it fits. */
  store(pending: Pending, source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > pending.capacity) this.reserve(pending, length);
    copyBytes(source, start, end, pending.bytes, pending.start);
    pending.end = pending.start + length;
  }

  /** Writes bytes at an offset of the value, with zeros before it where the value ends earlier. */
  storeRange(pending: Pending, offset: number, source: Uint8Array, start: number, end: number): void {
    const length = Math.max(pending.length, offset + end - start);
    if (length > pending.capacity) this.grow(pending, length);
    if (offset > pending.length) pending.bytes.fill(0, pending.end, pending.start + offset);
    copyBytes(source, start, end, pending.bytes, pending.start + offset);
    pending.end = pending.start + length;
  }

  /** Exchanges two databases: what is pending for one is pending for the other. */
  swap(db: number, otherDb: number): void {
    const keys = this.database(db);
    this.databases.set(db, this.database(otherDb));
    this.databases.set(otherDb, keys);
  }

  dropDatabase(db: number): void {
    this.databases.delete(db);
  }

  clear(): void {
    this.databases.clear();
    this.bytes = 0;
    this.slabUsed = 0;
  }

  private database(db: number): Map<string, PendingKey> {
    let keys = this.databases.get(db);
    if (keys === undefined) {
      keys = new Map();
      this.databases.set(db, keys);
    }
    return keys;
  }

  /** Half as much again, so that a value built by many small appends is not copied for each of them. */
  private grow(pending: Pending, length: number): void {
    const { bytes, start, end } = pending;
    this.reserve(pending, pending.capacity === 0 ? length : length + (length >>> 1));
    bytes.copy(pending.bytes, pending.start, start, end);
    pending.end = pending.start + (end - start);
  }

  private reserve(pending: Pending, length: number): void {
    this.bytes += length;
    pending.capacity = length;
    if (length >= OWN_BUFFER_BYTES) {
      pending.bytes = Buffer.allocUnsafeSlow(length);
      pending.start = 0;
      return;
    }
    if (this.slabUsed + length > SLAB_BYTES) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.slabUsed = 0;
    }
    pending.bytes = this.slab;
    pending.start = this.slabUsed;
    this.slabUsed += length;
  }
}
