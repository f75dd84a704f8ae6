import { createHash } from 'node:crypto';
import type { Keyspace } from './keyspace.js';

/**
 * A number for the whole content: equal for equal data, whatever way they were reached. Each key's type,
 * value and expiry is hashed with SHA-1, and the hashes are combined by exclusive or, so that order does not
 * matter. 40 hex digits; all zeros when empty.
 */
export function keyspaceDigest(keyspace: Keyspace): string {
  const total = Buffer.alloc(20);
  for (let db = 0; db < keyspace.databaseCount; db++) {
    keyspace.each(db, (key, start, end, ref) => {
      combine(total, keyDigest(keyspace, db, key.subarray(start, end), ref));
    });
  }
  return total.toString('hex');
}

/** Databases and keys in which two keyspaces differ; at most `limit` of them, for a message. */
export function keyspaceDifferences(one: Keyspace, other: Keyspace, limit: number): string[] {
  const differences: string[] = [];
  const compare = (a: Keyspace, b: Keyspace, what: string, db: number) => {
    a.each(db, (key, start, end, ref) => {
      if (differences.length >= limit) return;
      const match = b.peek(db, key, start, end);
      const name = JSON.stringify(Buffer.from(key.subarray(start, end)).toString('latin1'));
      if (match === 0) differences.push(`db ${db}: key ${name} is missing ${what}`);
      else if (!digestOf(a, db, key, start, end, ref).equals(digestOf(b, db, key, start, end, match))) {
        differences.push(`db ${db}: key ${name} differs`);
      }
    });
  };
  for (let db = 0; db < one.databaseCount; db++) {
    compare(one, other, 'on disk', db);
    compare(other, one, 'in memory', db);
  }
  return [...new Set(differences)];
}

function digestOf(
  keyspace: Keyspace,
  db: number,
  key: Uint8Array,
  start: number,
  end: number,
  ref: number,
): Buffer {
  return keyDigest(keyspace, db, key.subarray(start, end), ref);
}

/** The hash of one key with all that belongs to it. */
export function keyDigest(keyspace: Keyspace, db: number, key: Uint8Array, ref: number): Buffer {
  const hash = createHash('sha1');
  hash.update(`${db} ${keyspace.typeOf(ref)} ${keyspace.expiryOf(ref)} ${key.length} `);
  hash.update(key);
  if (keyspace.isString(ref)) {
    keyspace.loadString(ref);
    hash.update(keyspace.valueBytes.subarray(keyspace.valueStart, keyspace.valueEnd));
    return hash.digest();
  }
  const fields = Buffer.alloc(20);
  keyspace.hashEach(ref, (field, start, end, value, valueStart, valueEnd, expireAt) => {
    const element = createHash('sha1');
    element.update(`${expireAt} ${end - start} `);
    element.update(field.subarray(start, end));
    element.update(value.subarray(valueStart, valueEnd));
    combine(fields, element.digest());
  });
  return hash.update(fields).digest();
}

function combine(total: Buffer, digest: Buffer): void {
  for (let i = 0; i < total.length; i++) total[i]! ^= digest[i]!;
}
