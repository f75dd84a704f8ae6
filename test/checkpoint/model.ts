import { latin1 } from '../../src/base/bytes.js';
import { type ExpireAt, type FieldList, type MutationSink, NO_EXPIRY } from '../../src/keyspace/mutations.js';

interface ModelField {
  value: string;
  expireAt: ExpireAt;
}

export interface ModelKey {
  value: string | Map<string, ModelField>;
  expireAt: ExpireAt;
}

/** What the mutations mean, in the plainest code there is: the oracle for the snapshot. */
export class Model implements MutationSink {
  databases = new Map<number, Map<string, ModelKey>>();

  database(db: number): Map<string, ModelKey> {
    let keys = this.databases.get(db);
    if (keys === undefined) {
      keys = new Map();
      this.databases.set(db, keys);
    }
    return keys;
  }

  setString(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): void {
    this.database(db).set(latin1(key, keyStart, keyEnd), {
      value: latin1(value, valueStart, valueEnd),
      expireAt,
    });
  }

  setRange(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const name = latin1(key, keyStart, keyEnd);
    const entry = this.database(db).get(name) ?? { value: '', expireAt: NO_EXPIRY };
    const old = entry.value as string;
    const inserted = latin1(value, valueStart, valueEnd);
    entry.value = old.slice(0, offset).padEnd(offset, '\0') + inserted + old.slice(offset + inserted.length);
    this.database(db).set(name, entry);
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.database(db).delete(latin1(key, keyStart, keyEnd));
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    const entry = this.database(db).get(latin1(key, keyStart, keyEnd));
    if (entry) entry.expireAt = expireAt;
  }

  rename(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    const name = latin1(key, keyStart, keyEnd);
    const entry = this.database(db).get(name);
    if (entry === undefined) return;
    this.database(db).delete(name);
    this.database(toDb).set(latin1(toKey, toStart, toEnd), entry);
  }

  copy(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    const entry = this.database(db).get(latin1(key, keyStart, keyEnd));
    if (entry) this.database(toDb).set(latin1(toKey, toStart, toEnd), structuredClone(entry));
  }

  flush(db: number): void {
    this.databases.delete(db);
  }

  swap(db: number, otherDb: number): void {
    const keys = this.database(db);
    this.databases.set(db, this.database(otherDb));
    this.databases.set(otherDb, keys);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const name = latin1(key, keyStart, keyEnd);
    const entry = this.database(db).get(name) ?? {
      value: new Map<string, ModelField>(),
      expireAt: NO_EXPIRY,
    };
    this.database(db).set(name, entry);
    const map = entry.value as Map<string, ModelField>;
    for (let i = 0; i < fields.length; i++) {
      const value = latin1(fields.bytes, fields.valueStart[i]!, fields.valueEnd[i]!);
      map.set(fieldName(fields, i), { value, expireAt: fields.expireAt[i]! });
    }
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const entry = this.database(db).get(latin1(key, keyStart, keyEnd));
    for (let i = 0; i < fields.length; i++)
      (entry!.value as Map<string, ModelField>).delete(fieldName(fields, i));
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    const map = this.database(db).get(latin1(key, keyStart, keyEnd))?.value as Map<string, ModelField>;
    for (let i = 0; i < fields.length; i++) {
      const field = map.get(fieldName(fields, i));
      if (field) field.expireAt = expireAt;
    }
  }

  /** Everything, in one order whatever the order of the mutations was. */
  content(): unknown {
    const byName = <V>(a: [string, V], b: [string, V]): number => (a[0] < b[0] ? -1 : 1);
    return [...this.databases]
      .filter(([, keys]) => keys.size > 0)
      .sort(([a], [b]) => a - b)
      .map(([db, keys]) => [
        db,
        [...keys].sort(byName).map(([key, { value, expireAt }]) => {
          return [key, typeof value === 'string' ? value : [...value].sort(byName), expireAt];
        }),
      ]);
  }
}

function fieldName(fields: FieldList, index: number): string {
  return latin1(fields.bytes, fields.fieldStart[index]!, fields.fieldEnd[index]!);
}
