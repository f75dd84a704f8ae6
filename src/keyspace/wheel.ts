import type { Dict } from './dict.js';
import type { Heap } from './heap.js';
import { setWheelPosition, wheelPosition } from './record.js';

/**
 * Exact expiry: a hierarchical timing wheel (G. Varghese and T. Lauck, "Hashed and hierarchical timing
 * wheels", 1987). Eight levels of 64 slots; a slot of level n covers 64^n ms, so level 0 has a slot for each
 * millisecond and level 7 reaches thousands of years. A record waits in the finest slot that its deadline
 * allows, and moves to a finer one when that slot begins.
 *
 * An entry is only the hash of a key: four bytes, and nothing to unlink when the key goes away. A record
 * remembers the slot that holds it (its wheel position); an entry whose slot comes up and finds no record of
 * that hash with that position is stale and dropped. A key whose deadline moves further away keeps its
 * entry, and finds its new slot when the old one comes up. When stale entries outnumber the live ones, all
 * slots are sifted, a few entries at a time.
 */
const LEVELS = 8;
const SLOTS = 64;
const SPAN_MS = Float64Array.from({ length: LEVELS + 1 }, (_, level) => 64 ** level);
const CHUNK_ENTRIES_MAX = 16384;
const STALE_ENTRIES_MIN = 65536;

/** What to do with a record whose time has come. */
export interface WheelOwner {
  /** When the record is due, in Unix ms; Infinity when it is not any more. */
  dueMs(ref: number): number;
  /** The record is due: remove what has expired. The record may be gone afterwards. */
  expire(ref: number): void;
  /** How many records have a deadline. */
  timedCount(): number;
}

class Slot {
  chunks: Int32Array[] = [];
  /** Entries in the last chunk. */
  filled = 0;
}

interface Detached {
  readonly slot: Slot;
  readonly position: number;
  chunk: number;
  entry: number;
}

export class Wheel {
  private readonly dict: Dict;
  private readonly heap: Heap;
  private readonly owner: WheelOwner;
  private readonly slots: (Slot | undefined)[] = new Array(LEVELS * SLOTS);
  /** All slots that begin at or before this have been emptied. */
  private timeMs: number;
  /** Slots taken off the wheel whose entries are being worked through. */
  private readonly detached: Detached[] = [];
  private entries = 0;
  /** When the first slot that holds entries begins. */
  private nextSlotMs = Number.POSITIVE_INFINITY;
  /**
   * The earliest deadline that lay before `timeMs` when it was added; Infinity for none. Usually it is overdue, and
   * its entry comes up next. Where the clock has been set back it is not, and the wheel has to go back as well.
   */
  private earliestPastMs = Number.POSITIVE_INFINITY;
  /** Part of every position; changes with each sifting, so that an entry seen twice is known. */
  private generation = 0;

  constructor(heap: Heap, dict: Dict, owner: WheelOwner, timeMs: number) {
    this.heap = heap;
    this.dict = dict;
    this.owner = owner;
    this.timeMs = timeMs;
  }

  /** Puts a record on the wheel. It must be TIMED. */
  add(hash: number, ref: number, dueMs: number): void {
    if (dueMs <= this.timeMs && dueMs < this.earliestPastMs) this.earliestPastMs = dueMs;
    const place = this.placeOf(dueMs);
    setWheelPosition(this.heap, ref, this.positionOf(place));
    this.push(place, hash);
  }

  /** `ref` takes the place of `old`, a record of the same key: it inherits its entry if that comes up in time. */
  inherit(hash: number, old: number, ref: number, dueMs: number): void {
    const position = wheelPosition(this.heap, old);
    if (position !== 0 && this.startMs(position) <= dueMs) setWheelPosition(this.heap, ref, position);
    else this.add(hash, ref, dueMs);
  }

  /** When there will next be something to do, in Unix ms; Infinity when nothing waits. */
  nextMs(): number {
    // At once, wherever the clock stands.
    if (this.detached.length > 0) return 0;
    return Math.min(this.nextSlotMs, this.earliestPastMs);
  }

  /**
   * Expires what is due, touching at most `budget` entries.
   *
   * @returns the entries touched; less than `budget` when everything due is done.
   */
  advance(nowMs: number, budget: number): number {
    let left = budget;
    for (;;) {
      if (this.detached.length > 0) left = this.work(nowMs, left);
      if (left <= 0) return budget;
      if (this.earliestPastMs <= nowMs && nowMs < this.timeMs) {
        this.goBack(nowMs);
      } else if (this.entries > STALE_ENTRIES_MIN && this.entries > 2 * this.owner.timedCount()) {
        this.sift();
      } else if (this.nextSlotMs <= nowMs) {
        this.timeMs = this.nextSlotMs;
        this.detachSlotsAt(this.timeMs);
      } else break;
    }
    if (nowMs > this.timeMs) {
      this.timeMs = nowMs;
      this.earliestPastMs = Number.POSITIVE_INFINITY;
    }
    return budget - left;
  }

  /** The clock was set back: every entry finds its slot again, seen from the present time. */
  private goBack(nowMs: number): void {
    this.timeMs = nowMs - 1;
    this.earliestPastMs = Number.POSITIVE_INFINITY;
    this.sift();
  }

  private work(nowMs: number, budget: number): number {
    let left = budget;
    while (this.detached.length > 0 && left > 0) {
      const current = this.detached[0]!;
      const { chunks, filled } = current.slot;
      const chunk = chunks[current.chunk];
      const end = current.chunk === chunks.length - 1 ? filled : (chunk?.length ?? 0);
      if (chunk === undefined) {
        this.detached.shift();
      } else if (current.entry >= end) {
        current.chunk++;
        current.entry = 0;
      } else {
        left--;
        this.entries--;
        this.due(chunk[current.entry++]!, current.position, nowMs);
      }
    }
    return left;
  }

  private due(hash: number, position: number, nowMs: number): void {
    for (;;) {
      const ref = this.dict.findOnWheel(hash, position);
      if (ref === 0) return;
      const dueMs = this.owner.dueMs(ref);
      setWheelPosition(this.heap, ref, 0);
      if (dueMs <= nowMs) this.owner.expire(ref);
      else if (dueMs !== Number.POSITIVE_INFINITY) this.add(hash, ref, dueMs);
    }
  }

  private sift(): void {
    this.generation ^= 1;
    for (let place = 0; place < this.slots.length; place++) {
      if (this.slots[place]) this.detach(place, this.positionOf(place) ^ GENERATION);
    }
    this.nextSlotMs = Number.POSITIVE_INFINITY;
  }

  private detachSlotsAt(timeMs: number): void {
    for (let level = LEVELS - 1; level >= 0; level--) {
      const span = SPAN_MS[level]!;
      if (timeMs % span !== 0) continue;
      const place = level * SLOTS + (Math.floor(timeMs / span) % SLOTS);
      if (this.slots[place]) this.detach(place, this.positionOf(place));
    }
    this.findNextSlot();
  }

  private detach(place: number, position: number): void {
    this.detached.push({ slot: this.slots[place]!, position, chunk: 0, entry: 0 });
    this.slots[place] = undefined;
  }

  /** The finest slot whose turn is still to come and not after the deadline. */
  private placeOf(dueMs: number): number {
    const now = this.timeMs;
    const due = dueMs > now ? dueMs : now + 1;
    for (let level = 0; level < LEVELS; level++) {
      const span = SPAN_MS[level]!;
      const index = Math.floor(due / span);
      if (index - Math.floor(now / span) < SLOTS) return level * SLOTS + (index % SLOTS);
    }
    // Further away than the wheel reaches: the last slot there is, to be placed again when it comes up.
    const top = LEVELS - 1;
    return top * SLOTS + ((Math.floor(now / SPAN_MS[top]!) + SLOTS - 1) % SLOTS);
  }

  private positionOf(place: number): number {
    return (place + 1) | (this.generation * GENERATION);
  }

  /** When the slot of this position begins, seen from now. */
  private startMs(position: number): number {
    const place = (position & (GENERATION - 1)) - 1;
    return this.slotStartMs(place);
  }

  private slotStartMs(place: number): number {
    const level = Math.floor(place / SLOTS);
    const span = SPAN_MS[level]!;
    const current = Math.floor(this.timeMs / span);
    let index = current - (current % SLOTS) + (place % SLOTS);
    if (index <= current) index += SLOTS;
    return index * span;
  }

  private findNextSlot(): void {
    let next = Number.POSITIVE_INFINITY;
    for (let place = 0; place < this.slots.length; place++) {
      if (!this.slots[place]) continue;
      const start = this.slotStartMs(place);
      if (start < next) next = start;
    }
    this.nextSlotMs = next;
  }

  private push(place: number, hash: number): void {
    let slot = this.slots[place];
    if (!slot) {
      slot = new Slot();
      this.slots[place] = slot;
      this.nextSlotMs = Math.min(this.nextSlotMs, this.slotStartMs(place));
    }
    let chunk = slot.chunks[slot.chunks.length - 1];
    if (!chunk || slot.filled === chunk.length) {
      chunk = roomier(slot, chunk);
    }
    chunk[slot.filled++] = hash;
    this.entries++;
  }
}

/** The bit of a position that tells the generation. */
const GENERATION = 1024;

/** The chunk to write to next: twice as large up to a bound, then another one. */
function roomier(slot: Slot, last: Int32Array | undefined): Int32Array {
  if (last && last.length < CHUNK_ENTRIES_MAX) {
    const larger = new Int32Array(last.length * 4);
    larger.set(last);
    slot.chunks[slot.chunks.length - 1] = larger;
    return larger;
  }
  const fresh = new Int32Array(last ? CHUNK_ENTRIES_MAX : 4);
  slot.chunks.push(fresh);
  slot.filled = 0;
  return fresh;
}
