import { dir } from 'tmp-promise';
import { expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Config } from '../../src/base/config.js';
import { Checkpointer } from '../../src/checkpoint/checkpointer.js';
import { restFactor } from '../../src/checkpoints.js';
import { Engine } from '../../src/engine.js';
import { KeyspaceDriver } from '../support/keyspace-model.js';

it.each([
  ['by time, with clients that are never quiet', 0.1, 1, 5],
  ['by time, with clients that are quiet half of the time', 0.1, 0.5, 2.5],
  ['while nobody asks anything', 0.1, 0, 0],
  ['of a log that has just become due', 1, 1, 5],
  ['of one twice as large', 2, 1, 2.5],
  ['of one twice as large, with clients that are quiet half of the time', 2, 0.5, 1.25],
  ['of one three times as large', 3, 1, 0],
  ['of one that has fallen far behind', 50, 1, 0],
])('the rests of a checkpoint %s', (_what, outgrown, utilization, factor) => {
  expect(restFactor(outgrown, utilization)).toBeCloseTo(factor, 9);
});

/** Keeps the event loop busy until `condition`, with turns in between. */
async function busyUntil(condition: () => boolean): Promise<void> {
  for (const giveUpMs = Date.now() + 20_000; !condition() && Date.now() < giveUpMs; ) {
    for (const endMs = performance.now() + 20; performance.now() < endMs; );
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(condition()).toBe(true);
}

it('a checkpoint by time rests while the event loop is busy, and no longer once somebody waits', async () => {
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  onTestFinished(() => void vi.restoreAllMocks());
  const rests = vi.spyOn(Checkpointer.prototype, 'setRest');
  // The real one, begun when the test has seen what it waits for.
  let goOn = () => {};
  const mayRun = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { run } = Checkpointer.prototype;
  const begun = vi.spyOn(Checkpointer.prototype, 'run').mockImplementation(async function (
    this: Checkpointer,
    ...job
  ) {
    await mayRun;
    return run.apply(this, job);
  });
  const log = { debug() {}, verbose() {}, notice() {}, warning() {} };
  const config = new Config({ dir: path, 'checkpoint-interval': '1' });
  const engine = new Engine({ config, clock: systemClock, log });
  await engine.load();
  onTestFinished(() => engine.close());
  new KeyspaceDriver(engine.keyspace).set(0, 'key', 'value');
  engine.endCommand();
  await busyUntil(() => begun.mock.calls.length > 0 && rests.mock.lastCall![0] > 3);
  const done = engine.checkpoint();
  expect(rests).toHaveBeenLastCalledWith(0);
  goOn();
  await done;
  expect(engine.checkpointedSeq).toBe(engine.lastSeq);
});
