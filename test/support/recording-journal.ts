import type { ExpireAt, FieldList, MutationSink } from '../../src/keyspace/mutations.js';

/** What a mutation was, with byte ranges as latin1 strings: `['setString', 0, 'key', 'value', 0]`. */
export type Recorded = readonly (string | number | bigint)[];

/** A journal that remembers the mutations handed to it. */
export class RecordingJournal implements MutationSink {
  readonly records: Recorded[] = [];

  /** Returns what was recorded since the last call. */
  take(): Recorded[] {
    return this.records.splice(0);
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
    const record = [db, text(key, keyStart, keyEnd), text(value, valueStart, valueEnd), expireAt];
    this.records.push(['setString', ...record]);
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
    const record = [db, text(key, keyStart, keyEnd), offset, text(value, valueStart, valueEnd)];
    this.records.push(['setRange', ...record]);
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.records.push(['delete', db, text(key, keyStart, keyEnd)]);
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    this.records.push(['expireAt', db, text(key, keyStart, keyEnd), expireAt]);
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
    this.records.push(['rename', db, text(key, keyStart, keyEnd), toDb, text(toKey, toStart, toEnd)]);
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
    this.records.push(['copy', db, text(key, keyStart, keyEnd), toDb, text(toKey, toStart, toEnd)]);
  }

  flush(db: number): void {
    this.records.push(['flush', db]);
  }

  swap(db: number, otherDb: number): void {
    this.records.push(['swap', db, otherDb]);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    this.records.push(['hashSet', db, text(key, keyStart, keyEnd), ...names(fields)]);
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    this.records.push(['hashDelete', db, text(key, keyStart, keyEnd), ...names(fields)]);
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    this.records.push(['hashExpireAt', db, text(key, keyStart, keyEnd), ...names(fields), expireAt]);
  }
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

function names(fields: FieldList): string[] {
  return Array.from({ length: fields.length }, (_, i) =>
    text(fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!),
  );
}
