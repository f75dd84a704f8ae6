import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyspace } from '../../src/keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { contentOf, KeyspaceDriver, type ModelDatabase, type ModelHash } from '../support/keyspace-model.js';

const START_MS = 1_700_000_000_000;
const DATABASES = 2;

type Action =
  | { kind: 'set'; key: string; value: string; expireIn: number }
  | { kind: 'setRange'; key: string; offset: number; value: string }
  | { kind: 'delete'; key: string }
  | { kind: 'expire'; key: string; expireIn: number }
  | { kind: 'rename'; key: string; toKey: string; toDb: number }
  | { kind: 'copy'; key: string; toKey: string; toDb: number }
  | { kind: 'hashSet'; key: string; fields: [string, string, number][] }
  | { kind: 'hashDelete'; key: string; fields: string[] }
  | { kind: 'hashExpire'; key: string; fields: string[]; expireIn: number }
  | { kind: 'flush' }
  | { kind: 'swap' }
  | { kind: 'advance'; ms: number }
  | { kind: 'commit' };

/** What the keyspace must do, in the simplest way. */
class Model {
  databases: ModelDatabase[] = Array.from({ length: DATABASES }, () => new Map());
  nowMs = START_MS;

  clone(): ModelDatabase[] {
    return structuredClone(this.databases);
  }

  expire(): void {
    for (const database of this.databases) {
      for (const [key, value] of database) {
        if (value.type === 'hash') {
          for (const [name, field] of value.fields)
            if (this.isPast(field.expireAt)) value.fields.delete(name);
          if (value.fields.size === 0) database.delete(key);
        }
        if (this.isPast(value.expireAt)) database.delete(key);
      }
    }
  }

  private isPast(expireAt: ExpireAt): boolean {
    return expireAt !== NO_EXPIRY && expireAt <= this.nowMs;
  }
}

function absolute(nowMs: number, expireIn: number): ExpireAt {
  if (expireIn < 0) return NO_EXPIRY;
  if (expireIn === Number.MAX_SAFE_INTEGER) return 9_223_372_036_854_775_807n;
  return nowMs + expireIn;
}

/** Applies one action to both. Names repeat often, so that keys meet each other. */
function apply(action: Action, db: number, driver: KeyspaceDriver, model: Model): void {
  const database = model.databases[db]!;
  const { keyspace } = driver;
  keyspace.now = model.nowMs;
  switch (action.kind) {
    case 'set': {
      const expireAt = absolute(model.nowMs, action.expireIn);
      driver.set(db, action.key, action.value, expireAt);
      database.set(action.key, { type: 'string', value: action.value, expireAt });
      return;
    }
    case 'setRange': {
      const old = database.get(action.key);
      if (old?.type === 'hash') return;
      driver.setRange(db, action.key, action.offset, action.value);
      const before = (old?.value ?? '').padEnd(action.offset, '\0');
      const value =
        before.slice(0, action.offset) + action.value + before.slice(action.offset + action.value.length);
      database.set(action.key, { type: 'string', value, expireAt: old?.expireAt ?? NO_EXPIRY });
      return;
    }
    case 'delete':
      driver.delete(db, action.key);
      database.delete(action.key);
      return;
    case 'expire': {
      const value = database.get(action.key);
      if (!value) return;
      const expireAt = absolute(model.nowMs, action.expireIn);
      driver.expireAt(db, action.key, expireAt);
      value.expireAt = expireAt;
      return;
    }
    case 'rename':
    case 'copy': {
      const value = database.get(action.key);
      if (!value || (db === action.toDb && action.key === action.toKey)) return;
      driver[action.kind](db, action.key, action.toDb, action.toKey);
      if (action.kind === 'rename') database.delete(action.key);
      model.databases[action.toDb]!.set(action.toKey, structuredClone(value));
      return;
    }
    case 'hashSet': {
      const old = database.get(action.key);
      if (old?.type === 'string') return;
      const fields = action.fields.map(
        ([name, value, expireIn]) =>
          [name, value, absolute(model.nowMs, expireIn)] as [string, string, ExpireAt],
      );
      driver.hashSet(db, action.key, fields);
      const hash: ModelHash = old ?? { type: 'hash', fields: new Map(), expireAt: NO_EXPIRY };
      for (const [name, value, expireAt] of fields) hash.fields.set(name, { value, expireAt });
      database.set(action.key, hash);
      return;
    }
    case 'hashDelete': {
      const hash = database.get(action.key);
      if (hash?.type !== 'hash') return;
      const left = [...hash.fields.keys()].filter((name) => !action.fields.includes(name));
      if (left.length === 0) {
        driver.delete(db, action.key);
        database.delete(action.key);
        return;
      }
      driver.hashDelete(db, action.key, action.fields);
      for (const name of action.fields) hash.fields.delete(name);
      return;
    }
    case 'hashExpire': {
      const hash = database.get(action.key);
      if (hash?.type !== 'hash') return;
      const fields = action.fields.filter((name) => hash.fields.has(name));
      if (fields.length === 0) return;
      const expireAt = absolute(model.nowMs, action.expireIn);
      driver.hashExpireAt(db, action.key, fields, expireAt);
      for (const name of fields) hash.fields.get(name)!.expireAt = expireAt;
      return;
    }
    case 'flush':
      keyspace.flush(db);
      database.clear();
      return;
    case 'swap':
      keyspace.swap(0, 1);
      model.databases.reverse();
      return;
    case 'advance':
      model.nowMs += action.ms;
      model.expire();
      keyspace.now = model.nowMs;
      while (keyspace.expireDue(7) >= 7);
      while (keyspace.hasGarbage) keyspace.collectGarbage(50);
      return;
    case 'commit':
      keyspace.commit(keyspace.undoPosition);
  }
}

const name = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', '', '\0', '__proto__', 'key:1') },
  { weight: 1, arbitrary: fc.constant('long'.repeat(2500)) },
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.string({ maxLength: 70, unit: 'binary-ascii' }) },
  { weight: 1, arbitrary: fc.constant('x'.repeat(20_000)) },
);
const fieldName = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }).map((n) => `field ${n}`) },
  { weight: 1, arbitrary: fc.constantFrom('', '\xff\xfe', 'f'.repeat(65)) },
);
const expireIn = fc.oneof(
  { weight: 3, arbitrary: fc.constant(-1) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 4_000_000_000 }) },
  { weight: 1, arbitrary: fc.constant(Number.MAX_SAFE_INTEGER) },
);
const toDb = fc.constantFrom(0, 1);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), key: name, value, expireIn }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('setRange' as const),
      key: name,
      offset: fc.constantFrom(0, 1, 5, 100, 20_000),
      value,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('expire' as const), key: name, expireIn }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), key: name, toKey: name, toDb }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), key: name, toKey: name, toDb }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('hashSet' as const),
      key: name,
      fields: fc.array(fc.tuple(fieldName, value, expireIn), { minLength: 1, maxLength: 60 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('hashDelete' as const),
      key: name,
      fields: fc.array(fieldName, { minLength: 1, maxLength: 40 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('hashExpire' as const),
      key: name,
      fields: fc.array(fieldName, { minLength: 1, maxLength: 40 }),
      expireIn,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'swap' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2_000_000_000 })),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'commit' as const }) },
);
const steps = fc.array(fc.tuple(fc.constantFrom(0, 1), action), { maxLength: 120 });

describe('keyspace against a model', () => {
  it('holds what a Map would hold after any mutations', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, undoing) => {
        const keyspace = createKeyspace({ databases: DATABASES, now: START_MS });
        keyspace.undoing = undoing;
        const driver = new KeyspaceDriver(keyspace);
        const model = new Model();
        for (const [db, step] of sequence) apply(step, db, driver, model);
        for (let db = 0; db < DATABASES; db++) {
          expect(contentOf(keyspace, db)).toEqual(model.databases[db]);
          expect(keyspace.size(db)).toBe(model.databases[db]!.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('rolls back to exactly what it was', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const keyspace = createKeyspace({ databases: DATABASES, now: START_MS });
        const driver = new KeyspaceDriver(keyspace);
        const model = new Model();
        for (const [db, step] of before) apply(step, db, driver, model);
        keyspace.commit(keyspace.undoPosition);
        const position = keyspace.undoPosition;
        const kept = model.clone();
        const turn = after.filter(([, step]) => step.kind !== 'commit' && step.kind !== 'advance');
        for (const [db, step] of turn) apply(step, db, driver, model);
        keyspace.rollback(position);
        for (let db = 0; db < DATABASES; db++) expect(contentOf(keyspace, db)).toEqual(kept[db]);

        // What was put back still works, and still expires on time.
        model.databases = kept;
        for (const [db, step] of after) apply(step, db, driver, model);
        apply({ kind: 'advance', ms: 5_000_000_000 }, 0, driver, model);
        for (let db = 0; db < DATABASES; db++) expect(contentOf(keyspace, db)).toEqual(model.databases[db]);
      }),
      { numRuns: 200 },
    );
  });

  it('gives back at once what is replaced while nothing can be taken back', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const [atOnce, atCommit] = [false, true].map((undoing) => {
          const keyspace = createKeyspace({ databases: DATABASES, now: START_MS });
          keyspace.undoing = undoing;
          const driver = new KeyspaceDriver(keyspace);
          const model = new Model();
          for (const [db, step] of sequence) {
            apply(step, db, driver, model);
            if (undoing) keyspace.commit(keyspace.undoPosition);
          }
          while (keyspace.hasGarbage) keyspace.collectGarbage(1000);
          return keyspace.memoryUsed();
        });
        expect(atOnce).toBe(atCommit);
      }),
      { numRuns: 100 },
    );
  });

  it('gives all memory back when everything is gone', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const keyspace = createKeyspace({ databases: DATABASES, now: START_MS });
        const empty = keyspace.memoryUsed();
        const driver = new KeyspaceDriver(keyspace);
        const model = new Model();
        for (const [db, step] of sequence) apply(step, db, driver, model);
        keyspace.flush(0);
        keyspace.flush(1);
        keyspace.commit(keyspace.undoPosition);
        while (keyspace.hasGarbage) keyspace.collectGarbage(1000);
        expect(keyspace.memoryUsed()).toBe(empty);
      }),
      { numRuns: 200 },
    );
  });
});
