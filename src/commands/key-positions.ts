import type { Request } from '../resp/request.js';
import type { KeyPositions } from './command.js';

/** One rule for finding keys, as COMMAND INFO describes them ("key specifications"). */
export interface KeySpec {
  readonly access: readonly string[];
  /** Argument number, the command's name being 0, where the search begins. */
  readonly index: number;
  readonly find:
    | { readonly type: 'range'; readonly lastKey: number; readonly step: number }
    | { readonly type: 'keynum'; readonly step: number };
}

export function keySpecsOf(keys: KeyPositions | undefined): readonly KeySpec[] {
  if (!keys) return [];
  const { access } = keys;
  if ('each' in keys) {
    return keys.each.map((one) => ({
      access: one.access,
      index: one.at,
      find: { type: 'range', lastKey: 0, step: 1 },
    }));
  }
  if ('numkeysAt' in keys) {
    return [{ access, index: keys.numkeysAt, find: { type: 'keynum', step: keys.step } }];
  }
  // Relative to the first key, unless it counts from the end.
  const lastKey = keys.last < 0 ? keys.last : keys.last - keys.first;
  return [{ access, index: keys.first, find: { type: 'range', lastKey, step: keys.step } }];
}

/** The older description: first key, last key, step; all 0 where it cannot express the rules. */
export function legacyRange(keys: KeyPositions | undefined): readonly [number, number, number] {
  if (!keys || 'numkeysAt' in keys) return [0, 0, 0];
  if (!('each' in keys)) return [keys.first, keys.last, keys.step];
  const positions = keys.each.map((one) => one.at);
  return [Math.min(...positions), Math.max(...positions), 1];
}

export interface FoundKey {
  /** Argument number in the request. */
  readonly at: number;
  readonly access: readonly string[];
}

/**
 * The keys in a call whose name is argument `offset` of the request.
 *
 * @returns null when the call's own count of keys makes no sense.
 */
export function findKeys(
  keys: KeyPositions | undefined,
  request: Request,
  offset: number,
): readonly FoundKey[] | null {
  const found: FoundKey[] = [];
  const accessOfCall = keys?.accessOfCall?.(request, offset);
  for (const spec of keySpecsOf(keys)) {
    const range = argumentRange(spec, request, offset);
    if (!range) return null;
    for (let at = range.first; at <= range.last; at += spec.find.step) {
      found.push({ at, access: accessOfCall ?? spec.access });
    }
  }
  return found;
}

function argumentRange(
  spec: KeySpec,
  request: Request,
  offset: number,
): { readonly first: number; readonly last: number } | null {
  const begin = offset + spec.index;
  const { find } = spec;
  if (find.type === 'range') {
    const last = find.lastKey < 0 ? request.count + find.lastKey : begin + find.lastKey;
    return last < request.count ? { first: begin, last } : null;
  }
  const count = begin < request.count ? request.int64(begin) : undefined;
  if (typeof count !== 'number' || count < 0) return null;
  const last = begin + 1 + (count - 1) * find.step;
  return last < request.count ? { first: begin + 1, last } : null;
}
