import { INT64_MAX } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import type { Request } from '../resp/request.js';
import type { Context, Handler } from './command.js';

/** Reading the arguments of administrative commands, with Redis's checks in Redis's order. */

/** Argument `i` as an int64. @throws CommandError with `message`. */
export function readInteger(
  request: Request,
  i: number,
  message: string = errors.notInteger,
): number | bigint {
  const value = request.int64(i);
  if (value === undefined) throw new CommandError(message);
  return value;
}

/** Argument `i` as a number within limits. @throws CommandError, as getRangeLongFromObjectOrReply. */
export function readRange(request: Request, i: number, minimum: number, maximum: number): number {
  const value = readInteger(request, i);
  if (value < minimum || value > maximum) {
    throw new CommandError(`ERR value is out of range, value must between ${minimum} and ${maximum}`);
  }
  return Number(value);
}

const INT32_MAX = 2 ** 31 - 1;

/** Argument `i` as a C `int`. */
export function readInt32(request: Request, i: number): number {
  return readRange(request, i, -INT32_MAX - 1, INT32_MAX);
}

/** Argument `i` as a number from 0. @throws CommandError, as getPositiveLongFromObjectOrReply. */
export function readPositive(request: Request, i: number): number {
  const value = readInteger(request, i);
  if (value < 0) throw new CommandError(errors.outOfRangePositive);
  return Number(value);
}

/** Argument `i` as a timeout in milliseconds, 0 for none. @throws CommandError, as getTimeoutFromObjectOrReply. */
export function readTimeoutMs(request: Request, i: number, nowMs: number): number {
  const value = readInteger(request, i, 'ERR timeout is not an integer or out of range');
  if (value < 0) throw new CommandError('ERR timeout is negative');
  if (BigInt(value) + BigInt(nowMs) > INT64_MAX) throw new CommandError('ERR timeout is out of range');
  return Number(value);
}

/** `ON` or `OFF` in argument `i`. */
export function readOnOff(request: Request, i: number): boolean {
  if (request.is(i, 'ON')) return true;
  if (request.is(i, 'OFF')) return false;
  throw new CommandError(errors.syntax);
}

/** What a subcommand with a minimum arity answers to more arguments than it knows. */
export function subcommandSyntaxError(request: Request): CommandError {
  const container = request.text(0).toUpperCase();
  return new CommandError(
    `ERR unknown subcommand or wrong number of arguments for '${request.text(1)}'. Try ${container} HELP.`,
  );
}

/** The handler of a container's HELP: Redis's heading and foot around these lines. */
export function helpHandler(container: string, lines: readonly string[]): Handler {
  const text = [
    `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Prints this help.',
  ];
  return ({ reply }: Context) => {
    reply.array(text.length);
    for (const line of text) reply.simple(line);
  };
}
