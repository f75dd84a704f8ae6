import { CommandError, errors } from '../base/errors.js';
import type { Request } from '../resp/request.js';
import type { CommandArgument } from './command.js';
import type { TimeUnit } from './expiry.js';

/** What a write depends on: nothing, the key's absence or presence, or its present value. */
export type Condition = 'none' | 'NX' | 'XX' | 'IFEQ' | 'IFNE';

/** The options that SET, GETEX and MSETEX share, in any order and any case. */
export class StringOptions {
  condition: Condition = 'none';
  /** Argument that IFEQ or IFNE compares with. */
  comparedAt = 0;
  get = false;
  keepTtl = false;
  persist = false;
  /** How the time was given; null when it was not. */
  unit: TimeUnit | null = null;
  /** Argument that holds the time. */
  timeAt = 0;

  reset(): this {
    this.condition = 'none';
    this.comparedAt = 0;
    this.get = false;
    this.keepTtl = false;
    this.persist = false;
    this.unit = null;
    this.timeAt = 0;
    return this;
  }
}

export type OptionedCommand = 'set' | 'getex' | 'msetex';

/** Filled anew by each parse, so that a command with options makes no object. */
const options = new StringOptions();

/**
 * Reads the options from argument `first` to the last. Of two options that exclude each other the second is
 * the syntax error; the same option again replaces the first.
 *
 * @returns an object that the next call overwrites.
 * @throws the syntax error.
 */
export function parseStringOptions(request: Request, first: number, command: OptionedCommand): StringOptions {
  options.reset();
  let i = first;
  while (i < request.count) {
    const taken = takeTime(request, i) || takeOwn(request, i, command);
    if (taken === 0) throw new CommandError(errors.syntax);
    i += taken;
  }
  return options;
}

/** Each `take` answers how many arguments it consumed, 0 when argument `i` is not for it. */
function takeTime(request: Request, i: number): number {
  const unit = timeUnit(request, i);
  if (unit === null || i + 1 === request.count) return 0;
  if (options.keepTtl || options.persist || (options.unit !== null && options.unit !== unit)) return 0;
  options.unit = unit;
  options.timeAt = i + 1;
  return 2;
}

function timeUnit(request: Request, i: number): TimeUnit | null {
  if (request.is(i, 'EX')) return 'EX';
  if (request.is(i, 'PX')) return 'PX';
  if (request.is(i, 'EXAT')) return 'EXAT';
  if (request.is(i, 'PXAT')) return 'PXAT';
  return null;
}

function takeOwn(request: Request, i: number, command: OptionedCommand): number {
  if (command === 'getex') return takePersist(request, i);
  const taken = takeKeepTtl(request, i) || takeExistence(request, i);
  if (taken !== 0 || command === 'msetex') return taken;
  return takeGet(request, i) || takeComparison(request, i);
}

function takePersist(request: Request, i: number): number {
  if (options.unit !== null || !request.is(i, 'PERSIST')) return 0;
  options.persist = true;
  return 1;
}

function takeKeepTtl(request: Request, i: number): number {
  if (options.unit !== null || !request.is(i, 'KEEPTTL')) return 0;
  options.keepTtl = true;
  return 1;
}

function takeGet(request: Request, i: number): number {
  if (!request.is(i, 'GET')) return 0;
  options.get = true;
  return 1;
}

function takeExistence(request: Request, i: number): number {
  return takeCondition(request, i, 'NX') || takeCondition(request, i, 'XX');
}

function takeComparison(request: Request, i: number): number {
  if (i + 1 === request.count) return 0;
  if (takeCondition(request, i, 'IFEQ') === 0 && takeCondition(request, i, 'IFNE') === 0) return 0;
  options.comparedAt = i + 1;
  return 2;
}

function takeCondition(request: Request, i: number, condition: Condition): number {
  if (!request.is(i, condition)) return 0;
  if (options.condition !== 'none' && options.condition !== condition) return 0;
  options.condition = condition;
  return 1;
}

const timeArguments: readonly CommandArgument[] = [
  { name: 'seconds', type: 'integer', token: 'EX' },
  { name: 'milliseconds', type: 'integer', token: 'PX' },
  { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT' },
  { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT' },
];

/** For COMMAND DOCS. */
export function expirationArgument(last: 'KEEPTTL' | 'PERSIST'): CommandArgument {
  const lastArgument: CommandArgument = { name: last.toLowerCase(), type: 'pure-token', token: last };
  return { name: 'expiration', type: 'oneof', optional: true, args: [...timeArguments, lastArgument] };
}

export const existenceArguments: readonly CommandArgument[] = [
  { name: 'nx', type: 'pure-token', token: 'NX' },
  { name: 'xx', type: 'pure-token', token: 'XX' },
];
