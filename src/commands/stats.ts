import { LatencyHistogram } from './latency-histogram.js';

/** Counters behind INFO. CONFIG RESETSTAT sets them back. */
export class Stats {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  inputBytes = 0;
  outputBytes = 0;
  expiredKeys = 0;
  expiredFields = 0;
  evictedKeys = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  errorReplies = 0;
  protocolErrors = 0;
  outputLimitDisconnects = 0;
  inputLimitDisconnects = 0;
  /** Error replies by their first word, for the Errorstats section. */
  readonly errors = new Map<string, number>();
  /** By full command name, for the Commandstats section. */
  readonly commands = new Map<string, CommandStats>();
  readonly commandRate = new RateMeter();
  readonly inputRate = new RateMeter();
  readonly outputRate = new RateMeter();
  /** Most bytes of data ever seen at a sample; RESETSTAT sets it back. */
  peakMemoryBytes = 0;

  command(name: string): CommandStats {
    let stats = this.commands.get(name);
    if (!stats) {
      stats = new CommandStats();
      this.commands.set(name, stats);
    }
    return stats;
  }

  reset(): void {
    for (const stats of this.commands.values()) stats.reset();
    this.errors.clear();
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commandsProcessed = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.expiredKeys = 0;
    this.expiredFields = 0;
    this.evictedKeys = 0;
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.errorReplies = 0;
    this.protocolErrors = 0;
    this.outputLimitDisconnects = 0;
    this.inputLimitDisconnects = 0;
    this.peakMemoryBytes = 0;
  }

  /** An error reply went out. Only so many different codes are kept: DEBUG ERROR can make any. */
  countError(message: string): void {
    this.errorReplies++;
    const blank = message.indexOf(' ');
    const code = blank < 0 ? message : message.slice(0, blank);
    const count = this.errors.get(code);
    if (count !== undefined || this.errors.size < ERROR_CODES) this.errors.set(code, (count ?? 0) + 1);
  }

  /** Called every 100 ms by whoever owns the timers. */
  sample(monotonicMs: number, memoryBytes: number): void {
    this.commandRate.sample(monotonicMs, this.commandsProcessed);
    this.inputRate.sample(monotonicMs, this.inputBytes);
    this.outputRate.sample(monotonicMs, this.outputBytes);
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, memoryBytes);
  }
}

/**
 * One command's counters. Reading the clock costs 40 ns twice, as much as a tenth of a GET, so that every
 * call is counted but, once a command has been called `ALWAYS_TIMED` times, only one in `ALWAYS_TIMED` is
 * timed; the total is scaled up from those.
 */
export class CommandStats {
  calls = 0;
  /** Refused before running (arity, auth, memory...). */
  rejected = 0;
  /** Ran and answered an error. */
  failed = 0;
  timedCalls = 0;
  timedMicroseconds = 0;
  latency: LatencyHistogram | null = null;

  /** Is the call now being counted one of those that are timed? */
  get due(): boolean {
    return this.calls < ALWAYS_TIMED || (this.calls & (ALWAYS_TIMED - 1)) === 0;
  }

  timed(microseconds: number): void {
    this.timedCalls++;
    this.timedMicroseconds += microseconds;
    this.latency ??= new LatencyHistogram();
    this.latency.record(microseconds);
  }

  /** Time spent in all calls, estimated from the timed ones. */
  get microseconds(): number {
    return this.timedCalls === 0 ? 0 : (this.timedMicroseconds / this.timedCalls) * this.calls;
  }

  reset(): void {
    this.calls = 0;
    this.rejected = 0;
    this.failed = 0;
    this.timedCalls = 0;
    this.timedMicroseconds = 0;
    this.latency = null;
  }
}

/** Redis's own limit (ERROR_STATS_NUMBER). */
const ERROR_CODES = 128;

/** A power of two. */
const ALWAYS_TIMED = 16;

/**
 * Events per second over the last 1.6 seconds, from totals sampled every 100 ms, as Redis reports its
 * instantaneous figures.
 */
export class RateMeter {
  private readonly rates = new Float64Array(16);
  private index = 0;
  private lastTotal = 0;
  private lastMs = 0;

  /** @param total the counter now; a counter set back to 0 counts as starting anew. */
  sample(monotonicMs: number, total: number): void {
    const elapsedMs = monotonicMs - this.lastMs;
    if (elapsedMs <= 0) return;
    const events = total < this.lastTotal ? total : total - this.lastTotal;
    this.rates[this.index] = (events * 1000) / elapsedMs;
    this.index = (this.index + 1) % this.rates.length;
    this.lastTotal = total;
    this.lastMs = monotonicMs;
  }

  get perSecond(): number {
    let sum = 0;
    for (const rate of this.rates) sum += rate;
    return sum / this.rates.length;
  }
}
