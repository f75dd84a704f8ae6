import { randomBytes } from 'node:crypto';
import { assert } from '../base/assert.js';
import { equalBytes } from '../base/bytes.js';
import { halfSipHash } from '../base/siphash.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import { expiryHigh, expiryLow, joinExpiry } from '../keyspace/record.js';
import { Arena } from './arena.js';
import { NameOrder, type Names } from './name-order.js';

/** What the changes since the last transaction make of a key or a field. */
export enum Change {
  /** Only its expiry may differ from the snapshot's. */
  none,
  absent,
  /** A string key, or a field with a value. */
  value,
  /** A hash: its fields here say what differs, or are all there is where it replaces. */
  hash,
}

/** No entry, and no owner. */
export const NONE = 0;

/** Words of an entry. */
const OWNER = 0;
/** The next entry of the same owner. */
const NEXT = 1;
const NAME_ADDRESS = 2;
const NAME_LENGTH = 3;
const VALUE_ADDRESS = 4;
const VALUE_LENGTH = 5;
/** Bytes reserved for the value: one that fits is replaced, or grows, in place. */
const VALUE_CAPACITY = 6;
const EXPIRE_LOW = 7;
const EXPIRE_HIGH = 8;
/** A `Change`, and the bits below. */
const STATE = 9;
/** The owner of a hash's fields. */
const FIELDS = 10;
const ENTRY_WORDS = 11;

const CHANGE_MASK = 3;
/** Nothing of the snapshot's key remains. */
const REPLACES = 4;
/** The snapshot's expiry is to be overwritten. */
const EXPIRY_SET = 8;

const FEWEST_ENTRIES = 256;
/** Bytes that an entry takes beside its name and its value: its words, and its share of a half-full index. */
const ENTRY_BYTES = ENTRY_WORDS * 4 + 16;

/**
 * What has changed since the last transaction, as the last state of each key and field: a key that is written
 * a thousand times costs one row.
 *
 * All of it lies outside the JavaScript heap, in a few large arrays: an object and a Map entry for each key
 * cost twice the memory, all of which the garbage collector copies while it grows. An entry is a number. It
 * belongs to an owner, a database or a hash, and is found by owner and name through one hash table with
 * linear probing; the entries of an owner are chained. Nothing is removed before `clear`: a dropped database
 * or hash merely loses its owner.
 */
export class Overlay implements Names {
  /** Memory in use, in bytes; it only grows until `clear`. */
  bytes = 0;

  /** The range that `locateName` found. */
  nameBytes: Buffer = EMPTY;
  nameStart = 0;
  nameEnd = 0;

  private readonly databases = new Map<number, number>();
  private readonly arena = new Arena();
  private readonly order = new NameOrder(this);
  private readonly k0: number;
  private readonly k1: number;
  private entries = new Int32Array(FEWEST_ENTRIES * ENTRY_WORDS);
  private entryCount = 1;
  /** Pairs of hash and entry; twice as many as entries fit. */
  private index = new Int32Array(FEWEST_ENTRIES * 4);
  /** Per owner: the first of its entries, and how many there are. */
  private owners = new Int32Array(FEWEST_ENTRIES * 2);
  private ownerCount = 1;

  constructor() {
    // Clients choose the names: with a secret nobody can choose such as all collide.
    const secret = randomBytes(8);
    this.k0 = secret.readInt32LE(0);
    this.k1 = secret.readInt32LE(4);
  }

  find(db: number, key: Uint8Array, start: number, end: number): number {
    const owner = this.databases.get(db);
    if (owner === undefined) return NONE;
    return this.index[this.slotOf(owner, this.hash(owner, key, start, end), key, start, end) + 1]!;
  }

  findOrAdd(db: number, key: Uint8Array, start: number, end: number): number {
    let owner = this.databases.get(db);
    if (owner === undefined) {
      owner = this.newOwner();
      this.databases.set(db, owner);
    }
    return this.child(owner, key, start, end);
  }

  /** The entry of a field of a hash. */
  field(hash: number, field: Uint8Array, start: number, end: number): number {
    return this.child(this.word(hash, FIELDS), field, start, end);
  }

  change(entry: number): Change {
    return this.word(entry, STATE) & CHANGE_MASK;
  }

  /** True when nothing of the snapshot's key remains. */
  replaces(entry: number): boolean {
    return (this.word(entry, STATE) & REPLACES) !== 0;
  }

  /** True when the snapshot's expiry is to be overwritten by `expireAt`; implied by a value. */
  expirySet(entry: number): boolean {
    return (this.word(entry, STATE) & EXPIRY_SET) !== 0;
  }

  expireAt(entry: number): ExpireAt {
    return joinExpiry(this.word(entry, EXPIRE_LOW), this.word(entry, EXPIRE_HIGH));
  }

  setExpiry(entry: number, expireAt: ExpireAt): void {
    const at = entry * ENTRY_WORDS;
    this.entries[at + STATE]! |= EXPIRY_SET;
    this.entries[at + EXPIRE_LOW] = expiryLow(expireAt);
    this.entries[at + EXPIRE_HIGH] = expiryHigh(expireAt);
  }

  /** A value that replaces whatever was there; `store` gives it its bytes. */
  becomeValue(entry: number, expireAt: ExpireAt): void {
    this.setState(entry, Change.value | REPLACES, NONE);
    this.setExpiry(entry, expireAt);
  }

  becomeAbsent(entry: number): void {
    this.setState(entry, Change.absent | REPLACES, NONE);
  }

  /** From `none` (the snapshot's fields stay) or `absent` (there are none). */
  becomeHash(entry: number): void {
    if (this.change(entry) === Change.absent) this.setExpiry(entry, NO_EXPIRY);
    const kept = this.word(entry, STATE) & ~CHANGE_MASK;
    this.setState(entry, Change.hash | kept, this.newOwner());
  }

  /** Nothing is pending for this key any more: the snapshot has it. */
  forget(entry: number): void {
    this.setState(entry, Change.none, NONE);
  }

  /** `to` becomes what `entry` is, and `entry` absent. */
  move(entry: number, to: number): void {
    const { entries } = this;
    const from = entry * ENTRY_WORDS;
    entries.copyWithin(to * ENTRY_WORDS + VALUE_ADDRESS, from + VALUE_ADDRESS, from + ENTRY_WORDS);
    // Its bytes belong to the other entry now.
    entries[from + VALUE_LENGTH] = 0;
    entries[from + VALUE_CAPACITY] = 0;
    this.becomeAbsent(entry);
  }

  /** A view of the value, valid until it is stored again or `clear`. */
  value(entry: number): Buffer {
    const length = this.word(entry, VALUE_LENGTH);
    if (length === 0) return EMPTY;
    const address = this.word(entry, VALUE_ADDRESS);
    const start = this.arena.offset(address);
    return this.arena.bytes(address).subarray(start, start + length);
  }

  /** Copies a value in, over the one before where it fits. */
  store(entry: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const at = entry * ENTRY_WORDS;
    if (length > this.entries[at + VALUE_CAPACITY]!) this.reserve(at, length);
    this.entries[at + VALUE_LENGTH] = length;
    if (length > 0) this.arena.write(this.entries[at + VALUE_ADDRESS]!, source, start, end);
  }

  /** Writes bytes at an offset of the value, with zeros before it where the value ends earlier. */
  storeRange(entry: number, offset: number, source: Uint8Array, start: number, end: number): void {
    const at = entry * ENTRY_WORDS;
    const oldLength = this.entries[at + VALUE_LENGTH]!;
    const length = Math.max(oldLength, offset + end - start);
    if (length === 0) return;
    if (length > this.entries[at + VALUE_CAPACITY]!) this.grow(entry, length);
    this.entries[at + VALUE_LENGTH] = length;
    const address = this.entries[at + VALUE_ADDRESS]!;
    const bytes = this.arena.bytes(address);
    const valueStart = this.arena.offset(address);
    if (offset > oldLength) bytes.fill(0, valueStart + oldLength, valueStart + offset);
    bytes.set(source.subarray(start, end), valueStart + offset);
  }

  locateName(entry: number): void {
    const at = entry * ENTRY_WORDS;
    const address = this.entries[at + NAME_ADDRESS]!;
    const length = this.entries[at + NAME_LENGTH]!;
    this.nameBytes = length === 0 ? EMPTY : this.arena.bytes(address);
    this.nameStart = length === 0 ? 0 : this.arena.offset(address);
    this.nameEnd = this.nameStart + length;
  }

  /** A view of the name, valid until `clear`. */
  name(entry: number): Buffer {
    this.locateName(entry);
    return this.nameBytes.subarray(this.nameStart, this.nameEnd);
  }

  /** The databases with pending keys. */
  databaseNumbers(): number[] {
    return [...this.databases.keys()];
  }

  /** The entries of a database, nearly in the order of the rows. */
  keys(db: number): Int32Array {
    return this.entriesOf(this.databases.get(db)!);
  }

  /** The entries of a hash's fields, nearly in the order of the rows. */
  fields(hash: number): Int32Array {
    return this.entriesOf(this.word(hash, FIELDS));
  }

  /** Exchanges two databases: what is pending for one is pending for the other. */
  swap(db: number, otherDb: number): void {
    const owner = this.databases.get(db) ?? this.newOwner();
    this.databases.set(db, this.databases.get(otherDb) ?? this.newOwner());
    this.databases.set(otherDb, owner);
  }

  dropDatabase(db: number): void {
    this.databases.delete(db);
  }

  /** Forgets everything; the memory is kept for the next changes. */
  clear(): void {
    if (this.entryCount > 1) this.index.fill(0);
    this.databases.clear();
    this.arena.clear();
    this.bytes = 0;
    this.entryCount = 1;
    this.ownerCount = 1;
  }

  /** As `clear`, and gives the memory back. */
  release(): void {
    this.clear();
    this.arena.release();
    this.order.release();
    this.entries = new Int32Array(FEWEST_ENTRIES * ENTRY_WORDS);
    this.index = new Int32Array(FEWEST_ENTRIES * 4);
    this.owners = new Int32Array(FEWEST_ENTRIES * 2);
  }

  private word(entry: number, word: number): number {
    return this.entries[entry * ENTRY_WORDS + word]!;
  }

  private setState(entry: number, state: number, fields: number): void {
    const at = entry * ENTRY_WORDS;
    this.entries[at + STATE] = state;
    this.entries[at + FIELDS] = fields;
  }

  private hash(owner: number, name: Uint8Array, start: number, end: number): number {
    return halfSipHash(name, start, end, this.k0 ^ owner, this.k1);
  }

  private child(owner: number, name: Uint8Array, start: number, end: number): number {
    const hash = this.hash(owner, name, start, end);
    const slot = this.slotOf(owner, hash, name, start, end);
    const found = this.index[slot + 1]!;
    return found !== NONE ? found : this.add(owner, hash, slot, name, start, end);
  }

  /** Where in the index the entry stands, or an empty slot where it would. */
  private slotOf(owner: number, hash: number, name: Uint8Array, start: number, end: number): number {
    const { index } = this;
    const mask = index.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const entry = index[slot + 1]!;
      if (entry === NONE || (index[slot] === hash && this.isNamed(entry, owner, name, start, end)))
        return slot;
    }
  }

  private isNamed(entry: number, owner: number, name: Uint8Array, start: number, end: number): boolean {
    if (this.word(entry, OWNER) !== owner || this.word(entry, NAME_LENGTH) !== end - start) return false;
    this.locateName(entry);
    return equalBytes(this.nameBytes, this.nameStart, this.nameEnd, name, start, end);
  }

  private add(
    owner: number,
    hash: number,
    slot: number,
    name: Uint8Array,
    start: number,
    end: number,
  ): number {
    const entry = this.entryCount++;
    this.index[slot] = hash;
    this.index[slot + 1] = entry;
    if (this.entryCount * ENTRY_WORDS >= this.entries.length) this.growTables();
    const at = entry * ENTRY_WORDS;
    this.entries.fill(0, at, at + ENTRY_WORDS);
    this.entries[at + OWNER] = owner;
    this.entries[at + NEXT] = this.owners[2 * owner]!;
    this.owners[2 * owner] = entry;
    this.owners[2 * owner + 1]!++;
    const length = end - start;
    if (length > 0) {
      this.entries[at + NAME_ADDRESS] = this.arena.reserve(length);
      this.entries[at + NAME_LENGTH] = length;
      this.arena.write(this.entries[at + NAME_ADDRESS]!, name, start, end);
    }
    this.bytes += ENTRY_BYTES + length;
    return entry;
  }

  private growTables(): void {
    this.entries = doubled(this.entries);
    const old = this.index;
    this.index = new Int32Array(old.length * 2);
    const mask = this.index.length - 1;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] === NONE) continue;
      let slot = (old[at]! << 1) & mask;
      while (this.index[slot + 1] !== NONE) slot = (slot + 2) & mask;
      this.index[slot] = old[at]!;
      this.index[slot + 1] = old[at + 1]!;
    }
  }

  private newOwner(): number {
    const owner = this.ownerCount++;
    if (2 * this.ownerCount > this.owners.length) this.owners = doubled(this.owners);
    this.owners[2 * owner] = NONE;
    this.owners[2 * owner + 1] = 0;
    return owner;
  }

  private entriesOf(owner: number): Int32Array {
    assert(owner !== NONE, 'entries of a hash that is none');
    const entries = new Int32Array(this.owners[2 * owner + 1]!);
    let at = entries.length;
    // The chain begins with the newest.
    for (let entry = this.owners[2 * owner]!; entry !== NONE; entry = this.word(entry, NEXT)) {
      entries[--at] = entry;
    }
    this.order.sort(entries, entries.length);
    return entries;
  }

  /** Half as much again, so that a value built by many small appends is not copied for each of them. */
  private grow(entry: number, length: number): void {
    const at = entry * ENTRY_WORDS;
    const value = this.value(entry);
    const isFirst = this.entries[at + VALUE_CAPACITY] === 0;
    this.reserve(at, isFirst ? length : length + (length >>> 1));
    if (value.length > 0) this.arena.write(this.entries[at + VALUE_ADDRESS]!, value, 0, value.length);
  }

  private reserve(at: number, length: number): void {
    this.bytes += length;
    this.entries[at + VALUE_CAPACITY] = length;
    this.entries[at + VALUE_ADDRESS] = this.arena.reserve(length);
  }
}

const EMPTY = Buffer.alloc(0);

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
