/**
 * Redis's own source, for its test suite: fetched once through apt, which checks its signatures, and kept in
 * the repository's git-ignored `.cache`. The machine's package lists and settings stay as they are: apt works
 * on copies in a private folder, so no privileges are needed either.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The release whose suite is the measure. Another release has other tests, and other numbers. */
export const redisVersion = '7.0.15';

const cacheDirectory = fileURLToPath(new URL('../../.cache', import.meta.url));

/**
 * The folder with Redis's source, fetched when it is not there yet.
 *
 * @returns {Promise<string>}
 * @throws when apt cannot offer this release, with what apt said
 */
export async function redisSource() {
  const source = join(cacheDirectory, `redis-${redisVersion}`);
  if (existsSync(join(source, 'runtest'))) return source;
  const workshop = join(cacheDirectory, `apt-${process.pid}`);
  try {
    await mkdir(workshop, { recursive: true });
    const archive = await download(workshop);
    await unpack(archive, workshop, source);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return source;
}

/**
 * @param {string} workshop an empty folder
 * @returns {Promise<string>} the file name of the release as its authors published it, without a packager's patches
 */
async function download(workshop) {
  const options = await privateApt(workshop);
  // A third-party list without a source index makes the update fail although the one that matters was read.
  const update = await run('apt-get', [...options, 'update'], { cwd: workshop }).catch((error) => error);
  const offers = await run('apt-cache', [...options, 'showsrc', 'redis'], { cwd: workshop }).catch(
    (error) => error,
  );
  const version = offeredVersion(offers.stdout ?? '');
  if (version === undefined) {
    throw new Error(
      `apt offers no source of redis ${redisVersion} here:\n${update.stdout}${update.stderr}${offers.stderr}`,
    );
  }
  await run('apt-get', [...options, 'source', '--download-only', `redis=${version}`], { cwd: workshop });
  return `redis_${redisVersion}.orig.tar.gz`;
}

/**
 * @param {string} listing what `apt-cache showsrc` printed
 * @returns {string | undefined} the packaged version, such as `5:7.0.15-1`
 */
function offeredVersion(listing) {
  return [...listing.matchAll(/^Version: (.+)$/gm)]
    .map((match) => /** @type {string} */ (match[1]))
    .find((version) => version.replace(/^\d+:/, '').startsWith(`${redisVersion}-`));
}

/**
 * Copies of the machine's own source lists that ask for sources instead of binaries.
 *
 * @param {string} workshop
 * @returns {Promise<string[]>} the options that make apt work there and nowhere else
 */
async function privateApt(workshop) {
  const lists = join(workshop, 'sources.list.d');
  for (const folder of ['sources.list.d', 'lists/partial', 'cache/archives/partial']) {
    await mkdir(join(workshop, folder), { recursive: true });
  }
  for (const { name, text } of await machineLists()) await writeFile(join(lists, name), asSources(text));
  return [
    ['Dir::Etc::SourceList', '/dev/null'],
    ['Dir::Etc::SourceParts', lists],
    ['Dir::State::Lists', join(workshop, 'lists')],
    ['Dir::Cache', join(workshop, 'cache')],
    // Root's apt drops to a user who may not write into this folder; the signatures are checked either way.
    ['APT::Sandbox::User', ''],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

async function machineLists() {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const names = parts.filter((name) => /\.(list|sources)$/.test(name));
  const files = names.map((name) => ({ name, path: join('/etc/apt/sources.list.d', name) }));
  files.push({ name: 'machine.list', path: '/etc/apt/sources.list' });
  const lists = [];
  for (const { name, path } of files) {
    if (existsSync(path)) lists.push({ name, text: await readFile(path, 'utf8') });
  }
  return lists;
}

/**
 * @param {string} text a list in either of apt's two formats
 */
function asSources(text) {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('deb-src '))
    .map((line) => line.replace(/^deb /, 'deb-src ').replace(/^Types:.*/, 'Types: deb-src'))
    .join('\n');
}

/**
 * @param {string} archive
 * @param {string} workshop
 * @param {string} source where the unpacked source belongs
 */
async function unpack(archive, workshop, source) {
  const unpacked = join(workshop, 'unpacked');
  await mkdir(unpacked);
  await run('tar', ['-xzf', archive, '-C', unpacked, '--strip-components=1'], { cwd: workshop });
  // Renamed only when complete: a half-unpacked source must not look like one that can be reused.
  await rm(source, { recursive: true, force: true });
  await rename(unpacked, source);
}
