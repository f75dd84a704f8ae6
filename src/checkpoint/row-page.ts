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
 * The columns of a row as decimal numbers with a comma behind each, then its bytes. Whatever the bytes are,
 * `||` and group_concat copy them by their length, and the cast makes the result a BLOB without looking at it.
 */
function joined(numbers: readonly string[], bytes: readonly string[]): string {
  const head = numbers.map((column) => `${column} || ','`).join(' || ');
  const tail = bytes.map((column) => `ifnull(${column}, '')`).join(' || ');
  return `SELECT CAST(group_concat(${head} || ${tail}, '') AS BLOB) AS bytes, count(*) AS rows`;
}

const REST = ['ifnull(length(value), 0)', 'ifnull(expire_at, 0)', 'ifnull(content, 0)', 'checksum'];
const KEY_COLUMNS = joined(['type', 'length(key)', ...REST], ['key', 'value']);
const FIELD_COLUMNS = joined(['collection', 'length(field)', ...REST], ['field', 'value']);

/** Parameters: database, first key, key to leave out (the one before; null for none). */
export const KEY_PAGE = `${KEY_COLUMNS} FROM (
  SELECT * FROM stored_keys WHERE db = ? AND key >= ? AND key IS NOT ? ORDER BY db, key LIMIT ?)`;

/** The fields of a range of hashes. Parameters: database, first key, key to leave out, last key. */
export const FIELD_PAGE = `${FIELD_COLUMNS} FROM (
  SELECT f.* FROM stored_keys AS k CROSS JOIN stored_hash_fields AS f ON f.collection = k.content
  WHERE k.db = ? AND k.key >= ? AND k.key IS NOT ? AND k.key <= ? AND k.type = 2
  ORDER BY k.db, k.key, f.field LIMIT ?)`;

/** The fields of one hash behind a certain one. Parameters: collection, field. */
export const REST_OF_HASH_PAGE = `${FIELD_COLUMNS} FROM (
  SELECT * FROM stored_hash_fields WHERE collection = ? AND field > ? ORDER BY collection, field LIMIT ?)`;

/** A query for the next rows after a cursor, as many as make a page of reasonable size. */
export class PagedQuery {
  private readonly statement: Statement;
  private limit = PAGE_ROWS;

  constructor(database: Connection, sql: string) {
    this.statement = database.prepare(sql);
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
    const { bytes, rows } = this.statement.get(...parameters, limit) as {
      bytes: Buffer | null;
      rows: number;
    };
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
