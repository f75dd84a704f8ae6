import type { Clock } from '../base/clock.js';
import type { Config } from '../base/config.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import type { BlockedState, Client } from './client.js';
import type { Registry } from './registry.js';
import type { Stats } from './stats.js';

/**
 * What a handler may ask of the world around the keyspace. The engine and the server implement it; a test
 * may give a small one. Handlers do no I/O themselves.
 */
export interface Host {
  readonly config: Config;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly stats: Stats;
  readonly clients: ReadonlyMap<number, Client>;
  readonly persistence: PersistenceView;
  /** Random 40 hex digits, new at every start. */
  readonly runId: string;
  readonly startedAtMs: number;
  readonly tcpPort: number;

  /**
   * Makes the client wait for `work`, then writes its reply with `done` (or an error reply when `work`
   * rejects) and goes on reading its input. For work that cannot finish inside this turn. Not for a client
   * with `denyBlocking`.
   */
  wait<T>(
    client: Client,
    work: Promise<T>,
    done: (reply: ReplyWriter, value: T) => void,
    options?: WaitOptions,
  ): void;

  /** Runs the queued commands of a transaction; the caller has written the array head. */
  runQueued(client: Client, args: readonly Buffer[]): void;

  /** Closes another client; this one after its reply. */
  kill(client: Client): void;

  /** CLIENT PAUSE: commands (all, or only writes) wait until the monotonic-equivalent wall time given. */
  pauseClients(untilMs: number, mode: 'write' | 'all'): void;
  unpauseClients(): void;

  /** Ends the process (or the embedded server); rejects when the data could not be brought to disk. */
  shutdown(options: ShutdownOptions): Promise<void>;

  /** CONFIG REWRITE: replaces the configuration file. @throws the file system's error. */
  writeConfigFile(text: string): void;

  /** DEBUG SET-ACTIVE-EXPIRE: off, an expired key stays until it is looked at. */
  setActiveExpire(enabled: boolean): void;
  /** DEBUG LOG: a line in the server's log. */
  log(message: string): void;
}

export interface ShutdownOptions {
  /** Skip the final checkpoint; the log has everything. */
  readonly nosave: boolean;
  /** Do not wait for anything that can be left out. */
  readonly now: boolean;
  /** Exit even when the data could not be brought to disk. */
  readonly force: boolean;
}

export interface WaitOptions {
  readonly reason?: BlockedState['reason'];
  /** Milliseconds after which `timedOut` answers; 0, as in Redis, for never. */
  readonly timeoutMs?: number;
  /** The reply when time is up, or on CLIENT UNBLOCK; without it the wait cannot be cut short. */
  readonly timedOut?: (reply: ReplyWriter) => void;
}

/** The truth about log, fsync and checkpoint, for INFO, SAVE, BGSAVE, LASTSAVE and WAITAOF. */
export interface PersistenceView {
  /** Position of the newest commit group handed to write(2). */
  readonly lastSeq: number;
  /** Position known to be fdatasynced. */
  readonly durableSeq: number;
  /** Position the snapshot covers. */
  readonly checkpointedSeq: number;
  /** Bytes and groups in the log that the snapshot does not cover yet. */
  readonly lagBytes: number;
  readonly lagGroups: number;
  /** Bytes in all log segments. */
  readonly logBytes: number;
  readonly logSegments: number;
  readonly checkpointRunning: boolean;
  /** Unix ms, 0 before the first. */
  readonly lastCheckpointAtMs: number;
  readonly lastCheckpointDurationMs: number;
  readonly lastCheckpointError: string | null;
  /** The append or sync error in force, null when writes are accepted. */
  readonly writeError: string | null;
  readonly loading: boolean;
  /** Of the load under way, 0 to 1. */
  readonly loadProgress: number;
  readonly loadedKeys: number;
  readonly expiredAtLoad: number;
  readonly loadDurationMs: number;
  /** Mutations since the last checkpoint. */
  readonly changesSinceCheckpoint: number;

  /** Checkpoints everything acknowledged so far; resolves when it is durable in SQLite. */
  checkpoint(): Promise<void>;
  /** Resolves once everything up to this position is fdatasynced. */
  whenDurable(seq: number): Promise<void>;
  /**
   * DEBUG RELOAD: recovers the directory into a second keyspace and compares it with memory; rejects when
   * they differ.
   */
  verify(): Promise<void>;
}
