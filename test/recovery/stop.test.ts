/** A stop whose last checkpoint would take minutes: the process ends in time, and the log keeps the rest. */
import { Redis } from 'ioredis5';
import { expect, it, onTestFinished } from 'vitest';
import { type ServerProcess, startServer } from '../support/server.js';

const KEYS = 100_000;
/** Each costs the server nothing, and the checkpoint three moves of every row. */
const EXCHANGES = 401;

async function connect(server: ServerProcess): Promise<Redis> {
  const client = new Redis(server.port, server.host);
  onTestFinished(() => client.disconnect());
  await client.ping();
  return client;
}

it('ends within ten seconds of SIGTERM however much is left to checkpoint, and loses nothing', async () => {
  const server = await startServer({ kind: 'holdfast' });
  const client = await connect(server);
  for (let first = 0; first < KEYS; first += 10_000) {
    const pipeline = client.pipeline();
    for (let key = first; key < first + 10_000; key++) pipeline.set(`key:${key}`, `value ${key}`);
    await pipeline.exec();
  }
  await client.save();
  const exchanges = client.pipeline();
  for (let i = 0; i < EXCHANGES; i++) exchanges.swapdb(0, 1);
  await exchanges.exec();
  client.disconnect();
  const beganMs = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  expect(server.logOfRun).toContain(
    'The last checkpoint was given up after 6 seconds; the log keeps the rest',
  );

  await server.start();
  const again = await connect(server);
  expect(await again.dbsize()).toBe(0);
  await again.select(1);
  expect(await again.dbsize()).toBe(KEYS);
  expect(await again.get('key:77777')).toBe('value 77777');
}, 60_000);
