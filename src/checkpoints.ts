import { statSync } from 'node:fs';
import type { Clock } from './base/clock.js';
import type { Config } from './base/config.js';
import type { Log } from './base/log.js';
import { CheckpointAbandoned, type Checkpointer } from './checkpoint/checkpointer.js';
import type { CommitPipeline } from './commit.js';
import type { Keyspace } from './keyspace/keyspace.js';
import type { LogWriter } from './log/writer.js';

export interface CheckpointsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly writer: LogWriter;
  readonly pipeline: CommitPipeline;
  readonly keyspace: Keyspace;
  readonly snapshotPath: string;
  /** What the snapshot contained at the start. */
  readonly checkpointedSeq: number;
  /** The worker's master, which may have been started already; something else in simulations. */
  readonly checkpointer: Pick<Checkpointer, 'start' | 'run' | 'setRest' | 'close'>;
}

const LOOK_INTERVAL_MS = 250;
/** A segment that outgrows this is sealed, checkpoint or not, so that no file grows without bound. */
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
/**
 * A checkpoint that nobody waits for leaves the processor to clients: while they keep the event loop busy all the
 * time, it rests this many times as long as it works; while they do half of the time, half as long.
 */
const REST_FACTOR = 5;
/** The more the log outgrows one that is due, the less; one this many times as large is not kept waiting at all. */
const URGENT_LOG_FACTOR = 3;
/** How long a stop waits for the last checkpoint. Service managers expect the whole stop within ten seconds. */
const CLOSE_MS = 6000;
/** A checkpoint fails after so many attempts in a row: three seconds, unless each takes long. */
const ATTEMPTS = 5;
/** After a failed checkpoint the next is tried after this long, then twice as long, and so on. */
const RETRY_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** A segment that could not be sealed takes groups for so long before that is tried, and reported, again. */
const SEAL_RETRY_MS = 5000;

/**
 * When the log becomes rows: by size, by time, on command and at the end. The work itself is done by a worker
 * (checkpoint/) that reads sealed segments; this decides, seals, and deletes what the snapshot then contains.
 */
export class Checkpoints {
  checkpointedSeq: number;
  running = false;
  lastAtMs = 0;
  lastDurationMs = 0;
  lastError: string | null = null;

  private readonly config: Config;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly writer: LogWriter;
  private readonly pipeline: CommitPipeline;
  private readonly keyspace: Keyspace;
  private readonly snapshotPath: string;
  private readonly checkpointer: Pick<Checkpointer, 'start' | 'run' | 'setRest' | 'close'>;
  private readonly closing = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  /** How busy the event loop was between the last two looks, 0 to 1; and as of the last one, in total. */
  private utilization = 0;
  private lastLook = performance.eventLoopUtilization();
  /** Somebody waits for the checkpoint under way. */
  private urgent = false;
  private sealing = false;
  private sealNotBeforeMs = 0;
  private suspending = false;
  private lastRunMs: number;
  private mutationsCovered: number;
  private notBeforeMs = 0;
  private failures = 0;
  /** The end of what runs, and of what was asked for meanwhile. */
  private current: Promise<void> = Promise.resolve();
  private queued: Promise<void> | null = null;

  constructor(options: CheckpointsOptions) {
    this.config = options.config;
    this.clock = options.clock;
    this.log = options.log;
    this.writer = options.writer;
    this.pipeline = options.pipeline;
    this.keyspace = options.keyspace;
    this.snapshotPath = options.snapshotPath;
    this.checkpointedSeq = options.checkpointedSeq;
    this.lastRunMs = this.clock.monotonicMs();
    this.mutationsCovered = this.keyspace.mutations;
    this.checkpointer = options.checkpointer;
  }

  /** @throws StorageError when the worker finds the snapshot damaged. */
  async start(): Promise<void> {
    await this.checkpointer.start();
    this.timer = setInterval(() => this.look(), LOOK_INTERVAL_MS);
    this.timer.unref();
  }

  /** Bytes of the log that the snapshot does not contain. */
  get lagBytes(): number {
    return this.writer.lastSeq === this.checkpointedSeq ? 0 : this.writer.totalBytes;
  }

  /** Mutations since the last checkpoint began. */
  get changes(): number {
    return this.keyspace.mutations - this.mutationsCovered;
  }

  /** Checkpoints everything changed so far. Resolves when it is durable in SQLite; rejects when it failed. */
  run(): Promise<void> {
    if (!this.running && this.queued === null) return this.begin(true);
    // Somebody waits for what runs already.
    this.hurry();
    // What runs may have begun before the caller's last change: another one follows it.
    this.queued ??= this.current
      .catch(() => {})
      .then(() => {
        this.queued = null;
        return this.begin(true);
      });
    return this.queued;
  }

  /** Runs `action` while no checkpoint does. */
  async suspended(action: () => Promise<void>): Promise<void> {
    await this.idle();
    this.running = true;
    this.suspending = true;
    const done = action().finally(() => {
      this.running = false;
      this.suspending = false;
    });
    this.current = done.catch(() => {});
    await done;
  }

  /**
   * Lets what runs end, checkpoints what is left if asked to, and closes the snapshot. After `CLOSE_MS` the
   * checkpoint is given up, which loses nothing: the log keeps what the snapshot has not.
   */
  async close(checkpoint: boolean): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    const deadline = setTimeout(() => this.closing.abort(), CLOSE_MS);
    this.hurry();
    try {
      await this.idle();
      const isBehind = this.writer.lastSeq > this.checkpointedSeq;
      if (checkpoint && isBehind && !this.closing.signal.aborted) await this.begin(true);
    } catch {
      // Reported by `begin`. The log has everything; the next start reads it from there.
    } finally {
      clearTimeout(deadline);
      await this.checkpointer.close();
    }
  }

  private async idle(): Promise<void> {
    await this.current.catch(() => {});
    if (this.queued) await this.queued.catch(() => {});
  }

  private begin(urgent: boolean): Promise<void> {
    this.running = true;
    this.urgent = urgent;
    this.setPace();
    this.current = this.checkpoint().finally(() => {
      this.running = false;
    });
    return this.current;
  }

  private look(): void {
    const now = performance.eventLoopUtilization();
    this.utilization = performance.eventLoopUtilization(now, this.lastLook).utilization;
    this.lastLook = now;
    if (this.suspending || this.writer.failure) return;
    if (!this.running && this.isDue()) this.begin(false).catch(() => {});
    // While a checkpoint runs too: what is sealed meanwhile is for the next one.
    else if (this.writer.segmentBytes > SEGMENT_BYTES_MAX) this.seal();
    this.setPace();
  }

  /** Somebody waits. */
  private hurry(): void {
    this.urgent = true;
    this.setPace();
  }

  private setPace(): void {
    const outgrown = this.lagBytes / this.sizeThreshold();
    this.checkpointer.setRest(this.urgent ? 0 : restFactor(outgrown, this.utilization));
  }

  private isDue(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.notBeforeMs || this.writer.lastSeq === this.checkpointedSeq) return false;
    const intervalMs = this.config.values['checkpoint-interval'] * 1000;
    if (intervalMs > 0 && nowMs - this.lastRunMs >= intervalMs) return true;
    return this.lagBytes >= this.sizeThreshold();
  }

  /** Rewriting few pages of a large snapshot for a little log would cost more than it saves. */
  private sizeThreshold(): number {
    const { values } = this.config;
    const share = (values['checkpoint-log-percentage'] / 100) * this.snapshotBytes();
    return Math.max(values['checkpoint-log-size'], share);
  }

  /** By name: opening the file would drop SQLite's locks on it. */
  private snapshotBytes(): number {
    return statSync(this.snapshotPath, { throwIfNoEntry: false })?.size ?? 0;
  }

  private seal(): void {
    if (this.sealing || this.clock.monotonicMs() < this.sealNotBeforeMs) return;
    this.sealing = true;
    // The disk is asked first, off the loop, so that sealing has little left to wait for.
    this.pipeline
      .whenDurable(this.writer.lastSeq)
      .then(() => void this.writer.rotate(this.clock.wallMs()))
      .catch((error: Error) => {
        this.sealNotBeforeMs = this.clock.monotonicMs() + SEAL_RETRY_MS;
        this.log.warning(`The log segment could not be sealed: ${error.message}`);
      })
      .finally(() => {
        this.sealing = false;
      });
  }

  private async checkpoint(): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    const mutations = this.keyspace.mutations;
    try {
      // The command that asked for it, which may be part of a transaction, is completed first.
      await Promise.resolve();
      await this.pipeline.drain();
      this.writer.rotate(this.clock.wallMs());
      await this.apply();
      this.failures = 0;
      this.lastError = null;
      this.mutationsCovered = mutations;
      this.lastAtMs = this.clock.wallMs();
    } catch (error) {
      this.failed(error as Error);
      throw error;
    } finally {
      this.lastRunMs = this.clock.monotonicMs();
      this.lastDurationMs = this.lastRunMs - startedMs;
    }
  }

  private async apply(): Promise<void> {
    // One that is covered was to be deleted, which failed: its file may be gone already.
    const uncovered = this.writer.sealed.filter(({ lastSeq }) => lastSeq > this.checkpointedSeq);
    if (uncovered.length > 0) {
      const segments = uncovered.map(({ path, header, lastSeq }) => ({
        path,
        number: header.number,
        previousSeq: header.previousSeq,
        lastSeq,
      }));
      const { lastSeq } = await this.checkpointer.run(segments, ATTEMPTS, this.closing.signal);
      this.checkpointedSeq = lastSeq;
    }
    // Only now, when the snapshot has them for good.
    this.writer.remove(this.checkpointedSeq);
    this.log.verbose(`Checkpoint: the snapshot contains everything up to group ${this.checkpointedSeq}`);
  }

  /** For the checkpointer's `onFailure`. */
  attemptFailed(message: string, delayMs: number): void {
    this.lastError = message;
    this.log.warning(`Checkpoint: ${message}; tried again in ${delayMs} ms`);
  }

  private failed(error: Error): void {
    if (error instanceof CheckpointAbandoned) {
      this.log.notice(
        `The last checkpoint was given up after ${CLOSE_MS / 1000} seconds; the log keeps the rest, and the next ` +
          'start reads it from there',
      );
      return;
    }
    this.failures++;
    this.lastError = error.message;
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** (this.failures - 1));
    this.notBeforeMs = this.clock.monotonicMs() + waitMs;
    this.log.warning(
      `Checkpoint failed, the log keeps everything and it is tried again in ${waitMs / 1000} s: ${error.message}`,
    );
  }
}

/**
 * @param outgrown the log, as a multiple of one that is due.
 * @param utilization of the event loop, 0 to 1.
 * @returns how long a checkpoint that nobody waits for rests, as a multiple of the time it works.
 */
export function restFactor(outgrown: number, utilization: number): number {
  const left = (URGENT_LOG_FACTOR - outgrown) / (URGENT_LOG_FACTOR - 1);
  return REST_FACTOR * utilization * Math.min(1, Math.max(0, left));
}
