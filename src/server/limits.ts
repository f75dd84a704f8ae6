import type { Config, OutputLimit, OutputLimits } from '../base/config.js';
import type { RequestLimits } from '../resp/request-decoder.js';

/** How client-output-buffer-limit classes a client. */
export type OutputClass = keyof OutputLimits;

/**
 * Replies that a client without a password may leave unread before it is closed. Redis counts 1 KiB beyond
 * a reply buffer of 16 KiB that every client has; here there is no such buffer.
 */
export const UNAUTHENTICATED_OUTPUT_BYTES = 16 * 1024;

/**
 * Argument ranges are 32-bit positions in a client's pending input, which so must stay below 2 GiB whatever
 * the configuration allows. Also what a read may add beyond the limit is taken off.
 */
const MAX_QUERY_BUFFER_BYTES = 2 ** 31 - 1024 * 1024;

/**
 * The options that sockets are checked against, as plain numbers: looking an option up by name for each
 * command costs more than decoding it. They follow CONFIG SET.
 */
export class ServerLimits implements RequestLimits {
  maxBulkBytes = 0;
  queryBufferBytes = 0;
  output!: OutputLimits;
  maxClients = 0;
  /** Seconds without a command after which a client is closed, 0: never. */
  idleTimeoutSeconds = 0;
  /** Seconds of silence before the kernel probes a connection, 0: never. */
  keepAliveSeconds = 0;
  /** Only clients of this machine are served: protected-mode is on and there is no password. */
  localOnly = false;

  constructor(config: Config) {
    this.read(config);
    config.onChange(() => this.read(config));
  }

  private read({ values }: Config): void {
    this.maxBulkBytes = values['proto-max-bulk-len'];
    this.queryBufferBytes = Math.min(values['client-query-buffer-limit'], MAX_QUERY_BUFFER_BYTES);
    this.output = values['client-output-buffer-limit'];
    this.maxClients = values.maxclients;
    this.idleTimeoutSeconds = values.timeout;
    this.keepAliveSeconds = values['tcp-keepalive'];
    this.localOnly = values['protected-mode'] && values.requirepass === '';
  }
}

/**
 * Watches one client's unread replies against a limit of its class: at once when they reach the hard one,
 * or when they have been above the soft one for longer than its seconds.
 */
export class OutputWatch {
  private aboveSoftSinceMs = -1;

  /** @param nowMs monotonic. */
  exceeded(bytes: number, limit: OutputLimit, nowMs: number): boolean {
    if (limit.hardBytes > 0 && bytes >= limit.hardBytes) return true;
    if (limit.softBytes === 0 || bytes < limit.softBytes) {
      this.aboveSoftSinceMs = -1;
      return false;
    }
    if (this.aboveSoftSinceMs < 0) this.aboveSoftSinceMs = nowMs;
    return nowMs - this.aboveSoftSinceMs > limit.softSeconds * 1000;
  }
}
