/**
 * Real servers whose clock is wrong, jumps, or moved on while they were down. libfaketime stands between the
 * process and the wall clock; the monotonic clock, and so every timer, stays the kernel's.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { hasTool } from '../support/tools.js';
import { Connection } from './connection.mjs';
import { SMALL_CHECKPOINTS } from './marathon.mjs';
import { setClock, shiftedClock } from './shifted-clock.mjs';

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const YEAR_S = 365 * DAY_S;
/** The longest delay of a JavaScript timer, 24.8 days; beyond it one fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A server with a wall clock of its own. */
class ShiftedServer {
  private constructor(
    readonly process: ServerProcess,
    private readonly clockFile: string,
  ) {}

  static async start(...args: string[]): Promise<ShiftedServer> {
    const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
    const clockFile = join(path, 'clock');
    setClock(clockFile, 0);
    const dir = join(path, 'data');
    const process = await ServerProcess.start({
      dir: path,
      args: ['--dir', dir, ...args],
      env: shiftedClock(clockFile),
    });
    onTestFinished(async () => {
      await process.kill();
      await cleanup();
    });
    return new ShiftedServer(process, clockFile);
  }

  /** How far the server's clock is ahead of the real one, or behind it, from now on. */
  set aheadSeconds(seconds: number) {
    setClock(this.clockFile, seconds);
  }

  async connect(): Promise<Connection> {
    const connection = await Connection.open(this.process.port);
    onTestFinished(() => connection.close());
    return connection;
  }

  /** What a person sees who opens the snapshot of a server that is down: every stored key. */
  storedKeys(): string[] {
    const path = join(this.process.dir, 'data', 'snapshot.sqlite');
    const sql = 'SELECT CAST(key AS TEXT) FROM stored_keys ORDER BY key';
    return execFileSync('sqlite3', [path, sql], { encoding: 'utf8' }).split('\n').filter(Boolean);
  }
}

/** Every way in which a client can see that a key exists. */
async function visible(connection: Connection, names: readonly string[]): Promise<Record<string, unknown>> {
  const [values, exists, size, keys, scanned] = await connection.ask([
    ['MGET', ...names],
    ['EXISTS', ...names],
    ['DBSIZE'],
    ['KEYS', '*'],
    ['SCAN', '0', 'COUNT', '1000'],
  ]);
  return {
    values: (values as (string | null)[]).filter((value) => value !== null),
    exists,
    size,
    keys: (keys as string[]).sort(),
    scanned: (scanned as [string, string[]])[1].sort(),
  };
}

/** What `visible` returns when there are just these strings, whose values are their names. */
function just(...names: string[]): Record<string, unknown> {
  return { values: names, exists: names.length, size: names.length, keys: names, scanned: names };
}

async function info(connection: Connection, field: string): Promise<number> {
  const text = String(await connection.call('INFO', 'everything'));
  return Number(new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)![1]);
}

async function waitFor(what: string, condition: () => Promise<boolean>, patienceMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

describe.runIf(hasTool('faketime', 'sqlite3'))('time', () => {
  it('keys that expired while the server was down are gone everywhere, those set again are not', async () => {
    const server = await ShiftedServer.start();
    const before = await server.connect();
    const setAll = (place: string): string[][] => [
      ['SETEX', `${place}:gone`, String(HOUR_S), `${place}:gone`],
      ['SETEX', `${place}:again`, String(HOUR_S), 'old'],
      ['SETEX', `${place}:extended`, String(HOUR_S), `${place}:extended`],
      ['SETEX', `${place}:long`, String(3 * HOUR_S), `${place}:long`],
      ['HSETEX', `${place}:hash`, 'EX', String(HOUR_S), 'FIELDS', '1', 'only', 'field'],
    ];
    await before.ask(setAll('snapshot'));
    expect(await before.call('SAVE')).toBe('OK');
    await before.ask(setAll('log'));
    for (const place of ['snapshot', 'log']) {
      await before.call('SET', `${place}:again`, `${place}:again`);
      await before.call('EXPIRE', `${place}:extended`, String(3 * HOUR_S));
    }
    await server.process.kill();
    expect(server.storedKeys()).toContain('snapshot:gone');

    server.aheadSeconds = 2 * HOUR_S;
    await server.process.start();
    const after = await server.connect();
    const kept = ['again', 'extended', 'long'];
    const names = ['log', 'snapshot'].flatMap((place) => kept.map((name) => `${place}:${name}`));
    const all = [...names, 'log:gone', 'snapshot:gone', 'log:hash', 'snapshot:hash'];
    expect(await visible(after, all)).toEqual(just(...names));
    expect(await after.call('HGETALL', 'snapshot:hash')).toEqual([]);
    expect(await info(after, 'expired_keys')).toBe(4);
    expect(await after.call('SAVE')).toBe('OK');
    await server.process.kill();
    expect(server.storedKeys()).toEqual(names);
    // The clock put back does not bring them back either.
    server.aheadSeconds = 0;
    await server.process.start();
    expect(await visible(await server.connect(), all)).toEqual(just(...names));
  });

  it.each(['is killed', 'is stopped'])(
    'a server that starts ten years ahead, %s, and starts with the right time has lost nothing',
    async (end) => {
      const server = await ShiftedServer.start();
      const names = ['for ever', 'session', 'session in the log'];
      const before = await server.connect();
      await before.ask([
        ['SETEX', 'session', String(HOUR_S), 'session'],
        ['SET', 'for ever', 'for ever'],
        ['HSET', 'hash', 'plain', 'v'],
        ['HSETEX', 'hash', 'EX', String(HOUR_S), 'FIELDS', '1', 'timed', 'v'],
        ['SAVE'],
        ['SETEX', 'session in the log', String(HOUR_S), 'session in the log'],
      ]);
      await server.process.kill();

      server.aheadSeconds = 10 * YEAR_S;
      await server.process.start();
      const ahead = await server.connect();
      expect(server.process.logOfRun).toContain('deleted only in 60 minutes');
      // What is hidden is not counted.
      expect(await visible(ahead, names)).toEqual({
        ...just('for ever'),
        size: 2,
        keys: ['for ever', 'hash'],
        scanned: ['for ever', 'hash'],
      });
      expect(await ahead.call('HGETALL', 'hash')).toEqual(['plain', 'v']);
      expect(await ahead.call('HLEN', 'hash')).toBe(1);
      await ahead.call('SET', 'meanwhile', 'meanwhile');
      expect(await ahead.call('DBSIZE')).toBe(3);
      expect(await ahead.call('SAVE')).toBe('OK');
      if (end === 'is killed') await server.process.kill();
      else await server.process.stop();

      server.aheadSeconds = 0;
      await server.process.start();
      const right = await server.connect();
      expect(await right.call('DEL', 'meanwhile')).toBe(1);
      expect(await visible(right, names)).toMatchObject({ values: names, size: 4 });
      expect(await right.call('HLEN', 'hash')).toBe(2);
      const [key, field] = await right.ask([
        ['TTL', 'session'],
        ['HTTL', 'hash', 'FIELDS', '1', 'timed'],
      ]);
      for (const ttl of [key, (field as number[])[0]]) {
        expect(ttl).toBeGreaterThan(HOUR_S - 60);
        expect(ttl).toBeLessThanOrEqual(HOUR_S);
      }
    },
  );

  it('a clock set back by a day under a running server stalls neither fsync nor checkpoints nor expiry', async () => {
    const server = await ShiftedServer.start('--appendfsync', 'everysec', ...SMALL_CHECKPOINTS);
    const connection = await server.connect();
    await connection.ask([
      ['SETEX', 'before', String(HOUR_S), 'v'],
      ['PSETEX', 'short', '200', 'v'],
    ]);
    await waitFor('an expiry before', async () => (await info(connection, 'expired_keys')) === 1);

    server.aheadSeconds = -DAY_S;
    await waitFor('the jump', async () => {
      const [seconds] = (await connection.call('TIME')) as [string];
      return Number(seconds) < Date.now() / 1000 - DAY_S / 2;
    });
    // Nobody asks for these keys: only the server's own timer can remove them.
    await connection.ask([
      ['PSETEX', 'after', '300', 'v'],
      ['HSETEX', 'hash', 'PX', '300', 'FIELDS', '1', 'only', 'v'],
      ['SET', 'filler', 'x'.repeat(100_000)],
    ]);
    const written = await info(connection, 'holdfast_last_seq');
    await waitFor('fsync', async () => (await info(connection, 'holdfast_durable_seq')) >= written, 4000);
    await waitFor('expiry', async () => (await info(connection, 'expired_keys')) === 3, 4000);
    await waitFor(
      'a checkpoint',
      async () => (await info(connection, 'holdfast_checkpointed_seq')) >= written,
    );
    expect(await connection.call('KEYS', '*')).toEqual(expect.arrayContaining(['before', 'filler']));
    expect(await connection.call('DBSIZE')).toBe(2);
    // What was set before keeps its moment, which is now a day further away.
    expect(await connection.call('TTL', 'before')).toBeGreaterThan(DAY_S);
    await server.process.crashAndRestart();
    const again = await server.connect();
    expect((await again.call('KEYS', '*')) as string[]).toHaveLength(2);
    await again.call('PSETEX', 'again', '100', 'v');
    await waitFor('expiry after the restart', async () => (await info(again, 'expired_keys')) === 1, 4000);
  });

  it('what lives longer than a timer can wait does not expire early, nor late', async () => {
    const server = await ShiftedServer.start();
    const connection = await server.connect();
    const seconds = Math.ceil(TIMER_MAX_MS / 1000) + 1;
    await connection.ask([
      ['SETEX', 'key', String(seconds), 'v'],
      ['HSETEX', 'hash', 'EX', String(seconds), 'FIELDS', '1', 'only', 'v'],
      ['HSET', 'mixed', 'timed', 'v', 'plain', 'v'],
      ['HEXPIRE', 'mixed', String(seconds), 'FIELDS', '1', 'timed'],
      // As unsigned 32 bits this would be a moment from now.
      ['PSETEX', 'wrapped', String(2 ** 32 + 1), 'v'],
      ['PSETEX', 'twice', String(2 ** 33 + 1), 'v'],
    ]);
    const all = ['hash', 'key', 'mixed', 'twice', 'wrapped'];
    const stay = async () => {
      await sleep(250);
      expect(((await connection.call('KEYS', '*')) as string[]).sort()).toEqual(all);
      expect(await connection.call('HLEN', 'mixed')).toBe(2);
      expect(await info(connection, 'expired_keys')).toBe(0);
    };
    await stay();
    server.aheadSeconds = seconds - 60;
    await stay();
    server.aheadSeconds = seconds + 1;
    await waitFor('both', async () => (await info(connection, 'expired_keys')) === 2);
    await waitFor('the field', async () => (await info(connection, 'expired_subkeys')) >= 1);
    expect(await connection.call('HGETALL', 'mixed')).toEqual(['plain', 'v']);
    server.aheadSeconds = Math.ceil(2 ** 32 / 1000) + 1;
    await waitFor('the third', async () => (await info(connection, 'expired_keys')) === 3);
    expect(((await connection.call('KEYS', '*')) as string[]).sort()).toEqual(['mixed', 'twice']);
  });
});
