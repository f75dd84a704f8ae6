import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { type OptionName, options } from '../src/base/config-options.js';
import { findSetting } from '../src/base/config-settings.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The README's code blocks in one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    (match) => match[1]!,
  );
}

/** A snapshot with a session that lives, one that has expired, and a hash with an expiring field. */
function snapshot(): Database.Database {
  const database = new Database(':memory:');
  database.exec(readFileSync(new URL('../src/checkpoint/schema.sql', import.meta.url), 'utf8'));
  const key = database.prepare(
    'INSERT INTO stored_keys (db, key, type, value, content, expire_at, checksum) VALUES (0, ?, ?, ?, ?, ?, 0)',
  );
  const nowMs = Date.now();
  key.run(Buffer.from('sess:live'), 1, Buffer.from('alice'), null, nowMs + 3_600_000);
  key.run(Buffer.from('sess:over'), 1, Buffer.from('bob'), null, nowMs - 1000);
  key.run(Buffer.from('user:1'), 2, null, 1, null);
  const field = database.prepare(
    'INSERT INTO stored_hash_fields (collection, field, value, content, expire_at, checksum) VALUES (1, ?, ?, NULL, ?, 0)',
  );
  field.run(Buffer.from('name'), Buffer.from('Ann'), null);
  field.run(Buffer.from('token'), Buffer.from('x'), nowMs + 60_000);
  database
    .prepare('INSERT INTO meta VALUES (1, ?, 42, 3, ?, 0, 2, ?, 0)')
    .run(Buffer.alloc(16), Date.UTC(2026, 0, 2, 3, 4, 5), '0.1.0');
  return database;
}

test('the three queries answer what the README says they do', () => {
  const database = snapshot();
  const [sessions, hash, position] = blocks('sql').map((query) => database.prepare(query).all());
  expect(sessions).toEqual([{ key: 'sess:live', expire_at_utc: expect.any(String), ttl_seconds: 3600 }]);
  expect(hash).toEqual([
    { field: 'name', value: 'Ann', ttl_seconds: null },
    { field: 'token', value: 'x', ttl_seconds: 60 },
  ]);
  expect(position).toEqual([{ last_seq: 42, covers_until: '2026-01-02T03:04:05Z' }]);
});

test('the configuration table names real options with their real defaults', () => {
  const table = readme.slice(readme.indexOf('| option | default |'), readme.indexOf('An unknown name stops'));
  const rows = table.trim().split('\n').slice(2);
  expect(rows.length).toBeGreaterThan(5);
  for (const row of rows) {
    const [, names = '', fallbacks = ''] = row.split('|');
    const written = fallbacks.split(',').map((text) => text.trim());
    [...names.matchAll(/`([^`]+)`/g)].forEach(([, name], i) => {
      const option = options[name as OptionName];
      const literal = /^`(.*)`$/.exec(written[i]!)?.[1];
      // "none", "no limit" and the like stand for the value that asks for nothing.
      if (literal === undefined) expect(['', '0'], name).toContain(option.fallback);
      else expect(literal, name).toBe(option.fallback);
    });
  }
});

test.each([
  ['tls-port', '6380'],
  ['aclfile', 'users.acl'],
  ['replicaof', '10.0.0.1 6379'],
  ['cluster-enabled', 'yes'],
  ['appendonly', 'no'],
])('%s, which the README says is refused, is refused as %s', (name, value) => {
  expect(readme).toContain(`\`${name}`);
  const { kind } = findSetting(name)!.option;
  expect(() => kind.parse([value])).toThrow(/not supported|cannot be turned off/);
});

test('every file that the README points to exists', () => {
  const paths = [...readme.matchAll(/(?<![\w/])((?:src|test|bin)\/[\w./-]*\w)/g)].map((match) => match[1]!);
  expect(paths.length).toBeGreaterThan(10);
  for (const path of new Set(paths)) {
    expect(() => readFileSync(new URL(`../${path}`, import.meta.url)), path).not.toThrow(/ENOENT/);
  }
});
