/**
 * Redis put through the same cases as our server, by the same clients and the same oracle, so that a reader sees
 * the difference. Without options all of them, otherwise those named:
 *
 *   node test/faults/redis-beside.mjs [--cases kill,calls,files,sync,disk,directory,power]
 *     kill       kill -9 under load             [--cycles 5]
 *     calls      kill at the n-th system call   [--most 12]
 *     files      damaged, swapped, missing, foreign and older files
 *     sync       a failed fdatasync
 *     disk       failed, short and refused writes           (as root)
 *     directory  two servers, one directory; unusable ones  (as root)
 *     power      power cuts                     [--cuts 20]  (as root)
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { describeMarathon, runMarathon } from './marathon.mjs';
import { describeCuts, runPowerCuts } from './power-cut.mjs';
import { killAtCalls } from './redis-calls.mjs';
import { contendForDirectory, failDisk } from './redis-disk.mjs';
import { damageFiles } from './redis-files.mjs';

/**
 * One fdatasync fails; says which writes were acknowledged after it.
 *
 * @param {string} policy
 */
async function failedSync(policy) {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const inject = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=3'];
  const server = ['redis-server', '--port', String(port), '--dir', dir, '--appendonly', 'yes', '--save', ''];
  const child = spawn(
    'strace',
    ['-f', '-qq', '-o', '/dev/null', ...inject, ...server, '--appendfsync', policy],
    {
      detached: true,
      stdio: 'ignore',
    },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let refused = 0;
  let acknowledgedAfterwards = 0;
  try {
    await sleep(1000);
    const connection = await Connection.open(port);
    for (let i = 0; i < 600 && !connection.isClosed; i++) {
      const reply = await connection.call('INCR', 'counter').catch((error) => error);
      if (reply instanceof Error) refused++;
      else if (refused > 0) acknowledgedAfterwards++;
      await sleep(10);
    }
    if (connection.isClosed) return 'the server exits';
    return `${refused} writes refused, then ${acknowledgedAfterwards} acknowledged again`;
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @typedef {{ cycles: number, most: number, cuts: number }} Sizes */

const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

/** @param {readonly string[]} problems */
const printProblems = (problems) => {
  for (const problem of problems.slice(0, 3)) print(`  ${problem}`);
};

/** @param {Sizes} sizes */
async function kill({ cycles }) {
  for (const policy of ['always', 'everysec', 'no']) {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
    const result = await runMarathon({ cycles, policy, seed: 1, dir, kind: 'redis' });
    print(`${policy}: ${describeMarathon(result)}`);
    printProblems(result.problems);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function sync() {
  for (const policy of ['always', 'everysec']) print(`${policy}: ${await failedSync(policy)}`);
}

/** @param {Sizes} sizes */
async function power({ cuts }) {
  for (const policy of /** @type {const} */ (['always', 'everysec'])) {
    const result = await runPowerCuts({ cuts, policy, seed: 1, kind: 'redis' });
    print(describeCuts(policy, result));
    printProblems(result.problems);
  }
}

/** @type {Record<string, (sizes: Sizes) => Promise<void>>} */
const CASES = {
  kill,
  calls: ({ most }) => killAtCalls({ most, print }),
  files: () => damageFiles(print),
  sync,
  disk: () => failDisk(print),
  directory: () => contendForDirectory(print),
  power,
};

async function main() {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: Object.keys(CASES).join() },
      cycles: { type: 'string', default: '5' },
      most: { type: 'string', default: '12' },
      cuts: { type: 'string', default: '20' },
    },
  });
  const sizes = { cycles: Number(values.cycles), most: Number(values.most), cuts: Number(values.cuts) };
  print(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).trim());
  for (const name of values.cases.split(',')) {
    const run = CASES[name];
    if (!run) throw new Error(`no such case: ${name}; there are ${Object.keys(CASES).join(', ')}`);
    print(`# ${name}`);
    await run(sizes);
  }
}

await main();
