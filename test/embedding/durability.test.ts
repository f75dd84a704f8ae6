import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Config } from '../../src/base/config.js';
import { silentLog } from '../../src/base/log.js';
import { createRegistry } from '../../src/commands/index.js';
import { Engine } from '../../src/engine.js';
import { type LogFiles, nodeFiles, type SyncCallback } from '../../src/log/files.js';
import { Dispatcher } from '../../src/server/dispatch.js';
import { Channel } from '../../src/server/embedded/channel.js';
import { TextCalls } from '../../src/server/embedded/client.js';
import { DirectStrings } from '../../src/server/embedded/direct-strings.js';
import { newDirectory, openStore } from './support.js';

/** A disk that can be full, and that can be slow to confirm. */
class Disk {
  full = false;
  slow = false;
  /** Every sync fails. */
  broken = false;
  /** On the loop. */
  syncs = 0;
  private confirmations: (() => void)[] = [];
  readonly files: LogFiles = {
    ...nodeFiles,
    write: (file, source, start, length, position) => {
      if (this.full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return nodeFiles.write(file, source, start, length, position);
    },
    fdatasync: (file) => {
      this.syncs++;
      if (this.broken) throw Object.assign(new Error('broken'), { code: 'EIO' });
      nodeFiles.fdatasync(file);
    },
    fdatasyncInBackground: (file, done) => this.confirm(file, done),
  };

  private confirm(file: number, done: SyncCallback): void {
    if (this.slow) this.confirmations.push(() => done(null));
    else nodeFiles.fdatasyncInBackground(file, done);
  }

  get asked(): number {
    return this.confirmations.length;
  }

  confirmAll(): void {
    this.slow = false;
    for (const confirm of this.confirmations.splice(0)) confirm();
  }
}

async function storeOn(disk: Disk, options: Record<string, string> = {}): Promise<TextCalls> {
  const config = new Config({ dir: await newDirectory(), ...options });
  const engine = new Engine({ config, clock: systemClock, log: silentLog, files: disk.files });
  const dispatcher = new Dispatcher({
    config,
    clock: systemClock,
    registry: createRegistry(),
    storage: engine,
    hooks: {
      tcpPort: 0,
      shutdown: () => engine.close(),
      writeConfigFile: () => {},
      setActiveExpire: () => {},
      log: () => {},
    },
  });
  await engine.load();
  onTestFinished(async () => {
    disk.full = false;
    dispatcher.close();
    const closed = engine.close({ checkpoint: false });
    await (disk.broken ? closed.catch(() => {}) : closed);
  });
  return new TextCalls(new Channel(dispatcher, new DirectStrings(engine, dispatcher)));
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

it('answers neither writes nor reads of them before the disk has confirmed, under always', async () => {
  const disk = new Disk();
  const db = await storeOn(disk, { appendfsync: 'always' });
  await db.set('before', 'seen');
  disk.slow = true;
  const answered: string[] = [];
  const note = (name: string) => () => answered.push(name);
  // A large turn is synced off the loop.
  const writes = Array.from({ length: 1100 }, (_, i) => db.set(`k${i}`, i).then(note('write')));
  await turns(3);
  expect(disk.asked).toBe(1);
  const reads = [db.get('k7').then(note('read')), db.buffers.get('before').then(note('read'))];
  await turns(3);
  expect(answered).toEqual([]);
  disk.confirmAll();
  await Promise.all([...writes, ...reads]);
  expect(answered.length).toBe(1102);
  expect(await db.get('k7')).toBe('7');
});

it('answers a read of a write of the same turn only with that write', async () => {
  const disk = new Disk();
  const db = await storeOn(disk);
  disk.full = true;
  const write = db.set('k', 'v');
  const read = db.get('k');
  await expect(write).rejects.toThrow('MISCONF');
  // What it had read was taken back.
  await expect(read).rejects.toThrow('MISCONF');
  expect(await db.get('k')).toBeNull();
});

it('tells in getSync nothing that the log has not taken', async () => {
  const disk = new Disk();
  const db = await storeOn(disk);
  await db.set('k', 'old');
  disk.full = true;
  const write = db.set('k', 'new');
  expect(db.getSync('k')).toBe('old');
  await expect(write).rejects.toThrow('MISCONF');
});

it('tells in getSync only what is on the disk, under always', async () => {
  const disk = new Disk();
  const db = await storeOn(disk, { appendfsync: 'always' });
  const write = db.set('k', 'v');
  const { syncs } = disk;
  expect(db.getSync('k')).toBe('v');
  expect(disk.syncs).toBe(syncs + 1);
  await write;
  expect(db.getSync('k')).toBe('v');
  expect(disk.syncs, 'nothing is left to sync').toBe(syncs + 1);
});

it('tells in getSync nothing that the disk has refused, under always', async () => {
  const disk = new Disk();
  const db = await storeOn(disk, { appendfsync: 'always' });
  await db.set('k', 'old');
  disk.broken = true;
  const write = db.set('k', 'new');
  expect(db.getSync('k')).toBe('old');
  await expect(write).rejects.toThrow('MISCONF');
});

it('rejects every write of a turn that the disk refuses, and goes on when there is room', async () => {
  const disk = new Disk();
  const db = await storeOn(disk);
  await db.set('kept', 'old');
  const bystander = db.get('kept');
  disk.full = true;
  const writes = [
    db.set('kept', 'new'),
    db.setex('a', 100, 'v'),
    db.psetex('b', 100, 'v'),
    db.call('INCR', 'n'),
  ];
  const outcomes = await Promise.allSettled(writes);
  for (const outcome of outcomes) {
    expect(outcome.status).toBe('rejected');
    expect(String((outcome as PromiseRejectedResult).reason)).toContain(
      'MISCONF Errors writing to the AOF file: No space left on device',
    );
  }
  expect(await bystander).toBe('old');
  expect(await db.mget(['kept', 'a', 'b', 'n'])).toEqual(['old', null, null, null]);
  await expect(db.set('kept', 'newer')).rejects.toThrow('MISCONF');
  disk.full = false;
  await expect.poll(() => db.set('kept', 'newest').catch(() => 'refused')).toBe('OK');
  expect(await db.get('kept')).toBe('newest');
});

it('tells of a key that has expired only once its removal is in the log', async () => {
  const disk = new Disk();
  const db = await storeOn(disk);
  await db.psetex('k', 200, 'v');
  // In one go, so that nobody but the read below finds it expired.
  const endMs = Date.now() + 201;
  while (Date.now() < endMs);
  disk.full = true;
  await expect(db.get('k')).rejects.toThrow('MISCONF');
  // Writes are refused now, so it is hidden instead of removed.
  expect(await db.get('k')).toBeNull();
});

it('keeps the writes of a turn that were in the log before the disk was full', async () => {
  const disk = new Disk();
  const db = await storeOn(disk);
  // More than one group's worth: the first groups of this turn are in the log before it ends.
  const value = 'x'.repeat(100_000);
  const first = Array.from({ length: 15 }, (_, i) => db.set(`first${i}`, value));
  disk.full = true;
  const second = db.set('second', value);
  const outcomes = await Promise.allSettled([...first, second]);
  const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
  expect(kept).toBeGreaterThanOrEqual(10);
  expect(kept).toBeLessThan(15);
  expect(outcomes.at(-1)!.status).toBe('rejected');
  expect(await db.exists(...first.map((_, i) => `first${i}`), 'second')).toBe(kept);
});

it('refuses writes above maxmemory, and goes on reading', async () => {
  const db = await openStore();
  await db.set('k', 'v');
  await db.call('CONFIG', 'SET', 'maxmemory', 1);
  await expect(db.set('l', 'v')).rejects.toThrow("OOM command not allowed when used memory > 'maxmemory'.");
  expect(await db.get('k')).toBe('v');
  await db.call('CONFIG', 'SET', 'maxmemory', 0);
  expect(await db.set('l', 'v')).toBe('OK');
});
