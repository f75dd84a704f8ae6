/** `holdfast check` on directories that a real server wrote: what it says, and that it leaves them as they are. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Redis } from 'ioredis5';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerProcess } from '../support/server-process.mjs';
import {
  copyOf,
  damageValue,
  GROUPS,
  groupRanges,
  inspect,
  keyOf,
  makeTemplates,
  runCheck,
  SNAPSHOT,
  segmentIn,
  servedGroups,
  type Templates,
  upTo,
} from './check-support.js';
import { runHoldfast } from './run-cli.js';

let templates: Templates;

beforeAll(async () => {
  templates = await makeTemplates();
});

afterAll(() => templates.cleanup());

describe('a sound directory', () => {
  test('is described file by file, and left exactly as it is', async () => {
    const directory = await copyOf(templates.checkpointed);
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(0);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const segment = segmentIn(directory, 3);
    const { size } = statSync(segment);
    expect(output).toMatch(
      new RegExp(
        `^${SNAPSHOT}: \\d+ bytes\\n` +
          `  covers groups 1 to 6, until ${time}; written by holdfast \\S+\\n` +
          `  store [0-9a-f]{32}, made ${time}\\n` +
          '  6 keys: 4 strings, 2 hashes with 2 fields; expired so far: 0 keys, 0 fields\\n' +
          'log-0000000002\\.msgpack: \\d+ bytes, sealed\\n',
      ),
    );
    expect(output).toMatch(
      new RegExp(
        `log-0000000003\\.msgpack: ${size} bytes, active\\n` +
          `  store [0-9a-f]{32}, made ${time}\\n` +
          `  groups 13 to 18 \\(6\\), ${time} to ${time}\\n` +
          '  6 records: 4 setString, 2 hashSet\\n' +
          '(  \\d+ bytes reserved from byte \\d+ on\\n)?' +
          `AOF analyzed: filename=${segment}, size=${size}, ok_up_to=${size}, diff=0\\n` +
          `Sound: a server starts on it, with everything up to group 18, written ${time}\\.\\n$`,
      ),
    );
    expect(await servedGroups(directory)).toEqual(upTo(GROUPS));
  });

  test('has nothing to be repaired', async () => {
    const directory = await copyOf(templates.plain);
    const { exitCode, output } = await runCheck([directory, '--fix']);
    expect([exitCode, output]).toEqual([0, expect.stringContaining('\nSound: ')]);
    expect(readdirSync(directory).sort()).toEqual(['lock.db', ...readdirSync(templates.plain).sort()]);
  });

  test('counts what has expired', async () => {
    const directory = await copyOf(templates.plain);
    const server = await ServerProcess.start({ dir: directory });
    const client = new Redis(server.port);
    await client.psetex('soon', 100, '1');
    await client.call('HPEXPIRE', keyOf(3), '100', 'FIELDS', '1', 'field');
    await client.hset(keyOf(6), 'other', '1');
    await client.pexpire(keyOf(6), 100);
    await client.save();
    client.disconnect();
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const { output } = await inspect(directory);
    expect(output).toContain(
      '19 keys: 13 strings, 6 hashes with 7 fields; expired so far: 2 keys, 1 field\n',
    );
  });

  test('is read with what SQLite has in its -wal, which stays there', async () => {
    const directory = await copyOf(templates.checkpointed);
    const path = join(directory, SNAPSHOT);
    const crashed = await copyOf(templates.checkpointed);
    const database = new Database(path);
    database.pragma('wal_autocheckpoint = 0');
    database.exec("UPDATE meta SET holdfast_version = 'only in the wal'");
    for (const suffix of ['', '-wal']) {
      writeFileSync(join(crashed, SNAPSHOT + suffix), readFileSync(path + suffix));
    }
    database.close();
    const { exitCode, output } = await inspect(crashed);
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^snapshot\.sqlite: \d+ bytes, and \d{4,} bytes in its -wal\n/);
    expect(output).toContain('written by holdfast only in the wal\n');
  });

  test('may have lost the segments that the snapshot does not need, which is said', async () => {
    const directory = await copyOf(templates.checkpointed);
    for (const number of [2, 3]) rmSync(segmentIn(directory, number));
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(0);
    expect(output).toContain('There are no log segments. If they were removed, ');
    expect(output).toContain('Sound: a server starts on it, with everything up to group 6, ');
  });

  test('may have a segment back that is in the snapshot already, whatever its groups look like', async () => {
    const directory = await copyOf(templates.checkpointed);
    writeFileSync(segmentIn(directory, 1), readFileSync(segmentIn(templates.plain, 1)));
    damageValue(segmentIn(directory, 1), 2);
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(0);
    expect(output).toContain('bytes, no longer needed: all of it is in the snapshot\n');
    expect(await servedGroups(directory)).toEqual(upTo(GROUPS));
  });
});

describe('one file', () => {
  test('a segment is checked by itself', async () => {
    const directory = await copyOf(templates.plain);
    const path = segmentIn(directory, 2);
    const sound = await inspect(path, directory);
    expect(sound.exitCode).toBe(0);
    expect(sound.output).toMatch(
      /groups 7 to 12 \(6\)[\s\S]*\nAOF analyzed: [\s\S]*diff=0\nSound in itself\.\n$/,
    );
    damageValue(path, 9);
    const { exitCode, output } = await inspect(path, directory);
    expect(exitCode).toBe(1);
    expect(output).toContain(
      `\nProblem: ${path} at byte ${groupRanges(segmentIn(templates.plain, 2))[2]!.start}: `,
    );
    expect(await runCheck([path, '--fix', '--yes'])).toMatchObject({ exitCode: 1 });
    expect(readFileSync(path).length).toBe(statSync(segmentIn(templates.plain, 2)).size);
  });

  test('a snapshot is checked by itself', async () => {
    const directory = await copyOf(templates.checkpointed);
    const path = join(directory, SNAPSHOT);
    expect(await inspect(path, directory)).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining('6 keys: 4 strings, 2 hashes with 2 fields'),
    });
    damageValue(path, 2);
    const { exitCode, output } = await inspect(path, directory);
    expect(exitCode).toBe(1);
    expect(output).toContain('the checksum of the key "key:02" of database 0 does not match');
    expect(output).toContain('covers groups 1 to 6, until ');
  });
});

describe('the command', () => {
  test('says when a server is running there', async () => {
    const directory = await copyOf(templates.plain);
    const server = await ServerProcess.start({ dir: directory });
    for (const path of [directory, join(directory, SNAPSHOT)]) {
      const { exitCode, stdout, stderr } = await runHoldfast(['check', path]);
      expect([exitCode, stdout]).toEqual([1, '']);
      expect(stderr).toBe(
        `the directory ${directory} is in use by another running server. Stop it first: while it runs, its files ` +
          'change all the time.\n',
      );
    }
    await server.kill();
    expect((await runHoldfast(['check', directory])).exitCode).toBe(0);
  });

  test('teaches', async () => {
    const { exitCode, stdout } = await runHoldfast(['check', '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: holdfast check DIR\|FILE \[--fix\] \[--yes\]\n[\s\S]*\nExamples:\n/);
    expect((await runHoldfast(['--help'])).stdout).toContain('holdfast check DIR|FILE [--fix] [--yes]');
  });

  test.each([
    [[], /^Name a data directory, or one file of it\n\nUsage: /],
    [['a', 'b'], /^Only one directory or file at a time\n\nUsage: /],
    [['--force', '.'], /^Unknown option '--force'[\s\S]*\nUsage: /],
    [['/nonexistent'], /^\/nonexistent does not exist\n$/],
    [['package.json'], /^\S+package\.json is called neither like a segment, [\s\S]*\nUsage: /],
  ])('refuses %j with exit code 1 and how to do it right', async (args, message) => {
    const { exitCode, stdout, stderr } = await runHoldfast(['check', ...args]);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });

  test('has nothing to say for an empty directory but that', async () => {
    const directory = await copyOf(templates.plain);
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toContain(`Problem: ${directory}: holds neither a snapshot nor a log`);
  });
});
