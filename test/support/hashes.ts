/** What the tests of the hash commands share. */
import { hashCounterCommands } from '../../src/commands/hash-counters.js';
import { hashExpiryCommands } from '../../src/commands/hash-expiry.js';
import { hashRandomCommands } from '../../src/commands/hash-random.js';
import { hashScanCommands } from '../../src/commands/hash-scan.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { hsetexCommands } from '../../src/commands/hsetex.js';
import type { ExpireAt } from '../../src/keyspace/mutations.js';
import { CommandHarness, toBytes } from './command-harness.js';

export const WRONGTYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

export function newHashHarness(config: Readonly<Record<string, unknown>> = {}): CommandHarness {
  return new CommandHarness(
    [
      hashCommands,
      hashCounterCommands,
      hashRandomCommands,
      hashScanCommands,
      hashExpiryCommands,
      hsetexCommands,
    ],
    { config },
  );
}

export function putString(harness: CommandHarness, key: string, value: string): void {
  const bytes = toBytes(key);
  harness.keyspace.setString(0, bytes, 0, bytes.length, toBytes(value), 0, value.length, 0);
}

/** Sets a key's own expiry, absolute Unix ms. */
export function expireKey(harness: CommandHarness, key: string, expireAt: ExpireAt): void {
  const bytes = toBytes(key);
  harness.keyspace.expireAt(0, bytes, 0, bytes.length, expireAt);
}

/** A key's own expiry, absolute Unix ms; 0 for none, undefined when the key does not exist. */
export function expiryOfKey(harness: CommandHarness, key: string): ExpireAt | undefined {
  const { keyspace } = harness;
  keyspace.now = harness.nowMs;
  const bytes = toBytes(key);
  const ref = keyspace.peek(0, bytes, 0, bytes.length);
  return ref === 0 ? undefined : keyspace.expiryOf(ref);
}

/** The whole hash, read with HGETALL; undefined when it does not exist. */
export function contents(harness: CommandHarness, key: string): Record<string, string> | undefined {
  const map = harness.call3('HGETALL', key);
  if (!(map instanceof Map)) throw new Error(`HGETALL answered ${String(map)}`);
  if (expiryOfKey(harness, key) === undefined) return undefined;
  return Object.fromEntries(map as Map<string, string>);
}
