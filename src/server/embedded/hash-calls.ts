import type { Reply } from '../../resp/reply.js';
import type { Argument } from './argument-writer.js';
import {
  decimal,
  type Entries,
  type Expiry,
  entryArguments,
  expiryArguments,
  integer,
  integers,
  yesOrNo,
} from './call-base.js';
import {
  type ExpireCondition,
  KeyCalls,
  type ScanOptions,
  type ScanStep,
  scanArguments,
  scanStep,
} from './key-calls.js';
import type { GetExOptions } from './string-calls.js';

export interface HSetExOptions extends Expiry {
  readonly keepTtl?: boolean;
  /** Only if none of the fields exists. */
  readonly fnx?: boolean;
  /** Only if all of them do. */
  readonly fxx?: boolean;
}

/** Calls for hashes. What is told per field comes in the order of the fields that were asked for. */
export abstract class HashCalls<Text extends string | Buffer> extends KeyCalls<Text> {
  /** How many fields are new. */
  hset(key: Argument, field: Argument, value: Argument): Promise<number>;
  hset(key: Argument, entries: Entries): Promise<number>;
  hset(key: Argument, ...fields: [Argument, Argument] | [Entries]): Promise<number>;
  hset(key: Argument, ...fields: [Argument, Argument] | [Entries]): Promise<number> {
    const pairs = fields.length === 2 ? fields : entryArguments(fields[0]);
    return this.run(['HSET', key, ...pairs], integer);
  }

  hsetnx(key: Argument, field: Argument, value: Argument): Promise<boolean> {
    return this.run(['HSETNX', key, field, value], yesOrNo);
  }

  /** Sets fields with an expiry of their own; false when the condition did not hold. */
  hsetex(key: Argument, entries: Entries, options: HSetExOptions = {}): Promise<boolean> {
    const pairs = entryArguments(entries);
    const args: Argument[] = ['HSETEX', key];
    if (options.fnx) args.push('FNX');
    if (options.fxx) args.push('FXX');
    args.push(...expiryArguments(options));
    if (options.keepTtl) args.push('KEEPTTL');
    args.push('FIELDS', pairs.length / 2, ...pairs);
    return this.run(args, yesOrNo);
  }

  hget(key: Argument, field: Argument): Promise<Text | null> {
    return this.run(['HGET', key, field], this.maybeText);
  }

  hmget(key: Argument, fields: readonly Argument[]): Promise<(Text | null)[]> {
    return this.run(['HMGET', key, ...fields], this.maybeTexts);
  }

  /** All fields, their names as UTF-8 text; empty for a missing key. */
  hgetall(key: Argument): Promise<Record<string, Text>> {
    return this.run(['HGETALL', key], recordOf<Text>);
  }

  /** The fields' values, whose time to live is changed as the options say. */
  hgetex(key: Argument, fields: readonly Argument[], options: GetExOptions = {}): Promise<(Text | null)[]> {
    const persist = options.persist ? ['PERSIST'] : [];
    const args = ['HGETEX', key, ...expiryArguments(options), ...persist, ...counted(fields)];
    return this.run(args, this.maybeTexts);
  }

  hgetdel(key: Argument, fields: readonly Argument[]): Promise<(Text | null)[]> {
    return this.run(['HGETDEL', key, ...counted(fields)], this.maybeTexts);
  }

  hdel(key: Argument, ...fields: readonly Argument[]): Promise<number> {
    return this.run(['HDEL', key, ...fields], integer);
  }

  hexists(key: Argument, field: Argument): Promise<boolean> {
    return this.run(['HEXISTS', key, field], yesOrNo);
  }

  hlen(key: Argument): Promise<number> {
    return this.run(['HLEN', key], integer);
  }

  hstrlen(key: Argument, field: Argument): Promise<number> {
    return this.run(['HSTRLEN', key, field], integer);
  }

  hkeys(key: Argument): Promise<Text[]> {
    return this.run(['HKEYS', key], this.texts);
  }

  hvals(key: Argument): Promise<Text[]> {
    return this.run(['HVALS', key], this.texts);
  }

  hincrby(key: Argument, field: Argument, by: number | bigint): Promise<number> {
    return this.run(['HINCRBY', key, field, by], integer);
  }

  hincrbyfloat(key: Argument, field: Argument, by: number): Promise<number> {
    return this.run(['HINCRBYFLOAT', key, field, by], decimal);
  }

  /** A random field, null when there is none. */
  hrandfield(key: Argument): Promise<Text | null> {
    return this.run(['HRANDFIELD', key], this.maybeText);
  }

  /** One step; `hscanAll` goes through all of them. */
  hscan(
    key: Argument,
    cursor: string,
    options: Omit<ScanOptions, 'type'> = {},
  ): Promise<ScanStep<[Text, Text][]>> {
    return this.run(['HSCAN', key, cursor, ...scanArguments(options)], (reply) => {
      const step = scanStep<Text>(reply);
      return { cursor: step.cursor, items: pairsOf(step.items) };
    });
  }

  /** Every field, with its value, that is there during the whole scan, at least once. */
  async *hscanAll(
    key: Argument,
    options: Omit<ScanOptions, 'type'> = {},
  ): AsyncGenerator<[field: Text, value: Text], void, void> {
    let cursor = '0';
    do {
      const step = await this.hscan(key, cursor, options);
      yield* step.items;
      cursor = step.cursor;
    } while (cursor !== '0');
  }

  /** Per field: 1 set, 2 deleted because the time is over, 0 condition not met, -2 no such field. */
  hexpire(
    key: Argument,
    seconds: number,
    fields: readonly Argument[],
    condition?: ExpireCondition,
  ): Promise<number[]> {
    return this.expireFields('HEXPIRE', key, seconds, fields, condition);
  }

  hpexpire(
    key: Argument,
    milliseconds: number,
    fields: readonly Argument[],
    condition?: ExpireCondition,
  ): Promise<number[]> {
    return this.expireFields('HPEXPIRE', key, milliseconds, fields, condition);
  }

  hexpireat(
    key: Argument,
    unixSeconds: number,
    fields: readonly Argument[],
    condition?: ExpireCondition,
  ): Promise<number[]> {
    return this.expireFields('HEXPIREAT', key, unixSeconds, fields, condition);
  }

  hpexpireat(
    key: Argument,
    unixMs: number,
    fields: readonly Argument[],
    condition?: ExpireCondition,
  ): Promise<number[]> {
    return this.expireFields('HPEXPIREAT', key, unixMs, fields, condition);
  }

  private expireFields(
    command: string,
    key: Argument,
    time: number,
    fields: readonly Argument[],
    condition: ExpireCondition | undefined,
  ): Promise<number[]> {
    const when = condition === undefined ? [] : [condition];
    return this.run([command, key, time, ...when, ...counted(fields)], integers);
  }

  /** Per field: seconds left, -1 without an expiry, -2 no such field. */
  httl(key: Argument, fields: readonly Argument[]): Promise<number[]> {
    return this.run(['HTTL', key, ...counted(fields)], integers);
  }

  hpttl(key: Argument, fields: readonly Argument[]): Promise<number[]> {
    return this.run(['HPTTL', key, ...counted(fields)], integers);
  }

  hexpiretime(key: Argument, fields: readonly Argument[]): Promise<number[]> {
    return this.run(['HEXPIRETIME', key, ...counted(fields)], integers);
  }

  hpexpiretime(key: Argument, fields: readonly Argument[]): Promise<number[]> {
    return this.run(['HPEXPIRETIME', key, ...counted(fields)], integers);
  }

  /** Per field: 1 expiry taken away, -1 it had none, -2 no such field. */
  hpersist(key: Argument, fields: readonly Argument[]): Promise<number[]> {
    return this.run(['HPERSIST', key, ...counted(fields)], integers);
  }
}

function counted(fields: readonly Argument[]): Argument[] {
  return ['FIELDS', fields.length, ...fields];
}

/** Each name becomes a property of the object itself, `__proto__` too. */
function recordOf<Text>(reply: Reply): Record<string, Text> {
  const map = reply as ReadonlyMap<string | Buffer, Text>;
  return Object.fromEntries(Array.from(map, ([name, value]) => [name.toString(), value]));
}

/** HSCAN answers with one flat list in RESP3, too. */
function pairsOf<Text>(flat: readonly Text[]): [Text, Text][] {
  const pairs: [Text, Text][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  return pairs;
}
