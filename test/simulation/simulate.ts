import { History, type Totals } from './history.js';
import { withDirectory } from './memory-directory.js';
import { Random } from './random.js';

/**
 * Runs the history of one seed: a number of cycles that the seed decides, each a start, some work and an end.
 * Only the snapshot is real; it lies in a temporary directory.
 *
 * @throws BrokenPromise, with the seed and what led to it.
 */
export async function simulate(seed: number, totals: Totals): Promise<void> {
  const cycles = new Random(seed ^ 0x5eed).between(5, 25);
  await withDirectory((directory) => new History(seed, directory, totals).run(cycles));
}
