import { INT64_MAX, latin1 } from '../base/bytes.js';
import { CommandError, errors } from '../base/errors.js';
import type { FieldVisitor, Ref } from '../keyspace/keyspace.js';
import { ReplyWriter } from '../resp/reply-writer.js';
import type { Command, Context } from './command.js';
import { findHashToRead, keyArgument, keyRead } from './hash-access.js';

/** HRANDFIELD. */

/**
 * Largest reply that a negative count may ask for, in bytes. Redis has no such bound and fills its memory; here
 * one command must not be able to end the process.
 */
const REPEATED_REPLY_MAX_BYTES = 256 * 1024 * 1024;
/** `$0\r\n\r\n` */
const SMALLEST_ELEMENT_BYTES = 6;

/** What the visitors below work on. One object, filled anew, so that a pick makes no closure. */
const drawing = {
  reply: new ReplyWriter(0),
  withValues: false,
  /** Fields still to be visited, and still to be chosen of them. */
  unseen: 0,
  wanted: 0,
  /** Names answered already, where picks may repeat. */
  seen: new Set<string>(),
};

const writeDrawn: FieldVisitor = (field, fieldStart, fieldEnd, value, valueStart, valueEnd) => {
  const { reply, withValues } = drawing;
  if (withValues && reply.protocol === 3) reply.array(2);
  reply.bulk(field, fieldStart, fieldEnd);
  if (withValues) reply.bulk(value, valueStart, valueEnd);
};

/**
 * Selection sampling (Knuth, volume 2, algorithm S): taking each field with the chance wanted / unseen chooses
 * every subset of the wanted size equally often, in one pass.
 */
const writeIfChosen: FieldVisitor = (field, fieldStart, fieldEnd, value, valueStart, valueEnd, expireAt) => {
  if (Math.random() * drawing.unseen-- >= drawing.wanted) return;
  drawing.wanted--;
  writeDrawn(field, fieldStart, fieldEnd, value, valueStart, valueEnd, expireAt);
};

const writeIfNew: FieldVisitor = (field, fieldStart, fieldEnd, value, valueStart, valueEnd, expireAt) => {
  const name = latin1(field, fieldStart, fieldEnd);
  if (drawing.seen.has(name)) return;
  drawing.seen.add(name);
  drawing.wanted--;
  writeDrawn(field, fieldStart, fieldEnd, value, valueStart, valueEnd, expireAt);
};

function hrandfield(context: Context): void {
  const { request, keyspace, reply } = context;
  drawing.reply = reply;
  drawing.withValues = request.count > 3;
  if (request.count > 2) {
    drawCount(context, readCount(context));
    return;
  }
  const ref = findHashToRead(context);
  if (ref === 0) reply.nil();
  else keyspace.hashRandom(ref, writeDrawn);
}

/** Beyond 2^53 the exact count does not matter: no hash is that large, and no reply. */
function readCount(context: Context): number {
  const { request } = context;
  const count = request.int64(2);
  if (count === undefined) throw new CommandError(errors.notInteger);
  if (count < -INT64_MAX) {
    throw new CommandError(`ERR value is out of range, value must between -${INT64_MAX} and ${INT64_MAX}`);
  }
  if (request.count > 4 || (request.count === 4 && !request.is(3, 'WITHVALUES'))) {
    throw new CommandError(errors.syntax);
  }
  if (drawing.withValues && (count < -INT64_MAX / 2n || count > INT64_MAX / 2n)) {
    throw new CommandError(errors.outOfRange);
  }
  return Number(count);
}

/** A negative count allows repeats; a positive one answers at most the whole hash. */
function drawCount(context: Context, count: number): void {
  const { keyspace, reply } = context;
  const ref = findHashToRead(context);
  if (ref === 0 || count === 0) reply.array(0);
  else if (count < 0) drawRepeatedly(context, ref, -count);
  else drawDistinct(context, ref, Math.min(count, keyspace.hashLength(ref)));
}

function drawRepeatedly(context: Context, ref: Ref, count: number): void {
  const { keyspace, reply } = context;
  if (count * SMALLEST_ELEMENT_BYTES > REPEATED_REPLY_MAX_BYTES) throw new CommandError(errors.outOfRange);
  const mark = reply.length;
  writeHead(reply, count);
  for (let i = 0; i < count; i++) {
    keyspace.hashRandom(ref, writeDrawn);
    if (reply.length - mark > REPEATED_REPLY_MAX_BYTES) {
      reply.rewind(mark);
      throw new CommandError(errors.outOfRange);
    }
  }
}

/**
 * For a small part of a large hash, picks one by one until enough are different; else one pass over all
 * fields, which costs less than the repeats would. (Redis draws the line at a third, too.)
 */
function drawDistinct(context: Context, ref: Ref, count: number): void {
  const { keyspace, reply } = context;
  const size = keyspace.hashLength(ref);
  writeHead(reply, count);
  drawing.wanted = count;
  if (size <= FEW_FIELDS || count * 3 > size) {
    drawing.unseen = size;
    keyspace.hashEach(ref, writeIfChosen);
    return;
  }
  while (drawing.wanted > 0) keyspace.hashRandom(ref, writeIfNew);
  drawing.seen.clear();
}

/** A packed hash has no faster way to a random field than walking to it. */
const FEW_FIELDS = 128;

function writeHead(reply: ReplyWriter, count: number): void {
  reply.array(drawing.withValues && reply.protocol === 2 ? count * 2 : count);
}

export const hashRandomCommands: readonly Command[] = [
  {
    name: 'hrandfield',
    arity: -2,
    flags: ['readonly'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '6.2.0',
    complexity: 'O(N) where N is the number of fields answered.',
    summary: 'Reads random fields of a hash.',
    tips: ['nondeterministic_output'],
    args: [
      keyArgument,
      {
        name: 'options',
        type: 'block',
        optional: true,
        args: [
          { name: 'count', type: 'integer' },
          { name: 'withvalues', type: 'pure-token', token: 'WITHVALUES', optional: true },
        ],
      },
    ],
    handler: hrandfield,
  },
];
