import { describe, expect, test } from 'vitest';
import { redisVersion } from '../../src/base/version.js';
import { DispatchHarness } from '../support/dispatch-harness.js';

const WRONGPASS = 'WRONGPASS invalid username-password pair or user is disabled.';

describe('HELLO', () => {
  test('answers all seven fields, as a map in RESP3 and an array in RESP2', () => {
    const client = new DispatchHarness().connect();
    const fields = ['server', 'redis', 'version', redisVersion, 'proto', 2, 'id', 1];
    expect(client.call('HELLO')).toEqual([...fields, 'mode', 'standalone', 'role', 'master', 'modules', []]);
    const map = client.call('HELLO', '3') as Map<string, unknown>;
    expect([...map.keys()]).toEqual(['server', 'version', 'proto', 'id', 'mode', 'role', 'modules']);
    expect(map.get('proto')).toBe(3);
    expect(client.raw('HELLO', '2')).toMatch(/^\*14\r\n/);
    expect(client.raw('GET', 'k')).toBe('$-1\r\n');
  });

  test('without a version keeps the protocol', () => {
    const client = new DispatchHarness().connect();
    client.call('HELLO', '3');
    expect((client.call('HELLO') as Map<string, unknown>).get('proto')).toBe(3);
  });

  test('authenticates and names in one step', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    client.call('HELLO', '3', 'SETNAME', 'worker', 'AUTH', 'default', 'secret');
    expect(client.call('CLIENT', 'GETNAME')).toBe('worker');
  });

  test('changes nothing when it fails', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    expect(client.error('HELLO', '3')).toMatch(
      /^NOAUTH HELLO must be called with the client already authenticated/,
    );
    expect(client.error('HELLO', '3', 'AUTH', 'default', 'wrong')).toBe(WRONGPASS);
    expect(client.error('HELLO', '3', 'AUTH', 'somebody', 'secret')).toBe(WRONGPASS);
    expect(client.error('HELLO', '4', 'AUTH', 'default', 'secret')).toBe(
      'NOPROTO unsupported protocol version',
    );
    const badName = client.error('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'a b');
    expect(badName).toBe('ERR Client names cannot contain spaces, newlines or special characters.');
    expect(client.error('GET', 'k')).toMatch(/^NOAUTH/);
    expect(client.client.protocol).toBe(2);
    expect(client.client.name).toBe('');
  });

  test('a wrong option is found before the password is looked at', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    expect(client.error('HELLO', '3', 'AUTH', 'default', 'wrong', 'FOO')).toBe(
      "ERR Syntax error in HELLO option 'FOO'",
    );
  });
});

describe('AUTH', () => {
  test('takes the password alone or with the only user', () => {
    const harness = new DispatchHarness({ requirepass: 'secret' });
    expect(harness.connect().call('AUTH', 'secret')).toBe('OK');
    expect(harness.connect().call('AUTH', 'default', 'secret')).toBe('OK');
    expect(harness.connect().error('AUTH', 'somebody', 'secret')).toBe(WRONGPASS);
  });

  test.each(['', 'secre', 'secret ', 'SECRET', 'secret\x00', '\xff'.repeat(1000)])(
    'refuses %j',
    (password) => {
      expect(new DispatchHarness({ requirepass: 'secret' }).connect().error('AUTH', password)).toBe(
        WRONGPASS,
      );
    },
  );

  test('a wrong password does not end a session', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    client.call('AUTH', 'secret');
    expect(client.error('AUTH', 'wrong')).toBe(WRONGPASS);
    expect(client.call('PING')).toBe('PONG');
  });

  test('without a configured password the short form is a mistake, and the long form takes any', () => {
    const client = new DispatchHarness().connect();
    expect(client.error('AUTH', 'x')).toBe(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    );
    expect(client.call('AUTH', 'default', 'anything')).toBe('OK');
  });

  test('no password ever comes back in an error or in CLIENT LIST', () => {
    const client = new DispatchHarness({ requirepass: 'secret' }).connect();
    client.call('AUTH', 'secret');
    const texts = [
      client.raw('AUTH', 'guess-1'),
      client.raw('CLIENT', 'LIST'),
      client.raw('INFO', 'everything'),
    ];
    for (const text of texts) expect(text).not.toMatch(/secret|guess-1/);
  });
});

test('RESET leaves a client as it connected', () => {
  const harness = new DispatchHarness({ requirepass: 'secret' });
  const client = harness.connect();
  client.call('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'worker');
  for (const line of [
    'SELECT 4',
    'CLIENT NO-EVICT ON',
    'CLIENT NO-TOUCH ON',
    'WATCH k',
    'MULTI',
    'SET k v',
  ]) {
    client.call(...line.split(' '));
  }
  expect(client.raw('RESET')).toBe('+RESET\r\n');
  const { name, db, protocol, authenticated, noEvict, noTouch, transaction, watching } = client.client;
  expect({ name, db, protocol, authenticated, noEvict, noTouch, transaction, watching }).toEqual({
    name: '',
    db: 0,
    protocol: 2,
    authenticated: false,
    noEvict: false,
    noTouch: false,
    transaction: null,
    watching: 0,
  });
  expect(client.error('GET', 'k')).toMatch(/^NOAUTH/);
});

test('QUIT takes any arguments', () => {
  const client = new DispatchHarness({ requirepass: 'secret' }).connect();
  expect(client.raw('QUIT', 'a', 'b')).toBe('+OK\r\n');
});
