/** Two servers and one directory; directories that cannot be used. */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { startServer } from '../support/server.js';
import { freePort, ServerProcess } from '../support/server-process.mjs';
import { hasTool } from '../support/tools.js';

const program = join(import.meta.dirname, '../../bin/holdfast');
/** An unprivileged user: root may write anywhere. Whoever may use `setpriv` may start a server as somebody else. */
const NOBODY = 65534;

interface Ended {
  code: number | null;
  output: string;
  tookMs: number;
}

/** Runs a server that is expected to end by itself. */
async function runToEnd(dir: string, user?: number): Promise<Ended> {
  const startedMs = performance.now();
  const identity = user === undefined ? {} : { uid: user, gid: user };
  const child = spawn(
    process.execPath,
    [program, '--port', String(await freePort()), '--dir', dir],
    identity,
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output, tookMs: performance.now() - startedMs };
}

async function scratch(): Promise<string> {
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  // Readable by other users, as far as this directory is concerned.
  chmodSync(path, 0o755);
  return path;
}

it.each(['its own name', 'a symbolic link'])(
  'a second server on a directory in use, by %s, ends with 1 within two seconds of its start',
  async (name) => {
    const server = await startServer({ kind: 'holdfast' });
    const link = join(await scratch(), 'link');
    symlinkSync(server.dir, link);
    const started = await runToEnd(await missing());
    const { code, output, tookMs } = await runToEnd(name === 'its own name' ? server.dir : link);
    expect(code).toBe(1);
    expect(output).toContain('is in use by another running server');
    // What any refused start takes on this machine at this moment comes on top.
    expect(tookMs - started.tookMs).toBeLessThan(2000);
  },
);

/** A path that cannot become a directory: its parent is a file. */
async function missing(): Promise<string> {
  const parent = join(await scratch(), 'file');
  writeFileSync(parent, '');
  return join(parent, 'data');
}

it('after kill -9 the next start takes the lock at once', async () => {
  const server = await startServer({ kind: 'holdfast' });
  const firstMs = await server.restart();
  for (let i = 0; i < 3; i++) {
    const againMs = await server.crashAndRestart();
    // The lock is waited for in vain for a second when it is held: it never is.
    expect(againMs).toBeLessThan(firstMs + 900);
    expect(server.logOfRun).not.toContain('in use');
  }
});

it('a path that is a file, or lies below one, is a clear message and exit code 1', async () => {
  const file = join(await scratch(), 'file');
  writeFileSync(file, 'somebody else owns this');
  const { code, output } = await runToEnd(file);
  expect([code, output]).toEqual([1, expect.stringContaining(file)]);
  expect(output).not.toContain('    at ');
  const below = await runToEnd(join(file, 'data'));
  expect([below.code, below.output]).toEqual([1, expect.stringContaining(file)]);
});

it.runIf(hasTool('setpriv'))(
  "somebody else's directory, or one that is read-only, is a clear message and exit code 1",
  async () => {
    const foreign = join(await scratch(), 'foreign');
    mkdirSync(foreign, { mode: 0o755 });
    const readOnly = join(await scratch(), 'read-only');
    mkdirSync(readOnly);
    chownSync(readOnly, NOBODY, NOBODY);
    chmodSync(readOnly, 0o555);
    for (const dir of [foreign, readOnly]) {
      const { code, output } = await runToEnd(dir, NOBODY);
      expect([code, output]).toEqual([1, expect.stringContaining(dir)]);
      expect(output).toMatch(/permission denied/i);
      expect(output).not.toContain('    at ');
      expect(readdirSync(dir)).toEqual([]);
    }
  },
);

it.runIf(hasTool('setpriv'))("another owner's data are not touched", async () => {
  const dir = await scratch();
  const server = await ServerProcess.start({ dir });
  await server.stop();
  const before = readdirSync(dir).sort();
  const { code, output } = await runToEnd(dir, NOBODY);
  expect([code, output]).toEqual([1, expect.stringContaining(dir)]);
  expect(output).not.toContain('    at ');
  expect(readdirSync(dir).sort()).toEqual(before);
});
