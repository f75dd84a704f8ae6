import type { Keyspace } from '../../src/keyspace/keyspace.js';
import { type ExpireAt, FieldList, NO_EXPIRY } from '../../src/keyspace/mutations.js';

/** A hash's fields, or a string, with expiries: what a Keyspace must look like from outside. */
export interface ModelHash {
  readonly type: 'hash';
  readonly fields: Map<string, { value: string; expireAt: ExpireAt }>;
  expireAt: ExpireAt;
}
export interface ModelString {
  readonly type: 'string';
  value: string;
  expireAt: ExpireAt;
}
export type ModelValue = ModelHash | ModelString;
export type ModelDatabase = Map<string, ModelValue>;

/** Content of one database, latin1 keys, as a Map. */
export function contentOf(keyspace: Keyspace, db: number): ModelDatabase {
  const content: ModelDatabase = new Map();
  keyspace.each(db, (bytes, start, end, ref) => {
    const key = latin1(bytes, start, end);
    const expireAt = keyspace.expiryOf(ref);
    if (keyspace.isString(ref)) {
      keyspace.loadString(ref);
      const value = latin1(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
      content.set(key, { type: 'string', value, expireAt });
      return;
    }
    const fields: ModelHash['fields'] = new Map();
    keyspace.hashEach(ref, (field, fieldStart, fieldEnd, value, valueStart, valueEnd, fieldExpireAt) => {
      fields.set(latin1(field, fieldStart, fieldEnd), {
        value: latin1(value, valueStart, valueEnd),
        expireAt: fieldExpireAt,
      });
    });
    content.set(key, { type: 'hash', fields, expireAt });
  });
  return content;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/** Mutations with strings for arguments. */
export class KeyspaceDriver {
  readonly keyspace: Keyspace;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
  }

  set(db: number, key: string, value: string, expireAt: ExpireAt = NO_EXPIRY): void {
    const k = Buffer.from(key, 'latin1');
    const v = Buffer.from(value, 'latin1');
    this.keyspace.setString(db, k, 0, k.length, v, 0, v.length, expireAt);
  }

  setRange(db: number, key: string, offset: number, value: string): void {
    const k = Buffer.from(key, 'latin1');
    const v = Buffer.from(value, 'latin1');
    this.keyspace.setRange(db, k, 0, k.length, offset, v, 0, v.length);
  }

  delete(db: number, key: string): void {
    const k = Buffer.from(key, 'latin1');
    this.keyspace.delete(db, k, 0, k.length);
  }

  expireAt(db: number, key: string, expireAt: ExpireAt): void {
    const k = Buffer.from(key, 'latin1');
    this.keyspace.expireAt(db, k, 0, k.length, expireAt);
  }

  rename(db: number, key: string, toDb: number, toKey: string): void {
    const k = Buffer.from(key, 'latin1');
    const t = Buffer.from(toKey, 'latin1');
    this.keyspace.rename(db, k, 0, k.length, toDb, t, 0, t.length);
  }

  copy(db: number, key: string, toDb: number, toKey: string): void {
    const k = Buffer.from(key, 'latin1');
    const t = Buffer.from(toKey, 'latin1');
    this.keyspace.copy(db, k, 0, k.length, toDb, t, 0, t.length);
  }

  hashSet(db: number, key: string, fields: readonly [string, string, ExpireAt][]): void {
    const k = Buffer.from(key, 'latin1');
    this.keyspace.hashSet(db, k, 0, k.length, fieldList(fields));
  }

  hashDelete(db: number, key: string, fields: readonly string[]): void {
    const k = Buffer.from(key, 'latin1');
    this.keyspace.hashDelete(db, k, 0, k.length, fieldList(fields.map((name) => [name, '', NO_EXPIRY])));
  }

  hashExpireAt(db: number, key: string, fields: readonly string[], expireAt: ExpireAt): void {
    const k = Buffer.from(key, 'latin1');
    const list = fieldList(fields.map((name) => [name, '', NO_EXPIRY]));
    this.keyspace.hashExpireAt(db, k, 0, k.length, list, expireAt);
  }

  get(db: number, key: string): string | undefined {
    const k = Buffer.from(key, 'latin1');
    const ref = this.keyspace.find(db, k, 0, k.length);
    if (ref === 0) return undefined;
    this.keyspace.loadString(ref);
    return latin1(this.keyspace.valueBytes, this.keyspace.valueStart, this.keyspace.valueEnd);
  }
}

function fieldList(fields: readonly (readonly [string, string, ExpireAt])[]): FieldList {
  const bytes = Buffer.from(fields.map(([name, value]) => name + value).join(''), 'latin1');
  const list = new FieldList().reset(bytes);
  let at = 0;
  for (const [name, value, expireAt] of fields) {
    const middle = at + name.length;
    list.add(at, middle, middle, middle + value.length, expireAt);
    at = middle + value.length;
  }
  return list;
}
