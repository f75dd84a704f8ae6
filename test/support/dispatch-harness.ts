import type { Clock } from '../../src/base/clock.js';
import { Config, type ConfigOverrides } from '../../src/base/config.js';
import { Client, type ClientTransport } from '../../src/commands/client.js';
import type { PersistenceView, ShutdownOptions } from '../../src/commands/host.js';
import { createRegistry } from '../../src/commands/index.js';
import type { Storage } from '../../src/commands/storage.js';
import type { Keyspace } from '../../src/keyspace/keyspace.js';
import { ReplyBatch } from '../../src/resp/reply-batch.js';
import { Request } from '../../src/resp/request.js';
import { Dispatcher } from '../../src/server/dispatch.js';
import { type Argument, toBytes } from './command-harness.js';
import { decodeReply, ErrorReply, type Reply } from './decode-reply.js';
import { newKeyspace } from './new-keyspace.js';

/** A clock that moves only when the test says so. */
export class ManualClock implements Clock {
  wall = 1_700_000_000_000;

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.wall - 1_600_000_000_000;
  }
}

/** A log and a snapshot that do what the test says: nothing is written anywhere. */
export class FakePersistence implements PersistenceView {
  lastSeq = 0;
  durableSeq = 0;
  checkpointedSeq = 0;
  lagBytes = 0;
  lagGroups = 0;
  logBytes = 0;
  logSegments = 1;
  checkpointRunning = false;
  lastCheckpointAtMs = 0;
  lastCheckpointDurationMs = 0;
  lastCheckpointError: string | null = null;
  writeError: string | null = null;
  loading = false;
  loadProgress = 1;
  loadedKeys = 0;
  expiredAtLoad = 0;
  loadDurationMs = 0;
  changesSinceCheckpoint = 0;
  checkpoints = 0;
  checkpoint: () => Promise<void> = async () => {
    this.checkpoints++;
  };
  verify: () => Promise<void> = async () => {};
  private readonly waiting: { seq: number; resolve: () => void }[] = [];

  whenDurable(seq: number): Promise<void> {
    if (seq <= this.durableSeq) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ seq, resolve }));
  }

  sync(): void {
    this.durableSeq = this.lastSeq;
    for (const { seq, resolve } of this.waiting) if (seq <= this.durableSeq) resolve();
  }
}

/** A client whose released replies are kept. */
export class TestClient implements ClientTransport {
  readonly kind: 'tcp' | 'unix' | 'local';
  readonly fd = 7;
  readonly client: Client;
  closed = false;
  resumed = 0;
  received = Buffer.alloc(0);

  constructor(
    private readonly harness: DispatchHarness,
    kind: 'tcp' | 'unix' | 'local' = 'tcp',
    address?: string,
  ) {
    this.kind = kind;
    const { dispatcher } = harness;
    const id = dispatcher.newClientId();
    this.client = new Client({
      id,
      address: address ?? `127.0.0.1:${40000 + id}`,
      localAddress: '127.0.0.1:6379',
      transport: this,
      authenticated: !dispatcher.requiresPassword,
      nowMs: harness.clock.wallMs(),
    });
    dispatcher.connected(this.client);
  }

  release(bytes: Buffer, start: number, end: number): boolean {
    this.received = Buffer.concat([this.received, bytes.subarray(start, end)]);
    return false;
  }

  close(): void {
    this.closed = true;
    this.harness.dispatcher.disconnected(this.client);
  }

  inputBytes(): number {
    return 0;
  }

  inputFreeBytes(): number {
    return 0;
  }

  outputBytes(): number {
    return 0;
  }

  resumeInput(): void {
    this.resumed++;
  }

  /** Runs a command without ending the turn. */
  send(...args: readonly Argument[]): void {
    this.harness.dispatcher.execute(this.client, new Request().load(args.map(toBytes)));
  }

  /** Ends the turn and takes everything this client has received, as bytes. */
  take(): string {
    this.harness.storage.commit();
    const text = this.received.toString('latin1');
    this.received = Buffer.alloc(0);
    return text;
  }

  /** The bytes of the reply. */
  raw(...args: readonly Argument[]): string {
    this.send(...args);
    return this.take();
  }

  call(...args: readonly Argument[]): Reply {
    const replies = this.replies(this.raw(...args));
    if (replies.length !== 1) throw new Error(`${args.join(' ')} answered ${replies.length} replies`);
    return replies[0]!;
  }

  replies(text: string): Reply[] {
    const bytes = Buffer.from(text, 'latin1');
    const replies: Reply[] = [];
    for (let at = 0; at < bytes.length; ) {
      const decoded = decodeReply(bytes, at);
      if (!decoded) throw new Error(`an unfinished reply: ${text}`);
      replies.push(decoded.value);
      at = decoded.end;
    }
    return replies;
  }

  /** The text of the error reply that this command must answer. */
  error(...args: readonly Argument[]): string {
    const reply = this.call(...args);
    if (reply instanceof ErrorReply) return reply.message;
    throw new Error(`${args.join(' ')} answered ${String(reply)} instead of an error`);
  }

  /** The named field of INFO, '' when it is not there. */
  info(field: string, ...sections: readonly string[]): string {
    const text = String(this.call('INFO', ...sections));
    return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
  }
}

/** An engine without a disk: `commit` releases the replies of the turn. */
class FakeStorage implements Storage {
  readonly batch = new ReplyBatch();
  readonly persistence = new FakePersistence();
  writeRefusal: string | null = null;
  private committedMutations = 0;
  /** What makeRoom answers. */
  roomy = true;

  constructor(readonly keyspace: Keyspace) {}

  get mutationCount(): number {
    return this.keyspace.mutations;
  }

  get openSeq(): number {
    return this.persistence.lastSeq + 1;
  }

  makeRoom(): boolean {
    return this.roomy;
  }

  endCommand(): void {}

  commit(): void {
    if (this.mutationCount > this.committedMutations) this.persistence.lastSeq++;
    this.committedMutations = this.mutationCount;
    this.batch.release();
  }
}

/** The dispatcher with every command, on a real keyspace, without sockets and files. */
export class DispatchHarness {
  readonly clock = new ManualClock();
  readonly config: Config;
  readonly storage: FakeStorage;
  readonly dispatcher: Dispatcher;
  readonly logged: string[] = [];
  readonly shutdowns: ShutdownOptions[] = [];
  configFile: string | null = null;
  activeExpire = true;
  shutdown: () => Promise<void> = async () => {};

  constructor(overrides: ConfigOverrides = {}, file: string | null = null) {
    this.config = new Config(overrides, file);
    this.storage = new FakeStorage(newKeyspace());
    this.storage.keyspace.now = this.clock.wall;
    this.dispatcher = new Dispatcher({
      config: this.config,
      clock: this.clock,
      registry: createRegistry(),
      storage: this.storage,
      hooks: {
        tcpPort: 6379,
        shutdown: (options) => {
          this.shutdowns.push(options);
          return this.shutdown();
        },
        writeConfigFile: (text) => {
          this.configFile = text;
        },
        setActiveExpire: (enabled) => {
          this.activeExpire = enabled;
        },
        log: (message) => this.logged.push(message),
      },
    });
  }

  connect(kind?: 'tcp' | 'unix' | 'local', address?: string): TestClient {
    return new TestClient(this, kind, address);
  }

  get persistence(): FakePersistence {
    return this.storage.persistence;
  }
}

/** Lets promises that are settled run what waits for them. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
