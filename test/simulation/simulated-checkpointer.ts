import { Applier } from '../../src/checkpoint/applier.js';
import type { CheckpointResult, SealedSegment } from '../../src/checkpoint/messages.js';
import { openSnapshot, readMeta } from '../../src/checkpoint/snapshot-file.js';
import { SnapshotWriter } from '../../src/checkpoint/snapshot-writer.js';
import { applyRecords } from '../../src/log/decoder.js';
import { scanSegment } from '../../src/log/reader.js';
import type { Random } from './random.js';
import { ProcessEnded, type SimulatedDisk } from './simulated-disk.js';

/**
 * The checkpoint worker's work, here and now: it reads segments from the simulated disk into a real snapshot,
 * and the process may end before or after any of its commits.
 */
export class SimulatedCheckpointer {
  constructor(
    private readonly path: string,
    private readonly disk: SimulatedDisk,
    private readonly random: Random,
  ) {}

  async start(): Promise<void> {}

  setRest(): void {}

  async close(): Promise<boolean> {
    return true;
  }

  async run(segments: readonly SealedSegment[]): Promise<CheckpointResult> {
    const database = openSnapshot(this.path, 0);
    const batchBytes = this.random.pick([1, 2000, 64 * 1024 * 1024]);
    const applier = new Applier(new SnapshotWriter(database, this.path), { batchBytes });
    try {
      for (const segment of segments) {
        const from = applier.position(readMeta(database, this.path).lastSeq) + 1;
        this.apply(segment, applier, from);
      }
      this.maybeEnd();
      applier.commit();
      const { lastSeq } = readMeta(database, this.path);
      this.maybeEnd();
      return { lastSeq, commits: applier.stats.commits, rows: applier.stats.rows, tookMs: 0, restedMs: 0 };
    } catch (error) {
      applier.abort();
      throw error;
    } finally {
      database.close();
    }
  }

  private apply(segment: SealedSegment, applier: Applier, fromSeq: number): void {
    const { path, number, previousSeq, lastSeq } = segment;
    if (lastSeq < fromSeq) return;
    const scan = scanSegment(
      this.disk,
      path,
      { previousSeq, lastSeq, fromSeq },
      (seq, atMs, bytes, start, end) => {
        applyRecords(bytes, start, end, applier);
        applier.endGroup(seq, number, atMs);
      },
    );
    if (scan.ending.kind === 'corrupt') throw new Error(`${path}: ${scan.ending.reason}`);
  }

  private maybeEnd(): void {
    if (!this.random.chance(0.08)) return;
    this.disk.endProcess();
    throw new ProcessEnded();
  }
}
