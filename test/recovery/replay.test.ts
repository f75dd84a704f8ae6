/**
 * What is on disk at any moment, read by a fresh process, is what was in memory: every value, every expiry to the
 * millisecond, whichever commands made it and however much of it a checkpoint holds already.
 */
import { cpSync, existsSync } from 'node:fs';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Config } from '../../src/base/config.js';
import type { Log } from '../../src/base/log.js';
import { families } from '../../src/commands/index.js';
import { Engine } from '../../src/engine.js';
import { keyspaceDifferences, keyspaceDigest } from '../../src/keyspace/digest.js';
import { Connection } from '../faults/connection.mjs';
import { SMALL_CHECKPOINTS } from '../faults/marathon.mjs';
import { Random } from '../faults/random.mjs';
import { makeWriters, settleAll, totalTally, type Writer } from '../faults/workload.mjs';
import { CommandHarness } from '../support/command-harness.js';
import { sleep, startServer } from '../support/server.js';
import { randomCommand } from './random-commands.js';

/** A clock that the test moves, shared by the engines before and after a restart. */
class SteppedClock {
  nowMs = 1_800_000_000_000;
  wallMs = (): number => this.nowMs;
  monotonicMs = (): number => this.nowMs - 1_700_000_000_000;
}

const quiet: Log = { debug() {}, verbose() {}, notice() {}, warning() {} };

async function scratch(): Promise<string> {
  const place = existsSync('/dev/shm') ? { tmpdir: '/dev/shm' } : {};
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true, prefix: 'holdfast', ...place });
  onTestFinished(() => cleanup());
  return path;
}

async function openEngine(dir: string, clock: SteppedClock): Promise<Engine> {
  const config = new Config({ dir, 'checkpoint-interval': 0 });
  const engine = new Engine({ config, clock, log: quiet });
  await engine.load();
  return engine;
}

/** Everything due is deleted and everything changed is in the log. */
async function settled(engine: Engine, clock: SteppedClock): Promise<void> {
  engine.keyspace.now = clock.nowMs;
  while (engine.keyspace.expireDue(10_000) > 0) engine.endCommand();
  engine.endCommand();
  await engine.flush();
}

/** What kill -9 at this moment would leave, brought back and compared with what is in memory. */
async function expectSameAfterCrash(
  engine: Engine,
  dir: string,
  clock: SteppedClock,
  what: string,
): Promise<void> {
  await settled(engine, clock);
  const copy = await scratch();
  cpSync(dir, copy, { recursive: true });
  const revived = await openEngine(copy, clock);
  try {
    expect(keyspaceDifferences(engine.keyspace, revived.keyspace, 5), what).toEqual([]);
    expect(keyspaceDigest(revived.keyspace)).toBe(keyspaceDigest(engine.keyspace));
  } finally {
    await revived.close({ checkpoint: false });
  }
}

describe('random commands', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'are the same in memory and after a restart, from log, snapshot or both (seed %i)',
    { timeout: 60_000 },
    async (seed) => {
      const random = new Random(seed);
      const clock = new SteppedClock();
      const dir = await scratch();
      let engine = await openEngine(dir, clock);
      let harness = new CommandHarness(families, { keyspace: engine.keyspace, nowMs: clock.nowMs });
      for (let round = 1; round <= 12; round++) {
        for (let i = 0; i < 300; i++) {
          harness.nowMs = clock.nowMs;
          harness.select(random.below(3));
          harness.call(...randomCommand(random, clock.nowMs));
          engine.endCommand();
          if (random.below(20) === 0) await new Promise((resolve) => setImmediate(resolve));
          if (random.below(10) === 0) clock.nowMs += random.below(400);
        }
        await expectSameAfterCrash(engine, dir, clock, `seed ${seed}, round ${round}`);
        if (round % 3 === 0) {
          await engine.checkpoint();
          await expectSameAfterCrash(
            engine,
            dir,
            clock,
            `seed ${seed}, round ${round}, after the checkpoint`,
          );
        }
        if (round % 4 === 0) {
          await settled(engine, clock);
          const digest = keyspaceDigest(engine.keyspace);
          await engine.close({ checkpoint: random.below(2) === 0 });
          engine = await openEngine(dir, clock);
          expect(keyspaceDigest(engine.keyspace), `seed ${seed}, round ${round}, stopped`).toBe(digest);
          harness = new CommandHarness(families, { keyspace: engine.keyspace, nowMs: clock.nowMs });
        }
      }
      await engine.verify();
      await engine.close({ checkpoint: false });
    },
  );

  it('that expire while nothing runs are gone after the restart, and only they', async () => {
    const clock = new SteppedClock();
    const dir = await scratch();
    const engine = await openEngine(dir, clock);
    const harness = new CommandHarness(families, { keyspace: engine.keyspace, nowMs: clock.nowMs });
    harness.call('PSETEX', 'gone', 1000, 'v');
    harness.call('PSETEX', 'there', 1001, 'v');
    harness.call('HSET', 'hash', 'stays', 'v');
    harness.call('HSETEX', 'hash', 'PX', 1000, 'FIELDS', '1', 'goes', 'v');
    harness.call('PSETEX', 'again', 500, 'v');
    harness.call('SET', 'again', 'w');
    engine.endCommand();
    await engine.close({ checkpoint: false });
    clock.nowMs += 1000;
    const later = await openEngine(dir, clock);
    const reader = new CommandHarness(families, { keyspace: later.keyspace, nowMs: clock.nowMs });
    expect(reader.call('DBSIZE')).toBe(3);
    expect([reader.call('GET', 'gone'), reader.call('GET', 'there'), reader.call('GET', 'again')]).toEqual([
      null,
      'v',
      'w',
    ]);
    expect(reader.call('HGETALL', 'hash')).toEqual(['stays', 'v']);
    expect(later.expiredAtLoad).toBe(1);
    await later.close({ checkpoint: false });
  });
});

/** Writes for a while and stops with nothing under way. */
async function writeFor(ms: number, port: number, writers: readonly Writer[]): Promise<void> {
  const until = sleep(ms) as Promise<void>;
  await Promise.all(writers.map((writer) => writer.run(port, { window: 8, until })));
}

describe('a real server', () => {
  it.each(['always', 'everysec', 'no'])(
    'has the same digest and the same expiry times after DEBUG RELOAD, stop and kill (%s)',
    { timeout: 60_000 },
    async (policy) => {
      const args = ['--appendfsync', policy, '--enable-debug-command', 'yes', ...SMALL_CHECKPOINTS];
      const server = await startServer({ kind: 'holdfast', args });
      const writers = makeWriters(4, { seed: 1, shortLived: false });
      for (let cycle = 0; cycle < 4; cycle++) {
        await writeFor(250, server.port, writers);
        // First what the clients know, which fixes every expiry to the millisecond; then the same again later.
        expect(await settleAll(server.port, writers)).toEqual([]);
        const before = await digestOf(server.port, true);
        if (cycle % 2) await server.restart();
        else await server.crashAndRestart();
        expect(await digestOf(server.port, false)).toBe(before);
        expect(await settleAll(server.port, writers)).toEqual([]);
      }
      expect(totalTally(writers).acknowledged).toBeGreaterThan(100);
    },
  );
});

async function digestOf(port: number, reload: boolean): Promise<string> {
  const connection = await Connection.open(port);
  try {
    if (reload) expect(await connection.call('DEBUG', 'RELOAD')).toBe('OK');
    return String(await connection.call('DEBUG', 'DIGEST'));
  } finally {
    connection.close();
  }
}
