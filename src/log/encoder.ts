import { assert } from '../base/assert.js';
import { copyBytes } from '../base/bytes.js';
import { allocateBytes } from '../base/word-view.js';
import { type ExpireAt, type FieldList, type MutationSink, NO_EXPIRY, Op } from '../keyspace/mutations.js';
import {
  GROUP_HEADER_BYTES,
  LARGEST_GROUP_BYTES,
  Msgpack,
  sealGroup,
  writeUint32,
  writeUint64,
} from './format.js';

const INITIAL_BYTES = 64 * 1024;
/** A buffer that one huge group made larger than this is given back when the group is done. */
const RETAINED_BYTES = 4 * 1024 * 1024;

/** Type byte and length of the longest `bin`, and of an expiry: more than any field of these kinds needs. */
const BIN_OVERHEAD = 5;
const EXPIRY_BYTES = 9;
/** Array header, operation and database in their longest forms. */
const RECORD_OVERHEAD = 5 + 1 + 5;
const NUMBER_BYTES = 5;

/** A place in a group under construction, to go back to. */
export interface GroupMark {
  readonly payloadBytes: number;
  readonly records: number;
}

/**
 * Collects the mutations of one commit group as msgpack records (FORMAT.md), in one buffer that also has room
 * for the group's header in front, so that a sealed group goes to the disk in one write without being copied.
 *
 * The bytes are written by hand because this runs for every write: no object is made per record. A test reads
 * them back with msgpackr.
 */
export class GroupEncoder implements MutationSink {
  /** After `seal`, the group is the first bytes of this buffer. Replaced when it grows or shrinks. */
  bytes: Buffer = allocateBytes(INITIAL_BYTES);
  /** Number of records since `clear`. */
  records = 0;
  private at = GROUP_HEADER_BYTES;

  get payloadBytes(): number {
    return this.at - GROUP_HEADER_BYTES;
  }

  /** Forgets every record. */
  clear(): void {
    this.at = GROUP_HEADER_BYTES;
    this.records = 0;
    if (this.bytes.length > RETAINED_BYTES) this.bytes = allocateBytes(RETAINED_BYTES);
  }

  mark(): GroupMark {
    return { payloadBytes: this.payloadBytes, records: this.records };
  }

  /** Forgets the records added since `mark`. */
  truncate(mark: GroupMark): void {
    assert(mark.payloadBytes <= this.payloadBytes, 'a mark ahead of the group it is for');
    this.at = GROUP_HEADER_BYTES + mark.payloadBytes;
    this.records = mark.records;
  }

  /**
   * Fills in the group's header. The group stays as it is and may be sealed again, or added to and sealed.
   *
   * @param durableSeq every group up to this one is known to be on the disk.
   * @param crcSeed `crcSeedOf` the segment that the group is for.
   * @returns the length of the group in bytes: it is `bytes[0 .. length)`.
   */
  seal(seq: number, atMs: number, durableSeq: number, crcSeed: number): number {
    assert(this.records > 0, 'a group without records is illegal in the log');
    sealGroup(this.bytes, this.at, seq, atMs, durableSeq, crcSeed);
    return this.at;
  }

  setString(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): void {
    const length = keyEnd - keyStart + (valueEnd - valueStart);
    this.reserve(RECORD_OVERHEAD + 2 * BIN_OVERHEAD + EXPIRY_BYTES + length);
    this.begin(5, Op.setString, db);
    this.bin(key, keyStart, keyEnd);
    this.bin(value, valueStart, valueEnd);
    this.expiry(expireAt);
  }

  setRange(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const length = keyEnd - keyStart + (valueEnd - valueStart);
    this.reserve(RECORD_OVERHEAD + 2 * BIN_OVERHEAD + NUMBER_BYTES + length);
    this.begin(5, Op.setRange, db);
    this.bin(key, keyStart, keyEnd);
    this.bytes[this.at] = Msgpack.uint32;
    writeUint32(this.bytes, this.at + 1, offset);
    this.at += NUMBER_BYTES;
    this.bin(value, valueStart, valueEnd);
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.reserve(RECORD_OVERHEAD + BIN_OVERHEAD + keyEnd - keyStart);
    this.begin(3, Op.delete, db);
    this.bin(key, keyStart, keyEnd);
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    this.reserve(RECORD_OVERHEAD + BIN_OVERHEAD + EXPIRY_BYTES + keyEnd - keyStart);
    this.begin(4, Op.expireAt, db);
    this.bin(key, keyStart, keyEnd);
    this.expiry(expireAt);
  }

  rename(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    this.twoKeys(Op.rename, db, key, keyStart, keyEnd, toDb, toKey, toStart, toEnd);
  }

  copy(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    this.twoKeys(Op.copy, db, key, keyStart, keyEnd, toDb, toKey, toStart, toEnd);
  }

  flush(db: number): void {
    this.reserve(RECORD_OVERHEAD);
    this.begin(2, Op.flush, db);
  }

  swap(db: number, otherDb: number): void {
    this.reserve(RECORD_OVERHEAD + NUMBER_BYTES);
    this.begin(3, Op.swap, db);
    this.database(otherDb);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    this.reserve(RECORD_OVERHEAD + BIN_OVERHEAD + keyEnd - keyStart);
    this.begin(3 + 3 * fields.length, Op.hashSet, db);
    this.bin(key, keyStart, keyEnd);
    for (let i = 0; i < fields.length; i++) {
      const { bytes } = fields;
      const fieldStart = fields.fieldStart[i]!;
      const fieldEnd = fields.fieldEnd[i]!;
      const valueStart = fields.valueStart[i]!;
      const valueEnd = fields.valueEnd[i]!;
      this.reserve(2 * BIN_OVERHEAD + EXPIRY_BYTES + fieldEnd - fieldStart + (valueEnd - valueStart));
      this.bin(bytes, fieldStart, fieldEnd);
      this.bin(bytes, valueStart, valueEnd);
      this.expiry(fields.expireAt[i]!);
    }
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    this.reserve(RECORD_OVERHEAD + BIN_OVERHEAD + keyEnd - keyStart);
    this.begin(3 + fields.length, Op.hashDelete, db);
    this.bin(key, keyStart, keyEnd);
    this.names(fields);
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    this.reserve(RECORD_OVERHEAD + BIN_OVERHEAD + EXPIRY_BYTES + keyEnd - keyStart);
    this.begin(4 + fields.length, Op.hashExpireAt, db);
    this.bin(key, keyStart, keyEnd);
    this.expiry(expireAt);
    this.names(fields);
  }

  private twoKeys(
    op: number,
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    const length = keyEnd - keyStart + (toEnd - toStart);
    this.reserve(RECORD_OVERHEAD + 2 * BIN_OVERHEAD + NUMBER_BYTES + length);
    this.begin(5, op, db);
    this.bin(key, keyStart, keyEnd);
    this.database(toDb);
    this.bin(toKey, toStart, toEnd);
  }

  private names(fields: FieldList): void {
    for (let i = 0; i < fields.length; i++) {
      const start = fields.fieldStart[i]!;
      const end = fields.fieldEnd[i]!;
      this.reserve(BIN_OVERHEAD + end - start);
      this.bin(fields.bytes, start, end);
    }
  }

  private begin(elements: number, op: number, db: number): void {
    if (elements <= 15) {
      this.bytes[this.at++] = Msgpack.fixarray | elements;
    } else {
      this.bytes[this.at] = Msgpack.array32;
      writeUint32(this.bytes, this.at + 1, elements);
      this.at += 5;
    }
    this.bytes[this.at++] = op;
    this.database(db);
    this.records++;
  }

  private database(db: number): void {
    if (db < 128) {
      this.bytes[this.at++] = db;
      return;
    }
    this.bytes[this.at] = Msgpack.uint32;
    writeUint32(this.bytes, this.at + 1, db);
    this.at += NUMBER_BYTES;
  }

  private bin(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    const length = end - start;
    let at = this.at;
    if (length < 0x100) {
      bytes[at] = Msgpack.bin8;
      bytes[at + 1] = length;
      at += 2;
    } else if (length < 0x10000) {
      bytes[at] = Msgpack.bin16;
      bytes[at + 1] = length >>> 8;
      bytes[at + 2] = length;
      at += 3;
    } else {
      bytes[at] = Msgpack.bin32;
      writeUint32(bytes, at + 1, length);
      at += 5;
    }
    copyBytes(source, start, end, bytes, at);
    this.at = at + length;
  }

  private expiry(expireAt: ExpireAt): void {
    const { bytes, at } = this;
    if (expireAt === NO_EXPIRY) {
      bytes[at] = Msgpack.nil;
      this.at = at + 1;
      return;
    }
    bytes[at] = Msgpack.uint64;
    if (typeof expireAt === 'number') writeUint64(bytes, at + 1, expireAt);
    else bytes.writeBigUInt64BE(expireAt, at + 1);
    this.at = at + EXPIRY_BYTES;
  }

  /** Makes room for `needed` more bytes. */
  private reserve(needed: number): void {
    if (this.at + needed > this.bytes.length) this.grow(this.at + needed);
  }

  private grow(needed: number): void {
    assert(
      needed <= LARGEST_GROUP_BYTES,
      `a commit group of ${needed} bytes is beyond what the log can hold`,
    );
    const grown = allocateBytes(Math.min(LARGEST_GROUP_BYTES, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}
