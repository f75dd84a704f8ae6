import type { ReplySink } from '../resp/reply-batch.js';

/**
 * One connection's state, as commands see it. It knows no socket: the server (or the in-process caller)
 * gives it the few functions that reach its transport.
 */
export class Client {
  /** Unique for the life of the server, counting from 1. */
  readonly id: number;
  /** Peer and local address as CLIENT LIST prints them. */
  readonly address: string;
  readonly localAddress: string;
  readonly transport: ClientTransport;

  db = 0;
  /** RESP version of the replies. */
  protocol: 2 | 3 = 2;
  user = 'default';
  authenticated: boolean;
  name = '';
  libName = '';
  libVersion = '';

  /** CLIENT REPLY: OFF swallows every reply, SKIP the next one. */
  replyMode: 'on' | 'off' | 'skip-next' | 'skip' = 'on';
  noEvict = false;
  noTouch = false;

  /** Set between MULTI and EXEC or DISCARD. */
  transaction: Transaction | null = null;
  /** A watched key has changed: the next EXEC answers null. */
  watchBroken = false;
  /** Number of watched keys (keyspace/watch.ts holds them). */
  watching = 0;

  /** Set while the client waits (a blocking command, SAVE, WAITAOF, CLIENT PAUSE): its input is not read. */
  blocked: BlockedState | null = null;
  /** Set while EXEC runs its queue: what would wait (WAIT, WAITAOF) answers at once instead. */
  denyBlocking = false;
  /** Close once the replies written so far are out. */
  closeAfterReply = false;

  readonly createdAtMs: number;
  lastInteractionMs: number;
  lastCommand = 'NULL';
  commandsProcessed = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Sequence number of the last commit group that holds a write of this client (WAITAOF). */
  lastWriteSeq = 0;

  constructor(options: {
    id: number;
    address: string;
    localAddress: string;
    transport: ClientTransport;
    authenticated: boolean;
    nowMs: number;
  }) {
    this.id = options.id;
    this.address = options.address;
    this.localAddress = options.localAddress;
    this.transport = options.transport;
    this.authenticated = options.authenticated;
    this.createdAtMs = options.nowMs;
    this.lastInteractionMs = options.nowMs;
  }
}

/** How a client is reached: a socket, or the caller in this process. The sink is where its replies go. */
export interface ClientTransport extends ReplySink {
  /** How CLIENT LIST TYPE and the output limits class it. */
  readonly kind: 'tcp' | 'unix' | 'local';
  /** File descriptor of the socket, -1 where there is none or it is not known. */
  readonly fd: number;
  /** Closes at once, dropping replies not yet sent. */
  close(): void;
  /** Bytes of input held (unparsed) for this client. */
  inputBytes(): number;
  /** Bytes reserved for its input beyond those. */
  inputFreeBytes(): number;
  /** Bytes of replies not yet taken by the socket. */
  outputBytes(): number;
  /** The client no longer waits (`blocked` is null again): go on reading its input. */
  resumeInput(): void;
}

/** Commands queued since MULTI. Arguments are copies. */
export interface Transaction {
  queue: Buffer[][];
  /** A command was refused while queueing: EXEC answers EXECABORT. */
  aborted: boolean;
  /** A queued command writes, or needs memory: what EXEC itself is then refused for. */
  writes: boolean;
  deniesOnMemory: boolean;
  /** Bytes the queue holds, counted against client-query-buffer-limit. */
  bytes: number;
}

/** Why a client waits, and how it stops waiting. */
export interface BlockedState {
  /** For INFO and CLIENT LIST: blocking list commands and the like count, a pause does not. */
  readonly reason: 'command' | 'pause' | 'checkpoint' | 'sync';
  /** CLIENT UNBLOCK: answers as a timeout would, or with -UNBLOCKED. False when it cannot be unblocked so. */
  unblock?(how: 'timeout' | 'error'): boolean;
  /** The connection went away. */
  cancel?(): void;
}
