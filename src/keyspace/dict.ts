import { equalBytes } from '../base/bytes.js';
import { type HashSecret, halfSipHash } from '../base/siphash.js';
import { type Heap, SLAB_BYTES } from './heap.js';
import {
  ATTACHED,
  attachmentOf,
  headerBytes,
  INLINE_KEY_BYTES_MAX,
  wheelPosition,
  wordIndex,
} from './record.js';

/**
 * The index from key bytes to records: extendible hashing over small open-addressing tables.
 *
 * A directory of 2^depth entries, chosen by the top bits of the hash, points to shards. A shard is one typed
 * array of (hash, reference) pairs with linear probing, kept sorted by hash, so its order follows the hash
 * like the directory's. A shard that is full doubles, and past SHARD_SLOTS_MAX splits in two: growing costs
 * a few thousand entries at a time, never the whole index.
 *
 * Because everything lies in hash order, a SCAN cursor is a position in hash space: whatever grows, splits
 * or is deleted meanwhile, an element that was there all along has a hash on one side of it, and is visited.
 */
const SHARD_SLOTS_MIN = 16;
const SHARD_SLOTS_MAX = 8192;
/** Slots after the last home slot: a run of collisions at the end has room without wrapping around. */
const TAIL_SLOTS = 64;
const FULL = 0.8;
const SPARSE = 0.15;
const DEPTH_MAX = 20;
const HASH_SPACE = 4294967296;
/** Of the processor's caches; a wrong guess costs speed only. */
const WORDS_PER_LINE = 16;
const SLAB_WORD_MASK = SLAB_BYTES / 4 - 1;

class Shard {
  /** Pairs of hash and reference; reference 0 is an empty slot. One empty slot always ends it. */
  table: Int32Array;
  slots: number;
  count = 0;
  /** Number of top bits of the hash that all entries share. */
  readonly depth: number;

  constructor(slots: number, depth: number) {
    this.slots = slots;
    this.depth = depth;
    this.table = new Int32Array((slots + TAIL_SLOTS) * 2);
  }

  /** Index in `table` of the slot where probing for this hash begins. */
  home(hash: number): number {
    return ((hash << this.depth) >>> (Math.clz32(this.slots) + 1)) << 1;
  }
}

export class Dict {
  /** Number of entries. */
  count = 0;
  /** Bytes of the tables; counted in the heap's `tableBytes` too. */
  private tableBytes = 0;
  private readonly heap: Heap;
  private readonly secret: HashSecret;
  private directory: Shard[];
  private depth = 1;
  private depthShift = 31;

  constructor(heap: Heap, secret: HashSecret) {
    this.heap = heap;
    this.secret = secret;
    const shard = this.newShard(SHARD_SLOTS_MIN, 0);
    this.directory = [shard, shard];
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return halfSipHash(bytes, start, end, this.secret.k0, this.secret.k1);
  }

  /** The record of this key, 0 when there is none. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const shard = this.directory[hash >>> this.depthShift]!;
    const { table } = shard;
    for (let at = shard.home(hash); ; at += 2) {
      const ref = table[at + 1]!;
      if (ref === 0) return 0;
      const other = table[at]!;
      if (other === hash) {
        if (this.keyEquals(ref, key, start, end)) return ref;
      } else if (other >>> 0 > hash >>> 0) return 0;
    }
  }

  /**
   * Reads where these hashes and their records lie, so that what is looked up next is in the processor's caches. One
   * load does not wait for the other here, unlike where a command stands between two of them.
   *
   * @param refs room for as many references, for the use of this method.
   * @returns a number without a meaning, which keeps the compiler from leaving the loads out.
   */
  touch(hashes: Int32Array, refs: Int32Array, count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const shard = this.directory[hashes[i]! >>> this.depthShift]!;
      sum += shard.table[shard.home(hashes[i]!)]!;
    }
    for (let i = 0; i < count; i++) refs[i] = this.firstOf(hashes[i]!);
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      if (ref === 0) continue;
      const words = this.heap.words[ref >>> 21]!;
      const at = wordIndex(ref);
      // The cache line of the header, and the next one.
      sum += words[at]! + words[(at + WORDS_PER_LINE) & SLAB_WORD_MASK]!;
    }
    return sum;
  }

  /** The first record whose key has this hash, 0 when there is none. */
  private firstOf(hash: number): number {
    const shard = this.directory[hash >>> this.depthShift]!;
    const { table } = shard;
    for (let at = shard.home(hash); table[at + 1] !== 0; at += 2) {
      const other = table[at]!;
      if (other === hash) return table[at + 1]!;
      if (other >>> 0 > hash >>> 0) return 0;
    }
    return 0;
  }

  /**
   * Points the key at another record, or adds it.
   *
   * @returns the record it pointed at before, 0 when it is new.
   */
  put(hash: number, key: Uint8Array, start: number, end: number, ref: number): number {
    const shard = this.directory[hash >>> this.depthShift]!;
    const { table } = shard;
    let at = shard.home(hash);
    for (; ; at += 2) {
      const old = table[at + 1]!;
      if (old === 0) break;
      const other = table[at]!;
      if (other === hash) {
        if (this.keyEquals(old, key, start, end)) {
          table[at + 1] = ref;
          return old;
        }
      } else if (other >>> 0 > hash >>> 0) break;
    }
    this.insertAt(shard, at, hash, ref);
    return 0;
  }

  /** Adds an entry whose key is known to be absent. */
  insert(hash: number, ref: number): void {
    const shard = this.directory[hash >>> this.depthShift]!;
    this.insertAt(shard, position(shard, hash), hash, ref);
  }

  /** Points an existing entry at another record of the same key. */
  replace(hash: number, ref: number, by: number): void {
    const shard = this.directory[hash >>> this.depthShift]!;
    shard.table[this.entryOf(shard, hash, ref) + 1] = by;
  }

  /** Removes an existing entry. */
  remove(hash: number, ref: number): void {
    const shard = this.directory[hash >>> this.depthShift]!;
    const { table } = shard;
    let at = this.entryOf(shard, hash, ref);
    // Move back what follows, as long as it does not stand at its home.
    for (;;) {
      const next = at + 2;
      const nextRef = table[next + 1]!;
      if (nextRef === 0 || shard.home(table[next]!) >= next) break;
      table[at] = table[next]!;
      table[at + 1] = nextRef;
      at = next;
    }
    table[at] = 0;
    table[at + 1] = 0;
    shard.count--;
    this.count--;
    if (shard.count < shard.slots * SPARSE && shard.slots > SHARD_SLOTS_MIN) this.shrink(shard);
  }

  /** The hash of an existing record's key. */
  hashOf(ref: number): number {
    const words = this.heap.words[ref >>> 21]!;
    const at = wordIndex(ref);
    const flags = words[at]!;
    const length = words[at + 1]!;
    if ((flags & ATTACHED) !== 0 && length > INLINE_KEY_BYTES_MAX) {
      return this.hash(attachmentOf(this.heap, ref)!.key!, 0, length);
    }
    const start = (at << 2) + headerBytes(flags);
    return this.hash(this.heap.bytes[ref >>> 21]!, start, start + length);
  }

  /** The first entry with this hash that the expiry wheel holds at `position`, 0 when there is none. */
  findOnWheel(hash: number, position: number): number {
    const shard = this.directory[hash >>> this.depthShift]!;
    const { table } = shard;
    for (let at = shard.home(hash); table[at + 1] !== 0; at += 2) {
      const other = table[at]!;
      if (other === hash) {
        if (wheelPosition(this.heap, table[at + 1]!) === position) return table[at + 1]!;
      } else if (other >>> 0 > hash >>> 0) return 0;
    }
    return 0;
  }

  /**
   * Visits entries in hash order from `cursor`, at least `count` of them if there are that many, and never
   * stops between entries of equal hash. The visitor must not change the index.
   *
   * @returns the cursor to go on from, 0 when everything has been visited.
   */
  scan(cursor: number, count: number, visit: (ref: number) => void): number {
    let from = cursor;
    let visited = 0;
    let last = -1;
    while (from < HASH_SPACE) {
      const shard = this.directory[from >>> this.depthShift]!;
      const { table } = shard;
      for (let at = shard.home(from | 0); at < table.length; at += 2) {
        const ref = table[at + 1]!;
        if (ref === 0) continue;
        const hash = table[at]! >>> 0;
        if (hash < from) continue;
        if (visited >= count && hash !== last) return hash;
        visit(ref);
        visited++;
        last = hash;
      }
      from = shardEnd(from, shard.depth);
    }
    return 0;
  }

  /**
   * As `scan`, and points each entry at the record that `move` returns for it: the same one, or a copy that
   * takes its place.
   */
  relocate(cursor: number, count: number, move: (ref: number) => number): number {
    let from = cursor;
    let visited = 0;
    while (from < HASH_SPACE && visited < count) {
      const shard = this.directory[from >>> this.depthShift]!;
      const { table } = shard;
      // Whole shards: a few thousand entries at most.
      for (let at = 0; at < table.length; at += 2) {
        if (table[at + 1] === 0) continue;
        table[at + 1] = move(table[at + 1]!);
        visited++;
      }
      from = shardEnd(from, shard.depth);
    }
    return from < HASH_SPACE ? from : 0;
  }

  /** Visits every entry. The visitor must not change the index. */
  each(visit: (ref: number) => void): void {
    this.scan(0, Number.POSITIVE_INFINITY, visit);
  }

  /**
   * An entry chosen uniformly at random, as far as the hash is: shards are chosen by their share of hash
   * space, entries within a shard by trying slots. 0 when empty.
   */
  random(): number {
    if (this.count === 0) return 0;
    for (;;) {
      const shard = this.directory[(Math.random() * HASH_SPACE) >>> this.depthShift]!;
      if (shard.count === 0) continue;
      const slotCount = shard.table.length >> 1;
      for (;;) {
        const ref = shard.table[(Math.floor(Math.random() * slotCount) << 1) + 1]!;
        if (ref !== 0) return ref;
      }
    }
  }

  /** The dictionary is not used any more: its tables no longer count as memory in use. */
  dispose(): void {
    this.account(-this.tableBytes);
  }

  private account(bytes: number): void {
    this.tableBytes += bytes;
    this.heap.tableBytes += bytes;
  }

  private keyEquals(ref: number, key: Uint8Array, start: number, end: number): boolean {
    const words = this.heap.words[ref >>> 21]!;
    const at = wordIndex(ref);
    const length = words[at + 1]!;
    if (length !== end - start) return false;
    let bytes = this.heap.bytes[ref >>> 21]!;
    let from = (at << 2) + headerBytes(words[at]!);
    if (length > INLINE_KEY_BYTES_MAX) {
      bytes = attachmentOf(this.heap, ref)!.key!;
      from = 0;
    }
    return equalBytes(bytes, from, from + length, key, start, end);
  }

  private insertAt(shard: Shard, at: number, hash: number, ref: number): void {
    const { table } = shard;
    let empty = at;
    while (table[empty + 1] !== 0) empty += 2;
    if (empty + 2 >= table.length || shard.count >= shard.slots * FULL) {
      this.grow(shard, hash);
      this.insert(hash, ref);
      return;
    }
    // Runs are short: a plain loop beats the call that copyWithin is.
    for (let to = empty; to > at; to -= 2) {
      table[to] = table[to - 2]!;
      table[to + 1] = table[to - 1]!;
    }
    table[at] = hash;
    table[at + 1] = ref;
    shard.count++;
    this.count++;
  }

  private entryOf(shard: Shard, hash: number, ref: number): number {
    const { table } = shard;
    let at = shard.home(hash);
    while (table[at + 1] !== ref || table[at] !== hash) at += 2;
    return at;
  }

  private newShard(slots: number, depth: number): Shard {
    const shard = new Shard(slots, depth);
    this.account(shard.table.byteLength);
    return shard;
  }

  private grow(shard: Shard, hash: number): void {
    if (shard.slots < SHARD_SLOTS_MAX || shard.depth === DEPTH_MAX) this.resize(shard, shard.slots * 2);
    else this.split(shard, hash);
  }

  private resize(shard: Shard, slots: number): void {
    const { table } = shard;
    shard.slots = slots;
    let tail = TAIL_SLOTS;
    do {
      shard.table = new Int32Array((slots + tail) * 2);
      tail *= 2;
    } while (!refill(shard, table));
    this.account(shard.table.byteLength - table.byteLength);
  }

  private split(shard: Shard, hash: number): void {
    if (shard.depth === this.depth) this.doubleDirectory();
    const depth = shard.depth + 1;
    // Half size would be full at once; the same size is half full.
    const lower = this.newShard(shard.slots, depth);
    const upper = this.newShard(shard.slots, depth);
    const { table } = shard;
    const middle = 1 << (32 - depth);
    for (let at = 0; at < table.length; at += 2) {
      if (table[at + 1] === 0) continue;
      const half = (table[at]! & middle) === 0 ? lower : upper;
      while (!append(half, table[at]!, table[at + 1]!)) this.resize(half, half.slots * 2);
    }
    this.account(-table.byteLength);
    const span = 1 << (this.depth - shard.depth);
    const first = (hash >>> this.depthShift) & ~(span - 1);
    for (let i = 0; i < span; i++) this.directory[first + i] = i < span / 2 ? lower : upper;
  }

  private doubleDirectory(): void {
    const { directory } = this;
    const doubled: Shard[] = new Array(directory.length * 2);
    for (let i = 0; i < directory.length; i++) {
      doubled[i * 2] = directory[i]!;
      doubled[i * 2 + 1] = directory[i]!;
    }
    this.directory = doubled;
    this.depth++;
    this.depthShift--;
  }

  private shrink(shard: Shard): void {
    this.resize(shard, shard.slots >> 1);
  }
}

/** Where an entry of this hash belongs: before the first greater one. */
function position(shard: Shard, hash: number): number {
  const { table } = shard;
  let at = shard.home(hash);
  while (table[at + 1] !== 0 && table[at]! >>> 0 <= hash >>> 0) at += 2;
  return at;
}

/** Adds an entry greater than or equal to all there are. False when the tail is used up. */
function append(shard: Shard, hash: number, ref: number): boolean {
  const { table } = shard;
  let at = shard.home(hash);
  while (table[at + 1] !== 0) at += 2;
  if (at + 2 >= table.length) return false;
  table[at] = hash;
  table[at + 1] = ref;
  shard.count++;
  return true;
}

function refill(shard: Shard, entries: Int32Array): boolean {
  shard.count = 0;
  for (let at = 0; at < entries.length; at += 2) {
    if (entries[at + 1] !== 0 && !append(shard, entries[at]!, entries[at + 1]!)) return false;
  }
  return true;
}

/** The first hash after the shard that `from` lies in. */
function shardEnd(from: number, depth: number): number {
  const size = HASH_SPACE / 2 ** depth;
  return (Math.floor(from / size) + 1) * size;
}
