import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { loadSnapshot } from '../../src/checkpoint/loader.js';
import { SnapshotDamage } from '../../src/checkpoint/snapshot-file.js';
import { openDatabase } from '../../src/checkpoint/sqlite.js';
import { Model } from './model.js';
import { applyGroup, expectProgress, hset, newSnapshot, set } from './store.js';

/** A thread makes the pages, however small the file is. */
const THREADED = { threadFromBytes: 0 };

type Sink = Parameters<typeof set>[0];

/** Enough pages for the thread to have to wait, and everything that a row can be. */
function fill(sink: Sink): void {
  for (let i = 0; i < 30_000; i++) set(sink, `key ${i}`, `value ${i}`, i % 2 === 0 ? 0 : 1_900_000_000_000);
  for (let i = 0; i < 2500; i++) hset(sink, `hash ${i}`, [['f', String(i)]]);
  for (let i = 0; i < 5000; i++) hset(sink, 'hash 1000', [[`field ${i}`, String(i), i % 3]]);
  hset(sink, 'hash 1000', [['big', 'B'.repeat(5000)]]);
  set(sink, 'large', 'L'.repeat(5000), 9_223_372_036_854_775_807n);
  sink.expireAt(0, Buffer.from('hash 1000'), 0, 9, 123);
}

async function filledSnapshot(): Promise<string> {
  const path = await newSnapshot();
  applyGroup(path, 1, fill);
  return path;
}

describe('loadSnapshot with a thread that makes the pages', () => {
  it('hands on what is in the file, and tells how far it is', async () => {
    const path = await filledSnapshot();
    const expected = new Model();
    fill(expected);
    const model = new Model();
    const reports: [number, number][] = [];
    const { keys, hashFields, lastSeq } = await loadSnapshot(path, model, {
      ...THREADED,
      onProgress: (...report) => reports.push(report),
    });
    expect(model.content()).toEqual(expected.content());
    expect([keys, hashFields, lastSeq]).toEqual([32_501, 7501, 1]);
    expectProgress(reports, path);
  });

  it('leaves the event loop to others', async () => {
    const path = await filledSnapshot();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await loadSnapshot(path, new Model(), THREADED);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('reports damage that the thread finds as its own, with file and row', async () => {
    const path = await filledSnapshot();
    const database = openDatabase(path, 0, true);
    database.exec(`UPDATE stored_keys SET value = x'00' WHERE key = CAST('key 29999' AS BLOB)`);
    database.close();
    const failure = await loadSnapshot(path, new Model(), THREADED).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SnapshotDamage);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as StorageError).file).toBe(path);
    expect((failure as Error).message).toMatch(/the checksum of the key "key 29999" of database 0/);
  });

  it('reports a large value that changed', async () => {
    const path = await filledSnapshot();
    const database = openDatabase(path, 0, true);
    database.exec(`UPDATE stored_values SET value = CAST(replace(value, 'L', 'M') AS BLOB)`);
    database.close();
    await expect(loadSnapshot(path, new Model(), THREADED)).rejects.toThrow(/checksum of the key "large"/);
  });

  it('ends the thread when what takes the rows fails, and lets go of the file', async () => {
    const path = await filledSnapshot();
    const sink = new Model();
    sink.setString = () => {
      throw new RangeError('full');
    };
    await expect(loadSnapshot(path, sink, THREADED)).rejects.toThrow(RangeError);
    const database = openDatabase(path, 0, true);
    // Refused while any other connection has the file open.
    expect(database.pragma('journal_mode = DELETE', { simple: true })).toBe('delete');
    database.close();
  });
});
