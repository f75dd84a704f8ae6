/**
 * One real server process under test, Holdfast or redis-server: started on a free port, waited for, stopped or
 * killed by its process id. Plain JavaScript with checked types, because the conformance and benchmark runners
 * use it without a build step; tests reach it through server.ts and redis.ts.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** @typedef {'holdfast' | 'redis'} ServerKind */

/**
 * @typedef {object} ServerOptions
 * @property {ServerKind} [kind] which program to start; Holdfast unless told otherwise
 * @property {string} dir where it keeps its data; must exist
 * @property {number} [port] TCP port on 127.0.0.1; a free one is chosen when left out
 * @property {string[]} [args] further command line arguments, after the program's own
 * @property {NodeJS.ProcessEnv} [env] environment variables added to this process's own
 * @property {string[]} [launcher] a program, and its arguments, that becomes the server: `prlimit --nofile=64`
 * @property {number} [readyTimeoutMs] how long a start may take; 30 seconds unless told otherwise
 */

const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Both servers print this line when they serve; test harnesses everywhere wait for it. */
const readyLine = 'Ready to accept connections';

const readyTimeoutMsDefault = 30_000;

/**
 * How long a process may take to exit after it was told to: a stop ends with a checkpoint and is promised
 * within ten seconds.
 */
const exitTimeoutMs = 20_000;

/**
 * Ports below the range that the kernel hands to outgoing connections (32768 and up), so that a server which
 * is down for a moment finds its port still free.
 */
const portFirst = 20_000;
const portCount = 12_000;

/** How many different ports are tried before giving up. */
const portAttempts = 50;

/** Child processes that are alive; whatever ends this process ends them too. */
const alive = /** @type {Set<number>} */ (new Set());

process.on('exit', () => {
  for (const pid of alive) killQuietly(pid, 'SIGKILL');
});

export class ServerProcess {
  /** @type {Required<ServerOptions>} */
  #options;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {Promise<number | null> | undefined} */
  #exited;
  #log = '';
  #logLengthAtStart = 0;

  /** @param {Required<ServerOptions>} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Starts a server and waits until it serves.
   *
   * @param {ServerOptions} options
   */
  static async start(options) {
    const server = new ServerProcess({
      kind: 'holdfast',
      args: [],
      env: {},
      launcher: [],
      readyTimeoutMs: readyTimeoutMsDefault,
      ...options,
      port: options.port ?? (await freePort()),
    });
    await server.start();
    return server;
  }

  get kind() {
    return this.#options.kind;
  }

  get host() {
    return '127.0.0.1';
  }

  get port() {
    return this.#options.port;
  }

  get dir() {
    return this.#options.dir;
  }

  get url() {
    return `redis://${this.host}:${this.port}`;
  }

  /** The process id, undefined while the server is down. */
  get pid() {
    return this.#child?.pid;
  }

  /** Everything every run of this server has printed, standard output and standard error together. */
  get log() {
    return this.#log;
  }

  /** What the present run (or, while it is down, the last one) has printed. */
  get logOfRun() {
    return this.#log.slice(this.#logLengthAtStart);
  }

  /**
   * Starts the server on its own directory and port, and waits until it serves.
   *
   * @returns {Promise<number>} milliseconds from the start of the process to its ready line
   */
  async start() {
    if (this.#child) throw new Error('the server is already running');
    const startedAtMs = performance.now();
    const [program, ...args] = [...this.#options.launcher, ...commandLine(this.#options)];
    const child = spawn(/** @type {string} */ (program), args, {
      cwd: this.#options.dir,
      env: { ...process.env, ...this.#options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#logLengthAtStart = this.#log.length;
    this.#exited = this.#watch(child);
    await this.#ready(child);
    return performance.now() - startedAtMs;
  }

  /** @param {import('node:child_process').ChildProcess} child */
  #watch(child) {
    const pid = child.pid;
    if (pid !== undefined) alive.add(pid);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.#log += text;
      });
    }
    return new Promise((resolve) => {
      const ended = (/** @type {number | null} */ code) => {
        if (pid !== undefined) alive.delete(pid);
        if (this.#child === child) this.#child = undefined;
        resolve(code);
      };
      child.once('error', (error) => {
        this.#log += `${error.message}\n`;
        ended(null);
      });
      child.once('close', ended);
    });
  }

  /** @param {import('node:child_process').ChildProcess} child */
  async #ready(child) {
    let exited = false;
    this.#exited?.then(() => {
      exited = true;
    });
    const deadlineMs = performance.now() + this.#options.readyTimeoutMs;
    while (!this.logOfRun.includes(readyLine)) {
      if (exited) throw new Error(`the server ended before it was ready:\n${this.logOfRun}`);
      if (performance.now() > deadlineMs) {
        child.kill('SIGKILL');
        throw new Error(
          `the server was not ready within ${this.#options.readyTimeoutMs} ms:\n${this.logOfRun}`,
        );
      }
      await sleep(5);
    }
  }

  /**
   * Asks the server to stop, as a service manager does.
   *
   * @returns {Promise<number | null>} its exit code, null when a signal ended it
   */
  stop() {
    return this.#end('SIGTERM');
  }

  /** Kills the server as a crash would, without giving it a chance to do anything. */
  kill() {
    return this.#end('SIGKILL');
  }

  /** Stops the server (when it runs) and starts it again on the same port and directory. */
  async restart() {
    await this.stop();
    return this.start();
  }

  /** Kills the server and starts it again on the same port and directory. */
  async crashAndRestart() {
    await this.kill();
    return this.start();
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const child = this.#child;
    if (!child) return null;
    child.kill(signal);
    const patience = setTimeout(() => child.kill('SIGKILL'), exitTimeoutMs);
    const code = await this.#exited;
    clearTimeout(patience);
    return code ?? null;
  }
}

/**
 * @param {Required<ServerOptions>} options
 * @returns {string[]} program and arguments
 */
function commandLine({ kind, port, dir, args }) {
  const common = ['--port', String(port), '--dir', dir];
  if (kind === 'holdfast') {
    // The file itself and not `node FILE`: its first line also sets how memory is allocated.
    return [`${repositoryRoot}bin/holdfast`, ...common, ...args];
  }
  // Only the append-only file, so that both servers promise the same and neither forks to save snapshots.
  return ['redis-server', ...common, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', ...args];
}

/** A TCP port on 127.0.0.1 that nothing listens on at this moment. */
export async function freePort() {
  for (let attempt = 0; attempt < portAttempts; attempt++) {
    const port = portFirst + Math.floor(Math.random() * portCount);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found in ${portAttempts} attempts`);
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** @param {number} durationMs */
export function sleep(durationMs) {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
function killQuietly(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It has already ended, which is what was wanted.
  }
}
