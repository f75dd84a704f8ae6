import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { StorageError } from '../base/errors.js';
import {
  ABANDON,
  type CheckpointResult,
  CONTROL_BYTES,
  type FromWorker,
  REST,
  type SealedSegment,
  type ToWorker,
  type WorkerSettings,
} from './messages.js';

export type { CheckpointResult, SealedSegment } from './messages.js';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** A single statement of SQLite (deleting a hash of millions of fields) can take seconds without a sign of life. */
const SILENCE_MS = 60_000;
/** Longer than the pauses between the checkpoints of a store that is written as fast as it can. */
const IDLE_MS = 1000;

export interface CheckpointerOptions {
  /** The snapshot; it must exist. */
  readonly path: string;
  /** 16 bytes. */
  readonly storeId: Buffer;
  /** A failed attempt, in words for the log; the next one follows after `delayMs`. */
  readonly onFailure?: (message: string, delayMs: number) => void;
  /** Have SQLite check the file's structure before `start` resolves; true. */
  readonly checkStructure?: boolean;
  /** A busy worker that says nothing for so long is replaced; 60 s. */
  readonly silenceMs?: number;
  /** A worker without work is ended after so long; 1 s. */
  readonly idleMs?: number;
  /** Wait after the first failure, doubled after each further one up to 10 s; 100 ms. */
  readonly firstDelayMs?: number;
  /** Commit at this many bytes of pending changes; see Applier. */
  readonly batchBytes?: number;
  /** Makes the worker thread; replaced where a test needs one that misbehaves. */
  readonly startWorker?: (settings: WorkerSettings) => Worker;
}

/** The job was given up before its end: what the snapshot does not have yet is in the log. */
export class CheckpointAbandoned extends StorageError {
  override name = 'CheckpointAbandoned';

  constructor(path: string) {
    super('the checkpoint was given up', path);
  }
}

interface Job {
  readonly segments: readonly SealedSegment[];
  attemptsLeft: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: CheckpointResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The main thread's side of the checkpoint: hands sealed segments to the worker, notices when the worker
 * fails, dies or falls silent, and tries again. Nothing is deleted here: whoever called `run` deletes the
 * segments after it has resolved, and only then.
 *
 * There is never more than one worker, so never more than one writer: a silent one must have ended before
 * the next is started.
 *
 * A worker that has nothing to do is ended, and with it goes all its memory: an engine's heap and SQLite's
 * page cache would otherwise stay in the process until the next checkpoint.
 */
export class Checkpointer {
  /** The last failure, for INFO; undefined again after a success. */
  lastError: string | undefined;
  /** What the snapshot contains, durably. */
  lastSeq = 0;

  private worker: Worker | undefined;
  private ready = false;
  private job: Job | undefined;
  private startPromise: Promise<void> | undefined;
  private starting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  private closing: { resolve: (complete: boolean) => void } | undefined;
  /** The worker was told to close because it was idle. */
  private retiring = false;
  /** What the worker said when it closed: the .sqlite file alone is complete. */
  private complete = false;
  private closed = false;
  private closePromise: Promise<boolean> | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private idleTimer: NodeJS.Timeout | undefined;
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  private delayMs: number;
  private structureChecked: boolean;

  constructor(private readonly options: CheckpointerOptions) {
    this.delayMs = options.firstDelayMs ?? FIRST_DELAY_MS;
    this.structureChecked = options.checkStructure === false;
  }

  /** True while a job is under way, or waiting to be tried again. */
  get busy(): boolean {
    return this.job !== undefined;
  }

  /**
   * Further calls wait for the first.
   *
   * @throws StorageError when the snapshot cannot be opened, is damaged, or belongs to another store.
   */
  start(): Promise<void> {
    this.startPromise ??= new Promise((resolve, reject) => {
      this.starting = { resolve, reject };
      this.spawn();
    });
    return this.startPromise;
  }

  /**
   * Brings the segments into the snapshot. One job at a time.
   *
   * @param attempts how often to try; without end by default.
   * @param signal gives the job up: the attempt under way ends at the next opportunity, within a second unless
   *   a single statement takes longer, and is rolled back to its last commit. No other job is taken after it.
   * @returns when everything in the segments is durable in the snapshot.
   * @throws Error after the last attempt, after `close`, when given up, or at once when trying again cannot help.
   */
  run(
    segments: readonly SealedSegment[],
    attempts = Number.POSITIVE_INFINITY,
    signal?: AbortSignal,
  ): Promise<CheckpointResult> {
    assert(!this.busy, 'one checkpoint at a time');
    assert(this.closePromise === undefined, 'the checkpointer is closed');
    if (signal?.aborted) return Promise.reject(new CheckpointAbandoned(this.options.path));
    const giveUp = (): void => this.abandon();
    signal?.addEventListener('abort', giveUp, { once: true });
    const result = new Promise<CheckpointResult>((resolve, reject) => {
      this.job = { segments, attemptsLeft: attempts, signal, resolve, reject };
      clearTimeout(this.idleTimer);
      this.holdProcess();
      this.attempt();
    });
    return result.finally(() => signal?.removeEventListener('abort', giveUp));
  }

  /**
   * How long the worker rests after each piece of work, to leave the processor to others: `factor` times as long as
   * that took. Counts for the job under way and for those that follow; 0, as where somebody waits, until told
   * otherwise.
   */
  setRest(factor: number): void {
    const tenths = Math.round(factor * 10);
    if (Atomics.exchange(this.control, REST, tenths) !== tenths) Atomics.notify(this.control, REST);
  }

  /**
   * Lets the attempt under way end, gives up a job that waits to be tried again, closes the snapshot.
   *
   * @returns true when the .sqlite file alone is complete: nobody else was reading it.
   */
  close(): Promise<boolean> {
    this.closePromise ??= new Promise((resolve) => {
      this.closing = { resolve };
      this.holdProcess();
      if (this.retryTimer !== undefined) {
        this.stopRetrying();
        this.rejectJob(new Error(`the checkpoint was given up: ${this.lastError}`));
      }
      if (this.worker === undefined) this.finishClosing();
      else if (!this.busy && this.ready) this.closeWorker();
    });
    return this.closePromise;
  }

  private spawn(): void {
    const { path, storeId, batchBytes } = this.options;
    const control = this.control.buffer as SharedArrayBuffer;
    const settings = { path, storeId, checkStructure: !this.structureChecked, batchBytes, control };
    const worker = (this.options.startWorker ?? startWorker)(settings);
    this.worker = worker;
    this.ready = false;
    this.complete = false;
    worker.on('message', (message: FromWorker) => this.receive(message));
    worker.on('error', (error) => this.fail(`the checkpoint worker failed: ${error.message}`, false));
    worker.on('exit', (code) => this.workerEnded(code));
  }

  private attempt(): void {
    if (this.worker === undefined) this.spawn();
    this.watchForSilence();
    if (this.ready) this.send({ kind: 'checkpoint', segments: this.job!.segments });
  }

  private receive(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.becomeReady(message.lastSeq);
        break;
      case 'progress':
        this.lastSeq = message.committedSeq;
        this.watchForSilence();
        break;
      case 'done':
        this.succeed(message.result);
        break;
      case 'failed':
        this.fail(message.message, message.permanent);
        break;
      case 'closed':
        this.complete = message.complete;
        if (this.closing !== undefined) this.finishClosing();
        break;
    }
  }

  private becomeReady(lastSeq: number): void {
    this.ready = true;
    this.structureChecked = true;
    this.lastSeq = lastSeq;
    this.starting?.resolve();
    this.starting = undefined;
    if (this.retryTimer === undefined && this.job !== undefined) this.attempt();
    else if (this.closing !== undefined) this.closeWorker();
    else if (this.job === undefined) this.retireWhenIdle();
    this.holdProcess();
  }

  private retireWhenIdle(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => {
      this.retiring = true;
      this.closeWorker();
    }, this.options.idleMs ?? IDLE_MS);
    this.idleTimer.unref();
  }

  /** It takes no more jobs; what it was told before comes first. */
  private closeWorker(): void {
    clearTimeout(this.idleTimer);
    this.ready = false;
    this.send({ kind: 'close' });
  }

  private abandon(): void {
    if (this.job === undefined) return;
    Atomics.store(this.control, ABANDON, 1);
    this.setRest(0);
    // Nothing is under way while it waits for its next attempt.
    if (this.retryTimer === undefined) return;
    this.stopRetrying();
    this.rejectJob(new CheckpointAbandoned(this.options.path));
  }

  /** A worker with something to do keeps the process from ending; one that waits for work does not. */
  private holdProcess(): void {
    if (this.starting !== undefined || this.job !== undefined || this.closing !== undefined)
      this.worker?.ref();
    else this.worker?.unref();
  }

  private succeed(result: CheckpointResult): void {
    this.stopWatching();
    this.lastSeq = result.lastSeq;
    this.lastError = undefined;
    this.delayMs = this.options.firstDelayMs ?? FIRST_DELAY_MS;
    const { job } = this;
    this.job = undefined;
    this.holdProcess();
    job?.resolve(result);
    if (this.closing !== undefined) this.closeWorker();
    else this.retireWhenIdle();
  }

  /** An attempt has failed: whatever the reason, the segments stay where they are. */
  private fail(message: string, permanent: boolean): void {
    this.stopWatching();
    this.lastError = message;
    if (this.starting !== undefined) {
      this.starting.reject(new StorageError(message, this.options.path));
      this.starting = undefined;
      return;
    }
    if (this.job === undefined || this.retryTimer !== undefined) return;
    this.job.attemptsLeft--;
    if (this.job.signal?.aborted) {
      this.endJob(new CheckpointAbandoned(this.options.path));
      return;
    }
    if (permanent || this.job.attemptsLeft <= 0 || this.closing !== undefined) {
      this.endJob(new StorageError(message, this.options.path));
      return;
    }
    this.options.onFailure?.(message, this.delayMs);
    this.retryTimer = setTimeout(() => this.retry(), this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
  }

  private endJob(error: Error): void {
    this.rejectJob(error);
    if (!this.ready) return;
    if (this.closing !== undefined) this.closeWorker();
    else this.retireWhenIdle();
  }

  private retry(): void {
    this.stopRetrying();
    this.attempt();
  }

  private workerEnded(code: number): void {
    const { retiring } = this;
    this.worker = undefined;
    this.ready = false;
    this.retiring = false;
    clearTimeout(this.idleTimer);
    if (this.closing !== undefined) {
      this.rejectJob(new StorageError('the checkpoint worker ended', this.options.path));
      this.finishClosing();
      return;
    }
    if (retiring) {
      if (this.job !== undefined) this.attempt();
      return;
    }
    this.fail(`the checkpoint worker ended unexpectedly (exit code ${code})`, false);
  }

  /**
   * Ends a worker that no longer answers. A native call that does not return cannot be interrupted: then the
   * thread does not end, no second writer is started, and this is reported again each time.
   */
  private silent(): void {
    const silenceMs = this.options.silenceMs ?? SILENCE_MS;
    this.lastError = `the checkpoint worker has been silent for ${silenceMs} ms`;
    this.options.onFailure?.(this.lastError, 0);
    this.watchForSilence();
    void this.worker?.terminate();
  }

  private watchForSilence(): void {
    this.stopWatching();
    this.silenceTimer = setTimeout(() => this.silent(), this.options.silenceMs ?? SILENCE_MS);
    this.silenceTimer.unref();
  }

  private stopWatching(): void {
    clearTimeout(this.silenceTimer);
  }

  private stopRetrying(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  private rejectJob(error: Error): void {
    const { job } = this;
    this.job = undefined;
    this.holdProcess();
    job?.reject(error);
  }

  private finishClosing(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopWatching();
    this.stopRetrying();
    const { worker } = this;
    if (worker === undefined) this.closing?.resolve(this.complete);
    else worker.once('exit', () => this.closing?.resolve(this.complete));
  }

  private send(message: ToWorker): void {
    this.worker?.postMessage(message);
  }
}

/**
 * Node runs JavaScript only, and a worker does not go through the test runner's compiler: from the sources
 * (src/checkpoint/*.ts, as the tests import them) the worker is the compiled one, which `npm test` has built.
 */
function startWorker(settings: WorkerSettings): Worker {
  const compiled = import.meta.url.endsWith('.ts') ? '../../.build/checkpoint/worker.js' : './worker.js';
  // The flags of the process (--input-type, --import of a loader) concern its own entry point, not this file.
  return new Worker(new URL(compiled, import.meta.url), { workerData: settings, execArgv: [] });
}
