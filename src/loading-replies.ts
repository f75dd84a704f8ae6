import type { CommitPipeline } from './commit.js';
import { ReplyBatch } from './resp/reply-batch.js';

/** Replies of the time before there is a log to commit to: -LOADING, and what needs no data. */
export class LoadingReplies {
  batch = new ReplyBatch();
  private scheduled = false;
  private pipeline: CommitPipeline | null = null;

  endCommand(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (!this.pipeline) this.batch.release();
    });
  }

  /** From now on the pipeline releases, beginning with what is not out yet. */
  handOver(pipeline: CommitPipeline): void {
    this.pipeline = pipeline;
    this.batch.release();
  }
}
