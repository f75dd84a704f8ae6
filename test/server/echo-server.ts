import { type AddressInfo, connect, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { Config, type ConfigOverrides } from '../../src/base/config.js';
import type { Log } from '../../src/base/log.js';
import type { BlockedState, Client } from '../../src/commands/client.js';
import { Stats } from '../../src/commands/stats.js';
import { ReplyBatch } from '../../src/resp/reply-batch.js';
import { type Reply, ReplyReader } from '../../src/resp/reply-reader.js';
import type { Request } from '../../src/resp/request.js';
import type { Sessions, Turns } from '../../src/server/connection.js';
import { type ListenAddresses, Listener } from '../../src/server/listener.js';

/**
 * The server's front end with no store behind it: a few commands that do to a connection what real ones do.
 * Replies are released at the end of the turn, or when the test says so.
 */
export class EchoServer implements Sessions, Turns {
  readonly config: Config;
  readonly stats = new Stats();
  readonly clients = new Map<number, Client>();
  readonly batch = new ReplyBatch();
  readonly messages: string[] = [];
  /** Arguments of every command that ran, joined by blanks. */
  readonly ran: string[] = [];
  readonly listener: Listener;
  /** While true, nothing is released: a disk that takes its time. */
  holding = false;
  /** Called with each line of the log. */
  onMessage: (message: string) => void = () => {};
  private scheduled = false;
  private lastId = 0;

  constructor(overrides: ConfigOverrides = {}, clock: Clock = systemClock) {
    this.config = new Config(overrides);
    this.listener = new Listener({
      config: this.config,
      clock,
      log: this.log(),
      sessions: this,
      turns: this,
    });
  }

  private log(): Log {
    const add = (message: string) => {
      this.messages.push(message);
      this.onMessage(message);
    };
    return { debug: add, verbose: add, notice: add, warning: add };
  }

  get requiresPassword(): boolean {
    return this.config.values.requirepass !== '';
  }

  newClientId(): number {
    return ++this.lastId;
  }

  connected(client: Client): void {
    this.clients.set(client.id, client);
  }

  disconnected(client: Client): void {
    this.clients.delete(client.id);
    client.blocked?.cancel?.();
    client.blocked = null;
  }

  endCommand(): void {
    if (this.scheduled || this.holding) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (!this.holding) this.batch.release();
    });
  }

  /** Ends `holding`. */
  releaseAll(): void {
    this.holding = false;
    this.batch.release();
  }

  lookAhead(): void {}

  execute(client: Client, request: Request): void {
    const { writer } = this.batch;
    this.batch.address(client.transport);
    writer.protocol = client.protocol;
    client.lastInteractionMs = Date.now();
    if (this.ran.length < 10_000) this.ran.push(describe(request));
    if (request.is(0, 'PING')) writer.simple('PONG');
    else if (request.is(0, 'ECHO')) writer.bulkBytes(request.view(1));
    else if (request.is(0, 'LENGTH')) writer.integer(request.length(1));
    else if (request.is(0, 'BYTES')) writer.bulkBytes(Buffer.alloc(Number(request.text(1)), 'x'));
    else if (request.is(0, 'AUTH')) this.authenticate(client, request);
    else if (request.is(0, 'QUIT')) this.quit(client);
    else if (request.is(0, 'WAIT')) this.wait(client, request);
    else if (request.is(0, 'CLOSE')) client.transport.close();
    else writer.error(`ERR unknown command '${request.text(0)}'`);
    this.endCommand();
  }

  private authenticate(client: Client, request: Request): void {
    client.authenticated = request.text(1) === this.config.values.requirepass;
    if (client.authenticated) this.batch.writer.ok();
    else this.batch.writer.error('WRONGPASS');
  }

  private quit(client: Client): void {
    this.batch.writer.ok();
    client.closeAfterReply = true;
  }

  /** `WAIT reason`: no reply until `wake`. */
  private wait(client: Client, request: Request): void {
    client.blocked = { reason: request.text(1) as BlockedState['reason'] };
  }

  wake(client: Client): void {
    client.blocked = null;
    this.batch.address(client.transport);
    this.batch.writer.simple('AWAKE');
    this.endCommand();
    client.transport.resumeInput();
  }

  /** Listens on a free port of 127.0.0.1. */
  async listen(addresses: Partial<ListenAddresses> = {}): Promise<this> {
    await this.listener.listen({
      bind: [{ text: '127.0.0.1', host: '127.0.0.1', optional: false }],
      port: 0,
      backlog: 511,
      unixSocket: '',
      unixSocketMode: 0,
      ...addresses,
    });
    return this;
  }

  get port(): number {
    return this.listener.port;
  }

  /** The only client there is. */
  get onlyClient(): Client {
    const [client, ...others] = this.clients.values();
    if (client === undefined || others.length > 0) throw new Error(`${this.clients.size} clients`);
    return client;
  }

  close(): Promise<void> {
    return this.listener.close(200);
  }
}

function describe(request: Request): string {
  const shown = [];
  for (let i = 0; i < Math.min(request.count, 10); i++) {
    shown.push(request.length(i) > 100 ? `(${request.length(i)} bytes)` : request.latin1(i));
  }
  return shown.join(' ');
}

/** A client that sees raw bytes and replies. */
export class Peer {
  readonly socket: Socket;
  readonly replies: Reply[] = [];
  private received: Buffer[] = [];
  /** Its own end of the stream has not come, or that of the server. */
  ended = false;
  closed = false;
  error: Error | null = null;

  constructor(target: number | string, host = '127.0.0.1') {
    this.socket =
      typeof target === 'number'
        ? connect({ port: target, host, allowHalfOpen: true, noDelay: true })
        : connect({ path: target, allowHalfOpen: true });
    const reader = new ReplyReader({ onReply: (reply) => this.replies.push(reply) });
    this.socket.on('data', (chunk) => {
      this.received.push(chunk);
      reader.feed(chunk);
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  get localPort(): number {
    return (this.socket.address() as AddressInfo).port;
  }

  send(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  async sendPieces(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      if (this.ended || this.closed) return;
      await new Promise<void>((resolve) => {
        this.socket.write(piece, () => setImmediate(resolve));
      });
    }
  }

  /** Resolves once `count` replies are there. */
  async until(count: number): Promise<Reply[]> {
    await eventually(
      () => this.replies.length >= count,
      () => `${this.replies.length} of ${count} replies`,
    );
    return this.replies;
  }

  async untilEnd(): Promise<void> {
    await eventually(
      () => this.ended || this.closed,
      () => `no end after ${this.text.slice(0, 200)}`,
    );
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Waits until the condition holds; fails with what `state` says after ten seconds. */
export async function eventually(condition: () => boolean, state: () => string = String): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
