/**
 * The short form of pressure.mjs. How long a PING takes is for the long form: here are the facts, which hold on any
 * machine.
 */
import { dir as temporaryDirectory } from 'tmp-promise';
import { expect, it, onTestFinished, vi } from 'vitest';
import { hasTool } from '../support/tools.js';
import * as cases from './pressure-cases.mjs';
import { Report } from './pressure-observe.mjs';

// Each takes a few seconds, and many times that where others have the processors.
vi.setConfig({ testTimeout: 240_000 });

async function problemsOf(
  run: (scene: cases.Scene) => Promise<void>,
  policy = 'everysec',
): Promise<readonly string[]> {
  const { path: dir, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => cleanup());
  const report = new Report();
  await run({ kind: 'holdfast', dir, policy, report });
  expect(report.pings.length, 'somebody was pinging').toBeGreaterThan(0);
  return report.problems;
}

it('a thousand connections at once, and more than maxclients', async () => {
  expect(await problemsOf((scene) => cases.connections(scene, { count: 1000, idleMs: 100 }))).toEqual([]);
});

it.runIf(hasTool('prlimit'))('more clients than descriptors: the log goes on, and so do others', async () => {
  const run = (scene: cases.Scene) => cases.descriptorsUsedUp(scene, { limit: 128, rounds: 2 });
  expect(await problemsOf(run)).toEqual([]);
});

it.runIf(hasTool('prlimit'))('no descriptor left for clients or for files: the log goes on', async () => {
  const run = (scene: cases.Scene) => cases.noDescriptorLeft(scene, { shortageMs: 500 });
  expect(await problemsOf(run)).toEqual([]);
});

it('no memory left: writes are refused, reads and deletions go on', async () => {
  const run = (scene: cases.Scene) => cases.memoryUsedUp(scene, { megabytes: 20, durationMs: 1000 });
  expect(await problemsOf(run)).toEqual([]);
});

it('what eviction leaves in memory is what a restart brings back', async () => {
  const run = (scene: cases.Scene) => cases.evictionGoesOn(scene, { megabytes: 8, durationMs: 1000 });
  expect(await problemsOf(run)).toEqual([]);
});

it.each([
  { what: 'large', valueBytes: 1_000_000, requests: 200, limit: '32mb 0 0' },
  { what: 'small', valueBytes: 100, requests: 500_000, limit: '64mb 4mb 1' },
])('a client that asks for $what values and never reads is cut off', async (asked) => {
  const run = (scene: cases.Scene) => cases.readerThatNeverReads(scene, { ...asked, durationMs: 100 });
  expect(await problemsOf(run)).toEqual([]);
});

it.each([
  ['everysec', 'set'],
  ['always', 'mixed'],
] as const)('a pipeline of 100,000 commands sent at once (%s, %s)', async (policy, mix) => {
  const run = (scene: cases.Scene) => cases.longPipeline(scene, { commands: 100_000, mix });
  expect(await problemsOf(run, policy)).toEqual([]);
});
