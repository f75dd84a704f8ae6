import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import type { Request } from '../resp/request.js';
import { readInteger } from './arguments.js';
import type { Command, Context } from './command.js';
import { findToRead } from './lookup.js';

/**
 * LCS: the longest common subsequence of two strings, by the textbook table of the lengths for all pairs of
 * prefixes. The table is bounded by proto-max-bulk-len, as in Redis, which bounds the time too.
 */
function lcs(context: Context): void {
  requireStrings(context);
  const options = parseOptions(context.request);
  const pair = loadPair(context);
  const table = new LengthTable(pair, context.host.config.values['proto-max-bulk-len']);
  if (options.lengthOnly) context.reply.integer(table.total);
  else if (options.indexes) replyIndexes(context, table, options);
  else context.reply.bulkBytes(table.subsequence());
}

interface Pair {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
}

interface Options {
  lengthOnly: boolean;
  indexes: boolean;
  withMatchLength: boolean;
  matchLengthMin: number;
}

function requireStrings(context: Context): void {
  const first = findToRead(context, 1);
  const wrong = first !== 0 && !context.keyspace.isString(first);
  const second = findToRead(context, 2);
  if (wrong || (second !== 0 && !context.keyspace.isString(second))) {
    throw new CommandError('ERR The specified keys must contain string values');
  }
}

function parseOptions(request: Request): Options {
  const options = { lengthOnly: false, indexes: false, withMatchLength: false, matchLengthMin: 0 };
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'IDX')) options.indexes = true;
    else if (request.is(i, 'LEN')) options.lengthOnly = true;
    else if (request.is(i, 'WITHMATCHLEN')) options.withMatchLength = true;
    else if (request.is(i, 'MINMATCHLEN') && i + 1 < request.count) {
      options.matchLengthMin = Number(readInteger(request, ++i));
    } else throw new CommandError(errors.syntax);
  }
  if (options.lengthOnly && options.indexes) {
    throw new CommandError('ERR If you want both the length and indexes, please just use IDX.');
  }
  return options;
}

/** Both values; nothing changes between here and the reply, so views of them are enough. */
function loadPair(context: Context): Pair {
  const { keyspace, request, db } = context;
  const { bytes, start, end } = request;
  return {
    a: valueView(context, keyspace.peek(db, bytes, start[1]!, end[1]!)),
    b: valueView(context, keyspace.peek(db, bytes, start[2]!, end[2]!)),
  };
}

function valueView(context: Context, ref: Ref): Uint8Array {
  if (ref === 0) return new Uint8Array(0);
  const { keyspace } = context;
  keyspace.loadString(ref);
  return keyspace.valueBytes.subarray(keyspace.valueStart, keyspace.valueEnd);
}

/** A run of equal bytes: where it begins in each string, and how long it is. */
interface Match {
  readonly aStart: number;
  readonly bStart: number;
  readonly length: number;
}

class LengthTable {
  readonly #pair: Pair;
  /** At `i * #width + j`: the length for the first i bytes of a and the first j of b. */
  readonly #lengths: Uint32Array;
  readonly #width: number;

  /** @throws when the table would be larger than `bytesMax`. */
  constructor(pair: Pair, bytesMax: number) {
    this.#pair = pair;
    this.#width = pair.b.length + 1;
    const cells = (pair.a.length + 1) * this.#width;
    if (cells * Uint32Array.BYTES_PER_ELEMENT > bytesMax) {
      throw new CommandError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
    }
    this.#lengths = new Uint32Array(cells);
    this.#fill();
  }

  get total(): number {
    return this.#lengths[this.#lengths.length - 1]!;
  }

  subsequence(): Uint8Array {
    const result = new Uint8Array(this.total);
    let end = result.length;
    for (const { aStart, length } of this.matches()) {
      end -= length;
      result.set(this.#pair.a.subarray(aStart, aStart + length), end);
    }
    return result;
  }

  /** The runs that make up the subsequence, the last one first. */
  matches(): Match[] {
    const { a, b } = this.#pair;
    const matches: Match[] = [];
    let i = a.length;
    let j = b.length;
    while (i > 0 && j > 0) {
      let length = 0;
      while (i > 0 && j > 0 && a[i - 1] === b[j - 1]) {
        i--;
        j--;
        length++;
      }
      if (length > 0) matches.push({ aStart: i, bStart: j, length });
      else if (this.#at(i - 1, j) > this.#at(i, j - 1)) i--;
      else j--;
    }
    return matches;
  }

  #at(i: number, j: number): number {
    return this.#lengths[i * this.#width + j]!;
  }

  #fill(): void {
    const { a, b } = this.#pair;
    const lengths = this.#lengths;
    let at = this.#width;
    for (let i = 1; i <= a.length; i++) {
      at++;
      for (let j = 1; j <= b.length; j++, at++) {
        const above = at - this.#width;
        if (a[i - 1] === b[j - 1]) lengths[at] = lengths[above - 1]! + 1;
        else lengths[at] = Math.max(lengths[above]!, lengths[at - 1]!);
      }
    }
  }
}

function replyIndexes(context: Context, table: LengthTable, options: Options): void {
  const { reply } = context;
  const matches = table.matches().filter(({ length }) => length >= options.matchLengthMin);
  reply.map(2);
  reply.bulkText('matches');
  reply.array(matches.length);
  for (const { aStart, bStart, length } of matches) {
    reply.array(options.withMatchLength ? 3 : 2);
    replyRange(context, aStart, length);
    replyRange(context, bStart, length);
    if (options.withMatchLength) reply.integer(length);
  }
  reply.bulkText('len');
  reply.integer(table.total);
}

function replyRange(context: Context, start: number, length: number): void {
  const { reply } = context;
  reply.array(2);
  reply.integer(start);
  reply.integer(start + length - 1);
}

export const lcsCommands = [
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    categories: ['string'],
    keys: { first: 1, last: 2, step: 1, access: ['RO', 'access'] },
    group: 'string',
    since: '7.0.0',
    complexity: 'O(N*M) where N and M are the lengths of the two strings',
    summary: 'Finds the longest common subsequence of two strings.',
    args: [
      { name: 'key1', type: 'key' },
      { name: 'key2', type: 'key' },
      { name: 'len', type: 'pure-token', token: 'LEN', optional: true },
      { name: 'idx', type: 'pure-token', token: 'IDX', optional: true },
      { name: 'min-match-len', type: 'integer', token: 'MINMATCHLEN', optional: true },
      { name: 'withmatchlen', type: 'pure-token', token: 'WITHMATCHLEN', optional: true },
    ],
    handler: lcs,
  },
] as const satisfies readonly Command[];
