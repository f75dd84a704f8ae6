/**
 * Redis on a disk that fails or is full, on one that somebody else uses as well, and where it may not write: the
 * cases of disk-failures.test.ts and directory.test.ts.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { TracedServer } from './traced-server.mjs';
import { makeWriters, settleAll, totalTally } from './workload.mjs';

const CLIENTS = 4;
/** How long the clients write while the disk fails, and after it works again. */
const WRITING_MS = 3000;
/** An unprivileged user: root may write anywhere. */
const NOBODY = '65534';

const policies = ['always', 'everysec'];
const newDirectory = () => realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-redis-')));

/** The file that a fresh redis-server appends to. @param {string} dir */
const appendOnlyFile = (dir) => join(dir, 'appendonlydir', 'appendonly.aof.1.incr.aof');

/** @param {string} dir a new directory in which Redis has made its files */
async function use(dir) {
  const server = await ServerProcess.start({ kind: 'redis', dir });
  await server.stop();
}

/**
 * What became of the clients: how many steps were acknowledged, before and after the first refusal.
 *
 * @param {import('./workload.mjs').Writer[]} writers
 * @param {boolean} exited
 * @param {boolean} resumed
 */
function describeClients(writers, exited, resumed) {
  const { acknowledged, refused } = totalTally(writers);
  const what = exited
    ? 'the server ends'
    : `${refused} steps refused, writes ${resumed ? 'resume' : 'do not resume'}`;
  return `${what} (${acknowledged} acknowledged)`;
}

/**
 * Starts Redis on the directory and compares everything with what the clients know.
 *
 * @param {string} dir
 * @param {import('./workload.mjs').Writer[]} writers
 */
async function afterwards(dir, writers) {
  const server = await ServerProcess.start({ kind: 'redis', dir }).catch((error) => error);
  if (server instanceof Error) return 'and does not start again';
  const problems = await settleAll(server.port, writers);
  await server.kill();
  return problems.length === 0 ? 'then starts, 0 differences' : `then starts, ${problems.length} differences`;
}

/**
 * Some writes to the log fail.
 *
 * @param {string} policy
 * @param {string} code of the error
 */
async function failedWrites(policy, code) {
  const dir = newDirectory();
  try {
    await use(dir);
    const server = await TracedServer.start({
      kind: 'redis',
      dir,
      trace: 'write',
      inject: `write:error=${code}:when=20..30`,
      paths: [appendOnlyFile(dir)],
      args: ['--appendfsync', policy],
    });
    if (!(await server.ready())) throw new Error(server.log);
    const writers = makeWriters(CLIENTS, { seed: 1, fieldExpiry: false });
    const until = sleep(WRITING_MS);
    await Promise.all(writers.map((writer) => writer.run(server.port, { window: 4, until })));
    await sleep(50);
    const exited = server.hasEnded;
    const resumed = !exited && (await takesWrites(server.port));
    await server.kill();
    return `${describeClients(writers, exited, resumed)}, ${await afterwards(dir, writers)}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {number} port */
async function takesWrites(port) {
  const connection = await Connection.open(port);
  await connection.call('SELECT', '14');
  const [reply] = await connection.ask([['SET', 'one more', 'write']]);
  await connection.ask([['DEL', 'one more']]);
  connection.close();
  return reply === 'OK';
}

/**
 * The append-only file may not grow beyond a limit: the write that reaches it is cut short.
 *
 * @param {string} policy
 */
async function shortWrite(policy) {
  const dir = newDirectory();
  const port = await freePort();
  const server = ['redis-server', '--port', String(port), '--dir', dir, '--appendonly', 'yes', '--save', ''];
  const child = spawn('prlimit', ['--fsize=300000', ...server, '--appendfsync', policy], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  try {
    await sleep(1000);
    const writers = makeWriters(CLIENTS, { seed: 2, largestValue: 5000, fieldExpiry: false });
    const until = sleep(WRITING_MS);
    await Promise.all(writers.map((writer) => writer.run(port, { window: 8, until })));
    const end = await Promise.race([ended, sleep(200)]);
    child.kill('SIGKILL');
    await ended;
    const how = end === undefined ? '' : ` (${end})`;
    return `${describeClients(writers, end !== undefined, false)}${how}, ${await afterwards(dir, writers)}`;
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * A tmpfs that the clients fill up.
 *
 * @param {string} policy
 * @param {boolean} room is there some again before the server is killed?
 */
async function fullDisk(policy, room) {
  const disk = newDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
  const filler = join(disk, 'filler');
  writeFileSync(filler, Buffer.alloc(3 * 1024 * 1024));
  const data = join(disk, 'data');
  mkdirSync(data);
  // A rewrite would make room by itself.
  const args = ['--appendfsync', policy, '--auto-aof-rewrite-percentage', '0'];
  const server = await ServerProcess.start({ kind: 'redis', dir: data, args });
  try {
    const writers = makeWriters(CLIENTS, { seed: 3, largestValue: 60_000, fieldExpiry: false });
    let stop = () => {};
    const until = /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        stop = () => resolve();
      })
    );
    const running = writers.map((writer) => writer.run(server.port, { window: 4, until }));
    while (server.pid !== undefined && totalTally(writers).refused === 0) await sleep(10);
    await sleep(300);
    stop();
    await Promise.all(running);
    if (room) rmSync(filler);
    const exited = server.pid === undefined;
    // It tries again once a second.
    if (!exited) await sleep(2500);
    const resumed = !exited && (await takesWrites(server.port));
    await server.kill();
    // Reading the log back may need room.
    rmSync(filler, { force: true });
    return `${describeClients(writers, exited, resumed)}, ${await afterwards(data, writers)}`;
  } finally {
    await server.kill();
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  }
}

/**
 * Both serve and count with the same key; then what is there after both were killed. The second time the first of
 * them rewrites its append-only file in between.
 *
 * @param {boolean} rewriting
 */
async function twoServers(rewriting) {
  const dir = newDirectory();
  const args = ['--appendfsync', 'always'];
  const first = await ServerProcess.start({ kind: 'redis', dir, args });
  const second = await ServerProcess.start({ kind: 'redis', dir, args }).catch((error) => error);
  try {
    if (second instanceof Error) return `the second refuses to start: ${second.message.slice(0, 140)}`;
    for (const server of [first, second]) await countToHundred(server.port);
    if (rewriting) {
      const connection = await Connection.open(first.port);
      await connection.call('BGREWRITEAOF');
      while (/aof_rewrite_in_progress:1/.test(String(await connection.call('INFO', 'persistence'))))
        await sleep(20);
      connection.close();
      await countToHundred(second.port);
    }
    await first.kill();
    await second.kill();
    const failure = await first.start().catch((error) => error);
    if (failure instanceof Error) return 'both serve; afterwards no server starts on the directory';
    const connection = await Connection.open(first.port);
    const counter = await connection.call('GET', 'counter');
    connection.close();
    const told = rewriting ? 'told 100 by the first and 200 by the second' : 'told 100 by each';
    return `both serve; clients were ${told}; after a restart the counter is ${counter}`;
  } finally {
    await first.kill();
    if (!(second instanceof Error)) await second.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {number} port */
async function countToHundred(port) {
  const connection = await Connection.open(port);
  for (let i = 0; i < 100; i++) await connection.call('INCR', 'counter');
  connection.close();
}

/**
 * Starts Redis where it cannot work.
 *
 * @param {string} dir
 * @param {string[]} launcher
 */
async function refusedStart(dir, launcher) {
  const port = await freePort();
  const [program, ...args] = [...launcher, 'redis-server', '--port', String(port), '--save', ''];
  const child = spawn(/** @type {string} */ (program), [...args, '--appendonly', 'yes', '--dir', dir]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  const patience = setTimeout(() => child.kill('SIGKILL'), 5000);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(patience);
  const message = output
    .split('\n')
    .find((line) => /can't|denied|failed|not a directory|read-only/i.test(line));
  return `exit code ${code ?? 'none within 5 s'}, "${(message ?? output.slice(-200)).replace(/^.* # /, '').trim()}"`;
}

/** @param {(line: string) => void} print */
async function directories(print) {
  const root = newDirectory();
  chmodSync(root, 0o755);
  const nobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const file = join(root, 'file');
  writeFileSync(file, 'somebody else owns this');
  const foreign = join(root, 'foreign');
  mkdirSync(foreign, { mode: 0o755 });
  const readOnly = join(root, 'read-only');
  mkdirSync(readOnly, { mode: 0o555 });
  chownSync(readOnly, Number(NOBODY), Number(NOBODY));
  const used = join(root, 'used');
  mkdirSync(used, { mode: 0o755 });
  await use(used);
  print(`a directory that is a file: ${await refusedStart(file, [])}`);
  print(`somebody else's empty directory: ${await refusedStart(foreign, nobody)}`);
  print(`a read-only directory: ${await refusedStart(readOnly, nobody)}`);
  print(`somebody else's data: ${await refusedStart(used, nobody)}`);
  rmSync(root, { recursive: true, force: true });
}

/** @param {(line: string) => void} print called with a line for each case */
export async function failDisk(print) {
  for (const policy of policies) {
    for (const code of ['EIO', 'ENOSPC']) {
      print(`${policy}: eleven writes fail with ${code}: ${await failedWrites(policy, code)}`);
    }
    print(`${policy}: a write cut short at prlimit --fsize: ${await shortWrite(policy)}`);
    print(`${policy}: a full tmpfs that has room again: ${await fullDisk(policy, true)}`);
    print(`${policy}: killed while a tmpfs is full: ${await fullDisk(policy, false)}`);
  }
}

/** @param {(line: string) => void} print called with a line for each case */
export async function contendForDirectory(print) {
  print(`two servers, one directory: ${await twoServers(false)}`);
  print(`two servers, and the first rewrites its log: ${await twoServers(true)}`);
  await directories(print);
}
