import type { Config } from './base/config.js';
import type { Keyspace, Ref } from './keyspace/keyspace.js';
import { NO_EXPIRY } from './keyspace/mutations.js';

/** Random keys looked at, for each sample wanted, before giving up on finding one with an expiry. */
const TRIES_PER_SAMPLE = 20;

/**
 * Makes room by deleting keys, as maxmemory-policy says. Like Redis it does not know the best key: it
 * compares a few random ones (maxmemory-samples) and deletes the worst. A deletion is a mutation like any
 * other, so it is in the log before the command that needed the room.
 */
export class Eviction {
  private readonly keyspace: Keyspace;
  private readonly config: Config;
  /** Which database the next sample comes from: they take turns. */
  private nextDb = 0;
  /** Deletions whose memory is freed only when their commit group is safe, and how much that will be. */
  private readonly waiting: { readonly position: number; readonly bytes: number }[] = [];
  private waitingBytes = 0;

  constructor(keyspace: Keyspace, config: Config) {
    this.keyspace = keyspace;
    this.config = config;
  }

  /**
   * @param onEvicted called after each deletion.
   * @returns whether the data now fit into `limitBytes`.
   */
  makeRoom(limitBytes: number, onEvicted: () => void): boolean {
    const policy = this.config.values['maxmemory-policy'];
    this.forgetFreed();
    while (this.keyspace.memoryUsed() - this.waitingBytes > limitBytes) {
      if (policy === 'noeviction' || !this.evictOne(policy)) return false;
      onEvicted();
    }
    return true;
  }

  private forgetFreed(): void {
    const { committedPosition } = this.keyspace;
    while (this.waiting.length > 0 && this.waiting[0]!.position <= committedPosition) {
      this.waitingBytes -= this.waiting.shift()!.bytes;
    }
  }

  private evictOne(policy: string): boolean {
    const { keyspace } = this;
    for (let tried = 0; tried < keyspace.databaseCount; tried++) {
      const db = this.nextDb;
      this.nextDb = (this.nextDb + 1) % keyspace.databaseCount;
      const ref = this.worstOf(db, policy);
      if (ref === 0) continue;
      const bytes = keyspace.bytesOf(ref);
      keyspace.loadKey(ref);
      keyspace.delete(db, keyspace.keyBytes, keyspace.keyStart, keyspace.keyEnd);
      this.waiting.push({ position: keyspace.undoPosition, bytes });
      this.waitingBytes += bytes;
      return true;
    }
    return false;
  }

  private worstOf(db: number, policy: string): Ref {
    const { keyspace } = this;
    const volatileOnly = policy.startsWith('volatile');
    if (keyspace.size(db) === 0 || (volatileOnly && keyspace.expiresCount(db) === 0)) return 0;
    const samples = this.config.values['maxmemory-samples'];
    let worst: Ref = 0;
    let worstScore = Number.NEGATIVE_INFINITY;
    let found = 0;
    for (let tries = 0; found < samples && tries < samples * TRIES_PER_SAMPLE; tries++) {
      const ref = keyspace.randomKey(db);
      if (ref === 0) break;
      const expireAt = keyspace.expiryOf(ref);
      if (volatileOnly && expireAt === NO_EXPIRY) continue;
      found++;
      const score = this.score(ref, policy, Number(expireAt));
      if (score <= worstScore) continue;
      worst = ref;
      worstScore = score;
    }
    return worst;
  }

  /** The higher, the sooner it goes. */
  private score(ref: Ref, policy: string, expireAtMs: number): number {
    if (policy.endsWith('lru')) return this.keyspace.idleSecondsOf(ref);
    if (policy.endsWith('lfu')) return -this.keyspace.frequencyOf(ref);
    if (policy.endsWith('ttl')) return -expireAtMs;
    return 0;
  }
}
