import { Worker } from 'node:worker_threads';
import { StorageError } from '../base/errors.js';
import { SnapshotDamage } from './snapshot-file.js';
import type { SnapshotPage } from './snapshot-pages.js';

/** Pages that are made ahead of the one in use: enough to bridge a slice of the event loop, 10 ms. */
export const PAGES_AHEAD = 8;

/** Places in the memory that the two threads share, all 32-bit integers. */
export enum FeedState {
  /** Pages taken so far. */
  taken = 0,
  /** 1 when no more pages are wanted. */
  stopped = 1,
  /** Number of places. */
  count = 2,
}

export interface FeedSettings {
  readonly path: string;
  /** What the snapshot must contain. */
  readonly lastSeq: number;
  /** FeedState.count 32-bit integers. */
  readonly state: SharedArrayBuffer;
}

export type FromPageWorker =
  | { readonly kind: 'page'; readonly page: SnapshotPage }
  | { readonly kind: 'end' }
  /** In the words of SnapshotDamage, when it is `damaged`, or else of a StorageError. */
  | { readonly kind: 'failed'; readonly reason: string; readonly damaged: boolean };

/** The pages of a snapshot (snapshot-pages.ts), made by a thread of its own that starts with the iteration. */
export class PageFeed implements AsyncIterable<SnapshotPage> {
  private readonly state = new Int32Array(
    new SharedArrayBuffer(FeedState.count * Int32Array.BYTES_PER_ELEMENT),
  );
  private readonly messages: FromPageWorker[] = [];
  private failure: Error | undefined;
  private wake: () => void = () => {};

  constructor(
    private readonly path: string,
    private readonly lastSeq: number,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<SnapshotPage, void> {
    const ended = this.start();
    try {
      for (;;) {
        const message = await this.nextMessage();
        if (message.kind === 'end') return;
        if (message.kind === 'failed') this.fail(message.reason, message.damaged);
        Atomics.add(this.state, FeedState.taken, 1);
        Atomics.notify(this.state, FeedState.taken);
        yield message.page;
      }
    } finally {
      // The thread closes the snapshot before it ends: what SQLite holds must not die with it.
      this.stop();
      await ended;
    }
  }

  /** @returns when the thread has ended. */
  private start(): Promise<void> {
    const { path, lastSeq, state } = this;
    const worker = startWorker({ path, lastSeq, state: state.buffer as SharedArrayBuffer });
    worker.on('message', (message: FromPageWorker) => {
      this.messages.push(message);
      this.wake();
    });
    worker.on('error', (error) => {
      this.failure = error;
      this.wake();
    });
    return new Promise((resolve) => worker.once('exit', () => resolve()));
  }

  private async nextMessage(): Promise<FromPageWorker> {
    for (;;) {
      const message = this.messages.shift();
      if (message !== undefined) return message;
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private fail(reason: string, damaged: boolean): never {
    throw damaged ? new SnapshotDamage(reason, this.path) : new StorageError(reason, this.path);
  }

  private stop(): void {
    Atomics.store(this.state, FeedState.stopped, 1);
    // The place that the thread waits at must change for it to look.
    Atomics.add(this.state, FeedState.taken, 1);
    Atomics.notify(this.state, FeedState.taken);
  }
}

/**
 * Node runs JavaScript only, and a worker does not go through the test runner's compiler: from the sources
 * (src/checkpoint/*.ts, as the tests import them) the worker is the compiled one, which `npm test` has built.
 */
function startWorker(settings: FeedSettings): Worker {
  const compiled = import.meta.url.endsWith('.ts')
    ? '../../.build/checkpoint/page-worker.js'
    : './page-worker.js';
  return new Worker(new URL(compiled, import.meta.url), { workerData: settings, execArgv: [] });
}
