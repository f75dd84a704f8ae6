/** Where the names are: `locateName` sets the range of the entry's name. */
export interface Names {
  nameBytes: Uint8Array;
  nameStart: number;
  nameEnd: number;
  locateName(entry: number): void;
}

/** Bytes of a name that are compared at a time: what is left of 64 bits beside the position. */
const SLICE_BYTES = 5;
const POSITION_BITS = 24;
const POSITION_MASK = (1 << POSITION_BITS) - 1;
/** Names per sort; more are sorted piece by piece. */
const PIECE = 1 << POSITION_BITS;
/** So few neighbouring rows lie on one page or two whatever their order. */
const RUN_MAX = 32;

/**
 * Brings entries nearly into the order of their names, the order of the rows. Only the locality of the writes
 * depends on it and never their outcome, so short runs are left as they are.
 *
 * No comparison of names: after their longest common prefix the next bytes and the entry's position make one
 * 64-bit number each, which the engine sorts natively. Long runs of equal bytes are sorted again by what
 * follows, so that names of several kinds (`user:...`, `session:...`) are in order too.
 */
export class NameOrder {
  private unsorted = new Int32Array(0);
  private keys = new BigUint64Array(0);
  /** The same memory as pairs of words, so that no bigint is made for a name. */
  private words = new Uint32Array(0);
  private longest = 0;

  constructor(private readonly names: Names) {}

  sort(entries: Int32Array, count: number): void {
    this.reserve(Math.min(count, PIECE));
    for (let from = 0; from < count; from += PIECE) {
      this.sortRange(entries.subarray(from, Math.min(from + PIECE, count)), 0, 0);
    }
  }

  /** Lets go of the memory that the largest sort took. */
  release(): void {
    this.unsorted = new Int32Array(0);
    this.keys = new BigUint64Array(0);
    this.words = new Uint32Array(0);
  }

  /**
   * @param offset where in the scratch memory this range may work.
   * @param prefix so many first bytes are known to be equal.
   */
  private sortRange(entries: Int32Array, offset: number, prefix: number): void {
    const count = entries.length;
    if (count <= RUN_MAX) return;
    const from = this.commonPrefix(entries, prefix);
    const isLast = from + SLICE_BYTES >= this.longest;
    this.pack(entries, offset, from);
    this.keys.subarray(offset, offset + count).sort();
    this.unsorted.set(entries, 0);
    for (let i = 0; i < count; i++) {
      entries[i] = this.unsorted[this.words[2 * (offset + i)]! & POSITION_MASK]!;
    }
    if (!isLast) this.sortRuns(entries, offset, from + SLICE_BYTES);
  }

  private sortRuns(entries: Int32Array, offset: number, prefix: number): void {
    for (let start = 0; start < entries.length; ) {
      let end = start + 1;
      while (end < entries.length && this.equalSlices(offset + start, offset + end)) end++;
      if (end - start > RUN_MAX) this.sortRange(entries.subarray(start, end), offset + start, prefix);
      start = end;
    }
  }

  private equalSlices(a: number, b: number): boolean {
    const { words } = this;
    return (
      words[2 * a + 1] === words[2 * b + 1] &&
      words[2 * a]! >>> POSITION_BITS === words[2 * b]! >>> POSITION_BITS
    );
  }

  /** The length of what all these names begin with; sets `longest`. */
  private commonPrefix(entries: Int32Array, known: number): number {
    const { names } = this;
    names.locateName(entries[0]!);
    const first = names.nameBytes;
    const firstStart = names.nameStart;
    let length = names.nameEnd - firstStart;
    this.longest = length;
    for (let i = 1; i < entries.length; i++) {
      names.locateName(entries[i]!);
      const { nameBytes, nameStart, nameEnd } = names;
      if (nameEnd - nameStart > this.longest) this.longest = nameEnd - nameStart;
      const end = Math.min(length, nameEnd - nameStart);
      let at = known;
      while (at < end && nameBytes[nameStart + at] === first[firstStart + at]) at++;
      length = Math.min(end, at);
    }
    // A shorter name ends before what is known, and counts as zero bytes from there on.
    return Math.max(length, known);
  }

  /** Little-endian processors compare the second word first; on others only the locality suffers. */
  private pack(entries: Int32Array, offset: number, from: number): void {
    const { names, words } = this;
    for (let i = 0; i < entries.length; i++) {
      names.locateName(entries[i]!);
      const { nameBytes, nameEnd } = names;
      const at = names.nameStart + from;
      const left = nameEnd - at;
      const high =
        ((left > 0 ? nameBytes[at]! : 0) << 24) |
        ((left > 1 ? nameBytes[at + 1]! : 0) << 16) |
        ((left > 2 ? nameBytes[at + 2]! : 0) << 8) |
        (left > 3 ? nameBytes[at + 3]! : 0);
      words[2 * (offset + i)] = ((left > 4 ? nameBytes[at + 4]! : 0) << POSITION_BITS) | i;
      words[2 * (offset + i) + 1] = high;
    }
  }

  private reserve(count: number): void {
    if (count <= this.unsorted.length) return;
    this.unsorted = new Int32Array(count);
    this.keys = new BigUint64Array(count);
    this.words = new Uint32Array(this.keys.buffer);
  }
}
