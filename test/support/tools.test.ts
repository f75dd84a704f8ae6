import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, onTestFinished, test, vi } from 'vitest';
import { hasTool } from './tools.js';

/** A PATH of two folders, the second of which has what the tests look for. */
async function setUpPath(): Promise<string> {
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await cleanup();
  });
  for (const name of ['program', 'another', 'notes']) writeFileSync(join(path, name), '#!/bin/sh\n');
  for (const name of ['program', 'another']) chmodSync(join(path, name), 0o755);
  mkdirSync(join(path, 'folder'));
  vi.stubEnv('PATH', ['/nonexistent', '', path].join(delimiter));
  vi.stubEnv('CI', undefined);
  return path;
}

test('a program on the PATH is a tool; a file that is none, a folder or a stranger is not', async () => {
  await setUpPath();
  const names = ['program', 'another', 'notes', 'folder', 'stranger'];
  expect(names.filter((name) => hasTool(name))).toEqual(['program', 'another']);
});

test('of several tools none may be missing', async () => {
  await setUpPath();
  expect(hasTool('program', 'another')).toBe(true);
  expect(hasTool('program', 'stranger')).toBe(false);
});

test('with CI=true every tool counts as installed, so that no test of it is left out', async () => {
  await setUpPath();
  vi.stubEnv('CI', 'true');
  expect(hasTool('stranger')).toBe(true);
});

test('a program that is installed but refused is no tool, with CI=true neither', async () => {
  const folder = await setUpPath();
  const install = (code: number) => {
    for (const name of ['strace', 'losetup', 'setpriv', 'mount', 'umount']) {
      writeFileSync(join(folder, name), `#!/bin/sh\nexit ${code}\n`, { mode: 0o755 });
    }
  };
  const answers = () => ['strace', 'losetup', 'setpriv', 'mount'].map((name) => hasTool(name));
  install(0);
  expect(answers()).toEqual([true, true, true, true]);
  install(1);
  expect(answers()).toEqual([false, false, false, false]);
  vi.stubEnv('CI', 'true');
  expect(answers()).toEqual([false, false, false, false]);
});
