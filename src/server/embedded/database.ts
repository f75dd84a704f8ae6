import { resolve } from 'node:path';
import type { Config } from '../../base/config.js';
import type { LoadSummary } from '../../engine.js';
import { Instance } from '../instance.js';
import { urlHost } from '../server.js';
import { Channel } from './channel.js';
import { EmbeddedClient, TextCalls } from './client.js';
import { DirectStrings } from './direct-strings.js';
import { configFrom, logFrom, type OpenOptions } from './options.js';

/** Where to listen: TCP unless a path is given. */
export interface ListenOptions {
  /** 0, the default, lets the system choose one. */
  readonly port?: number;
  /** Address or name; 127.0.0.1. */
  readonly host?: string;
  /** A Unix socket instead, open to its owner alone. */
  readonly path?: string;
}

export interface Listening {
  /** 0 for a Unix socket. */
  readonly port: number;
  /** What a client library takes: `redis://127.0.0.1:49152`, or `unix:///run/app.sock`. Without a password. */
  readonly url: string;
}

/** Nothing in a store's timers and threads keeps a process alive; while it opens or closes, this does. */
const FOREVER_MS = 2 ** 30;

/**
 * An open store. Its calls are those of one client; `newClient` makes more. It keeps the process alive only
 * through the sockets it listens on: a program that ends without `close` loses nothing that was acknowledged,
 * and the next opening reads more log.
 */
export class Database extends TextCalls implements AsyncDisposable {
  /** What the opening found. */
  readonly loaded: LoadSummary;
  /** Resolves when the store is closed, whoever asked: `close`, or a client's SHUTDOWN. */
  readonly closed: Promise<void>;

  private readonly instance: Instance;
  private readonly config: Config;
  private readonly direct: DirectStrings;
  private readonly channels: Set<Channel>;
  private closing: Promise<void> | null = null;

  private constructor(instance: Instance, config: Config, loaded: LoadSummary) {
    const direct = new DirectStrings(instance.engine, instance.dispatcher);
    const channel = new Channel(instance.dispatcher, direct);
    super(channel);
    this.instance = instance;
    this.config = config;
    this.loaded = loaded;
    this.direct = direct;
    this.channels = new Set([channel]);
    this.closed = instance.stopped.then(() => this.endChannels());
  }

  /** @throws StartupError, StorageError, or what the signal was aborted with; nothing is left open then. */
  static async open(options: OpenOptions): Promise<Database> {
    const { signal } = options;
    signal?.throwIfAborted();
    const config = configFrom(options);
    const instance = new Instance({ config, log: logFrom(options, config) });
    const keepAlive = setInterval(() => {}, FOREVER_MS);
    try {
      const loaded = await instance.load(() => signal?.throwIfAborted());
      signal?.throwIfAborted();
      return new Database(instance, config, loaded);
    } catch (error) {
      // Why it could not be opened is what matters, not what closing may add.
      await instance.stop({ checkpoint: false }).catch(() => {});
      throw error;
    } finally {
      clearInterval(keepAlive);
    }
  }

  /** A client of its own: for WATCH, another database, or calls that wait without holding up the others. */
  newClient(): EmbeddedClient {
    const channel = new Channel(this.instance.dispatcher, this.direct);
    if (this.closing) channel.end(closedError());
    else this.channels.add(channel);
    return new EmbeddedClient(channel, () => this.channels.delete(channel));
  }

  /** Lets other programs in. May be called several times. @throws StartupError naming the address. */
  async listen(options: ListenOptions = {}): Promise<Listening> {
    if (this.closing) throw closedError();
    const { port = 0, host = '127.0.0.1', path } = options;
    const unixSocket = path === undefined ? '' : resolve(path);
    const bound = await this.instance.listen({
      bind: path === undefined ? [{ text: host, host, optional: false }] : [],
      port,
      backlog: this.config.values['tcp-backlog'],
      unixSocket,
      unixSocketMode: 0,
    });
    return {
      port: bound,
      url: path === undefined ? `redis://${urlHost(host)}:${bound}` : `unix://${unixSocket}`,
    };
  }

  /**
   * Takes no further calls, stops listening, answers what has run, checkpoints, and lets go of the directory.
   * May be called more than once.
   */
  close(): Promise<void> {
    this.closing ??= this.closeInOrder();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async closeInOrder(): Promise<void> {
    const keepAlive = setInterval(() => {}, FOREVER_MS);
    for (const channel of this.channels) channel.finish(closedError());
    try {
      await this.instance.stop();
      await this.closed;
    } finally {
      clearInterval(keepAlive);
    }
  }

  private endChannels(): void {
    this.closing ??= Promise.resolve();
    for (const channel of this.channels) channel.end(closedError());
  }
}

function closedError(): Error {
  return new Error('the database is closed');
}
