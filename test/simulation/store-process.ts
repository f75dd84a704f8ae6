import { Config } from '../../src/base/config.js';
import { silentLog } from '../../src/base/log.js';
import { Checkpoints } from '../../src/checkpoints.js';
import { CommitPipeline, type SyncPolicy } from '../../src/commit.js';
import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';
import { type Recovered, recover } from '../../src/recovery.js';
import { DATABASES } from './commands.js';
import type { Random } from './random.js';
import { SimulatedCheckpointer } from './simulated-checkpointer.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { VirtualTime } from './virtual-time.js';

export interface Environment {
  readonly directory: string;
  readonly disk: SimulatedDisk;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly policy: SyncPolicy;
  readonly preallocateBytes: number;
}

/** A server without sockets: the keyspace, its log and its checkpoints, made of the real parts. */
export class StoreProcess {
  readonly pipeline: CommitPipeline;
  readonly checkpoints: Checkpoints;

  private constructor(
    environment: Environment,
    readonly keyspace: Keyspace,
    readonly recovered: Recovered,
    /** What the recovery had to say. */
    readonly messages: readonly string[],
  ) {
    const { time, disk, random, policy } = environment;
    const { writer, snapshotPath, checkpointedSeq } = recovered;
    this.pipeline = new CommitPipeline({
      keyspace,
      writer,
      policy,
      clock: time,
      scheduler: time,
      onWriteError: () => {},
      afterTurn: () => {},
      // Some turns of a simulation are larger than this.
      syncOnLoopCommandsMax: 128,
    });
    this.checkpoints = new Checkpoints({
      config: new Config(),
      clock: time,
      log: silentLog,
      writer,
      pipeline: this.pipeline,
      keyspace,
      snapshotPath,
      checkpointedSeq,
      checkpointer: new SimulatedCheckpointer(snapshotPath, disk, random),
    });
  }

  /** @throws what the recovery throws. */
  static async start(environment: Environment): Promise<StoreProcess> {
    const { directory, disk, time, preallocateBytes } = environment;
    const keyspace = createKeyspace({ databases: DATABASES, now: time.wallMs() });
    const messages: string[] = [];
    const recovered = await recover({
      directory,
      keyspace,
      files: disk,
      clock: time,
      log: (message) => messages.push(message),
      preallocateBytes,
    });
    keyspace.now = time.wallMs();
    keyspace.expiring = 'purge';
    return new StoreProcess(environment, keyspace, recovered, messages);
  }

  get writer(): Recovered['writer'] {
    return this.recovered.writer;
  }
}
