import { randomInt } from 'node:crypto';
import type { HashSecret } from '../base/siphash.js';
import { Compaction } from './compaction.js';
import type { Expiring, ExpiryListener } from './expiring.js';
import { type FieldVisitor, Hashes } from './hashes.js';
import { averageTtlMs, bytesOf, encodingOf } from './inspect.js';
import { type ExpireAt, FieldList, type MutationSink, NO_EXPIRY, NO_SINK } from './mutations.js';
import {
  dueMs,
  expiryOf,
  FIELDS_TIMED,
  flagsOf,
  INLINE_VALUE_BYTES_MAX,
  TIMED,
  TYPE_LARGE_HASH,
  TYPE_MASK,
  TYPE_PACKED_HASH,
  TYPE_STRING,
  wordIndex,
} from './record.js';
import { Records } from './records.js';
import { Successors } from './successors.js';
import { Table } from './table.js';
import { NEW_MOVED, OLD_MOVED, UndoLog } from './undo.js';
import { Usage } from './usage.js';
import { WatchTable } from './watch.js';

export type { FieldVisitor } from './hashes.js';

/** A key's record: an opaque number, valid until the next mutation. 0: no such key. */
export type Ref = number;

/** Called with byte ranges valid only during the call. Must not mutate the keyspace. */
export type KeyVisitor = (key: Uint8Array, keyStart: number, keyEnd: number, ref: Ref) => void;

export type ValueType = 'string' | 'hash';

export interface KeyspaceOptions {
  databases?: number;
  /** Unix ms. */
  now?: number;
}

/**
 * All data, in memory. It knows no command, no socket, no file and no clock: the time is given to it.
 *
 * Every mutation changes the index and is then handed to `journal` with the same arguments; there is no
 * other way to change data. Replaying a log is calling these same methods with no journal.
 *
 * A key is expired from the millisecond its expiry names on (`now >= expireAt`); Redis uses that edge when
 * it deletes and one millisecond more when it reads.
 */
export class Keyspace implements MutationSink {
  readonly databaseCount: number;
  /** Where mutations go when they have been applied. */
  journal: MutationSink = NO_SINK;
  expiring: Expiring = 'purge';
  expiryListener: ExpiryListener | null = null;
  readonly watches: WatchTable;
  /** Mutations applied since the start. */
  mutations = 0;

  /** What `loadString` and `hashFind` found. */
  valueBytes: Uint8Array = Buffer.alloc(0);
  valueStart = 0;
  valueEnd = 0;
  fieldExpireAt: ExpireAt = NO_EXPIRY;
  /** What `loadKey` found. */
  keyBytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;

  private readonly records = new Records();
  private readonly undo: UndoLog;
  private readonly hashes: Hashes;
  private readonly successors: Successors;
  private readonly usage = new Usage();
  private readonly compaction = new Compaction(this.records.heap);
  private readonly secret: HashSecret = { k0: randomInt(2 ** 32) | 0, k1: randomInt(2 ** 32) | 0 };
  private tables: Table[];
  private nowMs: number;
  private usageSetAtMs = Number.NEGATIVE_INFINITY;
  private readonly expiredFields = new FieldList();

  /** The last key hashed in this command, so that a lookup and the write after it hash once. */
  private hashedBytes: Uint8Array | null = null;
  private hashedStart = 0;
  private hashedEnd = 0;
  private hashed = 0;

  constructor(options: KeyspaceOptions = {}) {
    this.databaseCount = options.databases ?? 16;
    this.nowMs = options.now ?? 0;
    this.watches = new WatchTable(this.databaseCount);
    const { records } = this;
    this.undo = new UndoLog({
      dispose: (ref, successor, moved) => records.dispose(ref, successor, moved),
      disposeTable: (table) => records.disposeTable(table),
      setTable: (db, table) => {
        this.tables[db] = table;
      },
    });
    this.successors = new Successors(records);
    this.hashes = new Hashes(
      records,
      this.undo,
      (handler) => new Table(records.heap, this.secret, this.wheelStartMs(), handler),
    );
    this.tables = Array.from({ length: this.databaseCount }, () => this.newDatabase());
    this.now = this.nowMs;
  }

  /** Unix ms; what has expired is judged by it. Set before each command (frozen while it runs). */
  get now(): number {
    return this.nowMs;
  }

  set now(nowMs: number) {
    this.nowMs = nowMs;
    this.beginCommand();
    if (nowMs - this.usageSetAtMs < 1000 && nowMs >= this.usageSetAtMs) return;
    this.usageSetAtMs = nowMs - (nowMs % 1000);
    this.usage.setNow(nowMs);
    this.records.usage = this.usage.initial();
  }

  /** A new command, which may bring other bytes in the same buffer as the one before. Part of setting `now`. */
  beginCommand(): void {
    this.hashedBytes = null;
  }

  /** When a hash stops being packed. Takes effect with the next change of each hash. */
  setPackingLimits(fields: number, elementBytes: number): void {
    this.hashes.limits.fields = Math.min(fields, 4096);
    this.hashes.limits.elementBytes = Math.min(elementBytes, INLINE_VALUE_BYTES_MAX);
  }

  setUsageKind(kind: 'lru' | 'lfu'): void {
    this.usage.kind = kind;
    this.records.usage = this.usage.initial();
  }

  // ---- Looking up ----------------------------------------------------------------------------------

  /**
   * The key's record, or 0 when it is missing or expired (an expired key is deleted, and logged, here).
   * Counts as a use of the key.
   */
  find(db: number, key: Uint8Array, start: number, end: number): Ref {
    const ref = this.peek(db, key, start, end);
    if (ref !== 0) {
      const words = this.records.heap.words[ref >>> 21]!;
      const at = wordIndex(ref);
      const word = words[at]!;
      words[at] = (word & 0xff) | (this.usage.touched(word >>> 8) << 8);
    }
    return ref;
  }

  /** As `find`, without counting as a use of the key (OBJECT, TYPE, TTL...). */
  peek(db: number, key: Uint8Array, start: number, end: number): Ref {
    const ref = this.tables[db]!.dict.find(this.hashOf(key, start, end), key, start, end);
    if (ref === 0) return 0;
    const flags = this.records.heap.words[ref >>> 21]![wordIndex(ref)]!;
    if ((flags & TIMED) === 0 || this.expiring === 'off') return ref;
    return this.liveOrGone(db, key, start, end, ref);
  }

  private liveOrGone(db: number, key: Uint8Array, start: number, end: number, ref: Ref): Ref {
    if (this.dueOf(ref) > this.nowMs) return ref;
    if (this.expiring === 'purge') {
      this.removeExpired(db, ref);
      return this.tables[db]!.dict.find(this.hashOf(key, start, end), key, start, end);
    }
    return this.isLive(ref) ? ref : 0;
  }

  /** Is there anything left of this record at the present time? */
  private isLive(ref: Ref): boolean {
    if (this.expiring === 'off') return true;
    if (dueMs(this.records.heap, ref) <= this.nowMs) return false;
    return !this.isHash(ref) || this.hashes.count(ref, this.nowMs) > 0;
  }

  /** The index of a database, for looking ahead. */
  index(db: number): Table['dict'] {
    return this.tables[db]!.dict;
  }

  isString(ref: Ref): boolean {
    return (flagsOf(this.records.heap, ref) & TYPE_MASK) === TYPE_STRING;
  }

  isHash(ref: Ref): boolean {
    const type = flagsOf(this.records.heap, ref) & TYPE_MASK;
    return type === TYPE_PACKED_HASH || type === TYPE_LARGE_HASH;
  }

  typeOf(ref: Ref): ValueType {
    return this.isString(ref) ? 'string' : 'hash';
  }

  /** As OBJECT ENCODING names it: int, embstr, raw, listpack, listpackex, hashtable. */
  encodingOf(ref: Ref): string {
    return encodingOf(this.records, ref);
  }

  /** Absolute expiry in ms, NO_EXPIRY when it has none. */
  expiryOf(ref: Ref): ExpireAt {
    return expiryOf(this.records.heap, ref);
  }

  /** Bytes the key occupies, its slot in the index included (MEMORY USAGE). */
  bytesOf(ref: Ref): number {
    return bytesOf(this.records.heap, ref);
  }

  idleSecondsOf(ref: Ref): number {
    return this.usage.idleSeconds(this.usageBits(ref));
  }

  frequencyOf(ref: Ref): number {
    return this.usage.frequency(this.usageBits(ref));
  }

  private usageBits(ref: Ref): number {
    return this.records.heap.words[ref >>> 21]![wordIndex(ref)]! >>> 8;
  }

  /** Points `valueBytes`, `valueStart`, `valueEnd` at a string's value. Valid until the next mutation. */
  loadString(ref: Ref): void {
    const { records } = this;
    records.locateValue(ref);
    this.valueBytes = records.valueBytes;
    this.valueStart = records.valueStart;
    this.valueEnd = records.valueEnd;
  }

  /** Points `keyBytes`, `keyStart`, `keyEnd` at the record's key. Valid until the next mutation. */
  loadKey(ref: Ref): void {
    const { records } = this;
    records.locateKey(ref);
    this.keyBytes = records.keyBytes;
    this.keyStart = records.keyStart;
    this.keyEnd = records.keyEnd;
  }

  /** Number of fields that have not expired. */
  hashLength(ref: Ref): number {
    return this.hashes.count(ref, this.visibleFrom());
  }

  /**
   * Finds a live field; when found points valueBytes/valueStart/valueEnd at its value and sets
   * `fieldExpireAt`.
   */
  hashFind(ref: Ref, field: Uint8Array, start: number, end: number): boolean {
    const { hashes } = this;
    if (!hashes.find(ref, field, start, end, this.visibleFrom())) return false;
    this.valueBytes = hashes.valueBytes;
    this.valueStart = hashes.valueStart;
    this.valueEnd = hashes.valueEnd;
    this.fieldExpireAt = hashes.fieldExpireAt;
    return true;
  }

  /** Every live field. */
  hashEach(ref: Ref, visit: FieldVisitor): void {
    this.hashes.each(ref, this.visibleFrom(), visit);
  }

  /** One live field, uniformly at random; the hash is not empty. */
  hashRandom(ref: Ref, visit: FieldVisitor): void {
    this.hashes.random(ref, this.visibleFrom(), visit);
  }

  /**
   * Visits about `count` fields from `cursor` (0 to start) in hash order; returns the next cursor, 0 at the
   * end. A field present during the whole scan is visited at least once. A packed hash is visited whole.
   */
  hashScan(ref: Ref, cursor: number, count: number, visit: FieldVisitor): number {
    return this.hashes.scan(ref, cursor, count, this.visibleFrom(), visit);
  }

  /** Number of keys, expired ones not yet removed included: within milliseconds, unless `hiddenKeys` are kept. */
  size(db: number): number {
    return this.tables[db]!.size;
  }

  /** Number of keys with an expiry, their own or a field's. */
  expiresCount(db: number): number {
    return this.tables[db]!.timedCount();
  }

  /** Mean remaining life in ms of a sample of the keys with an expiry, 0 for none (INFO keyspace). */
  averageTtl(db: number): number {
    return averageTtlMs(this.records.heap, this.tables[db]!, this.nowMs);
  }

  /** Every live key. */
  each(db: number, visit: KeyVisitor): void {
    this.scan(db, 0, Number.POSITIVE_INFINITY, visit);
  }

  /** As hashScan, over the keys of a database. */
  scan(db: number, cursor: number, count: number, visit: KeyVisitor): number {
    const { records } = this;
    return this.tables[db]!.dict.scan(cursor, count, (ref) => {
      if (!this.isLive(ref)) return;
      records.locateKey(ref);
      visit(records.keyBytes, records.keyStart, records.keyEnd, ref);
    });
  }

  /** A live key, uniformly at random; 0 when there is none (or a hundred tries met only expired ones). */
  randomKey(db: number): Ref {
    const { dict } = this.tables[db]!;
    for (let tries = 0; tries < 100; tries++) {
      const ref = dict.random();
      if (ref === 0 || this.isLive(ref)) return ref;
    }
    return 0;
  }

  /** Bytes held by the data: blocks in use, index tables, attached buffers. */
  memoryUsed(): number {
    const { usedBytes, tableBytes, attachedBytes } = this.records.heap;
    return usedBytes + tableBytes + attachedBytes;
  }

  /** Bytes taken from the system for it: at least `memoryUsed`, the difference is fragmentation. */
  memoryReserved(): number {
    return this.memoryUsed() - this.records.heap.usedBytes + this.records.heap.reservedBytes;
  }

  // ---- Mutations -----------------------------------------------------------------------------------

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
    const hash = this.hashOf(key, keyStart, keyEnd);
    const ref = this.records.write(TYPE_STRING, key, keyStart, keyEnd, value, valueStart, valueEnd, expireAt);
    this.put(db, hash, key, keyStart, keyEnd, ref, 0);
    this.journal.setString(db, key, keyStart, keyEnd, value, valueStart, valueEnd, expireAt);
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
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.visible(db, hash, key, keyStart, keyEnd);
    const ref = this.successors.editedString(old, key, keyStart, keyEnd, offset, value, valueStart, valueEnd);
    this.put(db, hash, key, keyStart, keyEnd, ref, 0);
    this.journal.setRange(db, key, keyStart, keyEnd, offset, value, valueStart, valueEnd);
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    const hash = this.hashOf(key, keyStart, keyEnd);
    const table = this.tables[db]!;
    const old = table.dict.find(hash, key, keyStart, keyEnd);
    if (old === 0) return;
    this.remove(table, hash, old, 0);
    this.changed(db, key, keyStart, keyEnd);
    this.journal.delete(db, key, keyStart, keyEnd);
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.visible(db, hash, key, keyStart, keyEnd);
    if (old === 0) return;
    this.put(db, hash, key, keyStart, keyEnd, this.successors.withExpiry(old, expireAt), 0);
    this.journal.expireAt(db, key, keyStart, keyEnd, expireAt);
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
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.visible(db, hash, key, keyStart, keyEnd);
    if (old === 0) return;
    const toHash = this.hashOf(toKey, toStart, toEnd);
    if (db === toDb && this.tables[db]!.dict.find(toHash, toKey, toStart, toEnd) === old) return;
    const ref = this.successors.renamed(old, toKey, toStart, toEnd, null);
    this.remove(this.tables[db]!, hash, old, OLD_MOVED);
    this.changed(db, key, keyStart, keyEnd);
    this.put(toDb, toHash, toKey, toStart, toEnd, ref, NEW_MOVED);
    this.journal.rename(db, key, keyStart, keyEnd, toDb, toKey, toStart, toEnd);
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
    const old = this.visible(db, this.hashOf(key, keyStart, keyEnd), key, keyStart, keyEnd);
    if (old === 0) return;
    const toHash = this.hashOf(toKey, toStart, toEnd);
    const fields = this.hashes.tableOf(old);
    const ref = this.successors.renamed(old, toKey, toStart, toEnd, fields && this.hashes.copyTable(fields));
    this.put(toDb, toHash, toKey, toStart, toEnd, ref, 0);
    this.journal.copy(db, key, keyStart, keyEnd, toDb, toKey, toStart, toEnd);
  }

  flush(db: number): void {
    if (this.watches.active) this.watches.databaseFlushed(db, this.exists);
    this.undo.pushTable(db, this.tables[db]!, false);
    this.tables[db] = this.newDatabase();
    this.mutations++;
    this.journal.flush(db);
  }

  swap(db: number, otherDb: number): void {
    if (db === otherDb) return;
    if (this.watches.active) this.watches.databasesSwapped(db, otherDb, this.exists);
    const table = this.tables[db]!;
    const other = this.tables[otherDb]!;
    this.undo.pushTable(db, table, true);
    this.undo.pushTable(otherDb, other, true);
    this.tables[db] = other;
    this.tables[otherDb] = table;
    this.mutations++;
    this.journal.swap(db, otherDb);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.visible(db, hash, key, keyStart, keyEnd);
    const present = old !== 0 && this.isHash(old) ? old : 0;
    const ref = this.hashes.set(present, key, keyStart, keyEnd, fields);
    this.putHash(db, hash, key, keyStart, keyEnd, old, ref);
    this.journal.hashSet(db, key, keyStart, keyEnd, fields);
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.tables[db]!.dict.find(hash, key, keyStart, keyEnd);
    if (old === 0 || !this.isHash(old)) return;
    this.putHash(db, hash, key, keyStart, keyEnd, old, this.hashes.delete(old, fields));
    this.journal.hashDelete(db, key, keyStart, keyEnd, fields);
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    const hash = this.hashOf(key, keyStart, keyEnd);
    const old = this.tables[db]!.dict.find(hash, key, keyStart, keyEnd);
    if (old === 0 || !this.isHash(old)) return;
    this.putHash(db, hash, key, keyStart, keyEnd, old, this.hashes.setExpiry(old, fields, expireAt));
    this.journal.hashExpireAt(db, key, keyStart, keyEnd, fields, expireAt);
  }

  // ---- Turns: committing and rolling back ----------------------------------------------------------

  /**
   * Can mutations be taken back? Off while data are loaded: what was on disk stands, so what a mutation replaces is
   * freed at once. To be switched only where everything is committed.
   */
  set undoing(undoing: boolean) {
    this.undo.recording = undoing;
  }

  /** Where the undo list stands; engine.ts notes it for each commit group. */
  get undoPosition(): number {
    return this.undo.position;
  }

  /** What mutations before this position replaced has been freed. */
  get committedPosition(): number {
    return this.undo.discarded;
  }

  /** The mutations before this position are safe: what they replaced is freed. */
  commit(position: number): void {
    this.undo.discard(position);
  }

  /** Takes the mutations from this position on back, as if they had never been. */
  rollback(position: number): void {
    this.undo.rollback(position);
  }

  // ---- Expiry and housekeeping ---------------------------------------------------------------------

  /** When a key or field will next expire, in Unix ms; Infinity when none will. */
  nextExpiryMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const table of this.tables) next = Math.min(next, table.wheel.nextMs());
    return next;
  }

  /**
   * Removes what has expired at `now`, looking at no more than `budget` timers.
   *
   * @returns the timers looked at; less than `budget` when everything due has been removed.
   */
  expireDue(budget: number): number {
    if (this.expiring !== 'purge') return 0;
    let used = 0;
    for (const table of this.tables) {
      if (used < budget) used += table.wheel.advance(this.nowMs, budget - used);
    }
    return used;
  }

  /** Are records of flushed databases or deleted collections still waiting to be freed? */
  get hasGarbage(): boolean {
    return this.records.hasGarbage;
  }

  /** Frees about `budget` of them. */
  collectGarbage(budget: number): void {
    this.records.collect(budget);
  }

  /** Have deletions left so much unused room that moving records together is worth it? */
  get compactionDue(): boolean {
    return this.undo.empty && this.compaction.isDue();
  }

  /** Looks at about `budget` records and moves those whose slab is to be given back. */
  compact(budget: number): void {
    if (this.undo.empty) this.compaction.step(budget, this.tables);
  }

  // ---- Inside --------------------------------------------------------------------------------------

  /** A wheel has emptied the slot that it starts at: what is overdue already must find one to be due in now. */
  private wheelStartMs(): number {
    return this.nowMs - 1;
  }

  private newDatabase(): Table {
    const table: Table = new Table(this.records.heap, this.secret, this.wheelStartMs(), {
      dueMs: (ref) => this.dueOf(ref),
      // A table may have been swapped since: its number is where it is now.
      expire: (ref) => this.removeExpired(this.tables.indexOf(table), ref),
    });
    return table;
  }

  private hashOf(key: Uint8Array, start: number, end: number): number {
    if (key === this.hashedBytes && start === this.hashedStart && end === this.hashedEnd) return this.hashed;
    this.hashedBytes = key;
    this.hashedStart = start;
    this.hashedEnd = end;
    this.hashed = this.tables[0]!.dict.hash(key, start, end);
    return this.hashed;
  }

  /** The record a mutation builds on. One that is hidden but not removed yet is removed first. */
  private visible(db: number, hash: number, key: Uint8Array, start: number, end: number): Ref {
    const ref = this.tables[db]!.dict.find(hash, key, start, end);
    if (ref === 0 || this.isLive(ref)) return ref;
    this.delete(db, key, start, end);
    return 0;
  }

  private put(
    db: number,
    hash: number,
    key: Uint8Array,
    start: number,
    end: number,
    ref: Ref,
    undoFlags: number,
  ): void {
    const table = this.tables[db]!;
    const old = table.dict.put(hash, key, start, end, ref);
    table.settle(hash, old, ref);
    this.undo.push(table, old, ref, undoFlags);
    this.changed(db, key, start, end);
  }

  /** As `put`; a large hash that changed inside keeps its record. */
  private putHash(
    db: number,
    hash: number,
    key: Uint8Array,
    start: number,
    end: number,
    old: Ref,
    ref: Ref,
  ): void {
    if (ref !== old) this.put(db, hash, key, start, end, ref, 0);
    else {
      // The first of its fields to expire may be another one now.
      if ((flagsOf(this.records.heap, ref) & FIELDS_TIMED) !== 0) this.tables[db]!.settle(hash, ref, ref);
      this.changed(db, key, start, end);
    }
  }

  private remove(table: Table, hash: number, old: Ref, undoFlags: number): void {
    table.dict.remove(hash, old);
    table.settle(hash, old, 0);
    this.undo.push(table, old, 0, undoFlags);
  }

  private changed(db: number, key: Uint8Array, start: number, end: number): void {
    this.mutations++;
    if (this.watches.active) this.watches.touched(db, key, start, end);
  }

  /** When it, or the first of its fields, expires, in Unix ms; Infinity when neither does. */
  dueOf(ref: Ref): number {
    const due = dueMs(this.records.heap, ref);
    if ((flagsOf(this.records.heap, ref) & FIELDS_TIMED) === 0) return due;
    return Math.min(due, this.hashes.fieldsDueMs(ref));
  }

  /** From which expiry on a field is seen: all of them while nothing may expire. */
  private visibleFrom(): number {
    return this.expiring === 'off' ? Number.NEGATIVE_INFINITY : this.nowMs;
  }

  private readonly exists = (db: number, key: Buffer): boolean => {
    const { dict } = this.tables[db]!;
    const ref = dict.find(dict.hash(key, 0, key.length), key, 0, key.length);
    return ref !== 0 && this.isLive(ref);
  };

  /** The record's key, or some of its fields, are due: delete them, as mutations like any other. */
  private removeExpired(db: number, ref: Ref): void {
    const { records, expiredFields } = this;
    if (dueMs(records.heap, ref) > this.nowMs) {
      this.hashes.expiredFields(ref, this.nowMs, expiredFields);
      const { length } = expiredFields;
      if (length === 0) {
        this.rearm(db, ref);
        return;
      }
      this.expiryListener?.fieldsExpired(db, length);
      if (length < this.fieldCount(ref)) {
        records.locateKey(ref);
        this.hashDelete(db, records.keyBytes, records.keyStart, records.keyEnd, expiredFields);
        return;
      }
    }
    records.locateKey(ref);
    const { keyBytes, keyStart, keyEnd } = records;
    this.delete(db, keyBytes, keyStart, keyEnd);
    this.expiryListener?.keyExpired(db, keyBytes, keyStart, keyEnd);
  }

  /** Nothing had expired yet (a wheel wakes early, never late): wait for the next deadline. */
  private rearm(db: number, ref: Ref): void {
    const table = this.tables[db]!;
    table.settle(table.dict.hashOf(ref), ref, ref);
  }

  /** All fields, expired ones included. */
  private fieldCount(ref: Ref): number {
    return this.hashes.count(ref, Number.NEGATIVE_INFINITY);
  }
}

/** An empty keyspace. */
export function createKeyspace(options: KeyspaceOptions = {}): Keyspace {
  return new Keyspace(options);
}
