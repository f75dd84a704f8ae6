/**
 * Which of the programs that some tests run are installed. A test that needs one says so in its own line,
 * `test.runIf(hasTool('sqlite3'))`, and is reported as skipped where it is missing. Nothing else may keep a test
 * from running.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * Whether every one of these programs can be run by its name, and may do what it is for. With CI=true they all
 * count as installed: where a missing one is a fault of the setup, its tests have to fail rather than go unnoticed.
 * What the setup cannot give is permission (root, ptrace, mounts in a container): without it they are reported as
 * skipped there as well.
 */
export function hasTool(...names: [string, ...string[]]): boolean {
  return names.every((name) => {
    const installed = isOnPath(name);
    return installed ? isPermitted(name) : process.env['CI'] === 'true';
  });
}

/** How programs that the system may forbid are tried; each throws when it is refused. */
const TRIALS: Readonly<Record<string, () => void>> = {
  mount: tryMount,
  // The next free loop device, which an image needs that is mounted as a disk.
  losetup: () => run('losetup', ['-f']),
  // Only root may become another user.
  setpriv: () => run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'true']),
  strace: () => run('strace', ['-qq', '-o', '/dev/null', 'true']),
};

function isPermitted(name: string): boolean {
  try {
    TRIALS[name]?.();
    return true;
  } catch {
    return false;
  }
}

function tryMount(): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
  try {
    run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
    run('umount', [folder]);
  } finally {
    rmdirSync(folder);
  }
}

function run(program: string, args: string[]): void {
  execFileSync(program, args, { stdio: 'ignore' });
}

function isOnPath(name: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isProgram(join(folder, name)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
