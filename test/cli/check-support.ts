/** Data directories written by a real server, to be damaged, and what to expect of `holdfast check` on them. */
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Redis } from 'ioredis5';
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, onTestFinished } from 'vitest';
import { check } from '../../src/cli/check.js';
import { nodeFiles } from '../../src/log/files.js';
import { GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { scanSegment } from '../../src/log/reader.js';
import { segmentName } from '../../src/log/segments.js';
import { ServerProcess } from '../support/server-process.mjs';

export const SNAPSHOT = 'snapshot.sqlite';
export const GROUPS_PER_SEGMENT = 6;
export const SEGMENTS = 3;
export const GROUPS = SEGMENTS * GROUPS_PER_SEGMENT;

/** The value that group number `seq` gives to its key; long enough to be found in a file. */
export function storedValue(seq: number): string {
  return `value-of-group-${seq}-`.padEnd(40, 'x');
}

export function keyOf(seq: number): string {
  return `key:${String(seq).padStart(2, '0')}`;
}

export interface Templates {
  /** Three segments, the snapshot empty: killed before its first checkpoint was complete. */
  readonly plain: string;
  /** The first segment is in the snapshot and gone, two are left. */
  readonly checkpointed: string;
  cleanup(): Promise<void>;
}

/**
 * One server writes 18 groups, one key each, with a SAVE after 6 and after 12, and is killed. The files that
 * the checkpoints removed or replaced are kept on the way: with them the directory is what an earlier kill
 * would have left.
 */
export async function makeTemplates(): Promise<Templates> {
  const folder = await temporaryDirectory({ unsafeCleanup: true, prefix: 'holdfast-check-' });
  const [live, plain, checkpointed] = ['live', 'plain', 'checkpointed'].map((name) => {
    const path = join(folder.path, name);
    mkdirSync(path, { mode: 0o700 });
    return path;
  }) as [string, string, string];
  const server = await ServerProcess.start({ dir: live, args: ['--checkpoint-interval', '3600'] });
  copyFileSync(join(live, SNAPSHOT), join(plain, SNAPSHOT));
  const client = new Redis(server.port);
  for (let seq = 1; seq <= GROUPS; seq++) {
    if (seq % 3 === 0) await client.hset(keyOf(seq), 'field', storedValue(seq));
    else await client.set(keyOf(seq), storedValue(seq));
    if (seq % GROUPS_PER_SEGMENT !== 0) continue;
    const name = segmentName(seq / GROUPS_PER_SEGMENT);
    for (const target of seq > GROUPS_PER_SEGMENT ? [plain, checkpointed] : [plain]) {
      linkSync(join(live, name), join(target, name));
    }
    if (seq < GROUPS) await client.save();
    if (seq === GROUPS_PER_SEGMENT) copyFileSync(join(live, SNAPSHOT), join(checkpointed, SNAPSHOT));
  }
  client.disconnect();
  await server.kill();
  return { plain, checkpointed, cleanup: folder.cleanup };
}

/** A copy to be damaged, gone when the test ends. */
export async function copyOf(template: string): Promise<string> {
  const { path, cleanup } = await temporaryDirectory({ unsafeCleanup: true, prefix: 'holdfast-check-' });
  onTestFinished(() => cleanup());
  cpSync(template, path, { recursive: true });
  return path;
}

export function segmentIn(directory: string, number: number): string {
  return join(directory, segmentName(number));
}

/** Where the groups of an undamaged segment begin and end, in bytes of the file. */
export function groupRanges(path: string): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  let start = SEGMENT_HEADER_BYTES;
  scanSegment(nodeFiles, path, {}, (_seq, _atMs, _bytes, payloadStart, payloadEnd) => {
    const end = start + GROUP_HEADER_BYTES + payloadEnd - payloadStart;
    ranges.push({ start, end });
    start = end;
  });
  return ranges;
}

/** Flips one bit of the group's value in a file. */
export function damageValue(path: string, seq: number): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(storedValue(seq));
  if (at < 0) throw new Error(`${path} does not hold the value of group ${seq}`);
  bytes[at + 20]! ^= 4;
  writeFileSync(path, bytes);
}

/**
 * Names of all files, and hashes of their contents. The journal that SQLite leaves beside the lock of a killed
 * server does not count: it goes when the lock is taken the next time, by whomever.
 */
export function contentsOf(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => name !== 'lock.db-journal');
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  return Object.fromEntries(names.map((name) => [name, hash(name)]));
}

/** Runs `holdfast check` in this process, with a pipe or, given an answer, with a terminal that gives it. */
export async function runCheck(args: readonly string[], answer?: string) {
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const read = { output: '', errors: '' };
  output.on('data', (chunk) => {
    read.output += chunk;
  });
  errors.on('data', (chunk) => {
    read.errors += chunk;
  });
  if (answer !== undefined) input.write(answer);
  const console = {
    input: Object.assign(input, { isTTY: answer !== undefined }) as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    errors: errors as unknown as NodeJS.WriteStream,
  };
  const exitCode = await check(args, console);
  return { exitCode, ...read };
}

/** Runs a check without --fix, which must leave every file as it is. */
export async function inspect(path: string, directory = path): Promise<{ exitCode: number; output: string }> {
  const before = contentsOf(directory);
  const { exitCode, output, errors } = await runCheck([path]);
  expect(errors).toBe('');
  expect(contentsOf(directory)).toEqual(before);
  return { exitCode, output };
}

/** Starts a server on the directory and returns what it serves: sequence numbers of the groups whose keys are there. */
export async function servedGroups(directory: string): Promise<number[]> {
  const server = await ServerProcess.start({ dir: directory, readyTimeoutMs: 10_000 });
  const client = new Redis(server.port);
  try {
    const keys = (await client.keys('*')).sort();
    for (const key of keys) {
      const seq = Number(key.slice('key:'.length));
      const value = seq % 3 === 0 ? await client.hget(key, 'field') : await client.get(key);
      if (value !== storedValue(seq)) throw new Error(`${key} has another value: ${value}`);
    }
    return keys.map((key) => Number(key.slice('key:'.length)));
  } finally {
    client.disconnect();
    await server.kill();
  }
}

export function upTo(seq: number): number[] {
  return Array.from({ length: seq }, (_, index) => index + 1);
}
