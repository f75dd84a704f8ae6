/**
 * Pressure: thousands of connections, no descriptor left, no memory left, a client that never reads, a pipeline of
 * a million commands. What was acknowledged must be there after kill -9, and another client's PING is timed from
 * when it was due, in a process of its own.
 *
 *   npm run build && node test/faults/pressure.mjs [--case NAME]... [--server redis] [--connections 10000]
 *       [--commands 1000000]
 *
 * Prints the figures; ends with 1 when a fact does not hold. A PING that is late is a figure and no failure.
 */
import { parseArgs } from 'node:util';
import { dir as temporaryDirectory } from 'tmp-promise';
import * as cases from './pressure-cases.mjs';
import { Report } from './pressure-observe.mjs';

/** @typedef {import('./pressure-cases.mjs').Scene} Scene */
/** @typedef {{ name: string, policy: string, run: (scene: Scene) => Promise<void> }} Case */

/**
 * @param {{ connections: number, commands: number }} sizes
 * @returns {Case[]}
 */
function allCases({ connections, commands }) {
  /** @type {Case[]} */
  const list = [];
  for (const policy of ['everysec', 'always']) {
    list.push({
      name: 'connections',
      policy,
      run: (scene) => cases.connections(scene, { count: connections, idleMs: 3000 }),
    });
  }
  list.push(
    {
      name: 'descriptors',
      policy: 'everysec',
      run: (scene) => cases.descriptorsUsedUp(scene, { limit: 256, rounds: 10 }),
    },
    {
      name: 'no-descriptor',
      policy: 'everysec',
      run: (scene) => cases.noDescriptorLeft(scene, { shortageMs: 5000 }),
    },
    {
      name: 'memory',
      policy: 'everysec',
      run: (scene) => cases.memoryUsedUp(scene, { megabytes: 100, durationMs: 5000 }),
    },
    {
      name: 'eviction',
      policy: 'everysec',
      run: (scene) => cases.evictionGoesOn(scene, { megabytes: 32, durationMs: 5000 }),
    },
    {
      name: 'reader',
      policy: 'everysec',
      run: (scene) =>
        cases.readerThatNeverReads(scene, {
          valueBytes: 1_000_000,
          requests: 2000,
          limit: '256mb 128mb 60',
          durationMs: 1000,
        }),
    },
    {
      name: 'reader',
      policy: 'everysec',
      run: (scene) =>
        cases.readerThatNeverReads(scene, {
          valueBytes: 64,
          requests: 2_000_000,
          limit: '64mb 16mb 3',
          durationMs: 1000,
        }),
    },
  );
  for (const policy of ['everysec', 'always']) {
    for (const mix of /** @type {const} */ (['set', 'mixed'])) {
      list.push({ name: 'pipeline', policy, run: (scene) => cases.longPipeline(scene, { commands, mix }) });
    }
  }
  return list;
}

/**
 * @param {Case} chosen
 * @param {'holdfast' | 'redis'} kind
 * @returns {Promise<boolean>} whether every fact holds
 */
async function runCase({ name, policy, run }, kind) {
  const { path: dir, cleanup } = await temporaryDirectory({ unsafeCleanup: true });
  const report = new Report();
  await run({ kind, dir, policy, report });
  process.stdout.write(`${name} (${policy}, ${kind}): ${report.problems.length} problems\n`);
  for (const line of report.lines) process.stdout.write(`  ${line}\n`);
  for (const problem of report.problems.slice(0, 20)) process.stdout.write(`  PROBLEM ${problem}\n`);
  if (report.problems.length > 0) process.stdout.write(`  The directory is ${dir}\n`);
  else await cleanup();
  return report.problems.length === 0;
}

async function main() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', multiple: true },
      server: { type: 'string', default: 'holdfast' },
      connections: { type: 'string', default: '10000' },
      commands: { type: 'string', default: '1000000' },
    },
  });
  const sizes = { connections: Number(values.connections), commands: Number(values.commands) };
  const chosen = allCases(sizes).filter(({ name }) => values.case?.includes(name) ?? true);
  if (chosen.length === 0) throw new Error(`there is no case ${values.case}`);
  for (const one of chosen) {
    if (!(await runCase(one, values.server === 'redis' ? 'redis' : 'holdfast'))) process.exitCode = 1;
  }
}

await main();
