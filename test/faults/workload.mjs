/**
 * Clients that write, and the oracle that knows what must be there afterwards: for each client the state after
 * the commands that were acknowledged, or that plus the first few of those that were still under way.
 */
import { Connection } from './connection.mjs';
import { ANY_REPLY, cloneState, differences, OWN_COUNTER, steps } from './model.mjs';
import { Random } from './random.mjs';

/** @typedef {import('./model.mjs').State} State */
/** @typedef {import('./model.mjs').Step} Step */
/** @typedef {import('./model.mjs').Moment} Moment */
/** @typedef {import('./connection.mjs').Reply} Reply */

/** The database that all clients share; the others belong to one client each. */
export const SHARED_DATABASE = 15;

/** So few names that commands meet on them. */
const NAMES = 12;
const FIELDS = 6;
/** Beyond the 2^31 ms that a JavaScript timer takes, and well beyond any run. */
const SECONDS_LONG = [3600, 90_000, 3_000_000, 400_000_000];

/** Under these a server says that a command had no effect because its log takes no writes. */
const REFUSALS = /^(MISCONF|OOM) /;

/**
 * @typedef {object} Tally
 * @property {number} acknowledged steps that were answered
 * @property {number} refused steps that were answered with an error because the log takes no writes
 * @property {number} unanswered steps that were under way when the server died
 * @property {number} survived of the unanswered, those found afterwards
 */

/** @returns {Tally} */
export const newTally = () => ({ acknowledged: 0, refused: 0, unanswered: 0, survived: 0 });

export class Writer {
  /** @type {State} */
  state = new Map();
  tally = newTally();
  /** What a reply said that it should not have. @type {string[]} */
  contradictions = [];
  /** When the last write was answered, Unix ms. */
  acknowledgedAtMs = 0;
  /** Steps sent and not answered. @type {{ step: Step, sentMs: number }[]} */
  #underWay = [];
  /** Steps refused, where that does not say that they had no effect. @type {{ step: Step, sentMs: number }[]} */
  #refused = [];
  /** For everysec after a power cut: the steps answered since the last comparison. @type {Acknowledged[]} */
  #answered = [];
  #rememberAnswers;
  #refusalsAreOpen;
  #shortLivedKeys;
  #random;
  #largest;

  /**
   * @typedef {{ step: Step, moment: Moment }} Acknowledged
   *
   * @param {number} database
   * @param {object} options
   * @param {number} options.seed
   * @param {boolean} [options.fieldExpiry] false for a server without HSETEX
   * @param {boolean} [options.rememberAnswers] so that `settleSuffix` can go back behind what was acknowledged
   * @param {number} [options.largestValue] bytes
   * @param {boolean} [options.refusalsAreOpen] a disk that refuses to say whether it kept a write, as one that loses
   *   its power does, leaves open what an error reply means: the write may be there
   * @param {boolean} [options.shortLived] false for data that do not change by themselves
   */
  constructor(
    database,
    {
      seed,
      fieldExpiry = true,
      rememberAnswers = false,
      refusalsAreOpen = false,
      largestValue = 20_000,
      shortLived = true,
    },
  ) {
    this.#refusalsAreOpen = refusalsAreOpen;
    this.#shortLivedKeys = shortLived;
    this.database = database;
    this.fieldExpiry = fieldExpiry;
    this.#random = new Random(seed * 1000 + database);
    this.#rememberAnswers = rememberAnswers;
    this.#largest = largestValue;
  }

  /**
   * Writes until the connection is lost or `until` resolves, with at most `window` steps under way.
   *
   * @param {number} port
   * @param {{ window: number, until?: Promise<void> }} options
   */
  async run(port, { window, until }) {
    const connection = await Connection.open(port).catch(() => null);
    if (!connection) return;
    let stopping = false;
    until?.then(() => {
      stopping = true;
      if (this.#underWay.length === 0) connection.close();
    });
    connection.send([['SELECT', String(this.database)]], () => {});
    const fill = () => {
      if (stopping && this.#underWay.length === 0) connection.close();
      while (!stopping && !connection.isClosed && this.#underWay.length < window) {
        this.#sendNext(connection, fill);
      }
    };
    fill();
    await connection.closed;
  }

  /**
   * @param {Connection} connection
   * @param {() => void} onAnswer
   */
  #sendNext(connection, onAnswer) {
    const step = this.#nextStep();
    this.#underWay.push({ step, sentMs: Date.now() });
    let left = step.commands.length;
    connection.send(step.commands, (reply) => {
      if (--left > 0) return;
      this.#answer(reply);
      onAnswer();
    });
  }

  /** @param {Reply} reply */
  #answer(reply) {
    const { step, sentMs } = /** @type {{ step: Step, sentMs: number }} */ (this.#underWay.shift());
    if (reply instanceof Error && (REFUSALS.test(reply.message) || /^EXECABORT/.test(reply.message))) {
      this.tally.refused++;
      if (this.#refusalsAreOpen) this.#refused.push({ step, sentMs });
      return;
    }
    const moment = { from: sentMs, to: Date.now() };
    const expected = step.apply(this.state, moment);
    this.tally.acknowledged++;
    this.acknowledgedAtMs = moment.to;
    if (this.#rememberAnswers) this.#answered.push({ step, moment });
    if (expected !== ANY_REPLY && canonical(reply) !== canonical(expected)) {
      const command = step.commands.map((words) => words.join(' ').slice(0, 80)).join('; ');
      this.contradictions.push(
        `db ${this.database}: ${JSON.stringify(command)} answered ${canonical(reply)}, expected ${canonical(expected)}`,
      );
    }
  }

  /**
   * Compares what the server has after a crash with what it must have, and goes on from what was found.
   *
   * @param {Connection} connection
   * @returns {Promise<string[]>} differences; none when all is well
   */
  async settle(connection) {
    const { state: found, moment } = await readState(connection, this.database, this.fieldExpiry);
    const unanswered = [...this.#refused.splice(0), ...this.#underWay.splice(0)];
    const survived = this.#survivors(unanswered, found, moment);
    this.tally.unanswered += unanswered.length;
    const problems = this.contradictions.splice(0);
    if (survived < 0) {
      const list = differences(this.state, found, moment).slice(0, 5);
      problems.push(
        ...list.map(
          (difference) =>
            `db ${this.database}: ${difference} (nor after any of the ${unanswered.length} steps under way)`,
        ),
      );
    } else this.tally.survived += survived;
    this.state = found;
    this.#answered = [];
    return problems;
  }

  /**
   * The same after a power cut that may cost what was acknowledged last: the server must have the state after
   * some step. Returns how old the oldest lost acknowledgement was at `cutAtMs`, 0 when none was lost.
   *
   * @param {Connection} connection
   * @param {State} before the state after the last comparison
   * @param {number} cutAtMs
   * @returns {Promise<{ problems: string[], lostSteps: number, lostMs: number }>}
   */
  async settleSuffix(connection, before, cutAtMs) {
    const { state: found, moment } = await readState(connection, this.database, this.fieldExpiry);
    const answered = this.#answered.splice(0);
    const unanswered = [...this.#refused.splice(0), ...this.#underWay.splice(0)].map(({ step, sentMs }) => ({
      step,
      moment: { from: sentMs, to: cutAtMs },
    }));
    const all = [...answered, ...unanswered];
    const state = cloneState(before);
    let kept = -1;
    for (let count = 0; count <= all.length; count++) {
      if (differences(state, found, moment).length === 0) kept = count;
      const next = all[count];
      if (next) next.step.apply(state, next.moment);
    }
    const problems = this.contradictions.splice(0);
    if (kept < 0) problems.push(`db ${this.database}: what is there is the state after no step`);
    this.state = found;
    const firstLost = kept >= 0 && kept < answered.length ? answered[kept] : undefined;
    return {
      problems,
      lostSteps: firstLost ? answered.length - kept : 0,
      lostMs: firstLost ? cutAtMs - firstLost.moment.to : 0,
    };
  }

  /**
   * @param {{ step: Step, sentMs: number }[]} unanswered
   * @param {State} found
   * @param {Moment} moment
   * @returns how many of the unanswered steps took effect, -1 when no number explains what was found
   */
  #survivors(unanswered, found, moment) {
    const state = cloneState(this.state);
    for (let count = 0; ; count++) {
      if (differences(state, found, moment).length === 0) return count;
      const next = unanswered[count];
      if (!next) return -1;
      next.step.apply(state, { from: next.sentMs, to: moment.from });
    }
  }

  /** @returns {Step} */
  #nextStep() {
    const random = this.#random;
    const chance = random.below(1000);
    if (chance < 3) return steps.flush();
    if (chance < 103) return steps.count(this.database, SHARED_DATABASE);
    if (chance < 173) return this.#transaction();
    if (chance < 253 && this.#shortLivedKeys) return this.#shortLived();
    if (chance < 653) return this.#onString();
    return this.#onHash();
  }

  /** @returns {Step} */
  #transaction() {
    const members = [];
    for (let i = 2 + this.#random.below(4); i > 0; i--) {
      members.push(this.#random.below(2) ? this.#onString() : this.#onHash());
    }
    return steps.transaction(members);
  }

  /** Keys that expire while the server runs or while it is down; no other command depends on their state. */
  #shortLived() {
    const key = `t:${this.#random.below(NAMES)}`;
    const kind = this.#random.below(6);
    if (kind === 0) return steps.delShortLived(key);
    if (kind === 1) return steps.set(key, this.#value());
    return steps.psetex(key, 1 + this.#random.below(3000), this.#value());
  }

  /** @returns {Step} */
  #onString() {
    const random = this.#random;
    const key = `s:${random.below(NAMES)}`;
    const other = `s:${NAMES + random.below(NAMES)}`;
    switch (random.below(13)) {
      case 0:
      case 1:
        return steps.set(key, this.#value());
      case 2:
        return steps.setex(key, random.pick(SECONDS_LONG), this.#value());
      case 3:
        return steps.psetex(key, random.pick(SECONDS_LONG) * 1000 + random.below(1000), this.#value());
      case 4:
        return steps.del(key, other);
      case 5:
      case 6:
        return steps.incrby(`n:${random.below(NAMES)}`, random.below(2000) - 1000);
      case 7:
        return steps.append(key, random.bytes(random.below(100)));
      case 8:
        return steps.expire(random.below(2) ? key : other, random.pick(SECONDS_LONG));
      case 9:
        return steps.persist(random.below(2) ? key : other);
      case 10:
        return random.below(2) ? steps.rename(key, other) : steps.rename(other, key);
      case 11:
        return random.below(2) ? steps.copy(key, other) : steps.copy(other, key);
      default:
        return steps.mset([
          [key, this.#value()],
          [other, this.#value()],
          [`n:${random.below(NAMES)}`, String(random.below(1000))],
        ]);
    }
  }

  /** @returns {Step} */
  #onHash() {
    const random = this.#random;
    const key = `h:${random.below(NAMES)}`;
    const other = `h:${NAMES + random.below(NAMES)}`;
    switch (random.below(9)) {
      case 0:
      case 1:
        return steps.hset(key, this.#pairs());
      case 2:
      case 3:
        return this.fieldExpiry
          ? steps.hsetex(key, random.pick(SECONDS_LONG), this.#pairs())
          : steps.hset(key, this.#pairs());
      case 4:
        return steps.hdel(key, `f${random.below(FIELDS)}`);
      case 5:
        return steps.expire(key, random.pick(SECONDS_LONG));
      case 6:
        return random.below(2) ? steps.rename(key, other) : steps.rename(other, key);
      case 7:
        return random.below(2) ? steps.copy(key, other) : steps.copy(other, key);
      default:
        return steps.del(key);
    }
  }

  /** @returns {[string, string][]} of different fields */
  #pairs() {
    const first = this.#random.below(FIELDS);
    const count = 1 + this.#random.below(3);
    return Array.from({ length: count }, (_, i) => [`f${(first + i) % FIELDS}`, this.#value()]);
  }

  #value() {
    const random = this.#random;
    if (random.below(100) > 0) return random.bytes(random.below(120));
    return random.bytes(100).repeat(1 + random.below(this.#largest / 100));
  }
}

/**
 * Everything in a client's database, and its counter.
 *
 * @param {Connection} connection
 * @param {number} database
 * @param {boolean} fieldExpiry
 * @returns {Promise<{ state: State, moment: Moment }>}
 */
export async function readState(connection, database, fieldExpiry) {
  const from = Date.now();
  await connection.call('SELECT', String(database));
  const keys = /** @type {string[]} */ (await connection.call('KEYS', '*'));
  /** @type {State} */
  const state = new Map();
  for (const key of keys) {
    const isHash = key.startsWith('h:');
    const [content, expireAt] = await connection.ask([
      [isHash ? 'HGETALL' : 'GET', key],
      ['PEXPIRETIME', key],
    ]);
    // It expired since KEYS named it.
    if (expireAt === -2 || content === null) continue;
    const deadline = exactly(Number(expireAt));
    if (!isHash) state.set(key, { value: String(content), fields: null, deadline });
    else {
      const flat = /** @type {string[]} */ (content);
      state.set(key, { value: '', fields: await readFields(connection, key, flat, fieldExpiry), deadline });
    }
  }
  await connection.call('SELECT', String(SHARED_DATABASE));
  const count = await connection.call('GET', `counter:${database}`);
  if (count !== null) state.set(OWN_COUNTER, { value: String(count), fields: null, deadline: null });
  return { state, moment: { from, to: Date.now() } };
}

/**
 * @param {Connection} connection
 * @param {string} key
 * @param {string[]} flat field, value, field, value...
 * @param {boolean} fieldExpiry
 */
async function readFields(connection, key, flat, fieldExpiry) {
  const names = flat.filter((_, i) => i % 2 === 0);
  const expireAt = fieldExpiry
    ? await connection.call('HPEXPIRETIME', key, 'FIELDS', String(names.length), ...names)
    : names.map(() => -1);
  /** @type {Map<string, import('./model.mjs').Field>} */
  const fields = new Map();
  names.forEach((name, i) => {
    const value = /** @type {string} */ (flat[2 * i + 1]);
    fields.set(name, { value, deadline: exactly(Number(/** @type {Reply[]} */ (expireAt)[i])) });
  });
  return fields;
}

/** @param {number} expireAt Unix ms, -1 for never */
function exactly(expireAt) {
  return expireAt < 0 ? null : { from: expireAt, to: expireAt };
}

/** @param {Reply} reply */
function canonical(reply) {
  return JSON.stringify(reply, (_, value) => (value instanceof Error ? `-${value.message}` : value))?.slice(
    0,
    300,
  );
}

/**
 * The sum of the clients' counters is what they counted together: each transaction took effect once and whole.
 *
 * @param {Connection} connection
 * @param {readonly Writer[]} writers after `settle`
 * @returns {Promise<string[]>}
 */
export async function checkTotal(connection, writers) {
  await connection.call('SELECT', String(SHARED_DATABASE));
  const total = Number((await connection.call('GET', 'total')) ?? 0);
  const sum = writers.reduce((all, { state }) => all + Number(state.get(OWN_COUNTER)?.value ?? 0), 0);
  return total === sum ? [] : [`the clients counted ${sum} together, but the total is ${total}`];
}

/**
 * Compares every client's data with what they must be.
 *
 * @param {number} port
 * @param {readonly Writer[]} writers
 * @returns {Promise<string[]>} differences; none when all is well
 */
export async function settleAll(port, writers) {
  const connection = await Connection.open(port);
  try {
    const problems = [];
    for (const writer of writers) problems.push(...(await writer.settle(connection)));
    problems.push(...(await checkTotal(connection, writers)));
    return problems;
  } finally {
    connection.close();
  }
}

/**
 * @param {number} count
 * @param {ConstructorParameters<typeof Writer>[1]} options
 */
export function makeWriters(count, options) {
  return Array.from({ length: count }, (_, database) => new Writer(database, options));
}

/**
 * @param {readonly Writer[]} writers
 * @returns {Tally}
 */
export function totalTally(writers) {
  const total = newTally();
  for (const { tally } of writers) {
    total.acknowledged += tally.acknowledged;
    total.refused += tally.refused;
    total.unanswered += tally.unanswered;
    total.survived += tally.survived;
  }
  return total;
}
