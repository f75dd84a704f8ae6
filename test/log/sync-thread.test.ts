import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { dir as temporaryDirectory } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LogFiles, nodeFiles, type SyncCallback } from '../../src/log/files.js';
import { SyncThread } from '../../src/log/sync-thread.js';

const run = promisify(execFile);

/** No file has it: the limit of descriptors is lower. */
const NO_FILE = 2 ** 30;

describe('a thread that waits for the disk', () => {
  let isWanted = true;
  let thread: SyncThread;
  let files: LogFiles;
  let file: number;
  let removeDirectory: () => Promise<void>;

  beforeEach(async () => {
    const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
    removeDirectory = cleanup;
    isWanted = true;
    thread = new SyncThread(() => isWanted);
    files = thread.behind(nodeFiles);
    file = openSync(join(path, 'file'), 'w');
  });

  afterEach(async () => {
    thread.stop();
    closeSync(file);
    await removeDirectory();
  });

  const synced = (handle: number) =>
    new Promise<Error | null>((resolve) => files.fdatasyncInBackground(handle, resolve));

  /** The first syncs are Node's, until the thread is there. */
  async function untilThreadAnswers(): Promise<void> {
    await vi.waitFor(async () => {
      const done = vi.fn<SyncCallback>();
      files.fdatasyncInBackground(file, done);
      spin(() => done.mock.calls.length > 0);
      if (done.mock.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(done).toHaveBeenCalledWith(null);
    }, 10_000);
  }

  /** Keeps the event loop from running. */
  function spin(until: () => boolean): void {
    for (const deadlineMs = Date.now() + 200; !until() && Date.now() < deadlineMs; ) files.collectSyncs!();
  }

  it('syncs before it is there', async () => {
    expect(await synced(file)).toBeNull();
    expect(await synced(NO_FILE)).toMatchObject({ code: 'EBADF', syscall: 'fdatasync' });
  });

  it('tells in the middle of a turn that a sync has ended', async () => {
    await untilThreadAnswers();
    const done = vi.fn<SyncCallback>();
    files.fdatasyncInBackground(file, done);
    expect(done, 'not before the call has returned').not.toHaveBeenCalled();
    spin(() => done.mock.calls.length > 0);
    expect(done.mock.calls).toEqual([[null]]);
    files.collectSyncs!();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done, 'once').toHaveBeenCalledTimes(1);
  });

  it('tells by the event loop when nobody asks', async () => {
    await untilThreadAnswers();
    expect(await synced(file)).toBeNull();
  });

  it("passes the system's error on", async () => {
    await untilThreadAnswers();
    expect(await synced(NO_FILE)).toMatchObject({ code: 'EBADF', errno: -9, syscall: 'fdatasync' });
    expect(await synced(file), 'the next one has its own result').toBeNull();
  });

  it('takes two at once', async () => {
    await untilThreadAnswers();
    expect(await Promise.all([synced(file), synced(NO_FILE), synced(file)])).toEqual([
      null,
      expect.objectContaining({ code: 'EBADF' }),
      null,
    ]);
  });

  it('is ended when it is not wanted any more, and comes back', async () => {
    await untilThreadAnswers();
    isWanted = false;
    expect(await synced(file)).toBeNull();
    isWanted = true;
    expect(await synced(file)).toBeNull();
    await untilThreadAnswers();
  });

  it('does what it was asked for before it is stopped, and then ends', async () => {
    await untilThreadAnswers();
    const { worker } = thread as unknown as { worker: Worker };
    const ended = once(worker, 'exit');
    const answer = synced(file);
    thread.stop();
    expect(await answer).toBeNull();
    await ended;
    await untilThreadAnswers();
    const { worker: next } = thread as unknown as { worker: Worker };
    expect(next).not.toBe(worker);
    const nextEnded = once(next, 'exit');
    thread.stop();
    await nextEnded;
  });

  it('leaves nobody waiting when it ends by itself', async () => {
    await untilThreadAnswers();
    const answers: (Error | null)[] = [];
    files.fdatasyncInBackground(file, (error) => answers.push(error));
    const { worker } = thread as unknown as { worker: Worker };
    await worker.terminate();
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    // Whichever came first; a sync without an answer counts as failed.
    if (answers[0] !== null) expect(answers[0]!.message).toMatch(/has ended/);
    await untilThreadAnswers();
  });

  it('is not there to be waited for when nothing is under way, and is when something is', async () => {
    const module = new URL('../../.build/log/sync-thread.js', import.meta.url).href;
    const program = `
      import { openSync } from 'node:fs';
      import { nodeFiles } from '${new URL('../../.build/log/files.js', import.meta.url).href}';
      import { SyncThread } from '${module}';
      const files = new SyncThread(() => true).behind(nodeFiles);
      const file = openSync(process.argv[1], 'w');
      const sync = () => new Promise((resolve) => files.fdatasyncInBackground(file, resolve));
      await sync();
      await new Promise((resolve) => setTimeout(resolve, 500));
      console.log(await sync(), await sync());
    `;
    const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
    const args = ['--input-type=module', '--eval', program, join(path, 'file')];
    const { stdout } = await run(process.execPath, args, { timeout: 20_000 });
    expect(stdout).toBe('null null\n');
    await cleanup();
  });
});
