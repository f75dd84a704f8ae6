import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ConfigOverrides } from '../../src/base/config.js';
import { StartupError } from '../../src/base/errors.js';
import * as descriptors from '../../src/server/descriptors.js';
import { configuredAddresses } from '../../src/server/listener.js';
import { encode } from '../resp/chunks.js';
import { EchoServer, eventually, Peer } from './echo-server.js';

vi.mock('../../src/server/descriptors.js', { spy: true });

const servers: EchoServer[] = [];
const peers: Peer[] = [];

function make(overrides: ConfigOverrides = {}): EchoServer {
  const server = new EchoServer(overrides);
  servers.push(server);
  return server;
}

function dial(target: number | string, host?: string): Peer {
  const peer = new Peer(target, host);
  peers.push(peer);
  return peer;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const peer of peers.splice(0)) peer.close();
  for (const server of servers.splice(0)) await server.close();
});

/** What `remoteAddress` reads; no address of a test machine is sure to be another machine's. */
function pretendToComeFrom(host: string): void {
  const prototype = Socket.prototype as unknown as { _getpeername(): object };
  vi.spyOn(prototype, '_getpeername').mockReturnValue({ address: host, family: 'IPv4', port: 1000 });
}

const PING = encode(['PING']);
const address = (text: string) => new EchoServer({ bind: text }).config.values.bind;

describe('addresses', () => {
  it('are all listened on, with one port', async () => {
    const server = await make().listen({ bind: address('127.0.0.1 127.0.0.2') });
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const peer = dial(server.port, host);
      peer.send(PING);
      expect(await peer.until(1)).toEqual(['PONG']);
    }
    expect([...server.clients.values()].map((client) => client.localAddress)).toEqual([
      `127.0.0.1:${server.port}`,
      `127.0.0.2:${server.port}`,
    ]);
    expect(server.clients.get(1)?.address).toBe(`127.0.0.1:${peers[0]?.localPort}`);
  });

  it('that this machine lacks are passed over when they are optional', async () => {
    const server = await make().listen({ bind: address('127.0.0.1 -192.0.2.1') });
    expect(server.port).toBeGreaterThan(0);
  });

  it('that this machine lacks are fatal otherwise, and nothing is listened on then', async () => {
    const server = make();
    await expect(server.listen({ bind: address('127.0.0.1 192.0.2.1') })).rejects.toThrow(
      /^Could not create server TCP listening socket 192\.0\.2\.1:\d+: bind: Address not available$/i,
    );
    expect(server.port).toBe(0);
  });

  it('of which none exists are fatal', async () => {
    await expect(make().listen({ bind: address('-192.0.2.1') })).rejects.toThrow(StartupError);
  });

  it('in use are fatal', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve);
    });
    const { port } = taken.address() as { port: number };
    await expect(make().listen({ port })).rejects.toThrow(
      `Could not create server TCP listening socket 127.0.0.1:${port}: bind: Address already in use`,
    );
    taken.close();
  });

  it('of the configuration are none for TCP with port 0', () => {
    const { config } = new EchoServer({ port: 0 });
    expect(configuredAddresses(config)).toMatchObject({ bind: [], unixSocket: '' });
    expect(configuredAddresses(new EchoServer({ port: 7000 }).config)).toMatchObject({
      port: 7000,
      backlog: 511,
    });
  });
});

describe('a Unix socket', () => {
  it.each([
    [0, 0o700],
    [0o770, 0o770],
  ])('with mode %i has these permissions from the first moment on', async (mode, expected) => {
    const folder = await dir({ unsafeCleanup: true });
    const path = join(folder.path, 'holdfast.sock');
    const bound: number[] = [];
    const { listen } = Object.getPrototypeOf(createServer()) as { listen: Server['listen'] };
    vi.spyOn(Object.getPrototypeOf(createServer()), 'listen').mockImplementation(function (
      this: Server,
      ...args
    ) {
      const result = Reflect.apply(listen, this, args);
      bound.push(lstatSync(path).mode & 0o777);
      return result;
    });
    const umask = process.umask();
    const server = await make().listen({ bind: [], unixSocket: path, unixSocketMode: mode });
    expect(bound).toEqual([expected]);
    expect(lstatSync(path).mode & 0o777).toBe(expected);
    expect(process.umask()).toBe(umask);
    const peer = dial(path);
    peer.send(PING);
    expect(await peer.until(1)).toEqual(['PONG']);
    expect(server.onlyClient.address).toBe(`${path}:0`);
    expect(server.port).toBe(0);
    peer.close();
    await server.close();
    expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
    await folder.cleanup();
  });

  it('never replaces a file that is no socket', async () => {
    const folder = await dir({ unsafeCleanup: true });
    const path = join(folder.path, 'precious');
    writeFileSync(path, 'data');
    await expect(make().listen({ bind: [], unixSocket: path })).rejects.toThrow(
      /^Failed opening Unix socket/,
    );
    expect(lstatSync(path).isFile()).toBe(true);
    await folder.cleanup();
  });
});

describe('clients', () => {
  it('beyond maxclients are told so and closed', async () => {
    const server = await make({ maxclients: 2 }).listen();
    const first = dial(server.port);
    const second = dial(server.port);
    for (const peer of [first, second]) {
      peer.send(PING);
      await peer.until(1);
    }
    const third = dial(server.port);
    await third.untilEnd();
    expect(third.text).toBe('-ERR max number of clients reached\r\n');
    expect(server.stats.connectionsRejected).toBe(1);
    first.close();
    // The limit counts a connection until its socket is closed, which is after its client is gone.
    await eventually(() => server.listener.connectionCount === 1);
    const fourth = dial(server.port);
    fourth.send(PING);
    expect(await fourth.until(1)).toEqual(['PONG']);
  });

  it('are fewer when the process may not open more files, and the log is told', async () => {
    vi.mocked(descriptors.descriptorsForClients).mockReturnValueOnce(1);
    const server = await make().listen();
    expect(server.messages.join()).toContain('at most 1 clients are accepted');
    const first = dial(server.port);
    first.send(PING);
    await first.until(1);
    const second = dial(server.port);
    await second.untilEnd();
    expect(second.text).toBe('-ERR max number of clients reached\r\n');
  });

  it('may be as many as there are file descriptors beyond those in use and in reserve', () => {
    const open = readdirSync('/proc/self/fd').length;
    const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
    expect(Math.abs(descriptors.descriptorsForClients() - (limit - open - 32))).toBeLessThan(5);
  });

  it('of other machines are refused in protected mode', async () => {
    const server = await make().listen();
    pretendToComeFrom('192.0.2.7');
    const stranger = dial(server.port);
    await stranger.untilEnd();
    expect(stranger.text).toMatch(
      /^-DENIED Redis is running in protected mode because .* from the outside\.\r\n$/,
    );
    expect(server.stats.connectionsRejected).toBe(1);
    server.config.set([['protected-mode', 'no']]);
    const welcome = dial(server.port);
    welcome.send(PING);
    expect(await welcome.until(1)).toEqual(['PONG']);
  });

  it('of other machines are welcome with a password', async () => {
    const server = await make({ requirepass: 'secret' }).listen();
    pretendToComeFrom('192.0.2.7');
    const peer = dial(server.port);
    peer.send(PING);
    expect(await peer.until(1)).toEqual(['PONG']);
  });

  it('that reset at once, thousands of them, leave nothing behind and nobody waiting', async () => {
    const server = await make().listen();
    const good = dial(server.port);
    let storm = true;
    let resets = 0;
    const attack = async () => {
      while (storm) {
        const socket = new Socket();
        socket.on('error', () => {});
        await new Promise<void>((resolve) => {
          socket.connect(server.port, '127.0.0.1', resolve);
        });
        socket.resetAndDestroy();
        resets++;
      }
    };
    const attackers = Array.from({ length: 20 }, attack);
    for (let i = 1; i <= 200; i++) {
      good.send(PING);
      await good.until(i);
    }
    await eventually(
      () => resets > 1000,
      () => `${resets} resets`,
    );
    storm = false;
    await Promise.all(attackers);
    await eventually(() => server.listener.connectionCount === 1);
    expect(server.clients.size).toBe(1);
  });
});

describe('closing', () => {
  it('lets the replies out first', async () => {
    const server = await make().listen();
    const peer = dial(server.port);
    peer.send(encode(['BYTES', '5000000']));
    await eventually(() => server.ran.length === 1);
    await server.listener.close(5000);
    await peer.untilEnd();
    expect(peer.replies).toHaveLength(1);
    expect(server.listener.connectionCount).toBe(0);
  });

  it('cuts off whoever does not read', async () => {
    const server = await make().listen();
    const peer = dial(server.port);
    peer.socket.pause();
    peer.send(encode(['BYTES', '50000000']));
    await eventually(() => server.ran.length === 1);
    const began = performance.now();
    await server.listener.close(100);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(server.clients.size).toBe(0);
  });

  it('twice at the same time ends once', async () => {
    const server = await make().listen();
    const peer = dial(server.port);
    peer.send(PING);
    await peer.until(1);
    peer.socket.on('end', () => peer.socket.end());
    await Promise.all([server.listener.close(5000), server.listener.close(5000)]);
    expect(server.listener.connectionCount).toBe(0);
  });

  it('accepts nobody any more', async () => {
    const server = await make().listen();
    const { port } = server;
    await server.close();
    const peer = dial(port);
    await eventually(() => peer.error !== null);
    expect(peer.error).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
