import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Config } from '../../src/base/config.js';
import { Engine } from '../../src/engine.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { segmentName } from '../../src/log/segments.js';
import { systemError } from '../log/support.js';
import { KeyspaceDriver } from '../support/keyspace-model.js';

const log = { debug() {}, verbose() {}, notice() {}, warning() {} };

/** Files of which one operation fails as long as `fails` says so, without a descriptor to be had. */
function withFailing(operation: 'unlink' | 'syncDirectory', state: { fails: boolean }): LogFiles {
  return {
    ...nodeFiles,
    [operation]: (path: string, opened?: number) => {
      // Making a segment opens its directory beforehand, and is not what fails here.
      if (state.fails && opened === undefined) throw systemError('EMFILE');
      nodeFiles[operation](path, opened);
    },
  };
}

it.each(['unlink', 'syncDirectory'] as const)(
  'checkpoints go on after covered segments could not be deleted (%s)',
  async (operation) => {
    const { path, cleanup } = await dir({ unsafeCleanup: true });
    onTestFinished(() => cleanup());
    const state = { fails: false };
    const config = new Config({ dir: path });
    const engine = new Engine({ config, clock: systemClock, log, files: withFailing(operation, state) });
    await engine.load();
    onTestFinished(() => engine.close());
    const driver = new KeyspaceDriver(engine.keyspace);
    const set = (key: string) => {
      driver.set(0, key, 'value');
      engine.endCommand();
    };
    const isThere = (number: number) => existsSync(join(path, segmentName(number)));

    set('first');
    state.fails = true;
    await expect(engine.checkpoint()).rejects.toThrow('covered segments cannot be deleted');
    expect([isThere(1), engine.checkpointedSeq]).toEqual([operation === 'unlink', engine.lastSeq]);
    set('second');
    await expect(engine.checkpoint(), 'still nothing can be deleted').rejects.toThrow('cannot be deleted');
    expect(engine.checkpointedSeq, 'yet the snapshot has it').toBe(engine.lastSeq);

    state.fails = false;
    set('third');
    await engine.checkpoint();
    expect([isThere(1), isThere(2), isThere(3), isThere(4)]).toEqual([false, false, false, true]);
    expect([engine.checkpointedSeq, engine.lastCheckpointError]).toEqual([engine.lastSeq, null]);
  },
);
