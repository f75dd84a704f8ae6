import { assert } from '../base/assert.js';
import { equalBytes } from '../base/bytes.js';
import { type ExpireAt, type FieldList, type MutationSink, NO_EXPIRY } from '../keyspace/mutations.js';
import { Change, NONE, Overlay } from './overlay.js';
import { NO_CONTENT } from './rows.js';
import { NO_DATABASE, type SnapshotWriter } from './snapshot-writer.js';

/**
 * Memory that the pending changes may take. The larger, the more rows of one page are written together, and
 * the more often a key that changes again costs nothing: at 64 MiB some 480,000 keys of 17 bytes with values
 * of 64.
 */
const BATCH_BYTES = 64 * 1024 * 1024;
/**
 * A log that has fallen behind, because clients write as fast as they can, is taken in larger batches of up to
 * four times as much: five million SETs of a million keys took 8.4 s as one batch and 14.2 s as eight.
 */
const BATCH_BYTES_MAX = 4 * BATCH_BYTES;

/** @returns the bytes of pending changes at which to commit, for so many bytes of log. */
export function batchBytesFor(logBytes: number): number {
  return Math.min(BATCH_BYTES_MAX, Math.max(BATCH_BYTES, logBytes / 2));
}

export interface ApplierOptions {
  /** Commit at the end of the group that reaches this many bytes of pending changes; 64 MiB. */
  readonly batchBytes?: number;
  /** Called now and then while rows are written, between statements. What it throws ends the work. */
  readonly onProgress?: () => void;
}

export interface ApplierStats {
  /** Transactions committed. */
  commits: number;
  /** Keys and fields written or deleted. */
  rows: number;
}

const ROWS_PER_PROGRESS = 4096;

/** A hash whose fields are to be written in the order of their collections, which is that of the rows. */
interface HashToWrite {
  readonly collection: number;
  readonly entry: number;
}

/**
 * Brings the mutations of the log into the snapshot, in batches.
 *
 * Mutations gather in an overlay where the last one to an element wins. At the end of a commit group, when the
 * overlay has reached its bound, it is sorted into the order of the rows and written in one transaction with
 * the group's sequence number: random upserts over 2 million rows cost 11.9 us each, the same sorted 1.6 us.
 * What concerns rows that the overlay does not hold (renaming them, emptying a database) goes to SQLite at
 * once, inside the same transaction.
 *
 * After an exception from any method the owner calls `abort` and begins again after the snapshot's last_seq.
 */
export class Applier implements MutationSink {
  readonly stats: ApplierStats = { commits: 0, rows: 0 };
  /** Of the job at hand; see `ApplierOptions`. */
  batchBytes: number;
  private readonly overlay = new Overlay();
  private readonly onProgress: () => void;
  private inTransaction = false;
  /** True when the overlay was written before a group ended, because one group alone exceeded the bound. */
  private spilled = false;
  private lastSeq = 0;
  private lastSegment = 0;
  private lastAtMs = 0;
  private uncommitted = false;

  constructor(
    private readonly writer: SnapshotWriter,
    options: ApplierOptions = {},
  ) {
    this.batchBytes = options.batchBytes ?? BATCH_BYTES;
    this.onProgress = options.onProgress ?? (() => {});
  }

  /** All mutations of the group `seq` have been handed over. Commits when the batch is large enough. */
  endGroup(seq: number, segment: number, atMs: number): void {
    this.lastSeq = seq;
    this.lastSegment = segment;
    this.lastAtMs = atMs;
    this.uncommitted = true;
    if (this.spilled || this.overlay.bytes >= this.batchBytes) this.commit();
  }

  /** The last group taken in: the last ended one while it is uncommitted, otherwise what the snapshot has. */
  position(committedSeq: number): number {
    return this.uncommitted ? this.lastSeq : committedSeq;
  }

  /** Makes everything up to the last ended group durable. */
  commit(): void {
    if (!this.uncommitted) return;
    this.writeOverlay();
    this.begin();
    this.writer.commit(this.lastSeq, this.lastSegment, this.lastAtMs);
    this.inTransaction = false;
    this.spilled = false;
    this.uncommitted = false;
    this.stats.commits++;
  }

  /** Gives back the memory of batches, when nothing is to be applied for a while. */
  release(): void {
    assert(!this.uncommitted && !this.inTransaction, 'changes are pending');
    this.overlay.release();
  }

  /** Forgets everything since the last commit. */
  abort(): void {
    this.overlay.release();
    this.writer.dropRows();
    this.inTransaction = false;
    this.spilled = false;
    this.uncommitted = false;
    this.writer.rollback();
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
    const entry = this.overlay.findOrAdd(db, key, keyStart, keyEnd);
    this.overlay.becomeValue(entry, expireAt);
    this.overlay.store(entry, value, valueStart, valueEnd);
    this.spillIfLarge();
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
    const { overlay } = this;
    const entry = overlay.findOrAdd(db, key, keyStart, keyEnd);
    assert(overlay.change(entry) !== Change.hash, 'a range is written into a hash');
    if (overlay.change(entry) === Change.none) this.fetchString(db, entry);
    if (overlay.change(entry) === Change.absent) this.putValue(entry, NO_BYTES, NO_EXPIRY);
    overlay.storeRange(entry, offset, value, valueStart, valueEnd);
    this.spillIfLarge();
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.overlay.becomeAbsent(this.overlay.findOrAdd(db, key, keyStart, keyEnd));
    this.spillIfLarge();
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    const entry = this.overlay.findOrAdd(db, key, keyStart, keyEnd);
    if (this.overlay.change(entry) !== Change.absent) this.overlay.setExpiry(entry, expireAt);
    this.spillIfLarge();
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
    if (db === toDb && equalBytes(key, keyStart, keyEnd, toKey, toStart, toEnd)) return;
    const { overlay } = this;
    const entry = overlay.find(db, key, keyStart, keyEnd);
    if (entry !== NONE && overlay.change(entry) === Change.absent) return;
    if (entry !== NONE && overlay.replaces(entry)) {
      overlay.move(entry, overlay.findOrAdd(toDb, toKey, toStart, toEnd));
    } else {
      this.settle(db, entry);
      const from = viewOf(key, keyStart, keyEnd);
      const moved = this.writer.moveKey(db, from, toDb, viewOf(toKey, toStart, toEnd));
      if (moved) this.forget(toDb, toKey, toStart, toEnd);
    }
    this.spillIfLarge();
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
    if (db === toDb && equalBytes(key, keyStart, keyEnd, toKey, toStart, toEnd)) return;
    const { overlay } = this;
    const entry = overlay.find(db, key, keyStart, keyEnd);
    const change = entry === NONE ? Change.none : overlay.change(entry);
    if (change === Change.absent) return;
    if (change === Change.value) {
      const target = overlay.findOrAdd(toDb, toKey, toStart, toEnd);
      this.putValue(target, overlay.value(entry), overlay.expireAt(entry));
    } else {
      this.settle(db, entry);
      const from = viewOf(key, keyStart, keyEnd);
      const copied = this.writer.copyKey(db, from, toDb, viewOf(toKey, toStart, toEnd));
      if (copied) this.forget(toDb, toKey, toStart, toEnd);
    }
    this.spillIfLarge();
  }

  flush(db: number): void {
    this.begin();
    this.overlay.dropDatabase(db);
    while (this.writer.deleteSomeKeys(db)) this.onProgress();
  }

  swap(db: number, otherDb: number): void {
    if (db === otherDb) return;
    this.begin();
    this.overlay.swap(db, otherDb);
    this.moveDatabase(db, NO_DATABASE);
    this.moveDatabase(otherDb, db);
    this.moveDatabase(NO_DATABASE, otherDb);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const { overlay } = this;
    const hash = this.hash(db, key, keyStart, keyEnd);
    for (let index = 0; index < fields.length; index++) {
      const field = this.field(hash, fields, index);
      overlay.becomeValue(field, fields.expireAt[index]!);
      overlay.store(field, fields.bytes, fields.valueStart[index]!, fields.valueEnd[index]!);
    }
    this.spillIfLarge();
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const hash = this.hash(db, key, keyStart, keyEnd);
    for (let index = 0; index < fields.length; index++) {
      this.overlay.becomeAbsent(this.field(hash, fields, index));
    }
    this.spillIfLarge();
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    const { overlay } = this;
    const hash = this.hash(db, key, keyStart, keyEnd);
    for (let index = 0; index < fields.length; index++) {
      const field = this.field(hash, fields, index);
      if (overlay.change(field) !== Change.absent) overlay.setExpiry(field, expireAt);
    }
    this.spillIfLarge();
  }

  private hash(db: number, key: Uint8Array, keyStart: number, keyEnd: number): number {
    const entry = this.overlay.findOrAdd(db, key, keyStart, keyEnd);
    const change = this.overlay.change(entry);
    assert(change !== Change.value, 'fields are written into a string');
    if (change !== Change.hash) this.overlay.becomeHash(entry);
    return entry;
  }

  private field(hash: number, fields: FieldList, index: number): number {
    return this.overlay.field(hash, fields.bytes, fields.fieldStart[index]!, fields.fieldEnd[index]!);
  }

  private putValue(entry: number, value: Uint8Array, expireAt: ExpireAt): void {
    this.overlay.becomeValue(entry, expireAt);
    this.overlay.store(entry, value, 0, value.length);
  }

  /** Brings the snapshot's value of a key into the overlay: a part of it is about to change. */
  private fetchString(db: number, entry: number): void {
    const { overlay } = this;
    const stored = this.writer.readString(db, overlay.name(entry));
    if (stored === undefined) {
      overlay.becomeAbsent(entry);
      return;
    }
    const expireAt = overlay.expirySet(entry) ? overlay.expireAt(entry) : stored.expireAt;
    this.putValue(entry, stored.value, expireAt);
  }

  /** Writes what is pending for one key, so that SQL can work on its rows. */
  private settle(db: number, entry: number): void {
    this.begin();
    if (entry === NONE) return;
    const hash = this.writeKey(db, entry);
    if (hash !== undefined) this.writeFields(hash);
    this.writer.endRows();
    this.overlay.forget(entry);
  }

  /** What was pending for a key has been replaced in the snapshot itself. */
  private forget(db: number, key: Uint8Array, start: number, end: number): void {
    const entry = this.overlay.find(db, key, start, end);
    if (entry !== NONE) this.overlay.forget(entry);
  }

  private moveDatabase(db: number, toDb: number): void {
    while (this.writer.moveSomeKeys(db, toDb)) this.onProgress();
  }

  /** One group alone can be larger than memory should be: its rows go into the open transaction early. */
  private spillIfLarge(): void {
    if (this.overlay.bytes < 2 * this.batchBytes) return;
    this.writeOverlay();
    this.spilled = true;
  }

  private begin(): void {
    if (this.inTransaction) return;
    this.writer.begin();
    this.inTransaction = true;
  }

  private writeOverlay(): void {
    this.begin();
    const hashes: HashToWrite[] = [];
    for (const db of this.overlay.databaseNumbers()) {
      for (const entry of this.overlay.keys(db)) {
        const hash = this.writeKey(db, entry);
        if (hash !== undefined) hashes.push(hash);
      }
    }
    hashes.sort((a, b) => a.collection - b.collection);
    for (const hash of hashes) this.writeFields(hash);
    this.writer.endRows();
    this.overlay.clear();
  }

  /** @returns the hash whose fields are still to be written. */
  private writeKey(db: number, entry: number): HashToWrite | undefined {
    const { overlay } = this;
    const change = overlay.change(entry);
    if (change === Change.none && !overlay.expirySet(entry)) return undefined;
    this.countRow();
    const key = overlay.name(entry);
    switch (change) {
      case Change.value:
        this.writer.putString(db, key, overlay.value(entry), overlay.expireAt(entry));
        return undefined;
      case Change.absent:
        this.writer.deleteKey(db, key);
        return undefined;
      case Change.none:
        this.writer.setExpiry(db, key, overlay.expireAt(entry));
        return undefined;
      case Change.hash:
        return this.writeHash(db, key, entry);
    }
  }

  private writeHash(db: number, key: Buffer, entry: number): HashToWrite {
    const { overlay } = this;
    const existing = overlay.replaces(entry) ? NO_CONTENT : this.writer.findHash(db, key);
    if (existing !== NO_CONTENT) {
      if (overlay.expirySet(entry)) this.writer.setExpiry(db, key, overlay.expireAt(entry));
      return { collection: existing, entry };
    }
    const expireAt = overlay.expirySet(entry) ? overlay.expireAt(entry) : NO_EXPIRY;
    return { collection: this.writer.putHash(db, key, expireAt), entry };
  }

  private writeFields({ collection, entry }: HashToWrite): void {
    const { overlay } = this;
    for (const field of overlay.fields(entry)) {
      this.countRow();
      const name = overlay.name(field);
      const change = overlay.change(field);
      if (change === Change.value) {
        this.writer.putField(collection, name, overlay.value(field), overlay.expireAt(field));
      } else if (change === Change.absent) {
        this.writer.deleteField(collection, name);
      } else {
        this.writer.setFieldExpiry(collection, name, overlay.expireAt(field));
      }
    }
  }

  private countRow(): void {
    if (++this.stats.rows % ROWS_PER_PROGRESS === 0) this.onProgress();
  }
}

const NO_BYTES = Buffer.alloc(0);

function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}
