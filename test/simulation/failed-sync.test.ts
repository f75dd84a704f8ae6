import { describe, expect, test } from 'vitest';
import { contentOf } from '../support/keyspace-model.js';
import { execute } from './commands.js';
import { withDirectory } from './memory-directory.js';
import { Random } from './random.js';
import { SimulatedDisk } from './simulated-disk.js';
import { StoreProcess } from './store-process.js';
import { VirtualTime } from './virtual-time.js';

/** With `always`, a turn of more commands than the loop itself waits for: its sync goes to a thread. */
const COMMANDS = 200;

describe('a background sync that fails under `always`', () => {
  test.each([
    ['acknowledges what a rotation has made durable meanwhile', true, COMMANDS],
    ['takes back what nothing else has made durable', false, 0],
  ])('%s', async (_what, rotates, acknowledged) => {
    await withDirectory(async (directory) => {
      const random = new Random(1);
      const time = new VirtualTime(Date.UTC(2026, 0, 1));
      const disk = new SimulatedDisk(random);
      const policy = 'always';
      const environment = { directory, disk, time, random, policy, preallocateBytes: 0 } as const;
      const process = await StoreProcess.start(environment);
      const { pipeline, keyspace, writer } = process;
      let replies = '';
      for (let i = 0; i < COMMANDS; i++) {
        pipeline.batch.address({
          release(bytes, start) {
            replies += String.fromCharCode(bytes[start]!);
            return false;
          },
        });
        pipeline.batch.dependsOnData();
        execute(keyspace, { kind: 'set', db: 0, key: `k${i}`, value: 'v', expireAt: 0 });
        pipeline.batch.writer.ok();
        pipeline.endCommand();
      }
      time.endTurn();
      expect([disk.syncsUnderWay, replies]).toEqual([1, '']);
      if (rotates) writer.rotate(time.wallMs());
      disk.arm({ at: 1, kind: 'EIO', times: 1 });
      disk.completeSync();
      expect(replies).toBe((acknowledged > 0 ? '+' : '-').repeat(COMMANDS));
      expect(contentOf(keyspace, 0).size).toBe(acknowledged);
      expect(pipeline.refusal).toMatch(/^MISCONF/);
      process.recovered.lock.release();
    });
  });
});
