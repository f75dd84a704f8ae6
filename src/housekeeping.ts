import type { Clock } from './base/clock.js';
import type { Keyspace } from './keyspace/keyspace.js';

/** How long clients are kept waiting at a time: after so much work the event loop has a turn. */
const STEP_MS = 2;
/** Timers looked at, records freed and records moved between two looks at the clock: some tenths of a millisecond. */
const EXPIRE_BUDGET = 200;
const COLLECT_BUDGET = 1000;
const COMPACT_BUDGET = 200;
/**
 * The longest sleep. Timers count on the monotonic clock, expiry on the wall clock: one that is put forward is
 * noticed after this long at the latest. It also keeps every delay far from the 2^31 ms at which setTimeout
 * fires at once.
 */
const SLEEP_MAX_MS = 100;

/**
 * What the keyspace has to do without anybody asking: removing keys in the millisecond they expire, freeing
 * what was flushed, and giving sparse pages back. In small steps between turns of the event loop, so that clients hardly notice a
 * million keys that expire together.
 */
export class Housekeeping {
  private readonly keyspace: Keyspace;
  private readonly clock: Clock;
  private readonly endCommand: () => void;
  private timer: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  private expiring = true;
  /** Wall time of the next look. */
  private wakeAtMs = 0;
  private stopped = true;

  /** @param endCommand tells that mutations were made which the turn's end has to commit. */
  constructor(keyspace: Keyspace, clock: Clock, endCommand: () => void) {
    this.keyspace = keyspace;
    this.clock = clock;
    this.endCommand = endCommand;
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.sleep();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    if (this.immediate) clearImmediate(this.immediate);
  }

  /** A turn has ended: a key it set may expire before the next look. */
  turnEnded(): void {
    if (this.timer === null || this.keyspace.nextExpiryMs() >= this.wakeAtMs) return;
    clearTimeout(this.timer);
    this.sleep();
  }

  /** Off, an expired key stays until somebody looks at it (DEBUG SET-ACTIVE-EXPIRE). */
  setExpiring(enabled: boolean): void {
    this.expiring = enabled;
  }

  private readonly work = (): void => {
    this.timer = null;
    this.immediate = null;
    const endMs = this.clock.monotonicMs() + STEP_MS;
    let more: boolean;
    do {
      more = this.doSome();
    } while (more && this.clock.monotonicMs() < endMs);
    // Between two steps the event loop serves the clients.
    if (more) this.immediate = setImmediate(this.work);
    else this.sleep();
  };

  /** @returns whether there is more to do at once. */
  private doSome(): boolean {
    const { keyspace } = this;
    const nowMs = this.clock.wallMs();
    let more = false;
    if (this.removesExpired && keyspace.nextExpiryMs() <= nowMs) {
      keyspace.now = nowMs;
      more = keyspace.expireDue(EXPIRE_BUDGET) >= EXPIRE_BUDGET;
      this.endCommand();
    }
    if (keyspace.hasGarbage) keyspace.collectGarbage(COLLECT_BUDGET);
    if (keyspace.compactionDue) keyspace.compact(COMPACT_BUDGET);
    return more || keyspace.hasGarbage || keyspace.compactionDue;
  }

  /** Not while what has expired is only hidden: what is due would stay due, and be looked at every millisecond. */
  private get removesExpired(): boolean {
    return this.expiring && this.keyspace.expiring === 'purge';
  }

  private sleep(): void {
    if (this.stopped) return;
    const nowMs = this.clock.wallMs();
    const waitMs = this.removesExpired ? this.keyspace.nextExpiryMs() - nowMs : SLEEP_MAX_MS;
    const delayMs = Math.max(1, Math.min(waitMs, SLEEP_MAX_MS));
    this.wakeAtMs = nowMs + delayMs;
    this.timer = setTimeout(this.work, delayMs);
    this.timer.unref();
  }
}
