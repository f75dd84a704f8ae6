import { beforeEach, describe, expect, test } from 'vitest';
import { families } from '../../src/commands/index.js';
import { CommandHarness } from '../support/command-harness.js';

/**
 * The examples of the SETEX and PSETEX pages that this project follows (DiceDB's and Dragonfly's), as they
 * stand there. Those of HSETEX are in hashes-hsetex.test.ts. Where a page spells an error in a way of its own
 * (`ERROR`, the command in capitals), Redis's spelling counts.
 */
let redis: CommandHarness;

beforeEach(() => {
  redis = new CommandHarness(families);
});

const NIL = '$-1\r\n';

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('SETEX', () => {
  test('stores a value for so many seconds', () => {
    expect(redis.raw('SETEX', 'foo', '10', 'bar')).toBe('+OK\r\n');
    expect(redis.raw('SETEX', 'foo', '20', 'new_value')).toBe('+OK\r\n');
    expect(redis.raw('GET', 'foo')).toBe(bulk('new_value'));
    expect(redis.raw('TTL', 'foo')).toBe(':20\r\n');
  });

  test('refuses a negative time and a missing argument, and changes nothing', () => {
    redis.raw('SETEX', 'foo', '20', 'new_value');
    expect(redis.raw('SETEX', 'foo', '-10', 'bar')).toBe("-ERR invalid expire time in 'setex' command\r\n");
    expect(redis.raw('SETEX', 'foo', '10')).toBe("-ERR wrong number of arguments for 'setex' command\r\n");
    expect(redis.raw('SETEX', 'foo', 'soon', 'bar')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(redis.raw('GET', 'foo')).toBe(bulk('new_value'));
  });

  test.each([
    ['mykey', 10, 'Hello, World!'],
    ['api_token', 3600, 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...'],
    ['user_session:12345', 1800, '{"username": "johndoe", "role": "admin"}'],
  ])('%s is gone after %i seconds', (key, seconds, value) => {
    expect(redis.raw('SETEX', key, seconds, value)).toBe('+OK\r\n');
    redis.advance(seconds * 1000 - 1);
    expect(redis.raw('GET', key)).toBe(bulk(value));
    redis.advance(1);
    expect(redis.raw('GET', key)).toBe(NIL);
  });
});

describe('PSETEX', () => {
  test('stores a value for so many milliseconds', () => {
    expect(redis.raw('PSETEX', 'mykey', '2000', 'hello')).toBe('+OK\r\n');
    expect(redis.raw('GET', 'mykey')).toBe(bulk('hello'));
    redis.advance(2000);
    expect(redis.raw('GET', 'mykey')).toBe(NIL);
  });

  test('SET with PX replaces value and time', () => {
    expect(redis.raw('PSETEX', 'cart:user123', '600000', 'cart_payload')).toBe('+OK\r\n');
    redis.advance(599_000);
    expect(redis.raw('SET', 'cart:user123', 'updated_cart_payload', 'PX', '600000')).toBe('+OK\r\n');
    redis.advance(599_999);
    expect(redis.raw('GET', 'cart:user123')).toBe(bulk('updated_cart_payload'));
    redis.advance(1);
    expect(redis.raw('GET', 'cart:user123')).toBe(NIL);
  });

  test.each(['0', '-1'])('refuses %s milliseconds', (time) => {
    expect(redis.raw('PSETEX', 'k', time, 'v')).toBe("-ERR invalid expire time in 'psetex' command\r\n");
    expect(redis.raw('EXISTS', 'k')).toBe(':0\r\n');
  });
});
