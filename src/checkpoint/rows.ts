import { type ExpireAt, NO_EXPIRY } from '../keyspace/mutations.js';

/** stored_keys.type: on disk, so numbers are added and never changed. */
export enum KeyType {
  string = 1,
  hash = 2,
}

/** No content beside the row; SQL's NULL. */
export const NO_CONTENT = 0;

export function asExpireAt(expireAt: bigint | null): ExpireAt {
  if (expireAt === null) return NO_EXPIRY;
  return expireAt <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(expireAt) : expireAt;
}
