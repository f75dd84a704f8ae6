/** Waits for the disk, so that the thread that serves need not (sync-thread.ts). */
import { fdatasyncSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { type FromSyncWorker, SyncState } from './sync-thread.js';

function run(port: MessagePort, state: Int32Array): void {
  const say = (message: FromSyncWorker): void => port.postMessage(message);
  say('ready');
  for (let served = 0; ; ) {
    Atomics.wait(state, SyncState.asked, served);
    const stopAfter = Atomics.load(state, SyncState.stopAfter);
    if (stopAfter !== 0 && served >= stopAfter - 1) return;
    if (Atomics.load(state, SyncState.asked) === served) continue;
    Atomics.store(state, SyncState.error, syncResult(Atomics.load(state, SyncState.file)));
    Atomics.store(state, SyncState.ended, ++served);
    say('ended');
  }
}

/** 0, or the system's error number. */
function syncResult(file: number): number {
  try {
    fdatasyncSync(file);
    return 0;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return errno;
  }
}

assert(parentPort !== null, 'the disk is waited for by a worker thread');
run(parentPort, new Int32Array(workerData as SharedArrayBuffer));
parentPort.close();
