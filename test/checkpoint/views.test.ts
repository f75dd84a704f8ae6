import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { beforeAll, describe, expect, it } from 'vitest';
import { createSnapshot } from '../../src/checkpoint/snapshot-file.js';
import { hasTool } from '../support/tools.js';
import { applyGroup, CREATED_AT_MS, hset, STORE_ID, set } from './store.js';

const TEN_SECONDS_MS = 10_000;

describe.runIf(hasTool('sqlite3'))('the views, through the sqlite3 shell', () => {
  let path: string;

  beforeAll(async () => {
    const { path: directory, cleanup } = await dir({ unsafeCleanup: true, prefix: 'holdfast-' });
    path = join(directory, 'snapshot.sqlite');
    createSnapshot(path, STORE_ID, CREATED_AT_MS);
    fill(path);
    return () => cleanup();
  });

  function query(sql: string): string[] {
    const output = execFileSync('sqlite3', [path, sql], { encoding: 'utf8', maxBuffer: 2 ** 24 });
    return output === '' ? [] : output.trimEnd().split('\n');
  }

  it('show keys of every type with readable expiries', () => {
    expect(
      query(
        "SELECT db, key, type, expire_at_ms, expire_at_utc FROM keys WHERE key GLOB 'session*' OR type = 'hash'",
      ),
    ).toEqual([
      '0|hash|hash||',
      '0|session:far|string|9223372036854775807|after the year 9999',
      '0|session:new|string|1893456000007|2030-01-01T00:00:00.007Z',
    ]);
    expect(Number(query("SELECT ttl_seconds FROM keys WHERE key = 'soon'")[0])).toBeGreaterThan(0);
    expect(Number(query("SELECT ttl_seconds FROM keys WHERE key = 'soon'")[0])).toBeLessThanOrEqual(60);
  });

  it('hide what has expired, to the millisecond and not a thousandfold', () => {
    expect(query("SELECT key FROM keys WHERE key IN ('gone', 'long gone', 'soon')")).toEqual(['soon']);
    expect(query("SELECT value FROM strings WHERE key IN ('gone', 'long gone', 'soon')")).toEqual(['v']);
    expect(query("SELECT key, field, value FROM hashes WHERE key IN ('hash', 'expired hash')")).toEqual([
      'hash|plain|text',
      'hash|soon|text',
    ]);
  });

  it('show text as it is and other bytes as hexadecimal digits', () => {
    expect(query('SELECT key, value, length FROM strings WHERE db = 2 ORDER BY length')).toEqual([
      'empty||0',
      'invalid|\\xC3|1',
      '\\x00FF|bytes|5',
      'overlong|\\xC0AF4142434445|7',
      'nul|\\x610062616E616E61|8',
      'Gr\u00fc\u00dfe|\u20ac und \ud83d\ude00|12',
      'surrogate|\\xEDA08041424344454647484950|13',
      `large|${'L'.repeat(5000)}|5000`,
    ]);
  });

  it('show a long text within seconds, and find the byte at its end that is none', () => {
    const text = '\u20ac'.repeat(100_000);
    const shown = query('SELECT key, value, length FROM strings WHERE db = 3 ORDER BY key');
    const hex = Buffer.from(text).toString('hex').toUpperCase();
    // Not compared as a whole: a difference of this length would take long to print.
    expect(shown[0] === `long|${text}|300000`).toBe(true);
    expect(shown[1] === `long, damaged|\\x${hex}FF|300001`).toBe(true);
  });

  it('say which part of the log the rows contain', () => {
    expect(query('SELECT last_seq, covers_until_ms, hex(store_id) FROM meta')).toEqual([
      `1|${CREATED_AT_MS + 1}|${STORE_ID.toString('hex').toUpperCase()}`,
    ]);
  });
});

function fill(path: string): void {
  const nowMs = Date.now();
  applyGroup(path, 1, (sink) => {
    set(sink, 'session:new', 'v', 1_893_456_000_007);
    set(sink, 'session:far', 'v', 2n ** 63n - 1n);
    set(sink, 'soon', 'v', nowMs + 6 * TEN_SECONDS_MS);
    set(sink, 'gone', 'v', nowMs - 1);
    set(sink, 'long gone', 'v', 1);
    hset(sink, 'hash', [
      ['plain', 'text'],
      ['soon', 'text', nowMs + 6 * TEN_SECONDS_MS],
      ['gone', 'text', nowMs - 1],
    ]);
    hset(sink, 'expired hash', [['plain', 'text']]);
    sink.expireAt(0, Buffer.from('expired hash'), 0, 12, nowMs - 1);
    set(sink, 'empty', '', 0, 2);
    set(sink, 'invalid', Buffer.from([0xc3]), 0, 2);
    set(sink, Buffer.from([0, 0xff]), 'bytes', 0, 2);
    set(sink, 'overlong', Buffer.from('c0af4142434445', 'hex'), 0, 2);
    set(sink, 'nul', 'a\0banana', 0, 2);
    set(sink, 'Gr\u00fc\u00dfe', '\u20ac und \ud83d\ude00', 0, 2);
    set(sink, 'surrogate', Buffer.from('eda08041424344454647484950', 'hex'), 0, 2);
    set(sink, 'large', 'L'.repeat(5000), 0, 2);
    const long = Buffer.from('\u20ac'.repeat(100_000));
    set(sink, 'long', long, 0, 3);
    set(sink, 'long, damaged', Buffer.concat([long, Buffer.from([0xff])]), 0, 3);
  });
}
