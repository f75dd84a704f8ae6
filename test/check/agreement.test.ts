/**
 * `holdfast check` and the server judge a directory by different code. On directories damaged at random they must
 * agree, and what check repairs must be what it said: the server starts on it, with exactly the groups that were
 * promised, and every file as it was is still there under some name.
 */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { planRepair, type Repair, runRepair } from '../../src/check/repair.js';
import { checkStore, type StoreCheck } from '../../src/check/store.js';
import { nodeFiles } from '../../src/log/files.js';
import { Random } from '../faults/random.mjs';
import { contentsOf, copyOf, makeTemplate, Store, segmentPath, type Template } from '../faults/store.js';

const DIRECTORIES = 60;
const NOW_MS = Date.UTC(2026, 0, 1);

/** Three segments in the log, none in the snapshot. */
let plain: Template;
/** Segments 1 and 2 are in the snapshot and deleted, 3 is sealed, 4 active. */
let checkpointed: Template;
let foreign: Template;

beforeAll(async () => {
  plain = await makeTemplate({ segments: 3, checkpointed: 0, seed: 11 });
  checkpointed = await makeTemplate({ segments: 4, checkpointed: 2, seed: 12 });
  foreign = await makeTemplate({ segments: 4, checkpointed: 0, seed: 13 });
});

afterAll(async () => {
  for (const template of [plain, checkpointed, foreign]) await template.dispose();
});

const isData = (name: string) => /\.msgpack$|\.sqlite$/.test(name);

function change(path: string, edit: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, edit(readFileSync(path)));
}

/** Harms one file in one of many ways. @returns what was done, for the message of a failure. */
function damage(directory: string, template: Template, random: Random): string {
  const names = readdirSync(directory).filter(isData).sort();
  const name = names[random.below(names.length)]!;
  const path = join(directory, name);
  const at = random.below(readFileSync(path).length + 1);
  const kind = random.below(9);
  switch (kind) {
    case 0:
      rmSync(path);
      return `${name} removed`;
    case 1:
      change(path, (bytes) => bytes.subarray(0, at));
      return `${name} cut at ${at}`;
    case 2:
      change(path, (bytes) => bytes.fill(0, at, Math.min(bytes.length, at + 1 + random.below(600))));
      return `${name}: zeros from ${at}`;
    case 3:
      change(path, (bytes) =>
        Buffer.concat([bytes, Buffer.from(random.bytes(1 + random.below(100)), 'latin1')]),
      );
      return `${name}: more bytes`;
    case 4: {
      const other = join(directory, names[random.below(names.length)]!);
      const kept = join(directory, 'kept');
      renameSync(path, kept);
      if (existsSync(other)) renameSync(other, path);
      renameSync(kept, other);
      return `${name} exchanged with ${other}`;
    }
    case 5: {
      const number = 1 + random.below(4);
      copyFileSync(segmentPath(foreign.directory, number), segmentPath(directory, number));
      return `segment ${number} of another store`;
    }
    case 6: {
      const old = readdirSync(template.attic).filter(isData);
      if (old.length === 0) return 'nothing';
      const restored = old[random.below(old.length)]!;
      copyFileSync(join(template.attic, restored), join(directory, restored));
      return `${restored} as it was earlier`;
    }
    default: {
      const bit = random.below(8);
      if (at === readFileSync(path).length) return 'nothing';
      change(path, (bytes) => {
        bytes[at]! ^= 1 << bit;
        return bytes;
      });
      return `${name}: bit ${bit} of byte ${at}`;
    }
  }
}

/** Starts a server's store. @returns its groups and content, or the refusal. */
async function start(directory: string): Promise<{ seq: number; digest: string } | StorageError> {
  try {
    const store = await Store.open(directory);
    const { seq, digest } = store;
    store.close();
    return { seq, digest };
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return error as StorageError;
  }
}

const check = (directory: string) => checkStore(nodeFiles, directory, NOW_MS, () => {});

async function expectAgreement(directory: string, found: StoreCheck, template: Template): Promise<void> {
  const started = await start(await copyOf({ directory }));
  if (found.problems.some(({ kind }) => kind !== 'torn')) {
    expect(started, 'check finds damage, and the server starts').toBeInstanceOf(StorageError);
    return;
  }
  const seq = found.log.keptSeq;
  expect(started).toEqual({ seq, digest: template.digests[seq] });
}

async function expectRepaired(directory: string, repair: Repair, template: Template): Promise<void> {
  const before = contentsOf(directory);
  runRepair(nodeFiles, directory, repair, NOW_MS);
  const after = new Set(contentsOf(directory).values());
  for (const [name, bytes] of before) expect(after.has(bytes), `${name} is kept as it was`).toBe(true);
  expect((await check(directory)).problems).toEqual([]);
  const { seq } = repair.kept;
  expect(await start(directory)).toEqual({ seq, digest: template.digests[seq] });
}

describe('check', () => {
  it.each([
    ['with all of it in the log', () => plain],
    ['with a snapshot and a log behind it', () => checkpointed],
  ])(
    'agrees with the server on a directory damaged at random, %s',
    { timeout: 60_000 },
    async (_what, of) => {
      const template = of();
      const seen = { sound: 0, refused: 0, repaired: 0 };
      for (let seed = 1; seed <= DIRECTORIES; seed++) {
        const random = new Random(seed);
        const directory = await copyOf(template);
        const done = [damage(directory, template, random)];
        if (random.below(3) === 0) done.push(damage(directory, template, random));
        try {
          const found = await check(directory);
          await expectAgreement(directory, found, template);
          const repair = found.problems.length > 0 ? planRepair(found) : undefined;
          if (repair === undefined) seen.sound++;
          else if (typeof repair === 'string') seen.refused++;
          else {
            await expectRepaired(directory, repair, template);
            seen.repaired++;
          }
        } catch (error) {
          (error as Error).message = `${(error as Error).message} (seed ${seed}: ${done.join(', ')})`;
          throw error;
        }
      }
      expect(Math.min(seen.sound, seen.refused, seen.repaired), JSON.stringify(seen)).toBeGreaterThan(2);
    },
  );
});
