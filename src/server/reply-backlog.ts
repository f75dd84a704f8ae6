import { copyBytes } from '../base/bytes.js';

const FIRST_CHUNK_BYTES = 4 * 1024;
const LARGEST_CHUNK_BYTES = 1024 * 1024;

/**
 * Replies that a socket is not ready for, as copies: the batch they come from is written to again. Many
 * small ones share a chunk, so that what is counted is what they cost; a chunk is at most 1 MiB unless one
 * turn's replies are longer, so that a slow reader frees memory as it reads.
 */
export class ReplyBacklog {
  /** Bytes waiting. */
  length = 0;
  private chunks: Buffer[] = [];
  /** Bytes used of the last chunk. */
  private used = 0;

  append(bytes: Buffer, start: number, end: number): void {
    const last = this.chunks.at(-1);
    const fitting = last ? Math.min(last.length - this.used, end - start) : 0;
    if (last && fitting > 0) {
      copyBytes(bytes, start, start + fitting, last, this.used);
      this.used += fitting;
    }
    this.length += end - start;
    if (start + fitting < end) this.appendChunk(bytes, start + fitting, end, last?.length ?? 0);
  }

  private appendChunk(bytes: Buffer, start: number, end: number, previous: number): void {
    const size = Math.max(end - start, FIRST_CHUNK_BYTES, Math.min(previous * 2, LARGEST_CHUNK_BYTES));
    const chunk = Buffer.allocUnsafeSlow(size);
    copyBytes(bytes, start, end, chunk, 0);
    this.used = end - start;
    this.chunks.push(chunk);
  }

  /** Takes the oldest bytes out; undefined when there are none. The caller keeps them. */
  shift(): Buffer | undefined {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return undefined;
    const taken = this.chunks.length === 0 ? chunk.subarray(0, this.used) : chunk;
    this.length -= taken.length;
    return taken;
  }

  clear(): void {
    this.chunks = [];
    this.length = 0;
  }
}
