import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The snapshot's own syncs are not what is tried here, so it lies in memory where the system has such a place. */
const MEMORY = '/dev/shm';

/** Gives `action` a directory of its own and removes it afterwards. */
export async function withDirectory<T>(action: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'holdfast-simulation-'));
  try {
    return await action(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}
