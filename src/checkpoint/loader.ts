import { setImmediate as nextTurn } from 'node:timers/promises';
import { utf8 } from '../base/bytes.js';
import { type ExpireAt, FieldList, type MutationSink, NO_EXPIRY } from '../keyspace/mutations.js';
import { crc32, fieldChecksum, keyChecksum } from './checksum.js';
import { FIELD_PAGE, KEY_PAGE, PagedQuery, REST_OF_HASH_PAGE, type RowPage } from './row-page.js';
import { KeyType, NO_CONTENT } from './rows.js';
import {
  asStorageError,
  openSnapshot,
  readMeta,
  SnapshotDamage,
  type SnapshotMeta,
} from './snapshot-file.js';
import type { Connection, Statement } from './sqlite.js';

/** The loop is left for other work (answering -LOADING) after at most about this long. */
const SLICE_MS = 10;
const BUSY_TIMEOUT_MS = 1000;
const LONGEST_NAME_SHOWN = 100;

export interface LoadOptions {
  /** Called between pages; rows are keys of any type and fields of hashes. */
  readonly onProgress?: (rowsDone: number, rowsTotal: number) => void;
}

export interface LoadResult extends SnapshotMeta {
  /** Keys of any type, expired ones included. */
  readonly keys: number;
  readonly hashFields: number;
}

/**
 * Feeds every row of the snapshot to `sink`, as the mutations that make it: nothing expires here, and what has
 * expired is handed on like everything else.
 *
 * SQLite joins a page of rows into one BLOB, which is then read in place: making JavaScript objects for each
 * row would cost five times as much. The byte ranges handed on are valid only during the call.
 *
 * @throws StorageError when the file is not a snapshot, is damaged (every row's checksum is compared), was
 *   written by a newer version, or cannot be read. What `sink` throws is passed on.
 */
export async function loadSnapshot(
  path: string,
  sink: MutationSink,
  options: LoadOptions = {},
): Promise<LoadResult> {
  return readSnapshot(openSnapshot(path, BUSY_TIMEOUT_MS), path, sink, options);
}

/**
 * The same from a connection that is open already, and is closed at the end whatever happens.
 *
 * @param path the snapshot's own, for messages.
 */
export async function readSnapshot(
  database: Connection,
  path: string,
  sink: MutationSink,
  options: LoadOptions = {},
): Promise<LoadResult> {
  try {
    const meta = readMeta(database, path);
    // One transaction: every page is of the same moment, and no page takes and drops a lock.
    database.exec('BEGIN');
    const loader = new Loader(database, path, sink, options);
    await loader.run();
    database.exec('COMMIT');
    return { ...meta, keys: loader.keys, hashFields: loader.hashFields };
  } catch (error) {
    throw asStorageError(error, path);
  } finally {
    database.close();
  }
}

/** A hash found in the current page of keys. */
interface FoundHash {
  readonly collection: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly expireAt: ExpireAt;
}

type Cursor = Buffer | null;

const FIRST_NAME = Buffer.alloc(0);

class Loader {
  keys = 0;
  hashFields = 0;
  private readonly rowsTotal: number;
  private sliceStart = performance.now();
  private readonly keyPages: PagedQuery;
  private readonly fieldPages: PagedQuery;
  private readonly restPages: PagedQuery;
  private readonly selectValue: Statement;
  private readonly fields = new FieldList();

  constructor(
    private readonly database: Connection,
    private readonly path: string,
    private readonly sink: MutationSink,
    private readonly options: LoadOptions,
  ) {
    const count = database.prepare(
      'SELECT (SELECT count(*) FROM stored_keys) + (SELECT count(*) FROM stored_hash_fields)',
    );
    this.rowsTotal = count.pluck().get() as number;
    this.keyPages = new PagedQuery(database, KEY_PAGE);
    this.fieldPages = new PagedQuery(database, FIELD_PAGE);
    this.restPages = new PagedQuery(database, REST_OF_HASH_PAGE);
    this.selectValue = database.prepare('SELECT value FROM stored_values WHERE id = ?').pluck();
  }

  async run(): Promise<void> {
    const nextDatabase = this.database.prepare('SELECT min(db) FROM stored_keys WHERE db > ?').pluck();
    let db = nextDatabase.get(-1) as number | null;
    while (db !== null) {
      await this.loadDatabase(db);
      db = nextDatabase.get(db) as number | null;
    }
    this.reportProgress();
  }

  private async loadDatabase(db: number): Promise<void> {
    let after: Cursor = null;
    for (;;) {
      const page = this.keyPages.next([db, after ?? FIRST_NAME, after]);
      if (page === undefined) return;
      const hashes = this.readKeys(db, page);
      if (hashes.length > 0) await this.loadHashes(db, page, hashes, after);
      after = page.lastName();
      await this.endOfPage();
    }
  }

  /** Hands on the strings of a page. @returns its hashes, in the order of their keys. */
  private readKeys(db: number, page: RowPage): FoundHash[] {
    const hashes: FoundHash[] = [];
    for (let row = 0; row < page.rows; row++) {
      const type = page.number();
      const keyBytes = page.number();
      const valueBytes = page.number();
      const expireAt = page.expiry();
      const content = page.number();
      const checksum = page.number();
      const keyStart = page.name(keyBytes);
      const keyEnd = keyStart + keyBytes;
      const valueStart = page.value(valueBytes);
      const valueEnd = valueStart + valueBytes;
      let value: Uint8Array = page.bytes;
      let from = valueStart;
      let to = valueEnd;
      if (type === KeyType.string && content !== NO_CONTENT) {
        value = this.largeValue(content);
        from = 0;
        to = value.length;
      }
      const keyCrc = crc32(page.bytes, keyStart, keyEnd);
      const expected = keyChecksum(db, type, keyCrc, crc32(value, from, to), content, expireAt);
      if (expected !== checksum)
        this.failChecksum(`key ${readable(page.bytes, keyStart, keyEnd)} of database ${db}`);
      this.keys++;
      if (type === KeyType.string) {
        this.sink.setString(db, page.bytes, keyStart, keyEnd, value, from, to, expireAt);
      } else {
        hashes.push({ collection: content, keyStart, keyEnd, expireAt });
      }
    }
    return hashes;
  }

  private async loadHashes(db: number, keyPage: RowPage, hashes: FoundHash[], after: Cursor): Promise<void> {
    let next = 0;
    let afterKey = after;
    const lastKey = keyPage.lastName();
    while (next < hashes.length) {
      const page = this.fieldPages.next([db, afterKey ?? FIRST_NAME, afterKey, lastKey]);
      if (page === undefined) break;
      next = this.readFieldsOf(db, keyPage, hashes, next, page);
      const cut = hashes[next - 1]!;
      if (page.full) await this.loadRestOfHash(db, keyPage, cut, page.lastName());
      afterKey = Buffer.from(keyPage.bytes.subarray(cut.keyStart, cut.keyEnd));
      await this.endOfPage();
    }
    if (next < hashes.length) this.fail(`the hash of collection ${hashes[next]!.collection} has no fields`);
  }

  /** Fields of several hashes, in the order of the hashes' keys. @returns the index after the last hash met. */
  private readFieldsOf(
    db: number,
    keyPage: RowPage,
    hashes: FoundHash[],
    first: number,
    page: RowPage,
  ): number {
    let index = first;
    let hash = hashes[index]!;
    this.fields.reset(page.bytes);
    for (let row = 0; row < page.rows; row++) {
      const collection = page.number();
      if (collection !== hash.collection) {
        // A hash that was met is handed on; one that was passed over has lost its rows.
        if (row > 0) {
          this.handOnFields(db, keyPage, hash, true);
          hash = hashes[++index] ?? hash;
        }
        if (collection !== hash.collection)
          this.fail(`the hash of collection ${hash.collection} has no fields`);
        this.fields.reset(page.bytes);
      }
      this.readField(db, keyPage, hash, page);
    }
    this.handOnFields(db, keyPage, hash, true);
    return index + 1;
  }

  private async loadRestOfHash(db: number, keyPage: RowPage, hash: FoundHash, after: Buffer): Promise<void> {
    let last = after;
    for (;;) {
      const page = this.restPages.next([hash.collection, last]);
      if (page === undefined) return;
      this.fields.reset(page.bytes);
      for (let row = 0; row < page.rows; row++) {
        page.number();
        this.readField(db, keyPage, hash, page);
      }
      this.handOnFields(db, keyPage, hash, false);
      last = page.lastName();
      await this.endOfPage();
    }
  }

  /** The rest of a field's row, behind its collection. */
  private readField(db: number, keyPage: RowPage, hash: FoundHash, page: RowPage): void {
    const fieldBytes = page.number();
    const valueBytes = page.number();
    const expireAt = page.expiry();
    const content = page.number();
    const checksum = page.number();
    const fieldStart = page.name(fieldBytes);
    const fieldEnd = fieldStart + fieldBytes;
    const valueStart = page.value(valueBytes);
    const valueEnd = valueStart + valueBytes;
    this.hashFields++;
    const fieldCrc = crc32(page.bytes, fieldStart, fieldEnd);
    const large = content === NO_CONTENT ? undefined : this.largeValue(content);
    const valueCrc = large ? crc32(large, 0, large.length) : crc32(page.bytes, valueStart, valueEnd);
    if (fieldChecksum(hash.collection, fieldCrc, valueCrc, content, expireAt) !== checksum) {
      this.failChecksum(`field ${readable(page.bytes, fieldStart, fieldEnd)} of hash ${hash.collection}`);
    }
    if (large === undefined) this.fields.add(fieldStart, fieldEnd, valueStart, valueEnd, expireAt);
    else this.handOnLarge(db, keyPage, hash, page.bytes.subarray(fieldStart, fieldEnd), large, expireAt);
  }

  private handOnFields(db: number, keyPage: RowPage, hash: FoundHash, withExpiry: boolean): void {
    const { keyStart, keyEnd, expireAt } = hash;
    if (this.fields.length > 0) this.sink.hashSet(db, keyPage.bytes, keyStart, keyEnd, this.fields);
    if (withExpiry && expireAt !== NO_EXPIRY)
      this.sink.expireAt(db, keyPage.bytes, keyStart, keyEnd, expireAt);
  }

  /** A list of fields points into one buffer, so field and value are put together first. */
  private handOnLarge(
    db: number,
    keyPage: RowPage,
    hash: FoundHash,
    field: Uint8Array,
    value: Buffer,
    expireAt: ExpireAt,
  ): void {
    const both = Buffer.concat([field, value]);
    const fields = new FieldList().reset(both);
    fields.add(0, field.length, field.length, both.length, expireAt);
    this.sink.hashSet(db, keyPage.bytes, hash.keyStart, hash.keyEnd, fields);
  }

  private largeValue(id: number): Buffer {
    return (this.selectValue.get(id) as Buffer | undefined) ?? this.fail(`the large value ${id} is missing`);
  }

  private async endOfPage(): Promise<void> {
    if (performance.now() - this.sliceStart < SLICE_MS) return;
    this.reportProgress();
    await nextTurn();
    this.sliceStart = performance.now();
  }

  private reportProgress(): void {
    this.options.onProgress?.(this.keys + this.hashFields, this.rowsTotal);
  }

  private failChecksum(what: string): never {
    return this.fail(`the checksum of the ${what} does not match`);
  }

  private fail(what: string): never {
    throw new SnapshotDamage(what, this.path);
  }
}

/** For a message: long names cut, unprintable bytes escaped. */
function readable(bytes: Uint8Array, start: number, end: number): string {
  const text = utf8(bytes, start, Math.min(end, start + LONGEST_NAME_SHOWN));
  return JSON.stringify(text) + (end - start > LONGEST_NAME_SHOWN ? '...' : '');
}
