import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import type { Context } from './command.js';

/*
 * How a handler finds the key in one of its arguments. The ways differ as Redis's lookupKey flags do: reading
 * counts a keyspace hit or miss, writing does not; both count as a use of the key (for eviction and OBJECT
 * IDLETIME) unless the client said CLIENT NO-TOUCH, inspecting never does.
 */

/** The key in argument `i`, to read its value; 0 when it is missing. */
export function findToRead(context: Context, i: number): Ref {
  const ref = findToWrite(context, i);
  count(context, ref);
  return ref;
}

/** The key in argument `i`, to change it; 0 when it is missing. */
export function findToWrite(context: Context, i: number): Ref {
  const { keyspace, request } = context;
  const start = request.start[i]!;
  const end = request.end[i]!;
  if (context.client.noTouch) return keyspace.peek(context.db, request.bytes, start, end);
  return keyspace.find(context.db, request.bytes, start, end);
}

/** The key in argument `i`, to tell something about it (TTL, TYPE, EXISTS); 0 when it is missing. */
export function findToInspect(context: Context, i: number): Ref {
  const { keyspace, request } = context;
  const ref = keyspace.peek(context.db, request.bytes, request.start[i]!, request.end[i]!);
  count(context, ref);
  return ref;
}

/** As `findToRead`. @throws WRONGTYPE when the key holds something else than a string. */
export function findStringToRead(context: Context, i: number): Ref {
  const ref = findToRead(context, i);
  requireString(context, ref);
  return ref;
}

/** As `findToWrite`. @throws WRONGTYPE when the key holds something else than a string. */
export function findStringToWrite(context: Context, i: number): Ref {
  const ref = findToWrite(context, i);
  requireString(context, ref);
  return ref;
}

/** @throws WRONGTYPE when the key exists and is not a string. */
export function requireString(context: Context, ref: Ref): void {
  if (ref !== 0 && !context.keyspace.isString(ref)) throw new CommandError(errors.wrongType);
}

/** Writes a string's value as a bulk, the null when `ref` is 0. */
export function replyString(context: Context, ref: Ref): void {
  const { keyspace, reply } = context;
  if (ref === 0) {
    reply.nil();
    return;
  }
  keyspace.loadString(ref);
  reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueEnd);
}

function count(context: Context, ref: Ref): void {
  if (ref === 0) context.host.stats.keyspaceMisses++;
  else context.host.stats.keyspaceHits++;
}
