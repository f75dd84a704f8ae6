import { describe, expect, it } from 'vitest';
import { Applier, batchBytesFor } from '../../src/checkpoint/applier.js';
import { loadSnapshot } from '../../src/checkpoint/loader.js';
import { checkStructure, openSnapshot, readMeta } from '../../src/checkpoint/snapshot-file.js';
import { SnapshotWriter } from '../../src/checkpoint/snapshot-writer.js';
import { type ExpireAt, type MutationSink, NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { Model } from './model.js';
import { applyGroup, fieldList, hset, loadModel, newSnapshot, openApplier, set } from './store.js';

const INT63_MAX = 2n ** 63n - 1n;

/** A small deterministic generator (mulberry32): a failing seed can be run again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const NAMES = [
  '',
  'a',
  'b',
  'key',
  '\0',
  'a\0b',
  '\xff\xfe',
  "it's",
  '1,2',
  'x'.repeat(2500),
  'y'.repeat(400),
].map((name) => Buffer.from(name, 'latin1'));
const SIZES = [0, 1, 3, 64, 300, 1500, 1899, 1901, 5000, 70_000];
const EXPIRIES: ExpireAt[] = [
  NO_EXPIRY,
  1,
  999,
  1_700_000_000_000,
  2 ** 53 - 1,
  2n ** 53n,
  INT63_MAX,
  4294967291,
  4294967296,
];

/** Applies one random mutation, of those the keyspace could make in that state, to model and applier alike. */
class RandomMutations {
  private readonly random: (below: number) => number;

  constructor(
    seed: number,
    private readonly model: Model,
    private readonly applier: MutationSink,
  ) {
    this.random = randomFrom(seed);
  }

  step(): void {
    const db = this.random(3);
    const key = this.pick(NAMES);
    const entry = this.model.database(db).get(key.toString('latin1'));
    const value = Buffer.alloc(this.pick(SIZES), this.random(256));
    const expireAt = this.pick(EXPIRIES);
    const choice = this.random(100);
    const end = key.length;
    if (choice < 25) this.both((sink) => sink.setString(db, key, 0, end, value, 0, value.length, expireAt));
    else if (choice < 40) {
      if (entry === undefined || typeof entry.value === 'string') {
        const offset = this.random(3000);
        this.both((sink) => sink.setRange(db, key, 0, end, offset, value, 0, value.length));
      }
    } else if (choice < 50) this.both((sink) => sink.delete(db, key, 0, end));
    else if (choice < 58) {
      if (entry) this.both((sink) => sink.expireAt(db, key, 0, end, expireAt));
    } else if (choice < 66) this.transfer('rename', db, key);
    else if (choice < 72) this.transfer('copy', db, key);
    else if (choice < 73) this.both((sink) => sink.flush(db));
    else if (choice < 75) {
      const otherDb = this.random(3);
      this.both((sink) => sink.swap(db, otherDb));
    } else if (typeof entry?.value !== 'string') this.hashStep(db, key, entry?.value, choice);
  }

  private hashStep(db: number, key: Buffer, fields: Map<string, unknown> | undefined, choice: number): void {
    const names = [...new Set([this.pick(NAMES), this.pick(NAMES), this.pick(NAMES)])];
    if (choice < 88 || fields === undefined) {
      const list = fieldList(
        names.map((name) => [name, Buffer.alloc(this.pick(SIZES), this.random(256)), this.pick(EXPIRIES)]),
      );
      this.both((sink) => sink.hashSet(db, key, 0, key.length, list));
    } else if (choice < 94) {
      const left = [...fields.keys()].filter(
        (name) => !names.some((other) => other.toString('latin1') === name),
      );
      if (left.length > 0)
        this.both((sink) => sink.hashDelete(db, key, 0, key.length, fieldList(names.map((n) => [n]))));
    } else {
      const expireAt = this.pick(EXPIRIES);
      this.both((sink) =>
        sink.hashExpireAt(db, key, 0, key.length, fieldList(names.map((n) => [n])), expireAt),
      );
    }
  }

  private transfer(method: 'rename' | 'copy', db: number, key: Buffer): void {
    const toDb = this.random(3);
    const toKey = this.pick(NAMES);
    this.both((sink) => sink[method](db, key, 0, key.length, toDb, toKey, 0, toKey.length));
  }

  private both(mutate: (sink: MutationSink) => void): void {
    mutate(this.model);
    mutate(this.applier);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.random(items.length)]!;
  }
}

describe('Applier', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'makes the snapshot equal to a plain model, across batches and reopenings (seed %i)',
    async (seed) => {
      const path = await newSnapshot();
      const model = new Model();
      let seq = 0;
      for (let round = 0; round < 6; round++) {
        const { applier, database } = openApplier(path, {
          batchBytes: [1, 200_000, 64 * 1024 * 1024][round % 3]!,
        });
        const mutations = new RandomMutations(seed * 100 + round, model, applier);
        for (let group = 0; group < 60; group++) {
          for (let step = 0; step < 5; step++) mutations.step();
          applier.endGroup(++seq, 7, 1000 + seq);
        }
        applier.commit();
        checkStructure(database, path);
        expect(orphans(database.prepare(ORPHANS).get())).toBe(0);
        database.close();
        expect((await loadModel(path)).content()).toEqual(model.content());
      }
      const loaded = await loadSnapshot(path, new Model());
      expect(loaded).toMatchObject({ lastSeq: seq, lastSegment: 7, coversUntilMs: 1000 + seq });
    },
  );

  it('keeps an expiry of 2^63-1 exact, of keys and of fields, also when it is set on a stored row', async () => {
    const path = await newSnapshot();
    applyGroup(path, 1, (sink) => {
      set(sink, 'a', '1', INT63_MAX);
      set(sink, 'b', '1');
      hset(sink, 'h', [
        ['f', 'v', INT63_MAX],
        ['g', 'v'],
      ]);
    });
    applyGroup(path, 2, (sink) => {
      sink.expireAt(0, Buffer.from('b'), 0, 1, INT63_MAX - 1n);
      sink.hashExpireAt(0, Buffer.from('h'), 0, 1, fieldList([['g']]), 2n ** 53n + 1n);
    });
    const keys = (await loadModel(path)).database(0);
    expect(keys.get('a')!.expireAt).toBe(INT63_MAX);
    expect(keys.get('b')!.expireAt).toBe(INT63_MAX - 1n);
    expect(keys.get('h')!.value).toEqual(
      new Map([
        ['f', { value: 'v', expireAt: INT63_MAX }],
        ['g', { value: 'v', expireAt: 2n ** 53n + 1n }],
      ]),
    );
  });

  it('empties and exchanges databases of many keys, piece by piece', async () => {
    const path = await newSnapshot();
    const count = 25_000;
    applyGroup(path, 1, (sink) => {
      for (let i = 0; i < count; i++) set(sink, `key ${i}`, `${i}`, i % 3, 0);
      for (let i = 0; i < 10; i++) set(sink, `other ${i}`, `${i}`, NO_EXPIRY, 1);
    });
    let calls = 0;
    const { applier, database } = openApplier(path, { onProgress: () => void calls++ });
    applier.swap(0, 1);
    applier.endGroup(2, 1, 1);
    applier.commit();
    expect(calls).toBe(4);
    // Loading checks the checksum of each row.
    const swapped = await loadModel(path);
    expect([swapped.database(0).size, swapped.database(1).size]).toEqual([10, count]);
    expect(swapped.database(1).get('key 24998')).toEqual({ value: '24998', expireAt: 2 });
    applier.flush(1);
    applier.endGroup(3, 1, 1);
    applier.commit();
    database.close();
    const left = await loadModel(path);
    expect([left.database(0).size, left.database(1).size]).toEqual([10, 0]);
  });

  it('writes many small rows at a time over rows of every kind', async () => {
    const path = await newSnapshot();
    const large = Buffer.alloc(5000, 'l');
    applyGroup(path, 1, (sink) => {
      for (let i = 0; i < 100; i++) {
        if (i % 3 === 0) set(sink, `key ${i}`, large);
        else if (i % 3 === 1) hset(sink, `key ${i}`, [['f', large]]);
        hset(sink, 'hash', [[`field ${i}`, i % 2 ? large : 'small']]);
      }
    });
    const { applier, database } = openApplier(path);
    for (let i = 0; i < 100; i++) {
      set(applier, `key ${i}`, `${i}`);
      hset(applier, 'hash', [[`field ${i}`, `${i}`]]);
    }
    applier.endGroup(2, 1, 1);
    applier.commit();
    expect(orphans(database.prepare(ORPHANS).get())).toBe(0);
    expect(database.prepare('SELECT count(*) FROM stored_values').pluck().get()).toBe(0);
    const keys = (await loadModel(path)).database(0);
    const values = Array.from({ length: 100 }, (_, i) => keys.get(`key ${i}`)!.value);
    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    const fields = keys.get('hash')!.value as Map<string, { value: string }>;
    expect([...fields.values()].every(({ value }) => value.length <= 2)).toBe(true);
  });

  it('writes one row for a key that changes many times', async () => {
    const { applier } = openApplier(await newSnapshot());
    for (let i = 0; i < 1000; i++) set(applier, 'counter', String(i));
    applier.endGroup(1, 1, 1);
    applier.commit();
    expect(applier.stats).toEqual({ commits: 1, rows: 1 });
  });

  it.each([
    [0, 64],
    [128, 64],
    [200, 100],
    [512, 256],
    [100_000, 256],
  ])('takes a log of %i MiB in batches of %i MiB', (log, batch) => {
    expect(batchBytesFor(log * 1024 * 1024)).toBe(batch * 1024 * 1024);
  });

  it('commits rows and position together, and only at the end of a group', async () => {
    const path = await newSnapshot();
    const { applier } = openApplier(path, { batchBytes: 1000 });
    const reader = openSnapshot(path, 0);
    const seen = (): unknown => [
      readMeta(reader, path).lastSeq,
      reader.prepare('SELECT count(*) FROM stored_keys').pluck().get(),
    ];
    // The bound is exceeded in the middle of the group: rows go to SQLite, but stay invisible.
    for (let i = 0; i < 20; i++) set(applier, `first ${i}`, 'x'.repeat(100));
    expect(seen()).toEqual([0, 0]);
    applier.endGroup(1, 1, 1);
    expect(seen()).toEqual([1, 20]);
    set(applier, 'small', 'x');
    applier.endGroup(2, 1, 1);
    expect(seen()).toEqual([1, 20]);
    applier.commit();
    expect(seen()).toEqual([2, 21]);
    reader.close();
  });

  it('leaves the snapshot as it was after abort, and can go on from there', async () => {
    const path = await newSnapshot();
    applyGroup(path, 1, (sink) => set(sink, 'kept', 'v'));
    const { applier, database } = openApplier(path, { batchBytes: 1000 });
    applier.flush(0);
    for (let i = 0; i < 20; i++) set(applier, `lost ${i}`, 'x'.repeat(100));
    applier.abort();
    set(applier, 'new', 'v');
    applier.endGroup(2, 1, 1);
    applier.commit();
    database.close();
    expect([...(await loadModel(path)).database(0).keys()]).toEqual(['kept', 'new']);
  });

  it('refuses to write fields into a string that is stored', async () => {
    const path = await newSnapshot();
    applyGroup(path, 1, (sink) => set(sink, 'k', 'v'));
    const database = openSnapshot(path, 0);
    const applier = new Applier(new SnapshotWriter(database, path));
    hset(applier, 'k', [['f', 'v']]);
    applier.endGroup(2, 1, 1);
    expect(() => applier.commit()).toThrow(/no hash/);
    applier.abort();
    database.close();
  });
});

const ORPHANS = `SELECT
  (SELECT count(*) FROM stored_values WHERE id NOT IN (SELECT content FROM stored_keys WHERE content IS NOT NULL
     UNION ALL SELECT content FROM stored_hash_fields WHERE content IS NOT NULL))
  + (SELECT count(*) FROM stored_hash_fields WHERE collection NOT IN (SELECT content FROM stored_keys WHERE type = 2)) AS n`;

function orphans(row: unknown): number {
  return (row as { n: number }).n;
}
