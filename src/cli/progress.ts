import type { Log } from '../base/log.js';
import type { RecoveryProgress } from '../recovery.js';

const BAR_CELLS = 40;
/** Often enough to look alive, seldom enough to cost nothing. */
const BAR_INTERVAL_MS = 100;
/** Between two lines in a log, where progress is read later. */
const LINE_INTERVAL_MS = 2000;

/** Shows the progress of reading data: a bar on a terminal, now and then a line elsewhere. */
export class ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #log: Pick<Log, 'notice'>;
  readonly #monotonicMs: () => number;
  readonly #activity: string;
  #shownAtMs: number;
  #barShown = false;

  /** @param activity what is being done to the data, as the first word of a sentence. */
  constructor(
    stream: NodeJS.WriteStream,
    log: Pick<Log, 'notice'>,
    monotonicMs: () => number,
    activity = 'Loading',
  ) {
    this.#stream = stream;
    this.#log = log;
    this.#monotonicMs = monotonicMs;
    this.#activity = activity;
    this.#shownAtMs = monotonicMs();
  }

  show(progress: RecoveryProgress): void {
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#shownAtMs < (this.#stream.isTTY ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#shownAtMs = nowMs;
    if (this.#stream.isTTY) this.#drawBar(progress);
    else this.#log.notice(`${this.#activity} the ${progress.phase}: ${percent(progress)}%`);
  }

  #drawBar(progress: RecoveryProgress): void {
    const filled = Math.floor((percent(progress) / 100) * BAR_CELLS);
    const bar = '#'.repeat(filled) + '-'.repeat(BAR_CELLS - filled);
    this.#stream.write(`\r${this.#activity} the ${progress.phase.padEnd(8)} [${bar}] ${percent(progress)}% `);
    this.#barShown = true;
  }

  /** Removes the bar, so that the next message begins on a clean line. */
  finish(): void {
    if (this.#barShown) this.#stream.write('\r\x1b[2K');
    this.#barShown = false;
  }
}

function percent(progress: RecoveryProgress): number {
  if (progress.total <= 0) return 100;
  return Math.min(100, Math.floor((progress.done / progress.total) * 100));
}
