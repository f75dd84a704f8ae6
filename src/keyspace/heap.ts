import { assert } from '../base/assert.js';
import { withWordView } from '../base/word-view.js';
import type { Table } from './table.js';

/**
 * Memory for records, outside the JavaScript heap: large byte slabs, cut into pages, each page into blocks
 * of one size class. Garbage collection never sees a record.
 *
 * A reference is a 32-bit number: 11 bits of slab, 8 of page, 13 of 8-byte units within the page. 0 means
 * none (the first block of the first page is never handed out). The limit that follows is 2^32 units, 32 GiB
 * of records; large values do not count against it, they are buffers of their own (`Attached`).
 *
 * Freed blocks go back to their page, a page whose blocks are all free goes back to its slab for any size
 * class, a slab whose pages are all free goes back to the system. So what a workload leaves behind is
 * bounded by its half-empty pages.
 */
export const SLAB_BYTES = 1 << 24;
const SLAB_SHIFT = 21;
export const UNIT_MASK = (1 << SLAB_SHIFT) - 1;
const PAGE_SHIFT = 13;
const PAGE_UNITS = 1 << PAGE_SHIFT;
const PAGES_PER_SLAB = 1 << (SLAB_SHIFT - PAGE_SHIFT);
const SLABS_MAX = 1 << (32 - SLAB_SHIFT);

/** The largest block; anything that could exceed it is attached. */
export const BLOCK_BYTES_MAX = 32768;

/**
 * Size classes: every 8 bytes up to 128, then eight to each doubling, so that a block wastes 12 % at most.
 */
const CLASS_BYTES = sizeClasses();
const CLASS_COUNT = CLASS_BYTES.length;
const NO_PAGE = -1;
/** How full slabs are taken to become when records are moved together. */
const FILL = 0.85;
const PAGES_KEPT = PAGES_PER_SLAB / 4;

function sizeClasses(): Int32Array {
  const sizes: number[] = [];
  for (let size = 16; size <= 128; size += 8) sizes.push(size);
  for (let base = 128; base < BLOCK_BYTES_MAX; base *= 2) {
    for (let i = 1; i <= 8; i++) sizes.push(base + (base / 8) * i);
  }
  return Int32Array.from(sizes);
}

function classOf(bytes: number): number {
  if (bytes <= 128) return bytes <= 16 ? 0 : ((bytes + 7) >> 3) - 2;
  const last = bytes - 1;
  const exponent = 31 - Math.clz32(last);
  // Position among the eight steps between 2^exponent and its double.
  return 15 + (exponent - 7) * 8 + ((last >> (exponent - 3)) & 7);
}

/** Bytes a block for `bytes` really takes. */
export function blockBytes(bytes: number): number {
  return CLASS_BYTES[classOf(bytes)]!;
}

/** What a record refers to when it cannot hold it: a long key, a large value, the elements of a collection. */
export class Attached {
  key: Buffer | null = null;
  /** May be longer than the value in it: the record knows the length. */
  value: Buffer | null = null;
  /** The fields of a large hash. */
  fields: Table | null = null;
}

export class Heap {
  /** Byte and word views of each slab; a hole where a slab has been given back. Buffers, for the text they can make. */
  readonly bytes: Buffer[] = [];
  readonly words: Int32Array[] = [];
  /** Sum of the blocks in use. */
  usedBytes = 0;
  /** Sum of the buffers attached to records. */
  attachedBytes = 0;
  /** Sum of the index tables over it. */
  tableBytes = 0;

  private readonly attached: (Attached | null)[] = [null];
  private readonly attachedFree: number[] = [];

  /** Per page: first free block, blocks in use, next block never used (in units), size class, list links. */
  private pageFree = new Int32Array(PAGES_PER_SLAB);
  private pageUsed = new Int32Array(PAGES_PER_SLAB);
  private pageFresh = new Int32Array(PAGES_PER_SLAB);
  private pageClass = new Uint8Array(PAGES_PER_SLAB);
  private pageNext = new Int32Array(PAGES_PER_SLAB);
  private pagePrevious = new Int32Array(PAGES_PER_SLAB);
  /** 1: the page's records are being moved elsewhere, and no new one goes there. */
  private pageLeaving = new Uint8Array(PAGES_PER_SLAB);

  /** Per class: the first of its pages that have a free block. */
  private readonly partial = new Int32Array(CLASS_COUNT).fill(NO_PAGE);
  /** Per slab: first free page (linked by pageNext) and how many there are. */
  private readonly slabFreePage: number[] = [];
  private readonly slabFreePages: number[] = [];
  /** True: the slab is being emptied, and its free pages are not for use. */
  private readonly slabLeaving: boolean[] = [];
  /** No slab below this one has a free page. */
  private firstSlabWithRoom = 0;
  private slabsInUse = 0;
  private freePages = 0;

  /** Bytes of the slabs held, used or not. */
  get reservedBytes(): number {
    return this.slabsInUse * SLAB_BYTES;
  }

  /** A block of at least `size` bytes (at most BLOCK_BYTES_MAX), its content undefined. */
  allocate(size: number): number {
    const sizeClass = classOf(size);
    let page = this.partial[sizeClass]!;
    if (page === NO_PAGE) page = this.takePage(sizeClass);
    const blockSize = CLASS_BYTES[sizeClass]!;
    const units = blockSize >> 3;
    let ref = this.pageFree[page]!;
    if (ref !== 0) {
      this.pageFree[page] = this.words[ref >>> SLAB_SHIFT]![(ref & UNIT_MASK) << 1]!;
    } else {
      const unit = this.pageFresh[page]!;
      this.pageFresh[page] = unit + units;
      ref = (page << PAGE_SHIFT) | unit;
    }
    this.pageUsed[page]!++;
    this.usedBytes += blockSize;
    if (this.pageFree[page] === 0 && this.pageFresh[page]! + units > PAGE_UNITS) {
      this.unlinkPartial(page, sizeClass);
    }
    return ref;
  }

  /** Gives a block back. Its content may be overwritten at once. */
  free(ref: number): void {
    const page = ref >>> PAGE_SHIFT;
    const sizeClass = this.pageClass[page]!;
    const blockSize = CLASS_BYTES[sizeClass]!;
    const wasFull = this.isFull(page);
    this.words[ref >>> SLAB_SHIFT]![(ref & UNIT_MASK) << 1] = this.pageFree[page]!;
    this.pageFree[page] = ref;
    this.usedBytes -= blockSize;
    const used = --this.pageUsed[page]!;
    if (this.pageLeaving[page] === 1) {
      if (used === 0) this.returnPage(page);
      return;
    }
    if (wasFull) this.linkPartial(page, sizeClass);
    if (used === 0) this.releasePage(page, sizeClass);
  }

  /**
   * Chooses the slabs that can be emptied: the emptiest, as many as the others have room for. From then on
   * nothing is allocated in them.
   *
   * @returns their number.
   */
  markSparseSlabs(): number {
    const slabs: { slab: number; bytes: number }[] = [];
    for (let slab = 0; slab < this.words.length; slab++) {
      if (this.words[slab]!.length > 0) slabs.push({ slab, bytes: this.liveBytesOf(slab) });
    }
    slabs.sort((a, b) => a.bytes - b.bytes);
    // One more for the pages of each size class that are never quite full.
    const kept = Math.ceil(this.usedBytes / (SLAB_BYTES * FILL)) + 1;
    const leaving = slabs.slice(0, Math.max(0, slabs.length - kept));
    for (const { slab } of leaving) this.markSlab(slab);
    return leaving.length;
  }

  private liveBytesOf(slab: number): number {
    let bytes = 0;
    const first = slab * PAGES_PER_SLAB;
    for (let page = first; page < first + PAGES_PER_SLAB; page++) {
      bytes += this.pageUsed[page]! * CLASS_BYTES[this.pageClass[page]!]!;
    }
    return bytes;
  }

  private markSlab(slab: number): void {
    this.slabLeaving[slab] = true;
    const first = slab * PAGES_PER_SLAB;
    for (let page = first; page < first + PAGES_PER_SLAB; page++) {
      if (this.pageUsed[page] === 0) continue;
      if (!this.isFull(page)) this.unlinkPartial(page, this.pageClass[page]!);
      this.pageLeaving[page] = 1;
    }
  }

  private isFull(page: number): boolean {
    const units = CLASS_BYTES[this.pageClass[page]!]! >> 3;
    return this.pageFree[page] === 0 && this.pageFresh[page]! + units > PAGE_UNITS;
  }

  /** Is this block in a page that is being emptied? */
  isLeaving(ref: number): boolean {
    return this.pageLeaving[ref >>> PAGE_SHIFT] === 1;
  }

  /** A copy of a block in another page; the caller frees the old one. */
  relocate(ref: number): number {
    const size = this.sizeOf(ref);
    const copy = this.allocate(size);
    const from = this.words[ref >>> SLAB_SHIFT]!;
    const start = (ref & UNIT_MASK) << 1;
    const words = from.subarray(start, start + (size >> 2));
    this.words[copy >>> SLAB_SHIFT]!.set(words, (copy & UNIT_MASK) << 1);
    return copy;
  }

  /** The emptying is over: pages that could not be emptied take records again. */
  unmarkSlabs(): void {
    this.slabLeaving.length = 0;
    for (let page = 0; page < this.pageLeaving.length; page++) {
      if (this.pageLeaving[page] === 0) continue;
      this.pageLeaving[page] = 0;
      if (!this.isFull(page)) this.linkPartial(page, this.pageClass[page]!);
    }
  }

  /** The block size behind a reference. */
  sizeOf(ref: number): number {
    return CLASS_BYTES[this.pageClass[ref >>> PAGE_SHIFT]!]!;
  }

  attach(attachment: Attached): number {
    const id = this.attachedFree.pop() ?? this.attached.length;
    this.attached[id] = attachment;
    this.attachedBytes += attachedSize(attachment);
    return id;
  }

  attachment(id: number): Attached {
    return this.attached[id]!;
  }

  /** Replaces the value buffer of an attachment (an append that outgrew it). */
  replaceValue(attachment: Attached, value: Buffer): void {
    this.attachedBytes += value.length - (attachment.value?.length ?? 0);
    attachment.value = value;
  }

  /** Forgets an attachment; the caller disposes of its elements. */
  detach(id: number): Attached {
    const attachment = this.attached[id]!;
    this.attachedBytes -= attachedSize(attachment);
    this.attached[id] = null;
    this.attachedFree.push(id);
    return attachment;
  }

  private takePage(sizeClass: number): number {
    const slab = this.slabWithFreePage();
    const page = this.slabFreePage[slab]!;
    this.slabFreePage[slab] = this.pageNext[page]!;
    this.slabFreePages[slab]!--;
    this.freePages--;
    this.pageClass[page] = sizeClass;
    this.pageFree[page] = 0;
    this.pageUsed[page] = 0;
    // Reference 0 means none, so the very first block is left out.
    this.pageFresh[page] = page === 0 ? CLASS_BYTES[sizeClass]! >> 3 : 0;
    this.linkPartial(page, sizeClass);
    return page;
  }

  private releasePage(page: number, sizeClass: number): void {
    // The last page with room of its class stays, so that one block going to and fro costs nothing.
    if (this.partial[sizeClass] === page && this.pageNext[page] === NO_PAGE) return;
    this.unlinkPartial(page, sizeClass);
    this.returnPage(page);
  }

  /** An empty page, in no list, goes back to its slab. */
  private returnPage(page: number): void {
    this.pageLeaving[page] = 0;
    const slab = page >>> (SLAB_SHIFT - PAGE_SHIFT);
    this.pageNext[page] = this.slabFreePage[slab]!;
    this.slabFreePage[slab] = page;
    this.slabFreePages[slab]!++;
    this.freePages++;
    if (slab < this.firstSlabWithRoom) this.firstSlabWithRoom = slab;
    // Some pages are kept back, so that a workload at a slab's edge does not map and unmap it all the time.
    const spare = this.freePages - PAGES_PER_SLAB;
    if (this.slabFreePages[slab] === PAGES_PER_SLAB && spare > PAGES_KEPT) this.releaseSlab(slab);
  }

  private slabWithFreePage(): number {
    let slab = this.firstSlabWithRoom;
    while (slab < this.words.length && !this.hasRoom(slab)) slab++;
    if (slab === this.words.length) slab = this.addSlab();
    this.firstSlabWithRoom = slab;
    return slab;
  }

  private hasRoom(slab: number): boolean {
    return this.slabFreePages[slab]! > 0 && this.slabLeaving[slab] !== true;
  }

  /** A new slab, in the place of one given back if there is such. */
  private addSlab(): number {
    let slab = 0;
    while (slab < this.words.length && this.words[slab]!.length > 0) slab++;
    assert(slab < SLABS_MAX, 'the index is full: it holds at most 32 GiB of records');
    // Not zeroed: the system gives pages only as they are touched.
    const memory = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
    this.bytes[slab] = withWordView(Buffer.from(memory));
    this.words[slab] = new Int32Array(memory);
    this.slabsInUse++;
    this.freePages += PAGES_PER_SLAB;
    const first = slab * PAGES_PER_SLAB;
    this.growPages(first + PAGES_PER_SLAB);
    for (let page = first; page < first + PAGES_PER_SLAB; page++) this.pageNext[page] = page + 1;
    this.pageNext[first + PAGES_PER_SLAB - 1] = NO_PAGE;
    this.slabFreePage[slab] = first;
    this.slabFreePages[slab] = PAGES_PER_SLAB;
    return slab;
  }

  private releaseSlab(slab: number): void {
    this.bytes[slab] = Buffer.alloc(0);
    this.words[slab] = new Int32Array(0);
    this.slabFreePages[slab] = 0;
    this.slabFreePage[slab] = NO_PAGE;
    this.slabLeaving[slab] = false;
    this.slabsInUse--;
    this.freePages -= PAGES_PER_SLAB;
  }

  private growPages(count: number): void {
    if (count <= this.pageFree.length) return;
    const capacity = Math.max(count, this.pageFree.length * 2);
    this.pageFree = grown(this.pageFree, capacity);
    this.pageUsed = grown(this.pageUsed, capacity);
    this.pageFresh = grown(this.pageFresh, capacity);
    this.pageNext = grown(this.pageNext, capacity);
    this.pagePrevious = grown(this.pagePrevious, capacity);
    this.pageClass = grownBytes(this.pageClass, capacity);
    this.pageLeaving = grownBytes(this.pageLeaving, capacity);
  }

  private linkPartial(page: number, sizeClass: number): void {
    const next = this.partial[sizeClass]!;
    this.pageNext[page] = next;
    this.pagePrevious[page] = NO_PAGE;
    if (next !== NO_PAGE) this.pagePrevious[next] = page;
    this.partial[sizeClass] = page;
  }

  private unlinkPartial(page: number, sizeClass: number): void {
    const next = this.pageNext[page]!;
    const previous = this.pagePrevious[page]!;
    if (previous === NO_PAGE) this.partial[sizeClass] = next;
    else this.pageNext[previous] = next;
    if (next !== NO_PAGE) this.pagePrevious[next] = previous;
  }
}

function grown(array: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(capacity);
  larger.set(array);
  return larger;
}

function grownBytes(array: Uint8Array, capacity: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(capacity);
  larger.set(array);
  return larger;
}

function attachedSize(attachment: Attached): number {
  return (attachment.key?.length ?? 0) + (attachment.value?.length ?? 0);
}
