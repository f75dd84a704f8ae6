import { join } from 'node:path';
import { Redis } from 'ioredis5';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, sleep } from '../support/server-process.mjs';
import { CliProcess, launcher } from './run-cli.js';

async function temporaryFolder(): Promise<string> {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  return folder.path;
}

async function start(dir: string, port: number, ...args: string[]): Promise<CliProcess> {
  const server = new CliProcess([launcher, '--dir', dir, '--port', String(port), ...args]);
  await server.prints('REDIS_URL=');
  return server;
}

test('a restart reports what it loaded, from where, and what had expired while it was down', async () => {
  const dir = join(await temporaryFolder(), 'new');
  const port = await freePort();
  const first = await start(dir, port);
  expect(first.stdout).toContain(
    `Done loading ${dir} (an empty directory), keys loaded: 0, keys expired while down: 0`,
  );
  const client = new Redis(port);
  await client.set('stays', '1');
  await client.psetex('goes', 200, '2');
  client.disconnect();
  first.signal('SIGTERM');
  expect(await first.exitCode).toBe(0);
  await sleep(250);
  const second = await start(dir, port);
  expect(second.stdout).toMatch(
    /Done loading \S+ \(.*snapshot.*\), keys loaded: 1, keys expired while down: 1\n/,
  );
  expect(second.stdout).toMatch(/DB loaded from append only file: \d+\.\d{3} seconds\n/);
});

test('a second server on the same port, or in the same folder, is refused with what to do', async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  await start(join(folder, 'data'), port);
  const samePort = new CliProcess([launcher, '--dir', join(folder, 'other'), '--port', String(port)]);
  expect(await samePort.exitCode).toBe(1);
  expect(samePort.stderr).toBe(
    `Could not create server TCP listening socket 127.0.0.1:${port}: bind: Address already in use\n` +
      'Another server is running there: stop it, or choose another port with --port.\n',
  );
  const sameFolder = new CliProcess([
    launcher,
    '--dir',
    join(folder, 'data'),
    '--port',
    String(await freePort()),
  ]);
  expect(await sameFolder.exitCode).toBe(1);
  expect(sameFolder.stderr).toContain('is in use by another running server');
  expect(sameFolder.stderr).not.toContain('    at ');
});

test('CONFIG SET loglevel is followed at once; without a file there is nothing to rewrite', async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const server = new CliProcess([launcher, '-', '--dir', join(folder, 'data')], { input: `port ${port}\n` });
  await server.prints('REDIS_URL=');
  const client = new Redis(port);
  await client.config('SET', 'loglevel', 'nothing');
  await expect(client.config('SET', 'appendonly', 'no')).rejects.toThrow('appendonly cannot be turned off');
  await expect(client.config('REWRITE')).rejects.toThrow('ERR The server is running without a config file');
  client.disconnect();
  server.signal('SIGTERM');
  expect(await server.exitCode).toBe(0);
  expect(server.stdout).not.toContain('bye bye');
});
