/**
 * What expiry may do.
 *
 * - `off`: nothing expires. While a snapshot or log is loaded, every mutation must meet the state it met
 *   when it was made.
 * - `hide`: what has expired is not seen, but not removed: the clock is in doubt.
 * - `purge`: what has expired is removed, by a logged delete.
 */
export type Expiring = 'off' | 'hide' | 'purge';

/** Told of what expiry removed: counters, and later keyspace events. */
export interface ExpiryListener {
  keyExpired(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void;
  fieldsExpired(db: number, count: number): void;
}
