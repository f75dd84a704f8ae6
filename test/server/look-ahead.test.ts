import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { keyspaceDigest } from '../../src/keyspace/digest.js';
import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';
import { NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { LOOK_AHEAD_COMMANDS, LookAhead } from '../../src/server/look-ahead.js';
import { encode } from '../resp/chunks.js';
import { hostileCases } from '../resp/hostile.js';

const KEYS = 40_000;
const VALUE = Buffer.alloc(64, 'v');

let keyspace: Keyspace;

beforeAll(() => {
  keyspace = createKeyspace();
  for (let i = 0; i < KEYS; i++) {
    const key = Buffer.from(`key:${i}`);
    keyspace.setString(0, key, 0, key.length, VALUE, 0, VALUE.length, NO_EXPIRY);
  }
});

describe('touching hashes', () => {
  it('reads the records that are looked up next', () => {
    const index = keyspace.index(0);
    const keys = ['key:0', 'key:39999', 'absent', 'key:777'].map((key) => Buffer.from(key));
    const hashes = Int32Array.from(keys, (key) => index.hash(key, 0, key.length));
    const refs = new Int32Array(keys.length);
    expect(index.touch(hashes, refs, keys.length)).not.toBe(0);
    const found = keys.map((key, i) => index.find(hashes[i]!, key, 0, key.length));
    expect([...refs].map((ref) => ref >>> 0)).toEqual(found.map((ref) => ref >>> 0));
    expect(found[2]).toBe(0);
  });

  it('may read past the last record of a slab', () => {
    const index = keyspace.index(0);
    const hashes = new Int32Array(1);
    const refs = new Int32Array(1);
    for (let i = 0; i < KEYS; i++) {
      const key = Buffer.from(`key:${i}`);
      hashes[0] = index.hash(key, 0, key.length);
      expect(Number.isSafeInteger(index.touch(hashes, refs, 1))).toBe(true);
    }
  });
});

describe('looking ahead', () => {
  const pipeline = (commands: number) =>
    Buffer.concat(Array.from({ length: commands }, (_, i) => encode(['SET', `key:${i}`, VALUE])));

  it('reads for the keys of a pipeline, and nothing where there are few keys', () => {
    const ahead = new LookAhead(keyspace);
    const bytes = pipeline(LOOK_AHEAD_COMMANDS + 5);
    ahead.read(1, bytes, 0, bytes.length);
    expect(ahead.sum).toBe(0);
    ahead.read(0, bytes, 0, bytes.length);
    expect(ahead.sum).not.toBe(0);
  });

  it('changes nothing, whatever it is given', () => {
    const before = keyspaceDigest(keyspace);
    const ahead = new LookAhead(keyspace);
    const inputs = [
      ...hostileCases.map(({ bytes }) => Buffer.concat([pipeline(3), bytes])),
      ...Array.from({ length: 200 }, () => randomBytes(600)),
      pipeline(10).subarray(0, 777),
      pipeline(10).subarray(33),
      Buffer.concat(Array.from({ length: 400 }, () => encode(['PING']))),
      encode(['SET', 'key:1', Buffer.alloc(100_000)]),
      encode(['MSET', ...Array.from({ length: 5000 }, (_, i) => `key:${i}`)]),
      Buffer.from('GET key:1\r\n'.repeat(100)),
    ];
    for (const bytes of inputs) ahead.read(0, bytes, 0, bytes.length);
    expect(keyspaceDigest(keyspace)).toBe(before);
  });
});
