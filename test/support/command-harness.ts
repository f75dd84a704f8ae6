import { Config } from '../../src/base/config.js';
import { CommandError, errors } from '../../src/base/errors.js';
import { Client, type ClientTransport } from '../../src/commands/client.js';
import type { Command, Context } from '../../src/commands/command.js';
import type { Host } from '../../src/commands/host.js';
import { Registry } from '../../src/commands/registry.js';
import { Stats } from '../../src/commands/stats.js';
import type { Keyspace } from '../../src/keyspace/keyspace.js';
import { ReplyWriter } from '../../src/resp/reply-writer.js';
import { Request } from '../../src/resp/request.js';
import { decodeReply, ErrorReply, type Reply } from './decode-reply.js';
import { newKeyspace } from './new-keyspace.js';

/** Strings are latin1, one byte per character; numbers are sent as their decimal text. */
export type Argument = string | number | bigint | Uint8Array;

/**
 * Runs commands on a keyspace as the dispatcher does (registry, arity, handler, errors to replies), without a
 * socket or a log, and with a clock that moves only when the test says so.
 */
export class CommandHarness {
  readonly keyspace: Keyspace;
  readonly registry: Registry;
  readonly stats = new Stats();
  readonly client: Client;
  /** Unix ms that the next command sees. */
  nowMs: number;
  readonly #context: Context;

  constructor(
    families: readonly (readonly Command[])[],
    options: { keyspace?: Keyspace; nowMs?: number; config?: Readonly<Record<string, unknown>> } = {},
  ) {
    this.keyspace = options.keyspace ?? newKeyspace();
    this.nowMs = options.nowMs ?? 1_700_000_000_000;
    this.registry = new Registry(families);
    this.client = newClient(this.nowMs);
    this.#context = {
      request: new Request(),
      reply: new ReplyWriter(),
      keyspace: this.keyspace,
      client: this.client,
      db: 0,
      now: this.nowMs,
      host: this.#host({ ...new Config().values, ...options.config }),
    };
  }

  /** Moves the clock. */
  advance(ms: number): void {
    this.nowMs += ms;
  }

  select(db: number): void {
    this.client.db = db;
  }

  /** The reply's bytes, one character per byte. */
  raw(...args: readonly Argument[]): string {
    return this.#run(args).toString('latin1');
  }

  /** The decoded reply; an error reply is an `ErrorReply`. */
  call(...args: readonly Argument[]): Reply {
    const bytes = this.#run(args);
    const decoded = decodeReply(bytes);
    if (decoded?.end !== bytes.length) {
      throw new Error(`${args[0]} did not write exactly one reply: ${bytes.toString('latin1')}`);
    }
    return decoded.value;
  }

  /** As `call`, with RESP3 replies. */
  call3(...args: readonly Argument[]): Reply {
    this.client.protocol = 3;
    try {
      return this.call(...args);
    } finally {
      this.client.protocol = 2;
    }
  }

  /** The text of the error reply that this command must answer. */
  error(...args: readonly Argument[]): string {
    const reply = this.call(...args);
    if (reply instanceof ErrorReply) return reply.message;
    throw new Error(`${args.join(' ')} answered ${String(reply)} instead of an error`);
  }

  #run(args: readonly Argument[]): Buffer {
    const context = this.#context;
    const { reply, client } = context;
    context.request.load(args.map(toBytes));
    context.now = this.nowMs;
    context.db = client.db;
    this.keyspace.now = this.nowMs;
    reply.protocol = client.protocol;
    reply.length = 0;
    try {
      this.#dispatch(context);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      reply.rewind(0);
      reply.error(error.message);
    }
    return Buffer.from(reply.bytes.subarray(0, reply.length));
  }

  #dispatch(context: Context): void {
    const { request } = context;
    const name = request.latin1(0).toLowerCase();
    const command = this.registry.get(name);
    if (!command) throw new Error(`no command ${name}`);
    const { arity } = command;
    if (arity > 0 ? request.count !== arity : request.count < -arity)
      throw new CommandError(errors.arity(name));
    command.definition.handler!(context);
  }

  /** What handlers of the data families use of a host; anything else is undefined and fails loudly. */
  #host(values: Readonly<Record<string, unknown>>): Host {
    const host = { config: { values }, registry: this.registry, stats: this.stats };
    return host as unknown as Host;
  }
}

/** Goes nowhere: the harness reads replies out of the writer. */
const TRANSPORT: ClientTransport = {
  kind: 'local',
  fd: -1,
  close: () => {},
  inputBytes: () => 0,
  inputFreeBytes: () => 0,
  outputBytes: () => 0,
  resumeInput: () => {},
  release: () => false,
};

function newClient(nowMs: number): Client {
  return new Client({
    id: 1,
    address: '127.0.0.1:1',
    localAddress: '127.0.0.1:2',
    transport: TRANSPORT,
    authenticated: true,
    nowMs,
  });
}

export function toBytes(argument: Argument): Uint8Array {
  return argument instanceof Uint8Array ? argument : Buffer.from(String(argument), 'latin1');
}
