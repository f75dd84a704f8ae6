import { copyBytes } from '../../base/bytes.js';
import { errors } from '../../base/errors.js';
import type { Client } from '../../commands/client.js';
import type { CommandStats } from '../../commands/stats.js';
import type { Engine } from '../../engine.js';
import type { Keyspace, Ref } from '../../keyspace/keyspace.js';
import { type ExpireAt, NO_EXPIRY } from '../../keyspace/mutations.js';
import { ReplyError } from '../../resp/reply.js';
import type { Dispatcher } from '../dispatch.js';
import { type Argument, ArgumentWriter } from './argument-writer.js';
import { TurnGate } from './turn-gate.js';

/**
 * A direct read is answered without a turn of the event loop. A program that awaits one after the other would
 * keep everybody else from running; every so many of them one goes the long way, through the loop.
 */
const READS_BETWEEN_TURNS = 1024;

/** The commands that have a direct form, for the counters. */
type DirectWrite = 'set' | 'setex' | 'psetex';

/**
 * GET, SET, SETEX and PSETEX without the way through RESP: the same keyspace, the same commit. Each call here
 * either does exactly what its command would, or answers `undefined` and has done nothing: whatever is out of
 * the ordinary (an error, a limit, a pause, a wait for the disk) is the command's own business.
 */
export class DirectStrings {
  private readonly engine: Engine;
  private readonly dispatcher: Dispatcher;
  private readonly keyspace: Keyspace;
  private readonly maxBytes: () => number;
  private readonly writer = new ArgumentWriter();
  private readonly getStats: CommandStats;
  private readonly writeStats: Readonly<Record<DirectWrite, CommandStats>>;
  private gate: TurnGate | null = null;
  private readsLeft = READS_BETWEEN_TURNS;

  constructor(engine: Engine, dispatcher: Dispatcher) {
    this.engine = engine;
    this.dispatcher = dispatcher;
    this.keyspace = engine.keyspace;
    this.maxBytes = () => dispatcher.config.values['proto-max-bulk-len'];
    const statsOf = (name: string) => dispatcher.registry.get(name)!.stats;
    this.getStats = statsOf('get');
    this.writeStats = { set: statsOf('set'), setex: statsOf('setex'), psetex: statsOf('psetex') };
  }

  getText(client: Client, key: Argument): Promise<string | null> | undefined {
    const found = this.find(client, key);
    if (found === undefined) return undefined;
    if (!found) return NOTHING;
    const { valueBytes, valueStart, valueEnd } = this.keyspace;
    return Promise.resolve(textOf(valueBytes, valueStart, valueEnd));
  }

  getBuffer(client: Client, key: Argument): Promise<Buffer | null> | undefined {
    const found = this.find(client, key);
    if (found === undefined) return undefined;
    if (!found) return NOTHING;
    const { valueBytes, valueStart, valueEnd } = this.keyspace;
    return Promise.resolve(copyForProgram(valueBytes, valueStart, valueEnd));
  }

  getTextNow(client: Client, key: Argument): string | null {
    if (!this.findNow(client, key)) return null;
    const { valueBytes, valueStart, valueEnd } = this.keyspace;
    return textOf(valueBytes, valueStart, valueEnd);
  }

  getBufferNow(client: Client, key: Argument): Buffer | null {
    if (!this.findNow(client, key)) return null;
    const { valueBytes, valueStart, valueEnd } = this.keyspace;
    return copyForProgram(valueBytes, valueStart, valueEnd);
  }

  /**
   * As `find`, but always with an answer: what is not yet as safe as the policy demands is made so first.
   *
   * @throws ReplyError, TypeError; Error where the server's state does not allow it.
   */
  private findNow(client: Client, key: Argument): boolean {
    if (!this.dispatcher.readable)
      throw new Error('getSync cannot wait until clients are no longer paused: use get');
    this.dispatcher.beginTimeless(client);
    let ref = this.lookUp(client, key);
    // Only what may expire needs to know what time it is.
    if (ref !== 0 && this.keyspace.dueOf(ref) !== Number.POSITIVE_INFINITY) {
      if (this.keyspace.dueOf(ref) <= this.dispatcher.beginDirect(client)) ref = this.lookUp(client, key);
    }
    if (!this.engine.settled) {
      this.engine.settle();
      ref = this.lookUp(client, key);
    }
    return this.take(client, ref);
  }

  /** The record of a key. What it wrote to is `writer`'s, until that is used again. */
  private lookUp(client: Client, key: Argument): Ref {
    const { keyspace, writer } = this;
    writer.clear();
    if (!writer.write(key)) throw new TypeError('a key must be a string, a Uint8Array or a number');
    return client.noTouch
      ? keyspace.peek(client.db, writer.bytes, 0, writer.length)
      : keyspace.find(client.db, writer.bytes, 0, writer.length);
  }

  /** Points the keyspace's value at what was found; false when that is nothing. @throws ReplyError */
  private take(client: Client, ref: Ref): boolean {
    const { dispatcher, keyspace } = this;
    dispatcher.countDirect(client, this.getStats);
    if (ref === 0) {
      dispatcher.stats.keyspaceMisses++;
      return false;
    }
    dispatcher.stats.keyspaceHits++;
    if (!keyspace.isString(ref)) {
      this.getStats.failed++;
      dispatcher.stats.countError(errors.wrongType);
      throw new ReplyError(errors.wrongType);
    }
    keyspace.loadString(ref);
    return true;
  }

  /** Points the keyspace's value at a string; false when there is none. */
  private find(client: Client, key: Argument): boolean | undefined {
    if (!this.dispatcher.unrestricted || --this.readsLeft <= 0) {
      this.readsLeft = READS_BETWEEN_TURNS;
      return undefined;
    }
    const { keyspace, writer } = this;
    this.dispatcher.beginDirect(client);
    writer.clear();
    if (!writer.write(key)) return undefined;
    const ref = client.noTouch
      ? keyspace.peek(client.db, writer.bytes, 0, writer.length)
      : keyspace.find(client.db, writer.bytes, 0, writer.length);
    // A reply must not tell of a change, even of a removal found due just now, that the commit may still refuse.
    if (!this.engine.settled || (ref !== 0 && !keyspace.isString(ref))) return undefined;
    if (ref === 0) this.dispatcher.stats.keyspaceMisses++;
    else this.dispatcher.stats.keyspaceHits++;
    this.dispatcher.countDirect(client, this.getStats);
    if (ref === 0) return false;
    keyspace.loadString(ref);
    return true;
  }

  set(client: Client, key: Argument, value: Argument): Promise<'OK'> | undefined {
    return this.write(client, 'set', key, value, 0);
  }

  /** @param unitMs what `time` counts: 1000 for seconds. */
  setWithLife(
    client: Client,
    command: 'setex' | 'psetex',
    key: Argument,
    value: Argument,
    time: number,
    unitMs: 1 | 1000,
  ): Promise<'OK'> | undefined {
    const lifeMs = time * unitMs;
    if (time <= 0 || !Number.isSafeInteger(time) || !Number.isSafeInteger(lifeMs)) return undefined;
    return this.write(client, command, key, value, lifeMs);
  }

  /** @param lifeMs 0: it does not expire. */
  private write(
    client: Client,
    command: DirectWrite,
    key: Argument,
    value: Argument,
    lifeMs: number,
  ): Promise<'OK'> | undefined {
    const { engine, keyspace, writer } = this;
    if (!this.dispatcher.unrestricted || engine.writeRefusal !== null) return undefined;
    const nowMs = this.dispatcher.beginDirect(client);
    writer.clear();
    if (!writer.write(key)) return undefined;
    const keyEnd = writer.length;
    if (!writer.write(value)) return undefined;
    // Nothing that a socket could not send; one comparison for both, the exact one is the command's.
    if (writer.length > this.maxBytes()) return undefined;
    const expireAt: ExpireAt = lifeMs === 0 ? NO_EXPIRY : nowMs + lifeMs;
    if (lifeMs !== 0 && !Number.isSafeInteger(expireAt)) return undefined;
    const gate = this.openGate();
    keyspace.setString(client.db, writer.bytes, 0, keyEnd, writer.bytes, keyEnd, writer.length, expireAt);
    client.lastWriteSeq = gate.seq;
    this.dispatcher.countDirect(client, this.writeStats[command]);
    engine.endCommand();
    return gate.promise;
  }

  /** Enters one write into the batch of this turn. */
  private openGate(): TurnGate {
    const { batch, openSeq } = this.engine;
    let { gate } = this;
    if (gate === null || gate.released || gate.batch !== batch || gate.seq !== openSeq) {
      gate = new TurnGate(batch, openSeq);
      this.gate = gate;
    }
    batch.address(gate);
    batch.dependsOnData();
    batch.writer.ok();
    return gate;
  }
}

/** One promise for every key that is missing. */
const NOTHING: Promise<null> = Promise.resolve(null);

/** Slabs and large values are Buffers: one made for each text would take three times as long as the text. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  return (bytes as Buffer).toString('utf8', start, end);
}

/** A copy in Node's pool, as Buffer.from makes it: the program's own, and quicker than memory of its own. */
function copyForProgram(bytes: Uint8Array, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  copyBytes(bytes, start, end, copy, 0);
  return copy;
}
