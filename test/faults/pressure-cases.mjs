/**
 * The cases of pressure.mjs. Each presses one server, pings it meanwhile, kills it, starts it again, and compares
 * what is there with what was acknowledged.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';
import { SMALL_CHECKPOINTS } from './marathon.mjs';
import { Child } from './pressure-child.mjs';
import {
  forgetPeak,
  inMegabytes,
  openDescriptors,
  Pinger,
  peakBytes,
  processorSeconds,
  residentBytes,
} from './pressure-observe.mjs';
import { makeWriters, settleAll, totalTally } from './workload.mjs';

/** @typedef {import('./pressure-observe.mjs').Report} Report */
/** @typedef {import('../support/server-process.mjs').ServerKind} ServerKind */

/**
 * @typedef {object} Scene
 * @property {ServerKind} kind
 * @property {string} dir
 * @property {string} policy of appendfsync
 * @property {Report} report
 */

/**
 * @typedef {object} Running
 * @property {ServerProcess} server
 * @property {Pinger} pinger started
 * @property {Connection} control for questions
 * @property {number} pid of the server
 */

/** Where the cases and pressure-crowd.mjs keep their keys: the writers use 0 to 7, and flush them, and 15. */
const OWN_DATABASE = '14';
const TOO_MANY_CLIENTS = '-ERR max number of clients reached\r\n';
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
const MEGABYTE = 1024 * 1024;
/** How long something is waited for that should come at once. */
const PATIENCE_MS = 30_000;
/** A checkpoint that failed waits up to a minute for its next attempt, and may have failed just before the room came. */
const CHECKPOINT_PATIENCE_MS = 90_000;

/**
 * @param {Scene} scene
 * @param {{ args?: string[], launcher?: string[] }} options
 * @param {(running: Running) => Promise<void>} press
 */
async function withServer({ kind, dir, policy }, { args = [], launcher = [] }, press) {
  const server = await ServerProcess.start({ kind, dir, launcher, args: ['--appendfsync', policy, ...args] });
  const pinger = new Pinger();
  try {
    await pinger.start(server.port);
    const control = await Connection.open(server.port);
    await press({ server, pinger, control, pid: /** @type {number} */ (server.pid) });
    control.close();
  } catch (error) {
    throw new Error(`${error}; the server said:\n${server.logOfRun}`, { cause: error });
  } finally {
    await pinger.end();
    await server.kill();
  }
}

/**
 * @param {string} script of this folder
 * @param {(child: Child) => Promise<void>} use
 */
async function withChild(script, use) {
  const child = new Child(new URL(script, import.meta.url));
  try {
    await use(child);
  } finally {
    await child.end();
  }
}

/**
 * @param {() => boolean | Promise<boolean>} condition
 * @param {number} [patienceMs]
 * @returns {Promise<boolean>} whether it came true in time
 */
async function comesTrue(condition, patienceMs = PATIENCE_MS) {
  const deadlineMs = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) return false;
    await sleep(20);
  }
  return true;
}

/**
 * @param {Connection} control
 * @param {string} field
 */
async function info(control, field) {
  return new RegExp(`^${field}:(.*)\r$`, 'm').exec(String(await control.call('INFO', 'everything')))?.[1];
}

/**
 * @param {number} port
 * @param {readonly (readonly [key: string, value: string])[]} pairs
 * @param {string} [database]
 * @returns {Promise<number>} how many of the keys have another value, or none
 */
async function countDifferent(port, pairs, database = '0') {
  const connection = await Connection.open(port);
  await connection.call('SELECT', database);
  let different = 0;
  for (let first = 0; first < pairs.length; first += 1000) {
    const slice = pairs.slice(first, first + 1000);
    const values = await connection.ask(slice.map(([key]) => ['GET', key]));
    different += slice.filter(([, value], i) => values[i] !== value).length;
  }
  connection.close();
  return different;
}

/**
 * `count` connections at once, each of which writes and reads; then more than maxclients allows.
 *
 * @param {Scene} scene
 * @param {{ count: number, idleMs: number }} options
 */
export async function connections(scene, { count, idleMs }) {
  const { report } = scene;
  // Two more: the one that pings, and the one that asks.
  const args = ['--maxclients', String(count + 2)];
  await withServer(scene, { args }, async ({ server, pinger, control, pid }) => {
    await withChild('pressure-crowd.mjs', async (crowd) => {
      const { port } = server;
      const before = residentBytes(pid);
      const connected = await crowd.call('open', { port, count });
      report.expect('connections that wrote and read back', connected, count);
      report.ping(`while ${count} connect`, await pinger.take());
      report.figure(
        'memory of a connection',
        `${((residentBytes(pid) - before) / count / 1024).toFixed(1)} KiB`,
      );
      await sleep(idleMs);
      report.ping('while they are open', await pinger.take());
      report.expect('clients connected', await info(control, 'connected_clients'), String(count + 2));
      report.expect('that wrote at once', await crowd.call('write', { round: 1 }), count);
      report.ping('while all write at once', await pinger.take());
      const order = { port, count: 200, patienceMs: PATIENCE_MS };
      const { refusals, closed } = await crowd.call('beRefused', order);
      report.expect('refusals', new Set(refusals).size === 1 && refusals[0], TOO_MANY_CLIENTS);
      report.expect('refused and closed', closed, 200);
      report.expect('that wrote after others were refused', await crowd.call('write', { round: 2 }), count);
      report.ping('while 200 more are refused and all write', await pinger.take());
    });
    await server.crashAndRestart();
    const pairs = Array.from({ length: count }, (_, i) => crowdPair(i, 2));
    report.expect('keys lost by kill -9', await countDifferent(server.port, pairs, OWN_DATABASE), 0);
  });
}

/**
 * As pressure-crowd.mjs writes them.
 *
 * @param {number} number
 * @param {number} round
 * @returns {[key: string, value: string]}
 */
function crowdPair(number, round) {
  return [`crowd:${number}`, `value ${round} of ${number}`];
}

/** Eight clients that write until they are stopped or cut off, with all that the marathon's oracle checks. */
class Writing {
  #writers;
  /** @type {Promise<void>[]} */
  #running = [];
  #stop = () => {};

  /** @param {Scene} scene */
  constructor({ kind }) {
    this.#writers = makeWriters(8, { seed: 1, fieldExpiry: kind === 'holdfast' });
  }

  get acknowledged() {
    return totalTally(this.#writers).acknowledged;
  }

  get refused() {
    return totalTally(this.#writers).refused;
  }

  /** @param {number} port */
  start(port) {
    /** @type {Promise<void>} */
    const until = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#running = this.#writers.map((writer) => writer.run(port, { window: 8, until }));
  }

  /** Everything that was sent is answered, and the clients are gone. */
  async stop() {
    this.#stop();
    await this.ended();
  }

  async ended() {
    await Promise.all(this.#running);
  }

  /** @param {number} port @returns {Promise<string[]>} what is not as it must be */
  compare(port) {
    return settleAll(port, this.#writers);
  }
}

/**
 * Kills the server under the writers, starts it again, and compares.
 *
 * @param {Scene} scene
 * @param {ServerProcess} server
 * @param {Writing} writing
 */
async function killAndCompare({ report }, server, writing) {
  await server.kill();
  await writing.ended();
  await server.start();
  report.figure('steps acknowledged', writing.acknowledged);
  report.problems.push(...(await writing.compare(server.port)));
}

/**
 * Writes are acknowledged, and segments and checkpoints follow each other.
 *
 * @param {Scene} scene
 * @param {Connection} control
 * @param {Writing} writing
 */
async function goesOn(scene, control, writing) {
  const { report } = scene;
  const { acknowledged } = writing;
  const before = await position(scene, control);
  report.must('writes go on', await comesTrue(() => writing.acknowledged > acknowledged + 100));
  if (scene.kind !== 'holdfast') return;
  const moved = async () => {
    const { segment, checkpointed } = await position(scene, control);
    return segment > before.segment + 1 && checkpointed > before.checkpointed;
  };
  report.must('segments and checkpoints follow each other', await comesTrue(moved, CHECKPOINT_PATIENCE_MS));
}

/**
 * @param {Scene} scene
 * @param {Connection} control
 * @returns the number of the newest segment, and the last group in the snapshot
 */
async function position({ dir }, control) {
  const segments = readdirSync(dir).map((name) => Number(/^log-(\d{10})/.exec(name)?.[1] ?? 0));
  return {
    segment: Math.max(0, ...segments),
    checkpointed: Number(await info(control, 'holdfast_checkpointed_seq')),
  };
}

/** What a server may use of a processor while only one client pings it. */
const RESTING_SHARE = 0.5;

const RESTING = 'share of a processor used while only PING comes';

/**
 * What a server uses of a processor that has nothing to do but to answer PING: a loop that keeps failing to accept
 * shows.
 *
 * @param {number} pid
 * @param {Promise<unknown>} attempts connections that are tried meanwhile
 */
async function processorShare(pid, attempts) {
  const [beforeSeconds, startedMs] = [processorSeconds(pid), performance.now()];
  await Promise.all([attempts, sleep(1000)]);
  const share = (processorSeconds(pid) - beforeSeconds) / ((performance.now() - startedMs) / 1000);
  return Math.round(share * 100) / 100;
}

/**
 * @param {Child} crowd
 * @param {Report} report
 * @param {{ port: number, count: number, patienceMs: number }} order
 * @returns {Promise<number>} how many were closed
 */
async function refusedOrClosed(crowd, report, order) {
  const { refusals, closed } = await crowd.call('beRefused', order);
  const others = refusals.filter((/** @type {string} */ text) => text !== '' && text !== TOO_MANY_CLIENTS);
  report.expect('answers to who could not be accepted', others, []);
  return closed;
}

/**
 * More clients than the descriptors that the process was started with.
 *
 * @param {Scene} scene
 * @param {{ limit: number, rounds: number }} options `rounds` of that many more clients, one after the other
 */
export async function descriptorsUsedUp(scene, { limit, rounds }) {
  const { report } = scene;
  const launcher = ['prlimit', `--nofile=${limit}:${limit}`];
  const args = scene.kind === 'holdfast' ? SMALL_CHECKPOINTS : [];
  await withServer(scene, { args, launcher }, async ({ server, pinger, control, pid }) => {
    const { port } = server;
    const writing = new Writing(scene);
    writing.start(port);
    await withChild('pressure-crowd.mjs', async (crowd) => {
      const accepted = await crowd.call('open', { port, count: limit });
      report.must('some are accepted and some are not', accepted > 0 && accepted < limit);
      report.expect('those accepted stay', await crowd.call('countOpen'), accepted);
      report.figure(
        `clients accepted with ${limit} descriptors`,
        (await info(control, 'connected_clients')) ?? '',
      );
      const extra = { port, count: limit, patienceMs: PATIENCE_MS };
      for (let round = 0; round < rounds; round++) {
        const closed = await refusedOrClosed(crowd, report, extra);
        report.expect('refused or closed', closed, limit);
      }
      await goesOn(scene, control, writing);
      report.ping('while more clients connect than there are descriptors', await pinger.take());
      await writing.stop();
      // Some find a place that a writer has left, and stay.
      const attempts = refusedOrClosed(crowd, report, { port, count: 20, patienceMs: 1000 });
      const share = await processorShare(pid, attempts);
      report.figure(RESTING, share);
      report.must('the server rests when nobody asks anything', share < RESTING_SHARE);
      await crowd.call('close', { count: limit });
      const isEmpty = async () => (await info(control, 'connected_clients')) === '2';
      report.must('all of them have left', await comesTrue(isEmpty));
      writing.start(port);
      const again = await crowd.call('open', { port, count: 50 });
      report.expect('accepted again after clients have left', again, 50);
    });
    await killAndCompare(scene, server, writing);
  });
}

/**
 * No descriptor is to be had at all, for clients or for files: the limit is lowered under the server, as if the
 * program it is part of had used up the rest.
 *
 * @param {Scene} scene
 * @param {{ shortageMs: number }} options
 */
export async function noDescriptorLeft(scene, { shortageMs }) {
  const { report } = scene;
  const args = scene.kind === 'holdfast' ? SMALL_CHECKPOINTS : [];
  await withServer(scene, { args }, async ({ server, pinger, control, pid }) => {
    const { port } = server;
    const writing = new Writing(scene);
    writing.start(port);
    await comesTrue(() => writing.acknowledged > 100);
    await withChild('pressure-crowd.mjs', async (crowd) => {
      const limit = lowerDescriptorLimit(pid);
      // Whoever waited to be accepted has what there was; a checkpoint's thread that ends leaves some later.
      const useUp = async () => {
        const free = limit - openDescriptors(pid).length;
        if (free <= 0) return true;
        // A file may have been faster: the client that is left waiting then is not waited for.
        const opening = crowd.call('open', { port, count: free }).catch(() => {});
        await Promise.race([opening, sleep(1000)]);
        return false;
      };
      report.must('every descriptor is used', await comesTrue(useUp));
      await pinger.take();
      const before = writing.acknowledged;
      // Closed at once, or left waiting until there is a descriptor again: both are no answer.
      const order = { port, count: 20, patienceMs: 1000 };
      report.figure('of 20 clients closed', await refusedOrClosed(crowd, report, order));
      for (const endMs = Date.now() + shortageMs; Date.now() < endMs; await sleep(20)) await useUp();
      const acknowledged = writing.acknowledged - before;
      report.must('writes are acknowledged without a descriptor', acknowledged > 100);
      report.figure('steps acknowledged during the shortage', acknowledged);
      report.must('every descriptor is still used', await comesTrue(useUp));
      report.ping('without a descriptor', await pinger.take());
      await writing.stop();
      report.figure(RESTING, await processorShare(pid, refusedOrClosed(crowd, report, order)));
    });
    writing.start(port);
    await goesOn(scene, control, writing);
    await killAndCompare(scene, server, writing);
  });
}

/** What clients are to take and to give back: as many as a checkpoint, the next segment and the writers need. */
const DESCRIPTORS_BESIDES = 40;

/**
 * To little more than what is open now.
 *
 * @param {number} pid
 * @returns {number} the limit
 */
function lowerDescriptorLimit(pid) {
  const limit = Math.max(...openDescriptors(pid)) + 1 + DESCRIPTORS_BESIDES;
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  return limit;
}

/**
 * maxmemory is reached and nothing may be evicted.
 *
 * @param {Scene} scene
 * @param {{ megabytes: number, durationMs: number }} options how much data, and how long clients write at the limit
 */
export async function memoryUsedUp(scene, { megabytes, durationMs }) {
  const { report } = scene;
  const args = ['--maxmemory', `${megabytes}mb`];
  await withServer(scene, { args }, async ({ server, pinger, control, pid }) => {
    await control.call('SELECT', OWN_DATABASE);
    const filling = await fill(control);
    report.expect('the reply to the write that found no room', filling.refusal, OUT_OF_MEMORY);
    report.must('there was room for some', filling.pairs.length > megabytes * 10);
    report.expect('a read', await control.call('GET', filling.pairs[0]?.[0] ?? ''), filling.pairs[0]?.[1]);
    await pinger.take();
    const writing = new Writing(scene);
    writing.start(server.port);
    const kept = await makeRoomNowAndThen(control, filling.pairs, durationMs);
    report.ping('while clients write at the limit', await pinger.take());
    report.must('some writes were refused', writing.refused > 0);
    report.must('some were acknowledged', writing.acknowledged > 0);
    report.figure('steps refused', writing.refused);
    report.figure('memory of the process at the limit', inMegabytes(residentBytes(pid)));
    await killAndCompare(scene, server, writing);
    report.expect('keys lost by kill -9', await countDifferent(server.port, kept, OWN_DATABASE), 0);
  });
}

/**
 * @param {Connection} control
 * @returns what was written, and the reply to what could not be
 */
async function fill(control) {
  /** @type {[string, string][]} */
  const pairs = [];
  for (let i = 0; ; i++) {
    /** @type {[string, string]} */
    const pair = [`fill:${i}`, `${i}:${'x'.repeat(20_000)}`];
    const [reply] = await control.ask([['SET', ...pair]]);
    if (reply instanceof Error) return { pairs, refusal: reply.message };
    pairs.push(pair);
  }
}

/**
 * DEL goes on when writes do not, and lets some through.
 *
 * @param {Connection} control
 * @param {[string, string][]} pairs
 * @param {number} durationMs
 * @returns what is left of the pairs
 */
async function makeRoomNowAndThen(control, pairs, durationMs) {
  const left = [...pairs];
  for (const deadlineMs = Date.now() + durationMs; Date.now() < deadlineMs; ) {
    const [key] = /** @type {[string, string]} */ (left.pop());
    await control.call('DEL', key);
    await sleep(100);
  }
  return left;
}

/** Keys of each client in `evictionGoesOn`; several times as many as there is room for. */
const KEYS_PER_CLIENT = 10_000;
const EVICTED_VALUE_BYTES = 1000;

/** A client that sets its keys in turn, and knows which versions of each may be there. */
class Setter {
  #number;
  /** Number of the next SET; what it sets follows from that. */
  #next = 0;
  acknowledged = 0;
  stopping = false;
  /** @type {Promise<void>} */
  ended = Promise.resolve();

  /** @param {number} number */
  constructor(number) {
    this.#number = number;
  }

  /** @param {number} port */
  async start(port) {
    const connection = await Connection.open(port);
    this.stopping = false;
    this.ended = connection.closed;
    for (let i = 0; i < 16; i++) this.#sendNext(connection);
  }

  /** @param {Connection} connection */
  #sendNext(connection) {
    const i = this.#next++;
    connection.send([['SET', this.#key(i), this.#value(i)]], () => {
      this.acknowledged++;
      if (!this.stopping) this.#sendNext(connection);
      else if (this.acknowledged === this.#next) connection.close();
    });
  }

  /** @param {number} i */
  #key(i) {
    return `evict:${this.#number}:${i % KEYS_PER_CLIENT}`;
  }

  /** @param {number} i */
  #value(i) {
    return `${i}:${'x'.repeat(EVICTED_VALUE_BYTES)}`;
  }

  /**
   * A key may be gone, because it was evicted; what is there is what was acknowledged last, or sent after that.
   *
   * @param {Connection} connection
   * @returns {Promise<{ present: number, wrong: number }>}
   */
  async compare(connection) {
    const first = Math.max(0, this.acknowledged - KEYS_PER_CLIENT);
    const numbers = Array.from({ length: this.acknowledged - first }, (_, i) => first + i);
    const values = await connection.ask(numbers.map((i) => ['GET', this.#key(i)]));
    let present = 0;
    let wrong = 0;
    numbers.forEach((i, at) => {
      if (values[at] === null) return;
      present++;
      const isUnderWay = i + KEYS_PER_CLIENT < this.#next && values[at] === this.#value(i + KEYS_PER_CLIENT);
      if (values[at] !== this.#value(i) && !isUnderWay) wrong++;
    });
    this.#next = this.acknowledged;
    return { present, wrong };
  }
}

/**
 * Clients write several times what maxmemory allows, and what was used least recently goes.
 *
 * @param {Scene} scene
 * @param {{ megabytes: number, durationMs: number }} options
 */
export async function evictionGoesOn(scene, { megabytes, durationMs }) {
  const { report } = scene;
  const limit = ['--maxmemory', `${megabytes}mb`, '--maxmemory-policy', 'allkeys-lru'];
  const args = [...limit, '--enable-debug-command', 'yes'];
  await withServer(scene, { args }, async ({ server, pinger, control, pid }) => {
    const setters = Array.from({ length: 8 }, (_, i) => new Setter(i));
    await Promise.all(setters.map((setter) => setter.start(server.port)));
    await sleep(durationMs);
    const evicted = async () => Number(await info(control, 'evicted_keys'));
    report.must('keys are evicted', await comesTrue(async () => (await evicted()) > 1000));
    report.ping('while eight clients write and keys are evicted', await pinger.take());
    report.figure('memory of the process', inMegabytes(residentBytes(pid)));
    report.figure('keys evicted', await evicted());
    for (const setter of setters) setter.stopping = true;
    await Promise.all(setters.map(({ ended }) => ended));
    const before = await contents(control);
    await server.crashAndRestart();
    report.expect('digest and keys after kill -9 and a start', await contentsAt(server.port), before);

    await Promise.all(setters.map((setter) => setter.start(server.port)));
    await sleep(durationMs / 2);
    await server.crashAndRestart();
    await Promise.all(setters.map(({ ended }) => ended));
    const again = await Connection.open(server.port);
    let present = 0;
    for (const setter of setters) {
      const found = await setter.compare(again);
      present += found.present;
      report.expect('values that are not what was set last', found.wrong, 0);
    }
    again.close();
    report.figure('keys there after kill -9 while they were evicted', present);
    report.must(
      'as many keys are there as there is room for',
      present > (megabytes * MEGABYTE) / 2 / EVICTED_VALUE_BYTES,
    );
    const total = setters.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    report.figure('writes acknowledged', total);
  });
}

/** @param {Connection} connection */
async function contents(connection) {
  return { digest: await connection.call('DEBUG', 'DIGEST'), keys: await connection.call('DBSIZE') };
}

/** @param {number} port */
async function contentsAt(port) {
  const connection = await Connection.open(port);
  const found = await contents(connection);
  connection.close();
  return found;
}

/**
 * A client that asks for much and reads nothing.
 *
 * @param {Scene} scene
 * @param {{ valueBytes: number, requests: number, limit: string, durationMs: number }} options `limit` of
 *   client-output-buffer-limit for normal clients; what is asked for is several times that
 */
export async function readerThatNeverReads(scene, { valueBytes, requests, limit, durationMs }) {
  const { report } = scene;
  const args = ['--client-output-buffer-limit', `normal ${limit}`];
  await withServer(scene, { args }, async ({ server, pinger, control, pid }) => {
    const large = 'x'.repeat(valueBytes);
    await control.ask([
      ['SELECT', OWN_DATABASE],
      ['SET', 'large', large],
    ]);
    const writing = new Writing(scene);
    writing.start(server.port);
    await sleep(200);
    await pinger.take();
    forgetPeak(pid);
    const before = residentBytes(pid);
    const reader = await askAndNeverRead(server.port, requests);
    const cutOff = async () => !(await clientNames(control)).includes(READER);
    report.must('the reader is cut off', await comesTrue(cutOff));
    await sleep(durationMs);
    reader.destroy();
    report.ping('while a client asks and does not read', await pinger.take());
    report.figure('asked for', inMegabytes(valueBytes * requests));
    report.figure('memory grew at most by', inMegabytes(peakBytes(pid) - before));
    if (scene.kind === 'holdfast') {
      // Redis counts these from 7.2 on.
      report.expect('cut off for it', await info(control, 'client_output_buffer_limit_disconnections'), '1');
    }
    // Twice the limit: buffers that were outgrown wait for the garbage collector.
    const allowed = 2 * Number.parseInt(limit, 10) + 128;
    report.must(`memory grows by less than ${allowed} MB`, peakBytes(pid) - before < allowed * MEGABYTE);
    await killAndCompare(scene, server, writing);
    report.expect('the large value', await countDifferent(server.port, [['large', large]], OWN_DATABASE), 0);
  });
}

const READER = 'never-reads';

/**
 * @param {number} port
 * @param {number} requests
 * @returns {Promise<import('node:net').Socket>} everything is sent, or on its way
 */
function askAndNeverRead(port, requests) {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    // Nothing listens to 'data': Node takes one piece from the kernel and then no more, not even the end.
    socket.on('error', () => socket.destroy());
    const greeting = `CLIENT SETNAME ${READER}\r\nSELECT ${OWN_DATABASE}\r\n`;
    socket.write(greeting + '*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n'.repeat(requests));
    socket.once('connect', () => setTimeout(resolve, 200, socket));
  });
}

/** @param {Connection} control */
async function clientNames(control) {
  const list = String(await control.call('CLIENT', 'LIST'));
  return [...list.matchAll(/ name=(\S*)/g)].map(([, name]) => name);
}

/**
 * One client sends all its commands at once.
 *
 * @param {Scene} scene
 * @param {{ commands: number, mix: 'set' | 'mixed' }} options
 */
export async function longPipeline(scene, { commands, mix }) {
  const { report } = scene;
  await withServer(scene, {}, async ({ server, pinger, control, pid }) => {
    await withChild('pressure-flood.mjs', async (flood) => {
      await flood.call('prepare', { commands, mix });
      await pinger.take();
      forgetPeak(pid);
      const before = residentBytes(pid);
      const { right, receivedBytes, expectedBytes, durationMs } = await flood.call('send', {
        port: server.port,
      });
      report.ping(`while one client sends ${commands} commands at once`, await pinger.take());
      report.figure('all replies after', `${(durationMs / 1000).toFixed(2)} s`);
      report.figure('memory grew at most by', inMegabytes(peakBytes(pid) - before));
      report.must(`each reply is right and in order (${receivedBytes} of ${expectedBytes} bytes)`, right);
      const keys = mix === 'mixed' ? commands / 2 : commands;
      report.expect('keys', await control.call('DBSIZE'), keys);
      await server.crashAndRestart();
      await flood.call('prepare', { commands: keys, mix: 'get' });
      const readBack = await flood.call('send', { port: server.port });
      report.must('everything acknowledged is there after kill -9', readBack.right);
    });
  });
}
