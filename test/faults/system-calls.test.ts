/** A few of the rounds of system-calls.mjs, which runs them all. */
import { expect, it, onTestFinished, vi } from 'vitest';
import { hasTool } from '../support/tools.js';
import { describeSweep, runSweep, type Sweep } from './system-calls.mjs';
import { TracedServer } from './traced-server.mjs';

const few: readonly [Sweep, number[]][] = [
  [{ call: 'pwrite64', files: 'log' }, [1, 2, 7, 30]],
  [{ call: 'fdatasync', files: 'log' }, [1, 2, 9]],
  [{ call: 'fsync', files: 'log' }, [1, 2]],
  [{ call: 'rename', files: 'log' }, [1, 2]],
  [{ call: 'unlink', files: 'log' }, [1, 2]],
  [{ call: 'openat', files: 'log' }, [1, 3, 6]],
  [{ call: 'pwrite64', files: 'snapshot' }, [1, 3, 8, 15]],
  [{ call: 'fsync', files: 'snapshot' }, [1, 2, 3]],
  [{ call: 'ftruncate', files: 'snapshot' }, [1]],
  [{ call: 'ftruncate', files: 'log', torn: true }, [1]],
  [{ call: 'pwrite64', files: 'copy', torn: true }, [1]],
  [{ call: 'fsync', files: 'copy', torn: true }, [1, 2, 3]],
  [{ call: 'rename', files: 'snapshot', fresh: true }, [1]],
  [{ call: 'pwrite64', files: 'snapshot', fresh: true }, [1, 5]],
  [{ call: 'openat', files: 'log', fresh: true }, [1, 2, 3]],
];

it.runIf(hasTool('strace')).each(few)(
  'a server killed at a system call comes back whole: %j',
  { timeout: 60_000 },
  async (sweep, counts) => {
    const result = await runSweep(sweep, { counts, seed: 1 });
    expect(result.problems, describeSweep(result)).toEqual([]);
    expect(result.killedStarting + result.killedServing, describeSweep(result)).toBeGreaterThan(0);
  },
);

it('a server that cannot be started at all is an error, not a wait', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(TracedServer.start({ dir: '/nonexistent', trace: 'none' })).rejects.toThrow('ENOENT');
});
