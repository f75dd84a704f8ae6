/** The data that servers are filled with: one command for each key, by its number. */

/** Bytes in every value written. */
export const valueLength = 64;

export const value = 'x'.repeat(valueLength);

/** Bytes in the keys of `sessions`. */
export const sessionKeyLength = 17;

/** How long the sessions live: beyond any run. */
const sessionSeconds = '86400';

/**
 * `strings`, `hashes` and `lists` have the names that redis-benchmark draws at random; the sessions are what
 * memory, restarts and growth are measured with.
 */
export const dataSets = {
  strings: (/** @type {number} */ index) => ['SET', `key:${pad(index, 12)}`, value],
  hashes: (/** @type {number} */ index) => ['HSET', `hash:${pad(index, 12)}`, 'field', value],
  lists: (/** @type {number} */ index) => ['LPUSH', `list:${pad(index, 12)}`, value, value],
  sessions: (/** @type {number} */ index) => ['SETEX', sessionKey(index), sessionSeconds, value],
  sessionHashes: (/** @type {number} */ index) => [
    'HSET',
    sessionKey(index),
    ...['user', `u${index}`, 'role', 'editor', 'lang', 'en', 'theme', 'dark', 'seen', '1700000000'],
  ],
};

/** @typedef {keyof typeof dataSets} DataSetName */

/** @param {number} index */
function sessionKey(index) {
  return `session:${pad(index, sessionKeyLength - 'session:'.length)}`;
}

/**
 * A string that is gone at a given time.
 *
 * @param {number} index
 * @param {number} expireAtMs
 */
export function expiringString(index, expireAtMs) {
  return ['SET', sessionKey(index), value, 'PXAT', String(expireAtMs)];
}

/**
 * @param {number} index
 * @param {number} digits
 */
export function pad(index, digits) {
  return String(index).padStart(digits, '0');
}
