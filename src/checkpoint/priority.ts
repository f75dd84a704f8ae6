import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';

/** Of 40 steps: a tenth of the share of a thread that serves clients, when there is not enough for both. */
const BACKGROUND_NICENESS = 10;

/**
 * Lets every other thread go first where processors are scarce. Linux keeps a priority for each thread and
 * tells a thread its number; elsewhere nothing happens, and the checkpoint takes its part like any thread.
 */
export function yieldToOtherThreads(): void {
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, BACKGROUND_NICENESS);
  } catch {
    // No such file, or not allowed: a matter of speed, not of correctness.
  }
}
