import { expect, it } from 'vitest';
import { hasTool } from '../support/tools.js';
import { describeCuts, runPowerCuts } from './power-cut.mjs';

it.runIf(hasTool('mount', 'losetup', 'mkfs.ext4', 'python3')).each(['always', 'everysec'] as const)(
  'power cuts cost no more than %s allows',
  { timeout: 60_000 },
  async (policy) => {
    const result = await runPowerCuts({ cuts: 2, policy, seed: 1 });
    expect(result.problems, describeCuts(policy, result)).toEqual([]);
    expect(result.cuts).toBe(2);
    expect(result.tally.acknowledged).toBeGreaterThan(0);
    // A second, and what a sync of a busy disk takes.
    expect(result.oldestLostMs).toBeLessThan(policy === 'always' ? 1 : 3000);
  },
);
