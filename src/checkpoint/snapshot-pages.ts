import { utf8 } from '../base/bytes.js';
import { crc32, fieldChecksum, keyChecksum } from './checksum.js';
import { PagedQuery, type RowPage } from './row-page.js';
import { KeyType, NO_CONTENT } from './rows.js';
import { SnapshotDamage } from './snapshot-file.js';
import type { Connection } from './sqlite.js';

const FIRST_NAME = Buffer.alloc(0);
const ZERO_BYTE = Buffer.alloc(1);
const LONGEST_NAME_SHOWN = 100;

/**
 * Some rows of the snapshot as SQLite joined them (row-page.ts).
 *
 * A page of keys is followed by the fields of the hashes among them, in the order of the keys. `fields` begins
 * with the first field of the next hash, `rest` goes on with the hash that the page before it ended in.
 */
export interface SnapshotPage {
  readonly kind: 'keys' | 'fields' | 'rest';
  readonly db: number;
  readonly bytes: Uint8Array;
  readonly rows: number;
}

/** A hash in the present page of keys. */
interface Hash {
  readonly collection: number;
  readonly key: Buffer;
}

type Cursor = Buffer | null;

/**
 * Every row of the snapshot, page after page. A page belongs to whoever takes it.
 *
 * The checksums of the rows have been compared, except where `content` names a large value: that one is read,
 * and compared, by whoever needs it.
 *
 * @param path of the snapshot, for messages.
 * @throws SnapshotDamage, or what SQLite throws, in the place of the first page that cannot be had.
 */
export function snapshotPages(database: Connection, path: string): Generator<SnapshotPage, void> {
  return new PageReader(database, path).run();
}

class PageReader {
  private readonly keyPages: PagedQuery;
  private readonly fieldPages: PagedQuery;
  private readonly restPages: PagedQuery;

  constructor(
    private readonly database: Connection,
    private readonly path: string,
  ) {
    this.keyPages = PagedQuery.keys(database);
    this.fieldPages = PagedQuery.fields(database);
    this.restPages = PagedQuery.restOfHash(database);
  }

  *run(): Generator<SnapshotPage, void> {
    const nextDatabase = this.database.prepare('SELECT min(db) FROM stored_keys WHERE db > ?').pluck();
    let db = nextDatabase.get(-1) as number | null;
    while (db !== null) {
      yield* this.pagesOf(db);
      db = nextDatabase.get(db) as number | null;
    }
  }

  private *pagesOf(db: number): Generator<SnapshotPage, void> {
    let after: Cursor = null;
    for (;;) {
      const page = this.keyPages.next([db, after === null ? FIRST_NAME : successor(after)]);
      if (page === undefined) return;
      const hashes = this.checkKeys(db, page);
      const last = page.name();
      yield { kind: 'keys', db, bytes: page.bytes, rows: page.rows };
      if (hashes.length > 0) yield* this.pagesOfHashes(db, hashes, after, last);
      after = last;
    }
  }

  private *pagesOfHashes(
    db: number,
    hashes: readonly Hash[],
    after: Cursor,
    lastKey: Buffer,
  ): Generator<SnapshotPage, void> {
    let met = 0;
    let afterKey = after;
    while (met < hashes.length) {
      const page = this.fieldPages.next([db, afterKey ?? FIRST_NAME, afterKey, lastKey]);
      if (page === undefined) this.failMissingFields(hashes[met]!.collection);
      met = this.checkFields(page, hashes, met);
      const cut = hashes[met - 1]!;
      const lastField = page.name();
      yield { kind: 'fields', db, bytes: page.bytes, rows: page.rows };
      if (page.full) yield* this.restOf(db, cut, lastField);
      afterKey = cut.key;
    }
  }

  private *restOf(db: number, { collection }: Hash, after: Buffer): Generator<SnapshotPage, void> {
    let last = after;
    for (;;) {
      const page = this.restPages.next([collection, last]);
      if (page === undefined) return;
      for (let row = 0; row < page.rows; row++) this.checkField(page);
      last = page.name();
      yield { kind: 'rest', db, bytes: page.bytes, rows: page.rows };
    }
  }

  /** @returns the hashes of the page. */
  private checkKeys(db: number, page: RowPage): Hash[] {
    const hashes: Hash[] = [];
    for (let row = 0; row < page.rows; row++) {
      page.next();
      const isHash = page.owner === KeyType.hash;
      if (isHash) hashes.push({ collection: page.content, key: page.name() });
      if (isHash || page.content === NO_CONTENT)
        compareKey(db, page, page.bytes, page.valueStart, page.valueEnd, this.path);
    }
    return hashes;
  }

  /** @returns the number of hashes met, counted from the first of the page of keys. */
  private checkFields(page: RowPage, hashes: readonly Hash[], met: number): number {
    let index = met;
    for (let row = 0; row < page.rows; row++) {
      this.checkField(page);
      if (row > 0 && page.owner !== hashes[index]?.collection) index++;
      const expected = hashes[index]?.collection;
      // One that is passed over has lost its rows.
      if (page.owner !== expected) this.failMissingFields(expected ?? page.owner);
    }
    return index + 1;
  }

  private checkField(page: RowPage): void {
    page.next();
    if (page.content === NO_CONTENT)
      compareField(page, page.bytes, page.valueStart, page.valueEnd, this.path);
  }

  private failMissingFields(collection: number): never {
    throw new SnapshotDamage(`the hash of collection ${collection} has no fields`, this.path);
  }
}

/**
 * Compares the checksum of a page's present row, a key.
 *
 * @param value of the row, from `start` to `end`: in the page, or a large one.
 * @throws SnapshotDamage
 */
export function compareKey(
  db: number,
  page: RowPage,
  value: Uint8Array,
  start: number,
  end: number,
  path: string,
): void {
  const { bytes, owner, nameStart, nameEnd, content, expireAt } = page;
  const keyCrc = crc32(bytes, nameStart, nameEnd);
  const expected = keyChecksum(db, owner, keyCrc, crc32(value, start, end), content, expireAt);
  if (expected !== page.checksum) {
    fail(`key ${readable(bytes, nameStart, nameEnd)} of database ${db}`, path);
  }
}

/** The same for a field. */
export function compareField(
  page: RowPage,
  value: Uint8Array,
  start: number,
  end: number,
  path: string,
): void {
  const { bytes, owner, nameStart, nameEnd, content, expireAt } = page;
  const fieldCrc = crc32(bytes, nameStart, nameEnd);
  const expected = fieldChecksum(owner, fieldCrc, crc32(value, start, end), content, expireAt);
  if (expected !== page.checksum) fail(`field ${readable(bytes, nameStart, nameEnd)} of hash ${owner}`, path);
}

/** The first of all names behind this one. */
function successor(name: Buffer): Buffer {
  return Buffer.concat([name, ZERO_BYTE]);
}

function fail(what: string, path: string): never {
  throw new SnapshotDamage(`the checksum of the ${what} does not match`, path);
}

/** For a message: long names cut, unprintable bytes escaped. */
function readable(bytes: Uint8Array, start: number, end: number): string {
  const text = utf8(bytes, start, Math.min(end, start + LONGEST_NAME_SHOWN));
  return JSON.stringify(text) + (end - start > LONGEST_NAME_SHOWN ? '...' : '');
}
