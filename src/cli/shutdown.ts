import type { Log } from '../base/log.js';
import type { RunningServer } from '../server/server.js';

/** An orderly stop must be over within ten seconds, as service managers expect. */
const STOP_TIMEOUT_MS = 9500;

/**
 * Turns signals into an orderly stop. It exists before the server does: a SIGTERM while loading ends the
 * process too, which is safe because loading acknowledges nothing.
 */
export class Shutdown {
  readonly #log: Log;
  #server: RunningServer | null = null;
  #requested = false;

  constructor(log: Log) {
    this.#log = log;
    process.on('SIGTERM', () => this.#request('SIGTERM'));
    process.on('SIGINT', () => this.#request('SIGINT'));
  }

  /** Waits until the server has stopped; the exit code. */
  async run(server: RunningServer): Promise<number> {
    this.#server = server;
    await server.stopped;
    this.#log.warning('Holdfast is now ready to exit, bye bye...');
    // Exit rather than drain: a forgotten timer or socket must not keep a stopped server's process alive.
    process.exit(0);
  }

  #request(signal: 'SIGTERM' | 'SIGINT'): void {
    if (this.#server === null) {
      this.#log.warning('Received shutdown signal during loading, exiting now.');
      process.exit(0);
    }
    if (this.#requested) {
      if (signal === 'SIGTERM') return;
      this.#log.warning('You insist... exiting now.');
      process.exit(1);
    }
    this.#requested = true;
    this.#log.warning(`Received ${signal} scheduling shutdown...`);
    this.#stop(this.#server);
  }

  #stop(server: RunningServer): void {
    setTimeout(() => {
      this.#log.warning(
        `Stopping took more than ${STOP_TIMEOUT_MS / 1000} seconds, exiting now. ` +
          'What was acknowledged is in the log; the next start reads it from there.',
      );
      process.exit(1);
    }, STOP_TIMEOUT_MS).unref();
    server.stop().catch((error: Error) => {
      this.#log.warning(`Error while stopping: ${error.message}`);
      process.exit(1);
    });
  }
}
