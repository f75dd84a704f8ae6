/**
 * Keys, fields and values that programs get wrong, through a real server: the same bytes from memory, from the log
 * after kill -9, from the snapshot after a stop, and in the snapshot itself, read by the sqlite3 shell.
 */
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess } from '../support/server-process.mjs';
import { hasTool } from '../support/tools.js';
import { Connection } from './connection.mjs';

const INT64_MAX = '9223372036854775807';
const INT64_MIN = '-9223372036854775808';

/** One character per byte. */
const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));

const NAMES: readonly string[] = [
  '',
  ...everyByte,
  everyByte.join(''),
  everyByte.toReversed().join(''),
  // A byte order mark in front, alone, inside; of UTF-16 as well.
  '\xef\xbb\xbf',
  '\xef\xbb\xbftext',
  'te\xef\xbb\xbfxt',
  '\xff\xfet\x00',
  // Not UTF-8: a lone lead, a lone continuation, overlong, cut off, too high, surrogates alone and as a pair (CESU-8).
  'a\xc3',
  '\x80a',
  '\xc0\xaf',
  '\xe0\x80\xaf',
  '\xe2\x82',
  '\xf0\x9f\x98',
  '\xf4\x90\x80\x80',
  '\xed\xa0\x80',
  '\xed\xbf\xbf',
  '\xed\xa0\xbd\xed\xb8\x80',
  // UTF-8: two, three and four bytes, noncharacters, the highest code point, the last before and first after surrogates.
  'Gr\xc3\xbc\xc3\x9fe',
  '\xe2\x82\xac',
  '\xf0\x9f\x98\x80',
  '\xef\xbf\xbe\xef\xbf\xbf',
  '\xf4\x8f\xbf\xbf',
  '\xed\x9f\xbf\xee\x80\x80',
  // What every JavaScript object has.
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  // Ends of lines, of C strings, of protocol.
  'a\nb',
  'a\r\nb',
  '\r\n',
  'a\0b',
  'a\0',
  'tab\tbed',
  '$-1\r\n',
  '*1\r\n$4\r\nPING\r\n',
  // What a number, a pattern, a statement or the views' own notation could be taken for.
  '0',
  '-0',
  '+1',
  ' 1',
  '007',
  '1e3',
  'NaN',
  '9007199254740993',
  INT64_MAX,
  INT64_MIN,
  '9223372036854775808',
  '18446744073709551616',
  '*',
  '[a-z]?\\',
  "'; DROP TABLE stored_keys; --",
  '%s%n',
  '\\x00FF',
  // Around the sizes at which records are laid out differently: packed, in a page, attached.
  ...[63, 64, 65, 255, 256, 2031, 8191, 8192, 8193, 65_536, 100_001].map((length) => '\xfe'.repeat(length)),
  'x'.repeat(70_000),
];

const MEGABYTES_64 = 64 * 1024 * 1024;

/** The same pseudorandom bytes for the same number. */
function randomBytes(length: number, seed: number): string {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length)).toString('latin1');
}

/** What must be there: strings as they are, hashes by field. */
type Content = Map<string, string | Map<string, string>>;

/** Each name as a key, a value, a field, and a field's value, in packed hashes and in a large one. */
function hostileContent(): { content: Content; commands: string[][] } {
  const content: Content = new Map();
  const commands: string[][] = [];
  const all = new Map<string, string>();
  NAMES.forEach((name, i) => {
    const other = NAMES[(i + 101) % NAMES.length]!;
    commands.push(['SET', name, other], ['HSET', `hash:${name}`, name, other]);
    content.set(name, other).set(`hash:${name}`, new Map([[name, other]]));
    all.set(name, other);
  });
  commands.push(['HSET', 'all', ...[...all].flat()]);
  content.set('all', all);
  return { content, commands };
}

/** Adds what INCR and its like make at the ends of the integers, and refuse beyond them. */
async function addIntegers(connection: Connection, content: Content): Promise<void> {
  const refused = async (...command: string[]) => {
    const [reply] = await connection.ask([command]);
    expect((reply as Error).message).toMatch(/^ERR (increment or decrement would overflow|.*not an integer)/);
  };
  await connection.call('SET', 'up', '9223372036854775806');
  await connection.call('INCR', 'up');
  await refused('INCR', 'up');
  await connection.call('INCRBY', 'down', '-9223372036854775807');
  await connection.call('DECR', 'down');
  await refused('DECR', 'down');
  await connection.call('HSET', 'integers', 'minus zero', '-0');
  await connection.call('HINCRBY', 'integers', 'up', INT64_MAX);
  await refused('HINCRBY', 'integers', 'up', '1');
  await connection.call('HINCRBY', 'integers', 'down', INT64_MIN);
  await refused('HINCRBY', 'integers', 'down', '-1');
  await connection.call('SET', 'minus zero', '-0');
  await refused('INCR', 'minus zero');
  content.set('up', INT64_MAX).set('down', INT64_MIN).set('minus zero', '-0');
  content.set(
    'integers',
    new Map([
      ['minus zero', '-0'],
      ['up', INT64_MAX],
      ['down', INT64_MIN],
    ]),
  );
}

/** Everything a client sees, by whole keys and field by field. */
async function expectSeen(connection: Connection, content: Content): Promise<void> {
  expect(await connection.call('DBSIZE')).toBe(content.size);
  expect(new Set((await connection.call('KEYS', '*')) as string[])).toEqual(new Set(content.keys()));
  for (const [key, value] of content) {
    if (typeof value === 'string') {
      expect(await connection.call('GET', key)).toBe(value);
      continue;
    }
    const flat = (await connection.call('HGETALL', key)) as string[];
    const pairs = flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : []));
    expect(new Map(pairs)).toEqual(value);
    for (const [field, text] of value) expect(await connection.call('HGET', key, field)).toBe(text);
  }
}

function digest(bytes: unknown): string {
  return createHash('sha256').update(String(bytes), 'latin1').digest('hex');
}

/** Rows that the sqlite3 shell prints, each column of which is a number or hexadecimal digits. */
function query(path: string, sql: string): string[][] {
  const text = execFileSync('sqlite3', [path, sql], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('|'));
}

function hex(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('hex').toUpperCase();
}

/** As the views show bytes: text where it is UTF-8 without control characters, else `\x` and digits. In latin1. */
function shown(bytes: string): string {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const text = decoder.decode(Buffer.from(bytes, 'latin1'));
    // Tab, line feed and carriage return are text; the rest of C0, delete and C1 are not.
    if (!/(?![\t\n\r])\p{Cc}/u.test(text)) return bytes;
  } catch {
    // Not UTF-8.
  }
  return `\\x${hex(bytes)}`;
}

/** The rows as they are stored: key, field ('' for a string), value. */
function storedRows(content: Content, show: (bytes: string) => string): Set<string> {
  const rows = new Set<string>();
  for (const [key, value] of content) {
    if (typeof value === 'string') rows.add([show(key), '', show(value)].map(hex).join());
    else for (const row of value) rows.add([show(key), ...row.map(show)].map(hex).join());
  }
  return rows;
}

const STORED = `
  SELECT hex(key), '', hex(ifnull(k.value, v.value)) FROM stored_keys AS k
    LEFT JOIN stored_values AS v ON v.id = k.content WHERE k.type = 1
  UNION ALL
  SELECT hex(key), hex(field), hex(ifnull(f.value, v.value)) FROM stored_keys AS k
    JOIN stored_hash_fields AS f ON f.collection = k.content
    LEFT JOIN stored_values AS v ON v.id = f.content WHERE k.type = 2`;

const VIEWED = `
  SELECT hex(key), '', hex(value) FROM strings
  UNION ALL SELECT hex(key), hex(field), hex(value) FROM hashes`;

describe.runIf(hasTool('sqlite3'))('hostile bytes', () => {
  let directory: string;
  let server: ServerProcess;

  beforeAll(async () => {
    const folder = await temporaryDirectory({ unsafeCleanup: true });
    directory = folder.path;
    server = await ServerProcess.start({ dir: directory });
    return async () => {
      await server.kill();
      await folder.cleanup();
    };
  });

  /** Empties the server, lets `write` fill it, and checks before and after a kill, and after a checkpoint and a stop. */
  async function expectKept(
    write: (connection: Connection) => Promise<void>,
    check: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    const look = async (use: (connection: Connection) => Promise<void>) => {
      const connection = await Connection.open(server.port);
      await use(connection).finally(() => connection.close());
    };
    if (server.pid === undefined) await server.start();
    await look(async (connection) => void (await connection.call('FLUSHALL')));
    await look(write);
    await look(check);
    await server.crashAndRestart();
    await look(check);
    // A stop ends with a checkpoint: what starts afterwards has only the snapshot to read.
    await server.restart();
    await look(async (connection) => {
      expect(await connection.call('INFO', 'persistence')).toContain('holdfast_checkpoint_lag_groups:0\r\n');
      await check(connection);
    });
    await server.kill();
  }

  it('are the same from memory, log and snapshot, and in its tables and views', {
    timeout: 120_000,
  }, async () => {
    const { content, commands } = hostileContent();
    await expectKept(
      async (connection) => {
        for (const reply of await connection.ask(commands)) expect(reply).not.toBeInstanceOf(Error);
        await addIntegers(connection, content);
      },
      (connection) => expectSeen(connection, content),
    );
    const path = join(directory, 'snapshot.sqlite');
    const rows = (sql: string) => new Set(query(path, sql).map((row) => row.join()));
    expect(rows(STORED)).toEqual(storedRows(content, (bytes) => bytes));
    expect(rows(VIEWED)).toEqual(storedRows(content, shown));
    expect(query(path, 'SELECT count(*) FROM keys')).toEqual([[String(content.size)]]);
  });

  it('of 64 megabytes are the same as a value and in a hash, and of 8 megabytes as a key', {
    timeout: 120_000,
  }, async () => {
    const values = { string: randomBytes(MEGABYTES_64, 1), field: randomBytes(MEGABYTES_64, 2) };
    const digests = { string: digest(values.string), field: digest(values.field) };
    const longKey = randomBytes(MEGABYTES_64 / 8, 3);
    await expectKept(
      async (connection) => {
        await connection.call('SET', 'string', values.string);
        await connection.call('HSET', 'hash', 'field', values.field, 'small', 'v');
        await connection.call('SET', longKey, 'v');
      },
      async (connection) => {
        // Compared by their digests: a difference between texts of this length would take minutes to print.
        expect(digest(await connection.call('GET', 'string'))).toBe(digests.string);
        expect(digest(await connection.call('HGET', 'hash', 'field'))).toBe(digests.field);
        expect(await connection.call('HGET', 'hash', 'small')).toBe('v');
        expect(await connection.call('GET', longKey)).toBe('v');
        expect(await connection.call('DBSIZE')).toBe(3);
      },
    );
    const path = join(directory, 'snapshot.sqlite');
    const file = join(directory, 'from-sqlite');
    const fromSqlite = (sql: string) => {
      query(path, `SELECT writefile('${file}', bytes) FROM (${sql})`);
      return digest(readFileSync(file, 'latin1'));
    };
    const value = `SELECT v.value AS bytes FROM stored_values AS v JOIN`;
    expect(
      fromSqlite(`${value} stored_keys AS k ON k.content = v.id WHERE k.key = x'${hex('string')}'`),
    ).toBe(digests.string);
    expect(
      fromSqlite(`${value} stored_hash_fields AS f ON f.content = v.id WHERE f.field = x'${hex('field')}'`),
    ).toBe(digests.field);
    expect(fromSqlite('SELECT key AS bytes FROM stored_keys WHERE length(key) > 100')).toBe(digest(longKey));
    const lengths = `SELECT length FROM strings WHERE key = 'string' UNION ALL SELECT length FROM hashes WHERE field = 'field'`;
    expect(query(path, lengths)).toEqual([[String(MEGABYTES_64)], [String(MEGABYTES_64)]]);
  });
});
