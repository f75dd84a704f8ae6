import { Attached } from './heap.js';
import { type ExpireAt, type FieldList, NO_EXPIRY } from './mutations.js';
import { PackedEditor, PackedReader } from './packed-hash.js';
import {
  attachmentOf,
  dueMs,
  expiryOf,
  FIELDS_TIMED,
  flagsOf,
  INLINE_KEY_BYTES_MAX,
  INLINE_VALUE_BYTES_MAX,
  TIMED,
  TYPE_LARGE_HASH,
  TYPE_MASK,
  TYPE_PACKED_HASH,
  TYPE_STRING,
} from './record.js';
import type { Records } from './records.js';
import type { Table } from './table.js';
import type { UndoLog } from './undo.js';

/** Called with byte ranges valid only during the call. Must not mutate the keyspace. */
export type FieldVisitor = (
  field: Uint8Array,
  fieldStart: number,
  fieldEnd: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
  expireAt: ExpireAt,
) => void;

/** When a hash leaves its packed form, as Redis's options of these names. */
export interface PackingLimits {
  /** hash-max-listpack-entries */
  fields: number;
  /** hash-max-listpack-value, in bytes of a field or a value */
  elementBytes: number;
}

/**
 * Hashes, packed and large, as new records: what the keyspace needs to change and read them. It knows no
 * database and no journal.
 */
export class Hashes {
  /** The value that `find` found. */
  valueBytes: Uint8Array = new Uint8Array(0);
  valueStart = 0;
  valueEnd = 0;
  fieldExpireAt: ExpireAt = NO_EXPIRY;

  readonly limits: PackingLimits = { fields: 128, elementBytes: 64 };

  private readonly records: Records;
  private readonly undo: UndoLog;
  private readonly newTable: (handler: { dueMs(ref: number): number; expire(ref: number): void }) => Table;
  private readonly reader = new PackedReader();
  private readonly editor = new PackedEditor();
  /** Fields that a large hash's wheel brought up, while `expiredFields` runs. */
  private expiredRefs: number[] = [];

  constructor(records: Records, undo: UndoLog, newTable: Hashes['newTable']) {
    this.records = records;
    this.undo = undo;
    this.newTable = newTable;
  }

  /** The record of the hash with these fields set; `ref` is the present one, 0 for none. */
  set(ref: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): number {
    const table = ref === 0 ? null : this.tableOf(ref);
    if (table) {
      this.setInTable(table, fields);
      return this.withFlags(ref, table);
    }
    if (!this.fits(fields)) return this.unpackAndSet(ref, key, keyStart, keyEnd, fields);
    const editor = ref === 0 ? this.editor.clear() : this.edit(ref);
    for (let i = 0; i < fields.length; i++) {
      const { bytes } = fields;
      const valueStart = fields.valueStart[i]!;
      const valueEnd = fields.valueEnd[i]!;
      const fieldStart = fields.fieldStart[i]!;
      editor.set(bytes, fieldStart, fields.fieldEnd[i]!, bytes, valueStart, valueEnd, fields.expireAt[i]!);
    }
    if (editor.count > this.limits.fields || editor.length > INLINE_VALUE_BYTES_MAX) {
      return this.unpackAndSet(ref, key, keyStart, keyEnd, fields);
    }
    return this.writePacked(ref, key, keyStart, keyEnd);
  }

  /** The record of the hash without these fields; at least one must be left. */
  delete(ref: number, fields: FieldList): number {
    const table = this.tableOf(ref);
    if (table) {
      for (let i = 0; i < fields.length; i++) {
        this.removeField(table, fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!);
      }
      return ref;
    }
    const editor = this.edit(ref);
    for (let i = 0; i < fields.length; i++) {
      editor.delete(fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!);
    }
    return this.rewritePacked(ref);
  }

  /** The record of the hash with these fields' own expiry changed. */
  setExpiry(ref: number, fields: FieldList, expireAt: ExpireAt): number {
    const table = this.tableOf(ref);
    if (table) {
      for (let i = 0; i < fields.length; i++) {
        this.expireField(table, fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!, expireAt);
      }
      return this.withFlags(ref, table);
    }
    const editor = this.edit(ref);
    for (let i = 0; i < fields.length; i++) {
      editor.setExpiry(fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!, expireAt);
    }
    return this.rewritePacked(ref);
  }

  /** A copy of a large hash's fields, for COPY. */
  copyTable(table: Table): Table {
    const copy = this.newTable(this.fieldHandler);
    const { records } = this;
    table.dict.each((ref) => {
      records.locateKey(ref);
      const { keyBytes, keyStart, keyEnd } = records;
      records.locateValue(ref);
      const { valueBytes, valueStart, valueEnd } = records;
      const expireAt = expiryOf(records.heap, ref);
      const field = records.write(
        TYPE_STRING,
        keyBytes,
        keyStart,
        keyEnd,
        valueBytes,
        valueStart,
        valueEnd,
        expireAt,
      );
      const hash = copy.dict.hash(keyBytes, keyStart, keyEnd);
      copy.dict.insert(hash, field);
      copy.settle(hash, 0, field);
    });
    return copy;
  }

  /** The fields of a large hash, null when the hash is packed. */
  tableOf(ref: number): Table | null {
    const { heap } = this.records;
    if ((flagsOf(heap, ref) & TYPE_MASK) !== TYPE_LARGE_HASH) return null;
    return attachmentOf(heap, ref)!.fields;
  }

  /** When the first field expires, in Unix ms; Infinity when none does. At most too early, never too late. */
  fieldsDueMs(ref: number): number {
    const table = this.tableOf(ref);
    if (table) return table.wheel.nextMs();
    const reader = this.open(ref);
    let due = Number.POSITIVE_INFINITY;
    while (reader.next()) if (reader.timed) due = Math.min(due, reader.dueMs);
    return due;
  }

  /** Number of fields not expired at `nowMs`. */
  count(ref: number, nowMs: number): number {
    const fieldsTimed = (flagsOf(this.records.heap, ref) & FIELDS_TIMED) !== 0;
    const table = this.tableOf(ref);
    if (!fieldsTimed) return table ? table.size : this.open(ref).count;
    let live = 0;
    if (table) {
      if (table.wheel.nextMs() > nowMs) return table.size;
      table.dict.each((field) => {
        if (dueMs(this.records.heap, field) > nowMs) live++;
      });
      return live;
    }
    const reader = this.open(ref);
    while (reader.next()) if (reader.dueMs > nowMs) live++;
    return live;
  }

  /** Finds a field not expired at `nowMs`; points the value range and `fieldExpireAt` at it. */
  find(ref: number, field: Uint8Array, start: number, end: number, nowMs: number): boolean {
    const table = this.tableOf(ref);
    if (table) return this.findInTable(table, field, start, end, nowMs);
    const reader = this.open(ref);
    if (!reader.seek(field, start, end)) return false;
    if (reader.timed && reader.dueMs <= nowMs) return false;
    this.valueBytes = reader.bytes;
    this.valueStart = reader.valueStart;
    this.valueEnd = reader.valueEnd;
    this.fieldExpireAt = reader.timed ? reader.expireAt : NO_EXPIRY;
    return true;
  }

  each(ref: number, nowMs: number, visit: FieldVisitor): void {
    const table = this.tableOf(ref);
    if (table) table.dict.each((field) => this.show(field, nowMs, visit));
    else this.eachPacked(ref, nowMs, visit);
  }

  scan(ref: number, cursor: number, count: number, nowMs: number, visit: FieldVisitor): number {
    const table = this.tableOf(ref);
    if (table) return table.dict.scan(cursor, count, (field) => this.show(field, nowMs, visit));
    this.eachPacked(ref, nowMs, visit);
    return 0;
  }

  /** A live field at random; there must be one. */
  random(ref: number, nowMs: number, visit: FieldVisitor): void {
    const table = this.tableOf(ref);
    if (table) {
      let field = table.dict.random();
      while (dueMs(this.records.heap, field) <= nowMs) field = table.dict.random();
      this.show(field, nowMs, visit);
      return;
    }
    let skip = Math.floor(Math.random() * this.count(ref, nowMs));
    const reader = this.open(ref);
    while (reader.next()) {
      if (reader.dueMs <= nowMs) continue;
      if (skip-- === 0) {
        this.showPacked(reader, visit);
        return;
      }
    }
  }

  /** Adds the names of the fields that have expired at `nowMs` to `into`, which holds copies afterwards. */
  expiredFields(ref: number, nowMs: number, into: FieldList): void {
    const names: Buffer[] = [];
    const table = this.tableOf(ref);
    if (table) {
      this.expiredRefs = [];
      table.wheel.advance(nowMs, Number.POSITIVE_INFINITY);
      for (const field of this.expiredRefs) {
        this.records.locateKey(field);
        names.push(Buffer.from(this.records.keyBytes.subarray(this.records.keyStart, this.records.keyEnd)));
      }
    } else {
      const reader = this.open(ref);
      while (reader.next()) {
        if (reader.dueMs > nowMs) continue;
        names.push(Buffer.from(reader.bytes.subarray(reader.fieldStart, reader.fieldEnd)));
      }
    }
    into.reset(Buffer.concat(names));
    let at = 0;
    for (const name of names) {
      into.addName(at, at + name.length);
      at += name.length;
    }
  }

  private readonly fieldHandler = {
    dueMs: (ref: number): number => dueMs(this.records.heap, ref),
    // Collected, not removed: the removal is a mutation, and the keyspace makes those.
    expire: (ref: number): void => {
      this.expiredRefs.push(ref);
    },
  };

  private open(ref: number): PackedReader {
    this.records.locateValue(ref);
    return this.reader.open(this.records.valueBytes, this.records.valueStart);
  }

  private edit(ref: number): PackedEditor {
    const { records } = this;
    records.locateValue(ref);
    return this.editor.load(records.valueBytes, records.valueStart, records.valueEnd);
  }

  private fits(fields: FieldList): boolean {
    const { elementBytes } = this.limits;
    if (fields.length > this.limits.fields) return false;
    for (let i = 0; i < fields.length; i++) {
      if (fields.fieldEnd[i]! - fields.fieldStart[i]! > elementBytes) return false;
      if (fields.valueEnd[i]! - fields.valueStart[i]! > elementBytes) return false;
    }
    return true;
  }

  private writePacked(ref: number, key: Uint8Array, keyStart: number, keyEnd: number): number {
    const { records, editor } = this;
    const expireAt = ref === 0 ? NO_EXPIRY : expiryOf(records.heap, ref);
    const timed = anyFieldTimed(this.reader.open(editor.bytes, 0)) ? TIMED | FIELDS_TIMED : 0;
    const flags = TYPE_PACKED_HASH | timed;
    return records.write(flags, key, keyStart, keyEnd, editor.bytes, 0, editor.length, expireAt);
  }

  private rewritePacked(ref: number): number {
    this.records.locateKey(ref);
    const { keyBytes, keyStart, keyEnd } = this.records;
    return this.writePacked(ref, keyBytes, keyStart, keyEnd);
  }

  private unpackAndSet(
    ref: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
  ): number {
    const { records } = this;
    const table = this.newTable(this.fieldHandler);
    if (ref !== 0) {
      this.eachPacked(
        ref,
        Number.NEGATIVE_INFINITY,
        (field, start, end, value, valueStart, valueEnd, expireAt) => {
          this.putField(table, field, start, end, value, valueStart, valueEnd, expireAt, false);
        },
      );
    }
    for (let i = 0; i < fields.length; i++) this.setField(table, fields, i, false);
    const attachment = new Attached();
    attachment.fields = table;
    if (keyEnd - keyStart > INLINE_KEY_BYTES_MAX)
      attachment.key = Buffer.from(key.subarray(keyStart, keyEnd));
    const timed = table.timedCount() > 0 ? TIMED | FIELDS_TIMED : 0;
    const expireAt = ref === 0 ? NO_EXPIRY : expiryOf(records.heap, ref);
    return records.writeAttached(TYPE_LARGE_HASH | timed, key, keyStart, keyEnd, 0, expireAt, attachment);
  }

  private setInTable(table: Table, fields: FieldList): void {
    for (let i = 0; i < fields.length; i++) this.setField(table, fields, i, true);
  }

  private setField(table: Table, fields: FieldList, i: number, undoable: boolean): void {
    this.putField(
      table,
      fields.bytes,
      fields.fieldStart[i]!,
      fields.fieldEnd[i]!,
      fields.bytes,
      fields.valueStart[i]!,
      fields.valueEnd[i]!,
      fields.expireAt[i]!,
      undoable,
    );
  }

  private putField(
    table: Table,
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
    undoable: boolean,
  ): void {
    const ref = this.records.write(
      TYPE_STRING,
      field,
      fieldStart,
      fieldEnd,
      value,
      valueStart,
      valueEnd,
      expireAt,
    );
    const hash = table.dict.hash(field, fieldStart, fieldEnd);
    const old = table.dict.put(hash, field, fieldStart, fieldEnd, ref);
    table.settle(hash, old, ref);
    // A table that is being built is thrown away whole when its key's record is taken back.
    if (undoable) this.undo.push(table, old, ref, 0);
    else if (old !== 0) this.records.dispose(old, ref, false);
  }

  private removeField(table: Table, field: Uint8Array, start: number, end: number): void {
    const hash = table.dict.hash(field, start, end);
    const old = table.dict.find(hash, field, start, end);
    if (old === 0) return;
    table.dict.remove(hash, old);
    table.settle(hash, old, 0);
    this.undo.push(table, old, 0, 0);
  }

  private expireField(table: Table, field: Uint8Array, start: number, end: number, expireAt: ExpireAt): void {
    const hash = table.dict.hash(field, start, end);
    const old = table.dict.find(hash, field, start, end);
    if (old === 0) return;
    this.records.locateValue(old);
    const length = this.records.valueEnd - this.records.valueStart;
    const ref = this.records.rewrite(old, TYPE_STRING, length, expireAt);
    table.dict.replace(hash, old, ref);
    table.settle(hash, old, ref);
    this.undo.push(table, old, ref, 0);
  }

  /** A large hash's key record says whether any field is timed; it is rewritten when that becomes true. */
  private withFlags(ref: number, table: Table): number {
    const { heap } = this.records;
    if (table.timedCount() === 0 || (flagsOf(heap, ref) & FIELDS_TIMED) !== 0) return ref;
    return this.records.rewrite(ref, TYPE_LARGE_HASH | TIMED | FIELDS_TIMED, 0, expiryOf(heap, ref));
  }

  private findInTable(table: Table, field: Uint8Array, start: number, end: number, nowMs: number): boolean {
    const { records } = this;
    const ref = table.dict.find(table.dict.hash(field, start, end), field, start, end);
    if (ref === 0 || dueMs(records.heap, ref) <= nowMs) return false;
    records.locateValue(ref);
    this.valueBytes = records.valueBytes;
    this.valueStart = records.valueStart;
    this.valueEnd = records.valueEnd;
    this.fieldExpireAt = expiryOf(records.heap, ref);
    return true;
  }

  private show(field: number, nowMs: number, visit: FieldVisitor): void {
    const { records } = this;
    if (dueMs(records.heap, field) <= nowMs) return;
    records.locateKey(field);
    const { keyBytes, keyStart, keyEnd } = records;
    records.locateValue(field);
    const { valueBytes, valueStart, valueEnd } = records;
    visit(keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, expiryOf(records.heap, field));
  }

  private eachPacked(ref: number, nowMs: number, visit: FieldVisitor): void {
    const reader = this.open(ref);
    while (reader.next()) if (reader.dueMs > nowMs) this.showPacked(reader, visit);
  }

  private showPacked(reader: PackedReader, visit: FieldVisitor): void {
    const { bytes, fieldStart, fieldEnd, valueStart, valueEnd } = reader;
    visit(bytes, fieldStart, fieldEnd, bytes, valueStart, valueEnd, reader.expireAt);
  }
}

function anyFieldTimed(reader: PackedReader): boolean {
  while (reader.next()) if (reader.timed) return true;
  return false;
}
