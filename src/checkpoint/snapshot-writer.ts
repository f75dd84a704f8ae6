import { assert } from '../base/assert.js';
import { holdfastVersion } from '../base/version.js';
import type { ExpireAt } from '../keyspace/mutations.js';
import { crc32, fieldChecksum, keyChecksum, metaChecksum, RESIDUE_MODULUS, residue } from './checksum.js';
import { RowGatherer, repeated } from './row-gatherer.js';
import { asExpireAt, KeyType, NO_CONTENT } from './rows.js';
import { SnapshotDamage } from './snapshot-file.js';
import type { Connection, Statement } from './sqlite.js';

/** Name and value of a row together may have this many bytes to stay on one page; see schema.sql. */
const INLINE_BYTES = 1900;
/** Keys deleted or moved by one statement, which nothing can interrupt: some tens of milliseconds. */
const KEYS_PER_STATEMENT = 10_000;
/** Outside the range of database numbers; only inside the transaction of a swap. */
export const NO_DATABASE = -1;

interface KeyRow {
  readonly type: number;
  readonly content: number | null;
}

interface StringRow {
  readonly type: bigint;
  readonly value: Buffer | null;
  readonly content: bigint | null;
  readonly expireAt: bigint | null;
}

interface LargeField {
  readonly field: Buffer;
  readonly content: number;
}

/**
 * The changes to the snapshot as SQL, one method for each, inside a transaction that its owner begins and
 * commits. Triggers in schema.sql remove what a replaced or deleted row leaves behind.
 *
 * Small strings and fields are gathered and written several at a time: `endRows` writes the rest, and comes
 * before any other change to the same names.
 */
export class SnapshotWriter {
  private nextContent = 0;
  private storeId: Buffer = Buffer.alloc(0);

  private readonly begins: Statement;
  private readonly commits: Statement;
  private readonly rollsBack: Statement;
  private readonly metaRow: Statement;
  private readonly updateMeta: Statement;
  private readonly upsertKey: Statement;
  private readonly smallStrings: RowGatherer;
  private readonly deleteRow: Statement;
  private readonly updateExpiry: Statement;
  private readonly selectKey: Statement;
  private readonly selectString: Statement;
  private readonly selectValue: Statement;
  private readonly insertValue: Statement;
  private readonly copyValue: Statement;
  private readonly upsertField: Statement;
  private readonly smallFields: RowGatherer;
  private readonly deleteFieldRow: Statement;
  private readonly updateFieldExpiry: Statement;
  private readonly moveRow: Statement;
  private readonly copyRow: Statement;
  private readonly copySmallFields: Statement;
  private readonly selectLargeFields: Statement;
  private readonly copyLargeField: Statement;
  private readonly selectNthKey: Statement;
  private readonly deleteRows: Statement;
  private readonly deleteRowsBefore: Statement;
  private readonly moveRows: Statement;
  private readonly moveRowsBefore: Statement;

  constructor(
    private readonly database: Connection,
    private readonly path: string,
  ) {
    const prepare = (sql: string): Statement => database.prepare(sql);
    this.begins = prepare('BEGIN IMMEDIATE');
    this.commits = prepare('COMMIT');
    this.rollsBack = prepare('ROLLBACK');
    this.metaRow = prepare('SELECT next_content AS nextContent, store_id AS storeId FROM meta');
    this.updateMeta = prepare(
      `UPDATE meta SET last_seq = ?, last_segment = ?, covers_until_ms = ?, next_content = ?, checksum = ?,
         holdfast_version = '${holdfastVersion}'`,
    );
    this.upsertKey = prepare(
      `INSERT INTO stored_keys (db, key, type, value, content, expire_at, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (db, key) DO UPDATE SET type = excluded.type, value = excluded.value,
         content = excluded.content, expire_at = excluded.expire_at, checksum = excluded.checksum`,
    );
    this.smallStrings = new RowGatherer(
      (rows) =>
        prepare(
          `INSERT INTO stored_keys (db, key, type, value, content, expire_at, checksum)
           VALUES ${repeated(`(?, ?, ${KeyType.string}, ?, NULL, ?, ?)`, rows)}
           ON CONFLICT (db, key) DO UPDATE SET value = excluded.value, expire_at = excluded.expire_at,
             checksum = excluded.checksum WHERE content IS NULL`,
        ),
      ([db, key, value, expireAt, checksum]) =>
        this.upsertKey.run(db, key, KeyType.string, value, null, expireAt, checksum),
    );
    this.deleteRow = prepare('DELETE FROM stored_keys WHERE db = ? AND key = ?');
    this.updateExpiry = prepare(
      `UPDATE stored_keys SET checksum = ${WITH_NEW_EXPIRY}, expire_at = ? WHERE db = ? AND key = ?`,
    );
    this.selectKey = prepare('SELECT type, content FROM stored_keys WHERE db = ? AND key = ?');
    this.selectString = prepare(
      'SELECT type, value, content, expire_at AS expireAt FROM stored_keys WHERE db = ? AND key = ?',
    ).safeIntegers();
    this.selectValue = prepare('SELECT value FROM stored_values WHERE id = ?').pluck();
    this.insertValue = prepare('INSERT INTO stored_values (id, value) VALUES (?, ?)');
    this.copyValue = prepare(
      'INSERT INTO stored_values (id, value) SELECT ?, value FROM stored_values WHERE id = ?',
    );
    this.upsertField = prepare(
      `INSERT INTO stored_hash_fields (collection, field, value, content, expire_at, checksum)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (collection, field) DO UPDATE SET value = excluded.value, content = excluded.content,
         expire_at = excluded.expire_at, checksum = excluded.checksum`,
    );
    this.smallFields = new RowGatherer(
      (rows) =>
        prepare(
          `INSERT INTO stored_hash_fields (collection, field, value, content, expire_at, checksum)
           VALUES ${repeated('(?, ?, ?, NULL, ?, ?)', rows)}
           ON CONFLICT (collection, field) DO UPDATE SET value = excluded.value, expire_at = excluded.expire_at,
             checksum = excluded.checksum WHERE content IS NULL`,
        ),
      ([collection, field, value, expireAt, checksum]) =>
        this.upsertField.run(collection, field, value, null, expireAt, checksum),
    );
    this.deleteFieldRow = prepare('DELETE FROM stored_hash_fields WHERE collection = ? AND field = ?');
    this.updateFieldExpiry = prepare(
      `UPDATE stored_hash_fields SET checksum = ${WITH_NEW_EXPIRY}, expire_at = ? WHERE collection = ? AND field = ?`,
    );
    this.moveRow = prepare(
      `UPDATE stored_keys SET db = ?, key = ?, checksum = (checksum + ?) & 4294967295 WHERE db = ? AND key = ?`,
    );
    this.copyRow = prepare(
      `INSERT INTO stored_keys (db, key, type, value, content, expire_at, checksum)
       SELECT ?, ?, type, value, ?, expire_at, (checksum + ?) & 4294967295 FROM stored_keys WHERE db = ? AND key = ?`,
    );
    this.copySmallFields = prepare(
      `INSERT INTO stored_hash_fields (collection, field, value, content, expire_at, checksum)
       SELECT ?, field, value, NULL, expire_at, (checksum + ?) & 4294967295
       FROM stored_hash_fields WHERE collection = ? AND content IS NULL`,
    );
    this.selectLargeFields = prepare(
      'SELECT field, content FROM stored_hash_fields WHERE collection = ? AND content IS NOT NULL',
    );
    this.copyLargeField = prepare(
      `INSERT INTO stored_hash_fields (collection, field, value, content, expire_at, checksum)
       SELECT ?, field, NULL, ?, expire_at, (checksum + ?) & 4294967295
       FROM stored_hash_fields WHERE collection = ? AND field = ?`,
    );
    this.selectNthKey = prepare(
      `SELECT key FROM stored_keys WHERE db = ? ORDER BY key LIMIT 1 OFFSET ${KEYS_PER_STATEMENT}`,
    ).pluck();
    this.deleteRows = prepare('DELETE FROM stored_keys WHERE db = ?');
    this.deleteRowsBefore = prepare('DELETE FROM stored_keys WHERE db = ? AND key < ?');
    const move = 'UPDATE stored_keys SET db = ?, checksum = (checksum + ?) & 4294967295 WHERE db = ?';
    this.moveRows = prepare(move);
    this.moveRowsBefore = prepare(`${move} AND key < ?`);
  }

  begin(): void {
    this.begins.run();
    const meta = this.metaRow.get() as { nextContent: number; storeId: Buffer };
    this.nextContent = meta.nextContent;
    this.storeId = meta.storeId;
  }

  /** Writes the rows that `putString` and `putField` have gathered, whose bytes may change after this only. */
  endRows(): void {
    this.smallStrings.end();
    this.smallFields.end();
  }

  /** Forgets the rows that have been gathered, where the transaction is given up. */
  dropRows(): void {
    this.smallStrings.drop();
    this.smallFields.drop();
  }

  /** Rows and position become durable together, before this returns. */
  commit(lastSeq: number, lastSegment: number, coversUntilMs: number): void {
    const checksum = metaChecksum(this.storeId, lastSeq, lastSegment, coversUntilMs, this.nextContent);
    this.updateMeta.run(lastSeq, lastSegment, coversUntilMs, this.nextContent, checksum);
    this.commits.run();
  }

  /** SQLite rolls back by itself after some errors (a full disk among them). */
  rollback(): void {
    if (this.database.inTransaction) this.rollsBack.run();
  }

  putString(db: number, key: Buffer, value: Buffer, expireAt: ExpireAt): void {
    const content = this.storeLarge(key.length, value);
    const keyCrc = crc32(key, 0, key.length);
    const valueCrc = crc32(value, 0, value.length);
    const checksum = keyChecksum(db, KeyType.string, keyCrc, valueCrc, content, expireAt);
    if (content === NO_CONTENT) {
      this.smallStrings.add(db, key, value, orNull(expireAt), checksum);
    } else {
      this.upsertKey.run(db, key, KeyType.string, null, content, orNull(expireAt), checksum);
    }
  }

  /** @returns undefined when the key is not there. */
  readString(db: number, key: Buffer): { value: Buffer; expireAt: ExpireAt } | undefined {
    const row = this.selectString.get(db, key) as StringRow | undefined;
    if (row === undefined) return undefined;
    assert(Number(row.type) === KeyType.string, 'a range is written into a key that is no string');
    return { value: row.value ?? this.largeValue(Number(row.content)), expireAt: asExpireAt(row.expireAt) };
  }

  deleteKey(db: number, key: Buffer): void {
    this.deleteRow.run(db, key);
  }

  setExpiry(db: number, key: Buffer, expireAt: ExpireAt): void {
    this.updateExpiry.run(residue(expireAt), orNull(expireAt), db, key);
  }

  /** Puts a new, empty hash in the place of whatever the key holds. @returns its collection. */
  putHash(db: number, key: Buffer, expireAt: ExpireAt): number {
    const collection = this.takeContent();
    const checksum = keyChecksum(db, KeyType.hash, crc32(key, 0, key.length), 0, collection, expireAt);
    this.upsertKey.run(db, key, KeyType.hash, null, collection, orNull(expireAt), checksum);
    return collection;
  }

  /** @returns the collection of an existing hash; NO_CONTENT when the key is not there. */
  findHash(db: number, key: Buffer): number {
    const row = this.selectKey.get(db, key) as KeyRow | undefined;
    if (row === undefined) return NO_CONTENT;
    assert(
      row.type === KeyType.hash && row.content !== null,
      'fields are written into a key that is no hash',
    );
    return row.content;
  }

  putField(collection: number, field: Buffer, value: Buffer, expireAt: ExpireAt): void {
    const content = this.storeLarge(field.length, value);
    const fieldCrc = crc32(field, 0, field.length);
    const valueCrc = crc32(value, 0, value.length);
    const checksum = fieldChecksum(collection, fieldCrc, valueCrc, content, expireAt);
    if (content === NO_CONTENT) {
      this.smallFields.add(collection, field, value, orNull(expireAt), checksum);
    } else {
      this.upsertField.run(collection, field, null, content, orNull(expireAt), checksum);
    }
  }

  deleteField(collection: number, field: Buffer): void {
    this.deleteFieldRow.run(collection, field);
  }

  setFieldExpiry(collection: number, field: Buffer, expireAt: ExpireAt): void {
    this.updateFieldExpiry.run(residue(expireAt), orNull(expireAt), collection, field);
  }

  /** Another name or database for a key, replacing what is there. @returns false when there is no such key. */
  moveKey(db: number, key: Buffer, toDb: number, toKey: Buffer): boolean {
    if (this.selectKey.get(db, key) === undefined) return false;
    this.deleteRow.run(toDb, toKey);
    this.moveRow.run(toDb, toKey, nameDifference(db, key, toDb, toKey), db, key);
    return true;
  }

  /** The same key again elsewhere, replacing what is there. @returns false when there is no such key. */
  copyKey(db: number, key: Buffer, toDb: number, toKey: Buffer): boolean {
    const row = this.selectKey.get(db, key) as KeyRow | undefined;
    if (row === undefined) return false;
    this.deleteRow.run(toDb, toKey);
    const name = nameDifference(db, key, toDb, toKey);
    if (row.content === null) {
      this.copyRow.run(toDb, toKey, null, name, db, key);
      return true;
    }
    const copy = this.takeContent();
    this.copyRow.run(toDb, toKey, copy, name + contentDifference(row.content, copy), db, key);
    if (row.type === KeyType.hash) this.copyCollection(row.content, copy);
    else this.copyValue.run(copy, row.content);
    return true;
  }

  /** Deletes the first keys of a database. @returns false when there are no more. */
  deleteSomeKeys(db: number): boolean {
    const end = this.selectNthKey.get(db) as Buffer | undefined;
    if (end === undefined) this.deleteRows.run(db);
    else this.deleteRowsBefore.run(db, end);
    return end !== undefined;
  }

  /** Moves the first keys of a database to another, which has none of them. @returns false when there are no more. */
  moveSomeKeys(db: number, toDb: number): boolean {
    const end = this.selectNthKey.get(db) as Buffer | undefined;
    const difference = (toDb - db) * 256;
    if (end === undefined) this.moveRows.run(toDb, difference, db);
    else this.moveRowsBefore.run(toDb, difference, db, end);
    return end !== undefined;
  }

  private copyCollection(collection: number, copy: number): void {
    this.copySmallFields.run(copy, contentDifference(collection, copy), collection);
    for (const { field, content } of this.selectLargeFields.all(collection) as LargeField[]) {
      const own = this.takeContent();
      const difference = contentDifference(collection, copy) + contentDifference(content, own);
      this.copyValue.run(own, content);
      this.copyLargeField.run(copy, own, difference, collection, field);
    }
  }

  private largeValue(id: number): Buffer {
    const value = this.selectValue.get(id) as Buffer | undefined;
    if (value === undefined) throw new SnapshotDamage(`the large value ${id} is missing`, this.path);
    return value;
  }

  /** Stores a value that is too large for its row. @returns its number, or NO_CONTENT. */
  private storeLarge(nameBytes: number, value: Buffer): number {
    if (value.length === 0 || nameBytes + value.length <= INLINE_BYTES) return NO_CONTENT;
    const content = this.takeContent();
    this.insertValue.run(content, value);
    return content;
  }

  private takeContent(): number {
    return this.nextContent++;
  }
}

const WITH_NEW_EXPIRY = `(checksum - ifnull(expire_at, 0) % ${RESIDUE_MODULUS} + ?) & 4294967295`;

function nameDifference(db: number, key: Buffer, toDb: number, toKey: Buffer): number {
  return (toDb - db) * 256 + crc32(toKey, 0, toKey.length) - crc32(key, 0, key.length);
}

function contentDifference(content: number, other: number): number {
  return (other % RESIDUE_MODULUS) - (content % RESIDUE_MODULUS);
}

function orNull(expireAt: ExpireAt): ExpireAt | null {
  return expireAt === 0 ? null : expireAt;
}
