import { latin1 } from '../base/bytes.js';
import { withWordView } from '../base/word-view.js';
import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';
import { type Connection, type Statement, sqliteCode } from './sqlite.js';

/** Rows of one page; measured flat between 1000 and 5000. */
const PAGE_ROWS = 2000;
/** A page that comes out larger makes the next ones shorter. */
const LARGE_PAGE_BYTES = 8 * 1024 * 1024;
const SMALL_PAGE_BYTES = 1024 * 1024;
/** How many times fewer rows to ask for after a page that was too large. */
const SHORTER = 8;

const COMMA = 0x2c;
const ZERO = 0x30;
/** Up to this many digits a number is exact in a double, whichever they are. */
const SAFE_DIGITS = 15;

/**
 * The columns of a row as decimal numbers with a comma behind each (nothing before it: 0), then its bytes. Whatever
 * the bytes are, `concat` and group_concat copy them by their length, and the cast makes the result a BLOB without
 * looking at it. One `concat` takes a sixth less time than a chain of `||`, each of which copies what is there so far.
 */
function joined(numbers: readonly string[], bytes: readonly string[]): string {
  const columns = [...numbers.map((column) => `${column}, ','`), ...bytes].join(', ');
  return `SELECT CAST(group_concat(concat(${columns}), '') AS BLOB) AS bytes, count(*) AS rows`;
}

const REST = ['length(value)', 'expire_at', 'content', 'checksum'];
const KEY_COLUMNS = joined(['type', 'length(key)', ...REST], ['key', 'value']);
const FIELD_COLUMNS = joined(['collection', 'length(field)', ...REST], ['field', 'value']);

/**
 * In the order of the keys, which is that of the only index. Two queries, one for where the page ends and one for the
 * rows, take a fifth less time than one with a LIMIT inside, which copies every row once more.
 *
 * Parameters: database, first key, last key.
 */
const KEY_PAGE = `${KEY_COLUMNS} FROM stored_keys WHERE db = ? AND key >= ? AND key <= ?`;

/** The last key of a page. Parameters: database, first key, rows wanted besides the last. */
const KEY_PAGE_END =
  'SELECT key FROM stored_keys WHERE db = ? AND key >= ? ORDER BY db, key LIMIT 1 OFFSET ?';

/** The last key of all. Parameter: database. */
const LAST_KEY = 'SELECT max(key) FROM stored_keys WHERE db = ?';

/** The fields of a range of hashes. Parameters: database, first key, key to leave out, last key. */
const FIELD_PAGE = `${FIELD_COLUMNS} FROM (
  SELECT f.* FROM stored_keys AS k CROSS JOIN stored_hash_fields AS f ON f.collection = k.content
  WHERE k.db = ? AND k.key >= ? AND k.key IS NOT ? AND k.key <= ? AND k.type = 2
  ORDER BY k.db, k.key, f.field LIMIT ?)`;

/** The fields of one hash behind a certain one. Parameters: collection, field. */
const REST_OF_HASH_PAGE = `${FIELD_COLUMNS} FROM (
  SELECT * FROM stored_hash_fields WHERE collection = ? AND field > ? ORDER BY collection, field LIMIT ?)`;

interface JoinedRows {
  readonly bytes: Buffer | null;
  readonly rows: number;
}

/** A query for the next rows after a cursor, as many as make a page of reasonable size. */
export class PagedQuery {
  private limit = PAGE_ROWS;

  private constructor(
    private readonly query: (parameters: readonly unknown[], limit: number) => JoinedRows,
  ) {}

  /** Parameters of `next`: database, first key. */
  static keys(database: Connection): PagedQuery {
    const rows = database.prepare(KEY_PAGE);
    const end = database.prepare(KEY_PAGE_END).pluck();
    const last = database.prepare(LAST_KEY).pluck();
    return new PagedQuery(([db, from], limit) => {
      const to = end.get(db, from, limit - 1) ?? last.get(db);
      return rows.get(db, from, to) as JoinedRows;
    });
  }

  /** The fields of a range of hashes. Parameters of `next`: database, first key, key to leave out, last key. */
  static fields(database: Connection): PagedQuery {
    return PagedQuery.limited(database.prepare(FIELD_PAGE));
  }

  /** The fields of one hash behind a certain one. Parameters of `next`: collection, field. */
  static restOfHash(database: Connection): PagedQuery {
    return PagedQuery.limited(database.prepare(REST_OF_HASH_PAGE));
  }

  private static limited(statement: Statement): PagedQuery {
    return new PagedQuery((parameters, limit) => statement.get(...parameters, limit) as JoinedRows);
  }

  /** @returns undefined when there are no more rows. */
  next(parameters: readonly unknown[]): RowPage | undefined {
    for (;;) {
      try {
        return this.attempt(parameters);
      } catch (error) {
        // A page of long keys can exceed what SQLite holds in one value; a single row never does.
        if (this.limit === 1 || !isTooLarge(error)) throw error;
        this.limit = Math.max(1, Math.floor(this.limit / SHORTER));
      }
    }
  }

  private attempt(parameters: readonly unknown[]): RowPage | undefined {
    const { limit } = this;
    const { bytes, rows } = this.query(parameters, limit);
    if (bytes === null) return undefined;
    if (bytes.length > LARGE_PAGE_BYTES) this.limit = Math.max(1, Math.floor(limit / SHORTER));
    else if (bytes.length < SMALL_PAGE_BYTES) this.limit = Math.min(PAGE_ROWS, limit * 2);
    return new RowPage(bytes, rows, rows === limit);
  }
}

/** Joined rows, read from front to back; what `next` found is valid until the next call. */
export class RowPage {
  /** The type of a key, the collection of a field. */
  owner = 0;
  expireAt: ExpireAt = NO_EXPIRY;
  content = 0;
  checksum = 0;
  /** Where the name (a key, a field) and the value lie in `bytes`. */
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  private at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly rows: number,
    /** True when the query found as many rows as it asked for: there may be more. */
    readonly full: boolean,
  ) {
    withWordView(bytes);
  }

  /** Steps to the next row. There must be one. */
  next(): void {
    this.owner = this.number();
    const nameBytes = this.number();
    const valueBytes = this.number();
    this.expireAt = this.expiry();
    this.content = this.number();
    this.checksum = this.number();
    this.nameStart = this.at;
    this.nameEnd = this.nameStart + nameBytes;
    this.valueStart = this.nameEnd;
    this.valueEnd = this.valueStart + valueBytes;
    this.at = this.valueEnd;
  }

  /** A copy of the present row's name. */
  name(): Buffer {
    return Buffer.from(this.bytes.subarray(this.nameStart, this.nameEnd));
  }

  /** The next number, 0 to 2^53 - 1. */
  private number(): number {
    const { bytes } = this;
    let { at } = this;
    let value = 0;
    for (let byte = bytes[at]!; byte !== COMMA; byte = bytes[++at]!) value = value * 10 + (byte - ZERO);
    this.at = at + 1;
    return value;
  }

  /** The next number, 0 to 2^63 - 1. */
  private expiry(): ExpireAt {
    const start = this.at;
    const value = this.number();
    const end = this.at - 1;
    if (end - start <= SAFE_DIGITS || Number.isSafeInteger(value)) return value;
    return BigInt(latin1(this.bytes, start, end));
  }
}

function isTooLarge(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 'SQLITE_TOOBIG' || code === 'SQLITE_NOMEM';
}
