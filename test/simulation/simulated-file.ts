import type { Random } from './random.js';

export const SECTOR_BYTES = 512;
export const PAGE_BYTES = 4096;

type Change =
  | { readonly id: number; readonly kind: 'write'; readonly at: number; readonly data: Buffer }
  | { readonly id: number; readonly kind: 'truncate'; readonly size: number };

/**
 * A file in two states: as programs see it (in the system's memory), and as it certainly is on the disk. In
 * between are the changes that were not synced, of which a power cut keeps what it likes, and the pages of which
 * a sync failed: those count as written, and only a write to one of them makes it go to the disk again.
 */
export class SimulatedFile {
  content: Buffer = Buffer.alloc(0);
  private durable: Buffer = Buffer.alloc(0);
  private unsynced: Change[] = [];
  /** Numbers of the pages that memory shows as the disk does not have them, although nothing remembers that. */
  private forgotten = new Set<number>();
  private changes = 0;

  copy(): SimulatedFile {
    const copy = new SimulatedFile();
    copy.content = Buffer.from(this.content);
    copy.durable = Buffer.from(this.durable);
    copy.unsynced = [...this.unsynced];
    copy.forgotten = new Set(this.forgotten);
    copy.changes = this.changes;
    return copy;
  }

  /** The number of the last change, for `syncUpTo`. */
  get lastChange(): number {
    return this.changes;
  }

  write(at: number, data: Buffer): void {
    const written = applied(this.content, { id: 0, kind: 'write', at, data });
    const [start, end] = this.remembered(at, at + data.length, written.length);
    this.content = written;
    this.unsynced.push({
      id: ++this.changes,
      kind: 'write',
      at: start,
      data: Buffer.from(written.subarray(start, end)),
    });
  }

  truncate(size: number): void {
    const change: Change = { id: ++this.changes, kind: 'truncate', size };
    this.unsynced.push(change);
    this.content = applied(this.content, change);
  }

  /** Everything up to this change is on the disk. */
  syncUpTo(id: number): void {
    const synced = this.unsynced.filter((change) => change.id <= id);
    this.durable = synced.reduce(applied, this.durable);
    this.unsynced = this.unsynced.filter((change) => change.id > id);
  }

  /**
   * A sync fails: some of the pages are on the disk, and all of them count as written. The others stay in memory
   * until it is short, or are dropped from it at once. Truncations are the journal's business, which keeps them.
   *
   * @returns true when pages were dropped: programs read again what the disk has.
   */
  failSync(random: Random): boolean {
    const image = this.anyPages(random, this.unsynced.length);
    this.durable = image.subarray(0, this.lengthAfterFailure(image, random));
    this.unsynced = [];
    const areDropped = random.chance(0.25);
    if (areDropped) this.content = resized(this.durable, this.content.length);
    this.forgotten = new Set(this.differingPages());
    return areDropped;
  }

  /** Changes bytes under the file system's nose, on the disk and in memory. */
  damage(change: (bytes: Buffer) => Buffer): void {
    this.content = change(Buffer.from(this.content));
    this.durable = Buffer.from(this.content);
    this.unsynced = [];
    this.forgotten.clear();
  }

  /** What is left when the power goes. */
  losePower(random: Random): void {
    this.durable = this.surviving(random);
    this.content = Buffer.from(this.durable);
    this.unsynced = [];
    this.forgotten.clear();
  }

  /** The range that has to be written where `from` to `to` is: pages that were forgotten are whole again then. */
  private remembered(from: number, to: number, fileBytes: number): [number, number] {
    let [start, end] = [from, to];
    for (const page of this.forgotten) {
      const pageStart = page * PAGE_BYTES;
      if (pageStart >= to || pageStart + PAGE_BYTES <= from) continue;
      this.forgotten.delete(page);
      start = Math.min(start, pageStart);
      end = Math.max(end, Math.min(pageStart + PAGE_BYTES, fileBytes));
    }
    return [start, end];
  }

  private *differingPages(): Iterable<number> {
    const { content, durable } = this;
    for (let start = 0; start < content.length; start += PAGE_BYTES) {
      const end = Math.min(start + PAGE_BYTES, content.length);
      if (!content.subarray(start, end).equals(durable.subarray(start, end))) yield start / PAGE_BYTES;
    }
  }

  /** The file may be as short on the disk as it was before it grew. */
  private lengthAfterFailure(image: Buffer, random: Random): number {
    if (random.chance(0.5)) return image.length;
    return Math.min(image.length, this.durable.length);
  }

  private surviving(random: Random): Buffer {
    const mode = random.below(8);
    if (mode === 0) return this.durable;
    if (mode === 1 && this.forgotten.size === 0) return this.content;
    return this.anyPages(random);
  }

  /**
   * The length is the one after any of the changes, or on the way to the next. Each page is as memory had it
   * after any of the changes, whatever became of the others.
   */
  private anyPages(random: Random, committed = this.anyMoment(random)): Buffer {
    const { unsynced } = this;
    const sizes = [this.durable.length];
    for (const change of unsynced) sizes.push(sizeAfter(sizes.at(-1)!, change));
    const image = Buffer.alloc(sizeOnTheWay(sizes[committed]!, sizes[committed + 1], random));
    for (let start = 0; start < image.length; start += PAGE_BYTES) {
      this.survivingPage(start, committed, random).copy(image, start);
    }
    return image;
  }

  /** How many of the changes the file's length knows of. */
  private anyMoment(random: Random): number {
    const { length } = this.unsynced;
    return random.chance(0.5) ? length : random.below(length + 1);
  }

  private survivingPage(start: number, committed: number, random: Random): Buffer {
    const end = start + PAGE_BYTES;
    const touching = this.unsynced
      .map((change, i) => (touches(change, start, end) ? i + 1 : 0))
      .filter((i) => i > 0);
    const versions = [0, ...touching];
    const version = random.chance(0.4) ? versions.at(-1)! : random.pick(versions);
    const page = this.pageAfter(version, start, committed);
    if (random.chance(0.7)) return page;
    // The disk lost power within the page: some of its sectors are of an earlier version.
    const older = this.pageAfter(random.pick(versions.filter((i) => i <= version)), start, committed);
    for (let sector = 0; sector < PAGE_BYTES; sector += SECTOR_BYTES) {
      if (random.chance(0.5)) older.copy(page, sector, sector, sector + SECTOR_BYTES);
    }
    return page;
  }

  /** The page after so many changes, and without what later truncations cut off that the journal knows of. */
  private pageAfter(version: number, start: number, committed: number): Buffer {
    const page = Buffer.alloc(PAGE_BYTES);
    page.set(this.durable.subarray(start, start + PAGE_BYTES));
    this.unsynced.forEach((change, i) => {
      if (change.kind === 'truncate') {
        if (i < Math.max(version, committed) && change.size < start + PAGE_BYTES)
          page.fill(0, Math.max(0, change.size - start));
      } else if (i < version && touches(change, start, start + PAGE_BYTES)) {
        const from = Math.max(change.at, start);
        change.data.copy(page, from - start, from - change.at);
      }
    });
    return page;
  }
}

function sizeAfter(size: number, change: Change): number {
  return change.kind === 'truncate' ? change.size : Math.max(size, change.at + change.data.length);
}

/** Some sectors further on, where the file was growing. */
function sizeOnTheWay(size: number, next: number | undefined, random: Random): number {
  if (next === undefined || next <= size || random.chance(0.5)) return size;
  return Math.min(next, size + random.below(Math.ceil((next - size) / SECTOR_BYTES) + 1) * SECTOR_BYTES);
}

function touches(change: Change, start: number, end: number): boolean {
  if (change.kind === 'truncate') return change.size < end;
  return change.at < end && change.at + change.data.length > start;
}

function applied(bytes: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') return resized(bytes, change.size);
  const copy = Buffer.alloc(sizeAfter(bytes.length, change));
  bytes.copy(copy);
  change.data.copy(copy, change.at);
  return copy;
}

/** Cut, or continued with zeros. */
function resized(bytes: Buffer, size: number): Buffer {
  if (size <= bytes.length) return bytes.subarray(0, size);
  const grown = Buffer.alloc(size);
  bytes.copy(grown);
  return grown;
}
