/**
 * Redis put through the same cases, so that a reader sees the difference: kill -9 under the same clients and
 * oracle, a flipped bit in its append-only file, zeros behind it, an fsync that fails.
 *
 *   node test/faults/redis-beside.mjs [--cycles 20]
 */
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { describeMarathon, runMarathon } from './marathon.mjs';

const AOF = 'appendonlydir/appendonly.aof.1.incr.aof';
const MARKER = 'the-value-that-will-be-damaged';

/**
 * A directory in which Redis has written, and been stopped.
 *
 * @param {string} dir
 */
async function writeSome(dir) {
  const server = await ServerProcess.start({ kind: 'redis', dir, args: ['--appendfsync', 'always'] });
  const connection = await Connection.open(server.port);
  await connection.ask([
    ['SET', 'first', MARKER],
    ['SET', 'second', 'kept'],
    ['SET', 'third', 'kept'],
  ]);
  connection.close();
  await server.stop();
}

/**
 * Starts Redis on the directory.
 *
 * @param {string} dir
 * @returns {Promise<string>} what it says and serves
 */
async function outcome(dir) {
  const server = await ServerProcess.start({ kind: 'redis', dir, readyTimeoutMs: 10_000 }).catch(
    (error) => error,
  );
  if (server instanceof Error) {
    const reason =
      /# (.*(?:Bad file|format|Unexpected|corrupt).*)/i.exec(server.message)?.[1] ?? server.message;
    return `refuses to start: ${reason.slice(0, 160)}`;
  }
  const connection = await Connection.open(server.port);
  const values = await connection.ask(['first', 'second', 'third'].map((key) => ['GET', key]));
  connection.close();
  await server.kill();
  const same = JSON.stringify(values) === JSON.stringify([MARKER, 'kept', 'kept']);
  return same ? 'starts with everything' : `starts, and serves ${JSON.stringify(values)}`;
}

/** @param {(aof: string) => void} damage */
async function damaged(damage) {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  try {
    await writeSome(dir);
    damage(join(dir, AOF));
    return await outcome(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * @param {string} path
 * @param {string} text
 * @param {number} offset of the byte from the beginning of the text
 */
function flipBitIn(path, text, offset) {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(text) + offset;
  bytes[at] = /** @type {number} */ (bytes[at]) ^ 1;
  writeFileSync(path, bytes);
}

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

async function main() {
  const { values } = parseArgs({ options: { cycles: { type: 'string', default: '20' } } });
  const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);
  print(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).trim());
  for (const policy of ['always', 'everysec', 'no']) {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
    const result = await runMarathon({ cycles: Number(values.cycles), policy, seed: 1, dir, kind: 'redis' });
    print(`kill -9, ${policy}: ${describeMarathon(result)}`);
    for (const problem of result.problems.slice(0, 3)) print(`  ${problem}`);
    rmSync(dir, { recursive: true, force: true });
  }
  print(`a flipped bit in a value: ${await damaged((aof) => flipBitIn(aof, MARKER, 4))}`);
  print(`a flipped bit in a length: ${await damaged((aof) => flipBitIn(aof, `$${MARKER.length}`, 2))}`);
  print(`4096 zeros behind the log: ${await damaged((aof) => appendFileSync(aof, Buffer.alloc(4096)))}`);
  for (const policy of ['always', 'everysec']) {
    print(`a failed fdatasync, ${policy}: ${await failedSync(policy)}`);
  }
}

await main();
