import { ReplyError } from '../../resp/reply.js';
import type { ReplyBatch, ReplySink } from '../../resp/reply-batch.js';

const MINUS = 0x2d;

/**
 * The one promise that all direct writes of a commit group share. It is a client of the batch like any other:
 * each write is answered there with +OK, so that it resolves when the commit releases the group's replies, and
 * rejects when the commit turns them into an error. Writes of one group have one fate.
 */
export class TurnGate implements ReplySink {
  readonly promise: Promise<'OK'>;
  released = false;
  private resolve!: (ok: 'OK') => void;
  private reject!: (error: Error) => void;

  /** @param seq the group that the writes will be in. */
  constructor(
    readonly batch: ReplyBatch,
    readonly seq: number,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  release(bytes: Buffer, start: number, end: number): boolean {
    this.released = true;
    if (bytes[start] !== MINUS) this.resolve('OK');
    else this.reject(new ReplyError(bytes.toString('utf8', start + 1, lineEnd(bytes, start, end))));
    return false;
  }
}

/** Several refusals may lie behind each other, all the same. */
function lineEnd(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf('\r\n', start, 'latin1');
  return at < 0 ? end : Math.min(at, end);
}
