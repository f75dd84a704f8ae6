import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { crc32 } from '../../src/checkpoint/checksum.js';
import { loadSnapshot } from '../../src/checkpoint/loader.js';
import { incompatibility, openDatabase } from '../../src/checkpoint/sqlite.js';
import { Model } from './model.js';
import { applyGroup, expectProgress, hset, loadModel, newSnapshot, set } from './store.js';

/** Changes the closed file as SQL would, past everything that guards it. */
function tamper(path: string, sql: string): void {
  const database = openDatabase(path, 0, true);
  database.pragma('ignore_check_constraints = 1');
  database.exec(sql);
  database.close();
}

async function filledSnapshot(): Promise<string> {
  const path = await newSnapshot();
  applyGroup(path, 1, (sink) => {
    for (let i = 0; i < 5000; i++) set(sink, `key ${i}`, `value ${i}`, i % 2 === 0 ? 0 : 1_900_000_000_000);
    set(sink, 'large', 'L'.repeat(5000));
    hset(sink, 'hash', [
      ['field', 'value'],
      ['big', 'B'.repeat(5000)],
    ]);
    hset(sink, 'other', [['field', 'value']]);
  });
  return path;
}

describe('loadSnapshot', () => {
  it('gives back any bytes exactly, as keys, fields and values', async () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(bytes, bytes, bytes), { maxLength: 12 }), async (rows) => {
        const path = await newSnapshot();
        const model = new Model();
        for (const [key, field, value] of rows) {
          model.delete(0, key, 0, key.length);
          set(model, key, value);
          hset(model, field, [[key, value]], 1);
        }
        applyGroup(path, 1, (sink) => {
          for (const [key, field, value] of rows) {
            set(sink, key, value);
            hset(sink, field, [[key, value]], 1);
          }
        });
        expect((await loadModel(path)).content()).toEqual(model.content());
      }),
      { numRuns: 15 },
    );
  });

  it('goes on over pages: many keys, a hash longer than a page between short ones, keys of 300 KB', async () => {
    const path = await newSnapshot();
    const fill = (sink: Model | Parameters<typeof set>[0]): void => {
      for (let i = 0; i < 4001; i++) set(sink, `string ${i}`, String(i));
      for (let i = 0; i < 2500; i++) hset(sink, `hash ${i}`, [['f', String(i)]]);
      for (let i = 0; i < 6001; i++) hset(sink, 'hash 1000', [[`field ${i}`, String(i), i % 3]]);
      for (let i = 0; i < 60; i++) set(sink, `${String(i).repeat(150_000)}`, 'v');
      sink.expireAt(0, Buffer.from('hash 1000'), 0, 9, 123);
    };
    const model = new Model();
    fill(model);
    applyGroup(path, 1, fill);
    expect((await loadModel(path)).content()).toEqual(model.content());
  });

  it('reports its progress and leaves the event loop to others', async () => {
    const path = await filledSnapshot();
    const reports: [number, number][] = [];
    const { keys, hashFields } = await loadSnapshot(path, new Model(), {
      onProgress: (...report) => reports.push(report),
    });
    expect([keys, hashFields]).toEqual([5003, 3]);
    expectProgress(reports, path);
  });

  it.each([
    [
      'a value',
      "UPDATE stored_keys SET value = x'00' WHERE key = CAST('key 7' AS BLOB)",
      /key "key 7" of database 0/,
    ],
    [
      'an expiry',
      "UPDATE stored_keys SET expire_at = expire_at + 1 WHERE key = CAST('key 7' AS BLOB)",
      /key "key 7"/,
    ],
    ['a key', "UPDATE stored_keys SET key = x'ff' WHERE key = CAST('key 7' AS BLOB)", /checksum/],
    ['a database number', "UPDATE stored_keys SET db = 3 WHERE key = CAST('key 7' AS BLOB)", /checksum/],
    ['a large value', "UPDATE stored_values SET value = x'00' WHERE length(value) = 5000", /checksum/],
    [
      'a field',
      "UPDATE stored_hash_fields SET field = x'00' WHERE field = CAST('big' AS BLOB)",
      /checksum of the field/,
    ],
    [
      'the field of another hash',
      'UPDATE stored_hash_fields SET collection = collection + 100',
      /has no fields/,
    ],
    ['a hash without fields', 'DELETE FROM stored_hash_fields', /has no fields/],
    ['a lost large value', 'DELETE FROM stored_values', /large value \d+ is missing/],
    ['a lost meta row', 'DELETE FROM meta', /meta table is empty/],
    ["another program's file", 'PRAGMA application_id = 1', /application id 1/],
    ['a newer layout', 'PRAGMA user_version = 2', /layout version 2, and this program .* knows version 1/],
  ])('refuses %s that was changed, naming the file', async (_what, sql, message) => {
    const path = await filledSnapshot();
    tamper(path, sql);
    const failure = await loadSnapshot(path, new Model()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as StorageError).message).toMatch(message);
    expect((failure as StorageError).file).toBe(path);
  });

  it('refuses a file cut short, an empty one, and one that is no database', async () => {
    const path = await filledSnapshot();
    const whole = readFileSync(path);
    for (const length of [0, 100, 8192, whole.length - 8192 * 20, whole.length - 4096]) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      await expect(loadSnapshot(path, new Model()), `cut to ${length} bytes`).rejects.toThrow(StorageError);
    }
    writeFileSync(path, 'not a database, but long enough to look at '.repeat(100));
    await expect(loadSnapshot(path, new Model())).rejects.toThrow(/damaged/);
  });

  it('notices a single bit that was flipped in a stored value', async () => {
    const path = await filledSnapshot();
    const at = readFileSync(path).indexOf('value 1234');
    const file = openSync(path, 'r+');
    writeSync(
      file,
      Buffer.from('v').map((byte) => byte ^ 4),
      0,
      1,
      at,
    );
    closeSync(file);
    await expect(loadSnapshot(path, new Model())).rejects.toThrow(/checksum of the key "key 1234"/);
  });

  it('passes on what the sink throws', async () => {
    const path = await filledSnapshot();
    const sink = new Model();
    sink.setString = () => {
      throw new RangeError('no room');
    };
    await expect(loadSnapshot(path, sink)).rejects.toThrow(RangeError);
  });
});

describe('crc32', () => {
  it('is the one of zlib, for short and long ranges', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(20), (bytes, start) => {
        expect(crc32(bytes, Math.min(start, bytes.length), bytes.length)).toBe(
          zlibCrc32(bytes.subarray(start)),
        );
      }),
    );
  });
});

describe('incompatibility', () => {
  it('names what to install where better-sqlite3 would crash', () => {
    expect(incompatibility('13.2.0', 9)).toMatch(/npm install better-sqlite3@\^12\.11\.1/);
    expect(incompatibility('13.2.0', 10)).toBeUndefined();
    expect(incompatibility('12.11.1', 9)).toBeUndefined();
  });
});
