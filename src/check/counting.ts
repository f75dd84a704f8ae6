/** Sinks that count and keep nothing: any amount of data is checked in the same memory. */
import { type ExpireAt, type MutationSink, NO_EXPIRY, NO_SINK, Op } from '../keyspace/mutations.js';

/** How many records there are of each mutation, by its name. */
export type RecordCounts = Record<keyof MutationSink, number>;

const MUTATIONS = Object.keys(Op) as (keyof MutationSink)[];

/** A sink that counts the records handed to it in `counts`. */
export function recordCounter(): { readonly sink: MutationSink; readonly counts: RecordCounts } {
  const counts = Object.fromEntries(MUTATIONS.map((name) => [name, 0])) as RecordCounts;
  const count = (name: keyof MutationSink) => [name, () => counts[name]++] as const;
  return { sink: Object.fromEntries(MUTATIONS.map(count)) as unknown as MutationSink, counts };
}

export interface ContentCounts {
  strings: number;
  /** Keys of any type, and fields, whose time has passed. */
  expiredKeys: number;
  expiredFields: number;
}

/**
 * A sink that counts what a snapshot contains, from the mutations that its rows are read as: a string is one
 * setString; a hash is one hashSet or more, followed by an expireAt where the key itself expires.
 *
 * @param nowMs Unix ms: what expires then, or earlier, has expired.
 */
export function contentCounter(nowMs: number): {
  readonly sink: MutationSink;
  readonly counts: ContentCounts;
} {
  const counts = { strings: 0, expiredKeys: 0, expiredFields: 0 };
  const hasExpired = (expireAt: ExpireAt) => expireAt !== NO_EXPIRY && expireAt <= nowMs;
  const sink: MutationSink = {
    ...NO_SINK,
    setString(_db, _key, _keyStart, _keyEnd, _value, _valueStart, _valueEnd, expireAt) {
      counts.strings++;
      if (hasExpired(expireAt)) counts.expiredKeys++;
    },
    expireAt(_db, _key, _keyStart, _keyEnd, expireAt) {
      if (hasExpired(expireAt)) counts.expiredKeys++;
    },
    hashSet(_db, _key, _keyStart, _keyEnd, fields) {
      for (let i = 0; i < fields.length; i++) {
        if (hasExpired(fields.expireAt[i]!)) counts.expiredFields++;
      }
    },
  };
  return { sink, counts };
}
