import type { ReplySink } from '../../src/resp/reply-batch.js';
import type { Command } from './commands.js';
import { Model } from './model.js';

/** What a client was told, and when. */
export class Reply implements ReplySink {
  outcome: 'none' | 'acknowledged' | 'refused' = 'none';
  atMs = 0;

  constructor(
    /** The newest group that the command changed or could have seen. */
    readonly seq: number,
    private readonly hears: () => boolean,
    private readonly nowMs: () => number,
  ) {}

  release(bytes: Buffer, start: number): boolean {
    if (!this.hears()) return false;
    this.outcome = bytes[start] === PLUS ? 'acknowledged' : 'refused';
    this.atMs = this.nowMs();
    return false;
  }
}

const PLUS = '+'.charCodeAt(0);

interface Entry {
  /** The group that the command's changes are in. */
  readonly seq: number;
  readonly nowMs: number;
  readonly command: Command;
  readonly reply: Reply;
}

/** Everything that was asked of the store, in order, with the commit group of each command. */
export class Ledger {
  private settled = new Model();
  private entries: Entry[] = [];

  record(entry: Entry): void {
    this.entries.push(entry);
  }

  /** The commands in groups after `seq` have not happened. */
  discardAfter(seq: number): void {
    this.entries = this.entries.filter((entry) => entry.seq <= seq);
  }

  /** What must be visible at `nowMs` when the log ends with group `seq`. */
  contentAt(seq: number, nowMs: number): string {
    return this.at(seq).visibleContent(nowMs);
  }

  /** The log has been recovered up to `seq`: the rest is lost, and this is the new beginning. */
  settle(seq: number): void {
    this.settled = this.at(seq);
    this.entries = [];
  }

  replies(): Reply[] {
    return this.entries.map(({ reply }) => reply);
  }

  /** Replies to everything but reads, which go on where writes are refused. */
  repliesToWrites(): Reply[] {
    return this.entries.filter(({ command }) => command.kind !== 'get').map(({ reply }) => reply);
  }

  private at(seq: number): Model {
    const model = this.settled.copy();
    for (const entry of this.entries) if (entry.seq <= seq) model.apply(entry.command, entry.nowMs);
    return model;
  }
}
