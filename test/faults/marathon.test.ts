import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { describeMarathon, runMarathon } from './marathon.mjs';

it.each(['always', 'everysec', 'no'])(
  'kills under load lose nothing and bring nothing back (%s)',
  { timeout: 120_000 },
  async (policy) => {
    const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
    onTestFinished(() => cleanup());
    const cycles = policy === 'everysec' ? 4 : 3;
    const result = await runMarathon({ cycles, policy, seed: 1, dir: path });
    expect(result.problems, describeMarathon(result)).toEqual([]);
    expect(result.cycles).toBe(cycles);
    expect(result.tally.acknowledged).toBeGreaterThan(100);
    expect(result.checkpoints).toBeGreaterThan(0);
  },
);
