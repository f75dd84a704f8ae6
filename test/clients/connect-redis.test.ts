/**
 * The purpose of the project in one test: an Express application keeps its sessions in the store, the store is
 * killed, and every session that was acknowledged and has not expired is there when it comes back.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { RedisStore as RedisStore9 } from 'connect-redis';
import RedisStore7 from 'connect-redis7';
import { RedisStore as RedisStore8 } from 'connect-redis8';
import express from 'express';
import session, { type SessionData, type Store } from 'express-session';
import { Redis } from 'ioredis5';
import { createClient as createClient4 } from 'node-redis4';
import { createClient as createClient5 } from 'redis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchServer, sleep, type TestServer } from '../support/server.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
  }
}

interface Connection {
  store: Store;
  close(): unknown;
}

/** The shortest life a session can have in these stores, which count in seconds. */
const shortestSessionMs = 1000;

const retry = { reconnectStrategy: () => 20 };

const stores: { name: string; connect(url: string): Promise<Connection> }[] = [
  {
    name: 'connect-redis 7 over ioredis 5',
    async connect(url) {
      const client = new Redis(url, { retryStrategy: () => 20 });
      client.on('error', () => {});
      return { store: new RedisStore7({ client }), close: () => client.disconnect() };
    },
  },
  {
    name: 'connect-redis 8 over node-redis 4',
    async connect(url) {
      const client = createClient4({ url, socket: retry });
      client.on('error', () => {});
      await client.connect();
      return { store: new RedisStore8({ client }), close: () => client.disconnect() };
    },
  },
  {
    name: 'connect-redis 9 over node-redis 5',
    async connect(url) {
      const client = createClient5({ url, socket: retry });
      client.on('error', () => {});
      await client.connect();
      return { store: new RedisStore9({ client: client as never }), close: () => client.destroy() };
    },
  },
];

describe.each(stores)('express-session with $name', ({ connect }) => {
  let server: TestServer;
  let connection: Connection;
  let website: Server;

  beforeEach(async () => {
    server = await launchServer();
    connection = await connect(server.process.url);
    website = application(connection.store).listen(0, '127.0.0.1');
    await once(website, 'listening');
  });
  afterEach(async () => {
    website.closeAllConnections();
    website.close();
    await connection.close();
    await server.dispose();
  });

  /** One visitor: sends the cookie it was last given. */
  function visitor() {
    let cookie = '';
    return async (method: 'GET' | 'POST', path: string) => {
      const { port } = website.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { cookie } });
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
      return `${response.status} ${await response.text()}`;
    };
  }

  it('keeps visitors logged in across a kill -9 of the store, and expired sessions out', async () => {
    const ada = visitor();
    const brief = visitor();
    const nobody = visitor();
    expect(await ada('POST', '/login/ada')).toBe('200 welcome ada');
    expect(await brief('POST', `/login/brief?maxAgeMs=${shortestSessionMs}`)).toBe('200 welcome brief');
    expect(await ada('GET', '/me')).toBe('200 ada');
    expect(await brief('GET', '/me')).toBe('200 brief');
    expect(await nobody('GET', '/me')).toBe('401 who are you?');

    await server.process.kill();
    await sleep(shortestSessionMs + 100);
    await server.process.start();

    expect(await ada('GET', '/me')).toBe('200 ada');
    expect(await brief('GET', '/me')).toBe('401 who are you?');
    const { store } = connection;
    expect(await lengthOf(store)).toBe(1);
  });

  it('forgets a visitor who logs out, also across a kill -9', async () => {
    const ada = visitor();
    await ada('POST', '/login/ada');
    expect(await ada('POST', '/logout')).toBe('200 good bye');
    await server.process.crashAndRestart();
    expect(await ada('GET', '/me')).toBe('401 who are you?');
  });

  it('lists and clears all sessions', async () => {
    const { store } = connection;
    await visitor()('POST', '/login/ada');
    await visitor()('POST', '/login/grace');
    expect((await usersOf(store)).sort()).toEqual(['ada', 'grace']);
    await promisify(store.clear!.bind(store))();
    expect(await lengthOf(store)).toBe(0);
  });
});

/** How many sessions a store says it holds. */
function lengthOf(store: Store): Promise<number | undefined> {
  return promisify(store.length!.bind(store))();
}

/** The users of all sessions in a store: each of these stores answers with a list. */
async function usersOf(store: Store): Promise<string[]> {
  const sessions = await promisify(store.all!.bind(store))();
  return (sessions as SessionData[]).map(({ user }) => user);
}

function application(store: Store) {
  const app = express();
  app.use(
    session({
      store,
      secret: 'for this test',
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 60_000 },
    }),
  );
  app.post('/login/:user', (request, response) => {
    const { maxAgeMs } = request.query;
    if (maxAgeMs !== undefined) request.session.cookie.maxAge = Number(maxAgeMs);
    request.session.user = request.params.user;
    response.send(`welcome ${request.params.user}`);
  });
  app.get('/me', (request, response) => {
    const { user } = request.session;
    if (user === undefined) response.status(401).send('who are you?');
    else response.send(user);
  });
  app.post('/logout', (request, response) => {
    request.session.destroy(() => response.send('good bye'));
  });
  return app;
}
