import type { Clock } from './base/clock.js';
import { type Scheduler, systemScheduler } from './base/scheduler.js';
import type { Keyspace } from './keyspace/keyspace.js';
import { GroupEncoder } from './log/encoder.js';
import { LogSyncError, LogWriteError } from './log/errors.js';
import type { LogWriter } from './log/writer.js';
import { ReplyBatch } from './resp/reply-batch.js';

export type SyncPolicy = 'always' | 'everysec' | 'no';

/** Told when the log stops or begins again to take writes; `null` for the latter. */
export type WriteErrorListener = (error: LogWriteError | LogSyncError | null) => void;

/** Replies whose turn is in the log, waiting for the disk. */
interface WaitingTurn {
  readonly batch: ReplyBatch;
  /** Everything up to this group must be durable before they may go out. */
  readonly seq: number;
  /** The keyspace's undo position after that group. */
  readonly undo: number;
}

/** A turn that gathered more than this is cut into several groups, between commands. */
const GROUP_BYTES_MAX = 1024 * 1024;
/** With `everysec`: how often a sync begins, and how far behind one may fall before replies wait for it. */
const SYNC_INTERVAL_MS = 1000;
const SYNC_LAG_MAX_MS = 2000;
/** How often a log that refuses writes is tried again. */
const RETRY_INTERVAL_MS = 200;
/**
 * `always`: a turn of at most this many commands waits for its fdatasync on the loop, which costs less than a
 * thread's round trip; a larger one goes to a thread while the loop gathers the next. So many, because 400 connections
 * without pipelining make turns of up to 400: with a bound of 200 they had 0.88 of the throughput, with pipelines of 16
 * the same. Beginning with a part of a turn, after 200 to 2048 commands, gained nothing: the more syncs there are, the
 * more of the processors they take.
 */
const SYNC_ON_LOOP_COMMANDS_MAX = 512;
const SPARE_BATCHES_MAX = 8;

/**
 * Group commit. Everything a turn of the event loop changed becomes one group in the log, written once; by
 * policy the disk is then asked to keep it; and only then are the turn's replies released. There is no second
 * way out.
 *
 * When the log cannot take a group, the turn did not happen: the keyspace takes its mutations back, the
 * replies that spoke of them become errors, and writes are refused until the log works again.
 */
export class CommitPipeline {
  readonly encoder = new GroupEncoder();
  /** Replies of the present turn. */
  batch = new ReplyBatch();
  /** Why writes are refused, as an error reply; null while they are not. */
  refusal: string | null = null;

  private readonly keyspace: Keyspace;
  private readonly writer: LogWriter;
  private readonly clock: Clock;
  private readonly scheduler: Scheduler;
  private readonly onWriteError: WriteErrorListener;
  private readonly afterTurn: () => void;
  private policy: SyncPolicy;
  private readonly syncOnLoopCommandsMax: number;
  private scheduled = false;
  /** The first command of the present turn, since its last cut, that changed something; -1 for none. */
  private firstChange = -1;
  /** The keyspace's undo position after the last group in the log. */
  private loggedUndo: number;
  private durableUndo: number;
  private readonly waiting: WaitingTurn[] = [];
  private readonly spare: ReplyBatch[] = [];
  private syncing = false;
  private syncBeganMs = 0;
  private readonly syncWaiters: { seq: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  private stopSyncTimer: (() => void) | null = null;
  private stopRetryTimer: (() => void) | null = null;
  private closed = false;
  /** Expired keys are hidden for as long as the log refuses writes. */
  private stoppedPurging = false;

  constructor(options: {
    keyspace: Keyspace;
    writer: LogWriter;
    policy: SyncPolicy;
    clock: Clock;
    onWriteError: WriteErrorListener;
    /** Called when a turn's changes are in the log. */
    afterTurn: () => void;
    /** The event loop; something else in simulations. */
    scheduler?: Scheduler;
    /** Commands in the largest turn that is synced on the loop, where it must be synced. */
    syncOnLoopCommandsMax?: number;
  }) {
    this.keyspace = options.keyspace;
    this.writer = options.writer;
    this.clock = options.clock;
    this.scheduler = options.scheduler ?? systemScheduler;
    this.policy = options.policy;
    this.syncOnLoopCommandsMax = options.syncOnLoopCommandsMax ?? SYNC_ON_LOOP_COMMANDS_MAX;
    this.onWriteError = options.onWriteError;
    this.afterTurn = options.afterTurn;
    this.keyspace.journal = this.encoder;
    this.loggedUndo = this.keyspace.undoPosition;
    this.durableUndo = this.loggedUndo;
    this.startSyncTimer();
  }

  /** appendfsync was changed. Replies already waiting still wait. */
  setPolicy(policy: SyncPolicy): void {
    this.policy = policy;
    this.startSyncTimer();
  }

  /** The group that the present turn's changes will be in. */
  get openSeq(): number {
    return this.writer.lastSeq + 1;
  }

  /**
   * May what is read now be told at once, ahead of the turn's replies? Not while anything changed, in this
   * turn or an earlier one, is not yet as safe as the policy demands before it is told.
   */
  get settled(): boolean {
    return this.encoder.records === 0 && !this.mustWait();
  }

  /**
   * Commits what has been changed so far and waits for the disk where the policy demands it, on the loop: then all of
   * it may be told at once. Where log or disk refuse, it is taken back, and that is what may be told.
   */
  settle(): void {
    if (this.encoder.records > 0) this.append();
    if (this.mustWait()) this.syncOnLoop();
  }

  /** One command, transaction or expiry is complete. The turn ends after the poll phase, when all are. */
  endCommand(): void {
    if (!this.scheduled) {
      this.scheduled = true;
      this.scheduler.atEndOfTurn(this.endTurn);
    }
    if (this.encoder.records > 0) {
      if (this.firstChange < 0) this.firstChange = Math.max(0, this.batch.count - 1);
      if (this.encoder.payloadBytes > GROUP_BYTES_MAX) this.append();
    }
    // In the middle of a long turn: who can be answered sends more meanwhile.
    if (this.syncing) this.writer.collectSyncs();
  }

  /** Resolves when everything up to `seq` is durable; rejects when the disk has refused for good. */
  whenDurable(seq: number): Promise<void> {
    if (this.writer.durableSeq >= seq && this.encoder.records === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.syncWaiters.push({ seq, resolve, reject });
      if (this.scheduled || this.encoder.records > 0) this.endCommand();
      else this.sync();
    });
  }

  /** Commits what the present turn has gathered and waits until it is durable. */
  async drain(): Promise<void> {
    this.endTurn();
    if (this.writer.failure) throw this.writer.failure;
    if (this.writer.durableSeq < this.writer.lastSeq) await this.whenDurable(this.writer.lastSeq);
    this.releaseDurable();
  }

  /** No timer of this object runs afterwards. Call `drain` first. */
  close(): void {
    this.closed = true;
    this.stopSyncTimer?.();
    this.stopRetryTimer?.();
  }

  private readonly endTurn = (): void => {
    this.scheduled = false;
    if (this.encoder.records > 0) this.append();
    if (this.mustWait()) this.hold();
    else this.batch.release();
    if (this.waiting.length > 0 || this.syncWaiters.length > 0) this.sync();
    this.afterTurn();
  };

  /** Must the replies of this turn wait for the disk? Reads too: they may have seen what is not durable. */
  private mustWait(): boolean {
    if (this.waiting.length > 0) return true;
    if (this.writer.durableSeq >= this.writer.lastSeq || this.writer.failure) return false;
    if (this.policy === 'always') return true;
    if (this.policy === 'no') return false;
    return this.syncing && this.clock.monotonicMs() - this.syncBeganMs > SYNC_LAG_MAX_MS;
  }

  private hold(): void {
    if (this.batch.empty) return;
    this.waiting.push({ batch: this.batch, seq: this.writer.lastSeq, undo: this.loggedUndo });
    this.batch = this.spare.pop() ?? new ReplyBatch();
  }

  private append(): void {
    try {
      this.writer.append(this.encoder, this.clock.wallMs());
    } catch (error) {
      this.takeBack(error);
      return;
    }
    this.encoder.clear();
    this.firstChange = -1;
    this.loggedUndo = this.keyspace.undoPosition;
    // Under `always` what was replaced is kept until the disk has confirmed what replaced it.
    if (this.policy !== 'always') {
      this.durableUndo = this.loggedUndo;
      this.keyspace.commit(this.loggedUndo);
    }
  }

  /** The log did not take the group: nothing of it has happened. */
  private takeBack(error: unknown): void {
    if (!(error instanceof LogWriteError || error instanceof LogSyncError)) throw error;
    this.keyspace.rollback(this.loggedUndo);
    this.encoder.clear();
    this.refuseWrites(error);
    this.batch.refuse(Math.max(0, this.firstChange), this.refusal!);
    this.firstChange = -1;
  }

  private refuseWrites(error: LogWriteError | LogSyncError): void {
    this.refusal = `MISCONF Errors writing to the AOF file: ${describe(error)}`;
    // Removing what expires would be a write.
    if (this.keyspace.expiring === 'purge') {
      this.keyspace.expiring = 'hide';
      this.stoppedPurging = true;
    }
    this.onWriteError(error);
    if (error instanceof LogWriteError) this.retryLater();
  }

  private retryLater(): void {
    if (this.closed) return;
    this.stopRetryTimer?.();
    this.stopRetryTimer = this.scheduler.after(RETRY_INTERVAL_MS, () => this.retry());
  }

  private retry(): void {
    this.stopRetryTimer = null;
    try {
      this.writer.probe();
    } catch (error) {
      if (error instanceof LogSyncError) this.refuseWrites(error);
      else this.retryLater();
      return;
    }
    this.refusal = null;
    // A keyspace that hid what has expired before, because the clock is in doubt, goes on hiding it.
    if (this.stoppedPurging) this.keyspace.expiring = 'purge';
    this.stoppedPurging = false;
    this.onWriteError(null);
  }

  private sync(): void {
    if (this.syncing || this.closed) return;
    if (this.writer.failure) {
      // Also when it was a rotation that found out: nobody may wait for what can no longer come.
      if (this.waiting.length > 0 || this.syncWaiters.length > 0) this.syncFailed(this.writer.failure);
      return;
    }
    if (this.writer.durableSeq >= this.writer.lastSeq) {
      this.releaseDurable();
      return;
    }
    if (this.policy === 'always' && this.waitingCommands() <= this.syncOnLoopCommandsMax) this.syncOnLoop();
    else this.syncInBackground();
  }

  private waitingCommands(): number {
    let commands = 0;
    for (const { batch } of this.waiting) commands += batch.count;
    return commands;
  }

  private syncOnLoop(): void {
    try {
      this.writer.sync();
    } catch (error) {
      this.syncFailed(error);
      return;
    }
    this.releaseDurable();
  }

  private syncInBackground(): void {
    this.syncing = true;
    this.syncBeganMs = this.clock.monotonicMs();
    this.writer.syncInBackground((error) => {
      this.syncing = false;
      if (error) this.syncFailed(error);
      else this.releaseDurable();
      if (this.waiting.length > 0 || this.syncWaiters.length > 0) this.sync();
    });
  }

  /** Replies and waiters whose group the disk has. */
  private releaseDurable(): void {
    const { durableSeq } = this.writer;
    while (this.waiting.length > 0 && this.waiting[0]!.seq <= durableSeq) {
      const turn = this.waiting.shift()!;
      this.durableUndo = turn.undo;
      this.keyspace.commit(turn.undo);
      this.releaseBatch(turn.batch);
    }
    if (this.syncWaiters.length > 0) this.releaseWaiters(durableSeq);
    // Under `always`, groups without anybody waiting (expiry) have replaced records too.
    if (this.waiting.length === 0 && durableSeq >= this.writer.lastSeq && this.encoder.records === 0) {
      this.durableUndo = this.loggedUndo;
      this.keyspace.commit(this.loggedUndo);
    }
  }

  private releaseWaiters(durableSeq: number): void {
    const ready = this.syncWaiters.filter(({ seq }) => seq <= durableSeq);
    if (ready.length === 0) return;
    const left = this.syncWaiters.filter(({ seq }) => seq > durableSeq);
    this.syncWaiters.splice(0, this.syncWaiters.length, ...left);
    for (const { resolve } of ready) resolve();
  }

  private releaseBatch(batch: ReplyBatch): void {
    batch.release();
    if (this.spare.length < SPARE_BATCHES_MAX) this.spare.push(batch);
  }

  /**
   * The disk has refused to keep what it was given; whatever it says later proves nothing. What it had kept before
   * (a rotation may have synced while this sync was under way) is acknowledged. Of the rest nothing was under
   * `always`, so it is taken back. What is in the file may or may not be there after a restart: that is what an
   * error reply leaves open.
   */
  private syncFailed(error: unknown): void {
    if (!(error instanceof LogSyncError)) throw error;
    this.releaseDurable();
    if (this.policy === 'always') {
      this.keyspace.rollback(this.durableUndo);
      this.loggedUndo = this.durableUndo;
      this.encoder.clear();
      this.firstChange = -1;
    }
    this.refuseWrites(error);
    for (const { batch } of this.waiting.splice(0)) {
      batch.refuse(0, this.refusal!);
      this.releaseBatch(batch);
    }
    if (this.policy === 'always') this.batch.refuse(0, this.refusal!);
    for (const { reject } of this.syncWaiters.splice(0)) reject(error);
  }

  private startSyncTimer(): void {
    this.stopSyncTimer?.();
    this.stopSyncTimer = null;
    if (this.policy !== 'everysec') return;
    // An interval counts on the monotonic clock: one that is set back does not stall it.
    this.stopSyncTimer = this.scheduler.every(SYNC_INTERVAL_MS, () => this.sync());
  }
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EFBIG: 'File too large',
  EIO: 'Input/output error',
  EROFS: 'Read-only file system',
};

/** As strerror would put it, which is what clients of Redis see. */
function describe(error: LogWriteError | LogSyncError): string {
  return DESCRIPTIONS[error.code ?? ''] ?? error.message;
}
