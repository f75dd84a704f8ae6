/**
 * Every way in which a data directory can be damaged between two starts: what a torn write leaves is cut off and
 * the exact prefix served; anything else is refused with file and offset, and nothing is changed.
 */
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { openSnapshot } from '../../src/checkpoint/snapshot-file.js';
import { GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { Random } from './random.mjs';
import {
  contentsOf,
  copyOf,
  GROUPS_PER_SEGMENT,
  groupRanges,
  makeTemplate,
  Store,
  segmentPath,
  type Template,
} from './store.js';

/** Three segments in the log, none in the snapshot. */
let plain: Template;
/** Segments 1 and 2 are in the snapshot and deleted, 3 is sealed, 4 active. */
let checkpointed: Template;
/** Another store altogether. */
let foreign: Template;

beforeAll(async () => {
  plain = await makeTemplate({ segments: 3, checkpointed: 0, seed: 1 });
  checkpointed = await makeTemplate({ segments: 4, checkpointed: 2, seed: 2 });
  foreign = await makeTemplate({ segments: 3, checkpointed: 1, seed: 3 });
});

afterAll(async () => {
  for (const template of [plain, checkpointed, foreign]) await template.dispose();
});

const snapshotIn = (directory: string) => join(directory, 'snapshot.sqlite');

/**
 * Starts three times: the first must serve exactly the groups up to `lastSeq`, and what is written then must be
 * there after two more starts, under sequence numbers that have never been used.
 */
async function expectStart(directory: string, template: Template, lastSeq: number): Promise<string[]> {
  const store = await Store.open(directory);
  expect(store.digest).toBe(template.digests[lastSeq]);
  expect(store.seq).toBe(lastSeq);
  const random = new Random(99);
  store.writeGroup(random);
  store.writeGroup(random);
  const written = store.digest;
  store.close();
  for (let restart = 0; restart < 2; restart++) {
    const again = await Store.open(directory);
    expect(again.digest).toBe(written);
    expect(again.seq).toBe(lastSeq + 2);
    expect(again.messages).toEqual([]);
    again.close();
  }
  return [...store.messages];
}

/** The start is refused, the message names the file (and, for the log, where), and no file has changed. */
async function expectRefusal(directory: string, file: string, offset?: number): Promise<string> {
  const before = contentsOf(directory);
  const error = await Store.open(directory).then(
    (store) => {
      store.close();
      return null;
    },
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  const { message, file: named, offset: at } = error as StorageError;
  expect(named).toBe(file);
  if (offset !== undefined) expect(at).toBe(offset);
  expect(message).toContain(file);
  expect(contentsOf(directory)).toEqual(before);
  return message;
}

function flipBit(path: string, bit: number): void {
  const bytes = readFileSync(path);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(path, bytes);
}

function appendBytes(path: string, bytes: Buffer): void {
  writeFileSync(path, Buffer.concat([readFileSync(path), bytes]));
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(random.bytes(length), 'latin1');
}

function tornCopies(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.includes('.torn-'));
}

describe('an undamaged directory', () => {
  it('starts with everything', async () => {
    for (const template of [plain, checkpointed, foreign]) {
      const messages = await expectStart(await copyOf(template), template, template.digests.length - 1);
      expect(messages).toEqual([]);
    }
  });
});

describe('the end of the active segment', () => {
  it('is cut back to the last whole group, wherever the file ends', { timeout: 120_000 }, async () => {
    const total = plain.digests.length - 1;
    const ranges = groupRanges(segmentPath(plain.directory, 3)).slice(-3);
    for (let at = ranges[0]!.start; at < ranges.at(-1)!.end; at++) {
      const directory = await copyOf(plain);
      truncateSync(segmentPath(directory, 3), at);
      const whole = ranges.filter(({ end }) => end <= at).length;
      const messages = await expectStart(directory, plain, total - 3 + whole);
      const boundary = ranges[whole]!.start;
      if (at === boundary) {
        expect(messages).toEqual([]);
      } else {
        expect(messages).toEqual([
          expect.stringContaining(`cut off ${at - boundary} bytes at byte ${boundary}`),
        ]);
        expect(tornCopies(directory)).toHaveLength(1);
      }
    }
  });

  it.each([1, 28, 29, 100, 511, 512, 4096, 8192])('may be followed by %i zeros', async (length) => {
    const directory = await copyOf(plain);
    appendBytes(segmentPath(directory, 3), Buffer.alloc(length));
    await expectStart(directory, plain, plain.digests.length - 1);
  });

  it('may be followed by garbage, of which a copy is kept', async () => {
    const random = new Random(4);
    for (let round = 0; round < 40; round++) {
      const directory = await copyOf(plain);
      const path = segmentPath(directory, 3);
      const end = readFileSync(path).length;
      // Behind zeros too: a page of them may have reached the disk before the page in front of it.
      const zeros = round % 2 ? random.below(5000) : 0;
      const garbage = Buffer.concat([Buffer.alloc(zeros), randomBytes(random, 1 + random.below(5000))]);
      garbage[garbage.length - 1]! |= 1;
      appendBytes(path, garbage);
      const messages = await expectStart(directory, plain, plain.digests.length - 1);
      expect(messages).toEqual([expect.stringContaining(`cut off ${garbage.length} bytes at byte ${end}`)]);
      const [copy] = tornCopies(directory);
      expect(readFileSync(join(directory, copy!)).subarray(end)).toEqual(garbage);
    }
  });

  it('may be a last group with any bit of its header wrong: nothing tells that from a torn write', async () => {
    const last = groupRanges(segmentPath(plain.directory, 3)).at(-1)!;
    for (let bit = last.start * 8; bit < (last.start + GROUP_HEADER_BYTES) * 8; bit++) {
      const directory = await copyOf(plain);
      flipBit(segmentPath(directory, 3), bit);
      const store = await Store.open(directory);
      expect(store.digest).toBe(plain.digests.at(-2));
      expect(tornCopies(directory)).toHaveLength(1);
      store.close();
    }
  });
});

describe('a damaged log', () => {
  it('is refused for each bit of a group header, in a sealed and in the active segment', async () => {
    for (const number of [2, 3]) {
      const { start } = groupRanges(segmentPath(plain.directory, number))[2]!;
      for (let bit = start * 8; bit < (start + GROUP_HEADER_BYTES) * 8; bit++) {
        const directory = await copyOf(plain);
        flipBit(segmentPath(directory, number), bit);
        await expectRefusal(directory, segmentPath(directory, number), start);
      }
    }
  });

  it('is refused for each bit of a segment header', async () => {
    for (const number of [1, 3]) {
      for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit += number) {
        const directory = await copyOf(plain);
        flipBit(segmentPath(directory, number), bit);
        await expectRefusal(directory, segmentPath(directory, number), 0);
      }
    }
  });

  it('is refused for random bits of payloads', async () => {
    const random = new Random(5);
    for (let round = 0; round < 200; round++) {
      const number = 1 + random.below(3);
      const ranges = groupRanges(segmentPath(plain.directory, number));
      // The last group of the active segment is the one that may be torn.
      const index = random.below(number === 3 ? ranges.length - 1 : ranges.length);
      const { start, end } = ranges[index]!;
      const directory = await copyOf(plain);
      const payload = start + GROUP_HEADER_BYTES;
      flipBit(segmentPath(directory, number), payload * 8 + random.below((end - payload) * 8));
      await expectRefusal(directory, segmentPath(directory, number), start);
    }
  });

  it('is refused when two segments have changed places', async () => {
    const directory = await copyOf(plain);
    renameSync(segmentPath(directory, 1), join(directory, 'aside'));
    renameSync(segmentPath(directory, 2), segmentPath(directory, 1));
    renameSync(join(directory, 'aside'), segmentPath(directory, 2));
    await expectRefusal(directory, segmentPath(directory, 1), 0);
  });

  it('is refused when a segment stands in for another', async () => {
    for (const [from, to] of [
      [1, 2],
      [2, 3],
      [3, 4],
      [1, 4],
    ] as const) {
      const directory = await copyOf(plain);
      copyFileSync(segmentPath(directory, from), segmentPath(directory, to));
      await expectRefusal(directory, segmentPath(directory, to), 0);
    }
  });

  it('is refused when a segment is empty, zeroed, or cut short between two groups', async () => {
    for (const number of [1, 2]) {
      const whole = readFileSync(segmentPath(plain.directory, number));
      const ranges = groupRanges(segmentPath(plain.directory, number));
      const damaged = [Buffer.alloc(0), Buffer.alloc(whole.length), whole.subarray(0, ranges[3]!.end)];
      for (const bytes of damaged) {
        const directory = await copyOf(plain);
        writeFileSync(segmentPath(directory, number), bytes);
        await expectRefusal(
          directory,
          segmentPath(directory, number),
          bytes.length > SEGMENT_HEADER_BYTES && bytes[0] ? bytes.length : 0,
        );
      }
    }
  });

  it('is refused when groups in the middle are zeros', async () => {
    for (const number of [2, 3]) {
      const directory = await copyOf(plain);
      const path = segmentPath(directory, number);
      const ranges = groupRanges(path);
      const bytes = readFileSync(path);
      bytes.fill(0, ranges[1]!.start, ranges[3]!.start);
      writeFileSync(path, bytes);
      await expectRefusal(directory, path, ranges[1]!.start);
    }
  });

  it('is refused when a group is there twice, is missing, or two have changed places', async () => {
    for (const number of [2, 3]) {
      const path = segmentPath(plain.directory, number);
      const whole = readFileSync(path);
      const groups = groupRanges(path).map(({ start, end }) => whole.subarray(start, end));
      const [a, b, c, d, e] = groups as [Buffer, Buffer, Buffer, Buffer, Buffer];
      const header = whole.subarray(0, SEGMENT_HEADER_BYTES);
      const damaged: [Buffer[], number][] = [
        [[a, b, b, c, d, e], 2],
        [[a, c, d, e], 1],
        [[a, c, b, d, e], 1],
        [[e, a, b, c, d], 0],
      ];
      for (const [order, firstWrong] of damaged) {
        const directory = await copyOf(plain);
        writeFileSync(segmentPath(directory, number), Buffer.concat([header, ...order]));
        const offset = Buffer.concat([header, ...order.slice(0, firstWrong)]).length;
        await expectRefusal(directory, segmentPath(directory, number), offset);
      }
    }
  });

  it('is refused when groups of another segment were copied into it', async () => {
    const directory = await copyOf(plain);
    const path = segmentPath(directory, 3);
    const other = segmentPath(directory, 2);
    const target = readFileSync(path);
    const first = groupRanges(path)[0]!;
    const source = groupRanges(other)[0]!;
    const bytes = Buffer.concat([
      target.subarray(0, first.start),
      readFileSync(other).subarray(source.start, source.end),
      target.subarray(first.end),
    ]);
    writeFileSync(path, bytes);
    await expectRefusal(directory, path, first.start);
  });

  it('is refused when a segment is missing', async () => {
    const first = await copyOf(plain);
    rmSync(segmentPath(first, 1));
    expect(await expectRefusal(first, segmentPath(first, 2), 0)).toContain('missing');
    const middle = await copyOf(plain);
    rmSync(segmentPath(middle, 2));
    expect(await expectRefusal(middle, segmentPath(middle, 3), 0)).toContain('missing');
    const sealed = await copyOf(checkpointed);
    rmSync(segmentPath(sealed, 3));
    expect(await expectRefusal(sealed, segmentPath(sealed, 4), 0)).toContain('missing');
  });

  it('is refused when the newest segment is missing, or several of the newest', async () => {
    const newest: [Template, number][] = [
      [plain, 3],
      [plain, 2],
      [checkpointed, 4],
    ];
    for (const [template, number] of newest) {
      const directory = await copyOf(template);
      for (const missing of readdirSync(directory).filter((name) => name >= segmentPath('', number))) {
        if (missing.startsWith('log-')) rmSync(join(directory, missing));
      }
      const last = segmentPath(directory, number - 1);
      expect(await expectRefusal(directory, last, groupRanges(last).at(-1)!.end)).toContain(
        `${segmentPath('', number)} is missing`,
      );
    }
  });

  it('is refused when a segment comes from another store', async () => {
    for (const number of [2, 3]) {
      const directory = await copyOf(plain);
      copyFileSync(segmentPath(foreign.directory, number), segmentPath(directory, number));
      await expectRefusal(directory, segmentPath(directory, number), 0);
    }
    const beside = await copyOf(checkpointed);
    copyFileSync(segmentPath(foreign.directory, 2), segmentPath(beside, 2));
    await expectRefusal(beside, segmentPath(beside, 2), 0);
  });
});

describe('a segment that was deleted after a checkpoint', () => {
  it.each([[[1]], [[2]], [[1, 2]]])('is ignored and deleted again when it reappears: %j', async (numbers) => {
    const directory = await copyOf(checkpointed);
    for (const number of numbers) {
      copyFileSync(segmentPath(checkpointed.attic, number), segmentPath(directory, number));
    }
    await expectStart(directory, checkpointed, checkpointed.digests.length - 1);
    for (const number of numbers) expect(readdirSync(directory)).not.toContain(segmentPath('', number));
  });
});

/** The values of strings and fields in a snapshot. */
function valuesIn(directory: string): Buffer[] {
  const database = openSnapshot(snapshotIn(directory), 0);
  try {
    const select =
      'SELECT value FROM stored_keys WHERE type = 0 UNION ALL SELECT value FROM stored_hash_fields';
    return database.prepare(select).pluck().all() as Buffer[];
  } finally {
    database.close();
  }
}

describe('a damaged snapshot', () => {
  it('is refused for any bit of a value', async () => {
    const random = new Random(6);
    const whole = readFileSync(snapshotIn(checkpointed.directory));
    const stored = valuesIn(await copyOf(checkpointed)).filter((value) => value.length >= 8);
    expect(stored.length).toBeGreaterThan(3);
    for (const value of stored) {
      const directory = await copyOf(checkpointed);
      flipBit(snapshotIn(directory), whole.indexOf(value) * 8 + random.below(value.length * 8));
      const message = await expectRefusal(directory, snapshotIn(directory));
      expect(message).toMatch(/checksum|SQLITE_CORRUPT/);
    }
  });

  it('is never loaded as something else, whatever bit of the file is wrong', {
    timeout: 60_000,
  }, async () => {
    const random = new Random(7);
    const whole = readFileSync(snapshotIn(checkpointed.directory));
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const directory = await copyOf(checkpointed);
      const bit = random.below(whole.length * 8);
      flipBit(snapshotIn(directory), bit);
      const digest = await Store.open(directory).then(
        (store) => {
          store.close();
          return store.digest;
        },
        (error: unknown) => {
          expect(error).toBeInstanceOf(StorageError);
          return 'refused';
        },
      );
      if (digest === 'refused') refused++;
      else expect(digest, `bit ${bit}`).toBe(checkpointed.digests.at(-1));
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('is refused when it is cut short by a page or more', async () => {
    const bytes = readFileSync(snapshotIn(checkpointed.directory)).length;
    for (const length of [0, 1, 99, 100, 4096, bytes >> 1, bytes - 8192, bytes - 4096]) {
      const directory = await copyOf(checkpointed);
      truncateSync(snapshotIn(directory), length);
      await expectRefusal(directory, snapshotIn(directory));
    }
  });

  it('is refused for any bit of the position that it claims', async () => {
    const whole = readFileSync(snapshotIn(checkpointed.directory));
    // The store's id stands in front of the numbers in the row, and nowhere else in the file.
    const store = await Store.open(await copyOf(checkpointed));
    const at = whole.indexOf(store.recovered.storeId) + 16;
    store.close();
    // last_seq and last_segment take a byte each: both are small numbers here.
    expect([...whole.subarray(at, at + 2)]).toEqual([10, 2]);
    for (let bit = at * 8; bit < (at + 2) * 8; bit++) {
      const directory = await copyOf(checkpointed);
      flipBit(snapshotIn(directory), bit);
      await expectRefusal(directory, snapshotIn(directory));
    }
  });

  it('is refused when a page of it is zeros', async () => {
    const bytes = readFileSync(snapshotIn(checkpointed.directory));
    const pages = bytes.length / 4096;
    let refused = 0;
    for (let page = 0; page < pages; page++) {
      const directory = await copyOf(checkpointed);
      const damaged = Buffer.from(bytes);
      damaged.fill(0, page * 4096, (page + 1) * 4096);
      writeFileSync(snapshotIn(directory), damaged);
      const digest = await Store.open(directory).then(
        (store) => {
          store.close();
          return store.digest;
        },
        () => 'refused',
      );
      if (digest === 'refused') refused++;
      else expect(digest, `page ${page}`).toBe(checkpointed.digests.at(-1));
    }
    expect(refused).toBeGreaterThan(3);
  });

  it('is refused when it is missing, or belongs to another store', async () => {
    const missing = await copyOf(checkpointed);
    rmSync(snapshotIn(missing));
    expect(await expectRefusal(missing, segmentPath(missing, 3), 0)).toContain('missing');
    const exchanged = await copyOf(checkpointed);
    copyFileSync(snapshotIn(foreign.directory), snapshotIn(exchanged));
    await expectRefusal(exchanged, segmentPath(exchanged, 3), 0);
  });

  it('is made anew when it is missing and the log is complete', async () => {
    const directory = await copyOf(plain);
    rmSync(snapshotIn(directory));
    await expectStart(directory, plain, plain.digests.length - 1);
  });
});

describe('snapshot and log that disagree', () => {
  it('an older snapshot is refused: segments are missing between the two', async () => {
    const directory = await copyOf(checkpointed);
    copyFileSync(snapshotIn(checkpointed.attic), snapshotIn(directory));
    expect(await expectRefusal(directory, segmentPath(directory, 3), 0)).toContain('missing');
  });

  it('an older log that a newer one has followed is refused', async () => {
    const directory = await copyOf(checkpointed);
    for (const number of [3, 4]) rmSync(segmentPath(directory, number));
    copyFileSync(segmentPath(checkpointed.attic, 1), segmentPath(directory, 1));
    expect(await expectRefusal(directory, segmentPath(directory, 1))).toContain('missing');
  });

  it('an older log from before it went on starts from the snapshot, with a warning', async () => {
    const directory = await copyOf(checkpointed);
    for (const number of [3, 4]) rmSync(segmentPath(directory, number));
    const older = segmentPath(directory, 1);
    copyFileSync(segmentPath(checkpointed.attic, 1), older);
    truncateSync(older, groupRanges(older).at(-1)!.end);
    const messages = await expectStart(directory, checkpointed, checkpointed.covered);
    expect(messages).toEqual([expect.stringContaining('log segments were removed or are older')]);
  });

  it('a snapshot without any log starts from the snapshot, with a warning', async () => {
    const directory = await copyOf(checkpointed);
    for (const number of [3, 4]) rmSync(segmentPath(directory, number));
    const messages = await expectStart(directory, checkpointed, checkpointed.covered);
    expect(messages).toEqual([expect.stringContaining('log segments')]);
  });

  it('an empty snapshot without its log is refused: the data were there', async () => {
    const directory = await copyOf(plain);
    for (const number of [1, 2, 3]) rmSync(segmentPath(directory, number));
    await expectRefusal(directory, snapshotIn(directory));
  });

  it('a log and snapshot that are gone leave their traces, and are not replaced by an empty store', async () => {
    const directory = await copyOf(plain);
    truncateSync(segmentPath(directory, 3), groupRanges(segmentPath(directory, 3)).at(-1)!.end - 1);
    (await Store.open(directory)).close();
    for (const number of [1, 2, 3]) rmSync(segmentPath(directory, number));
    rmSync(snapshotIn(directory));
    await expectRefusal(directory, join(directory, tornCopies(directory)[0]!));
  });
});

describe("the snapshot's -wal file", () => {
  /** A directory whose newest commit is in the -wal only, its segments deleted: as after kill -9. */
  async function withWal(): Promise<{ directory: string; wal: string; total: number; digest: string }> {
    const working = await copyOf(plain);
    const store = await Store.open(working);
    store.recovered.writer.rotate(Date.now());
    const reader = openSnapshot(snapshotIn(working), 0);
    // While somebody reads, the worker cannot move what it commits from the -wal into the file.
    reader.exec('BEGIN; SELECT count(*) FROM stored_keys');
    reader.prepare('SELECT count(*) FROM stored_keys').get();
    await store.checkpoint();
    store.recovered.writer.remove(store.seq);
    const directory = await copyOf({ directory: working });
    const { seq: total, digest } = store;
    reader.close();
    store.close();
    return { directory, wal: `${snapshotIn(directory)}-wal`, total, digest };
  }

  it('is read when the server was killed before its contents had reached the file', async () => {
    const { directory, wal, total, digest } = await withWal();
    expect(readFileSync(wal).length).toBeGreaterThan(4096);
    const store = await Store.open(directory);
    expect([store.seq, store.digest]).toEqual([total, digest]);
    store.close();
  });

  it('is missed when it is gone, cut short or damaged: the start is refused', async () => {
    const { directory, wal } = await withWal();
    const whole = readFileSync(wal);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 1;
    const damaged = [
      null,
      Buffer.alloc(0),
      whole.subarray(0, whole.length - 1),
      flipped,
      Buffer.alloc(whole.length),
    ];
    for (const bytes of damaged) {
      const copy = await copyOf({ directory });
      const path = `${snapshotIn(copy)}-wal`;
      rmSync(`${snapshotIn(copy)}-shm`, { force: true });
      if (bytes === null) rmSync(path);
      else writeFileSync(path, bytes);
      expect(await expectRefusalOfLog(copy)).toContain('missing');
    }
  });

  async function expectRefusalOfLog(directory: string): Promise<string> {
    return expectRefusal(directory, segmentPath(directory, 4), 0);
  }
});

it('templates have the shape that the cases above speak of', () => {
  expect(plain.digests).toHaveLength(3 * GROUPS_PER_SEGMENT + 1);
  expect(new Set(plain.digests).size).toBe(plain.digests.length);
  expect(readdirSync(checkpointed.directory).filter((name) => name.startsWith('log-'))).toHaveLength(2);
  expect(readdirSync(plain.directory).filter((name) => name.startsWith('log-'))).toHaveLength(3);
});
