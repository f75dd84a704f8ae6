import { writeFileSync } from 'node:fs';
import { type Clock, systemClock } from '../base/clock.js';
import type { Config } from '../base/config.js';
import type { Log } from '../base/log.js';
import type { ShutdownOptions } from '../commands/host.js';
import { createRegistry } from '../commands/index.js';
import { Engine, type LoadSummary } from '../engine.js';
import type { RecoveryProgress } from '../recovery.js';
import { Dispatcher } from './dispatch.js';
import { type ListenAddresses, Listener } from './listener.js';

export interface InstanceOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Clients get this long to take their last replies when the server stops. */
const GRACE_MS = 2000;
const SAMPLE_INTERVAL_MS = 100;

/**
 * A store with everything around it: data and disk (the engine), commands (the dispatcher), and the sockets,
 * if it is asked to listen. `holdfast serve` and the embedding API are two ways to start the same thing.
 */
export class Instance {
  readonly engine: Engine;
  readonly dispatcher: Dispatcher;
  /** Resolves when it has stopped, whoever asked. */
  readonly stopped: Promise<void>;

  private readonly config: Config;
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly listeners: Listener[] = [];
  private readonly sampleTimer: NodeJS.Timeout;
  private resolveStopped: () => void = () => {};
  private stopping: Promise<void> | null = null;

  constructor(options: InstanceOptions) {
    this.config = options.config;
    this.log = options.log;
    this.clock = options.clock ?? systemClock;
    this.engine = new Engine({ config: this.config, log: this.log, clock: this.clock });
    this.dispatcher = new Dispatcher({
      config: this.config,
      clock: this.clock,
      registry: createRegistry(),
      storage: this.engine,
      hooks: this.hooks(),
    });
    this.engine.countInto(this.dispatcher.stats);
    this.stopped = new Promise((resolve) => {
      this.resolveStopped = resolve;
    });
    this.sampleTimer = setInterval(() => this.dispatcher.sample(), SAMPLE_INTERVAL_MS);
    this.sampleTimer.unref();
  }

  load(onProgress?: (progress: RecoveryProgress) => void): Promise<LoadSummary> {
    return this.engine.load(onProgress);
  }

  /** @returns the TCP port, 0 when it listens on none. */
  async listen(addresses: ListenAddresses): Promise<number> {
    const listener = new Listener({
      config: this.config,
      clock: this.clock,
      log: this.log,
      sessions: this.dispatcher,
      turns: this.engine,
    });
    await listener.listen(addresses);
    this.listeners.push(listener);
    return listener.port;
  }

  /**
   * Stops accepting, lets what runs finish, fsyncs, checkpoints, and lets go of the directory. Further calls
   * wait for the first.
   */
  stop(options: { checkpoint?: boolean } = {}): Promise<void> {
    this.stopping ??= this.stopInOrder(options);
    return this.stopping;
  }

  private async stopInOrder(options: { checkpoint?: boolean }): Promise<void> {
    try {
      await Promise.all(this.listeners.map((listener) => listener.close(GRACE_MS)));
    } finally {
      clearInterval(this.sampleTimer);
      this.dispatcher.close();
      await this.engine.close(options);
      this.resolveStopped();
    }
  }

  private async shutdown({ nosave, force }: ShutdownOptions): Promise<void> {
    this.log.warning('User requested shutdown...');
    try {
      await this.engine.flush();
    } catch (error) {
      if (!force) throw error;
    }
    await this.stop({ checkpoint: !nosave });
  }

  private hooks() {
    const instance = this;
    return {
      get tcpPort(): number {
        return instance.listeners[0]?.port ?? 0;
      },
      shutdown: (options: ShutdownOptions) => this.shutdown(options),
      writeConfigFile: (text: string) => writeFileSync(this.config.file!, text),
      setActiveExpire: (enabled: boolean) => this.engine.setActiveExpire(enabled),
      log: (message: string) => this.log.warning(message),
    };
  }
}
