import { randomBytes } from 'node:crypto';
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { Config } from '../base/config.js';
import { CommandError, errors } from '../base/errors.js';
import { startTimer } from '../base/long-timer.js';
import type { BlockedState, Client } from '../commands/client.js';
import type { Context } from '../commands/command.js';
import type { Host, PersistenceView, ShutdownOptions, WaitOptions } from '../commands/host.js';
import { fitsArity, type RegisteredCommand, type Registry } from '../commands/registry.js';
import { type CommandStats, Stats } from '../commands/stats.js';
import type { Storage } from '../commands/storage.js';
import { endTransaction } from '../commands/transactions.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import { Request } from '../resp/request.js';
import { ClientPause } from './client-pause.js';
import { LookAhead } from './look-ahead.js';
import { isHttp, mayDebug, refusals, unknownCommand } from './refusals.js';

/** What the process or the embedding program does for the commands. */
export interface ServerHooks {
  /** The port listened on, 0 without TCP. */
  readonly tcpPort: number;
  shutdown(options: ShutdownOptions): Promise<void>;
  /** Replaces the configuration file. @throws the file system's error. */
  writeConfigFile(text: string): void;
  setActiveExpire(enabled: boolean): void;
  log(message: string): void;
}

export interface DispatcherOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly storage: Storage;
  readonly hooks: ServerHooks;
}

/** Commands of one turn that may share one reading of the wall clock. */
const COMMANDS_PER_CLOCK = 16;

/** Milliseconds between log lines about HTTP on this port: whoever sends it once sends it often. */
const HTTP_LOG_INTERVAL_MS = 60_000;

/**
 * From a decoded request to the reply of its command: known? arity? authorised? allowed in this state? Each
 * refusal is one line of `refusal`, in Redis's order. It is also the Host, the world that handlers see.
 *
 * `execute` is on the path of every command: no object is made and no name becomes a string on it.
 */
export class Dispatcher implements Host {
  readonly config: Config;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly stats = new Stats();
  readonly clients = new Map<number, Client>();
  readonly persistence: PersistenceView;
  readonly runId = randomBytes(20).toString('hex');
  readonly startedAtMs: number;

  private readonly storage: Storage;
  private readonly hooks: ServerHooks;
  private readonly context: Context;
  private readonly queuedRequest = new Request();
  private readonly pause: ClientPause;
  private readonly ahead: LookAhead;
  private readonly stopFollowing: () => void;
  private nextClientId = 1;
  /** The wall clock as last read, and how many more commands may use it. */
  private nowMs: number;
  private clockCredit = 0;
  private lastHttpLogMs = Number.NEGATIVE_INFINITY;
  // Copies of what every command needs of the configuration.
  private passwordSet = false;
  private maxMemoryBytes = 0;
  private queueLimitBytes = 0;

  constructor(options: DispatcherOptions) {
    this.config = options.config;
    this.clock = options.clock;
    this.registry = options.registry;
    this.storage = options.storage;
    this.hooks = options.hooks;
    this.persistence = options.storage.persistence;
    this.nowMs = this.clock.wallMs();
    this.startedAtMs = this.nowMs;
    this.pause = new ClientPause((client, request) => this.execute(client, request));
    this.ahead = new LookAhead(options.storage.keyspace);
    this.context = this.newContext();
    for (const command of this.registry.all()) this.stats.commands.set(command.fullName, command.stats);
    this.followConfig();
    this.stopFollowing = this.config.onChange(() => this.followConfig());
  }

  get tcpPort(): number {
    return this.hooks.tcpPort;
  }

  /** An id for the next client: unique, counting from 1. */
  newClientId(): number {
    return this.nextClientId++;
  }

  /** Must a client that connects now authenticate first? */
  get requiresPassword(): boolean {
    return this.passwordSet;
  }

  connected(client: Client): void {
    this.clients.set(client.id, client);
  }

  /** The connection is gone: nothing may wait for it or be watched for it any longer. */
  disconnected(client: Client): void {
    this.clients.delete(client.id);
    this.storage.keyspace.watches.unwatchAll(client);
    const { blocked } = client;
    client.blocked = null;
    blocked?.cancel?.();
  }

  /** The server stops: no timer of this object is left behind. */
  close(): void {
    this.stopFollowing();
    this.pause.stop();
  }

  /** To be called every 100 ms, for INFO's figures per second and its memory peak. */
  sample(): void {
    this.stats.sample(this.clock.monotonicMs(), this.storage.keyspace.memoryUsed());
  }

  /** Runs one command of a client, or refuses it; its reply is in the storage's batch afterwards. */
  execute(client: Client, request: Request): void {
    // Whatever follows QUIT in the same packet does not run.
    if (client.closeAfterReply) return;
    const { batch } = this.storage;
    const reply = batch.writer;
    const mark = reply.length;
    batch.address(client.transport);
    reply.protocol = client.protocol;
    this.readClock(mark === 0);
    client.lastInteractionMs = this.nowMs;
    const command = this.registry.lookup(request, 0);
    if (command === undefined) this.unknown(client, request, reply);
    else this.admit(client, request, command, reply);
    if (client.replyMode !== 'on' && client.blocked === null) applyReplyMode(client, reply, mark);
    this.storage.endCommand();
  }

  /** Commands of this client begin at `bytes[start]` that will be executed next; see LookAhead. */
  lookAhead(client: Client, bytes: Uint8Array, start: number, end: number): void {
    this.ahead.read(client.db, bytes, start, end);
  }

  /**
   * May commands run that were not given to `execute`? Only while none of the refusals that depend on the
   * server's state can apply. For direct calls in this process.
   */
  get unrestricted(): boolean {
    return this.maxMemoryBytes === 0 && !this.pause.active && !this.persistence.loading;
  }

  /** May a read that was not given to `execute` be answered now? Not while the data are loaded or clients paused. */
  get readable(): boolean {
    return !this.pause.holdsBack(false) && !this.persistence.loading;
  }

  /** A direct call begins: time stands still until it is over. Returns that time in Unix ms. */
  beginDirect(client: Client): number {
    this.readClock(this.storage.batch.writer.length === 0);
    client.lastInteractionMs = this.nowMs;
    this.storage.keyspace.now = this.nowMs;
    return this.nowMs;
  }

  /** As `beginDirect`, but the time may be an earlier call's: for a read of what does not expire. */
  beginTimeless(client: Client): void {
    this.readClock(false);
    client.lastInteractionMs = this.nowMs;
    this.storage.keyspace.beginCommand();
  }

  /** A direct call has done what this command does. */
  countDirect(client: Client, stats: CommandStats): void {
    stats.calls++;
    this.stats.commandsProcessed++;
    client.commandsProcessed++;
  }

  private admit(client: Client, request: Request, command: RegisteredCommand, reply: ReplyWriter): void {
    client.lastCommand = command.fullName;
    const refusal = this.refusal(client, request, command);
    if (refusal !== null) this.refuse(client, command, reply, refusal);
    else if (this.pause.active && this.mustWait(client, command)) this.pause.hold(client, request);
    else if (client.transaction !== null && !command.endsQueueing)
      this.queue(client, request, command, reply);
    else this.run(client, request, command);
  }

  /** Why this command may not run now, in Redis's order (processCommand); null when it may. */
  private refusal(client: Client, request: Request, command: RegisteredCommand): string | null {
    const { writeRefusal } = this.storage;
    if (!fitsArity(command.arity, request.count)) return errors.arity(command.fullName);
    if (command.protected && !mayDebug(this.config, client)) return refusals.debug;
    if (!client.authenticated && this.passwordSet && !command.noAuth) return errors.noAuth;
    if (client.transaction !== null && command.noMulti) return refusals.noMulti;
    if (this.maxMemoryBytes > 0 && this.lacksMemory(client, command)) return errors.outOfMemory;
    if (writeRefusal !== null && answersForTheDisk(client, command)) return writeRefusal;
    if (this.persistence.loading && !command.loading) return refusals.loading;
    return null;
  }

  private lacksMemory(client: Client, command: RegisteredCommand): boolean {
    return needsMemory(client, command) && !this.storage.makeRoom(this.maxMemoryBytes);
  }

  private mustWait(client: Client, command: RegisteredCommand): boolean {
    return this.pause.holdsBack(command.heldByWritePause || writesInExec(client, command));
  }

  private unknown(client: Client, request: Request, reply: ReplyWriter): void {
    if (isHttp(request)) {
      this.closeHttp(client);
      return;
    }
    const container = this.registry.table.find(request.bytes, request.start[0]!, request.end[0]!);
    this.refuse(client, null, reply, unknownCommand(request, container));
  }

  private closeHttp(client: Client): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.lastHttpLogMs >= HTTP_LOG_INTERVAL_MS) {
      this.lastHttpLogMs = nowMs;
      this.log(
        `Possible SECURITY ATTACK detected. ${client.address} sends POST or Host: commands. Connection closed.`,
      );
    }
    client.closeAfterReply = true;
    client.transport.close();
  }

  /** A refused command aborts the transaction it should have been part of; a refused EXEC ends it. */
  private refuse(
    client: Client,
    command: RegisteredCommand | null,
    reply: ReplyWriter,
    message: string,
  ): void {
    if (command) command.stats.rejected++;
    let text = message;
    if (client.transaction !== null) {
      client.transaction.aborted = true;
      if (command?.fullName === 'exec') {
        endTransaction(client, this.storage.keyspace);
        text = `EXECABORT Transaction discarded because of: ${message.replace(/^ERR /, '')}`;
      }
    }
    this.writeError(reply, text);
  }

  /** Copies a command into the transaction. One that is lost already needs no more memory. */
  private queue(client: Client, request: Request, command: RegisteredCommand, reply: ReplyWriter): void {
    const transaction = client.transaction!;
    reply.simple('QUEUED');
    if (transaction.aborted || client.watchBroken) return;
    const args: Buffer[] = [];
    for (let i = 0; i < request.count; i++) {
      args.push(request.copy(i));
      transaction.bytes += request.length(i) + BYTES_PER_QUEUED_ARGUMENT;
    }
    transaction.queue.push(args);
    transaction.writes ||= command.write;
    transaction.deniesOnMemory ||= command.denyOom;
    if (transaction.bytes > this.queueLimitBytes) this.closeOverLimit(client);
  }

  private closeOverLimit(client: Client): void {
    this.stats.inputLimitDisconnects++;
    client.closeAfterReply = true;
    client.transport.close();
  }

  private run(client: Client, request: Request, command: RegisteredCommand): void {
    const { context, storage } = this;
    const { stats } = command;
    const { batch, mutationCount } = storage;
    const reply = batch.writer;
    const mark = reply.length;
    if (command.touchesData) batch.dependsOnData();
    context.request = request;
    context.reply = reply;
    context.client = client;
    context.db = client.db;
    context.now = this.nowMs;
    storage.keyspace.now = this.nowMs;
    const timed = stats.due;
    const startedMs = timed ? this.clock.monotonicMs() : 0;
    try {
      command.handler!(context);
    } catch (error) {
      this.fail(command, reply, mark, error);
    }
    if (timed) stats.timed((this.clock.monotonicMs() - startedMs) * 1000);
    stats.calls++;
    this.stats.commandsProcessed++;
    client.commandsProcessed++;
    if (storage.mutationCount !== mutationCount) client.lastWriteSeq = storage.openSeq;
    if (!command.brief) this.clockCredit = 0;
  }

  private fail(command: RegisteredCommand, reply: ReplyWriter, mark: number, error: unknown): void {
    if (!(error instanceof CommandError)) throw error;
    command.stats.failed++;
    reply.rewind(mark);
    this.writeError(reply, error.message);
  }

  private writeError(reply: ReplyWriter, message: string): void {
    this.stats.countError(message);
    reply.error(message);
  }

  /**
   * Reading the wall clock costs 33 ns, a thirtieth of a command at full speed. A turn reads it at its start,
   * after every command that may take long, and after sixteen that do not.
   */
  private readClock(turnBegins: boolean): void {
    if (!turnBegins && --this.clockCredit > 0) return;
    this.nowMs = this.clock.wallMs();
    this.clockCredit = COMMANDS_PER_CLOCK;
  }

  private followConfig(): void {
    const { values } = this.config;
    this.passwordSet = values.requirepass !== '';
    this.maxMemoryBytes = values.maxmemory;
    this.queueLimitBytes = values['client-query-buffer-limit'];
  }

  private newContext(): Context {
    return {
      request: new Request(),
      reply: this.storage.batch.writer,
      keyspace: this.storage.keyspace,
      // Set before every command; nothing looks at it earlier.
      client: null as unknown as Client,
      db: 0,
      now: this.nowMs,
      host: this,
    };
  }

  // What handlers may ask for (Host).

  runQueued(client: Client, args: readonly Buffer[]): void {
    const request = this.queuedRequest.load(args);
    this.run(client, request, this.registry.lookup(request, 0)!);
    this.storage.batch.writer.protocol = client.protocol;
  }

  wait<T>(
    client: Client,
    work: Promise<T>,
    done: (reply: ReplyWriter, value: T) => void,
    options: WaitOptions = {},
  ): void {
    assert(!client.denyBlocking, 'a client that may not wait was made to');
    const { timeoutMs = 0, timedOut } = options;
    let cancelTimer = () => {};
    const finish = (answer: (reply: ReplyWriter) => void) => {
      if (client.blocked !== state) return false;
      cancelTimer();
      client.blocked = null;
      this.answer(client, answer);
      client.transport.resumeInput();
      return true;
    };
    const unblock = (how: 'timeout' | 'error') => finish(how === 'error' ? writeUnblocked : timedOut!);
    const state: BlockedState = {
      reason: options.reason ?? 'command',
      cancel: () => cancelTimer(),
      ...(timedOut ? { unblock } : {}),
    };
    client.blocked = state;
    if (timeoutMs > 0 && timedOut) cancelTimer = startTimer(timeoutMs, () => finish(timedOut));
    work.then(
      (value) => finish((reply) => done(reply, value)),
      (error: unknown) => finish(() => rethrowAsCommandError(error)),
    );
  }

  /** Writes a reply outside of a command of this turn. */
  private answer(client: Client, write: (reply: ReplyWriter) => void): void {
    const { batch } = this.storage;
    const reply = batch.writer;
    batch.address(client.transport);
    reply.protocol = client.protocol;
    const mark = reply.length;
    try {
      write(reply);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      reply.rewind(mark);
      this.writeError(reply, error.message);
    }
    if (client.replyMode !== 'on') applyReplyMode(client, reply, mark);
    this.storage.endCommand();
  }

  kill(client: Client): void {
    if (client === this.context.client) client.closeAfterReply = true;
    else client.transport.close();
  }

  pauseClients(untilMs: number, mode: 'write' | 'all'): void {
    this.pause.start(this.clock.wallMs(), untilMs, mode);
  }

  unpauseClients(): void {
    this.pause.end();
  }

  shutdown(options: ShutdownOptions): Promise<void> {
    return this.hooks.shutdown(options);
  }

  writeConfigFile(text: string): void {
    this.hooks.writeConfigFile(text);
  }

  setActiveExpire(enabled: boolean): void {
    this.hooks.setActiveExpire(enabled);
  }

  log(message: string): void {
    this.hooks.log(message);
  }
}

/** What a queued argument costs beside its bytes: its Buffer object and a place in an array. */
const BYTES_PER_QUEUED_ARGUMENT = 96;

function writesInExec(client: Client, command: RegisteredCommand): boolean {
  return client.transaction !== null && command.fullName === 'exec' && client.transaction.writes;
}

/** Refused while the disk refuses: what writes, and PING, so that a health check notices. */
function answersForTheDisk(client: Client, command: RegisteredCommand): boolean {
  return command.write || command.fullName === 'ping' || writesInExec(client, command);
}

/** Inside MULTI everything takes memory for the queue, but for the ways out. */
function needsMemory(client: Client, command: RegisteredCommand): boolean {
  const { transaction } = client;
  if (command.denyOom || transaction === null) return command.denyOom;
  if (command.fullName === 'exec') return transaction.deniesOnMemory;
  return !['discard', 'quit', 'reset'].includes(command.fullName);
}

/** CLIENT REPLY: takes the reply back that was just written, where the client does not want it. */
function applyReplyMode(client: Client, reply: ReplyWriter, mark: number): void {
  reply.rewind(mark);
  if (client.replyMode === 'skip-next') client.replyMode = 'skip';
  else if (client.replyMode === 'skip') client.replyMode = 'on';
}

function writeUnblocked(): never {
  throw new CommandError('UNBLOCKED client unblocked via CLIENT UNBLOCK');
}

function rethrowAsCommandError(error: unknown): never {
  if (error instanceof CommandError || !(error instanceof Error)) throw error;
  throw new CommandError(`ERR ${error.message}`, { cause: error });
}
