/**
 * The checkpoint worker: the only code that writes to the snapshot while the server runs.
 *
 * It reads sealed segments, applies them and says how far the snapshot is durable. It deletes nothing: the
 * segments belong to the main thread, which removes them after it has heard of the commit.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { AssertionFailure, assert } from '../base/assert.js';
import { StorageError } from '../base/errors.js';
import { applyRecords } from '../log/decoder.js';
import { nodeFiles } from '../log/files.js';
import { scanSegment } from '../log/reader.js';
import { segmentFileBytes } from '../log/segments.js';
import { Applier, batchBytesFor } from './applier.js';
import {
  ABANDON,
  type CheckpointResult,
  type FromWorker,
  REST,
  type SealedSegment,
  type ToWorker,
  type WorkerSettings,
} from './messages.js';
import { yieldToOtherThreads } from './priority.js';
import { checkStructure, openSnapshot, readMeta } from './snapshot-file.js';
import { SnapshotWriter } from './snapshot-writer.js';
import { type Connection, sqliteCode } from './sqlite.js';

/** The main thread tries again later; waiting long in here would only look like a hang. */
const BUSY_TIMEOUT_MS = 200;
const PROGRESS_INTERVAL_MS = 250;
/**
 * Work that can wait is done in pieces of so many milliseconds, and each is followed by a rest. A low priority alone
 * does not keep it out of the way of the threads that serve: with two processors, both busy, working without a rest
 * took 21 to 31 % of the SETs in a second. Each piece also evicts what those threads have in the cache that all
 * processors share: with pieces of 5 ms, however long the rests, a SET took 4 to 17 % more of the main thread. Few
 * long pieces do that less often.
 */
const PIECE_MS = 100;
/** However long a piece took: a single statement of SQLite can take seconds. */
const REST_MAX_MS = 1000;
/**
 * SQLite's own cache of pages, in KiB. Rows come in their order, so that a page is needed once and the pages
 * above it are the ones used last: eight times as much made no difference to the time, only to the memory.
 */
const CACHE_KIBIBYTES = 4 * 1024;

class CheckpointWorker {
  private readonly database: Connection;
  private readonly applier: Applier;
  private readonly control: Int32Array;
  private lastProgressMs = 0;
  /** End of the last rest; how long all rests of this job were. */
  private restedAtMs = 0;
  private restedMs = 0;

  constructor(
    private readonly port: MessagePort,
    private readonly settings: WorkerSettings,
  ) {
    const { path, storeId } = settings;
    this.control = new Int32Array(settings.control);
    yieldToOtherThreads();
    this.database = openSnapshot(path, BUSY_TIMEOUT_MS);
    this.database.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
    const meta = readMeta(this.database, path);
    if (!meta.storeId.equals(storeId))
      throw new StorageError('the snapshot belongs to another store than the log', path);
    if (settings.checkStructure) checkStructure(this.database, path);
    this.applier = new Applier(new SnapshotWriter(this.database, path), {
      onProgress: () => this.progress(),
    });
    this.send({ kind: 'ready', lastSeq: meta.lastSeq });
  }

  receive(message: ToWorker): void {
    if (message.kind === 'close') {
      this.close();
      return;
    }
    try {
      this.send({ kind: 'done', result: this.checkpoint(message.segments) });
    } catch (error) {
      this.fail(error);
    }
  }

  /** Groups that the snapshot has already are skipped: a job may be given again after a failure. */
  private checkpoint(segments: readonly SealedSegment[]): CheckpointResult {
    const startMs = performance.now();
    this.restedAtMs = startMs;
    this.restedMs = 0;
    const { commits, rows } = this.applier.stats;
    this.stopIfAbandoned();
    this.applier.batchBytes = this.settings.batchBytes ?? batchBytesFor(totalBytes(segments));
    for (const segment of segments) this.applySegment(segment);
    this.applier.commit();
    this.applier.release();
    this.truncateWal();
    return {
      lastSeq: this.committedSeq(),
      commits: this.applier.stats.commits - commits,
      rows: this.applier.stats.rows - rows,
      tookMs: performance.now() - startMs,
      restedMs: this.restedMs,
    };
  }

  private applySegment(segment: SealedSegment): void {
    const { path, number, previousSeq, lastSeq } = segment;
    const from = this.applier.position(this.committedSeq()) + 1;
    if (lastSeq < from) return;
    if (previousSeq >= from) {
      throw new StorageError(
        `begins after group ${previousSeq}, but the snapshot ends with ${from - 1}`,
        path,
        0,
      );
    }
    const expectation = { storeId: Buffer.from(this.settings.storeId), previousSeq, lastSeq, fromSeq: from };
    const scan = scanSegment(nodeFiles, path, expectation, (seq, atMs, bytes, start, end) => {
      applyRecords(bytes, start, end, this.applier);
      this.applier.endGroup(seq, number, atMs);
      this.progress();
    });
    if (scan.ending.kind === 'corrupt') throw new StorageError(scan.ending.reason, path, scan.ending.offset);
    assert(scan.lastSeq === lastSeq, `${path} ends with group ${scan.lastSeq}, not ${lastSeq}`);
  }

  private committedSeq(): number {
    return readMeta(this.database, this.settings.path).lastSeq;
  }

  /** The transaction is rolled back by `fail`; what earlier ones have committed stays. */
  private stopIfAbandoned(): void {
    if (Atomics.load(this.control, ABANDON) !== 0) throw new Error('abandoned');
  }

  private progress(): void {
    this.stopIfAbandoned();
    const nowMs = this.rest(performance.now());
    if (nowMs - this.lastProgressMs < PROGRESS_INTERVAL_MS) return;
    this.lastProgressMs = nowMs;
    this.send({ kind: 'progress', committedSeq: this.committedSeq() });
  }

  /** @returns the time after the rest, if it was time for one. */
  private rest(startMs: number): number {
    const workedMs = startMs - this.restedAtMs;
    if (workedMs < PIECE_MS) return startMs;
    let nowMs = startMs;
    for (;;) {
      // Changed at any time, which wakes the worker.
      const tenths = Atomics.load(this.control, REST);
      const leftMs = startMs + Math.min((workedMs * tenths) / 10, REST_MAX_MS) - nowMs;
      if (leftMs <= 0) break;
      Atomics.wait(this.control, REST, tenths, leftMs);
      nowMs = performance.now();
    }
    this.restedAtMs = nowMs;
    this.restedMs += nowMs - startMs;
    return nowMs;
  }

  /** @returns false while another program reads the snapshot: SQLite says so in a row, not with an error. */
  private truncateWal(): boolean {
    const [row] = this.database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    return row?.busy === 0;
  }

  private fail(error: unknown): void {
    this.applier.abort();
    const message = error instanceof Error ? error.message : String(error);
    const code = sqliteCode(error);
    this.send({
      kind: 'failed',
      message: code === undefined ? message : `${code}: ${message}`,
      permanent: isPermanent(error),
    });
  }

  /** The connection is closed before the thread ends: what SQLite holds must not die with the thread. */
  private close(): void {
    const complete = this.truncateWal();
    this.database.close();
    this.send({ kind: 'closed', complete });
    this.port.close();
  }

  private send(message: FromWorker): void {
    this.port.postMessage(message);
  }
}

function totalBytes(segments: readonly SealedSegment[]): number {
  return segments.reduce((sum, { path }) => sum + segmentFileBytes(nodeFiles, path), 0);
}

/** Damage and broken invariants stay; a lock, a full disk or a failing one may pass. */
function isPermanent(error: unknown): boolean {
  if (error instanceof AssertionFailure) return true;
  const code = sqliteCode(error) ?? (error instanceof StorageError ? sqliteCode(error.cause) : undefined);
  if (code !== undefined) return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB';
  return error instanceof StorageError;
}

assert(parentPort !== null, 'the checkpoint worker is started as a worker thread');
const port = parentPort;
try {
  const worker = new CheckpointWorker(port, workerData as WorkerSettings);
  port.on('message', (message: ToWorker) => worker.receive(message));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  port.postMessage({ kind: 'failed', message, permanent: isPermanent(error) } satisfies FromWorker);
  port.close();
}
