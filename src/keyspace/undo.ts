import type { Table } from './table.js';

/** The old record's attachment lives on under another name (RENAME): free only the block. */
export const OLD_MOVED = 1;
/** The new record took over another one's attachment. */
export const NEW_MOVED = 2;

/** What the undo list needs of its keyspace. */
export interface UndoTarget {
  /** Nothing refers to this record any more. */
  dispose(ref: number, successor: number, moved: boolean): void;
  disposeTable(table: Table): void;
  setTable(db: number, table: Table): void;
}

/**
 * What the mutations of the turns that are not yet safe on disk have replaced.
 *
 * Records are written once and replaced, never changed, so undoing is putting references back. A commit
 * discards the entries, and only then are the replaced records freed; a failed append rolls back to the
 * state that the log on disk leads to. That is why an error reply can promise that nothing has happened.
 *
 * Positions count entries since the start and never run backwards; engine.ts notes the position at the end
 * of each commit group.
 */
export class UndoLog {
  /** Off: nothing will be taken back, and what is replaced is freed at once. */
  recording = true;
  private readonly target: UndoTarget;
  private readonly tables: (Table | null)[] = [];
  private readonly olds: number[] = [];
  private readonly news: number[] = [];
  private readonly flags: number[] = [];
  /** For a replaced database: its number, and the table before. */
  private readonly replaced = new Map<number, { db: number; before: Table; kept: boolean }>();
  private length = 0;
  private head = 0;
  /** Position of entry 0 of the arrays. */
  private base = 0;

  constructor(target: UndoTarget) {
    this.target = target;
  }

  /** Where the next entry will be. */
  get position(): number {
    return this.base + this.length;
  }

  /** Entries before this position have been discarded: what they replaced is freed. */
  get discarded(): number {
    return this.base + this.head;
  }

  /** Is nothing waiting to be discarded or rolled back? */
  get empty(): boolean {
    return this.length === 0;
  }

  push(table: Table, old: number, ref: number, flags: number): void {
    if (!this.recording) {
      if (old !== 0) this.target.dispose(old, ref, (flags & OLD_MOVED) !== 0);
      return;
    }
    const i = this.length++;
    this.tables[i] = table;
    this.olds[i] = old;
    this.news[i] = ref;
    this.flags[i] = flags;
  }

  /** Database `db` pointed at `before`; `kept` when that table lives on elsewhere (SWAPDB). */
  pushTable(db: number, before: Table, kept: boolean): void {
    if (!this.recording) {
      if (!kept) this.target.disposeTable(before);
      return;
    }
    this.replaced.set(this.position, { db, before, kept });
    const i = this.length++;
    this.tables[i] = null;
  }

  /** Everything before `position` is safe: what it replaced is freed. */
  discard(position: number): void {
    const end = position - this.base;
    for (; this.head < end; this.head++) {
      const table = this.tables[this.head]!;
      if (table === null) this.discardTable(this.base + this.head);
      else {
        const old = this.olds[this.head]!;
        if (old !== 0)
          this.target.dispose(old, this.news[this.head]!, (this.flags[this.head]! & OLD_MOVED) !== 0);
        this.tables[this.head] = null;
      }
    }
    if (this.head === this.length) {
      this.base += this.length;
      this.length = 0;
      this.head = 0;
    }
  }

  /** Takes back everything from `position` on, newest first. */
  rollback(position: number): void {
    const end = position - this.base;
    while (this.length > end) {
      const i = --this.length;
      const table = this.tables[i]!;
      if (table === null) this.rollbackTable(this.base + i);
      else this.rollbackRecord(table, this.olds[i]!, this.news[i]!, this.flags[i]!);
    }
  }

  private rollbackRecord(table: Table, old: number, ref: number, flags: number): void {
    const hash = table.dict.hashOf(old !== 0 ? old : ref);
    if (ref === 0) table.dict.insert(hash, old);
    else if (old === 0) table.dict.remove(hash, ref);
    else table.dict.replace(hash, ref, old);
    table.settle(hash, ref, old);
    if (ref !== 0) this.target.dispose(ref, old, (flags & NEW_MOVED) !== 0);
  }

  private discardTable(position: number): void {
    const { before, kept } = this.replaced.get(position)!;
    this.replaced.delete(position);
    if (!kept) this.target.disposeTable(before);
  }

  private rollbackTable(position: number): void {
    const { db, before } = this.replaced.get(position)!;
    this.replaced.delete(position);
    this.target.setTable(db, before);
  }
}
