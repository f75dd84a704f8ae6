import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { StorageError } from '../base/errors.js';
import type { CheckpointResult, FromWorker, SealedSegment, ToWorker, WorkerSettings } from './messages.js';

export type { CheckpointResult, SealedSegment } from './messages.js';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** A single statement of SQLite (emptying a large database) can take many seconds without a sign of life. */
const SILENCE_MS = 60_000;

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
  /** Wait after the first failure, doubled after each further one up to 10 s; 100 ms. */
  readonly firstDelayMs?: number;
  /** Commit at this many bytes of pending changes; see Applier. */
  readonly batchBytes?: number;
  /** Makes the worker thread; replaced where a test needs one that misbehaves. */
  readonly startWorker?: (settings: WorkerSettings) => Worker;
}

interface Job {
  readonly segments: readonly SealedSegment[];
  attemptsLeft: number;
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
  private closed = false;
  private closePromise: Promise<boolean> | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
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
   * @returns when everything in the segments is durable in the snapshot.
   * @throws Error after the last attempt, after `close`, or at once when trying again cannot help.
   */
  run(segments: readonly SealedSegment[], attempts = Number.POSITIVE_INFINITY): Promise<CheckpointResult> {
    assert(!this.busy, 'one checkpoint at a time');
    assert(this.closePromise === undefined, 'the checkpointer is closed');
    return new Promise((resolve, reject) => {
      this.job = { segments, attemptsLeft: attempts, resolve, reject };
      this.holdProcess();
      this.attempt();
    });
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
      if (this.worker === undefined) this.finishClosing(false);
      else if (!this.busy && this.ready) this.send({ kind: 'close' });
    });
    return this.closePromise;
  }

  private spawn(): void {
    const { path, storeId, batchBytes } = this.options;
    const settings = { path, storeId, checkStructure: !this.structureChecked, batchBytes };
    const worker = (this.options.startWorker ?? startWorker)(settings);
    this.worker = worker;
    this.ready = false;
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
        this.finishClosing(message.complete);
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
    else if (this.closing !== undefined) this.send({ kind: 'close' });
    this.holdProcess();
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
    if (this.closing !== undefined) this.send({ kind: 'close' });
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
    if (permanent || this.job.attemptsLeft <= 0 || this.closing !== undefined) {
      this.rejectJob(new StorageError(message, this.options.path));
      if (this.closing !== undefined && this.ready) this.send({ kind: 'close' });
      return;
    }
    this.options.onFailure?.(message, this.delayMs);
    this.retryTimer = setTimeout(() => this.retry(), this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
  }

  private retry(): void {
    this.stopRetrying();
    this.attempt();
  }

  private workerEnded(code: number): void {
    this.worker = undefined;
    this.ready = false;
    if (this.closing !== undefined) {
      this.rejectJob(new StorageError('the checkpoint worker ended', this.options.path));
      this.finishClosing(false);
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

  private finishClosing(complete: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.stopWatching();
    this.stopRetrying();
    const { worker } = this;
    if (worker === undefined) this.closing?.resolve(complete);
    else worker.once('exit', () => this.closing?.resolve(complete));
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
