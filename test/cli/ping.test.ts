import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/server-process.mjs';
import { runHoldfast } from './run-cli.js';

interface Scripted {
  port: number;
  received: () => string;
}

/** A server that says what a test wants it to say. */
async function scriptedServer(
  answer: (socket: Socket, text: string) => void,
  path?: string,
): Promise<Scripted> {
  let received = '';
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk;
      answer(socket, received);
    });
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const address = server.address();
  return { port: typeof address === 'object' ? address!.port : 0, received: () => received };
}

function ping(port: number, ...more: string[]) {
  return runHoldfast(['ping', '--port', String(port), ...more]);
}

describe('holdfast ping', () => {
  test('prints PONG and exits with 0 when the server is ready', async () => {
    const { port, received } = await scriptedServer((socket) => socket.write('+PONG\r\n'));
    expect(await ping(port)).toEqual({ exitCode: 0, stdout: 'PONG\n', stderr: '' });
    expect(received()).toBe('*1\r\n$4\r\nPING\r\n');
  });

  test('gives the password, in bytes, before it asks', async () => {
    const { port, received } = await scriptedServer((socket) => socket.write('+OK\r\n+PONG\r\n'));
    expect(await ping(port, '--password', 'p\u00e4ss word')).toMatchObject({ exitCode: 0 });
    expect(received()).toBe('*2\r\n$4\r\nAUTH\r\n$10\r\np\u00e4ss word\r\n*1\r\n$4\r\nPING\r\n');
  });

  test('reads a reply that arrives byte by byte', async () => {
    const { port } = await scriptedServer(async (socket) => {
      for (const byte of '+PONG\r\n') {
        socket.write(byte);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    expect(await ping(port)).toMatchObject({ exitCode: 0, stdout: 'PONG\n' });
  });

  test('reaches a server on a Unix socket', async () => {
    const folder = await temporaryDirectory({ unsafeCleanup: true });
    onTestFinished(() => folder.cleanup());
    const path = join(folder.path, 's.sock');
    expect(await runHoldfast(['ping', '--unixsocket', path])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `${path} does not exist: no server is listening on this socket\n`,
    });
    await scriptedServer((socket) => socket.write('+PONG\r\n'), path);
    expect(await runHoldfast(['ping', '--unixsocket', path])).toMatchObject({ exitCode: 0 });
  });

  test.each([
    ['-NOAUTH Authentication required.', 'asks for a password: give it with --password'],
    ['-WRONGPASS invalid username-password pair or user is disabled.', 'does not accept this password'],
    ['-LOADING Redis is loading the dataset in memory', 'is still loading its data: not ready yet'],
    ['-MISCONF Errors writing to the log', 'answered with an error: MISCONF Errors writing to the log'],
    ['HTTP/1.1 400 Bad Request', 'answered, but not as a Redis server does'],
  ])('exits with 1 and the reason when the answer is %s', async (line, reason) => {
    const { port } = await scriptedServer((socket) => socket.write(`${line}\r\n`));
    expect(await ping(port)).toEqual({ exitCode: 1, stdout: '', stderr: `127.0.0.1:${port} ${reason}\n` });
  });

  test('says when nothing listens', async () => {
    const port = await freePort();
    expect(await ping(port)).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `127.0.0.1:${port} refused the connection: no server is running there\n`,
    });
  });

  test('gives up on a server that does not answer', async () => {
    const { port } = await scriptedServer(() => {});
    expect(await ping(port, '--timeout', '0.2')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `127.0.0.1:${port} did not answer within 0.2 seconds\n`,
    });
  });

  test('says when the server hangs up', async () => {
    const { port } = await scriptedServer((socket) => socket.end());
    expect(await ping(port)).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `127.0.0.1:${port} closed the connection without an answer\n`,
    });
  });

  test.each([
    [['--port', '0'], '--port 0 is no port'],
    [['--port', 'x'], '--port x is no port'],
    [['--timeout', '-1'], "Option '--timeout' argument is ambiguous"],
    [['--timeout', '0'], '--timeout takes seconds, above 0 and up to 3600'],
    [['--nosuch'], "Unknown option '--nosuch'"],
    [['example.org'], "Unexpected argument 'example.org'"],
  ])('refuses %j and shows how it is used', async (args, problem) => {
    const { exitCode, stderr } = await runHoldfast(['ping', ...args]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(problem);
    expect(stderr).toContain('Usage: holdfast ping [--host 127.0.0.1]');
  });

  test('--help explains itself', async () => {
    const { exitCode, stdout } = await runHoldfast(['ping', '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Usage: holdfast ping');
  });
});
