/**
 * When and how often a key was used, in 24 bits of its record: for OBJECT IDLETIME, OBJECT FREQ and
 * eviction. Two readings of the same bits, as in Redis: seconds of the last use (wrapping after 194 days),
 * or, with an LFU policy, 16 bits of minutes and 8 bits of a logarithmic counter.
 */
const MASK = 0xffffff;
const LFU_INITIAL = 5;
const LFU_LOG_FACTOR = 10;
const LFU_DECAY_MINUTES = 1;

export type UsageKind = 'lru' | 'lfu';

export class Usage {
  kind: UsageKind = 'lru';
  private seconds = 0;
  private minutes = 0;

  /** @param nowMs Unix time */
  setNow(nowMs: number): void {
    this.seconds = Math.floor(nowMs / 1000) & MASK;
    this.minutes = Math.floor(nowMs / 60_000) & 0xffff;
  }

  /** The bits of a key used for the first time. */
  initial(): number {
    return this.kind === 'lru' ? this.seconds : (this.minutes << 8) | LFU_INITIAL;
  }

  /** The bits of a key used again. */
  touched(bits: number): number {
    if (this.kind === 'lru') return this.seconds;
    return (this.minutes << 8) | incremented(this.frequency(bits));
  }

  idleSeconds(bits: number): number {
    return this.kind === 'lru' ? (this.seconds - bits) & MASK : 0;
  }

  /** The counter, less what it lost while the key lay unused. */
  frequency(bits: number): number {
    if (this.kind === 'lru') return 0;
    const elapsed = (this.minutes - (bits >>> 8)) & 0xffff;
    return Math.max(0, (bits & 0xff) - Math.floor(elapsed / LFU_DECAY_MINUTES));
  }
}

/** Probabilistic: the higher the counter, the less likely it grows (Redis's LFULogIncr). */
function incremented(counter: number): number {
  if (counter === 255) return counter;
  const base = Math.max(0, counter - LFU_INITIAL);
  return Math.random() < 1 / (base * LFU_LOG_FACTOR + 1) ? counter + 1 : counter;
}
