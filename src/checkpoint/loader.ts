import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ExpireAt, FieldList, type MutationSink, NO_EXPIRY } from '../keyspace/mutations.js';
import { PageFeed } from './page-feed.js';
import { RowPage } from './row-page.js';
import { KeyType, NO_CONTENT } from './rows.js';
import {
  asStorageError,
  openSnapshot,
  readMeta,
  SnapshotDamage,
  type SnapshotMeta,
} from './snapshot-file.js';
import { compareField, compareKey, type SnapshotPage, snapshotPages } from './snapshot-pages.js';
import type { Connection, Statement } from './sqlite.js';

/** The loop is left for other work (answering -LOADING) after at most about this long. */
const SLICE_MS = 10;
const BUSY_TIMEOUT_MS = 1000;
/** A smaller file is read before a thread for it would have started. */
const THREAD_PAYS_BYTES = 8 * 1024 * 1024;

export interface LoadOptions {
  /** Called between pages. The total is the size of the file, the rest an estimate: rows are not counted first. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  /** Called once, before the first row. */
  readonly onMeta?: (meta: SnapshotMeta) => void;
  /** A file of this many bytes is read by a thread of its own; 8 MiB. */
  readonly threadFromBytes?: number;
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
 * row would cost five times as much. Of a large snapshot a second thread makes the pages, and compares the
 * checksums, while this one hands on the rows of the page before: each has about half of the work. The byte
 * ranges handed on are valid only during the call.
 *
 * @throws StorageError when the file is not a snapshot, is damaged (every row's checksum is compared), was
 *   written by a newer version, or cannot be read. What `sink` throws is passed on.
 */
export async function loadSnapshot(
  path: string,
  sink: MutationSink,
  options: LoadOptions = {},
): Promise<LoadResult> {
  const database = openSnapshot(path, BUSY_TIMEOUT_MS);
  return read(database, path, sink, options, (meta) => {
    const isLarge = fileBytes(database) >= (options.threadFromBytes ?? THREAD_PAYS_BYTES);
    return isLarge ? new PageFeed(path, meta.lastSeq) : snapshotPages(database, path);
  });
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
  return read(database, path, sink, options, () => snapshotPages(database, path));
}

type Pages = Iterable<SnapshotPage> | AsyncIterable<SnapshotPage>;

async function read(
  database: Connection,
  path: string,
  sink: MutationSink,
  options: LoadOptions,
  pagesOf: (meta: SnapshotMeta) => Pages,
): Promise<LoadResult> {
  try {
    const meta = readMeta(database, path);
    options.onMeta?.(meta);
    // One transaction: every page is of the same moment, and no page takes and drops a lock.
    database.exec('BEGIN');
    const loader = new Loader(database, path, sink, options);
    await loader.run(pagesOf(meta));
    database.exec('COMMIT');
    return { ...meta, keys: loader.keys, hashFields: loader.hashFields };
  } catch (error) {
    throw asStorageError(error, path);
  } finally {
    database.close();
  }
}

/** A hash found in the last page of keys. */
interface FoundHash {
  readonly collection: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly expireAt: ExpireAt;
}

class Loader {
  keys = 0;
  hashFields = 0;
  /** Counting the rows instead would mean reading the whole file twice. */
  private readonly bytesTotal: number;
  private bytesDone = 0;
  private sliceStart = performance.now();
  private readonly selectValue: Statement;
  private readonly fields = new FieldList();
  /** Where the keys of `hashes` lie. */
  private keyBytes: Uint8Array = Buffer.alloc(0);
  private hashes: FoundHash[] = [];
  /** Hashes whose first field has been met. */
  private hashesMet = 0;

  constructor(
    database: Connection,
    private readonly path: string,
    private readonly sink: MutationSink,
    private readonly options: LoadOptions,
  ) {
    this.bytesTotal = fileBytes(database);
    this.selectValue = database.prepare('SELECT value FROM stored_values WHERE id = ?').pluck();
  }

  async run(pages: Pages): Promise<void> {
    for await (const { kind, db, bytes, rows } of pages) {
      const page = new RowPage(bytes, rows, false);
      if (kind === 'keys') this.loadKeys(db, page);
      else this.loadFields(db, page, kind === 'rest');
      this.bytesDone += bytes.length;
      await this.endOfPage();
    }
    this.options.onProgress?.(this.bytesTotal, this.bytesTotal);
  }

  private loadKeys(db: number, page: RowPage): void {
    this.keyBytes = page.bytes;
    this.hashes = [];
    this.hashesMet = 0;
    for (let row = 0; row < page.rows; row++) {
      page.next();
      const { bytes, nameStart, nameEnd, content, expireAt } = page;
      this.keys++;
      if (page.owner !== KeyType.string) {
        this.hashes.push({ collection: content, keyStart: nameStart, keyEnd: nameEnd, expireAt });
      } else if (content === NO_CONTENT) {
        this.sink.setString(db, bytes, nameStart, nameEnd, bytes, page.valueStart, page.valueEnd, expireAt);
      } else {
        const value = this.largeValue(content);
        compareKey(db, page, value, 0, value.length, this.path);
        this.sink.setString(db, bytes, nameStart, nameEnd, value, 0, value.length, expireAt);
      }
    }
  }

  /** Fields of one or several hashes, in the order of the hashes' keys. */
  private loadFields(db: number, page: RowPage, goesOn: boolean): void {
    let hash = goesOn ? this.hashes[this.hashesMet - 1]! : this.hashes[this.hashesMet++]!;
    this.fields.reset(page.bytes);
    for (let row = 0; row < page.rows; row++) {
      page.next();
      if (page.owner !== hash.collection) {
        this.handOnFields(db, hash, true);
        hash = this.hashes[this.hashesMet++]!;
        this.fields.reset(page.bytes);
      }
      this.hashFields++;
      if (page.content !== NO_CONTENT) this.handOnLarge(db, hash, page);
      else this.fields.add(page.nameStart, page.nameEnd, page.valueStart, page.valueEnd, page.expireAt);
    }
    this.handOnFields(db, hash, !goesOn);
  }

  private handOnFields(db: number, hash: FoundHash, withExpiry: boolean): void {
    const { keyStart, keyEnd, expireAt } = hash;
    if (this.fields.length > 0) this.sink.hashSet(db, this.keyBytes, keyStart, keyEnd, this.fields);
    if (withExpiry && expireAt !== NO_EXPIRY)
      this.sink.expireAt(db, this.keyBytes, keyStart, keyEnd, expireAt);
  }

  /** A list of fields points into one buffer, so field and value are put together first. */
  private handOnLarge(db: number, hash: FoundHash, page: RowPage): void {
    const value = this.largeValue(page.content);
    compareField(page, value, 0, value.length, this.path);
    const field = page.bytes.subarray(page.nameStart, page.nameEnd);
    const both = Buffer.concat([field, value]);
    const fields = new FieldList().reset(both);
    fields.add(0, field.length, field.length, both.length, page.expireAt);
    this.sink.hashSet(db, this.keyBytes, hash.keyStart, hash.keyEnd, fields);
  }

  private largeValue(id: number): Buffer {
    const value = this.selectValue.get(id) as Buffer | undefined;
    if (value === undefined) throw new SnapshotDamage(`the large value ${id} is missing`, this.path);
    this.bytesDone += value.length;
    return value;
  }

  private async endOfPage(): Promise<void> {
    if (performance.now() - this.sliceStart < SLICE_MS) return;
    this.reportProgress();
    await nextTurn();
    this.sliceStart = performance.now();
  }

  private reportProgress(): void {
    this.options.onProgress?.(Math.min(this.bytesDone, this.bytesTotal), this.bytesTotal);
  }
}

function fileBytes(database: Connection): number {
  const size = database.prepare('SELECT page_count * page_size FROM pragma_page_count, pragma_page_size');
  return size.pluck().get() as number;
}
