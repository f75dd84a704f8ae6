/**
 * The disk fails under a running server: what it refuses to keep is never acknowledged, what cannot be written
 * is taken back whole, reads go on, and writes resume when there is room.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { freePort, ServerProcess, sleep } from '../support/server-process.mjs';
import { hasTool } from '../support/tools.js';
import { Connection } from './connection.mjs';
import { logPaths, TracedServer } from './traced-server.mjs';
import { makeWriters, settleAll, totalTally, type Writer } from './workload.mjs';

const CLIENTS = 4;

async function newDirectory(): Promise<string> {
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  return realpathSync(path);
}

/** A directory that has been used, so that a start makes no files of its own. */
async function usedDirectory(): Promise<string> {
  const dir = await newDirectory();
  const server = await ServerProcess.start({ dir });
  await server.stop();
  return dir;
}

async function startTraced(dir: string, inject: string, args: string[]): Promise<TracedServer> {
  const trace = inject.split(':')[0]!;
  const server = await TracedServer.start({ dir, trace, inject, paths: logPaths(dir), args });
  onTestFinished(() => server.kill());
  expect(await server.ready(), server.log).toBe(true);
  return server;
}

async function connect(port: number): Promise<Connection> {
  const connection = await Connection.open(port);
  onTestFinished(() => connection.close());
  return connection;
}

/** Starts a plain server on the directory and compares everything with what the clients know. */
async function expectAllThere(dir: string, writers: Writer[]): Promise<void> {
  const server = await ServerProcess.start({ dir });
  try {
    expect(await settleAll(server.port, writers)).toEqual([]);
  } finally {
    await server.kill();
  }
}

async function info(connection: Connection, field: string): Promise<string> {
  const text = String(await connection.call('INFO', 'persistence'));
  return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? 'no such field';
}

async function waitFor(what: string, condition: () => Promise<boolean> | boolean, patienceMs = 15_000) {
  const deadlineMs = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

it.runIf(hasTool('strace')).each(['always', 'everysec'])(
  'one failed fdatasync ends all writes for good (%s)',
  async (policy) => {
    const dir = await usedDirectory();
    const server = await startTraced(dir, 'fdatasync:error=EIO:when=4', ['--appendfsync', policy]);
    const connection = await connect(server.port);
    let acknowledged = 0;
    let refused = 0;
    const deadlineMs = Date.now() + 20_000;
    while (refused < 50 && Date.now() < deadlineMs) {
      const [reply] = await connection.ask([['INCR', 'counter']]);
      if (reply instanceof Error) {
        expect(reply.message).toMatch(/^MISCONF /);
        refused++;
        // Long enough for every later fdatasync to succeed, and to be believed if one did believe it.
        await sleep(30);
      } else {
        expect(refused, 'no write is acknowledged after one was refused').toBe(0);
        acknowledged++;
        if (policy === 'everysec') await sleep(10);
      }
    }
    expect(refused).toBe(50);
    expect(acknowledged).toBeGreaterThan(0);
    expect(await connection.call('GET', 'counter')).toBe(String(acknowledged));
    expect(await info(connection, 'aof_last_write_status')).toBe('err');
    await server.kill();
    const again = await ServerProcess.start({ dir });
    try {
      const total = Number(await (await connect(again.port)).call('GET', 'counter'));
      // Whether the write that the disk would not keep is there is what its error reply left open.
      expect(total).toBeGreaterThanOrEqual(acknowledged);
      expect(total).toBeLessThanOrEqual(acknowledged + 1);
    } finally {
      await again.kill();
    }
  },
);

it.runIf(hasTool('strace')).each(['ENOSPC', 'EIO'])(
  'a write that fails with %s is undone and refused; reads go on; writes resume',
  async (code) => {
    const dir = await usedDirectory();
    const server = await startTraced(dir, `pwrite64:error=${code}:when=20..30`, ['--appendfsync', 'always']);
    const reader = await connect(server.port);
    const writers = makeWriters(CLIENTS, { seed: 1 });
    let stop = () => {};
    const until = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const running = writers.map((writer) => writer.run(server.port, { window: 4, until }));
    await waitFor('a refusal', () => totalTally(writers).refused > 0);
    // PING, as in Redis, tells a client that writes are refused; reads go on.
    expect(await reader.call('EXISTS', 'key')).toBe(0);
    await waitFor('writes to resume', async () => (await info(reader, 'aof_last_write_status')) === 'ok');
    const before = totalTally(writers).acknowledged;
    await waitFor('more writes', () => totalTally(writers).acknowledged > before + 50);
    stop();
    await Promise.all(running);
    expect(server.log).toContain('Writes are refused');
    expect(server.log).toContain('The log takes writes again');
    expect(await settleAll(server.port, writers)).toEqual([]);
    await server.kill();
    await expectAllThere(dir, writers);
  },
);

it.runIf(hasTool('prlimit'))(
  'a short write of the log, at the limit of a file, is undone; the next segment takes the writes',
  async () => {
    const dir = await usedDirectory();
    const port = await freePort();
    const program = join(import.meta.dirname, '../../bin/holdfast');
    // Node ignores SIGXFSZ: a write that crosses the limit is cut short, and the next one fails with EFBIG.
    const limit = ['--fsize=300000', process.execPath, program, '--port', String(port), '--dir', dir];
    const child = spawn('prlimit', [...limit, '--appendfsync', 'always', '--checkpoint-interval', '3'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let log = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    await waitFor('the start', () => log.includes('Ready to accept connections'));
    const writers = makeWriters(CLIENTS, { seed: 2, largestValue: 5000 });
    const running = writers.map((writer) => writer.run(port, { window: 8 }));
    await waitFor('a refusal', () => totalTally(writers).refused > 0);
    const before = totalTally(writers).acknowledged;
    await waitFor('writes to resume', () => totalTally(writers).acknowledged > before + 200);
    expect(log).toContain('Writes are refused');
    child.kill('SIGKILL');
    await Promise.all(running);
    await expectAllThere(dir, writers);
  },
);

it.runIf(hasTool('mount'))(
  'a full disk refuses writes, keeps what was acknowledged, and takes writes again when there is room',
  async () => {
    const dir = await newDirectory();
    const disk = join(dir, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk], { stdio: 'pipe' });
    const data = join(disk, 'data');
    const server = await ServerProcess.start({
      dir: disk,
      args: ['--dir', data, '--appendfsync', 'always', '--checkpoint-interval', '1'],
    });
    try {
      const filler = join(disk, 'filler');
      writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024));
      const writers = makeWriters(CLIENTS, { seed: 3, largestValue: 60_000 });
      const reader = await connect(server.port);
      await (await connect(server.port)).call('SET', 'before', 'kept');
      const hog = await connect(server.port);
      // Other clients' values fill the disk; values that do not compress into few rows.
      const running = writers.map((writer) => writer.run(server.port, { window: 4 }));
      for (let i = 0; totalTally(writers).refused === 0 && i < 2000; i++) {
        await hog.ask([
          ['SELECT', '9'],
          ['SET', `hog:${i}`, 'x'.repeat(20_000)],
        ]);
      }
      expect(totalTally(writers).refused).toBeGreaterThan(0);
      expect(await reader.call('GET', 'before')).toBe('kept');
      await waitFor('INFO to show it', async () => (await info(reader, 'aof_last_write_status')) === 'err');
      rmSync(filler);
      await waitFor('writes to resume', async () => (await info(reader, 'aof_last_write_status')) === 'ok');
      const before = totalTally(writers).acknowledged;
      await waitFor('more writes', () => totalTally(writers).acknowledged > before);
      await server.kill();
      await Promise.all(running);
      await server.start();
      // The key that is nobody's would be a surprise to the first client.
      await (await connect(server.port)).call('DEL', 'before');
      expect(await settleAll(server.port, writers)).toEqual([]);
    } finally {
      await server.kill();
      execFileSync('umount', ['-l', disk]);
    }
  },
);

it.runIf(hasTool('sqlite3'))(
  'a snapshot that somebody else has locked keeps the log, shows in INFO, and is tried again',
  async () => {
    const dir = await usedDirectory();
    const server = await ServerProcess.start({ dir, args: ['--checkpoint-interval', '1'] });
    onTestFinished(() => void server.kill());
    const connection = await connect(server.port);
    const locker = spawn('sqlite3', [join(dir, 'snapshot.sqlite')], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void locker.kill('SIGKILL'));
    let answer = '';
    locker.stdout.on('data', (text) => {
      answer += text;
    });
    locker.stdin.write("BEGIN IMMEDIATE; SELECT 'locked';\n");
    await waitFor('the lock', () => answer.includes('locked'));
    await connection.call('SET', 'key', 'value');
    await waitFor('INFO to show it', async () =>
      /SQLITE_BUSY/.test(await info(connection, 'holdfast_last_checkpoint_error')),
    );
    expect(Number(await info(connection, 'holdfast_log_segments'))).toBeGreaterThan(1);
    expect(await connection.call('INCR', 'counter')).toBe(1);
    await server.kill();
    await server.start();
    const again = await connect(server.port);
    expect(
      await again.ask([
        ['GET', 'key'],
        ['GET', 'counter'],
      ]),
    ).toEqual(['value', '1']);
    locker.stdin.end('ROLLBACK;\n');
    await waitFor(
      'the checkpoint',
      async () => (await info(again, 'holdfast_checkpoint_lag_groups')) === '0',
      25_000,
    );
    expect(await info(again, 'rdb_last_bgsave_status')).toBe('ok');
    expect(readFileSync(join(dir, 'snapshot.sqlite')).includes('counter')).toBe(true);
  },
);
