import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { Clock } from '../base/clock.js';
import type { BindAddress, Config } from '../base/config.js';
import { StartupError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { systemErrorText } from '../base/system-error.js';
import { RequestDecoder } from '../resp/request-decoder.js';
import {
  Connection,
  type ConnectionHost,
  type Endpoint,
  type Sessions,
  type SocketHandle,
  type Turns,
} from './connection.js';
import { descriptorsForClients } from './descriptors.js';
import { ServerLimits } from './limits.js';
import { ReadBuffer } from './read-buffer.js';

export interface ListenerOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly sessions: Sessions;
  readonly turns: Turns;
}

/** Where to listen. The configuration's, or what an embedding program asks for. */
export interface ListenAddresses {
  /** Empty for no TCP. */
  readonly bind: readonly BindAddress[];
  /** 0 lets the system choose one; it is the same on all addresses. */
  readonly port: number;
  readonly backlog: number;
  /** Absolute path; empty for none. */
  readonly unixSocket: string;
  /** Permission bits of the Unix socket, 0: the owner's alone. */
  readonly unixSocketMode: number;
}

/** What the configuration says. There `port 0` means no TCP. */
export function configuredAddresses(config: Config): ListenAddresses {
  const { bind, port, unixsocketperm } = config.values;
  return {
    bind: port === 0 ? [] : bind,
    port,
    backlog: config.values['tcp-backlog'],
    unixSocket: config.path('unixsocket'),
    unixSocketMode: unixsocketperm,
  };
}

/** Short enough that a long command's buffer is given back within a second, which Redis's own tests expect. */
const SWEEP_INTERVAL_MS = 300;
/** Between two log lines about the same trouble with accepting. */
const ACCEPT_LOG_INTERVAL_MS = 10_000;
/** What a peer that is refused may take to read why. */
const REFUSAL_TIMEOUT_MS = 1000;

const TOO_MANY_CLIENTS = '-ERR max number of clients reached\r\n';

/** Redis's text (clientAcceptHandler in networking.c); people search the web for it. */
const PROTECTED_MODE =
  '-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for ' +
  'the default user. In this mode connections are only accepted from the loopback interface. If you want to ' +
  'connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable ' +
  "protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting " +
  'to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from ' +
  'internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just ' +
  'disable the protected mode by editing the Redis configuration file, and setting the protected mode option ' +
  "to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it " +
  "with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You " +
  'only need to do one of the above things in order for the server to start accepting connections from the ' +
  'outside.\r\n';

/** Errors that mean this machine has no such kind of address: not worth failing for, as in Redis. */
const UNSUPPORTED = new Set([
  'ENOPROTOOPT',
  'EPROTONOSUPPORT',
  'ESOCKTNOSUPPORT',
  'EPFNOSUPPORT',
  'EAFNOSUPPORT',
]);

/** The listening sockets, and every connection they accepted. */
export class Listener implements ConnectionHost {
  readonly sessions: Sessions;
  readonly turns: Turns;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly readBuffer = new ReadBuffer();
  readonly decoder: RequestDecoder;

  private readonly servers: Server[] = [];
  private readonly connections = new Set<Connection>();
  /** Most clients that leave the log enough file descriptors. */
  private readonly descriptorLimit: number;
  private readonly sweepTimer: NodeJS.Timeout;
  private lastAcceptLogMs = Number.NEGATIVE_INFINITY;
  private boundPort = 0;
  /** Called when the last connection is gone. */
  private readonly drainWaiters: (() => void)[] = [];

  constructor(options: ListenerOptions) {
    this.sessions = options.sessions;
    this.turns = options.turns;
    this.clock = options.clock;
    this.log = options.log;
    this.limits = new ServerLimits(options.config);
    this.decoder = new RequestDecoder(this.limits);
    this.descriptorLimit = descriptorsForClients();
    this.sweepTimer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /** The TCP port that is listened on, 0 when there is none. */
  get port(): number {
    return this.boundPort;
  }

  /** Open connections, those that are only waiting to be closed included. */
  get connectionCount(): number {
    return this.connections.size;
  }

  /** @throws StartupError naming the address; nothing is listened on then. */
  async listen(addresses: ListenAddresses): Promise<void> {
    this.warnAboutDescriptors();
    try {
      for (const address of addresses.bind) await this.listenTcp(address, addresses);
      if (addresses.bind.length > 0 && this.servers.length === 0) {
        throw new StartupError('None of the addresses to bind exists on this machine');
      }
      if (addresses.unixSocket !== '') await this.listenUnix(addresses);
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** The listening continues with fewer clients than asked for: the log must never lack a file descriptor. */
  private warnAboutDescriptors(): void {
    const { maxClients } = this.limits;
    if (maxClients <= this.descriptorLimit) return;
    this.log.warning(
      `maxclients ${maxClients} needs more open files than this process may have: at most ` +
        `${this.descriptorLimit} clients are accepted. Raise the limit (ulimit -n) to have more`,
    );
  }

  private async listenTcp(address: BindAddress, { port, backlog }: ListenAddresses): Promise<void> {
    const { host, optional } = address;
    // Each address is listed by itself: `::` must not take IPv4 as well.
    const options = { host, port: this.boundPort || port, backlog, ipv6Only: host.includes(':') };
    try {
      const server = await this.open('tcp', options);
      const bound = server.address();
      if (bound !== null && typeof bound === 'object') this.boundPort = bound.port;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const place = `${host}:${options.port}`;
      const text = `Could not create server TCP listening socket ${place}: bind: ${systemErrorText(error)}`;
      if (!UNSUPPORTED.has(code) && !(optional && code === 'EADDRNOTAVAIL')) {
        throw new StartupError(text, { cause: error });
      }
      this.log.verbose(text);
    }
  }

  private async listenUnix({ unixSocket, unixSocketMode, backlog }: ListenAddresses): Promise<void> {
    try {
      removeStaleSocket(unixSocket);
      await withUmask(unixSocketMode === 0 ? 0o077 : ~unixSocketMode & 0o777, () =>
        this.open('unix', { path: unixSocket, backlog }),
      );
      chmodSync(unixSocket, unixSocketMode === 0 ? 0o700 : unixSocketMode);
    } catch (error) {
      throw new StartupError(`Failed opening Unix socket ${unixSocket}: bind: ${systemErrorText(error)}`, {
        cause: error,
      });
    }
  }

  /** The socket is bound before this returns its promise, so that a umask set around the call applies to it. */
  private open(kind: 'tcp' | 'unix', options: ListenOptions): Promise<Server> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.on('connection', (socket) => this.accept(socket, kind, options.path ?? ''));
    const opened = new Promise<Server>((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        server.off('error', reject);
        server.on('error', (error) => this.acceptFailed(error));
        this.servers.push(server);
        resolve(server);
      });
    });
    server.listen(options);
    return opened;
  }

  /** A connection that could not be accepted (no file descriptors): the others, and the listening, go on. */
  private acceptFailed(error: Error): void {
    this.sessions.stats.connectionsRejected++;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lastAcceptLogMs < ACCEPT_LOG_INTERVAL_MS) return;
    this.lastAcceptLogMs = nowMs;
    this.log.warning(`Accepting a client connection failed: ${systemErrorText(error)}`);
  }

  private accept(socket: Socket, kind: 'tcp' | 'unix', path: string): void {
    const endpoint = kind === 'unix' ? unixEndpoint(path) : tcpEndpoint(socket);
    if (endpoint === null) socket.destroy();
    else if (this.connections.size >= this.clientLimit) this.turnAway(socket, TOO_MANY_CLIENTS);
    else if (this.limits.localOnly && kind === 'tcp' && !isLoopback(socket.remoteAddress)) {
      this.turnAway(socket, PROTECTED_MODE);
    } else this.adopt(socket, endpoint);
  }

  private get clientLimit(): number {
    return Math.min(this.limits.maxClients, this.descriptorLimit);
  }

  private adopt(socket: Socket, endpoint: Endpoint): void {
    const handle = detachHandle(socket);
    if (handle === null) return;
    this.sessions.stats.connectionsReceived++;
    this.connections.add(new Connection(handle, endpoint, this));
  }

  /** Says why, as far as the peer is willing to read it. */
  private turnAway(socket: Socket, reason: string): void {
    this.sessions.stats.connectionsRejected++;
    socket.on('error', () => {});
    socket.setTimeout(REFUSAL_TIMEOUT_MS, () => socket.destroy());
    socket.end(reason, () => socket.destroy());
  }

  closed(connection: Connection): void {
    this.connections.delete(connection);
    if (this.connections.size > 0) return;
    for (const resolve of this.drainWaiters.splice(0)) resolve();
  }

  private sweep(): void {
    const monotonicMs = this.clock.monotonicMs();
    const wallMs = this.clock.wallMs();
    for (const connection of this.connections) connection.sweep(monotonicMs, wallMs);
  }

  /**
   * Stops listening, closes every connection behind the replies it has been given, and resolves when all are
   * gone. Those that have not taken their replies after `graceMs` are cut off.
   */
  async close(graceMs: number): Promise<void> {
    const servers = this.servers.splice(0).map(closeServer);
    for (const connection of this.connections) connection.finish();
    await this.drained(graceMs);
    clearInterval(this.sweepTimer);
    await Promise.all(servers);
    this.boundPort = 0;
  }

  private drained(graceMs: number): Promise<void> {
    if (this.connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => {
        for (const connection of this.connections) connection.close();
      }, graceMs);
      this.drainWaiters.push(() => {
        clearTimeout(cutOff);
        resolve();
      });
    });
  }
}

/**
 * Takes the handle away from the Socket that Node's server made for it, so that the connection can make its own
 * (`onread` can only be given to a constructor). The empty Socket is destroyed: the server counts it out.
 *
 * @returns null when the connection is gone already.
 */
function detachHandle(socket: Socket): SocketHandle | null {
  const holder = socket as unknown as { _handle: SocketHandle | null };
  const handle = holder._handle;
  holder._handle = null;
  socket.destroy();
  return handle;
}

/** Null when the peer has reset the connection before it was accepted. */
function tcpEndpoint(socket: Socket): Endpoint | null {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || localAddress === undefined) return null;
  return {
    kind: 'tcp',
    address: `${bracketed(remoteAddress)}:${remotePort}`,
    localAddress: `${bracketed(localAddress)}:${localPort}`,
  };
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** As Redis prints it: the path for both ends, and 0 for a port. */
function unixEndpoint(path: string): Endpoint {
  return { kind: 'unix', address: `${path}:0`, localAddress: `${path}:0` };
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address.startsWith('127.') || address === '::1');
}

/** A socket that a killed server left behind is in the way. Anything else at that path is not ours to remove. */
function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
}

/** The socket must not be open to others even for the moment until its permissions are set (CVE-2023-45145). */
async function withUmask<Result>(mask: number, action: () => Promise<Result>): Promise<Result> {
  // A worker thread cannot change the umask, which is the process's.
  if (!isMainThread) return action();
  const before = process.umask(mask);
  let result: Promise<Result>;
  try {
    result = action();
  } finally {
    process.umask(before);
  }
  return result;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
