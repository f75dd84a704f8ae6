/**
 * What one client's data must be after its commands. The client owns its database, so nothing else changes
 * them, and every command sent is known; what may be unknown is only how many of the last ones took effect.
 */

/**
 * When something expires, Unix ms: between two bounds, because the server reads its clock somewhere between the
 * moment a command was sent and the moment its reply arrived. Once seen, the bounds are equal.
 *
 * @typedef {{ from: number, to: number } | null} Deadline
 */

/** @typedef {{ value: string, deadline: Deadline }} Field */

/**
 * @typedef {object} Entry
 * @property {string} value of a string; '' for a hash
 * @property {Map<string, Field> | null} fields of a hash; null for a string
 * @property {Deadline} deadline
 */

/** @typedef {Map<string, Entry>} State */
/** @typedef {import('./connection.mjs').Reply} Reply */
/** @typedef {{ from: number, to: number }} Moment */

/** The name under which a client's counter, which lives in the database of all, stands in its own state. */
export const OWN_COUNTER = '(counter)';

/** The server reads its clock once for several commands: its time may be older than the sending by so much. */
const CLOCK_SLACK_MS = 1000;

export const ANY_REPLY = Symbol('any reply');

/**
 * @param {Moment} moment
 * @param {number} ttlMs
 * @returns {Deadline}
 */
function after(moment, ttlMs) {
  return { from: moment.from - CLOCK_SLACK_MS + ttlMs, to: moment.to + CLOCK_SLACK_MS + ttlMs };
}

/** @param {State} state */
export function cloneState(state) {
  /** @type {State} */
  const copy = new Map();
  for (const [key, { value, fields, deadline }] of state) {
    copy.set(key, { value, fields: fields && new Map(fields), deadline });
  }
  return copy;
}

/**
 * @param {string} value
 * @param {Deadline} [deadline]
 * @returns {Entry}
 */
function stringEntry(value, deadline = null) {
  return { value, fields: null, deadline };
}

/**
 * One step of a client: what goes over the wire, and what it does to the state. A transaction is one step.
 *
 * @typedef {object} Step
 * @property {string[][]} commands the reply to the last one is the step's reply
 * @property {(state: State, moment: Moment) => Reply | typeof ANY_REPLY} apply changes the state, returns the reply
 */

/**
 * @param {string[]} command
 * @param {Step['apply']} apply
 * @returns {Step}
 */
const single = (command, apply) => ({ commands: [command], apply });

export const steps = {
  /** @param {string} key @param {string} value */
  set: (key, value) =>
    single(['SET', key, value], (state) => {
      state.set(key, stringEntry(value));
      return 'OK';
    }),

  /** @param {string} key @param {number} seconds @param {string} value */
  setex: (key, seconds, value) =>
    single(['SETEX', key, String(seconds), value], (state, moment) => {
      state.set(key, stringEntry(value, after(moment, seconds * 1000)));
      return 'OK';
    }),

  /** @param {string} key @param {number} ttlMs @param {string} value */
  psetex: (key, ttlMs, value) =>
    single(['PSETEX', key, String(ttlMs), value], (state, moment) => {
      state.set(key, stringEntry(value, after(moment, ttlMs)));
      return 'OK';
    }),

  /** @param {string[]} keys */
  del: (...keys) =>
    single(['DEL', ...keys], (state) => new Set(keys.filter((key) => state.delete(key))).size),

  /** @param {string} key A key that may have expired in the meantime. */
  delShortLived: (key) =>
    single(['DEL', key], (state) => {
      state.delete(key);
      return ANY_REPLY;
    }),

  /** @param {string} key @param {number} amount */
  incrby: (key, amount) =>
    single(['INCRBY', key, String(amount)], (state) => {
      const entry = state.get(key) ?? stringEntry('0');
      const sum = Number(entry.value) + amount;
      state.set(key, stringEntry(String(sum), entry.deadline));
      return sum;
    }),

  /** @param {string} key @param {string} tail */
  append: (key, tail) =>
    single(['APPEND', key, tail], (state) => {
      const entry = state.get(key) ?? stringEntry('');
      state.set(key, stringEntry(entry.value + tail, entry.deadline));
      return entry.value.length + tail.length;
    }),

  /** @param {readonly (readonly [string, string])[]} pairs */
  mset: (pairs) =>
    single(['MSET', ...pairs.flat()], (state) => {
      for (const [key, value] of pairs) state.set(key, stringEntry(value));
      return 'OK';
    }),

  /** @param {string} key @param {readonly (readonly [string, string])[]} pairs */
  hset: (key, pairs) =>
    single(['HSET', key, ...pairs.flat()], (state) => {
      const fields = fieldsOf(state, key);
      const before = fields.size;
      for (const [field, value] of pairs) fields.set(field, { value, deadline: null });
      return fields.size - before;
    }),

  /** @param {string} key @param {number} seconds @param {readonly (readonly [string, string])[]} pairs */
  hsetex: (key, seconds, pairs) =>
    single(
      ['HSETEX', key, 'EX', String(seconds), 'FIELDS', String(pairs.length), ...pairs.flat()],
      (state, moment) => {
        const fields = fieldsOf(state, key);
        const deadline = after(moment, seconds * 1000);
        for (const [field, value] of pairs) fields.set(field, { value, deadline });
        return 1;
      },
    ),

  /** @param {string} key @param {string} field */
  hdel: (key, field) =>
    single(['HDEL', key, field], (state) => {
      const fields = state.get(key)?.fields;
      const removed = fields?.delete(field) ? 1 : 0;
      if (fields?.size === 0) state.delete(key);
      return removed;
    }),

  /** @param {string} key @param {number} seconds */
  expire: (key, seconds) =>
    single(['EXPIRE', key, String(seconds)], (state, moment) => {
      const entry = state.get(key);
      if (!entry) return 0;
      state.set(key, { ...entry, deadline: after(moment, seconds * 1000) });
      return 1;
    }),

  /** @param {string} key */
  persist: (key) =>
    single(['PERSIST', key], (state) => {
      const entry = state.get(key);
      if (!entry?.deadline) return 0;
      state.set(key, { ...entry, deadline: null });
      return 1;
    }),

  /** @param {string} key @param {string} target */
  rename: (key, target) =>
    single(['RENAME', key, target], (state) => {
      const entry = state.get(key);
      if (!entry) return new Error('ERR no such key');
      state.delete(key);
      state.set(target, entry);
      return 'OK';
    }),

  /** @param {string} key @param {string} target */
  copy: (key, target) =>
    single(['COPY', key, target, 'REPLACE'], (state) => {
      const entry = state.get(key);
      if (!entry) return 0;
      state.set(target, { ...entry, fields: entry.fields && new Map(entry.fields) });
      return 1;
    }),

  flush: () =>
    single(['FLUSHDB'], (state) => {
      const counter = state.get(OWN_COUNTER);
      state.clear();
      if (counter) state.set(OWN_COUNTER, counter);
      return 'OK';
    }),

  /**
   * All of these or none of them.
   *
   * @param {readonly Step[]} members
   * @returns {Step}
   */
  transaction: (members) => ({
    commands: [['MULTI'], ...members.flatMap(({ commands }) => commands), ['EXEC']],
    apply: (state, moment) => {
      const replies = members.map((member) => member.apply(state, moment));
      return replies.includes(ANY_REPLY) ? ANY_REPLY : /** @type {Reply[]} */ (replies);
    },
  }),

  /**
   * Adds one to the client's counter and to the one that all clients share, together or not at all.
   *
   * @param {number} database the client's own, to come back to
   * @param {number} shared the database of the counters
   * @returns {Step}
   */
  count: (database, shared) => ({
    commands: [
      ['MULTI'],
      ['SELECT', String(shared)],
      ['INCR', `counter:${database}`],
      ['INCR', 'total'],
      ['SELECT', String(database)],
      ['EXEC'],
    ],
    apply: (state) => {
      const count = Number(state.get(OWN_COUNTER)?.value ?? '0') + 1;
      state.set(OWN_COUNTER, stringEntry(String(count)));
      return ANY_REPLY;
    },
  }),
};

/**
 * @param {State} state
 * @param {string} key
 */
function fieldsOf(state, key) {
  const entry = state.get(key) ?? { value: '', fields: new Map(), deadline: null };
  state.set(key, entry);
  return /** @type {Map<string, Field>} */ (entry.fields);
}

/**
 * Is this what the server holds? Returns the first few differences, none when it is.
 *
 * @param {State} expected
 * @param {State} found with exact deadlines
 * @param {Moment} moment between which the server was read
 * @returns {string[]}
 */
export function differences(expected, found, moment) {
  /** @type {string[]} */
  const list = [];
  for (const [key, entry] of expected) {
    const seen = found.get(key);
    if (seen) list.push(...entryDifferences(key, entry, seen, moment));
    else if (!mayBeGone(entry.deadline, moment)) list.push(`${show(key)} is missing`);
  }
  for (const key of found.keys()) if (!expected.has(key)) list.push(`${show(key)} should not be there`);
  return list;
}

/**
 * @param {string} key
 * @param {Entry} expected
 * @param {Entry} seen
 * @param {Moment} moment
 */
function entryDifferences(key, expected, seen, moment) {
  const list = deadlineDifferences(show(key), expected.deadline, seen.deadline, moment);
  if (expected.value !== seen.value) {
    list.push(`${show(key)} holds ${show(seen.value)} instead of ${show(expected.value)}`);
  }
  for (const [field, { value, deadline }] of expected.fields ?? []) {
    const name = `${show(key)} ${show(field)}`;
    const found = seen.fields?.get(field);
    if (!found) list.push(`${name} is missing`);
    else if (found.value !== value) list.push(`${name} holds ${show(found.value)} instead of ${show(value)}`);
    else list.push(...deadlineDifferences(name, deadline, found.deadline, moment));
  }
  for (const field of seen.fields?.keys() ?? []) {
    if (!expected.fields?.has(field)) list.push(`${show(key)} ${show(field)} should not be there`);
  }
  return list;
}

/**
 * @param {string} name
 * @param {Deadline} expected
 * @param {Deadline} seen
 * @param {Moment} moment
 */
function deadlineDifferences(name, expected, seen, moment) {
  if (expected === null || seen === null) {
    return expected === seen ? [] : [`${name} expires at ${seen?.from}, expected ${expected?.from}`];
  }
  if (seen.from < expected.from || seen.from > expected.to) {
    return [`${name} expires at ${seen.from}, expected ${expected.from} to ${expected.to}`];
  }
  return seen.from < moment.from - CLOCK_SLACK_MS
    ? [`${name} expired at ${seen.from} and is still there`]
    : [];
}

/**
 * @param {Deadline} deadline
 * @param {Moment} moment
 */
function mayBeGone(deadline, moment) {
  return deadline !== null && deadline.from <= moment.to;
}

/** @param {string} text */
function show(text) {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}... (${text.length} bytes)` : text);
}
