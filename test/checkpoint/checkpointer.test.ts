import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  CheckpointAbandoned,
  Checkpointer,
  type CheckpointerOptions,
} from '../../src/checkpoint/checkpointer.js';
import { loadSnapshot } from '../../src/checkpoint/loader.js';
import type { WorkerSettings } from '../../src/checkpoint/messages.js';
import type { MutationSink } from '../../src/keyspace/mutations.js';
import { hasTool } from '../support/tools.js';
import { Model } from './model.js';
import { writeSegments } from './segments.js';
import { applyGroup, loadModel, newSnapshot, STORE_ID, set, temporaryDirectory } from './store.js';

const COMPILED = new URL('../../.build/checkpoint/', import.meta.url);

async function startCheckpointer(
  path: string,
  options: Partial<CheckpointerOptions> = {},
): Promise<Checkpointer> {
  const checkpointer = new Checkpointer({ path, storeId: STORE_ID, firstDelayMs: 20, ...options });
  onTestFinished(async () => void (await checkpointer.close()));
  await checkpointer.start();
  return checkpointer;
}

/** Holds a lock on the snapshot from another process, as a person with the sqlite3 shell might. */
async function lockFromOutside(path: string): Promise<ChildProcess> {
  const shell = spawn('sqlite3', [path], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void shell.kill('SIGKILL'));
  shell.stdin.write("BEGIN IMMEDIATE;\nSELECT 'locked';\n");
  await once(shell.stdout, 'data');
  return shell;
}

describe('Checkpointer', () => {
  it('brings sealed segments into the snapshot, and leaves a file that is complete alone', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [
      [(sink) => set(sink, 'a', '1'), (sink) => set(sink, 'b', '2')],
      [(sink) => set(sink, 'a', '3')],
    ]);
    const checkpointer = await startCheckpointer(path);
    expect(await checkpointer.run(segments)).toMatchObject({ lastSeq: 3, rows: 2 });
    // A second time nothing is left to do: the snapshot knows what it has.
    expect(await checkpointer.run(segments)).toMatchObject({ lastSeq: 3, rows: 0, commits: 0 });
    expect(await checkpointer.close()).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
    const copy = `${await temporaryDirectory()}/copy.sqlite`;
    copyFileSync(path, copy);
    const keys = (await loadModel(copy)).database(0);
    expect([keys.get('a')!.value, keys.get('b')!.value]).toEqual(['3', '2']);
  });

  it.runIf(hasTool('sqlite3'))(
    'lets other programs read while it writes, and keeps the files private',
    async () => {
      const path = await newSnapshot();
      const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
      const checkpointer = await startCheckpointer(path);
      const shell = spawn('sqlite3', [path], { stdio: ['pipe', 'pipe', 'inherit'] });
      onTestFinished(() => void shell.kill('SIGKILL'));
      shell.stdin.write('BEGIN;\nSELECT count(*) FROM keys;\n');
      expect(String((await once(shell.stdout, 'data'))[0]).trim()).toBe('0');
      await checkpointer.run(segments);
      shell.stdin.write('SELECT count(*) FROM keys;\nCOMMIT;\nSELECT count(*) FROM keys;\n.quit\n');
      let output = '';
      for await (const chunk of shell.stdout) output += String(chunk);
      expect(output.trim().split('\n')).toEqual(['0', '1']);
      for (const file of [path, `${path}-wal`, `${path}-shm`])
        expect(statSync(file).mode & 0o777).toBe(0o600);
    },
  );

  it.runIf(hasTool('sqlite3'))(
    'tries again, reporting each failure, while another process holds a lock',
    async () => {
      const path = await newSnapshot();
      const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
      const failures: string[] = [];
      const checkpointer = await startCheckpointer(path, { onFailure: (message) => failures.push(message) });
      const shell = await lockFromOutside(path);
      const running = checkpointer.run(segments);
      while (failures.length < 2) await sleep(20);
      expect(failures[0]).toMatch(/SQLITE_BUSY/);
      expect(checkpointer.lastError).toMatch(/SQLITE_BUSY/);
      expect(segments.every((segment) => existsSync(segment.path))).toBe(true);
      shell.kill('SIGKILL');
      expect((await running).lastSeq).toBe(1);
      expect(checkpointer.lastError).toBeUndefined();
    },
  );

  it.runIf(hasTool('sqlite3'))('gives up after the number of attempts it was given', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
    const checkpointer = await startCheckpointer(path);
    await lockFromOutside(path);
    await expect(checkpointer.run(segments, 2)).rejects.toThrow(/SQLITE_BUSY/);
  });

  it('does not try again when a segment is missing from the sequence', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')], [(sink) => set(sink, 'a', '2')]]);
    const checkpointer = await startCheckpointer(path);
    await expect(checkpointer.run(segments.slice(1))).rejects.toThrow(
      /begins after group 1, but the snapshot ends with 0/,
    );
    expect((await checkpointer.run(segments)).lastSeq).toBe(2);
  });

  it('replaces a worker that dies in the middle of a job', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
    const failures: string[] = [];
    let started = 0;
    const checkpointer = await startCheckpointer(path, {
      onFailure: (message) => failures.push(message),
      startWorker: (settings) =>
        ++started === 1 ? misbehaving('process.exit(7)', settings) : genuine(settings),
    });
    expect((await checkpointer.run(segments)).lastSeq).toBe(1);
    expect(failures).toEqual(['the checkpoint worker ended unexpectedly (exit code 7)']);
  });

  it('ends and replaces a worker that falls silent', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
    const failures: string[] = [];
    let started = 0;
    const checkpointer = await startCheckpointer(path, {
      silenceMs: 3000,
      onFailure: (message) => failures.push(message),
      startWorker: (settings) => (++started === 1 ? misbehaving('for (;;);', settings) : genuine(settings)),
    });
    expect((await checkpointer.run(segments)).lastSeq).toBe(1);
    expect(failures[0]).toBe('the checkpoint worker has been silent for 3000 ms');
  });

  it('rests in between while nobody waits, and no longer than that', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(
      path,
      Array.from({ length: 4 }, (_, segment) =>
        Array.from({ length: 100 }, (_, group) => (sink: MutationSink) => {
          for (let index = 0; index < 1000; index++)
            set(sink, `key ${segment} ${group} ${index}`, 'x'.repeat(60));
        }),
      ),
    );
    const checkpointer = await startCheckpointer(path);
    expect(await checkpointer.run(segments.slice(0, 1))).toMatchObject({ lastSeq: 100, restedMs: 0 });
    checkpointer.setRest(2);
    const leisurely = await checkpointer.run(segments.slice(1, 2));
    expect(leisurely.lastSeq).toBe(200);
    // Some work, such as the commit, is not in pieces.
    expect(leisurely.restedMs).toBeGreaterThan(0.4 * leisurely.tookMs);
    checkpointer.setRest(8);
    const slow = await checkpointer.run(segments.slice(2, 3));
    expect(slow.restedMs).toBeGreaterThan(0.7 * slow.tookMs);
    checkpointer.setRest(0);
    expect(await checkpointer.run(segments.slice(3))).toMatchObject({ lastSeq: 400, restedMs: 0 });
  });

  it('gives a job up when asked to, in the middle of a batch, and keeps what was committed', async () => {
    const path = await newSnapshot();
    const filling = Array.from({ length: 200 }, (_, group) => (sink: MutationSink) => {
      for (let index = 0; index < 500; index++) set(sink, `key ${group} ${index}`, 'x'.repeat(60));
    });
    // Each moves 100,000 rows three times: together some minutes of work.
    const swaps = Array.from({ length: 400 }, () => (sink: MutationSink) => sink.swap(0, 1));
    const segments = writeSegments(path, [filling, swaps]);
    const checkpointer = await startCheckpointer(path);
    expect((await checkpointer.run(segments.slice(0, 1))).lastSeq).toBe(200);
    const giveUp = new AbortController();
    const running = checkpointer.run(segments, 5, giveUp.signal);
    running.catch(() => {});
    await sleep(500);
    const askedMs = performance.now();
    giveUp.abort();
    await expect(running).rejects.toThrow(CheckpointAbandoned);
    expect(await checkpointer.close()).toBe(true);
    expect(performance.now() - askedMs).toBeLessThan(3000);
    const model = new Model();
    expect((await loadSnapshot(path, model)).lastSeq).toBe(200);
    expect([model.database(0).size, model.database(1).size]).toEqual([100_000, 0]);
  });

  it.runIf(hasTool('sqlite3'))(
    'gives up a job that waits to be tried again, and begins none that was given up before',
    async () => {
      const path = await newSnapshot();
      const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')]]);
      const giveUp = new AbortController();
      let failed: () => void;
      const failure = new Promise<void>((resolve) => {
        failed = resolve;
      });
      const checkpointer = await startCheckpointer(path, { firstDelayMs: 60_000, onFailure: () => failed() });
      await lockFromOutside(path);
      const running = checkpointer.run(segments, 5, giveUp.signal);
      running.catch(() => {});
      await failure;
      giveUp.abort();
      await expect(running).rejects.toThrow(CheckpointAbandoned);
      await expect(checkpointer.run(segments, 5, giveUp.signal)).rejects.toThrow(CheckpointAbandoned);
    },
  );

  it('ends a worker without work, leaves the file complete alone, and starts another on demand', async () => {
    const path = await newSnapshot();
    const segments = writeSegments(path, [[(sink) => set(sink, 'a', '1')], [(sink) => set(sink, 'b', '2')]]);
    const ended: number[] = [];
    const checkpointer = await startCheckpointer(path, {
      idleMs: 30,
      startWorker: (settings) => genuine(settings).on('exit', (code) => void ended.push(code)),
    });
    while (ended.length < 1) await sleep(10);
    await checkpointer.run(segments.slice(0, 1));
    while (ended.length < 2) await sleep(10);
    expect(existsSync(`${path}-wal`)).toBe(false);
    // Jobs that come while it is ending wait until it has ended.
    for (let round = 0; round < 20; round++) {
      await sleep(25 + round);
      expect((await checkpointer.run(segments)).lastSeq).toBe(2);
    }
    expect(await checkpointer.close()).toBe(true);
    expect(ended.every((code) => code === 0)).toBe(true);
  });

  it('refuses a snapshot of another store', async () => {
    const path = await newSnapshot();
    const checkpointer = new Checkpointer({ path, storeId: Buffer.alloc(16, 1) });
    await expect(checkpointer.start()).rejects.toThrow(/belongs to another store/);
    await checkpointer.close();
  });

  it('leaves matching rows and position behind when the process is killed at any moment', async () => {
    const path = await newSnapshot();
    applyGroup(path, 1, (sink) => set(sink, 'seq', '1'));
    const groups = Array.from({ length: 3000 }, (_, index) => (sink: Model | Parameters<typeof set>[0]) => {
      set(sink, 'seq', String(index + 2));
      set(sink, `key ${index % 700}`, 'x'.repeat(200));
    });
    const segments = writeSegments(path, [groups], 1);
    const script = `
      import { Checkpointer } from '${COMPILED.href}checkpointer.js';
      const [path, segments] = JSON.parse(process.argv[1]);
      const checkpointer = new Checkpointer({ path, storeId: Buffer.from('${STORE_ID}'), batchBytes: 50_000 });
      await checkpointer.start();
      process.stdout.write('started');
      await checkpointer.run(segments);
      setInterval(() => {}, 1000);`;
    let previousSeq = 1;
    for (const delayMs of [0, 30, 60, 120, 250, 500]) {
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', script, JSON.stringify([path, segments])],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await once(child.stdout, 'data');
      await sleep(delayMs);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const model = new Model();
      const { lastSeq } = await loadSnapshot(path, model);
      expect(model.database(0).get('seq')!.value).toBe(String(lastSeq));
      expect(lastSeq).toBeGreaterThanOrEqual(previousSeq);
      previousSeq = lastSeq;
    }
    const checkpointer = await startCheckpointer(path);
    expect((await checkpointer.run(segments)).lastSeq).toBe(3001);
  });
});

function genuine(settings: WorkerSettings): Worker {
  return new Worker(new URL('worker.js', COMPILED), { workerData: settings });
}

/** A worker that starts like the genuine one and does something else with its first job. */
function misbehaving(action: string, settings: WorkerSettings): Worker {
  const script = `
    const { parentPort } = require('node:worker_threads');
    parentPort.postMessage({ kind: 'ready', lastSeq: 0 });
    parentPort.on('message', () => { ${action} });`;
  return new Worker(script, { eval: true, workerData: settings });
}
