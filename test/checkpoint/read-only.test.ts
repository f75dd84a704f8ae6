/** Reading a snapshot without a trace, whether or not its folder takes a second name for it. */
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { readSnapshot } from '../../src/checkpoint/loader.js';
import { openUnchanged } from '../../src/checkpoint/read-only.js';
import { openSnapshot } from '../../src/checkpoint/snapshot-file.js';
import { Model } from './model.js';
import { applyGroup, loadModel, newSnapshot, set } from './store.js';

test('rows that are in the -wal only are read, and no file changes or appears', async () => {
  const path = await newSnapshot();
  // While one connection is open, what another writes stays in the -wal.
  const database = openSnapshot(path, 0);
  database.prepare('SELECT count(*) FROM meta').get();
  applyGroup(path, 1, (sink) => set(sink, 'k', 'v'));
  const files = () => [path, `${path}-wal`].map((file) => readFileSync(file).toString('hex'));
  const before = [readdirSync(dirname(path)), files()];
  expect(before[1]![1]!.length).toBeGreaterThan(0);
  const model = new Model();
  const { lastSeq, keys } = await readSnapshot(openUnchanged(path), path, model);
  expect([lastSeq, keys]).toEqual([1, 1]);
  expect([readdirSync(dirname(path)), files()]).toEqual(before);
  database.close();
  expect(model).toEqual(await loadModel(path));
});

test('nothing can be written through it', async () => {
  const database = openUnchanged(await newSnapshot());
  expect(() => database.exec('DELETE FROM meta')).toThrow('readonly');
  database.close();
});

test('where the folder takes no second name, a copy is read', async () => {
  const path = await newSnapshot();
  applyGroup(path, 1, (sink) => set(sink, 'k', 'v'));
  // Nobody can make a folder in there, root neither.
  const file = openSync(path, 'r');
  const model = new Model();
  const alias = `/proc/self/fd/${file}`;
  expect(await readSnapshot(openUnchanged(alias), alias, model)).toMatchObject({ lastSeq: 1, keys: 1 });
  closeSync(file);
  expect(model).toEqual(await loadModel(path));
});
