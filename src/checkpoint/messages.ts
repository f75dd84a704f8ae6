/** What the main thread and the checkpoint worker say to each other. */

/** A sealed, fsynced segment of the log. */
export interface SealedSegment {
  readonly path: string;
  readonly number: number;
  /** The group before its first. */
  readonly previousSeq: number;
  /** Its last group. */
  readonly lastSeq: number;
}

export interface WorkerSettings {
  readonly path: string;
  /** 16 bytes; the snapshot must carry the same. */
  readonly storeId: Uint8Array;
  /** Let SQLite check the structure of the file before the first job. */
  readonly checkStructure: boolean;
  /** Commit at this many bytes of pending changes. */
  readonly batchBytes: number | undefined;
  /** 32-bit words that speak to a worker in the middle of its work: `ABANDON` and `REST`. */
  readonly control: SharedArrayBuffer;
}

export const CONTROL_BYTES = 8;
/** Once this word is not 0, the worker gives up what it is doing, between two statements. */
export const ABANDON = 0;
/** For so many tenths of the time of each piece of work, the worker rests after it; it sleeps on the word. */
export const REST = 1;

export interface CheckpointResult {
  /** What the snapshot contains, durably. */
  readonly lastSeq: number;
  /** Transactions that it took. */
  readonly commits: number;
  /** Keys and fields written or deleted. */
  readonly rows: number;
  /** Milliseconds, rests included. */
  readonly tookMs: number;
  /** Milliseconds left to others because nobody waited. */
  readonly restedMs: number;
}

export type ToWorker =
  | { readonly kind: 'checkpoint'; readonly segments: readonly SealedSegment[] }
  | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'ready'; readonly lastSeq: number }
  /** Sent now and then while it works: it is alive. */
  | { readonly kind: 'progress'; readonly committedSeq: number }
  | { readonly kind: 'done'; readonly result: CheckpointResult }
  /** `permanent`: trying again cannot help, a person must look. */
  | { readonly kind: 'failed'; readonly message: string; readonly permanent: boolean }
  /** `complete`: the .sqlite file needs no -wal beside it. */
  | { readonly kind: 'closed'; readonly complete: boolean };
