import { createConnection, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { StartupError } from '../base/errors.js';
import { systemErrorText } from '../base/system-error.js';
import { type Reply, ReplyError, ReplyReader } from '../resp/reply-reader.js';

const USAGE = `Usage: holdfast ping [--host 127.0.0.1] [--port 6379] [--unixsocket PATH] [--password PASSWORD] [--timeout SECONDS]

Asks a server whether it is there and ready. Prints PONG and exits with 0 when it is; otherwise says why not and
exits with 1. A server that is still loading its data is not ready.
  --timeout  seconds for the whole exchange, 5 unless told otherwise; fractions are allowed
`;

interface PingOptions {
  readonly host: string;
  readonly port: number;
  readonly unixSocket: string;
  readonly password: string;
  readonly timeoutMs: number;
}

/** `holdfast ping`: a health check for scripts and containers. @returns the exit code, 0 or 1. */
export async function ping(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const options = readOptions(args);
  const problem = await findProblem(options);
  if (problem === null) process.stdout.write('PONG\n');
  else process.stderr.write(`${placeOf(options)} ${problem}\n`);
  return problem === null ? 0 : 1;
}

function readOptions(args: readonly string[]): PingOptions {
  const { values } = parse(args);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw usageError(`--port ${values.port} is no port`);
  const seconds = Number(values.timeout);
  if (!(seconds > 0 && seconds <= 3600)) throw usageError('--timeout takes seconds, above 0 and up to 3600');
  return {
    host: values.host,
    port,
    unixSocket: values.unixsocket,
    password: values.password,
    timeoutMs: seconds * 1000,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '6379' },
        unixsocket: { type: 'string', default: '' },
        password: { type: 'string', default: '' },
        timeout: { type: 'string', default: '5' },
      },
    });
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function usageError(problem: string): StartupError {
  return new StartupError(`${problem}\n\n${USAGE.trimEnd()}`);
}

function placeOf(options: PingOptions): string {
  return options.unixSocket === '' ? `${options.host}:${options.port}` : options.unixSocket;
}

/** What is wrong with the server, as the rest of a sentence that begins with its address; null if nothing is. */
async function findProblem(options: PingOptions): Promise<string | null> {
  const commands = options.password === '' ? [['PING']] : [['AUTH', options.password], ['PING']];
  try {
    for (const reply of await exchange(options, commands)) {
      if (reply instanceof ReplyError) return explainReply(reply);
    }
    return null;
  } catch (error) {
    return explainConnection(error as NodeJS.ErrnoException);
  }
}

/** Sends the commands and collects as many replies, or fewer when one of them is an error. */
async function exchange(options: PingOptions, commands: readonly string[][]): Promise<Reply[]> {
  const socket = connect(options);
  const timer = setTimeout(() => {
    socket.destroy(new Error(`did not answer within ${options.timeoutMs / 1000} seconds`));
  }, options.timeoutMs);
  try {
    socket.write(commands.map(encode).join(''));
    return await readReplies(socket, commands.length);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function readReplies(socket: Socket, count: number): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const replies: Reply[] = [];
    const reader = new ReplyReader({
      onReply: (reply) => {
        replies.push(reply);
        if (replies.length === count || reply instanceof ReplyError) resolve(replies);
      },
    });
    socket.on('data', (chunk) => {
      try {
        reader.feed(chunk);
      } catch {
        reject(new Error('answered, but not as a Redis server does'));
      }
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed the connection without an answer')));
  });
}

function connect(options: PingOptions): Socket {
  if (options.unixSocket !== '') return createConnection({ path: options.unixSocket });
  return createConnection({ host: options.host, port: options.port });
}

function encode(words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join('')}`;
}

function explainReply(error: ReplyError): string {
  switch (error.code) {
    case 'NOAUTH':
      return 'asks for a password: give it with --password';
    case 'WRONGPASS':
      return 'does not accept this password';
    case 'LOADING':
      return 'is still loading its data: not ready yet';
    default:
      return `answered with an error: ${error.message}`;
  }
}

function explainConnection(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refused the connection: no server is running there';
    case 'ENOENT':
      return 'does not exist: no server is listening on this socket';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'cannot be found: there is no such host name';
    case 'ECONNRESET':
      return 'closed the connection without an answer';
    default:
      return error.errno === undefined ? error.message : `cannot be reached: ${systemErrorText(error)}`;
  }
}
