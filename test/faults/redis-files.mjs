/**
 * What Redis makes of an append-only directory whose files were damaged, swapped, lost or replaced while it was
 * down: the cases that damage.test.ts makes of our segments and snapshot.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess, sleep } from '../support/server-process.mjs';
import { Connection } from './connection.mjs';

const MARKER = 'the-value-that-will-be-damaged';
/** What a client was told last, and must therefore find. */
const EXPECTED = Object.entries({
  base: MARKER,
  middle: MARKER,
  last: MARKER,
  again: 'newest',
  counter: '4',
  owner: 'this store',
});
const NAMES = EXPECTED.map(([name]) => name);

/**
 * A directory with a base file and two incremental files, as a rewrite leaves it that was interrupted.
 *
 * @typedef {object} AppendOnly
 * @property {string} dir the data directory
 * @property {string} base
 * @property {string} middle the older incremental file
 * @property {string} last the one that was written to at the end
 * @property {string} manifest
 * @property {string} before a copy of the data directory before its last rewrite
 */

/**
 * @param {string} dir made
 * @param {string} owner the value of a key, so that another store's files differ
 * @returns {Promise<AppendOnly>}
 */
async function makeAppendOnly(dir, owner) {
  const data = join(dir, 'data');
  const before = join(dir, 'before');
  mkdirSync(data, { recursive: true });
  const server = await ServerProcess.start({
    kind: 'redis',
    dir: data,
    args: ['--appendfsync', 'always', '--enable-debug-command', 'yes', '--auto-aof-rewrite-percentage', '0'],
  });
  const connection = await Connection.open(server.port);
  /** @param {string[]} command */
  const call = (...command) => connection.call(...command);
  await call('SET', 'base', MARKER);
  await call('SET', 'owner', owner);
  await call('SET', 'again', 'oldest');
  await call('INCR', 'counter');
  cpSync(data, before, { recursive: true });
  await rewrite(connection);
  await call('SET', 'middle', MARKER);
  await call('SET', 'again', 'older');
  await call('INCR', 'counter');
  await interruptedRewrite(connection, /** @type {number} */ (server.pid));
  await call('SET', 'last', MARKER);
  await call('SET', 'again', 'newest');
  await call('INCR', 'counter');
  await call('INCR', 'counter');
  connection.close();
  await server.stop();
  const folder = join(data, 'appendonlydir');
  const incremental = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
  if (incremental.length !== 2) throw new Error(`not two incremental files but ${incremental.length}`);
  const [middle, last] = incremental.sort().map((name) => join(folder, name));
  const base = readdirSync(folder).find((name) => name.includes('.base.'));
  return {
    dir: data,
    base: join(folder, /** @type {string} */ (base)),
    middle: /** @type {string} */ (middle),
    last: /** @type {string} */ (last),
    manifest: join(folder, 'appendonly.aof.manifest'),
    before,
  };
}

/** @param {Connection} connection */
async function rewrite(connection) {
  await connection.call('BGREWRITEAOF');
  while (/aof_rewrite_(in_progress|scheduled):1/.test(String(await connection.call('INFO', 'persistence')))) {
    await sleep(20);
  }
}

/**
 * Begins a rewrite and kills the child that does it: the new incremental file stays.
 *
 * @param {Connection} connection
 * @param {number} pid
 */
async function interruptedRewrite(connection, pid) {
  // Microseconds for each key: longer than it takes to find the child.
  await connection.call('CONFIG', 'SET', 'rdb-key-save-delay', '1000000');
  await connection.call('BGREWRITEAOF');
  let child = '';
  while (child === '') {
    child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    await sleep(5);
  }
  process.kill(Number(child.split(' ')[0]), 'SIGKILL');
  while (/aof_rewrite_in_progress:1/.test(String(await connection.call('INFO', 'persistence')))) {
    await sleep(20);
  }
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
  if (server instanceof Error) return `refuses to start: ${reasonIn(server.message)}`;
  const connection = await Connection.open(server.port);
  const values = await connection.ask([['MGET', ...NAMES], ['DBSIZE']]);
  connection.close();
  const warnings = server.logOfRun
    .split('\n')
    .filter((/** @type {string} */ line) => / # /.test(line) && /AOF|file/i.test(line));
  await server.kill();
  const found = /** @type {(string | null)[]} */ (values[0]);
  const wrong = EXPECTED.flatMap(([name, value], i) =>
    found[i] === value ? [] : [`${name}=${JSON.stringify(found[i])}`],
  );
  if (wrong.length === 0) return 'starts with everything';
  const said = warnings.length > 0 ? `, with ${warnings.length} warning(s)` : ', without a word';
  return `starts${said}, and serves ${wrong.join(', ')} (${values[1]} keys)`;
}

/** @param {string} log */
function reasonIn(log) {
  const lines = log.split('\n').filter((line) => / # /.test(line));
  const line = lines.find((text) => /Bad file|format|expected|corrupt|CRC|exist|AOF|short read/i.test(text));
  return (line ?? log).replace(/^.* # /, '').slice(0, 140);
}

/** @param {string} path @param {number} offset */
function flipBit(path, offset) {
  const bytes = readFileSync(path);
  bytes[offset] = /** @type {number} */ (bytes[offset]) ^ 1;
  writeFileSync(path, bytes);
}

/** @param {string} path */
const middleOf = (path) => readFileSync(path).indexOf(MARKER) + 4;

/**
 * Takes a whole command out of an incremental file, or puts it in twice.
 *
 * @param {string} path
 * @param {string} name a key that the command names
 * @param {'lose' | 'double'} deed
 */
function editCommand(path, name, deed) {
  const commands = commandsIn(path);
  const at = commands.findIndex((command) => command.includes(`\r\n${name}\r\n`));
  commands.splice(at, 1, ...(deed === 'lose' ? [] : [commands[at] ?? '', commands[at] ?? '']));
  writeFileSync(path, commands.join(''), 'latin1');
}

/** @param {string} path of an incremental file */
function commandsIn(path) {
  return readFileSync(path, 'latin1').split(/(?=\*\d+\r\n\$)/);
}

/** @param {string} one @param {string} other */
function swap(one, other) {
  renameSync(one, `${one}.aside`);
  renameSync(other, one);
  renameSync(`${one}.aside`, other);
}

/** @param {string} path */
const zero = (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length));

/** @type {Record<string, Record<string, (store: AppendOnly, foreign: AppendOnly) => void>>} */
const GROUPS = {
  'the log': {
    'a bit of a value flipped in the older file': ({ middle }) => flipBit(middle, middleOf(middle)),
    'a bit of a length flipped in the older file': ({ middle }) =>
      flipBit(middle, readFileSync(middle).indexOf(`$${MARKER.length}`) + 2),
    '4096 zeros behind the newest file': ({ last }) => appendFileSync(last, Buffer.alloc(4096)),
    'two files swapped': ({ middle, last }) => swap(middle, last),
    'the older file in the place of the newest as well': ({ middle, last }) => cpSync(middle, last),
    'the older file zeroed': ({ middle }) => zero(middle),
    'the older file empty': ({ middle }) => truncateSync(middle, 0),
    'the newest file empty': ({ last }) => truncateSync(last, 0),
    'the older file missing': ({ middle }) => rmSync(middle),
    'the newest file missing': ({ last }) => rmSync(last),
    "another store's file in the place of the older": ({ middle }, foreign) => cpSync(foreign.last, middle),
    'a command lost from the older file': ({ middle }) => editCommand(middle, 'counter', 'lose'),
    'a command doubled in the older file': ({ middle }) => editCommand(middle, 'counter', 'double'),
  },
  'files that reappear': {
    'the incremental file from before the rewrite': ({ dir, before }) =>
      cpSync(
        join(before, 'appendonlydir/appendonly.aof.1.incr.aof'),
        join(dir, 'appendonlydir/appendonly.aof.1.incr.aof'),
      ),
  },
  'the base file': {
    'a bit of a value flipped': ({ base }) => flipBit(base, middleOf(base)),
    'a bit of its checksum flipped': ({ base }) => flipBit(base, readFileSync(base).length - 1),
    'cut short by a byte': ({ base }) => truncateSync(base, readFileSync(base).length - 1),
    zeroed: ({ base }) => zero(base),
    empty: ({ base }) => truncateSync(base, 0),
    missing: ({ base }) => rmSync(base),
    "another store's": ({ base }, foreign) => cpSync(foreign.base, base),
  },
  'older copies': {
    'the manifest from before the rewrite': ({ manifest, before }) =>
      cpSync(join(before, 'appendonlydir/appendonly.aof.manifest'), manifest),
    'the newest file without its last two commands': ({ last }) => {
      const commands = commandsIn(last);
      writeFileSync(last, commands.slice(0, -2).join(''), 'latin1');
    },
    'the whole directory from before the rewrite': ({ dir, before }) => {
      rmSync(dir, { recursive: true });
      cpSync(before, dir, { recursive: true });
    },
    'no manifest': ({ manifest }) => rmSync(manifest),
    'an empty manifest': ({ manifest }) => truncateSync(manifest, 0),
    'no append-only directory': ({ dir }) => rmSync(join(dir, 'appendonlydir'), { recursive: true }),
  },
};

/**
 * @param {(line: string) => void} print called with a line for each case
 */
export async function damageFiles(print) {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  try {
    const store = await makeAppendOnly(join(root, 'store'), 'this store');
    const foreign = await makeAppendOnly(join(root, 'foreign'), 'another store');
    print(`nothing damaged: ${await outcome(store.dir)}`);
    for (const [group, cases] of Object.entries(GROUPS)) {
      for (const [name, damage] of Object.entries(cases)) {
        const copy = join(root, 'copy');
        cpSync(store.dir, copy, { recursive: true });
        damage(moved(store, copy), foreign);
        print(`${group}: ${name}: ${await outcome(copy)}`);
        rmSync(copy, { recursive: true });
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/**
 * The same store in another place.
 *
 * @param {AppendOnly} store
 * @param {string} dir
 * @returns {AppendOnly}
 */
function moved(store, dir) {
  const there = (/** @type {string} */ path) => path.replace(store.dir, dir);
  return {
    dir,
    base: there(store.base),
    middle: there(store.middle),
    last: there(store.last),
    manifest: there(store.manifest),
    before: store.before,
  };
}
