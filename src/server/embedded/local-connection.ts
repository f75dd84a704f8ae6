import { Client, type ClientTransport } from '../../commands/client.js';
import { PushMessage, type Reply, ReplyError, ReplyReader, VerbatimString } from '../../resp/reply-reader.js';
import { Request } from '../../resp/request.js';
import type { Dispatcher } from '../dispatch.js';

/** What becomes of a call's reply. */
export interface Call {
  /** Strings in the reply are Buffers rather than text. */
  readonly buffers: boolean;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** A call that came while the client was waiting for an earlier one. */
interface Queued {
  readonly args: readonly Buffer[];
  readonly call: Call;
}

/**
 * What a socket is for others: the way of one client in this process to the commands and back. Calls run in
 * the order they are made, each in the turn it is made in; their replies come out of the same batch, released
 * by the same commit, as everybody's.
 */
export class LocalConnection implements ClientTransport {
  readonly kind = 'local';
  readonly fd = -1;
  readonly client: Client;
  /** No further call is taken; what has run is still answered. */
  finished = false;

  private readonly dispatcher: Dispatcher;
  /** Calls that have run, in order; those in front of `answered` have their reply. */
  private calls: Call[] = [];
  private answered = 0;
  private readonly queued: Queued[] = [];
  private readonly queuedRequest = new Request();
  /** `buffers` is read anew for each string: it is what the call asked for whose reply comes next. */
  private readonly reading = {
    protocol: 3 as const,
    buffers: false,
    onReply: (reply: Reply) => this.answer(reply),
  };
  private readonly reader = new ReplyReader(this.reading);

  constructor(dispatcher: Dispatcher) {
    this.dispatcher = dispatcher;
    this.client = new Client({
      id: dispatcher.newClientId(),
      address: 'local:0',
      localAddress: 'local:0',
      transport: this,
      // Whoever can call this can also read the files.
      authenticated: true,
      nowMs: dispatcher.clock.wallMs(),
    });
    // RESP3 has maps, doubles and booleans of their own: replies need no knowledge of their command.
    this.client.protocol = 3;
    dispatcher.connected(this.client);
  }

  /** May a command run now, outside of a transaction, without overtaking another? */
  get idle(): boolean {
    return this.client.blocked === null && this.queued.length === 0 && this.client.transaction === null;
  }

  /** Runs a command, or keeps a copy of it until the one before it no longer waits. */
  run(request: Request, call: Call): void {
    if (this.client.blocked === null && this.queued.length === 0) {
      this.execute(request, call);
      return;
    }
    const args: Buffer[] = [];
    for (let i = 0; i < request.count; i++) args.push(request.copy(i));
    this.queued.push({ args, call });
  }

  private execute(request: Request, call: Call): void {
    this.calls.push(call);
    try {
      this.dispatcher.execute(this.client, request);
    } catch (error) {
      // Not a command's error, which would be a reply: this connection's replies can no longer be told apart.
      this.end(error as Error);
      return;
    }
    if (this.client.closeAfterReply) this.finish();
  }

  // ClientTransport

  release(bytes: Buffer, start: number, end: number): boolean {
    if (this.answered === this.calls.length) return false;
    this.client.bytesOut += end - start;
    this.reading.buffers = this.calls[this.answered]!.buffers;
    this.reader.feed(bytes.subarray(start, end));
    return false;
  }

  private answer(reply: Reply): void {
    if (reply instanceof PushMessage) return;
    const call = this.calls[this.answered++]!;
    if (this.answered === this.calls.length) {
      this.calls = [];
      this.answered = 0;
    } else {
      this.reading.buffers = this.calls[this.answered]!.buffers;
    }
    if (reply instanceof ReplyError) call.reject(reply);
    else call.resolve(reply instanceof VerbatimString ? reply.text : reply);
  }

  /** CLIENT KILL by another client, or a command that ends its client without a word. */
  close(): void {
    this.end(new Error('the client was closed by another one'));
  }

  inputBytes(): number {
    let bytes = 0;
    for (const { args } of this.queued) for (const arg of args) bytes += arg.length;
    return bytes;
  }

  inputFreeBytes(): number {
    return 0;
  }

  outputBytes(): number {
    return 0;
  }

  resumeInput(): void {
    setImmediate(() => this.runQueued());
  }

  private runQueued(): void {
    while (this.queued.length > 0 && this.client.blocked === null && !this.finished) {
      const { args, call } = this.queued.shift()!;
      this.execute(this.queuedRequest.load(args), call);
    }
  }

  // The end

  /** Takes no further call; those that wait behind another are rejected, those that have run get their reply. */
  finish(error = new Error('the client is closed')): void {
    if (this.finished) return;
    this.finished = true;
    for (const { call } of this.queued.splice(0)) call.reject(error);
    if (this.client.blocked === null) this.dispatcher.disconnected(this.client);
  }

  /** Rejects everything that has not been answered. */
  end(error: Error): void {
    this.finish(error);
    this.dispatcher.disconnected(this.client);
    const unanswered = this.calls.slice(this.answered);
    this.calls = [];
    this.answered = 0;
    for (const call of unanswered) call.reject(error);
  }
}
