import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Log, open, StartupError } from '../../src/index.js';
import { newDirectory, openStore, runProgram } from './support.js';

describe('opening', () => {
  it('brings back what was there, and reports it', async () => {
    const dir = await newDirectory();
    const first = await openStore({ dir });
    expect(first.loaded).toMatchObject({ keys: 0, expired: 0 });
    await first.set('k', 'v');
    await first.psetex('short', 1, 'v');
    await first.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await openStore({ dir });
    expect(second.loaded.keys).toBe(1);
    expect(await second.get('k')).toBe('v');
    expect(await second.get('short')).toBeNull();
  });

  it('refuses a directory that another store has, in this process or another', async () => {
    const db = await openStore();
    const dir = (await db.call('CONFIG', 'GET', 'dir')) as ReadonlyMap<string, string>;
    const path = dir.get('dir')!;
    await expect(open({ dir: path })).rejects.toThrow(/in use by another/);
    const other = await runProgram(
      `await open({ dir: ${JSON.stringify(path)} }).catch((error) => console.log(error.name, error.message));`,
    );
    expect(other.lines.join()).toMatch(/^StartupError .*in use by another/);
    expect(other.code).toBe(0);
    await db.set('still', 'here');
    expect(await db.get('still')).toBe('here');
  });

  it("takes options under Redis's names and in camel case", async () => {
    const db = await openStore({
      appendfsync: 'always',
      'hash-max-listpack-entries': 7,
      checkpointInterval: 5,
    });
    const values = await db.call(
      'CONFIG',
      'GET',
      'appendfsync',
      'hash-max-listpack-entries',
      'checkpoint-interval',
    );
    expect(values).toEqual(
      new Map([
        ['appendfsync', 'always'],
        ['hash-max-listpack-entries', '7'],
        ['checkpoint-interval', '5'],
      ]),
    );
  });

  it.each([
    [{ nonsense: 1 }, "unknown option 'nonsense'"],
    [{ appendfsync: 'sometimes' }, "option 'appendfsync'"],
    [{ port: 7000 }, "option 'port' belongs to listen()"],
    [{ dir: undefined }, "option 'dir': a folder is needed"],
  ])('refuses the options %o', async (options, message) => {
    const dir = await newDirectory();
    const opening = open({ dir, ...options } as never);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(StartupError);
  });

  it('is aborted by a signal, before and during it', async () => {
    const dir = await newDirectory();
    await expect(open({ dir, signal: AbortSignal.abort(new Error('not now')) })).rejects.toThrow('not now');
    const controller = new AbortController();
    const opening = open({ dir, signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(opening).rejects.toThrow('changed my mind');
    // Nothing was left open.
    await openStore({ dir });
  });

  it('logs where it is told to, and nowhere else', async () => {
    const messages: string[] = [];
    const note = (message: string) => messages.push(message);
    const log: Log = { debug: note, verbose: note, notice: note, warning: note };
    const db = await openStore({ log });
    await db.set('k', 1);
    await db.close();
    expect(messages.some((message) => message.startsWith('Checkpoint:'))).toBe(true);
    const dir = await newDirectory();
    const silent = await runProgram(
      `const db = await open({ dir: ${JSON.stringify(dir)}, logfile: 'store.log', loglevel: 'verbose' });
       await db.set('k', 1); await db.close();`,
    );
    expect(silent).toEqual({ code: 0, lines: [], errors: '' });
    expect(readFileSync(join(dir, 'store.log'), 'utf8')).toContain('Checkpoint:');
  });
});

describe('closing', () => {
  it('may be done twice, and by leaving the scope', async () => {
    const dir = await newDirectory();
    const db = await open({ dir });
    await Promise.all([db.close(), db.close()]);
    await db.close();
    const again = await open({ dir });
    await again[Symbol.asyncDispose]();
    await expect(again.get('k')).rejects.toThrow('the database is closed');
  });

  it("makes every later call reject, and every client's", async () => {
    const db = await openStore();
    const client = db.newClient();
    const closing = db.close();
    await expect(db.set('k', 1)).rejects.toThrow('the database is closed');
    await closing;
    await expect(db.get('k')).rejects.toThrow('the database is closed');
    await expect(db.setex('k', 1, 1)).rejects.toThrow('the database is closed');
    await expect(db.call('PING')).rejects.toThrow('the database is closed');
    await expect(db.multi().get('k').exec()).rejects.toThrow('the database is closed');
    await expect(db.listen()).rejects.toThrow('the database is closed');
    await expect(client.get('k')).rejects.toThrow('the database is closed');
    await expect(db.newClient().get('k')).rejects.toThrow('the database is closed');
  });

  it('during traffic answers what has run and keeps it', async () => {
    const dir = await newDirectory();
    const db = await open({ dir });
    const acknowledged: number[] = [];
    let rejected = 0;
    const write = async (from: number) => {
      for (let i = from; ; i += 10) {
        try {
          if (i % 2 === 0) await db.set(`k${i}`, i);
          else await db.call('SET', `k${i}`, i);
        } catch (error) {
          expect((error as Error).message).toBe('the database is closed');
          rejected++;
          return;
        }
        acknowledged.push(i);
      }
    };
    const writers = Array.from({ length: 10 }, (_, from) => write(from));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await db.close();
    await Promise.all(writers);
    expect(rejected).toBe(10);
    const again = await openStore({ dir });
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(await again.exists(...acknowledged.map((i) => `k${i}`))).toBe(acknowledged.length);
  });

  it("is what a client's SHUTDOWN does, too", async () => {
    const db = await openStore();
    await db.set('k', 1);
    await expect(db.newClient().call('SHUTDOWN')).rejects.toThrow('closed');
    await db.closed;
    await expect(db.get('k')).rejects.toThrow('the database is closed');
    await db.close();
  });
});

describe('the process', () => {
  it('ends by itself after close, without signal handlers', async () => {
    const dir = await newDirectory();
    const { code, lines, errors } = await runProgram(
      `const db = await open({ dir: ${JSON.stringify(dir)} });
       await db.set('k', 1);
       await db.listen();
       console.log(process.listenerCount('SIGTERM') + process.listenerCount('SIGINT'));
       await db.close();
       console.log(process.getActiveResourcesInfo().filter((kind) => !/^(TTY|Pipe)/.test(kind)).join() || 'nothing');`,
    );
    expect({ code, lines, errors }).toEqual({ code: 0, lines: ['0', 'nothing'], errors: '' });
  });

  it('ends by itself without close, and has lost nothing', async () => {
    const dir = await newDirectory();
    const ended = await runProgram(
      `const db = await open({ dir: ${JSON.stringify(dir)} });
       await db.set('k', 'v'); await db.save(); await db.set('l', 'w'); console.log(await db.get('k'));`,
    );
    expect(ended).toEqual({ code: 0, lines: ['v'], errors: '' });
    const db = await openStore({ dir });
    expect(await db.mget(['k', 'l'])).toEqual(['v', 'w']);
  });

  it('goes on while it listens', async () => {
    const dir = await newDirectory();
    const listening = await runProgram(
      `const db = await open({ dir: ${JSON.stringify(dir)} });
       await db.listen();
       setTimeout(() => console.log('still here'), 300).unref();`,
      (_line, kill) => kill(),
    );
    expect(listening.lines).toEqual(['still here']);
  });

  it.each(['always', 'everysec', 'no'])(
    'killed with SIGKILL has kept every acknowledged write (%s)',
    async (policy) => {
      const dir = await newDirectory();
      const killed = await runProgram(
        `const db = await open({ dir: ${JSON.stringify(dir)}, appendfsync: '${policy}', 'checkpoint-log-size': '20kb' });
       const write = async (from) => {
         for (let i = from; ; i += 4) {
           if (i % 3 === 0) await db.set('k' + i, i);
           else if (i % 3 === 1) await db.multi().set('k' + i, i).hset('h' + i, { f: i }).exec();
           else await db.hset('h' + i, { f: i });
           console.log(i);
         }
       };
       await Promise.all([0, 1, 2, 3].map(write));`,
        (line, kill) => {
          if (Number(line) >= 2000) kill();
        },
      );
      const acknowledged = killed.lines.map(Number);
      expect(acknowledged.length).toBeGreaterThan(400);
      const db = await openStore({ dir });
      onTestFinished(() => db.close());
      for (const i of acknowledged) {
        if (i % 3 !== 2) expect(await db.get(`k${i}`)).toBe(String(i));
        if (i % 3 !== 0) expect(await db.hgetall(`h${i}`)).toEqual({ f: String(i) });
      }
    },
  );
});
