import { writeSync } from 'node:fs';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { Client, type ClientTransport } from '../commands/client.js';
import type { Stats } from '../commands/stats.js';
import type { ReleaseListener, ReplyBatch } from '../resp/reply-batch.js';
import type { Request } from '../resp/request.js';
import { COMPLETE, MALFORMED, RequestDecoder } from '../resp/request-decoder.js';
import { type OutputClass, OutputWatch, type ServerLimits, UNAUTHENTICATED_OUTPUT_BYTES } from './limits.js';
import { LOOK_AHEAD_COMMANDS } from './look-ahead.js';
import { PendingInput } from './pending-input.js';
import { READ_START, type ReadBuffer } from './read-buffer.js';
import { ReplyBacklog } from './reply-backlog.js';

/** What connections need of the dispatcher. */
export interface Sessions {
  readonly stats: Stats;
  /** Must a client that connects now authenticate first? */
  readonly requiresPassword: boolean;
  newClientId(): number;
  connected(client: Client): void;
  disconnected(client: Client): void;
  /** Whole commands of a pipeline begin at `bytes[start]`, which will be executed next. Changes nothing. */
  lookAhead(client: Client, bytes: Uint8Array, start: number, end: number): void;
  /** Runs one command; its reply is in the batch afterwards. */
  execute(client: Client, request: Request): void;
}

/** What connections need of the engine. */
export interface Turns {
  /** Where the replies of this turn go; read anew for each command. */
  readonly batch: ReplyBatch;
  /** A command is complete, or something waits for the batch: it is committed and released after this turn. */
  endCommand(): void;
}

/** What all connections of a listener share. */
export interface ConnectionHost {
  readonly sessions: Sessions;
  readonly turns: Turns;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly readBuffer: ReadBuffer;
  /** Decodes what is in the read buffer, for all connections in turn. */
  readonly decoder: RequestDecoder;
  /** The socket is gone for good. Called once. */
  closed(connection: Connection): void;
}

/** An accepted socket's handle, the object of Node that owns the file descriptor. */
export interface SocketHandle {
  /** -1 where the system has none. */
  readonly fd: number;
  close(): void;
}

export interface Endpoint {
  readonly kind: 'tcp' | 'unix';
  /** Peer and local address as CLIENT LIST prints them. */
  readonly address: string;
  readonly localAddress: string;
}

/**
 * Commands of one client per turn of the event loop. High enough for whole pipelines, low enough that
 * the others wait a millisecond at most.
 */
const COMMANDS_PER_TURN = 1024;
/** So much input is taken for several commands. */
const PIPELINE_BYTES = 256;
/** Once the replies of the turn, everybody's together, are longer than this, the rest waits until they are out. */
const REPLY_BYTES_PER_TURN = 4 * 1024 * 1024;
/** Input that is read ahead for a client that waits. Reading is what notices that it went away. */
const READ_AHEAD_BYTES = 64 * 1024;
/**
 * Milliseconds between our end of the stream and the close, unless the peer closes first. What it still
 * sends is read and dropped meanwhile: closing with input unread makes the kernel reset the connection, and
 * the last reply may be lost with it.
 */
const LINGER_MS = 1000;

/**
 * CLIENT LIST shows what Redis reserves for the input of an active client; it frees that after two seconds.
 * Here it is a client's share of the read buffer.
 */
const ACTIVE_INPUT_BYTES = 16 * 1024;
const ACTIVE_MS = 2000;

/** Commands run. */
const OPEN = 0;
/** No further command runs; the last replies are in a batch that is not released yet. */
const FINISHING = 1;
/**
 * Everything is released; what the socket has not taken yet is still sent. Until then it is a client that
 * CLIENT LIST shows and CLIENT KILL ends.
 */
const ENDING = 2;
const CLOSED = 3;

/** Keeps a finished request from holding on to the input it was decoded from, 256 MB perhaps. */
const NO_BYTES = new Uint8Array(0);

/**
 * One socket: input to commands, released replies to output. Commands run in the order of their bytes, each
 * as soon as it is whole. Nothing goes out but through `release`.
 */
export class Connection implements ClientTransport, ReleaseListener {
  readonly kind: 'tcp' | 'unix';
  readonly fd: number;
  readonly client: Client;
  outputClass: OutputClass = 'normal';

  private readonly host: ConnectionHost;
  private readonly socket: Socket;
  private state: typeof OPEN | typeof FINISHING | typeof ENDING | typeof CLOSED = OPEN;

  private readonly pending = new PendingInput();
  /** Decodes a command that comes in small pieces; null while the shared decoder can start it over. */
  private partial: RequestDecoder | null = null;
  /** The rest of the input waits until the batch is released. */
  private yielding = false;
  private paused = false;
  /** The peer has ended its side of the stream. */
  private inputEnded = false;

  /** The socket has not taken everything it was given. */
  private sending = false;
  private readonly backlog = new ReplyBacklog();
  private readonly outputWatch = new OutputWatch();
  /** Monotonic time after which an ended connection is closed. */
  private lingerUntilMs = 0;
  private departed = false;

  constructor(handle: SocketHandle, endpoint: Endpoint, host: ConnectionHost) {
    this.host = host;
    this.kind = endpoint.kind;
    this.fd = handle.fd;
    this.client = new Client({
      id: host.sessions.newClientId(),
      address: endpoint.address,
      localAddress: endpoint.localAddress,
      transport: this,
      authenticated: !host.sessions.requiresPassword,
      nowMs: host.clock.wallMs(),
    });
    this.socket = this.wrap(handle);
    host.sessions.connected(this.client);
  }

  /** Gives the handle a Socket that reads into the shared buffer. Two of the options are not in Node's types. */
  private wrap(handle: SocketHandle): Socket {
    const options: SocketConstructorOpts & { handle: SocketHandle; onread: OnReadOpts } = {
      handle,
      // The peer may end its side and still wait for the replies to what it sent.
      allowHalfOpen: true,
      onread: { buffer: this.host.readBuffer.target, callback: this.onRead },
    };
    const socket = new Socket(options);
    socket.on('end', () => this.onEnd());
    socket.on('close', () => this.close());
    // What comes after is 'close'. A peer that resets a connection is nothing to report.
    socket.on('error', (error) => this.host.log.debug(`${this.name}: ${error.message}`));
    if (this.kind === 'tcp') this.tune(socket);
    return socket;
  }

  private tune(socket: Socket): void {
    const { keepAliveSeconds } = this.host.limits;
    socket.setNoDelay(true);
    if (keepAliveSeconds > 0) socket.setKeepAlive(true, keepAliveSeconds * 1000);
  }

  // Input

  private readonly onRead = (size: number): boolean => {
    if (this.state !== OPEN) return true;
    this.host.sessions.stats.inputBytes += size;
    this.client.bytesIn += size;
    if (this.pending.length + size + queuedBytes(this.client) > this.host.limits.queryBufferBytes) {
      this.closeForInput();
    } else {
      this.receive(size);
    }
    return true;
  };

  /**
   * The rest of an earlier read goes in front of the new bytes while it is the shorter part; otherwise the new
   * bytes are added to it. Either way each byte is copied a bounded number of times.
   */
  private receive(size: number): void {
    const { pending, host } = this;
    const { bytes } = host.readBuffer;
    const end = READ_START + size;
    if (this.mustWait) {
      this.keep(bytes, READ_START, end);
    } else if (pending.length === 0) {
      this.runChunk(READ_START, end);
    } else if (this.partial === null && pending.length <= size) {
      const start = READ_START - pending.length;
      pending.bytes.copy(bytes, start, pending.start, pending.end);
      pending.clear();
      this.runChunk(start, end);
    } else {
      this.partial ??= this.decoderAt(pending.start);
      this.keep(bytes, READ_START, end);
      this.runPending(this.partial);
    }
  }

  private get mustWait(): boolean {
    return this.yielding || this.client.blocked !== null;
  }

  private decoderAt(position: number): RequestDecoder {
    const decoder = new RequestDecoder(this.host.limits);
    decoder.begin(position);
    return decoder;
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    const { pending, partial } = this;
    const moved = pending.append(bytes, start, end, partial?.awaitedEnd ?? 0);
    if (moved) partial?.begin(pending.start);
    if (this.mustWait && pending.length > READ_AHEAD_BYTES) this.pauseReading();
  }

  /** Runs what is in the read buffer and keeps the rest. */
  private runChunk(start: number, end: number): void {
    const { decoder, readBuffer } = this.host;
    decoder.begin(start);
    const rest = this.run(decoder, readBuffer.bytes, end);
    if (rest < end && this.state === OPEN) this.keep(readBuffer.bytes, rest, end);
    this.settle();
  }

  private runPending(decoder: RequestDecoder): void {
    const { pending } = this;
    const rest = this.run(decoder, pending.bytes, pending.end);
    decoder.request.bytes = NO_BYTES;
    if (this.state === OPEN) {
      if (rest > pending.start) this.partial = null;
      if (rest < pending.end) pending.start = rest;
      else pending.clear();
    }
    this.settle();
  }

  /** Runs whole commands until there are none, or it is enough; returns where the first one begins that did not run. */
  private run(decoder: RequestDecoder, bytes: Buffer, end: number): number {
    const { client } = this;
    const { sessions, turns } = this.host;
    for (let left = COMMANDS_PER_TURN; ; ) {
      if (left % LOOK_AHEAD_COMMANDS === 0 && end - decoder.position > PIPELINE_BYTES)
        sessions.lookAhead(client, bytes, decoder.position, end);
      const decoded = decoder.decode(bytes, end, client.authenticated || !sessions.requiresPassword);
      if (decoded === MALFORMED) this.refuse(decoder.error);
      if (decoded !== COMPLETE) return decoder.unfinished;
      sessions.execute(client, decoder.request);
      if (client.closeAfterReply || client.blocked !== null || this.state !== OPEN) break;
      left--;
      if (left === 0 || turns.batch.writer.length > REPLY_BYTES_PER_TURN) {
        this.yielding = decoder.position < end;
        break;
      }
    }
    return decoder.position;
  }

  /** What comes next, after commands have run. */
  private settle(): void {
    if (this.state !== OPEN) return;
    if (this.client.closeAfterReply) this.finish();
    else if (this.yielding) this.yieldTurn();
    else if (this.client.blocked !== null) return;
    else if (this.inputEnded) this.finish();
    else this.awaitInput();
  }

  private awaitInput(): void {
    if (this.paused) this.resumeReading();
    // A command that comes slowly is no idleness.
    if (this.pending.length > 0) this.client.lastInteractionMs = this.host.clock.wallMs();
  }

  private yieldTurn(): void {
    this.pauseReading();
    this.host.turns.batch.afterRelease(this);
    this.host.turns.endCommand();
  }

  /** The client no longer waits: what it sent meanwhile runs in the next turn. */
  resumeInput(): void {
    setImmediate(() => this.continueInput());
  }

  private continueInput(): void {
    if (this.state !== OPEN || this.client.blocked !== null) return;
    this.yielding = false;
    const { pending } = this;
    if (pending.length === 0) {
      this.settle();
      return;
    }
    if (this.partial === null) this.host.decoder.begin(pending.start);
    this.runPending(this.partial ?? this.host.decoder);
  }

  private onEnd(): void {
    this.inputEnded = true;
    // Nobody is there to take what a blocking command would give; other waits end by themselves.
    if (this.client.blocked?.reason === 'command') this.close();
    else if (!this.mustWait) this.settle();
  }

  private pauseReading(): void {
    this.paused = true;
    this.socket.pause();
  }

  private resumeReading(): void {
    this.paused = false;
    this.socket.resume();
  }

  // Refusals

  /** Answers a protocol error behind the replies before it, and ends the connection. */
  private refuse(error: string): void {
    const { sessions, turns, log } = this.host;
    sessions.stats.protocolErrors++;
    const message = `ERR ${error}`;
    sessions.stats.countError(message);
    if (this.client.replyMode === 'on') {
      turns.batch.address(this);
      turns.batch.writer.error(message);
    }
    this.client.closeAfterReply = true;
    log.verbose(`${error.replace(/[^ -~]/g, '?')} from client ${this.name}`);
  }

  private closeForInput(): void {
    this.host.sessions.stats.inputLimitDisconnects++;
    this.host.log.warning(`Closing client that reached max query buffer length: ${this.name}`);
    this.close();
  }

  private closeForOutput(): void {
    this.host.sessions.stats.outputLimitDisconnects++;
    this.host.log.warning(`Client ${this.name} closed for overcoming of output buffer limits.`);
    this.close();
  }

  /** For the log: who it is, nothing of what it sent. */
  private get name(): string {
    const { id, address, name } = this.client;
    return `id=${id} addr=${address} name=${name}`;
  }

  // Output

  release(bytes: Buffer, start: number, end: number): boolean {
    if (this.state >= ENDING) return false;
    this.client.bytesOut += end - start;
    this.host.sessions.stats.outputBytes += end - start;
    if (this.sending) {
      this.backlog.append(bytes, start, end);
      this.checkOutput();
      return false;
    }
    const rest = start + this.writeNow(bytes, start, end);
    if (rest === end) return false;
    this.socket.write(bytes.subarray(rest, end), this.onWritten);
    if (this.socket.writableLength === 0) return false;
    this.sending = true;
    this.checkOutput();
    return true;
  }

  /**
   * Hands the bytes to the system without the stream in between, whose bookkeeping for a write costs more than the
   * execution of most commands. Only while the stream has nothing left to send, or the order would be lost; what the
   * system does not take (nothing at all, when there is an error) is for the stream, which also knows what to do
   * about errors.
   *
   * @returns the bytes taken.
   */
  private writeNow(bytes: Buffer, start: number, end: number): number {
    // A destroyed socket's descriptor may be the number of another file by now. Windows has no descriptor.
    if (this.socket.destroyed || this.fd < 0) return 0;
    try {
      return writeSync(this.fd, bytes, start, end - start);
    } catch {
      return 0;
    }
  }

  /** Called after every write by the stream; some of them were complete before `write` returned. */
  private readonly onWritten = (): void => {
    if (!this.sending || this.socket.writableLength > 0 || this.socket.destroyed) return;
    const next = this.backlog.shift();
    if (next !== undefined) {
      this.socket.write(next, this.onWritten);
      return;
    }
    this.sending = false;
    if (this.state === ENDING) this.endOutput();
  };

  private checkOutput(): void {
    const { limits, clock, sessions } = this.host;
    const bytes = this.outputBytes();
    const stranger = !this.client.authenticated && sessions.requiresPassword;
    const over = this.outputWatch.exceeded(bytes, limits.output[this.outputClass], clock.monotonicMs());
    if (over || (stranger && bytes > UNAUTHENTICATED_OUTPUT_BYTES)) this.closeForOutput();
  }

  batchReleased(): void {
    if (this.state === FINISHING) {
      this.state = ENDING;
      if (!this.sending) this.endOutput();
    } else if (this.state === OPEN) {
      // Not at once: a commit is running.
      setImmediate(() => this.continueInput());
    }
  }

  private endOutput(): void {
    this.depart();
    this.lingerUntilMs = this.host.clock.monotonicMs() + LINGER_MS;
    this.socket.end();
  }

  // The end

  /** No further command runs. The connection is closed once the replies written so far are out. */
  finish(): void {
    if (this.state !== OPEN) return;
    this.state = FINISHING;
    this.pending.clear();
    this.partial = null;
    // From now on input is read only to be dropped, and to see the peer close.
    if (this.paused) this.resumeReading();
    this.host.turns.batch.afterRelease(this);
    this.host.turns.endCommand();
  }

  close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.pending.clear();
    this.partial = null;
    this.backlog.clear();
    this.socket.destroy();
    this.depart();
    this.host.closed(this);
  }

  /** It is no client any more, although its last replies may still be on their way through the network. */
  private depart(): void {
    if (this.departed) return;
    this.departed = true;
    this.host.sessions.disconnected(this.client);
  }

  // Upkeep

  /** Called once a second. */
  sweep(monotonicMs: number, wallMs: number): void {
    this.pending.shrink();
    if (this.sending) this.checkOutput();
    if (this.departed) {
      if (monotonicMs > this.lingerUntilMs) this.close();
    } else if (this.state !== FINISHING && this.isIdle(wallMs)) {
      this.host.log.verbose(`Closing idle client ${this.name}`);
      this.close();
    }
  }

  /** As in Redis, who waits for something (a blocking command, a message) is not idle. */
  private isIdle(wallMs: number): boolean {
    const { idleTimeoutSeconds } = this.host.limits;
    if (idleTimeoutSeconds === 0 || this.client.blocked !== null || this.outputClass !== 'normal')
      return false;
    return wallMs - this.client.lastInteractionMs > idleTimeoutSeconds * 1000;
  }

  inputBytes(): number {
    return this.pending.length;
  }

  inputFreeBytes(): number {
    const free = this.pending.bytes.length - this.pending.length;
    const active = this.host.clock.wallMs() - this.client.lastInteractionMs <= ACTIVE_MS;
    return active ? free + ACTIVE_INPUT_BYTES : free;
  }

  outputBytes(): number {
    return this.socket.writableLength + this.backlog.length;
  }
}

/** Arguments that MULTI has queued count as input: they were never executed. */
function queuedBytes(client: Client): number {
  return client.transaction === null ? 0 : client.transaction.bytes;
}
