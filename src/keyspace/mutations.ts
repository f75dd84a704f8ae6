/**
 * Everything that changes data, as one closed vocabulary.
 *
 * A mutation is deterministic and absolute: never a relative time, never "a random member", never a command
 * to run again. Several sinks implement this one interface: the keyspace applies a mutation, the journal
 * encodes it, the checkpointer turns it into SQL. Adding a method here stops the build until every sink has
 * an answer for it.
 *
 * Byte ranges are `(bytes, start, end)`, valid only for the duration of the call: a sink copies what it keeps.
 */
export interface MutationSink {
  /** Replaces the key, whatever its type, and its expiry. */
  setString(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): void;

  /**
   * Writes bytes into a string at an offset, padding with zero bytes up to it; creates the key (without an
   * expiry) when it is missing; keeps its expiry otherwise. APPEND is this at the string's end.
   */
  setRange(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void;

  /** Removes a key of any type. Also what expiry and eviction are in the log. */
  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void;

  /** Sets or (`NO_EXPIRY`) removes the expiry of an existing key. */
  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void;

  /** Moves a key with its expiry to another name or database, replacing what is there. RENAME and MOVE. */
  rename(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void;

  /** Copies a key with its expiry to another name or database, replacing what is there. */
  copy(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void;

  /** Empties one database. */
  flush(db: number): void;

  /** Exchanges the contents of two databases. */
  swap(db: number, otherDb: number): void;

  /** Sets fields of a hash, creating it when it is missing. Each field's own expiry is replaced too. */
  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void;

  /** Removes fields; the hash keeps at least one (a hash that loses its last is a `delete`). */
  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void;

  /** Sets or (`NO_EXPIRY`) removes the expiry of existing fields; values stay. */
  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void;
}

/**
 * An absolute expiry in Unix milliseconds, 1 to 2^63-1; `NO_EXPIRY` (0) for none. A number up to 2^53-1; a
 * bigint beyond, because PEXPIRETIME must return exactly what PEXPIREAT was given.
 */
export type ExpireAt = number | bigint;
export const NO_EXPIRY = 0;

/**
 * A reusable list of byte ranges over one buffer: fields, or fields with values and expiries. Kept by its
 * owner between calls so that a command makes no object per field.
 */
export class FieldList {
  /** The buffer that every range below points into. */
  bytes: Uint8Array = EMPTY;
  /** Number of fields. */
  length = 0;
  fieldStart: number[] = [];
  fieldEnd: number[] = [];
  /** Empty ranges where only names matter (hashDelete, hashExpireAt). */
  valueStart: number[] = [];
  valueEnd: number[] = [];
  expireAt: ExpireAt[] = [];

  reset(bytes: Uint8Array): this {
    this.bytes = bytes;
    this.length = 0;
    return this;
  }

  /** Adds a field name without a value. */
  addName(start: number, end: number): void {
    this.add(start, end, end, end, NO_EXPIRY);
  }

  add(fieldStart: number, fieldEnd: number, valueStart: number, valueEnd: number, expireAt: ExpireAt): void {
    const i = this.length++;
    this.fieldStart[i] = fieldStart;
    this.fieldEnd[i] = fieldEnd;
    this.valueStart[i] = valueStart;
    this.valueEnd[i] = valueEnd;
    this.expireAt[i] = expireAt;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * The number of each mutation in the log: the first element of its record. An on-disk format: numbers are
 * added, never changed (src/log/FORMAT.md).
 */
export const Op = {
  setString: 1,
  setRange: 2,
  delete: 3,
  expireAt: 4,
  rename: 5,
  copy: 6,
  flush: 7,
  swap: 8,
  hashSet: 9,
  hashDelete: 10,
  hashExpireAt: 11,
} as const satisfies Record<keyof MutationSink, number>;

/** Takes every mutation and does nothing with it: the journal of a replay. */
export const NO_SINK: MutationSink = {
  setString() {},
  setRange() {},
  delete() {},
  expireAt() {},
  rename() {},
  copy() {},
  flush() {},
  swap() {},
  hashSet() {},
  hashDelete() {},
  hashExpireAt() {},
};
