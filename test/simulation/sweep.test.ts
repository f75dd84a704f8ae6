import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { contentOf } from '../support/keyspace-model.js';
import { execute } from './commands.js';
import { withDirectory } from './memory-directory.js';
import { Random } from './random.js';
import { type FaultKind, type Operation, SimulatedDisk } from './simulated-disk.js';
import { type Environment, StoreProcess } from './store-process.js';
import { VirtualTime } from './virtual-time.js';

/**
 * As SQLite's own tests do it: one fixed piece of work is run again and again, and in the n-th run the n-th file
 * operation fails, or is the last one before the end, until the work gets through untouched.
 */

const PLUS = '+'.charCodeAt(0);
const START_MS = Date.UTC(2026, 0, 1);
const VALUES = ['one', 'x'.repeat(20_000), 'three', 'four'];

/** A key that was set once; without a reply nobody knows whether it was, until somebody has seen it. */
interface Written {
  readonly key: string;
  readonly value: string;
  reply: 'acknowledged' | 'refused' | 'none';
}

type Ending = 'kill' | 'power cut';

class Sweep {
  private readonly environment: Environment;
  private readonly disk: SimulatedDisk;
  private readonly time = new VirtualTime(START_MS);
  private readonly written: Written[] = [];

  constructor(
    directory: string,
    seed: number,
    private readonly endings: readonly [afterFault: Ending, last: Ending],
  ) {
    const random = new Random(seed);
    this.disk = new SimulatedDisk(random);
    this.environment = {
      directory,
      disk: this.disk,
      time: this.time,
      random,
      policy: 'always',
      preallocateBytes: 3000,
    };
  }

  /**
   * A new store, two segments, a torn tail and its repair, two more segments; then the check.
   *
   * @returns the operation that was hit; undefined when all of it got through untouched.
   */
  async run(at: number, kind: FaultKind, times: number): Promise<Operation | undefined> {
    this.disk.arm({ at, kind, times });
    await this.work(VALUES.slice(0, 2));
    const { struck, operations } = this.disk;
    if (struck === undefined) this.tear(at - operations, kind, times);
    else this.restart(this.endings[0]);
    await this.work(VALUES.slice(2));
    const outcome = struck ?? this.disk.struck;
    this.restart(this.endings[1]);
    await this.check();
    return outcome;
  }

  /** Starts, writes and rotates; stops early when something fails. */
  private async work(values: readonly string[]): Promise<void> {
    const process = await this.start();
    if (process === undefined) return;
    this.see(process);
    for (const value of values) {
      if (this.disk.ended || process.pipeline.refusal !== null) break;
      this.write(process, value);
      this.rotate(process);
    }
    process.recovered.lock.release();
    this.time.forgetEverything();
  }

  private async start(): Promise<StoreProcess | undefined> {
    try {
      const process = await StoreProcess.start(this.environment);
      if (!this.disk.ended) return process;
      process.recovered.lock.release();
    } catch (error) {
      if (!this.disk.ended) expect(error).toBeInstanceOf(StorageError);
    }
    return undefined;
  }

  /** What a start brings back can be read, and must stay. */
  private see({ keyspace }: StoreProcess): void {
    const content = contentOf(keyspace, 0);
    for (const written of this.written) if (content.has(written.key)) written.reply = 'acknowledged';
  }

  private write({ pipeline, keyspace }: StoreProcess, value: string): void {
    const key = `k${this.written.length}`;
    const written: Written = { key, value, reply: 'none' };
    this.written.push(written);
    pipeline.batch.address({
      release: (bytes, start) => {
        if (!this.disk.ended) written.reply = bytes[start] === PLUS ? 'acknowledged' : 'refused';
        return false;
      },
    });
    pipeline.batch.dependsOnData();
    pipeline.batch.writer.ok();
    keyspace.now = this.time.wallMs();
    execute(keyspace, { kind: 'set', db: 0, key, value, expireAt: 0 });
    pipeline.endCommand();
    this.time.endTurn();
    // A disk that did not sync what it was given may have it all the same.
    if (written.reply === 'refused' && this.disk.syncFailed) written.reply = 'none';
  }

  private rotate({ writer }: StoreProcess): void {
    if (this.disk.ended || writer.failure) return;
    try {
      writer.rotate(this.time.wallMs());
    } catch (error) {
      if (!this.disk.ended) expect(error).toBeInstanceOf(StorageError);
    }
  }

  /** The process ends in the middle of a write, which the next start has to repair. */
  private tear(at: number, kind: FaultKind, times: number): void {
    const names = [...this.disk.contents().keys()].filter((name) => name.endsWith('.msgpack')).sort();
    this.disk.afterKill();
    this.disk.damage(names.at(-1)!, (bytes) => Buffer.concat([bytes, Buffer.from('95cf0000', 'hex')]));
    this.disk.arm({ at, kind, times });
  }

  private restart(ending: Ending): void {
    this.time.advance(1000);
    if (ending === 'power cut') this.disk.afterPowerCut();
    else this.disk.afterKill();
  }

  private async check(): Promise<void> {
    const process = await StoreProcess.start(this.environment);
    process.recovered.lock.release();
    const content = contentOf(process.keyspace, 0);
    for (const { key, value, reply } of this.written) {
      const found = content.get(key);
      if (reply === 'acknowledged') expect(found, key).toEqual({ type: 'string', value, expireAt: 0 });
      else if (reply === 'refused') expect(found, key).toBeUndefined();
      else if (found !== undefined) expect(found, key).toEqual({ type: 'string', value, expireAt: 0 });
    }
    this.time.forgetEverything();
  }
}

type Kind = readonly [FaultKind, timesInARow: number];

const EVERY_KIND: readonly Kind[] = [
  ['crash before', 1],
  ['crash midway', 1],
  ['crash after', 1],
  ['EIO', 1],
  ['ENOSPC', 4],
  ['short', 1],
];
/** Those that make a sync fail: the next process reads what is not on the disk. */
const FAILED_SYNCS: readonly Kind[] = [
  ['EIO', 1],
  ['EIO', 3],
];

const sweeps: readonly (readonly [string, readonly [Ending, Ending], readonly Kind[]])[] = [
  ['the process is killed', ['kill', 'kill'], EVERY_KIND],
  ['the power is cut', ['power cut', 'power cut'], EVERY_KIND],
  ['the process is killed, and the power is cut later', ['kill', 'power cut'], FAILED_SYNCS],
];

describe.each(sweeps)('after the n-th operation fails and %s', (_what, endings, kinds) => {
  test.each(kinds)('for every n, by %s (%d in a row), acknowledged writes are there', async (kind, times) => {
    const met = new Set<Operation>();
    let n = 1;
    for (; ; n++) {
      const struck = await withDirectory((directory) => new Sweep(directory, n, endings).run(n, kind, times));
      if (struck === undefined) break;
      met.add(struck);
    }
    expect(n).toBeGreaterThan(100);
    for (const operation of ['write', 'fdatasync', 'fsync', 'truncate', 'rename', 'syncDirectory'] as const) {
      expect(met, `a fault at ${operation}`).toContain(operation);
    }
  });
});
