import { beforeEach, describe, expect, test } from 'vitest';
import { DispatchHarness, settle, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness();
  client = harness.connect();
});

/** The fields of a line of CLIENT LIST. */
function fields(line: string): Record<string, string> {
  return Object.fromEntries(
    line
      .trim()
      .split(' ')
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  );
}

describe('CLIENT LIST and INFO', () => {
  test('have the fields of Redis 7.4, in its order', () => {
    const line = String(client.call('CLIENT', 'INFO'));
    const names =
      'id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl' +
      ' oll omem tot-mem events cmd user redir resp lib-name lib-ver';
    expect(Object.keys(fields(line))).toEqual(names.split(' '));
    expect(line.endsWith('\n')).toBe(true);
  });

  test('tell what the client is and did', () => {
    for (const line of [
      'CLIENT SETNAME worker',
      'CLIENT SETINFO LIB-NAME ioredis',
      'CLIENT SETINFO lib-ver 5.1',
    ]) {
      client.call(...line.split(' '));
    }
    client.call('HELLO', '3');
    client.call('SELECT', '2');
    harness.clock.wall += 5500;
    expect(fields(String(client.call('CLIENT', 'INFO')))).toMatchObject({
      id: '1',
      addr: '127.0.0.1:40001',
      laddr: '127.0.0.1:6379',
      name: 'worker',
      age: '5',
      idle: '0',
      flags: 'N',
      db: '2',
      multi: '-1',
      cmd: 'client|info',
      user: 'default',
      resp: '3',
      'lib-name': 'ioredis',
      'lib-ver': '5.1',
    });
  });

  test('show transactions, watches and modes of other clients', () => {
    const other = harness.connect('unix', '/tmp/s:0');
    for (const line of ['CLIENT NO-EVICT on', 'CLIENT NO-TOUCH on', 'WATCH a b', 'MULTI', 'SET k value']) {
      other.call(...line.split(' '));
    }
    harness.clock.wall += 2000;
    const line = String(client.call('CLIENT', 'LIST', 'ID', '2'));
    expect(fields(line)).toMatchObject({ flags: 'xUeT', multi: '1', watch: '2', idle: '2', cmd: 'set' });
    expect(Number(fields(line)['multi-mem'])).toBeGreaterThan('SETkvalue'.length);
    client.call('SET', 'a', '1');
    expect(fields(String(client.call('CLIENT', 'LIST', 'ID', '2')))).toMatchObject({
      flags: 'xdUeT',
      watch: '0',
    });
  });

  test('choose by type and by id', () => {
    harness.connect();
    harness.connect();
    const ids = (...args: string[]) =>
      String(client.call('CLIENT', 'LIST', ...args))
        .split('\n')
        .filter(Boolean)
        .map((line) => fields(line)['id']);
    expect(ids()).toEqual(['1', '2', '3']);
    expect(ids('TYPE', 'normal')).toEqual(['1', '2', '3']);
    expect(ids('TYPE', 'pubsub')).toEqual([]);
    expect(ids('ID', '3', '1', '77')).toEqual(['3', '1']);
  });

  test('answer a verbatim string in RESP3', () => {
    client.call('HELLO', '3');
    expect(client.raw('CLIENT', 'LIST')).toMatch(/^=\d+\r\ntxt:id=1 /);
  });
});

describe('names', () => {
  test.each(['a b', 'a\nb', '\x7f', 'caf\xe9', 'a\x00'])('%j is refused', (name) => {
    const refused = 'cannot contain spaces, newlines or special characters.';
    expect(client.error('CLIENT', 'SETNAME', name)).toBe(`ERR Client names ${refused}`);
    expect(client.error('CLIENT', 'SETINFO', 'LIB-NAME', name)).toBe(`ERR lib-name ${refused}`);
    expect(client.error('CLIENT', 'SETINFO', 'LIB-VER', name)).toBe(`ERR lib-ver ${refused}`);
    expect(client.call('CLIENT', 'GETNAME')).toBe(null);
  });

  test('an empty one takes the name away', () => {
    client.call('CLIENT', 'SETNAME', 'x');
    expect(client.call('CLIENT', 'GETNAME')).toBe('x');
    client.call('CLIENT', 'SETNAME', '');
    expect(client.call('CLIENT', 'GETNAME')).toBe(null);
  });

  test('SETINFO knows two attributes', () => {
    expect(client.error('CLIENT', 'SETINFO', 'LIB-FOO', 'x')).toBe("ERR Unrecognized option 'LIB-FOO'");
  });
});

describe('CLIENT KILL', () => {
  test('closes by address in the old form, also the caller, who gets an answer first', () => {
    const other = harness.connect();
    expect(client.call('CLIENT', 'KILL', other.client.address)).toBe('OK');
    expect(other.closed).toBe(true);
    expect(client.call('CLIENT', 'KILL', client.client.address)).toBe('OK');
    expect(client.closed).toBe(false);
    expect(client.client.closeAfterReply).toBe(true);
  });

  test('spares the caller in the new form unless told otherwise', () => {
    const others = [harness.connect(), harness.connect()];
    expect(client.call('CLIENT', 'KILL', 'TYPE', 'normal')).toBe(2);
    expect(others.map((other) => other.closed)).toEqual([true, true]);
    expect(client.call('CLIENT', 'KILL', 'TYPE', 'normal')).toBe(0);
    expect(client.call('CLIENT', 'KILL', 'USER', 'default', 'SKIPME', 'no')).toBe(1);
    expect(client.client.closeAfterReply).toBe(true);
  });

  test('all filters must match', () => {
    const other = harness.connect();
    const { address } = other.client;
    expect(client.call('CLIENT', 'KILL', 'ID', '2', 'ADDR', '1.2.3.4:5')).toBe(0);
    expect(client.call('CLIENT', 'KILL', 'ID', '2', 'ADDR', address, 'LADDR', '127.0.0.1:6379')).toBe(1);
    expect(other.closed).toBe(true);
  });

  test('MAXAGE closes only older clients', () => {
    const old = harness.connect();
    harness.clock.wall += 10_000;
    const young = harness.connect();
    expect(client.call('CLIENT', 'KILL', 'MAXAGE', '10')).toBe(1);
    expect([old.closed, young.closed]).toEqual([true, false]);
    expect(client.error('CLIENT', 'KILL', 'MAXAGE', '0')).toBe('ERR maxage should be greater than 0');
    expect(client.error('CLIENT', 'KILL', 'MAXAGE', 'x')).toBe(
      'ERR maxage is not an integer or out of range',
    );
  });
});

describe('CLIENT UNBLOCK', () => {
  test('ends a wait as its timeout would, or with an error', async () => {
    const other = harness.connect();
    other.send('WAIT', '1', '0');
    expect(client.info('blocked_clients')).toBe('1');
    expect(client.call('CLIENT', 'UNBLOCK', '2')).toBe(1);
    await settle();
    expect(other.take()).toBe(':0\r\n');
    other.send('WAIT', '1', '0');
    client.call('CLIENT', 'UNBLOCK', '2', 'ERROR');
    await settle();
    expect(other.take()).toBe('-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n');
    expect(client.call('CLIENT', 'UNBLOCK', '2')).toBe(0);
    expect(client.info('blocked_clients')).toBe('0');
  });

  test('does not touch a wait that cannot be cut short', () => {
    const other = harness.connect();
    harness.persistence.checkpoint = () => new Promise(() => {});
    other.send('SAVE');
    expect(client.call('CLIENT', 'UNBLOCK', '2')).toBe(0);
    expect(other.client.blocked).not.toBe(null);
  });
});
