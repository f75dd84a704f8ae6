/** Makes the pages of a snapshot while the thread that started it loads those it has been given already. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { StorageError } from '../base/errors.js';
import { type FeedSettings, FeedState, type FromPageWorker, PAGES_AHEAD } from './page-feed.js';
import { asStorageError, openSnapshot, readMeta, SnapshotDamage } from './snapshot-file.js';
import { type SnapshotPage, snapshotPages } from './snapshot-pages.js';

const BUSY_TIMEOUT_MS = 1000;

function run(port: MessagePort, { path, lastSeq, state }: FeedSettings): void {
  const database = openSnapshot(path, BUSY_TIMEOUT_MS);
  try {
    database.exec('BEGIN');
    if (readMeta(database, path).lastSeq !== lastSeq) {
      throw new StorageError('the snapshot was changed while it was being read', path);
    }
    sendAll(port, snapshotPages(database, path), new Int32Array(state));
  } finally {
    database.close();
  }
}

function sendAll(port: MessagePort, pages: Iterable<SnapshotPage>, state: Int32Array): void {
  let made = 0;
  for (const page of pages) {
    if (!isWanted(state, ++made)) return;
    send(port, { kind: 'page', page });
  }
  send(port, { kind: 'end' });
}

/** Waits until there is room for one more page. @returns false when no page is wanted any more. */
function isWanted(state: Int32Array, made: number): boolean {
  for (;;) {
    const taken = Atomics.load(state, FeedState.taken);
    if (Atomics.load(state, FeedState.stopped) === 1) return false;
    if (made - taken <= PAGES_AHEAD) return true;
    Atomics.wait(state, FeedState.taken, taken);
  }
}

function send(port: MessagePort, message: FromPageWorker): void {
  // A page of nothing but its own memory is moved instead of copied.
  const transfer = message.kind === 'page' ? [message.page.bytes.buffer as ArrayBuffer] : [];
  port.postMessage(message, transfer);
}

assert(parentPort !== null, 'pages are made by a worker thread');
try {
  run(parentPort, workerData as FeedSettings);
} catch (error) {
  const known = asStorageError(error, (workerData as FeedSettings).path);
  // Anything else is a mistake in the program, and ends the thread as such.
  if (!(known instanceof StorageError)) throw known;
  const damaged = known instanceof SnapshotDamage;
  send(parentPort, { kind: 'failed', reason: damaged ? known.what : known.reason, damaged });
}
