/**
 * Real power cuts: an ext4 image on a loop device is shut down under the writing server (EXT4_IOC_SHUTDOWN
 * without flushing the journal), so that whatever had not been forced to the disk is gone. Then unmount, mount,
 * start, compare: under `always` nothing that was acknowledged or that another client has seen may be lost;
 * under `everysec` a suffix at most.
 *
 *   npm run build && node test/faults/power-cut.mjs --cuts 50 --policy always --seed 1     (as root)
 *
 * With `--server redis` Redis is put through the same.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { SMALL_CHECKPOINTS } from './marathon.mjs';
import { cloneState } from './model.mjs';
import { Random } from './random.mjs';
import { checkTotal, makeWriters, SHARED_DATABASE, settleAll, totalTally } from './workload.mjs';

const CLIENTS = 8;
const IMAGE_MEGABYTES = 256;
const UNMOUNT_ATTEMPTS = 40;

/** As often as ours is checkpointed, so that the power goes while the append-only file is rewritten. */
const FREQUENT_REWRITES = ['--auto-aof-rewrite-min-size', '64kb', '--auto-aof-rewrite-percentage', '50'];

/**
 * Python makes the call because Node has no ioctl: 0x8004587D is EXT4_IOC_SHUTDOWN, 2 is NOLOGFLUSH. It is started
 * beforehand and waits for a line, so that the clients write until the very moment; it prints that moment.
 *
 * The processor stops before the disk does, as when the power goes: every thread of the server is stopped, or
 * inside a system call that it will never return from. A server that lived on would be told lies that no real
 * disk tells: a trace showed an fdatasync, overtaken by the shutdown, return 0 for what was then lost.
 */
const SHUT_DOWN = `
import fcntl, os, signal, struct, sys, time
disk = os.open(sys.argv[1], os.O_RDONLY)
server = int(sys.argv[2])
def states():
    for thread in os.listdir(f'/proc/{server}/task'):
        with open(f'/proc/{server}/task/{thread}/stat') as stat:
            yield stat.read().rsplit(')', 1)[1].split()[0]
print('armed', flush=True)
sys.stdin.readline()
os.kill(server, signal.SIGSTOP)
while any(state not in 'TD' for state in states()):
    pass
fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))
print(int(time.time() * 1000), flush=True)
`;

/** A small disk that can lose its power. */
export class Disk {
  #folder = mkdtempSync(join(tmpdir(), 'holdfast-power-'));
  #image = join(this.#folder, 'image');
  path = join(this.#folder, 'disk');

  /** @throws Error where file systems cannot be made and mounted */
  constructor() {
    try {
      execFileSync('truncate', ['-s', `${IMAGE_MEGABYTES}M`, this.#image]);
      execFileSync('mkfs.ext4', ['-q', '-F', this.#image]);
      mkdirSync(this.path);
      this.mount();
    } catch (error) {
      rmSync(this.#folder, { recursive: true, force: true });
      throw error;
    }
  }

  mount() {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path], { stdio: 'pipe' });
  }

  /**
   * Prepares a cut.
   *
   * @param {number} server process id; it is stopped for good
   *
   * @returns {Promise<() => Promise<number>>} cuts the power: nothing reaches the disk afterwards, and every fsync
   *   fails; resolves to the moment, Unix ms
   */
  async arm(server) {
    const child = spawn('python3', ['-c', SHUT_DOWN, this.path, String(server)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    while (!output.includes('armed')) {
      if (child.exitCode !== null) throw new Error('the power cannot be cut');
      await sleep(2);
    }
    return async () => {
      child.stdin.end('now\n');
      await ended;
      return Number(output.split('\n')[1]);
    };
  }

  /** Waits for a child process of the server that has not noticed yet that its disk is gone. */
  async unmount() {
    for (let attempt = 1; ; attempt++) {
      try {
        execFileSync('umount', [this.path], { stdio: 'pipe' });
        return;
      } catch (error) {
        if (attempt === UNMOUNT_ATTEMPTS) throw error;
        await sleep(50);
      }
    }
  }

  dispose() {
    try {
      execFileSync('umount', ['-l', this.path], { stdio: 'ignore' });
    } catch {
      // It was not mounted.
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * @typedef {object} CutsResult
 * @property {number} cuts
 * @property {number} lossyCuts cuts after which something acknowledged was gone (everysec)
 * @property {number} oldestLostMs how long before the cut the oldest lost write had been acknowledged
 * @property {import('./workload.mjs').Tally} tally
 * @property {number} observations values that another client had read, and that were there afterwards
 * @property {string[]} problems
 */

/**
 * @param {object} options
 * @param {number} options.cuts
 * @param {'always' | 'everysec'} options.policy
 * @param {number} options.seed
 * @param {import('../support/server-process.mjs').ServerKind} [options.kind]
 * @param {(result: CutsResult) => void} [options.onCut]
 * @returns {Promise<CutsResult>}
 */
export async function runPowerCuts({ cuts, policy, seed, kind = 'holdfast', onCut }) {
  const random = new Random(seed);
  const holdfast = kind === 'holdfast';
  const writers = makeWriters(CLIENTS, {
    seed,
    fieldExpiry: holdfast,
    rememberAnswers: policy === 'everysec',
    refusalsAreOpen: true,
    largestValue: 5000,
  });
  /** @type {CutsResult} */
  const result = {
    cuts: 0,
    lossyCuts: 0,
    oldestLostMs: 0,
    tally: totalTally([]),
    observations: 0,
    problems: [],
  };
  const disk = new Disk();
  const dir = join(disk.path, 'data');
  // Redis makes no directory, and must not lose one that it could not have known to be new.
  if (!holdfast) await makeDurableDirectory(disk, dir);
  const args = ['--dir', dir, '--appendfsync', policy, ...(holdfast ? SMALL_CHECKPOINTS : FREQUENT_REWRITES)];
  const server = await ServerProcess.start({ kind, dir: tmpdir(), args });
  try {
    while (result.cuts < cuts && result.problems.length === 0) {
      const before = writers.map(({ state }) => cloneState(state));
      const { observed, cutAtMs } = await writeAndCut(server, writers, disk, random);
      await disk.unmount();
      disk.mount();
      result.cuts++;
      const failure = await server.start().catch((error) => error);
      if (failure instanceof Error) result.problems.push(`no start: ${failure.message}`);
      else if (policy === 'always') {
        result.problems.push(...(await settleAll(server.port, writers)));
        result.problems.push(...(await unseen(server.port, observed)));
        result.observations++;
      } else await settleLoss(server.port, writers, before, cutAtMs, result);
      result.tally = totalTally(writers);
      onCut?.(result);
    }
  } finally {
    await server.kill();
    disk.dispose();
  }
  return result;
}

/**
 * @param {Disk} disk
 * @param {string} dir
 */
async function makeDurableDirectory(disk, dir) {
  mkdirSync(dir);
  await disk.unmount();
  disk.mount();
}

/**
 * @param {ServerProcess} server
 * @param {import('./workload.mjs').Writer[]} writers
 * @param {Disk} disk
 * @param {Random} random
 */
async function writeAndCut(server, writers, disk, random) {
  const window = random.pick([1, 4, 16]);
  const running = writers.map((writer) => writer.run(server.port, { window }));
  const observer = await observe(server.port);
  const cut = await disk.arm(/** @type {number} */ (server.pid));
  await sleep(200 + random.below(1500));
  const cutAtMs = await cut();
  await server.kill();
  await Promise.all(running);
  return { observed: observer.total(), cutAtMs };
}

/**
 * Another client reads the counter that all clients share, over and over.
 *
 * @param {number} port
 */
async function observe(port) {
  const connection = await Connection.open(port);
  await connection.call('SELECT', String(SHARED_DATABASE));
  let highest = 0;
  const next = () => connection.send([['GET', 'total']], take);
  const take = (/** @type {import('./connection.mjs').Reply} */ reply) => {
    highest = Math.max(highest, Number(reply ?? 0) || 0);
    next();
  };
  next();
  return { total: () => highest };
}

/**
 * @param {number} port
 * @param {number} observed
 */
async function unseen(port, observed) {
  const connection = await Connection.open(port);
  await connection.call('SELECT', String(SHARED_DATABASE));
  const total = Number((await connection.call('GET', 'total')) ?? 0);
  connection.close();
  return total >= observed ? [] : [`another client had read ${observed}, now it is ${total}`];
}

/**
 * @param {number} port
 * @param {import('./workload.mjs').Writer[]} writers
 * @param {import('./model.mjs').State[]} before
 * @param {number} cutAtMs
 * @param {CutsResult} result
 */
async function settleLoss(port, writers, before, cutAtMs, result) {
  const connection = await Connection.open(port);
  let lost = 0;
  for (let i = 0; i < writers.length; i++) {
    const writer = /** @type {import('./workload.mjs').Writer} */ (writers[i]);
    const state = /** @type {import('./model.mjs').State} */ (before[i]);
    const { problems, lostSteps, lostMs } = await writer.settleSuffix(connection, state, cutAtMs);
    result.problems.push(...problems);
    result.oldestLostMs = Math.max(result.oldestLostMs, lostMs);
    lost += lostSteps;
  }
  if (lost > 0) result.lossyCuts++;
  result.problems.push(...(await checkTotal(connection, writers)));
  connection.close();
}

/**
 * @param {string} policy
 * @param {CutsResult} result
 */
export function describeCuts(policy, { cuts, lossyCuts, oldestLostMs, tally, problems }) {
  const loss =
    policy === 'always'
      ? 'nothing acknowledged or observed may be missing'
      : `${lossyCuts} cuts cost acknowledged writes, the oldest acknowledged ${oldestLostMs} ms before the cut`;
  return `${policy}: ${cuts} power cuts, ${tally.acknowledged} steps acknowledged; ${loss}; ${problems.length} problems`;
}

async function main() {
  const { values } = parseArgs({
    options: {
      cuts: { type: 'string', default: '50' },
      policy: { type: 'string', default: 'always' },
      seed: { type: 'string', default: '1' },
      server: { type: 'string', default: 'holdfast' },
    },
  });
  const policy = values.policy === 'everysec' ? 'everysec' : 'always';
  const result = await runPowerCuts({
    cuts: Number(values.cuts),
    policy,
    seed: Number(values.seed),
    kind: values.server === 'redis' ? 'redis' : 'holdfast',
    onCut: (state) => process.stderr.write(process.stderr.isTTY ? `\r${describeCuts(policy, state)}` : ''),
  });
  process.stderr.write(process.stderr.isTTY ? '\n' : '');
  process.stdout.write(`${describeCuts(policy, result)}\n`);
  for (const problem of result.problems) process.stdout.write(`  ${problem}\n`);
  if (result.problems.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
