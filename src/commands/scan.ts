import { CommandError, errors } from '../base/errors.js';
import { matchesGlob } from '../base/glob.js';
import type { KeyVisitor } from '../keyspace/keyspace.js';
import { ReplyWriter } from '../resp/reply-writer.js';
import type { Request } from '../resp/request.js';
import { readInteger } from './arguments.js';
import type { Command, Context } from './command.js';

/*
 * Going over the keys of a database. How many will match is known only at the end, and an array begins with
 * its size: the elements are written aside first.
 */

/** What SCAN and its relatives for one key (HSCAN) are told. */
export interface ScanOptions {
  /** Bounds of the pattern in the request; a range of -1 when every name matches. */
  patternStart: number;
  patternEnd: number;
  count: number;
  /** Lower-case type name; null for any. */
  type: string | null;
  /** HSCAN NOVALUES. */
  noValues: boolean;
}

const COUNT_DEFAULT = 10;
const STAR = 0x2a;

/**
 * Reads `MATCH`, `COUNT`, and what only one of the commands knows: `TYPE` (SCAN), `NOVALUES` (HSCAN).
 *
 * @throws the syntax or the integer error.
 */
export function parseScanOptions(request: Request, first: number, command: 'scan' | 'hscan'): ScanOptions {
  const options = { patternStart: -1, patternEnd: -1, count: COUNT_DEFAULT, type: null, noValues: false };
  let i = first;
  while (i < request.count) i += takeScanOption(request, i, command, options);
  return options;
}

function takeScanOption(
  request: Request,
  i: number,
  command: 'scan' | 'hscan',
  options: ScanOptions,
): number {
  const followed = i + 1 < request.count;
  if (followed && request.is(i, 'COUNT')) options.count = countArgument(request, i + 1);
  else if (followed && request.is(i, 'MATCH')) takePattern(request, i + 1, options);
  else if (followed && command === 'scan' && request.is(i, 'TYPE')) {
    options.type = request.latin1(i + 1).toLowerCase();
  } else if (request.is(i, 'NOVALUES')) {
    if (command === 'scan') throw new CommandError('ERR NOVALUES option can only be used in HSCAN');
    options.noValues = true;
    return 1;
  } else throw new CommandError(errors.syntax);
  return 2;
}

function countArgument(request: Request, i: number): number {
  const count = readInteger(request, i);
  if (count < 1) throw new CommandError(errors.syntax);
  return Number(count);
}

/** A lone star matches everything, even the empty name that patterns otherwise miss. */
function takePattern(request: Request, i: number, options: ScanOptions): void {
  const start = request.start[i]!;
  const everything = request.length(i) === 1 && request.bytes[start] === STAR;
  options.patternStart = everything ? -1 : start;
  options.patternEnd = everything ? -1 : request.end[i]!;
}

/** Does the MATCH of these options accept this name? */
export function matchesScan(
  request: Request,
  options: ScanOptions,
  name: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (options.patternStart < 0) return true;
  return matchesGlob(request.bytes, options.patternStart, options.patternEnd, name, start, end);
}

/** An unsigned 64-bit cursor in argument `i`. @throws invalid cursor */
export function cursorArgument(request: Request, i: number): number {
  const text = request.length(i) <= CURSOR_DIGITS_MAX ? request.latin1(i) : '';
  if (!/^\d+$/.test(text) || BigInt(text) > CURSOR_MAX) throw new CommandError(errors.invalidCursor);
  return Number(text);
}

const CURSOR_MAX = 2n ** 64n - 1n;
const CURSOR_DIGITS_MAX = 20;

function scan(context: Context): void {
  const { request, keyspace, reply } = context;
  const cursor = cursorArgument(request, 1);
  const options = parseScanOptions(request, 2, 'scan');
  const elements = new ElementWriter();
  const next = keyspace.scan(context.db, cursor, options.count, (key, start, end, ref) => {
    if (!matchesScan(request, options, key, start, end)) return;
    if (options.type === null || options.type === keyspace.typeOf(ref)) elements.add(key, start, end);
  });
  reply.array(2);
  reply.bulkText(String(next));
  elements.writeTo(reply);
}

function keys(context: Context): void {
  const { request, keyspace } = context;
  const options = { patternStart: -1, patternEnd: -1, count: 0, type: null, noValues: false };
  takePattern(request, 1, options);
  const elements = new ElementWriter();
  const visit: KeyVisitor = (key, start, end) => {
    if (matchesScan(request, options, key, start, end)) elements.add(key, start, end);
  };
  keyspace.each(context.db, visit);
  elements.writeTo(context.reply);
}

function randomkey(context: Context): void {
  const { keyspace, reply } = context;
  const ref = keyspace.randomKey(context.db);
  if (ref === 0) {
    reply.nil();
    return;
  }
  keyspace.loadKey(ref);
  reply.bulk(keyspace.keyBytes, keyspace.keyStart, keyspace.keyEnd);
}

/** Bulk strings written aside until their number is known. */
export class ElementWriter {
  readonly #writer = new ReplyWriter(1024);
  #count = 0;

  add(bytes: Uint8Array, start: number, end: number): void {
    this.#writer.bulk(bytes, start, end);
    this.#count++;
  }

  /** Writes the array of everything added. */
  writeTo(reply: ReplyWriter): void {
    reply.array(this.#count);
    reply.encoded(this.#writer.bytes.subarray(0, this.#writer.length));
  }
}

export const scanCommands = [
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    categories: ['keyspace'],
    group: 'generic',
    since: '2.8.0',
    complexity: 'O(1) for every call, O(N) for a whole iteration, N being the number of keys',
    summary: 'Goes over the keys of the database, a part at each call.',
    tips: ['nondeterministic_output', 'request_policy:special'],
    args: [
      { name: 'cursor', type: 'integer' },
      { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
      { name: 'count', type: 'integer', token: 'COUNT', optional: true },
      { name: 'type', type: 'string', token: 'TYPE', optional: true },
    ],
    handler: scan,
  },
  {
    name: 'keys',
    arity: 2,
    flags: ['readonly'],
    categories: ['keyspace', 'dangerous'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys in the database',
    summary: 'Returns all keys that match a pattern.',
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    args: [{ name: 'pattern', type: 'pattern' }],
    handler: keys,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    categories: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns a key of the database at random.',
    tips: ['request_policy:all_shards', 'nondeterministic_output'],
    handler: randomkey,
  },
] as const satisfies readonly Command[];
