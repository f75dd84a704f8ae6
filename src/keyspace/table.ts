import type { HashSecret } from '../base/siphash.js';
import { Dict } from './dict.js';
import type { Heap } from './heap.js';
import { flagsOf, TIMED } from './record.js';
import { Wheel, type WheelOwner } from './wheel.js';

/** Decides when a record is due and what then happens to it. */
export type DueHandler = Pick<WheelOwner, 'dueMs' | 'expire'>;

/**
 * Records by name, with the timers of those that have a deadline: a database, or the fields of a large hash.
 */
export class Table implements WheelOwner {
  readonly dict: Dict;
  readonly wheel: Wheel;
  /** Nothing refers to it any more; its records are being freed. */
  disposed = false;
  private readonly heap: Heap;
  private readonly handler: DueHandler;
  /** Records with a deadline, their own or one of their fields'. */
  private timed = 0;

  constructor(heap: Heap, secret: HashSecret, nowMs: number, handler: DueHandler) {
    this.heap = heap;
    this.handler = handler;
    this.dict = new Dict(heap, secret);
    this.wheel = new Wheel(heap, this.dict, this, nowMs);
  }

  /** Bookkeeping for an entry that now points at `ref` instead of `old`; 0 for none. */
  settle(hash: number, old: number, ref: number): void {
    const wasTimed = old !== 0 && (flagsOf(this.heap, old) & TIMED) !== 0;
    const isTimed = ref !== 0 && (flagsOf(this.heap, ref) & TIMED) !== 0;
    if (wasTimed) this.timed--;
    if (!isTimed) return;
    this.timed++;
    const dueMs = this.handler.dueMs(ref);
    if (wasTimed) this.wheel.inherit(hash, old, ref, dueMs);
    else this.wheel.add(hash, ref, dueMs);
  }

  dueMs(ref: number): number {
    return this.handler.dueMs(ref);
  }

  expire(ref: number): void {
    this.handler.expire(ref);
  }

  timedCount(): number {
    return this.timed;
  }

  get size(): number {
    return this.dict.count;
  }
}
