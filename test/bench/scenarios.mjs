/**
 * What is measured: every combination of command, pipeline length and fsync policy. A scenario is data; how it
 * is run is in measure.mjs, how it is shown in report.mjs.
 */

/** Connections that redis-benchmark keeps open at the same time. */
export const connections = 50;

/** Bytes in every value written. */
export const valueLength = 64;

/** How many different keys the commands hit at random; all of them exist before the first measurement. */
export const keyCount = 1_000_000;

/** redis-benchmark puts a random number below the key count, padded to twelve digits, in this place. */
const randomKey = '__rand_int__';

const value = 'x'.repeat(valueLength);

/**
 * The commands by name, as redis-benchmark is given them.
 *
 * @type {Record<string, string[]>}
 */
export const commands = {
  SET: ['SET', `key:${randomKey}`, value],
  GET: ['GET', `key:${randomKey}`],
  SETEX: ['SETEX', `key:${randomKey}`, '3600', value],
  HSET: ['HSET', `hash:${randomKey}`, 'field', value],
  INCR: ['INCR', `counter:${randomKey}`],
};

export const policies = ['everysec', 'always'];

export const pipelines = [1, 16, 64];

/**
 * @typedef {object} Scenario
 * @property {string} policy appendfsync
 * @property {string} command a name in `commands`
 * @property {number} pipeline commands that a connection sends before it waits for the replies
 */

/**
 * @param {{ policies: string[], commands: string[], pipelines: number[] }} choice
 * @returns {Scenario[]}
 */
export function scenarios(choice) {
  return choice.policies.flatMap((policy) =>
    choice.commands.flatMap((command) => choice.pipelines.map((pipeline) => ({ policy, command, pipeline }))),
  );
}

/**
 * Requests of one measurement: enough for about two seconds at the speeds expected, a tenth of that when quick.
 *
 * @param {Scenario} scenario
 * @param {boolean} quick
 */
export function requestCount({ pipeline }, quick) {
  const requests = pipeline === 1 ? 250_000 : pipeline < 64 ? 1_250_000 : 1_500_000;
  return quick ? requests / 10 : requests;
}

/**
 * Data sets whose memory and restart are measured, each of `keyCount` keys.
 *
 * @type {Record<string, (index: number) => string[]>}
 */
export const dataSets = {
  'SETEX, 17-byte key, 64-byte value': (index) => ['SETEX', `session:${pad(index, 9)}`, '86400', value],
  'hash of 5 short fields': (index) => [
    'HSET',
    `session:${pad(index, 9)}`,
    ...['user', `u${index}`, 'role', 'editor', 'lang', 'en', 'theme', 'dark', 'seen', '1700000000'],
  ],
};

/**
 * The command that makes the key of this number exist, so that a GET at random finds it.
 *
 * @param {number} index
 */
export function fillCommand(index) {
  return ['SET', `key:${pad(index, 12)}`, value];
}

/**
 * @param {number} index
 * @param {number} digits
 */
function pad(index, digits) {
  return String(index).padStart(digits, '0');
}
