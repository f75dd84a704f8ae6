import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createKeyspace } from '../../src/keyspace/keyspace.js';
import { nodeFiles } from '../../src/log/files.js';
import { recover } from '../../src/recovery.js';

let folder: { path: string; cleanup(): Promise<void> };

beforeEach(async () => {
  folder = await dir({ unsafeCleanup: true });
});

afterEach(() => folder.cleanup());

function start() {
  const log = () => {};
  return recover({
    directory: folder.path,
    keyspace: createKeyspace(),
    files: nodeFiles,
    clock: systemClock,
    log,
  });
}

async function startAndStop(): Promise<void> {
  const { writer, lock } = await start();
  writer.close();
  lock.release();
}

it('a -wal whose snapshot is gone stops the start, though the log is complete', async () => {
  await startAndStop();
  rmSync(join(folder.path, 'snapshot.sqlite'));
  const wal = join(folder.path, 'snapshot.sqlite-wal');
  writeFileSync(wal, 'pages of another time');
  await expect(start()).rejects.toThrow(wal);
  expect(existsSync(join(folder.path, 'snapshot.sqlite'))).toBe(false);

  rmSync(wal);
  await startAndStop();
});

it('the copy of a torn segment stops the start where snapshot and log are gone', async () => {
  const copy = join(folder.path, 'log-0000000001.msgpack.torn-20260101T000000000Z');
  writeFileSync(copy, 'what was left');
  await expect(start()).rejects.toThrow(copy);
  expect(readdirSync(folder.path).filter((name) => !name.startsWith('lock.db'))).toHaveLength(1);
});
