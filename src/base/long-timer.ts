/** The longest delay setTimeout takes; anything beyond fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Calls `action` once after `delayMs` (of any size), without keeping the process alive.
 *
 * @returns a function that cancels it.
 */
export function startTimer(delayMs: number, action: () => void): () => void {
  let restMs = delayMs;
  let timer: NodeJS.Timeout;
  const arm = () => {
    const stepMs = Math.min(restMs, LONGEST_MS);
    restMs -= stepMs;
    timer = setTimeout(restMs > 0 ? arm : action, stepMs).unref();
  };
  arm();
  return () => clearTimeout(timer);
}
