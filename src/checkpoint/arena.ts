import { assert } from '../base/assert.js';
import { copyBytes } from '../base/bytes.js';

/**
 * Memory for the bytes of names and values, outside the JavaScript heap: nothing is freed but everything at
 * once.
 *
 * Slabs are so large that the C library maps each by itself and gives it back whole; the system provides
 * their pages only as they are touched, so a small batch takes little.
 */
const SLAB_SHIFT = 25;
const SLAB_BYTES = 1 << SLAB_SHIFT;
/** An address is a number of 31 bits. */
const SLABS_MAX = 1 << (31 - SLAB_SHIFT);
const OFFSET_MASK = SLAB_BYTES - 1;
/** From this size on bytes get a buffer of their own, so that a slab's end is never a large waste. */
const OWN_BUFFER_BYTES = 1024 * 1024;

export class Arena {
  private slabs: Buffer[] = [];
  private slab = -1;
  private used = SLAB_BYTES;
  private buffers: Buffer[] = [];

  /** Room for `length` bytes. Its address is negative when it has a buffer of its own. */
  reserve(length: number): number {
    if (length >= OWN_BUFFER_BYTES) return -this.buffers.push(Buffer.allocUnsafeSlow(length));
    if (this.used + length > SLAB_BYTES) {
      this.slab++;
      assert(this.slab < SLABS_MAX, 'more than 2 GiB of pending changes');
      if (this.slab === this.slabs.length) this.slabs.push(Buffer.allocUnsafeSlow(SLAB_BYTES));
      this.used = 0;
    }
    const address = this.slab * SLAB_BYTES + this.used;
    this.used += length;
    return address;
  }

  /** The memory that an address lies in; where in it, says `offset`. */
  bytes(address: number): Buffer {
    return address < 0 ? this.buffers[-address - 1]! : this.slabs[address >>> SLAB_SHIFT]!;
  }

  offset(address: number): number {
    return address < 0 ? 0 : address & OFFSET_MASK;
  }

  write(address: number, source: Uint8Array, start: number, end: number): void {
    copyBytes(source, start, end, this.bytes(address), this.offset(address));
  }

  /** All addresses are void. The slabs are kept for what comes next, large buffers are not. */
  clear(): void {
    this.slab = -1;
    this.used = SLAB_BYTES;
    this.buffers = [];
  }

  /** As `clear`, and gives the memory back. */
  release(): void {
    this.clear();
    this.slabs = [];
  }
}
