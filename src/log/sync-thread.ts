import { fdatasync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { FileHandle, LogFiles, SyncCallback } from './files.js';

/** Places in the memory that both threads share, all 32-bit integers. */
export enum SyncState {
  /** Syncs asked for so far; the thread sleeps on it. */
  asked = 0,
  /** Syncs that have ended. */
  ended = 1,
  /** The file to sync. */
  file = 2,
  /** What the last one ended with: 0, or the system's error number as Node counts it, negative. */
  error = 3,
  /** Not 0: the thread is to end, after one sync less than this. */
  stopAfter = 4,
  /** Number of places. */
  count = 5,
}

/** What the thread says: that it is there, and after each sync, to wake an event loop that has nothing to do. */
export type FromSyncWorker = 'ready' | 'ended';

/** A thread that could not be started is tried again after this long. */
const RETRY_MS = 10_000;

/**
 * fdatasync in a thread of its own, for a log that has to wait for one in every turn.
 *
 * Node's own way answers through the event loop, when everything that was ready has been handled: with pipelines a
 * millisecond or two later, in which neither the disk nor the clients have anything to do. Here the answer is a number
 * in shared memory, and whoever asks for it (`collect`) has it at once, in the middle of a turn.
 *
 * The thread is started by the first sync and takes over when it is there; until then, and for a second sync beside
 * one that is under way, it is Node's.
 */
export class SyncThread {
  /** The present thread's. */
  private state = newState();
  private worker: Worker | undefined;
  private ready = false;
  private done: SyncCallback | null = null;
  /** Syncs given to the thread. */
  private asked = 0;
  /** After a failed start, which may have cost a descriptor where there are hardly any. */
  private notBeforeMs = 0;

  /** @param isWanted does a log that is written now wait for the disk in every turn? Otherwise Node's way will do. */
  constructor(private readonly isWanted: () => boolean) {}

  /** The same files, their background syncs by this thread. */
  behind(files: LogFiles): LogFiles {
    return {
      ...files,
      fdatasyncInBackground: (file, done) => this.sync(file, done),
      collectSyncs: () => this.collect(),
    };
  }

  private sync(file: FileHandle, done: SyncCallback): void {
    if (!this.isReady) {
      fdatasync(file, done);
      return;
    }
    this.done = done;
    // Somebody waits for it: the process must not end before.
    this.worker!.ref();
    Atomics.store(this.state, SyncState.file, file);
    Atomics.store(this.state, SyncState.asked, ++this.asked);
    Atomics.notify(this.state, SyncState.asked);
  }

  /** Starts and ends the thread as it is wanted. */
  private get isReady(): boolean {
    if (this.done !== null) return false;
    if (!this.isWanted()) this.stop();
    else if (this.worker === undefined && performance.now() >= this.notBeforeMs) this.worker = this.start();
    return this.ready;
  }

  /** Calls back when the sync under way has ended. Costs next to nothing. */
  private collect(): void {
    if (this.done === null || Atomics.load(this.state, SyncState.ended) !== this.asked) return;
    const errorNumber = Atomics.load(this.state, SyncState.error);
    this.finish(errorNumber === 0 ? null : systemError(errorNumber));
  }

  private finish(error: Error | null): void {
    const { done } = this;
    this.done = null;
    this.worker?.unref();
    done?.(error);
  }

  /** Ends the thread, where there is one, when it has done what it was asked for. */
  stop(): void {
    if (this.worker === undefined) return;
    this.ready = false;
    Atomics.store(this.state, SyncState.stopAfter, this.asked + 1);
    // The place that the thread waits at must change for it to look.
    Atomics.add(this.state, SyncState.asked, 1);
    Atomics.notify(this.state, SyncState.asked);
    // Otherwise it is still needed for the answer.
    if (this.done === null) this.worker = undefined;
  }

  private start(): Worker {
    this.state = newState();
    this.asked = 0;
    const worker = startWorker(this.state);
    let started = false;
    worker.unref();
    worker.on('message', (message: FromSyncWorker) => {
      if (worker !== this.worker) return;
      if (message === 'ready') {
        started = true;
        this.ready = true;
      } else this.collect();
    });
    // What it was doing may have failed: no later sync would say so.
    worker.on('error', () => {});
    worker.on('exit', () => {
      if (worker !== this.worker) return;
      this.collect();
      if (!started) this.notBeforeMs = performance.now() + RETRY_MS;
      this.worker = undefined;
      this.ready = false;
      if (this.done !== null) this.finish(new Error('the thread that waits for the disk has ended'));
    });
    return worker;
  }
}

function newState(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(SyncState.count * Int32Array.BYTES_PER_ELEMENT));
}

/** As Node makes it for a call of its own. */
function systemError(errorNumber: number): NodeJS.ErrnoException {
  const [code, description] = getSystemErrorMap().get(errorNumber) ?? [
    `errno ${errorNumber}`,
    'unknown error',
  ];
  return Object.assign(new Error(`${code}: ${description}, fdatasync`), {
    code,
    errno: errorNumber,
    syscall: 'fdatasync',
  });
}

/**
 * Node runs JavaScript only, and a worker does not go through the test runner's compiler: from the sources
 * (src/log/*.ts, as the tests import them) the worker is the compiled one, which `npm test` has built.
 */
function startWorker(state: Int32Array): Worker {
  const compiled = import.meta.url.endsWith('.ts') ? '../../.build/log/sync-worker.js' : './sync-worker.js';
  return new Worker(new URL(compiled, import.meta.url), { workerData: state.buffer, execArgv: [] });
}
