import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../../src/base/errors.js';
import { openSnapshot, readMeta, SNAPSHOT_FILE } from '../../src/checkpoint/snapshot-file.js';
import { execute, randomCommand, visibleContent } from './commands.js';
import { harm } from './damage.js';
import { Ledger, Reply } from './ledger.js';
import { Random } from './random.js';
import { type Fault, type FaultKind, SimulatedDisk } from './simulated-disk.js';
import { type Environment, StoreProcess } from './store-process.js';
import { VirtualTime } from './virtual-time.js';

/** A promise that was not kept, with what replays it. */
export class BrokenPromise extends Error {
  override name = 'BrokenPromise';
}

/** What happened, for a summary. */
export class Totals {
  cycles = 0;
  starts = 0;
  kills = 0;
  killsAfterFailedSync = 0;
  powerCuts = 0;
  cleanStops = 0;
  faults = 0;
  commands = 0;
  acknowledged = 0;
  refused = 0;
  groupsLost = 0;
  tornTails = 0;
  holes = 0;
  checkpoints = 0;
  damageRefused = 0;
}

/** Between which groups the recovered log must end. */
interface Bounds {
  /** What the last process had in the file. */
  readonly written: number;
  /** What it knew to be on the disk, or under `always` had told anybody of. */
  readonly durable: number;
  /** One more than `written` when it ended in the middle of something. */
  readonly most: number;
}

const START_MS = Date.UTC(2026, 0, 1);
const ERRORS: readonly FaultKind[] = ['EIO', 'ENOSPC', 'failed sync', 'short'];
const CRASHES: readonly FaultKind[] = ['crash before', 'crash midway', 'crash after'];
const STEP_MS_MAX = 700;
/**
 * `everysec`: acknowledged writes that a power cut takes back were written within this time. A sync begins
 * every second and covers what was written before it; a slow one holds replies back after two seconds, and the
 * next begins at most a second later, and may be as slow.
 */
const LOSS_MS_MAX = 1000 + 2 * STEP_MS_MAX;
const LOSS_ON_SLOW_DISK_MS_MAX = 5000 + 2 * STEP_MS_MAX;

/** The life of one store through crashes, faults and damage, decided by its seed. */
export class History {
  private readonly random: Random;
  private readonly time = new VirtualTime(START_MS);
  private readonly disk: SimulatedDisk;
  private readonly environment: Environment;
  private readonly ledger = new Ledger();
  private readonly slowDisk: boolean;
  private bounds: Bounds = { written: 0, durable: 0, most: 0 };
  private readonly trace: string[] = [];

  constructor(
    private readonly seed: number,
    directory: string,
    private readonly totals: Totals,
  ) {
    const random = new Random(seed);
    this.random = random;
    this.disk = new SimulatedDisk(random);
    this.slowDisk = random.chance(0.3);
    this.environment = {
      directory,
      disk: this.disk,
      time: this.time,
      random,
      policy: random.pick(['always', 'always', 'everysec', 'no'] as const),
      preallocateBytes: random.pick([0, 0, 3000, 20_000]),
    };
  }

  /** @throws BrokenPromise when the store does not keep one. */
  async run(cycles: number): Promise<void> {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const process = await this.recover();
      if (this.random.chance(0.2)) this.sweepCopies();
      await this.live(process);
      const stopped = this.random.chance(0.2) && (await this.stop(process));
      this.end(process, stopped);
      this.totals.cycles++;
      if (this.random.chance(0.15)) await this.refuseDamage();
    }
  }

  // ---- Starting --------------------------------------------------------------------------------------

  private async recover(): Promise<StoreProcess> {
    for (let attempt = 0; ; attempt++) {
      this.totals.starts++;
      this.disk.arm(attempt < 3 && this.random.chance(0.4) ? this.randomFault(50) : undefined);
      let process: StoreProcess | undefined;
      try {
        process = await StoreProcess.start(this.environment);
        if (!this.disk.ended) {
          this.checkRecovered(process);
          return process;
        }
        process.recovered.lock.release();
      } catch (error) {
        if (error instanceof BrokenPromise) throw error;
        this.note(`start failed: ${(error as Error).message}`);
        const refused = error instanceof StorageError && this.disk.struck !== undefined;
        if (!refused && !this.disk.ended) this.fail(`does not start: ${describeError(error)}`);
      }
      this.countFault();
      this.restartDisk();
    }
  }

  private checkRecovered(process: StoreProcess): void {
    const { recovered, messages, keyspace } = process;
    const { lastSeq } = process.writer;
    const least = this.disk.hasLostPages ? this.bounds.durable : this.bounds.written;
    this.note(
      `recovered ${lastSeq} (${least} to ${this.bounds.most}), snapshot ${recovered.checkpointedSeq}`,
    );
    if (lastSeq < least) this.fail(`group ${least} was promised, the log ends with ${lastSeq}`);
    if (lastSeq > this.bounds.most)
      this.fail(`group ${lastSeq} was never written, the last was ${this.bounds.most}`);
    if (recovered.checkpointedSeq > lastSeq) this.fail('sequence numbers run backwards');
    this.compare('recovered', visibleContent(keyspace), lastSeq);
    this.checkLossInTime(lastSeq);
    this.totals.groupsLost += Math.max(0, this.bounds.written - lastSeq);
    for (const message of messages) {
      if (message.startsWith('Torn tail')) this.totals.tornTails++;
      if (message.includes('follows it, but none')) this.totals.holes++;
    }
    this.ledger.settle(lastSeq);
    this.bounds = { written: lastSeq, durable: lastSeq, most: lastSeq };
    this.disk.forgetLosses();
  }

  private checkLossInTime(lastSeq: number): void {
    if (this.environment.policy !== 'everysec') return;
    const lost = this.ledger
      .repliesToWrites()
      .filter(({ seq, outcome }) => seq > lastSeq && outcome === 'acknowledged');
    if (lost.length === 0) return;
    const times = lost.map(({ atMs }) => atMs);
    const spanMs = Math.max(...times) - Math.min(...times);
    if (spanMs > (this.slowDisk ? LOSS_ON_SLOW_DISK_MS_MAX : LOSS_MS_MAX))
      this.fail(`acknowledged writes of ${spanMs} ms are lost`);
  }

  /** As an operator would who has looked at them. */
  private sweepCopies(): void {
    this.disk.arm(undefined);
    this.disk.removeFiles([...this.disk.contents().keys()].filter((name) => name.includes('.torn-')));
  }

  // ---- Running ---------------------------------------------------------------------------------------

  private async live(process: StoreProcess): Promise<void> {
    const faulty = this.random.chance(0.75);
    this.disk.arm(faulty ? this.randomFault(60) : undefined);
    const turns = this.random.between(0, 20);
    for (let turn = 0; turn < turns && !this.disk.ended; turn++) {
      this.guard(() => this.turn(process));
      if (this.random.chance(0.08)) await this.checkpoint(process);
      else if (this.random.chance(0.06)) this.rotate(process);
    }
    if (!this.disk.ended) this.checkLive(process);
    this.countFault();
  }

  private turn(process: StoreProcess): void {
    const { random, time } = this;
    const commands = random.chance(0.03) ? random.between(130, 200) : random.between(0, 6);
    for (let i = 0; i < commands && !this.disk.ended; i++) {
      this.command(process);
      if (random.chance(0.1)) this.completeSyncs(process);
    }
    if (random.chance(0.3)) this.expire(process);
    time.endTurn();
    this.reconcile(process);
    time.advance(random.chance(this.pauseChance) ? random.below(STEP_MS_MAX) : random.below(20));
    this.reconcile(process);
    this.completeSyncs(process);
  }

  /** With `everysec` a process has to live for seconds before the loss of more than a second can show. */
  private get pauseChance(): number {
    return this.environment.policy === 'everysec' ? 0.8 : 0.3;
  }

  private command(process: StoreProcess): void {
    const { keyspace, pipeline } = process;
    const nowMs = this.time.wallMs();
    const command = randomCommand(this.random, nowMs);
    // A dispatcher refuses these by itself.
    if (pipeline.refusal !== null && command.kind !== 'get') return;
    this.totals.commands++;
    keyspace.now = nowMs;
    const { batch } = pipeline;
    const seq = () => (pipeline.encoder.records > 0 ? pipeline.openSeq : this.visibleSeq(process));
    execute(keyspace, command);
    const reply = new Reply(
      seq(),
      () => !this.disk.ended,
      () => this.time.monotonicMs(),
    );
    batch.address(reply);
    batch.dependsOnData();
    batch.writer.ok();
    this.ledger.record({ seq: reply.seq, nowMs, command, reply });
    pipeline.endCommand();
    this.reconcile(process);
  }

  /** The last group that memory shows. */
  private visibleSeq({ writer, pipeline }: StoreProcess): number {
    const tookBack = this.environment.policy === 'always' && writer.failure && pipeline.refusal !== null;
    return tookBack ? writer.durableSeq : writer.lastSeq;
  }

  private expire({ keyspace, pipeline }: StoreProcess): void {
    keyspace.now = this.time.wallMs();
    keyspace.expireDue(1000);
    keyspace.collectGarbage(1000);
    pipeline.endCommand();
  }

  private completeSyncs(process: StoreProcess): void {
    while (this.disk.syncsUnderWay > 0 && !this.disk.ended) {
      if (this.slowDisk && this.random.chance(0.8)) return;
      this.disk.completeSync();
      this.reconcile(process);
    }
  }

  /** What is neither in the log nor on its way there has not happened. */
  private reconcile({ pipeline, writer }: StoreProcess): void {
    if (!this.disk.ended && pipeline.encoder.records === 0) this.ledger.discardAfter(writer.lastSeq);
  }

  private async checkpoint(process: StoreProcess): Promise<void> {
    const error = await this.drive(process, process.checkpoints.run());
    if (error === undefined) this.totals.checkpoints++;
    else if (!this.disk.ended && this.disk.struck === undefined)
      this.fail(`a checkpoint failed without a fault: ${describeError(error)}`);
  }

  private rotate({ pipeline, writer }: StoreProcess): void {
    if (pipeline.encoder.records > 0 || writer.failure) return;
    try {
      writer.rotate(this.time.wallMs());
    } catch (error) {
      const expected = error instanceof StorageError && this.disk.struck !== undefined;
      if (!expected && !this.disk.ended) this.fail(`rotation failed: ${describeError(error)}`);
    }
  }

  /** Lets turns and syncs go by until the promise is settled. @returns its error, if it has one. */
  private async drive(process: StoreProcess, promise: Promise<unknown>): Promise<unknown> {
    let settled = false;
    let failure: unknown;
    promise.then(
      () => {
        settled = true;
      },
      (error: unknown) => {
        settled = true;
        failure = error;
      },
    );
    for (let i = 0; !this.disk.ended; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) break;
      if (i > 500) this.fail('something waits for ever');
      this.guard(() => {
        this.time.endTurn();
        this.reconcile(process);
        while (this.disk.syncsUnderWay > 0) this.disk.completeSync();
        this.time.advance(5);
      });
    }
    this.reconcile(process);
    return failure;
  }

  /** Memory shows exactly what the log has, and nobody waits for a reply. */
  private checkLive(process: StoreProcess): void {
    const waiting = this.ledger.replies();
    this.guard(() => {
      for (let i = 0; i < 5; i++) {
        this.time.endTurn();
        while (this.disk.syncsUnderWay > 0) this.disk.completeSync();
      }
    });
    if (this.disk.ended) return;
    this.reconcile(process);
    if (waiting.some(({ outcome }) => outcome === 'none')) this.fail('a reply was never released');
    process.keyspace.now = this.time.wallMs();
    this.compare('live', visibleContent(process.keyspace), this.visibleSeq(process));
  }

  // ---- Ending ----------------------------------------------------------------------------------------

  /** @returns true when everything was made durable. */
  private async stop(process: StoreProcess): Promise<boolean> {
    if (this.disk.ended) return false;
    const { pipeline, checkpoints, writer } = process;
    const close = async () => {
      await pipeline.drain();
      await checkpoints.close(this.random.chance(0.7) && !writer.failure);
      pipeline.close();
      writer.close();
    };
    const error = await this.drive(process, close());
    if (error !== undefined && !this.disk.ended && this.disk.struck === undefined)
      this.fail(`it does not stop: ${describeError(error)}`);
    if (error !== undefined || this.disk.ended) return false;
    this.totals.cleanStops++;
    return true;
  }

  private end(process: StoreProcess, stopped: boolean): void {
    const { writer, recovered } = process;
    const { lastSeq, durableSeq } = writer;
    const told = this.ledger.replies().filter(({ outcome }) => outcome === 'acknowledged');
    const toldSeq = told.reduce((most, { seq }) => Math.max(most, seq), 0);
    if (toldSeq > lastSeq) this.fail(`group ${toldSeq} was acknowledged before it was written`);
    this.totals.acknowledged += told.length;
    this.totals.refused += this.ledger.replies().filter(({ outcome }) => outcome === 'refused').length;
    const promised = this.environment.policy === 'always' ? Math.max(durableSeq, toldSeq) : durableSeq;
    this.bounds = {
      written: lastSeq,
      durable: stopped ? lastSeq : promised,
      most: this.disk.ended ? lastSeq + 1 : lastSeq,
    };
    this.note(`ended at ${lastSeq}, durable ${this.bounds.durable}, ${this.disk.struck ?? 'no fault'}`);
    this.disk.endProcess();
    recovered.lock.release();
    this.restartDisk();
  }

  /** After a sync that failed too, the power may stay: the next process then reads what the disk does not have. */
  private restartDisk(): void {
    this.time.forgetEverything();
    this.time.advance(this.random.between(1, 3000));
    if (this.random.chance(this.disk.syncFailed ? 0.3 : 0.5)) {
      this.note('power cut');
      this.totals.powerCuts++;
      this.disk.afterPowerCut();
    } else {
      this.note(this.disk.syncFailed ? 'kill after a failed sync' : 'kill');
      this.totals.kills++;
      if (this.disk.syncFailed) this.totals.killsAfterFailedSync++;
      this.disk.afterKill();
    }
  }

  // ---- Damage ----------------------------------------------------------------------------------------

  private async refuseDamage(): Promise<void> {
    const { directory } = this.environment;
    const path = join(directory, SNAPSHOT_FILE);
    if (!existsSync(path)) return;
    const disk = this.disk.copy();
    const what = harm(disk, directory, snapshotSeq(path), this.random);
    if (what === undefined) return;
    const before = disk.contents();
    let refusal: unknown;
    try {
      const process = await StoreProcess.start({ ...this.environment, disk });
      process.recovered.lock.release();
    } catch (error) {
      refusal = error;
    }
    if (!(refusal instanceof StorageError))
      this.fail(`damage was not refused: ${what}: ${describeError(refusal)}`);
    const after = disk.contents();
    const changed = [...before].some(([name, bytes]) => !after.get(name)?.equals(bytes));
    if (changed || after.size !== before.size) this.fail(`a start that was refused changed files: ${what}`);
    this.totals.damageRefused++;
  }

  // ---- Inside ----------------------------------------------------------------------------------------

  private randomFault(operationsMax: number): Fault {
    const at = this.random.between(1, operationsMax);
    if (this.random.chance(0.5)) return { at, kind: this.random.pick(CRASHES), times: 1 };
    return { at, kind: this.random.pick(ERRORS), times: this.random.pick([1, 1, 2, 5, 30]) };
  }

  private countFault(): void {
    if (this.disk.struck !== undefined) this.totals.faults++;
  }

  /** What a process does after its end does not matter; before, nothing may be thrown. */
  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof BrokenPromise) throw error;
      if (!this.disk.ended) this.fail(`an exception escaped: ${describeError(error)}`);
    }
  }

  private compare(what: string, found: string, seq: number): void {
    const expected = this.ledger.contentAt(seq, this.time.wallMs());
    if (found === expected) return;
    this.fail(`${what} content differs at group ${seq}\n--- expected\n${expected}\n--- found\n${found}`);
  }

  private note(event: string): void {
    this.trace.push(event);
  }

  private fail(message: string): never {
    const { policy, preallocateBytes } = this.environment;
    const setting = `${policy}, ${preallocateBytes} bytes preallocated, ${this.slowDisk ? 'slow' : 'fast'} disk`;
    throw new BrokenPromise(`seed ${this.seed} (${setting}): ${message}\n${this.trace.join('\n')}`);
  }
}

function snapshotSeq(path: string): number {
  const database = openSnapshot(path, 0);
  try {
    return readMeta(database, path).lastSeq;
  } finally {
    database.close();
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
