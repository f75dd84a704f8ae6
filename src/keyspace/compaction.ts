import { type Heap, SLAB_BYTES } from './heap.js';
import { ATTACHED, attachmentOf, flagsOf } from './record.js';
import type { Table } from './table.js';

/** Emptying slabs is worth the walk over the index when this share of them is free, and so many bytes. */
const FREE_SHARE = 0.35;
const FREE_BYTES_MIN = 2 * SLAB_BYTES;

/**
 * Bounds fragmentation. When most records have gone, those left in the emptiest slabs are moved to the others
 * and the slabs given back to the system: what Redis calls active defragmentation. A record can move because only its index
 * entry refers to it; so this walks the index, a bounded number of entries at a time, and moves those whose
 * slab is to be emptied.
 *
 * It must only run while no replaced record waits in the undo list, which refers to records too.
 */
export class Compaction {
  private readonly heap: Heap;
  /** Tables still to be walked in this pass, the one at the end first. */
  private tables: Table[] = [];
  private cursor = 0;
  private running = false;
  /** Free bytes that the last pass could not give back: the next needs more than those. */
  private leftOver = 0;

  constructor(heap: Heap) {
    this.heap = heap;
  }

  /** Is a pass under way, or worth beginning? */
  isDue(): boolean {
    if (this.running) return true;
    const free = this.freeBytes;
    if (free < this.leftOver) this.leftOver = free;
    return free > this.leftOver + FREE_BYTES_MIN && free > this.heap.reservedBytes * FREE_SHARE;
  }

  private get freeBytes(): number {
    return this.heap.reservedBytes - this.heap.usedBytes;
  }

  /** Looks at about `budget` entries. `databases` are the tables that a new pass begins with. */
  step(budget: number, databases: readonly Table[]): void {
    if (!this.running) this.begin(databases);
    const table = this.tables.at(-1);
    if (!table) {
      this.end();
      return;
    }
    if (table.disposed) {
      this.tables.pop();
      this.cursor = 0;
      return;
    }
    this.cursor = table.dict.relocate(this.cursor, budget, this.move);
    // Tables found on the way lie on top now: take this one out of the middle when it is done.
    if (this.cursor === 0) this.tables.splice(this.tables.indexOf(table), 1);
    else if (this.tables.at(-1) !== table) this.putOnTop(table);
  }

  private begin(databases: readonly Table[]): void {
    this.running = this.heap.markSparseSlabs() > 0;
    this.tables = this.running ? [...databases] : [];
    this.cursor = 0;
  }

  private end(): void {
    this.heap.unmarkSlabs();
    this.running = false;
    this.leftOver = this.freeBytes;
  }

  private putOnTop(table: Table): void {
    this.tables.splice(this.tables.indexOf(table), 1);
    this.tables.push(table);
  }

  private readonly move = (ref: number): number => {
    const { heap } = this;
    if ((flagsOf(heap, ref) & ATTACHED) !== 0) {
      const fields = attachmentOf(heap, ref)!.fields;
      if (fields) this.tables.push(fields);
    }
    if (!heap.isLeaving(ref)) return ref;
    const copy = heap.relocate(ref);
    heap.free(ref);
    return copy;
  };
}
