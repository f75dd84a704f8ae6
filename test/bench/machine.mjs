/** Where and with what a run was made. */
import { execFileSync } from 'node:child_process';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';

/**
 * @typedef {object} Circumstances
 * @property {string} date ISO, day only
 * @property {string} machine
 * @property {string} versions
 * @property {string} [pinned] processors that the servers were confined to
 */

/**
 * @param {{ pin?: string }} options
 * @returns {Circumstances}
 */
export function circumstances({ pin }) {
  const processors = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: [
      `${processors.length} x ${processors[0]?.model.trim() || 'unknown processor'}`,
      `${gibibytes} GiB of memory`,
      `data on ${fileSystem()}`,
      `${type()} ${release()}`,
    ].join(', '),
    versions: [
      `Holdfast ${commit()}`,
      `Redis ${/v=(\S+)/.exec(output('redis-server', '--version'))?.[1] ?? 'not found'}`,
      `Node.js ${process.versions.node}`,
    ].join(', '),
    ...(pin === undefined ? {} : { pinned: pin }),
  };
}

/** The kind of file system under the temporary folder: in memory, an fdatasync would cost nothing. */
function fileSystem() {
  // A heading comes first. (`stat -f` calls ext4 "ext2/ext3".)
  return output('df', '--output=fstype', tmpdir()).split('\n').at(-1) || 'an unknown file system';
}

/** The commit that is checked out, marked when what was measured differs from it. */
function commit() {
  const root = new URL('../..', import.meta.url).pathname;
  const hash = output('git', '-C', root, 'rev-parse', '--short', 'HEAD');
  if (hash === '') return 'of an unknown commit';
  const changed = output('git', '-C', root, 'status', '--porcelain', '--', 'src', 'bin', 'package.json');
  return changed === '' ? hash : `${hash} with changes`;
}

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {string} what it printed, empty when it could not be run
 */
function output(program, ...args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
