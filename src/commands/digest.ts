import { createHash } from 'node:crypto';
import type { Keyspace, Ref } from '../keyspace/keyspace.js';
import { NO_EXPIRY } from '../keyspace/mutations.js';

/**
 * A digest of data that does not depend on the order in which it is kept: SHA-1 of the parts, joined by
 * exclusive or. Computed as Redis's DEBUG DIGEST computes it, so that the same data give the same digest
 * there (an expiry counts as being there, whatever its time).
 */
class Digest {
  readonly bytes = Buffer.alloc(20);

  /** Order of calls does not matter. */
  xor(part: Uint8Array): void {
    const hash = sha1(part);
    for (let i = 0; i < hash.length; i++) this.bytes[i]! ^= hash[i]!;
  }

  /** Order of calls matters. */
  mix(part: Uint8Array): void {
    this.xor(part);
    sha1(this.bytes).copy(this.bytes);
  }
}

function sha1(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}

/** 32 bits, big-endian. */
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Redis's number of each type (OBJ_STRING, OBJ_HASH). */
const TYPE_NUMBERS = { string: 0, hash: 4 } as const;

const EXPIRES = Buffer.from('!!expire!!');

function mixValue(digest: Digest, keyspace: Keyspace, ref: Ref): void {
  digest.mix(uint32(TYPE_NUMBERS[keyspace.typeOf(ref)]));
  if (keyspace.isString(ref)) {
    keyspace.loadString(ref);
    digest.mix(keyspace.valueBytes.subarray(keyspace.valueStart, keyspace.valueEnd));
  } else {
    keyspace.hashEach(ref, (field, fieldStart, fieldEnd, value, valueStart, valueEnd) => {
      const element = new Digest();
      element.mix(field.subarray(fieldStart, fieldEnd));
      element.mix(value.subarray(valueStart, valueEnd));
      digest.xor(element.bytes);
    });
  }
  if (keyspace.expiryOf(ref) !== NO_EXPIRY) digest.xor(EXPIRES);
}

/** 40 hex digits; zeros for a missing key. */
export function valueDigest(keyspace: Keyspace, ref: Ref): string {
  const digest = new Digest();
  if (ref !== 0) mixValue(digest, keyspace, ref);
  return digest.bytes.toString('hex');
}

/** 40 hex digits over all databases; zeros when there is no key. */
export function datasetDigest(keyspace: Keyspace): string {
  const total = new Digest();
  for (let db = 0; db < keyspace.databaseCount; db++) {
    if (keyspace.size(db) === 0) continue;
    total.mix(uint32(db));
    keyspace.each(db, (key, start, end, ref) => {
      const digest = new Digest();
      digest.mix(key.subarray(start, end));
      mixValue(digest, keyspace, ref);
      total.xor(digest.bytes);
    });
  }
  return total.bytes.toString('hex');
}
