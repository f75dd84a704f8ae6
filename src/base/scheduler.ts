/**
 * When work is done later comes in from outside, as the time does (base/clock.ts), so that a simulation can
 * decide it. Nothing scheduled here keeps the process alive, except for the end of a turn.
 */
export interface Scheduler {
  /** Runs `action` once the event loop has handled everything that was ready in this turn. */
  atEndOfTurn(action: () => void): void;
  /** Runs `action` once, after at most 2^31 - 1 ms. Returns what cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** Runs `action` again and again, every so many ms, at most 2^31 - 1. Returns what ends it. */
  every(intervalMs: number, action: () => void): () => void;
}

export const systemScheduler: Scheduler = {
  atEndOfTurn: (action) => void setImmediate(action),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs).unref();
    return () => clearTimeout(timer);
  },
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs).unref();
    return () => clearInterval(timer);
  },
};
