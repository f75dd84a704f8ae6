import { errors } from '../../base/errors.js';
import type { Client } from '../../commands/client.js';
import { ReplyError } from '../../resp/reply.js';
import { Request } from '../../resp/request.js';
import type { Dispatcher } from '../dispatch.js';
import { type Argument, ArgumentWriter } from './argument-writer.js';
import type { Shape } from './call-base.js';
import type { DirectStrings } from './direct-strings.js';
import { LocalConnection } from './local-connection.js';

/** Redis's own bound on the arguments of a command. */
const ARGUMENTS_MAX = 1024 * 1024;

/**
 * One client of the embedded store, as long as the program keeps it. What ends a connection (QUIT, CLIENT KILL)
 * ends only the one of the moment: the next call has a new one, as with a client library that connects again.
 */
export class Channel {
  readonly direct: DirectStrings;
  private readonly dispatcher: Dispatcher;
  private readonly writer = new ArgumentWriter();
  private readonly request = new Request();
  private connection: LocalConnection;
  private closedWith: Error | null = null;

  constructor(dispatcher: Dispatcher, direct: DirectStrings) {
    this.dispatcher = dispatcher;
    this.direct = direct;
    this.connection = new LocalConnection(dispatcher);
  }

  /** The client, when a direct call of it may run now; null when it has to go the ordinary way. */
  get idleClient(): Client | null {
    const { connection } = this;
    return connection.idle && !connection.finished && this.closedWith === null ? connection.client : null;
  }

  /**
   * The client, for a call that cannot wait.
   *
   * @throws Error when a call before it still waits, or when no more calls are taken.
   */
  clientNow(): Client {
    if (this.closedWith !== null) throw this.closedWith;
    const connection = this.openConnection();
    if (!connection.idle)
      throw new Error('getSync cannot wait for the call before it, or within a transaction: use get');
    return connection.client;
  }

  /** Runs a command. Rejects with a ReplyError when it answers an error. */
  run<Value>(args: readonly Argument[], buffers: boolean, shape: Shape<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.encode(args);
      const call = {
        buffers,
        resolve: (reply: Parameters<Shape<Value>>[0]) => {
          try {
            resolve(shape(reply));
          } catch (error) {
            reject(error);
          }
        },
        reject,
      };
      this.openConnection().run(this.request, call);
    });
  }

  /**
   * Must be called before a transaction is sent: half of one must never be.
   *
   * @throws what one of these commands would be rejected with before it runs.
   */
  checkTransaction(commands: readonly (readonly Argument[])[]): void {
    for (const args of commands) this.encode(args);
    if (this.connection.client.transaction !== null)
      throw new ReplyError('ERR MULTI calls can not be nested');
  }

  /** Takes no further calls. Those that have run are still answered; those behind one that waits are rejected. */
  finish(reason: Error): void {
    this.closedWith ??= reason;
    this.connection.finish(reason);
  }

  /** Rejects whatever has not been answered. */
  end(reason: Error): void {
    this.closedWith ??= reason;
    this.connection.end(reason);
  }

  private openConnection(): LocalConnection {
    if (this.connection.finished) this.connection = new LocalConnection(this.dispatcher);
    return this.connection;
  }

  /** @throws what the call is rejected with. */
  private encode(args: readonly Argument[]): void {
    if (this.closedWith !== null) throw this.closedWith;
    if (args.length > ARGUMENTS_MAX) throw new ReplyError('ERR Protocol error: invalid multibulk length');
    const { request } = this;
    this.writer.fill(request, args);
    const maxBytes = this.dispatcher.config.values['proto-max-bulk-len'];
    for (let i = 0; i < request.count; i++) {
      if (request.length(i) > maxBytes) throw new ReplyError('ERR Protocol error: invalid bulk length');
    }
    if (silences(request)) throw new ReplyError(errors.syntax);
  }
}

/** CLIENT REPLY would leave promises without an answer. */
function silences(request: Request): boolean {
  return request.count > 1 && request.is(0, 'CLIENT') && request.is(1, 'REPLY');
}
