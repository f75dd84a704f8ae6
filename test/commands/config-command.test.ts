import { beforeEach, describe, expect, test } from 'vitest';
import { DispatchHarness, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness();
  client = harness.connect();
});

/** CONFIG GET as an object. */
function get(...patterns: string[]): Record<string, unknown> {
  const items = client.call('CONFIG', 'GET', ...patterns) as unknown[];
  return Object.fromEntries(items.flatMap((item, i) => (i % 2 === 0 ? [[item, items[i + 1]]] : [])));
}

describe('CONFIG GET', () => {
  test('takes names and patterns, several at once, each name once', () => {
    expect(get('appendonly', 'max?lients', 'MAXCLIENTS', 'nosuch')).toMatchObject({
      appendonly: 'yes',
      maxclients: '10000',
    });
    expect(Object.keys(get('*')).length).toBeGreaterThan(30);
  });

  test('answers a map in RESP3', () => {
    client.call('HELLO', '3');
    expect(client.raw('CONFIG', 'GET', 'maxclients')).toBe('%1\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n');
  });

  test('has what redis-benchmark asks for', () => {
    expect(Object.keys(get('save', 'appendonly'))).toEqual(['save', 'appendonly']);
  });
});

describe('CONFIG SET', () => {
  test('sets several, and takes effect at once', () => {
    expect(client.call('CONFIG', 'SET', 'maxmemory', '1mb', 'timeout', '60')).toBe('OK');
    expect(get('maxmemory', 'timeout')).toEqual({ maxmemory: '1048576', timeout: '60' });
    expect(client.info('maxmemory')).toBe('1048576');
  });

  test('sets all or nothing', () => {
    const error = client.error('CONFIG', 'SET', 'timeout', '60', 'maxclients', 'many');
    expect(error).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer",
    );
    expect(get('timeout')).toEqual({ timeout: '0' });
  });

  test.each(['dir', 'port', 'databases'])('%s cannot be changed', (name) => {
    expect(client.error('CONFIG', 'SET', name, '1')).toBe(
      `ERR CONFIG SET failed (possibly related to argument '${name}') - can't set immutable config`,
    );
  });

  test('never repeats a password in an error', () => {
    const error = client.error('CONFIG', 'SET', 'requirepass', 'secret', 'requirepass', 'secret');
    expect(error).toMatch(/duplicate parameter$/);
    expect(error).not.toContain('secret');
  });
});

describe('CONFIG REWRITE', () => {
  test('needs a file', () => {
    expect(client.error('CONFIG', 'REWRITE')).toBe('ERR The server is running without a config file');
  });

  test('hands over the text with the present values', () => {
    const withFile = new DispatchHarness({}, '/nonexistent/holdfast.conf');
    const user = withFile.connect();
    user.call('CONFIG', 'SET', 'timeout', '60');
    expect(user.call('CONFIG', 'REWRITE')).toBe('OK');
    expect(withFile.configFile).toMatch(/^timeout 60$/m);
  });
});
