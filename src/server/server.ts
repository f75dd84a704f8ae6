import type { Config } from '../base/config.js';
import type { Log } from '../base/log.js';
import type { LoadSummary } from '../engine.js';
import type { RecoveryProgress } from '../recovery.js';
import { Instance } from './instance.js';
import { configuredAddresses } from './listener.js';

export interface StartOptions {
  readonly log: Log;
  readonly onProgress: (progress: RecoveryProgress) => void;
}

export interface RunningServer {
  /** TCP port, 0 when it listens on none. */
  readonly port: number;
  /** `redis://127.0.0.1:6379`, without a password. */
  readonly url: string;
  /** Path of the Unix socket, empty when there is none. */
  readonly unixSocket: string;
  readonly load: LoadSummary;
  /** Stops accepting, finishes what runs, fsyncs, checkpoints. */
  stop(): Promise<void>;
  /** Resolves when the server has stopped, whoever asked: `stop`, or a client's SHUTDOWN. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the server that a configuration describes. It listens from the beginning and answers -LOADING until
 * the data are there.
 *
 * @throws StartupError, StorageError; nothing is left open then.
 */
export async function startServer(config: Config, options: StartOptions): Promise<RunningServer> {
  const instance = new Instance({ config, log: options.log });
  try {
    const addresses = configuredAddresses(config);
    const port = await instance.listen(addresses);
    const load = await instance.load(options.onProgress);
    return {
      port,
      url: `redis://${urlHost(addresses.bind[0]?.host)}:${port}`,
      unixSocket: addresses.unixSocket,
      load,
      stop: () => instance.stop(),
      stopped: instance.stopped,
    };
  } catch (error) {
    // The reason why it did not start is what matters, not what closing it may add.
    await instance.stop({ checkpoint: false }).catch(() => {});
    throw error;
  }
}

/** A name that a client on this machine can connect to. */
export function urlHost(bound: string | undefined): string {
  if (bound === undefined || bound === '0.0.0.0' || bound === '::') return '127.0.0.1';
  return bound.includes(':') ? `[${bound}]` : bound;
}
