import type { Reply } from '../../resp/reply.js';
import type { Argument } from './argument-writer.js';
import type { Shape } from './call-base.js';
import type { Channel } from './channel.js';
import { type Multi, newMulti } from './multi.js';
import { TypedCalls } from './server-calls.js';
import type { SetOptions } from './string-calls.js';

/**
 * The typed calls of one client, in the order they are made. A call resolves when its write is as safe as
 * `appendfsync` demands, and rejects with a ReplyError when the command answers an error.
 */
export abstract class Calls<Text extends string | Buffer> extends TypedCalls<Text> {
  protected abstract readonly asBuffers: boolean;

  constructor(protected readonly channel: Channel) {
    super();
  }

  protected override run<Value>(args: readonly Argument[], shape: Shape<Value>): Promise<Value> {
    return this.channel.run(args, this.asBuffers, shape);
  }

  /**
   * Runs any command. Replies are RESP3's: maps are Maps, doubles numbers, integers beyond 2^53 bigints.
   *
   * @throws ReplyError
   */
  call(name: string, ...args: readonly Argument[]): Promise<Reply> {
    return this.channel.run([name, ...args], this.asBuffers, (reply) => reply);
  }

  /** Begins a transaction; nothing runs before its `exec()`. */
  multi(): Multi<Text> {
    return newMulti<Text>(this.channel, this.asBuffers);
  }

  /** The next transaction of this client is not done if one of these keys changes before. */
  watch(...keys: readonly Argument[]): Promise<'OK'> {
    return this.run(['WATCH', ...keys], () => 'OK');
  }

  unwatch(): Promise<'OK'> {
    return this.run(['UNWATCH'], () => 'OK');
  }

  override set(key: Argument, value: Argument): Promise<'OK'>;
  override set(key: Argument, value: Argument, options: SetOptions & { get: true }): Promise<Text | null>;
  override set(key: Argument, value: Argument, options: SetOptions & { get?: false }): Promise<'OK' | null>;
  override set(key: Argument, value: Argument, options?: SetOptions): Promise<Text | 'OK' | null>;
  override set(key: Argument, value: Argument, options?: SetOptions): Promise<Text | 'OK' | null> {
    if (options !== undefined) return super.set(key, value, options);
    const { direct, idleClient } = this.channel;
    return (idleClient && direct.set(idleClient, key, value)) ?? super.set(key, value);
  }

  override setex(key: Argument, seconds: number, value: Argument): Promise<'OK'> {
    const { direct, idleClient } = this.channel;
    const done = idleClient && direct.setWithLife(idleClient, 'setex', key, value, seconds, 1000);
    return done ?? super.setex(key, seconds, value);
  }

  override psetex(key: Argument, milliseconds: number, value: Argument): Promise<'OK'> {
    const { direct, idleClient } = this.channel;
    const done = idleClient && direct.setWithLife(idleClient, 'psetex', key, value, milliseconds, 1);
    return done ?? super.psetex(key, milliseconds, value);
  }
}

/** The same client, with strings as Buffers. */
export class BufferCalls extends Calls<Buffer> {
  protected override readonly asBuffers = true;

  override get(key: Argument): Promise<Buffer | null> {
    const { direct, idleClient } = this.channel;
    return (idleClient && direct.getBuffer(idleClient, key)) ?? super.get(key);
  }

  /** As `TextCalls.getSync`. */
  getSync(key: Argument): Buffer | null {
    return this.channel.direct.getBufferNow(this.channel.clientNow(), key);
  }
}

/** The same client, with strings as text. */
export class TextCalls extends Calls<string> {
  protected override readonly asBuffers = false;
  /** The same calls with Buffers wherever strings come back: for values that are not UTF-8 text. */
  readonly buffers: BufferCalls;

  constructor(channel: Channel) {
    super(channel);
    this.buffers = new BufferCalls(channel);
  }

  override get(key: Argument): Promise<string | null> {
    const { direct, idleClient } = this.channel;
    return (idleClient && direct.getText(idleClient, key)) ?? super.get(key);
  }

  /**
   * As `get`, without a promise: twice as quick, for a program that reads very much. Where writes have been made that
   * are not yet as safe as `appendfsync` demands, they are made so first; with `always` it then waits for the disk.
   *
   * @throws ReplyError when the key holds no string; Error behind a call that waits, within a transaction and while
   *   clients are paused.
   */
  getSync(key: Argument): string | null {
    return this.channel.direct.getTextNow(this.channel.clientNow(), key);
  }
}

/** A further client of an open store, with its own order of calls, database, WATCH and transactions. */
export class EmbeddedClient extends TextCalls {
  /** @param onClose tells the store that it need not end this client itself. */
  constructor(
    channel: Channel,
    private readonly onClose: () => void,
  ) {
    super(channel);
  }

  /** Ends it; the store stays open. */
  close(): void {
    this.channel.end(new Error('this client is closed'));
    this.onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
