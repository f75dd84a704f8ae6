import { beforeEach, describe, expect, test } from 'vitest';
import { DispatchHarness, settle, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness();
  client = harness.connect();
});

describe('a checkpoint', () => {
  test('SAVE answers when it is done', async () => {
    let finish = () => {};
    harness.persistence.checkpoint = () => new Promise((resolve) => (finish = resolve));
    client.send('SAVE');
    expect(client.take()).toBe('');
    finish();
    await settle();
    expect(client.take()).toBe('+OK\r\n');
  });

  test('BGSAVE and BGREWRITEAOF start one and answer at once', async () => {
    expect(client.call('BGSAVE')).toBe('Background saving started');
    expect(client.call('BGSAVE', 'SCHEDULE')).toBe('Background saving started');
    expect(client.call('BGREWRITEAOF')).toBe('Background append only file rewriting started');
    await settle();
    expect(harness.persistence.checkpoints).toBe(3);
  });

  test('one that runs already refuses SAVE and BGSAVE, and lets BGREWRITEAOF be next', async () => {
    harness.persistence.checkpointRunning = true;
    expect(client.error('SAVE')).toBe('ERR Background save already in progress');
    expect(client.error('BGSAVE')).toBe('ERR Background save already in progress');
    expect(client.call('BGREWRITEAOF')).toBe('Background append only file rewriting scheduled');
    await settle();
    expect(harness.persistence.checkpoints).toBe(1);
  });

  test('one in the background that fails harms nobody', async () => {
    harness.persistence.checkpoint = () => Promise.reject(new Error('disk I/O error'));
    expect(client.call('BGSAVE')).toBe('Background saving started');
    await settle();
    expect(client.call('PING')).toBe('PONG');
  });

  test('LASTSAVE is the start until there was one', () => {
    expect(client.call('LASTSAVE')).toBe(1_700_000_000);
    harness.persistence.lastCheckpointAtMs = 1_700_000_123_999;
    expect(client.call('LASTSAVE')).toBe(1_700_000_123);
  });
});

describe('SHUTDOWN', () => {
  test.each([
    ['SHUTDOWN', { nosave: false, now: false, force: false }],
    ['SHUTDOWN SAVE', { nosave: false, now: false, force: false }],
    ['SHUTDOWN nosave NOW force', { nosave: true, now: true, force: true }],
  ])('%s ends the server', (line, options) => {
    harness.shutdown = () => new Promise(() => {});
    client.send(...line.split(' '));
    expect(harness.shutdowns).toEqual([options]);
    expect(client.take()).toBe('');
    expect(client.client.blocked).not.toBe(null);
  });

  test('answers an error when the server has to stay', async () => {
    harness.shutdown = () => Promise.reject(new Error('no room'));
    client.send('SHUTDOWN');
    await settle();
    expect(client.take()).toBe('-ERR Errors trying to SHUTDOWN. Check logs.\r\n');
    expect(client.call('PING')).toBe('PONG');
  });

  test('contradictions end nothing', () => {
    for (const line of ['SHUTDOWN SAVE NOSAVE', 'SHUTDOWN ABORT NOW', 'SHUTDOWN LATER']) {
      expect(client.error(...line.split(' '))).toBe('ERR syntax error');
    }
    expect(client.error('SHUTDOWN', 'ABORT')).toBe('ERR No shutdown in progress.');
    expect(harness.shutdowns).toEqual([]);
  });
});

describe('WAITAOF', () => {
  test('answers 1 at once to a client that has written nothing', () => {
    harness.connect().call('SET', 'k', 'v');
    expect(client.call('WAITAOF', '1', '0', '0')).toEqual([1, 0]);
    expect(client.call('WAITAOF', '0', '0', '0')).toEqual([1, 0]);
  });

  test('waits until what this client wrote is synced', async () => {
    client.call('SET', 'k', 'v');
    client.send('WAITAOF', '1', '0', '0');
    expect(client.take()).toBe('');
    expect(client.client.blocked?.reason).toBe('sync');
    harness.persistence.sync();
    await settle();
    expect(client.take()).toBe('*2\r\n:1\r\n:0\r\n');
  });

  test('waits for a write of the same turn', async () => {
    client.send('SET', 'k', 'v');
    client.send('WAITAOF', '1', '0', '0');
    expect(client.take()).toBe('+OK\r\n');
    harness.persistence.sync();
    await settle();
    expect(client.take()).toBe('*2\r\n:1\r\n:0\r\n');
  });

  test('waits for what a transaction wrote, and not for what changed nothing', () => {
    for (const line of ['MULTI', 'SET k v', 'EXEC']) client.call(...line.split(' '));
    expect(client.client.lastWriteSeq).toBe(1);
    const other = harness.connect();
    other.call('DEL', 'nosuch');
    other.call('GET', 'k');
    expect(other.client.lastWriteSeq).toBe(0);
  });

  test('answers the truth when time is up', async () => {
    client.call('SET', 'k', 'v');
    client.send('WAITAOF', '1', '0', '10');
    await expect.poll(() => client.take(), { interval: 5 }).toBe('*2\r\n:0\r\n:0\r\n');
  });

  test('waits in vain for replicas, and says that the local part is done', async () => {
    client.send('WAITAOF', '0', '1', '10');
    await expect.poll(() => client.take(), { interval: 5 }).toBe('*2\r\n:1\r\n:0\r\n');
  });

  test.each([
    ['WAITAOF 2 0 0', 'ERR value is out of range, value must between 0 and 1'],
    ['WAITAOF -1 0 0', 'ERR value is out of range, value must between 0 and 1'],
    ['WAITAOF x 0 0', 'ERR value is not an integer or out of range'],
    ['WAITAOF 1 -1 0', 'ERR value is out of range, must be positive'],
    ['WAITAOF 1 0 -1', 'ERR timeout is negative'],
    ['WAITAOF 1 0 1.5', 'ERR timeout is not an integer or out of range'],
    ['WAITAOF 1 0 9223372036854775807', 'ERR timeout is out of range'],
    ['WAITAOF 1 0', "ERR wrong number of arguments for 'waitaof' command"],
  ])('%s is refused', (line, error) => {
    expect(client.error(...line.split(' '))).toBe(error);
  });
});

describe('WAIT', () => {
  test('answers 0 when its time is up: there are no replicas', async () => {
    expect(client.call('WAIT', '0', '0')).toBe(0);
    client.send('WAIT', '1', '10');
    expect(client.take()).toBe('');
    await expect.poll(() => client.take(), { interval: 5 }).toBe(':0\r\n');
  });

  test('a very long timeout does not end at once', async () => {
    client.send('WAIT', '1', String(2 ** 40));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.take()).toBe('');
    client.close();
  });
});
