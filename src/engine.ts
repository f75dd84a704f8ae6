import { resolve } from 'node:path';
import type { Clock } from './base/clock.js';
import type { Config } from './base/config.js';
import { StorageError } from './base/errors.js';
import type { Log } from './base/log.js';
import { Checkpointer } from './checkpoint/checkpointer.js';
import type { DirectoryLock } from './checkpoint/lock.js';
import { Checkpoints } from './checkpoints.js';
import type { PersistenceView } from './commands/host.js';
import type { Stats } from './commands/stats.js';
import type { Storage } from './commands/storage.js';
import { CommitPipeline, type SyncPolicy } from './commit.js';
import { Eviction } from './eviction.js';
import { Housekeeping } from './housekeeping.js';
import { keyspaceDifferences } from './keyspace/digest.js';
import { createKeyspace, type Keyspace } from './keyspace/keyspace.js';
import { LoadingReplies } from './loading-replies.js';
import { type LogFiles, nodeFiles } from './log/files.js';
import { SyncThread } from './log/sync-thread.js';
import type { LogWriter } from './log/writer.js';
import { type Recovered, type RecoveryProgress, readBack, recover } from './recovery.js';
import type { ReplyBatch } from './resp/reply-batch.js';

export interface EngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the log's bytes go; the real file system but for simulations. */
  readonly files?: LogFiles;
}

/** What the start found. */
export interface LoadSummary {
  readonly keys: number;
  /** Keys that expired while no server was running, and were dropped. */
  readonly expired: number;
  readonly ms: number;
  /** What was read, for a person. */
  readonly source: string;
}

/** A start this much later than the last write on disk is taken for a wrong clock until it has lasted. */
const CLOCK_JUMP_MS = 30 * 24 * 3600 * 1000;
/** For so long expired keys are then only hidden, so that a clock put right brings them back. */
const CLOCK_GRACE_MS = 3600 * 1000;
/**
 * Zeros written ahead of the log where every turn waits for the disk: an fdatasync that finds the file's length and
 * blocks unchanged took 135 instead of 195 us (ext4, an SSD). Elsewhere they would only be written for nothing.
 */
const PREALLOCATE_BYTES = 1024 * 1024;
/** Mutations of the start's clean-up per commit group. */
const DROP_BUDGET = 10_000;

/**
 * The one place that knows the data and their storage: what a command changed is committed here, and what is
 * on disk becomes data again.
 *
 * ```
 * const engine = new Engine(options);
 * await engine.load();      // commands may already ask `persistence.loading`
 * ...                       // keyspace mutations, endCommand() after each command
 * await engine.close();
 * ```
 */
export class Engine implements Storage, PersistenceView {
  readonly keyspace: Keyspace;
  /** Absolute path of the data directory. */
  readonly directory: string;
  loading = true;
  loadedKeys = 0;
  expiredAtLoad = 0;
  loadDurationMs = 0;
  /** Of the load under way, 0 to 1. */
  loadProgress = 0;

  private readonly config: Config;
  private readonly clock: Clock;
  private readonly logger: Log;
  private readonly files: LogFiles;
  private readonly syncThread = new SyncThread(() => this.config.values.appendfsync === 'always');
  private readonly eviction: Eviction;
  private readonly stopFollowing: () => void;
  private readonly waitingBatch = new LoadingReplies();
  private lock: DirectoryLock | null = null;
  private writer: LogWriter | null = null;
  private pipeline: CommitPipeline | null = null;
  private checkpointer: Checkpointer | null = null;
  private checkpoints: Checkpoints | null = null;
  private housekeeping: Housekeeping | null = null;
  private graceTimer: NodeJS.Timeout | null = null;
  private writeFailure: string | null = null;
  private closing: Promise<void> | null = null;
  private stats: Stats | null = null;

  constructor(options: EngineOptions) {
    this.config = options.config;
    this.clock = options.clock;
    this.logger = options.log;
    this.files = options.files ?? this.syncThread.behind(nodeFiles);
    this.directory = resolve(this.config.values.dir);
    this.keyspace = createKeyspace({ databases: this.config.values.databases, now: this.clock.wallMs() });
    this.eviction = new Eviction(this.keyspace, this.config);
    this.followConfig();
    this.stopFollowing = this.config.onChange(() => this.followConfig());
    this.keyspace.expiryListener = {
      keyExpired: () => {
        this.expiredKeys++;
        if (this.stats) this.stats.expiredKeys++;
      },
      fieldsExpired: (_db, count) => {
        if (this.stats) this.stats.expiredFields += count;
      },
    };
  }

  private expiredKeys = 0;

  /** Where expired and evicted keys are counted. */
  countInto(stats: Stats): void {
    this.stats = stats;
  }

  /**
   * Recovers the directory and drops what expired while nothing was running.
   *
   * @throws StartupError, StorageError when the data cannot be had whole.
   */
  async load(onProgress?: (progress: RecoveryProgress) => void): Promise<LoadSummary> {
    const startedMs = this.clock.monotonicMs();
    const recovered = await this.recover(onProgress);
    this.lock = recovered.lock;
    this.writer = recovered.writer;
    this.startWriting(recovered);
    await this.checkpoints!.start();
    await this.dropExpired(recovered.lastAtMs);
    this.loading = false;
    this.loadedKeys = this.countKeys();
    this.expiredAtLoad = this.expiredKeys;
    this.loadDurationMs = this.clock.monotonicMs() - startedMs;
    return {
      keys: this.loadedKeys,
      expired: this.expiredAtLoad,
      ms: this.loadDurationMs,
      source: recovered.source,
    };
  }

  private async recover(onProgress?: (progress: RecoveryProgress) => void): Promise<Recovered> {
    try {
      return await recover({
        directory: this.directory,
        keyspace: this.keyspace,
        files: this.files,
        clock: this.clock,
        preallocateBytes: preallocation(this.config.values.appendfsync),
        log: (message) => this.logger.warning(message),
        onProgress: (progress) => {
          this.loadProgress = progress.total === 0 ? 1 : progress.done / progress.total;
          onProgress?.(progress);
        },
        onSnapshot: (path, storeId) => this.lookThrough(path, storeId),
      });
    } catch (error) {
      await this.checkpointer?.close();
      throw error;
    }
  }

  /** SQLite looks for damage in one thread while the rows are loaded in others; the verdict is awaited after. */
  private lookThrough(path: string, storeId: Buffer): void {
    this.checkpointer = this.newCheckpointer(path, storeId);
    this.checkpointer.start().catch(() => {});
  }

  private newCheckpointer(path: string, storeId: Buffer): Checkpointer {
    return new Checkpointer({
      path,
      storeId,
      onFailure: (message, delayMs) => this.checkpoints?.attemptFailed(message, delayMs),
    });
  }

  // ---- Storage: what the dispatcher uses -----------------------------------------------------------

  get persistence(): PersistenceView {
    return this;
  }

  get batch(): ReplyBatch {
    return this.pipeline ? this.pipeline.batch : this.waitingBatch.batch;
  }

  get writeRefusal(): string | null {
    return this.pipeline ? this.pipeline.refusal : null;
  }

  /** As CommitPipeline's: a read may be answered at once. */
  get settled(): boolean {
    return this.pipeline?.settled ?? false;
  }

  /** As CommitPipeline's: afterwards it may. */
  settle(): void {
    this.pipeline?.settle();
  }

  get mutationCount(): number {
    return this.keyspace.mutations;
  }

  get openSeq(): number {
    return this.pipeline ? this.pipeline.openSeq : 0;
  }

  makeRoom(limitBytes: number): boolean {
    return this.eviction.makeRoom(limitBytes, () => {
      if (this.stats) this.stats.evictedKeys++;
    });
  }

  endCommand(): void {
    if (this.pipeline) this.pipeline.endCommand();
    else this.waitingBatch.endCommand();
  }

  // ---- PersistenceView: the truth for INFO, SAVE, WAITAOF ------------------------------------------

  get lastSeq(): number {
    return this.writer?.lastSeq ?? 0;
  }

  get durableSeq(): number {
    return this.writer?.durableSeq ?? 0;
  }

  get checkpointedSeq(): number {
    return this.checkpoints?.checkpointedSeq ?? 0;
  }

  get lagBytes(): number {
    return this.checkpoints?.lagBytes ?? 0;
  }

  get lagGroups(): number {
    return this.lastSeq - this.checkpointedSeq;
  }

  get logBytes(): number {
    return this.writer?.totalBytes ?? 0;
  }

  get logSegments(): number {
    return this.writer ? this.writer.sealed.length + 1 : 0;
  }

  get checkpointRunning(): boolean {
    return this.checkpoints?.running ?? false;
  }

  get lastCheckpointAtMs(): number {
    return this.checkpoints?.lastAtMs ?? 0;
  }

  get lastCheckpointDurationMs(): number {
    return this.checkpoints?.lastDurationMs ?? 0;
  }

  get lastCheckpointError(): string | null {
    return this.checkpoints?.lastError ?? null;
  }

  get writeError(): string | null {
    return this.writeFailure;
  }

  get changesSinceCheckpoint(): number {
    return this.checkpoints?.changes ?? 0;
  }

  checkpoint(): Promise<void> {
    if (!this.checkpoints) return Promise.reject(new Error('the data are still being loaded'));
    return this.checkpoints.run();
  }

  whenDurable(seq: number): Promise<void> {
    return this.pipeline ? this.pipeline.whenDurable(seq) : Promise.resolve();
  }

  async verify(): Promise<void> {
    const onDisk = createKeyspace({ databases: this.keyspace.databaseCount, now: this.keyspace.now });
    await this.checkpoints!.suspended(async () => {
      // Without a group appended from here on, memory and disk must say the same.
      await this.pipeline!.drain();
      const seq = this.lastSeq;
      await readBack({
        directory: this.directory,
        keyspace: onDisk,
        files: this.files,
        clock: this.clock,
      });
      if (this.lastSeq !== seq || this.pipeline!.encoder.records > 0) {
        throw new StorageError('other clients wrote while it was being compared; try again', this.directory);
      }
      this.compare(onDisk);
    });
  }

  /** Commits and fsyncs what has been changed so far. @throws when the log or the disk refuses. */
  async flush(): Promise<void> {
    await this.pipeline?.drain();
  }

  // ---- Life ----------------------------------------------------------------------------------------

  /** DEBUG SET-ACTIVE-EXPIRE. */
  setActiveExpire(enabled: boolean): void {
    this.housekeeping?.setExpiring(enabled);
  }

  /**
   * Commits and fsyncs what is left, checkpoints (unless told not to), and lets go of the directory. The
   * second call waits for the first.
   */
  close(options: { checkpoint?: boolean } = {}): Promise<void> {
    this.closing ??= this.shutDown(options.checkpoint ?? true);
    return this.closing;
  }

  private async shutDown(checkpoint: boolean): Promise<void> {
    this.stopFollowing();
    if (this.graceTimer) clearTimeout(this.graceTimer);
    this.housekeeping?.stop();
    try {
      if (this.pipeline) await this.pipeline.drain();
      if (this.checkpoints) await this.checkpoints.close(checkpoint && !this.writer?.failure);
    } finally {
      this.pipeline?.close();
      try {
        this.writer?.close();
      } finally {
        this.syncThread.stop();
        this.lock?.release();
      }
    }
  }

  private startWriting(recovered: Recovered): void {
    const { writer } = recovered;
    this.pipeline = new CommitPipeline({
      keyspace: this.keyspace,
      writer,
      policy: this.config.values.appendfsync,
      clock: this.clock,
      onWriteError: (error) => this.writeErrorChanged(error),
      afterTurn: () => this.housekeeping?.turnEnded(),
    });
    this.waitingBatch.handOver(this.pipeline);
    this.checkpointer ??= this.newCheckpointer(recovered.snapshotPath, recovered.storeId);
    this.checkpoints = new Checkpoints({
      config: this.config,
      clock: this.clock,
      log: this.logger,
      writer,
      pipeline: this.pipeline,
      keyspace: this.keyspace,
      snapshotPath: recovered.snapshotPath,
      checkpointer: this.checkpointer,
      checkpointedSeq: recovered.checkpointedSeq,
    });
    this.housekeeping = new Housekeeping(this.keyspace, this.clock, () => this.pipeline!.endCommand());
  }

  /** What expired while nothing ran is deleted, by logged mutations, unless the clock may be wrong. */
  private async dropExpired(lastAtMs: number): Promise<void> {
    const { keyspace } = this;
    keyspace.now = this.clock.wallMs();
    if (lastAtMs > 0 && keyspace.now - lastAtMs > CLOCK_JUMP_MS) {
      this.hideForNow(lastAtMs);
      this.housekeeping!.start();
      return;
    }
    keyspace.expiring = 'purge';
    let touched: number;
    do {
      touched = keyspace.expireDue(DROP_BUDGET);
      this.pipeline!.endCommand();
      await new Promise((resolve) => setImmediate(resolve));
    } while (touched >= DROP_BUDGET);
    this.housekeeping!.start();
  }

  private hideForNow(lastAtMs: number): void {
    this.keyspace.expiring = 'hide';
    const days = Math.round((this.keyspace.now - lastAtMs) / (24 * 3600 * 1000));
    this.logger.warning(
      `The clock says ${new Date(this.keyspace.now).toISOString()}, ${days} days after the last write on disk. ` +
        `Expired keys are hidden, and deleted only in ${CLOCK_GRACE_MS / 60_000} minutes: if the clock is wrong, stop ` +
        'the server, set the clock right and start again; nothing is lost',
    );
    this.graceTimer = setTimeout(() => {
      this.keyspace.expiring = 'purge';
    }, CLOCK_GRACE_MS);
    this.graceTimer.unref();
  }

  private writeErrorChanged(error: Error | null): void {
    this.writeFailure = error?.message ?? null;
    if (error) this.logger.warning(`Writes are refused: ${error.message}`);
    else this.logger.notice('The log takes writes again');
  }

  private followConfig(): void {
    const { values } = this.config;
    this.keyspace.setPackingLimits(values['hash-max-listpack-entries'], values['hash-max-listpack-value']);
    this.keyspace.setUsageKind(values['maxmemory-policy'].endsWith('lfu') ? 'lfu' : 'lru');
    this.pipeline?.setPolicy(values.appendfsync);
    if (this.writer) this.writer.preallocateBytes = preallocation(values.appendfsync);
  }

  private countKeys(): number {
    let keys = 0;
    for (let db = 0; db < this.keyspace.databaseCount; db++) keys += this.keyspace.size(db);
    return keys;
  }

  private compare(onDisk: Keyspace): void {
    onDisk.now = this.keyspace.now;
    const differences = keyspaceDifferences(this.keyspace, onDisk, 5);
    if (differences.length === 0) return;
    throw new StorageError(`memory and disk differ: ${differences.join('; ')}`, this.directory);
  }
}

function preallocation(policy: SyncPolicy): number {
  return policy === 'always' ? PREALLOCATE_BYTES : 0;
}
