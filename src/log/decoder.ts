import { type ExpireAt, FieldList, type MutationSink, NO_EXPIRY, Op } from '../keyspace/mutations.js';
import { RecordError } from './errors.js';
import { Msgpack, readUint32 } from './format.js';

const TWO_TO_32 = 0x100000000;
const SAFE_HIGH_HALF = 0x1fffff;
const INT63_HIGH_HALF = 0x7fffffff;
const FEWEST_ELEMENTS = 2;

/**
 * Decodes the records of a group's payload, `bytes[start .. end)`, and applies each to `sink` in order.
 *
 * Records are decoded in place, by hand: a general decoder makes an array and a Buffer per key and per value,
 * which is most of what a replay would cost. Nothing is accepted but the shapes of FORMAT.md, exactly. The byte
 * ranges handed to the sink point into `bytes` and are valid only during the call.
 *
 * @returns the number of records applied.
 * @throws RecordError with the offset of what does not belong there; the records before it have been applied.
 */
export function applyRecords(bytes: Uint8Array, start: number, end: number, sink: MutationSink): number {
  return new RecordDecoder(bytes, start, end, sink).run();
}

class RecordDecoder {
  private at: number;
  /** The byte range that `bin` read last. */
  private rangeStart = 0;
  private rangeEnd = 0;
  private fields: FieldList | undefined;

  constructor(
    private readonly bytes: Uint8Array,
    start: number,
    private readonly end: number,
    private readonly sink: MutationSink,
  ) {
    this.at = start;
  }

  run(): number {
    let records = 0;
    while (this.at < this.end) {
      this.record();
      records++;
    }
    return records;
  }

  private record(): void {
    const start = this.at;
    const elements = this.arrayLength();
    const op = this.byte();
    const db = this.database();
    switch (op) {
      case Op.setString:
        this.expectElements(elements === 5, elements, start);
        this.setString(db);
        break;
      case Op.setRange:
        this.expectElements(elements === 5, elements, start);
        this.setRange(db);
        break;
      case Op.delete:
        this.expectElements(elements === 3, elements, start);
        this.bin();
        this.sink.delete(db, this.bytes, this.rangeStart, this.rangeEnd);
        break;
      case Op.expireAt:
        this.expectElements(elements === 4, elements, start);
        this.expireAt(db);
        break;
      case Op.rename:
      case Op.copy:
        this.expectElements(elements === 5, elements, start);
        this.twoKeys(op, db);
        break;
      case Op.flush:
        this.expectElements(elements === 2, elements, start);
        this.sink.flush(db);
        break;
      case Op.swap:
        this.expectElements(elements === 3, elements, start);
        this.sink.swap(db, this.database());
        break;
      case Op.hashSet:
        this.expectElements(elements >= 6 && elements % 3 === 0, elements, start);
        this.hashSet(db, elements / 3 - 1);
        break;
      case Op.hashDelete:
        this.expectElements(elements >= 4, elements, start);
        this.hashDelete(db, elements - 3);
        break;
      case Op.hashExpireAt:
        this.expectElements(elements >= 5, elements, start);
        this.hashExpireAt(db, elements - 4);
        break;
      default:
        throw new RecordError(`unknown mutation number ${op}`, start);
    }
  }

  private setString(db: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    this.bin();
    const valueStart = this.rangeStart;
    const valueEnd = this.rangeEnd;
    const expireAt = this.expiry();
    this.sink.setString(db, this.bytes, keyStart, keyEnd, this.bytes, valueStart, valueEnd, expireAt);
  }

  private setRange(db: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    const offset = this.uint32();
    this.bin();
    const { bytes, rangeStart, rangeEnd } = this;
    this.sink.setRange(db, bytes, keyStart, keyEnd, offset, bytes, rangeStart, rangeEnd);
  }

  private expireAt(db: number): void {
    this.bin();
    this.sink.expireAt(db, this.bytes, this.rangeStart, this.rangeEnd, this.expiry());
  }

  private twoKeys(op: number, db: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    const toDb = this.database();
    this.bin();
    const { bytes, rangeStart, rangeEnd } = this;
    if (op === Op.rename) this.sink.rename(db, bytes, keyStart, keyEnd, toDb, bytes, rangeStart, rangeEnd);
    else this.sink.copy(db, bytes, keyStart, keyEnd, toDb, bytes, rangeStart, rangeEnd);
  }

  private hashSet(db: number, count: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    const fields = this.emptyFields();
    for (let i = 0; i < count; i++) {
      this.bin();
      const fieldStart = this.rangeStart;
      const fieldEnd = this.rangeEnd;
      this.bin();
      const valueStart = this.rangeStart;
      const valueEnd = this.rangeEnd;
      fields.add(fieldStart, fieldEnd, valueStart, valueEnd, this.expiry());
    }
    this.sink.hashSet(db, this.bytes, keyStart, keyEnd, fields);
  }

  private hashDelete(db: number, count: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    this.sink.hashDelete(db, this.bytes, keyStart, keyEnd, this.names(count));
  }

  private hashExpireAt(db: number, count: number): void {
    this.bin();
    const keyStart = this.rangeStart;
    const keyEnd = this.rangeEnd;
    const expireAt = this.expiry();
    this.sink.hashExpireAt(db, this.bytes, keyStart, keyEnd, this.names(count), expireAt);
  }

  private names(count: number): FieldList {
    const fields = this.emptyFields();
    for (let i = 0; i < count; i++) {
      this.bin();
      fields.addName(this.rangeStart, this.rangeEnd);
    }
    return fields;
  }

  /** One list serves every record of the group; sinks copy what they keep. */
  private emptyFields(): FieldList {
    this.fields ??= new FieldList();
    return this.fields.reset(this.bytes);
  }

  private byte(): number {
    if (this.at >= this.end) throw new RecordError('a record runs past the end of its group', this.at);
    return this.bytes[this.at++]!;
  }

  /** Claims `length` bytes and returns where they begin. */
  private take(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw new RecordError('a record runs past the end of its group', start);
    this.at = start + length;
    return start;
  }

  private arrayLength(): number {
    const start = this.at;
    const type = this.byte();
    if (type >= (Msgpack.fixarray | FEWEST_ELEMENTS) && type <= (Msgpack.fixarray | 15)) return type & 15;
    if (type === Msgpack.array32) return readUint32(this.bytes, this.take(4));
    throw new RecordError('not a record', start);
  }

  private database(): number {
    const start = this.at;
    const type = this.byte();
    if (type < 128) return type;
    if (type !== Msgpack.uint32) throw new RecordError('not a database number', start);
    return readUint32(this.bytes, this.take(4));
  }

  private uint32(): number {
    const start = this.at;
    if (this.byte() !== Msgpack.uint32) throw new RecordError('not an offset', start);
    return readUint32(this.bytes, this.take(4));
  }

  private bin(): void {
    const start = this.at;
    const type = this.byte();
    let length = 0;
    if (type === Msgpack.bin8) {
      length = this.byte();
    } else if (type === Msgpack.bin16) {
      const at = this.take(2);
      length = (this.bytes[at]! << 8) | this.bytes[at + 1]!;
    } else if (type === Msgpack.bin32) {
      length = readUint32(this.bytes, this.take(4));
    } else {
      throw new RecordError('not a byte string', start);
    }
    this.rangeStart = this.take(length);
    this.rangeEnd = this.at;
  }

  private expiry(): ExpireAt {
    const start = this.at;
    const type = this.byte();
    if (type === Msgpack.nil) return NO_EXPIRY;
    if (type !== Msgpack.uint64) throw new RecordError('not an expiry', start);
    const at = this.take(8);
    const high = readUint32(this.bytes, at);
    const low = readUint32(this.bytes, at + 4);
    if (high <= SAFE_HIGH_HALF) {
      const expireAt = high * TWO_TO_32 + low;
      if (expireAt === 0) throw new RecordError('an expiry of zero', start);
      return expireAt;
    }
    if (high > INT63_HIGH_HALF) throw new RecordError('an expiry beyond 2^63 - 1', start);
    return BigInt(high) * BigInt(TWO_TO_32) + BigInt(low);
  }

  private expectElements(fitting: boolean, elements: number, start: number): void {
    if (fitting) return;
    throw new RecordError(`a record of ${elements} elements does not fit its mutation number`, start);
  }
}
