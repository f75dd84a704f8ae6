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
  /** One 32-bit word; once it is not 0, the worker gives up what it is doing, between two statements. */
  readonly abandon: SharedArrayBuffer;
}

export interface CheckpointResult {
  /** What the snapshot contains, durably. */
  readonly lastSeq: number;
  /** Transactions that it took. */
  readonly commits: number;
  /** Keys and fields written or deleted. */
  readonly rows: number;
  /** Milliseconds of work. */
  readonly tookMs: number;
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
