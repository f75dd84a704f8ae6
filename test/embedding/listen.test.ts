import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis5';
import { expect, it, onTestFinished } from 'vitest';
import { runTool } from '../support/run-tool.js';
import { hasTool } from '../support/tools.js';
import { newDirectory, openStore } from './support.js';

it.runIf(hasTool('redis-cli'))("lets other clients in on a port of the system's choice", async () => {
  const db = await openStore();
  const { port, url } = await db.listen({ port: 0 });
  expect(url).toBe(`redis://127.0.0.1:${port}`);
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  await client.set('from outside', 'a');
  expect(await db.get('from outside')).toBe('a');
  await db.hset('h', { f: 'from inside' });
  expect(await client.hget('h', 'f')).toBe('from inside');
  const cli = await runTool('redis-cli', ['-u', url, 'get', 'from outside']);
  expect(cli.stdout).toBe('a\n');
});

it.runIf(hasTool('redis-cli'))(
  'listens on several addresses at once, each with a port of its own',
  async () => {
    const db = await openStore();
    const first = await db.listen();
    const second = await db.listen({ host: '127.0.0.1' });
    expect(second.port).not.toBe(first.port);
    await db.set('k', 'v');
    for (const { url } of [first, second]) {
      expect((await runTool('redis-cli', ['-u', url, 'get', 'k'])).stdout).toBe('v\n');
    }
    await expect(db.listen({ port: first.port })).rejects.toThrow('Address already in use');
    await db.close();
    expect((await runTool('redis-cli', ['-u', first.url, 'ping'])).stderr).toContain('Could not connect');
  },
);

it.runIf(hasTool('redis-cli'))('listens on a Unix socket that only its owner may use', async () => {
  const db = await openStore();
  const path = join(await newDirectory(), 'db.sock');
  const listening = await db.listen({ path });
  expect(listening).toEqual({ port: 0, url: `unix://${path}` });
  expect(statSync(path).mode & 0o777).toBe(0o700);
  await db.set('k', 'v');
  expect((await runTool('redis-cli', ['-s', path, 'get', 'k'])).stdout).toBe('v\n');
});

it.runIf(hasTool('redis-cli'))('asks others for the password, but not the program itself', async () => {
  const db = await openStore({ requirepass: 'secret' });
  const { url } = await db.listen();
  expect(await db.set('k', 'v')).toBe('OK');
  expect((await runTool('redis-cli', ['-u', url, 'get', 'k'])).stdout).toContain('NOAUTH');
  const known = await runTool('redis-cli', ['--no-auth-warning', '-u', url, '-a', 'secret', 'get', 'k']);
  expect(known.stdout).toBe('v\n');
});
