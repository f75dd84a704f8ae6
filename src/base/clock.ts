/**
 * Time comes in from outside, so that a test can hold it still. Wall time decides when a key expires (an
 * absolute timestamp has to mean the same after a restart); monotonic time measures intervals, which a
 * clock that is put back must not stretch.
 */
export interface Clock {
  /** Unix time in whole milliseconds. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, never going back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
