/**
 * `holdfast check` on directories damaged in every way: what it finds and promises to keep, that it changes
 * nothing unless told to, and that a server then starts with exactly what was promised.
 */
import { randomBytes } from 'node:crypto';
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkStore } from '../../src/check/store.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import {
  crcSeedOf,
  encodeSegmentHeader,
  GROUP_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  sealGroup,
} from '../../src/log/format.js';
import { readSegmentHeader } from '../../src/log/segments.js';
import {
  contentsOf,
  copyOf,
  damageValue,
  GROUPS,
  GROUPS_PER_SEGMENT,
  groupRanges,
  inspect,
  makeTemplates,
  runCheck,
  SEGMENTS,
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

/**
 * Repairs a directory, after which a server must serve exactly the groups up to `lastSeq`.
 *
 * @returns what was printed, and the names of what was set aside or copied.
 */
async function repair(directory: string, lastSeq: number): Promise<{ output: string; aside: string[] }> {
  const before = contentsOf(directory);
  const { exitCode, output } = await runCheck([directory, '--fix', '--yes']);
  expect(output).toMatch(
    /\nRepaired\. Sound: a server starts on it, with everything up to group \d+, written /,
  );
  expect(exitCode).toBe(0);
  const aside = readdirSync(directory).filter((name) => /\.(aside|torn)-\d{8}T\d{9}Z$/.test(name));
  for (const name of aside) {
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    // Nothing is lost for good: each is the file as it was.
    expect(contentsOf(directory)[name]).toBe(before[name.replace(/\.(aside|torn)-.*/, '')]);
  }
  expect(await inspect(directory)).toMatchObject({ exitCode: 0 });
  expect(await servedGroups(directory)).toEqual(upTo(lastSeq));
  return { output, aside };
}

/** The same groups in the name of another store. */
function makeForeign(path: string): void {
  const { header } = readSegmentHeader(nodeFiles, path);
  const foreign = encodeSegmentHeader({ ...header, storeId: randomBytes(16) });
  writeFileSync(path, Buffer.concat([foreign, readFileSync(path).subarray(SEGMENT_HEADER_BYTES)]));
}

function appendTo(path: string, bytes: Buffer): void {
  writeFileSync(path, Buffer.concat([readFileSync(path), bytes]));
}

describe('a torn tail', () => {
  test('is told with the place and what is left, and cut off by --fix without asking', async () => {
    const directory = await copyOf(templates.plain);
    const path = segmentIn(directory, 3);
    const last = groupRanges(path).at(-1)!;
    truncateSync(path, last.end - 5);
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    const size = last.end - 5;
    expect(output).toContain(
      `AOF analyzed: filename=${path}, size=${size}, ok_up_to=${last.start}, diff=${size - last.start}\n`,
    );
    expect(output).toContain(`Problem: ${path} at byte ${last.start}: a group of `);
    expect(output).toContain('Can be kept: everything up to group 17, written ');
    expect(output).toContain(
      'Not sound. Use --fix to do this, keeping a copy of everything. So does the next start',
    );
    const { exitCode: fixed } = await runCheck([directory, '--fix']);
    expect(fixed).toBe(0);
    const [copy] = readdirSync(directory).filter((name) => name.includes('.torn-'));
    expect(readFileSync(join(directory, copy!)).length).toBe(size);
    expect(statSync(join(directory, copy!)).mode & 0o777).toBe(0o600);
    expect(await servedGroups(directory)).toEqual(upTo(GROUPS - 1));
  });

  test('can be cut off the newest segment alone, as redis-check-aof does', async () => {
    const directory = await copyOf(templates.plain);
    const path = segmentIn(directory, 3);
    truncateSync(path, groupRanges(path).at(-1)!.end);
    appendTo(path, Buffer.from('garbage'));
    expect(await inspect(path, directory)).toMatchObject({ exitCode: 1 });
    expect(await runCheck([path, '--fix'])).toMatchObject({
      exitCode: 0,
      output: expect.stringMatching(/\nKept as \S+\.torn-\S+\nRepaired\.\n$/),
    });
    expect(await servedGroups(directory)).toEqual(upTo(GROUPS));
  });
});

describe('damage in the log', () => {
  test.each([
    ['in a sealed segment', 2],
    ['in the active segment', 3],
  ])('a changed value %s costs it and what follows', async (_where, number) => {
    const directory = await copyOf(templates.plain);
    const path = segmentIn(directory, number);
    const damaged = (number - 1) * GROUPS_PER_SEGMENT + 3;
    const { start } = groupRanges(path)[2]!;
    damageValue(path, damaged);
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toContain(`Problem: ${path} at byte ${start}: the checksum of the group does not match`);
    expect(output).toContain(`Can be kept: everything up to group ${damaged - 1}, written `);
    const lost = number === 2 ? GROUPS : damaged + 1;
    expect(output).toContain(`Would be lost: groups ${damaged} to ${lost} at least, the last written `);
    const { aside } = await repair(directory, damaged - 1);
    expect(aside).toHaveLength(number === 2 ? 2 : 1);
  });

  test.each([
    ['missing', 1, (path: string) => rmSync(path)],
    ['empty', 2, (path: string) => truncateSync(path, 0)],
    ['of another store', 2, makeForeign],
    [
      'without a sound header',
      2,
      (path: string) => writeFileSync(path, readFileSync(path).fill(0xff, 40, 41)),
    ],
    [
      'another one',
      2,
      (path: string) => writeFileSync(path, readFileSync(path.replace('2.msgpack', '3.msgpack'))),
    ],
  ])('a segment that is %s costs it and what follows', async (_what, filesAside, damage) => {
    const directory = await copyOf(templates.plain);
    damage(segmentIn(directory, 2));
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toMatch(new RegExp(`\nProblem: ${directory}/log-000000000[23]\\.msgpack at byte 0: `));
    expect(output).toContain('Can be kept: everything up to group 6, written ');
    expect(output).toMatch(/Would be lost: groups 7 to 1[28] at least/);
    const { aside } = await repair(directory, GROUPS_PER_SEGMENT);
    expect(aside.filter((name) => name.includes('.aside-'))).toHaveLength(filesAside);
    // The segment that is the last one now loses its seal, and nothing else.
    expect(aside.filter((name) => name.includes('.torn-'))).toEqual([
      expect.stringMatching(/^log-0000000001\.msgpack\.torn-/),
    ]);
    const whole = readFileSync(segmentIn(templates.plain, 1));
    expect(readFileSync(segmentIn(directory, 1)).equals(whole.subarray(0, whole.length - 1))).toBe(true);
  });

  test('the newest segment missing is told by the seal of the one before it, which --fix cuts off', async () => {
    for (const [template, number] of [
      [templates.plain, 3],
      [templates.plain, 2],
      [templates.checkpointed, 3],
    ] as const) {
      const directory = await copyOf(template);
      for (let missing = number; missing <= SEGMENTS; missing++) rmSync(segmentIn(directory, missing));
      const last = segmentIn(directory, number - 1);
      const { end } = groupRanges(last).at(-1)!;
      const { exitCode, output } = await inspect(directory);
      expect(exitCode).toBe(1);
      expect(output).toContain(
        `Problem: ${last} at byte ${end}: log-000000000${number}.msgpack is missing: this segment was sealed, `,
      );
      expect(output).toContain(`Would cut off 1 byte of ${last}, from byte ${end} on, after copying it.`);
      const { aside } = await repair(directory, (number - 1) * GROUPS_PER_SEGMENT);
      expect(aside).toHaveLength(1);
    }
  });

  test('the snapshot is kept where the log after it has no beginning', async () => {
    const directory = await copyOf(templates.checkpointed);
    rmSync(segmentIn(directory, 2));
    const { output } = await inspect(directory);
    expect(output).toContain('begins after group 12, but the snapshot ends with 6: a segment is missing\n');
    await repair(directory, GROUPS_PER_SEGMENT);
  });

  test('what is in the snapshot already is set aside at no loss', async () => {
    const directory = await copyOf(templates.checkpointed);
    writeFileSync(segmentIn(directory, 1), 'no segment at all');
    const { output } = await inspect(directory);
    expect(output).toContain(`Problem: ${segmentIn(directory, 1)} at byte 0: `);
    expect(output).toContain('Would be lost: no group that shows');
    await repair(directory, GROUPS);
  });

  test('nothing is repaired where nothing would be left', async () => {
    const directory = await copyOf(templates.plain);
    damageValue(segmentIn(directory, 1), 1);
    const before = contentsOf(directory);
    const { exitCode, output } = await runCheck([directory, '--fix', '--yes']);
    expect(exitCode).toBe(1);
    expect(output).toContain('Not sound. Nothing precedes the damage, so there is nothing to be kept.');
    expect(contentsOf(directory)).toEqual({ ...before, 'lock.db': expect.any(String) });
  });

  test('nothing is repaired that a newer version wrote', async () => {
    const newer = await copyOf(templates.plain);
    const path = segmentIn(newer, 3);
    const bytes = readFileSync(path);
    bytes[10] = 2;
    writeFileSync(path, bytes);
    const later = await copyOf(templates.plain);
    appendRecordOfLaterVersion(segmentIn(later, 3));
    for (const [directory, reason] of [
      [newer, 'log format version 2, this program reads 1'],
      [later, 'group 19: unknown mutation number 99'],
    ] as const) {
      const before = contentsOf(directory);
      const { exitCode, output } = await runCheck([directory, '--fix', '--yes']);
      expect(exitCode).toBe(1);
      expect(output).toContain(`: ${reason}\n`);
      expect(output).toContain('Not sound. What another version of the program wrote is not repaired.');
      expect(contentsOf(directory)).toEqual({ ...before, 'lock.db': expect.any(String) });
    }
  });
});

/** A group whose checksum holds, with a record that this program does not know. */
function appendRecordOfLaterVersion(path: string): void {
  const { header } = readSegmentHeader(nodeFiles, path);
  truncateSync(path, groupRanges(path).at(-1)!.end);
  const group = Buffer.concat([Buffer.alloc(GROUP_HEADER_BYTES), Buffer.from([0x92, 99, 0])]);
  sealGroup(group, group.length, GROUPS + 1, Date.now(), GROUPS, crcSeedOf(header.storeId, header.number));
  appendTo(path, group);
}

test('a file that cannot be read is not taken for a damaged one', async () => {
  const directory = await copyOf(templates.plain);
  for (const bytesRead of [0, SEGMENT_HEADER_BYTES + 1]) {
    const files: LogFiles = {
      ...nodeFiles,
      size: (file) => nodeFiles.size(file) + (bytesRead > 0 ? 2 ** 21 : 0),
      read(file, target, start, length, position) {
        if (position < bytesRead) return nodeFiles.read(file, target, start, length, position);
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      },
    };
    await expect(checkStore(files, directory, Date.now(), () => {})).rejects.toThrow('EIO: i/o error, read');
  }
});

describe('a damaged snapshot', () => {
  /** The plain store's log has everything; give it a snapshot worth damaging. */
  async function completeStore(): Promise<string> {
    const directory = await copyOf(templates.plain);
    writeFileSync(join(directory, SNAPSHOT), readFileSync(join(templates.checkpointed, SNAPSHOT)));
    return directory;
  }

  const damages: [string, (path: string) => void, RegExp][] = [
    ['a changed value', (path) => damageValue(path, 2), /the checksum of the key "key:02" of database 0/],
    ['a changed value of a field', (path) => damageValue(path, 3), /the checksum of the field "field"/],
    [
      'half of the file missing',
      (path) => truncateSync(path, statSync(path).size / 2),
      /SQLITE_CORRUPT|SQLite reports/,
    ],
    ['not a database', (path) => writeFileSync(path, 'text '.repeat(2000)), /SQLITE_NOTADB/],
  ];

  test.each(damages)('%s: made again from a log that is complete', async (_what, damage, reason) => {
    const directory = await completeStore();
    damage(join(directory, SNAPSHOT));
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toMatch(new RegExp(`\nProblem: ${directory}/${SNAPSHOT}: .*${reason.source}`));
    expect(output).toMatch(
      /\nCan be kept: everything up to group 18, .*; the snapshot is made again from it\.\n/,
    );
    const { aside } = await repair(directory, GROUPS);
    expect(aside).toEqual([expect.stringContaining(`${SNAPSHOT}.aside-`)]);
  });

  test('and a damaged log as well: what precedes that is kept', async () => {
    const directory = await completeStore();
    damageValue(join(directory, SNAPSHOT), 2);
    damageValue(segmentIn(directory, 1), 4);
    const { output } = await repair(directory, 3);
    expect(output).toContain('Would be lost: groups 4 to 18 at least, ');
  });

  test.each(damages)('%s: nothing can be done here without the whole log', async (_what, damage) => {
    const directory = await copyOf(templates.checkpointed);
    damage(join(directory, SNAPSHOT));
    expect(await inspect(directory)).toMatchObject({ exitCode: 1 });
    const before = contentsOf(directory);
    const { exitCode, output } = await runCheck([directory, '--fix', '--yes']);
    expect(exitCode).toBe(1);
    expect(output).toContain(
      'the snapshot cannot be made again from it. Restore the directory from a backup.',
    );
    expect(contentsOf(directory)).toEqual({ ...before, 'lock.db': expect.any(String) });
  });

  test('a missing snapshot needs the whole log, and loses its -wal', async () => {
    const complete = await completeStore();
    renameSync(join(complete, SNAPSHOT), join(complete, `${SNAPSHOT}-wal`));
    expect((await inspect(complete)).output).toContain(`its ${SNAPSHOT} is missing\n`);
    await repair(complete, GROUPS);
    const partial = await copyOf(templates.checkpointed);
    rmSync(join(partial, SNAPSHOT));
    const { exitCode, output } = await inspect(partial);
    expect(exitCode).toBe(1);
    expect(output).toContain('Without the snapshot, there is no beginning to what the log has.');
  });

  test('a layout of another version is no damage', async () => {
    const directory = await completeStore();
    const database = new Database(join(directory, SNAPSHOT));
    database.pragma('user_version = 2');
    database.close();
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toContain('the snapshot has layout version 2, ');
    expect(output).toContain('Not sound. What another version of the program wrote is not repaired.');
  });

  test('one of another store is left for a person to judge', async () => {
    const directory = await copyOf(templates.checkpointed);
    for (const number of [2, 3]) makeForeign(segmentIn(directory, number));
    const { exitCode, output } = await inspect(directory);
    expect(exitCode).toBe(1);
    expect(output).toContain('Not sound. Snapshot and log belong to different stores.');
  });
});

describe('before a repair that loses something', () => {
  async function damagedStore(): Promise<string> {
    const directory = await copyOf(templates.plain);
    damageValue(segmentIn(directory, 2), 9);
    // --fix makes it where it is missing.
    writeFileSync(join(directory, 'lock.db'), '');
    return directory;
  }

  test.each(['n\n', '\n', 'Never, yes?\n'])('the answer %j leaves everything as it is', async (answer) => {
    const directory = await damagedStore();
    const before = contentsOf(directory);
    const { exitCode, output, errors } = await runCheck([directory, '--fix'], answer);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/\nWould be lost: groups 9 to 18 at least, .*\nContinue\? \[y\/N\]: /);
    expect(errors).toBe('Aborted. Nothing was changed.\n');
    expect(contentsOf(directory)).toEqual(before);
  });

  test('y goes ahead', async () => {
    const directory = await damagedStore();
    const { exitCode, output } = await runCheck([directory, '--fix'], 'y\n');
    expect(exitCode).toBe(0);
    expect(output).toContain('Repaired. Sound: a server starts on it, with everything up to group 8, ');
  });

  test('without a terminal it is refused, unless with --yes', async () => {
    const directory = await damagedStore();
    const before = contentsOf(directory);
    const refused = await runHoldfast(['check', directory, '--fix']);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toBe(
      'Nothing was changed: there is no terminal to ask on. Use --yes to go ahead without asking.\n',
    );
    expect(contentsOf(directory)).toEqual(before);
    const done = await runHoldfast(['check', '--fix', '--yes', directory]);
    expect([done.exitCode, done.stderr]).toEqual([0, '']);
  });
});
