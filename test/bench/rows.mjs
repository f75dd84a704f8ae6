/**
 * What is measured, one entry for each row of the report: what it is called, what is asked of it, which runner
 * takes it and with what. A new row is one entry here; how a kind of row is measured is in runners/.
 */
import { value } from './data.mjs';
import { countText } from './plan.mjs';

/** @typedef {import('./plan.mjs').Plan} Plan */
/** @typedef {import('./data.mjs').DataSetName} DataSetName */

/**
 * What is asked. `ratio` is Holdfast's figure over the other's; `figure` is Holdfast's own, whatever the other's
 * may be. Exactly one of the bounds is there, and it also says which direction is better.
 *
 * @typedef {object} Target
 * @property {'ratio' | 'figure'} of
 * @property {number} [atLeast]
 * @property {number} [atMost]
 */

/**
 * @typedef {object} RowBase
 * @property {string} id for `--only`
 * @property {string} measure
 * @property {string} peer what Holdfast is compared with; empty when with nothing
 * @property {Unit} unit of both figures
 * @property {Target} target
 */

/** @typedef {'/s' | 'ms' | 's' | 'bytes' | 'times'} Unit */

/**
 * @typedef {RowBase & { runner: 'throughput', policy: string, command: string[], pipeline: number,
 *   connections: number, expectedPerSecond: number, fills: DataSetName[] }} ThroughputRow
 */
/** @typedef {RowBase & { runner: 'latency' }} LatencyRow */
/** @typedef {RowBase & { runner: 'memory', dataSet: DataSetName }} MemoryRow */
/** @typedef {RowBase & { runner: 'restart', keyCount: number, after: 'stop' }} StopRow */
/** @typedef {RowBase & { runner: 'crash', logBytes: number }} CrashRow */
/** @typedef {RowBase & { runner: 'growth', command: string[] }} GrowthRow */
/** @typedef {RowBase & { runner: 'logSize' }} LogSizeRow */
/** @typedef {RowBase & { runner: 'checkpoint', keyCount: number, changes: number }} CheckpointRow */
/** @typedef {RowBase & { runner: 'expiry', figure: 'waitMs' | 'freeAfterSeconds' }} ExpiryRow */
/** @typedef {RowBase & { runner: 'inProcess', call: 'get' | 'set' }} InProcessRow */

/**
 * @typedef {ThroughputRow | LatencyRow | MemoryRow | StopRow | CrashRow | GrowthRow | LogSizeRow | CheckpointRow |
 *   ExpiryRow | InProcessRow} Row
 */

/** redis-benchmark puts a random number below the key count, padded to twelve digits, in this place. */
const random = '__rand_int__';

const key = `key:${random}`;

/** Commands as redis-benchmark is given them. */
const commands = {
  SET: ['SET', key, value],
  SETEX: ['SETEX', key, '3600', value],
  GET: ['GET', key],
  INCR: ['INCR', `counter:${random}`],
  HSET: ['HSET', `hash:${random}`, 'field', value],
  HGET: ['HGET', `hash:${random}`, 'field'],
  LPUSH: ['LPUSH', `list:${random}`, value],
  RPOP: ['RPOP', `list:${random}`],
  SADD: ['SADD', `set:${random}`, `member:${random}`],
  ZADD: ['ZADD', `zset:${random}`, random, `member:${random}`],
  MSET: ['MSET', ...Array.from({ length: 10 }, () => [key, value]).flat()],
};

/** @typedef {keyof typeof commands} CommandName */

/**
 * What must exist for a command to find what it looks for; the others make what they add to.
 *
 * @type {Partial<Record<CommandName, DataSetName>>}
 */
const fillOf = {
  SET: 'strings',
  SETEX: 'strings',
  GET: 'strings',
  MSET: 'strings',
  HSET: 'hashes',
  HGET: 'hashes',
  RPOP: 'lists',
};

/**
 * About what is expected of either server, to choose a number of requests that takes the time planned.
 *
 * @param {CommandName} command
 * @param {string} policy
 * @param {number} pipeline
 * @param {number} connections
 */
function expectedPerSecond(command, policy, pipeline, connections) {
  if (command === 'MSET') return 80_000;
  if (connections === 1) return 4000;
  if (pipeline === 1) return policy === 'always' ? 50_000 : 150_000;
  return policy === 'always' ? 400_000 : 600_000;
}

/**
 * @param {CommandName} command
 * @param {string} policy
 * @param {number} pipeline
 * @param {number} atLeast
 * @param {number} [connections]
 * @returns {ThroughputRow}
 */
function throughput(command, policy, pipeline, atLeast, connections = 50) {
  const many = connections === 50 ? '' : `-c${connections}`;
  const clients = `${connections} connection${connections === 1 ? '' : 's'}`;
  const fill = fillOf[command];
  const of = command === 'MSET' ? 'MSET of 10 keys' : command;
  return {
    runner: 'throughput',
    id: `${command.toLowerCase()}-${policy}-p${pipeline}${many}`,
    measure: `${of}, ${policy}, P=${pipeline}${connections === 50 ? '' : `, ${clients}`}`,
    peer: 'Redis',
    unit: '/s',
    target: { of: 'ratio', atLeast },
    policy,
    command: commands[command],
    pipeline,
    connections,
    expectedPerSecond: expectedPerSecond(command, policy, pipeline, connections),
    fills: fill === undefined ? [] : [fill],
  };
}

/** @returns {Row[]} */
function throughputRows() {
  return [
    throughput('SET', 'everysec', 16, 1.7),
    throughput('SET', 'everysec', 64, 1.7),
    throughput('SETEX', 'everysec', 16, 1.7),
    throughput('SETEX', 'everysec', 64, 1.7),
    throughput('SET', 'everysec', 1, 0.95),
    throughput('SETEX', 'everysec', 1, 0.95),
    throughput('GET', 'everysec', 16, 1),
    throughput('GET', 'everysec', 64, 1),
    throughput('GET', 'everysec', 1, 0.97),
    throughput('SET', 'always', 16, 1.8),
    throughput('SET', 'always', 64, 1.8),
    throughput('SET', 'always', 1, 1),
    throughput('SET', 'always', 1, 1, 400),
    throughput('SET', 'always', 1, 0.9, 1),
    throughput('INCR', 'everysec', 16, 1),
    throughput('HSET', 'everysec', 16, 1),
    throughput('HGET', 'everysec', 16, 1),
    throughput('LPUSH', 'everysec', 16, 1),
    throughput('RPOP', 'everysec', 16, 1),
    throughput('SADD', 'everysec', 16, 1),
    throughput('ZADD', 'everysec', 16, 1),
    throughput('MSET', 'everysec', 16, 1),
  ];
}

/** @param {Plan} plan @returns {Row[]} */
function serverRows({ keyCount }) {
  const count = countText(keyCount);
  return [
    {
      runner: 'latency',
      id: 'latency-checkpoint',
      measure: 'p99.9 latency of SET at half the saturating rate, during checkpoints',
      peer: 'Redis',
      unit: 'ms',
      target: { of: 'ratio', atMost: 1 },
    },
    {
      runner: 'memory',
      id: 'memory-setex',
      measure: `resident bytes per key, ${count} SETEX of 17-byte key and 64-byte value`,
      peer: 'Redis',
      unit: 'bytes',
      target: { of: 'ratio', atMost: 0.75 },
      dataSet: 'sessions',
    },
    {
      runner: 'memory',
      id: 'memory-hash',
      measure: `resident bytes per key, ${count} hashes of 5 short fields`,
      peer: 'Redis',
      unit: 'bytes',
      target: { of: 'ratio', atMost: 0.8 },
      dataSet: 'sessionHashes',
    },
  ];
}

/** @param {number} keyCount @returns {StopRow} */
function restartRow(keyCount) {
  return {
    runner: 'restart',
    id: `restart-${countText(keyCount).toLowerCase()}`,
    measure: `start to ready, ${countText(keyCount)} keys, after a clean stop`,
    peer: 'Redis',
    unit: 'ms',
    target: { of: 'ratio', atMost: 0.7 },
    keyCount,
    after: 'stop',
  };
}

/** @param {Plan} plan @returns {Row[]} */
function restartRows({ keyCount, quick }) {
  const logMebibytes = quick ? 16 : 64;
  return [
    ...(quick ? [keyCount] : [keyCount, 5_000_000]).map(restartRow),
    {
      runner: 'crash',
      id: 'restart-kill',
      measure: `start to ready after kill -9 with ${logMebibytes} MB of log`,
      peer: 'Redis',
      unit: 'ms',
      target: { of: 'ratio', atMost: 1 },
      logBytes: logMebibytes * 2 ** 20,
    },
  ];
}

/** @param {CommandName} command @returns {GrowthRow} */
function growthRow(command) {
  return {
    runner: 'growth',
    id: `growth-${command.toLowerCase()}`,
    measure: `${command}, P=16: throughput at 10M keys over that at 100k keys`,
    peer: 'Redis',
    unit: 'times',
    target: { of: 'figure', atLeast: 0.8 },
    command: commands[command],
  };
}

/** @param {Plan} plan @returns {Row[]} */
function growthRows({ keyCount, quick }) {
  const expiring = `${countText(keyCount)} keys expiring in one second`;
  return [
    ...(quick ? [] : [growthRow('SET'), growthRow('GET')]),
    {
      runner: 'logSize',
      id: 'log-size',
      measure: 'log bytes per SETEX over key + value + 16',
      peer: 'Redis',
      unit: 'times',
      target: { of: 'figure', atMost: 1.3 },
    },
    {
      runner: 'checkpoint',
      id: 'checkpoint-10k',
      measure: `checkpoint of 10k changes over ${quick ? countText(keyCount) : '5M'} keys`,
      peer: 'Redis',
      unit: 'ms',
      target: { of: 'figure', atMost: 2000 },
      keyCount: quick ? keyCount : 5_000_000,
      changes: 10_000,
    },
    {
      runner: 'expiry',
      id: 'expiry-wait',
      measure: `${expiring}: longest wait of another client`,
      peer: 'Redis',
      unit: 'ms',
      target: { of: 'figure', atMost: 20 },
      figure: 'waitMs',
    },
    {
      runner: 'expiry',
      id: 'expiry-memory',
      measure: `${expiring}: from the last deadline to free memory`,
      peer: 'Redis',
      unit: 's',
      target: { of: 'figure', atMost: 2 },
      figure: 'freeAfterSeconds',
    },
  ];
}

/** Names of the stores as the reader knows them; stores.mjs opens them by these. */
export const inProcessPeers = /** @type {const} */ (['better-sqlite3', 'lmdb', 'keyv and @keyv/sqlite']);

/** @param {'get' | 'set'} call @returns {Row[]} */
function inProcessRows(call) {
  const common = { runner: /** @type {const} */ ('inProcess'), unit: /** @type {const} */ ('/s'), call };
  const name = `in process, ${call} of a 64-byte value`;
  /** @type {Row[]} */
  const beside = inProcessPeers.map((peer) => ({
    ...common,
    id: `process-${call}-${peer.split(' ')[0]}`,
    measure: `${name}, beside ${peer}`,
    peer,
    target: { of: 'ratio', atLeast: 1 },
  }));
  if (call === 'set') return beside;
  const target = /** @type {Target} */ ({ of: 'figure', atLeast: 2_000_000 });
  return [{ ...common, id: 'process-get', measure: name, peer: '', target }, ...beside];
}

/**
 * Every row, in the order of the report.
 *
 * @param {Plan} plan
 * @returns {Row[]}
 */
export function rows(plan) {
  return [
    ...throughputRows(),
    ...serverRows(plan),
    ...restartRows(plan),
    ...growthRows(plan),
    ...inProcessRows('get'),
    ...inProcessRows('set'),
  ];
}

/**
 * The rows with these ids, or whose ids begin so where no row has the whole.
 *
 * @param {Row[]} all
 * @param {string[]} names
 * @throws when one matches nothing
 */
export function chosenRows(all, names) {
  const ids = new Set(all.map(({ id }) => id));
  const matches = (/** @type {string} */ id, /** @type {string} */ name) =>
    ids.has(name) ? id === name : id.startsWith(name);
  for (const name of names) {
    if (!all.some(({ id }) => matches(id, name))) throw new Error(`no row's name begins with '${name}'`);
  }
  return all.filter(({ id }) => names.some((name) => matches(id, name)));
}
