import type { Clock } from '../../src/base/clock.js';
import type { Scheduler } from '../../src/base/scheduler.js';

interface Timer {
  dueMs: number;
  readonly intervalMs: number | undefined;
  readonly action: () => void;
}

/** Time that passes only when it is told to, and an event loop whose turns end only when they are told to. */
export class VirtualTime implements Clock, Scheduler {
  private nowMs = 0;
  private timers: Timer[] = [];
  private endOfTurn: (() => void)[] = [];

  constructor(private readonly startMs: number) {}

  wallMs(): number {
    return this.startMs + this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  atEndOfTurn(action: () => void): void {
    this.endOfTurn.push(action);
  }

  after(delayMs: number, action: () => void): () => void {
    return this.start({ dueMs: this.nowMs + delayMs, intervalMs: undefined, action });
  }

  every(intervalMs: number, action: () => void): () => void {
    return this.start({ dueMs: this.nowMs + intervalMs, intervalMs, action });
  }

  endTurn(): void {
    for (const action of this.endOfTurn.splice(0)) action();
  }

  /** Lets time pass, running what falls due at its moment. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const next = this.timers.reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
        undefined,
      );
      if (next === undefined || next.dueMs > untilMs) break;
      this.nowMs = next.dueMs;
      if (next.intervalMs === undefined) this.stop(next);
      else next.dueMs += next.intervalMs;
      next.action();
    }
    this.nowMs = untilMs;
  }

  /** The process has ended: nothing of it runs any more. */
  forgetEverything(): void {
    this.timers = [];
    this.endOfTurn = [];
  }

  private start(timer: Timer): () => void {
    this.timers.push(timer);
    return () => this.stop(timer);
  }

  private stop(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
  }
}
