import { closeSync, openSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { file } from 'tmp-promise';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ConfigOverrides } from '../../src/base/config.js';
import { PendingInput } from '../../src/server/pending-input.js';
import { cut, encode, everyByte } from '../resp/chunks.js';
import { hostileCases, unauthenticatedCases } from '../resp/hostile.js';
import { EchoServer, eventually, Peer } from './echo-server.js';

const servers: EchoServer[] = [];
const peers: Peer[] = [];

async function start(overrides: ConfigOverrides = {}): Promise<EchoServer> {
  const server = new EchoServer(overrides);
  servers.push(server);
  return server.listen();
}

function dial(server: EchoServer): Peer {
  const peer = new Peer(server.port);
  peers.push(peer);
  return peer;
}

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  for (const server of servers.splice(0)) await server.close();
});

const PING = encode(['PING']);

/** Bytes that show it when a piece is missing, twice there, or somebody else's. */
function patterned(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => 0x41 + ((i * 7 + (i >> 8) + seed) % 26)));
}

describe('a connection that was reset', () => {
  it('leaves the descriptor to whatever file the system gives it to next', async () => {
    const server = await start();
    server.holding = true;
    const peer = dial(server);
    peer.send(encode(['ECHO', 'for the peer alone']));
    await eventually(() => server.ran.length === 1);
    const { fd } = server.onlyClient.transport;
    const { path, cleanup } = await file();
    const opened: number[] = [];
    // The socket says why it ends when its descriptor is closed, just before the connection hears of the end.
    server.onMessage = () => {
      while (opened.at(-1) !== fd) opened.push(openSync(path, 'a'));
      server.releaseAll();
    };
    peer.socket.resetAndDestroy();
    await eventually(() => server.clients.size === 0);
    expect(opened.at(-1)).toBe(fd);
    expect(readFileSync(path, 'latin1')).toBe('');
    for (const each of opened) closeSync(each);
    await cleanup();
  });
});

describe('pipelines', () => {
  it('are answered in order, wherever they are cut', async () => {
    const server = await start();
    const commands = fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(commands, fc.array(fc.nat(1500), { maxLength: 5 }), async (texts, positions) => {
        const peer = dial(server);
        await peer.sendPieces(
          cut(Buffer.concat(texts.map((text) => encode(['ECHO', Buffer.from(text)]))), positions),
        );
        expect(await peer.until(texts.length)).toEqual(texts);
        peer.close();
      }),
      { numRuns: 40 },
    );
  });

  it('are answered whatever the lengths of arguments and pieces', async () => {
    const server = await start();
    const lengths = fc.array(fc.oneof(fc.nat(200), fc.nat(200_000)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.array(fc.nat(500_000), { maxLength: 15 }), async (list, positions) => {
        const peer = dial(server);
        await peer.sendPieces(
          cut(Buffer.concat(list.map((n, i) => encode(['ECHO', patterned(n, i)]))), positions),
        );
        const replies = await peer.until(list.length);
        expect(replies.map((reply, i) => reply === patterned(list[i]!, i).toString('latin1'))).not.toContain(
          false,
        );
        peer.close();
      }),
      { numRuns: 40 },
    );
  });

  it('are answered to the last when the client ends its side behind them', async () => {
    const peer = dial(await start());
    peer.socket.end(Buffer.concat(Array<Buffer>(50_000).fill(PING)));
    await peer.untilEnd();
    expect(peer.text).toBe('+PONG\r\n'.repeat(50_000));
  });

  it('end where QUIT stands, beyond what one read takes too', async () => {
    const server = await start();
    const peer = dial(server);
    const before = Array<Buffer>(20_000).fill(PING);
    peer.send(Buffer.concat([...before, encode(['QUIT']), encode(['ECHO', 'x'.repeat(100_000)])]));
    await peer.untilEnd();
    expect(peer.text).toBe(`${'+PONG\r\n'.repeat(20_000)}+OK\r\n`);
  });

  it('are answered byte by byte too', async () => {
    const peer = dial(await start());
    await peer.sendPieces(
      everyByte(Buffer.concat([encode(['ECHO', 'a\r\nb']), Buffer.from('PING\r\n'), PING])),
    );
    expect(await peer.until(3)).toEqual(['a\r\nb', 'PONG', 'PONG']);
  });

  it('of any length are answered completely', async () => {
    const peer = dial(await start());
    const count = 200_000;
    for (let i = 0; i < 20; i++) peer.send(Buffer.concat(Array<Buffer>(count / 20).fill(PING)));
    await peer.until(count);
    expect(peer.text).toBe('+PONG\r\n'.repeat(count));
  });

  it('with long replies do not gather more of them than a turn may', async () => {
    const server = await start();
    const peer = dial(server);
    let longest = 0;
    const release = server.batch.release.bind(server.batch);
    vi.spyOn(server.batch, 'release').mockImplementation(() => {
      longest = Math.max(longest, server.batch.writer.length);
      release();
    });
    peer.send(Buffer.concat(Array<Buffer>(100).fill(encode(['BYTES', '1000000']))));
    await peer.until(100);
    expect(longest).toBeLessThan(6_000_000);
  });

  it('of one client let another one in between', async () => {
    const server = await start();
    const busy = dial(server);
    const other = dial(server);
    other.send(PING);
    await other.until(1);
    busy.send(Buffer.concat(Array<Buffer>(100_000).fill(PING)));
    await busy.until(1);
    other.send(PING);
    await other.until(2);
    expect(busy.replies.length).toBeLessThan(100_000);
    await busy.until(100_000);
  });
});

describe('long arguments', () => {
  it('arrive whole', async () => {
    const peer = dial(await start());
    const value = Buffer.alloc(20 * 1024 * 1024, 'abc');
    peer.send(Buffer.concat([encode(['LENGTH', value]), PING, encode(['ECHO', value.subarray(0, 100_000)])]));
    expect(await peer.until(3)).toEqual([value.length, 'PONG', value.toString('latin1', 0, 100_000)]);
  });

  it('are copied a bounded number of times when they trickle', () => {
    const input = new PendingInput();
    const total = 4 * 1024 * 1024;
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const byte = Buffer.from('x');
    for (let i = 0; i < total; i++) input.append(byte, 0, 1, total);
    const sizes = allocate.mock.calls.map(([size]) => size);
    allocate.mockRestore();
    // Each growth copies what was held: all of them together copy less than what was allocated.
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(total * 3);
    expect(sizes.at(-1)).toBe(total);
    expect(input.length).toBe(total);
  });

  it('never take more memory than twice what has arrived', () => {
    const input = new PendingInput();
    const chunk = Buffer.alloc(1000);
    for (let i = 1; i <= 500; i++) {
      input.append(chunk, 0, chunk.length, 256 * 1024 * 1024);
      expect(input.bytes.length).toBeLessThanOrEqual(2000 * i);
    }
  });

  it('that are slow to come do not slow down anybody else', async () => {
    const server = await start();
    const slow = dial(server);
    slow.send(`*2\r\n$6\r\nLENGTH\r\n$${64 * 1024 * 1024}\r\n`);
    const trickle = setInterval(() => slow.send('x'), 0);
    const other = dial(server);
    const began = performance.now();
    for (let i = 1; i <= 500; i++) {
      other.send(PING);
      await other.until(i);
    }
    clearInterval(trickle);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(server.clients.size).toBe(2);
  });

  it('announced by a thousand clients cost nothing before they come', async () => {
    const server = await start();
    const announcing = Array.from({ length: 1000 }, (_, i) => {
      const peer = dial(server);
      peer.send(i % 2 === 0 ? '*1000000\r\n$3\r\nSET\r\n' : '*2\r\n$3\r\nSET\r\n$200000000\r\n');
      return peer;
    });
    await eventually(() => [...server.clients.values()].filter(({ bytesIn }) => bytesIn > 0).length === 1000);
    const held = [...server.clients.values()].map(({ transport }) => transport.inputBytes());
    expect(Math.max(...held)).toBeLessThan(100);
    const before = process.memoryUsage();
    for (const peer of announcing) peer.send('$1\r\nx\r\n');
    await eventually(() => [...server.clients.values()].every(({ bytesIn }) => bytesIn > 25));
    const after = process.memoryUsage();
    expect(after.rss - before.rss).toBeLessThan(50 * 1024 * 1024);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(10 * 1024 * 1024);
  });

  it('beyond client-query-buffer-limit close the connection', async () => {
    const server = await start({ 'client-query-buffer-limit': '1mb' });
    const peer = dial(server);
    peer.send(`*2\r\n$6\r\nLENGTH\r\n$2000000\r\n${'x'.repeat(1_200_000)}`);
    await peer.untilEnd();
    expect(server.ran).toEqual([]);
    expect(server.stats.inputLimitDisconnects).toBe(1);
    expect(server.messages.join()).toMatch(/max query buffer length: id=1 addr=127\.0\.0\.1:\d+ name=$/);
  });

  it('count together with the queue of a transaction', async () => {
    const server = await start({ 'client-query-buffer-limit': '1mb' });
    const peer = dial(server);
    peer.send(PING);
    await peer.until(1);
    server.onlyClient.transaction = {
      queue: [],
      aborted: false,
      writes: false,
      deniesOnMemory: false,
      bytes: 1 << 20,
    };
    peer.send(PING);
    await peer.untilEnd();
    expect(peer.replies).toHaveLength(1);
  });
});

describe('protocol errors', () => {
  const written = hostileCases.filter(({ bytes }) => bytes.length < 100);

  it.each([
    ['whole', (bytes: Buffer) => [bytes]],
    ['byte by byte', everyByte],
    ['in uneven pieces', (bytes: Buffer) => cut(bytes, [1, 4, 6, 11])],
  ])('are answered behind the replies before them, and end the connection (%s)', async (_, pieces) => {
    const server = await start();
    await Promise.all(
      written.map(async ({ bytes, error, name }) => {
        const peer = dial(server);
        await peer.sendPieces([PING, ...pieces(bytes), PING]);
        await peer.untilEnd();
        const shown = error.replace('\0', '\\0');
        expect(peer.text.replace('\0', '\\0'), name).toBe(`+PONG\r\n-ERR Protocol error: ${shown}\r\n`);
      }),
    );
    expect(server.stats.protocolErrors).toBe(written.length);
    expect(server.stats.errors.get('ERR')).toBe(written.length);
    expect(server.ran).toHaveLength(written.length);
  });

  it('come earlier before AUTH', async () => {
    const server = await start({ requirepass: 'secret' });
    for (const { bytes, error } of unauthenticatedCases) {
      const stranger = dial(server);
      stranger.send(bytes);
      await stranger.untilEnd();
      expect(stranger.text).toBe(`-ERR Protocol error: ${error}\r\n`);
      const friend = dial(server);
      friend.send(Buffer.concat([encode(['AUTH', 'secret']), bytes]));
      await friend.until(1);
      expect(friend.ended).toBe(false);
    }
  });

  it('do not arise for lengths that AUTH in the same packet has allowed', async () => {
    const peer = dial(await start({ requirepass: 'secret' }));
    peer.send(Buffer.concat([encode(['AUTH', 'secret']), encode(['LENGTH', 'x'.repeat(20_000)])]));
    expect(await peer.until(2)).toEqual(['OK', 20_000]);
  });

  it('are not told to a client that wants no replies', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(PING);
    await peer.until(1);
    server.onlyClient.replyMode = 'off';
    peer.send('*x\r\n');
    await peer.untilEnd();
    expect(peer.text).toBe('+PONG\r\n');
  });

  it('reach a client that has sent much more', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(Buffer.concat([Buffer.from('*x\r\n'), Buffer.alloc(3_000_000, 'PING\r\n')]));
    await peer.untilEnd();
    expect(peer.text).toBe('-ERR Protocol error: invalid multibulk length\r\n');
    expect(server.ran).toEqual([]);
  });
});

describe('the end of a connection', () => {
  it('comes after QUIT, and nothing behind it runs', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(Buffer.concat([PING, encode(['QUIT']), encode(['ECHO', 'no'])]));
    await peer.untilEnd();
    expect(peer.text).toBe('+PONG\r\n+OK\r\n');
    expect(server.ran).toEqual(['PING', 'QUIT']);
    expect(server.clients.size).toBe(0);
    peer.socket.end();
    await eventually(() => server.listener.connectionCount === 0);
  });

  it('waits for replies that are not durable yet', async () => {
    const server = await start();
    const peer = dial(server);
    server.holding = true;
    peer.send(Buffer.concat([encode(['ECHO', 'written']), encode(['QUIT'])]));
    await eventually(() => server.ran.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(peer.text).toBe('');
    expect(peer.ended).toBe(false);
    server.releaseAll();
    await peer.untilEnd();
    expect(peer.replies).toEqual(['written', 'OK']);
  });

  it('comes after the replies when the client has ended its side', async () => {
    const peer = dial(await start());
    peer.socket.end(Buffer.concat([encode(['ECHO', 'a']), encode(['BYTES', '3000000'])]));
    await peer.untilEnd();
    expect(peer.replies).toHaveLength(2);
    await eventually(() => peer.closed);
    expect(peer.error).toBeNull();
  });

  it('comes in the middle of a command when the client ends there', async () => {
    const server = await start();
    const peer = dial(server);
    peer.socket.end('*2\r\n$4\r\nECHO\r\n$100\r\nabc');
    await peer.untilEnd();
    await eventually(() => server.listener.connectionCount === 0);
    expect(server.ran).toEqual([]);
  });

  it('is quiet when the client resets', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(PING);
    await peer.until(1);
    peer.socket.resetAndDestroy();
    await eventually(() => server.listener.connectionCount === 0);
    expect(server.clients.size).toBe(0);
    expect(server.messages.filter((message) => !message.includes('ECONNRESET'))).toEqual([]);
  });

  it('is at once when the server says so, and nothing behind it runs', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(Buffer.concat([encode(['CLOSE']), PING]));
    await peer.untilEnd();
    expect(peer.text).toBe('');
    expect(server.ran).toEqual(['CLOSE']);
    expect(server.listener.connectionCount).toBe(0);
  });

  it('is forced on a client that never closes its side', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(encode(['QUIT']));
    await peer.untilEnd();
    await eventually(() => server.listener.connectionCount === 0);
  });

  it('comes to an idle client, not to a waiting one', async () => {
    const server = await start({ timeout: '1' });
    const idle = dial(server);
    const waiting = dial(server);
    waiting.send(encode(['WAIT', 'command']));
    idle.send(PING);
    await idle.untilEnd();
    expect(waiting.ended).toBe(false);
    expect(server.messages.join()).toContain('Closing idle client');
  });
});

describe('a client that waits', () => {
  it('has the rest of its input executed afterwards, in order', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(Buffer.concat([encode(['WAIT', 'sync']), encode(['ECHO', 'a'])]));
    await eventually(() => server.ran.length === 1);
    peer.send(encode(['ECHO', 'b']));
    await eventually(() => server.onlyClient.transport.inputBytes() > 40);
    expect(server.ran).toEqual(['WAIT sync']);
    server.wake(server.onlyClient);
    expect(await peer.until(3)).toEqual(['AWAKE', 'a', 'b']);
  });

  it('is not read without end', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(Buffer.concat([encode(['WAIT', 'pause']), ...Array<Buffer>(400_000).fill(PING)]));
    await eventually(() => server.ran.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.onlyClient.transport.inputBytes()).toBeLessThan(256 * 1024);
    server.wake(server.onlyClient);
    await peer.until(400_001);
  });

  it('is given up when it goes away while a command blocks', async () => {
    const server = await start();
    const peer = dial(server);
    peer.send(encode(['WAIT', 'command']));
    await eventually(() => server.ran.length === 1);
    peer.socket.end();
    await eventually(() => server.clients.size === 0);
  });

  it('still gets its reply after ending its side when the wait ends by itself', async () => {
    const server = await start();
    const peer = dial(server);
    peer.socket.end(Buffer.concat([encode(['WAIT', 'sync']), PING]));
    await eventually(() => server.ran.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.wake(server.onlyClient);
    await peer.untilEnd();
    expect(peer.replies).toEqual(['AWAKE', 'PONG']);
  });
});

describe('a client that does not read', () => {
  async function flood(overrides: ConfigOverrides): Promise<{ server: EchoServer; peer: Peer }> {
    const server = await start(overrides);
    const peer = dial(server);
    peer.socket.pause();
    peer.send(Buffer.concat(Array<Buffer>(64).fill(encode(['BYTES', '1000000']))));
    return { server, peer };
  }

  it('is closed at the hard limit of its class', async () => {
    const { server } = await flood({ 'client-output-buffer-limit': 'normal 20000000 0 0' });
    await eventually(() => server.stats.outputLimitDisconnects === 1);
    expect(server.clients.size).toBe(0);
    expect(server.messages.join()).toMatch(
      /Client id=1 addr=127\.0\.0\.1:\d+ name= closed for overcoming of output/,
    );
  });

  it('is closed after the seconds of the soft limit', async () => {
    const { server } = await flood({ 'client-output-buffer-limit': 'normal 0 10000000 1' });
    await eventually(() => server.ran.length === 64);
    expect(server.clients.size).toBe(1);
    await eventually(() => server.stats.outputLimitDisconnects === 1);
    expect(server.clients.size).toBe(0);
  });

  it('gets everything, in order, when it reads after all', async () => {
    const { server, peer } = await flood({});
    await eventually(() => server.ran.length === 64);
    peer.send(encode(['ECHO', 'last']));
    await eventually(() => server.ran.length === 65);
    expect(server.onlyClient.transport.outputBytes()).toBeGreaterThan(30_000_000);
    peer.socket.resume();
    await peer.until(65);
    expect(peer.replies.at(-1)).toBe('last');
    expect(peer.replies.slice(0, 64).every((reply) => (reply as string).length === 1_000_000)).toBe(true);
    await eventually(() => server.onlyClient.transport.outputBytes() === 0);
  });

  it('can still be found and killed after QUIT', async () => {
    const { server, peer } = await flood({});
    peer.send(encode(['QUIT']));
    await eventually(() => server.ran.at(-1) === 'QUIT');
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.onlyClient.transport.close();
    expect(server.clients.size).toBe(0);
    expect(server.listener.connectionCount).toBe(0);
  });

  it('gets little before AUTH', async () => {
    const server = await start({ requirepass: 'secret' });
    const peer = dial(server);
    peer.socket.pause();
    for (let i = 0; i < 30; i++) peer.send(encode(['BYTES', '1000000']));
    await eventually(() => server.stats.outputLimitDisconnects === 1);
    expect(server.clients.size).toBe(0);
  });

  it('does not slow down anybody else', async () => {
    const { server } = await flood({});
    const other = dial(server);
    for (let i = 1; i <= 100; i++) {
      other.send(PING);
      await other.until(i);
    }
    expect(other.replies).toHaveLength(100);
  });
});
