import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { Random } from '../faults/random.mjs';
import { Store } from '../faults/store.js';
import { hasTool } from '../support/tools.js';

async function directory(): Promise<string> {
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  return path;
}

/** A program that looks at the snapshot as it is now, until told to end. */
async function readerOf(path: string): Promise<() => Promise<void>> {
  const shell = spawn('sqlite3', [path], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void shell.kill('SIGKILL'));
  shell.stdin.write('BEGIN;\nSELECT last_seq FROM meta;\n');
  await once(shell.stdout, 'data');
  return async () => {
    shell.stdin.end();
    await once(shell, 'close');
  };
}

/** What a kill between a checkpoint's commit and the deletion of its segment leaves. Returns that segment's path. */
async function checkpointWithoutDeleting(folder: string): Promise<{ segment: string; digest: string }> {
  const store = await Store.open(folder);
  const random = new Random(7);
  for (let i = 0; i < 20; i++) store.writeGroup(random);
  const sealed = store.recovered.writer.rotate(Date.now());
  await store.checkpoint();
  const { digest } = store;
  store.close();
  return { segment: sealed!.path, digest };
}

it('a segment that the snapshot covers is deleted by the next start', async () => {
  const folder = await directory();
  const { segment, digest } = await checkpointWithoutDeleting(folder);
  expect(existsSync(segment)).toBe(true);
  const store = await Store.open(folder);
  expect([store.digest, existsSync(segment), store.messages]).toEqual([digest, false, []]);
  store.close();
});

it.runIf(hasTool('sqlite3'))(
  'but kept while another program keeps what covers it from leaving the -wal',
  async () => {
    const folder = await directory();
    (await Store.open(folder)).close();
    const end = await readerOf(join(folder, 'snapshot.sqlite'));
    const { segment, digest } = await checkpointWithoutDeleting(folder);
    const store = await Store.open(folder);
    expect([store.digest, existsSync(segment)]).toEqual([digest, true]);
    expect(store.messages).toEqual([expect.stringContaining('Another program reads an older state')]);
    store.close();
    await end();
    const later = await Store.open(folder);
    expect([later.digest, existsSync(segment), later.messages]).toEqual([digest, false, []]);
    later.close();
  },
);
