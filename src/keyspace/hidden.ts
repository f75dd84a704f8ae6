import type { Keyspace } from './keyspace.js';

/**
 * How many keys of a database have expired but are kept: while the clock is in doubt, or the log takes no writes,
 * expired keys are hidden instead of removed, and `Keyspace.size` counts them still. They are told apart one by
 * one, which takes about half a microsecond for each key that is kept, and only when something has expired meanwhile.
 */
export function hiddenKeys(keyspace: Keyspace, db: number): number {
  if (keyspace.expiring !== 'hide' || keyspace.nextExpiryMs() > keyspace.now) return 0;
  let seen = 0;
  keyspace.each(db, () => {
    seen++;
  });
  return keyspace.size(db) - seen;
}
