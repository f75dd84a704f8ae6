/**
 * The unmodified server, or redis-server, under strace, which makes one of its system calls fail or kills it there.
 *
 * strace counts calls per thread, so the thread pool is cut to one thread, and with paths given it counts only
 * the calls that concern one of them. (Not with --seccomp-bpf: there it injects nothing.)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, sleep } from '../support/server-process.mjs';

const program = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));
const readyLine = 'Ready to accept connections';

/** Whatever ends this process ends what it started. @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set();
process.on('exit', () => {
  for (const child of alive) killGroup(child);
});

/** @param {import('node:child_process').ChildProcess} child the leader of its group */
function killGroup({ pid }) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // They have ended already, which is what was wanted.
  }
}

/**
 * @typedef {object} TraceOptions
 * @property {string} dir
 * @property {string} trace strace's -e trace=, such as `pwrite64,fdatasync`
 * @property {string} [inject] strace's -e inject=, such as `pwrite64:signal=SIGKILL:when=3`
 * @property {readonly string[]} [paths] only calls that concern these files
 * @property {string} [output] a file for the trace itself
 * @property {boolean} [decodePaths] name the file behind each descriptor in the trace
 * @property {readonly string[]} [args] of the server
 * @property {import('../support/server-process.mjs').ServerKind} [kind] Holdfast unless told otherwise
 */

export class TracedServer {
  /** @type {import('node:child_process').ChildProcess} */
  #child;
  /** @type {Promise<unknown>} */
  #spawned;
  port;
  log = '';
  hasEnded = false;
  /** @type {Promise<void>} */
  ended;

  /**
   * @param {TraceOptions} options
   * @param {number} port
   */
  constructor(options, port) {
    const { dir, trace, inject, paths = [], output = '/dev/null', decodePaths, args = [] } = options;
    this.port = port;
    const strace = ['-f', '-qq', '-o', output, '-e', `trace=${trace}`];
    if (decodePaths) strace.push('-y');
    if (inject) strace.push('-e', `inject=${inject}`);
    for (const path of paths) strace.push('-P', path);
    const command =
      options.kind === 'redis'
        ? ['redis-server', '--appendonly', 'yes', '--save', '']
        : [process.execPath, program];
    const server = [...command, '--port', String(port), '--dir', dir, ...args];
    this.#child = spawn('strace', [...strace, ...server], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
      // A process group of its own: strace that is killed leaves what it traced alive.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.log += text;
      });
    }
    alive.add(this.#child);
    this.#spawned = once(this.#child, 'spawn');
    this.ended = new Promise((resolve) => {
      // Where it cannot be started there is no `close`.
      for (const event of ['error', 'close']) {
        this.#child.once(event, () => {
          alive.delete(this.#child);
          this.hasEnded = true;
          resolve();
        });
      }
    });
  }

  /**
   * @param {TraceOptions} options
   * @returns {Promise<TracedServer>} rejects when strace cannot be started
   */
  static async start(options) {
    const server = new TracedServer(options, await freePort());
    await server.#spawned;
    return server;
  }

  /** @returns {Promise<boolean>} false when it ended before it served */
  async ready() {
    while (!this.log.includes(readyLine)) {
      if (this.hasEnded) return false;
      await sleep(5);
    }
    return true;
  }

  /** Kills the server and strace. */
  async kill() {
    killGroup(this.#child);
    await this.ended;
  }
}

/**
 * Every name that the log may use from now on, finished or not, and the directory they are in.
 *
 * @param {string} dir
 */
export function logPaths(dir) {
  const numbers = readdirSync(dir).map((name) => Number(/^log-(\d{10})/.exec(name)?.[1] ?? 0));
  const last = Math.max(0, ...numbers);
  const paths = [dir];
  for (let number = Math.max(1, last - 4); number < last + 40; number++) {
    const path = join(dir, `log-${String(number).padStart(10, '0')}.msgpack`);
    paths.push(path, `${path}.new`);
  }
  return paths;
}

/** @param {string} dir */
export function snapshotPaths(dir) {
  const path = join(dir, 'snapshot.sqlite');
  return [path, `${path}-wal`, `${path}-shm`, `${path}.new`, `${path}.new-wal`, `${path}.new-journal`];
}
