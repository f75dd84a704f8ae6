import type { Reply } from '../../resp/reply.js';
import type { Argument } from './argument-writer.js';

/** Turns a reply (RESP3) into what a typed call returns. */
export type Shape<Value> = (reply: Reply) => Value;

/** Keys, or fields, with their values. */
export type Entries = Readonly<Record<string, Argument>> | Iterable<readonly [Argument, Argument]>;

/** When something expires: after `ex` seconds or `px` milliseconds, or at that Unix time. At most one of them. */
export interface Expiry {
  readonly ex?: number;
  readonly px?: number;
  readonly exat?: number;
  readonly pxat?: number;
}

/**
 * The typed calls are built from this: a command's arguments and the shape of its reply. `Text` is what strings
 * come back as, `string` or `Buffer`.
 */
export abstract class CallBase<Text extends string | Buffer> {
  protected abstract run<Value>(args: readonly Argument[], shape: Shape<Value>): Promise<Value>;

  /** A string, or null. */
  protected readonly maybeText: Shape<Text | null> = (reply) => reply as Text | null;
  protected readonly text: Shape<Text> = (reply) => reply as Text;
  protected readonly texts: Shape<Text[]> = (reply) => reply as unknown as Text[];
  protected readonly maybeTexts: Shape<(Text | null)[]> = (reply) => reply as unknown as (Text | null)[];
}

export const ok: Shape<'OK'> = () => 'OK';

export const okOrNull: Shape<'OK' | null> = (reply) => (reply === null ? null : 'OK');

/** Redis's 1 and 0. */
export const yesOrNo: Shape<boolean> = (reply) => reply === 1;

/** @throws RangeError rather than rounding an integer that only a bigint holds; `call` returns that. */
export const integer: Shape<number> = (reply) => {
  if (typeof reply === 'bigint') {
    throw new RangeError(
      `${reply} is beyond the integers that a number holds; use call(), which returns a bigint`,
    );
  }
  return reply as number;
};

export const integers: Shape<number[]> = (reply) => (reply as readonly Reply[]).map(integer);

/** A double that RESP sends as a string. */
export const decimal: Shape<number> = (reply) => Number(String(reply));

export const plainText: Shape<string> = (reply) => String(reply);

export function entryArguments(entries: Entries): Argument[] {
  const args: Argument[] = [];
  const pairs = Symbol.iterator in entries ? entries : Object.entries(entries);
  for (const [name, value] of pairs as Iterable<readonly [Argument, Argument]>) args.push(name, value);
  return args;
}

export function expiryArguments({ ex, px, exat, pxat }: Expiry): Argument[] {
  const args: Argument[] = [];
  if (ex !== undefined) args.push('EX', ex);
  if (px !== undefined) args.push('PX', px);
  if (exat !== undefined) args.push('EXAT', exat);
  if (pxat !== undefined) args.push('PXAT', pxat);
  return args;
}
