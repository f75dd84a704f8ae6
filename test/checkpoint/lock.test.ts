import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StartupError } from '../../src/base/errors.js';
import { LOCK_FILE, lockDirectory } from '../../src/checkpoint/lock.js';
import { temporaryDirectory } from './store.js';

const COMPILED = new URL('../../.build/checkpoint/lock.js', import.meta.url).href;

async function holdInAnotherProcess(directory: string): Promise<ReturnType<typeof spawn>> {
  const script = `
    import { lockDirectory } from '${COMPILED}';
    lockDirectory(process.argv[1]);
    process.stdout.write('locked');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

describe('lockDirectory', () => {
  it('refuses within 2 s while another process has it, by any name, and not after a kill -9', async () => {
    const directory = await temporaryDirectory();
    const alias = `${await temporaryDirectory()}/alias`;
    symlinkSync(directory, alias);
    const holder = await holdInAnotherProcess(directory);
    for (const name of [directory, alias]) {
      const startMs = performance.now();
      expect(() => lockDirectory(name)).toThrow(StartupError);
      expect(() => lockDirectory(name)).toThrow(name);
      expect((performance.now() - startMs) / 2).toBeLessThan(2000);
    }
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    lockDirectory(alias).release();
  });

  it('refuses a second store in the same process, which does not loosen the first', async () => {
    const directory = await temporaryDirectory();
    const lock = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(/in use by another/);
    expect(() => lockDirectory(directory)).toThrow(/in use by another/);
    const script = `
      import { lockDirectory } from '${COMPILED}';
      try { lockDirectory(process.argv[1]); } catch { process.exit(3); }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory]);
    expect((await once(child, 'exit'))[0]).toBe(3);
    lock.release();
    lock.release();
    lockDirectory(directory).release();
  });

  it('makes a file that only its owner can read', async () => {
    const directory = await temporaryDirectory();
    lockDirectory(directory).release();
    expect(statSync(join(directory, LOCK_FILE)).mode & 0o777).toBe(0o600);
  });
});
