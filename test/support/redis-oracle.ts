/**
 * A real redis-server as the judge of what a reply must be. It keeps nothing on disk, because only its answers
 * are wanted.
 */
import { connect, type Socket } from 'node:net';
import { type Argument, toBytes } from './command-harness.js';
import { decodeReply, type Reply } from './decode-reply.js';
import { launchServer, type TestServer } from './server.js';

export class RedisOracle {
  readonly #server: TestServer;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  /** Called when bytes have come in, or the connection has failed. */
  #wake: (error?: Error) => void = () => {};

  private constructor(server: TestServer, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('error', (error) => this.#wake(error));
    socket.on('close', () => this.#wake(new Error('redis-server closed the connection')));
  }

  /** @param args further command line arguments of redis-server. */
  static async start(args: readonly string[] = []): Promise<RedisOracle> {
    const server = await launchServer({ kind: 'redis', args: ['--appendonly', 'no', ...args] });
    return new RedisOracle(server, connect({ host: server.process.host, port: server.process.port }));
  }

  /** Runs the commands as one pipeline; resolves to their replies, errors as `ErrorReply`. */
  async run(commands: readonly (readonly Argument[])[]): Promise<Reply[]> {
    const replies = await this.#exchange(commands);
    return replies.map((reply) => reply.value);
  }

  /** As `run`; resolves to the bytes of the replies, one character per byte. */
  async runRaw(commands: readonly (readonly Argument[])[]): Promise<string[]> {
    const replies = await this.#exchange(commands);
    return replies.map((reply) => reply.bytes.toString('latin1'));
  }

  async #exchange(commands: readonly (readonly Argument[])[]): Promise<{ value: Reply; bytes: Buffer }[]> {
    this.#socket.write(Buffer.concat(commands.map(encode)));
    const replies: { value: Reply; bytes: Buffer }[] = [];
    while (replies.length < commands.length) {
      const decoded = decodeReply(this.#received);
      if (decoded) {
        replies.push({ value: decoded.value, bytes: this.#received.subarray(0, decoded.end) });
        this.#received = this.#received.subarray(decoded.end);
      } else {
        await this.#moreBytes();
      }
    }
    return replies;
  }

  async stop(): Promise<void> {
    this.#socket.destroy();
    await this.#server.dispose();
  }

  #moreBytes(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake = (error) => (error ? reject(error) : resolve());
    });
  }
}

function encode(args: readonly Argument[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const argument of args) {
    const bytes = toBytes(argument);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
