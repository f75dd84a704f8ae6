import type { Argument } from './argument-writer.js';
import {
  CallBase,
  decimal,
  type Entries,
  type Expiry,
  entryArguments,
  expiryArguments,
  integer,
  ok,
  okOrNull,
  yesOrNo,
} from './call-base.js';

export interface SetOptions extends Expiry {
  /** Keep the time to live that the key has. */
  readonly keepTtl?: boolean;
  /** Only if the key does not exist. */
  readonly nx?: boolean;
  /** Only if it does. */
  readonly xx?: boolean;
  /** Only if its value is this one. */
  readonly ifEq?: Argument;
  /** Only if its value is another one. */
  readonly ifNe?: Argument;
  /** Return the value before, null for none, whether the key was set or not. */
  readonly get?: boolean;
}

export interface GetExOptions extends Expiry {
  /** Take the time to live away. */
  readonly persist?: boolean;
}

/** Calls for strings. Times in seconds unless the name begins with `p`: then in milliseconds. */
export abstract class StringCalls<Text extends string | Buffer> extends CallBase<Text> {
  get(key: Argument): Promise<Text | null> {
    return this.run(['GET', key], this.maybeText);
  }

  /** Null when the condition did not hold. */
  set(key: Argument, value: Argument): Promise<'OK'>;
  set(key: Argument, value: Argument, options: SetOptions & { get: true }): Promise<Text | null>;
  set(key: Argument, value: Argument, options: SetOptions & { get?: false }): Promise<'OK' | null>;
  set(key: Argument, value: Argument, options?: SetOptions): Promise<Text | 'OK' | null>;
  set(key: Argument, value: Argument, options: SetOptions = {}): Promise<Text | 'OK' | null> {
    const args: Argument[] = ['SET', key, value, ...expiryArguments(options)];
    if (options.keepTtl) args.push('KEEPTTL');
    if (options.nx) args.push('NX');
    if (options.xx) args.push('XX');
    if (options.ifEq !== undefined) args.push('IFEQ', options.ifEq);
    if (options.ifNe !== undefined) args.push('IFNE', options.ifNe);
    if (!options.get) return this.run(args, okOrNull);
    args.push('GET');
    return this.run(args, this.maybeText);
  }

  setex(key: Argument, seconds: number, value: Argument): Promise<'OK'> {
    return this.run(['SETEX', key, seconds, value], ok);
  }

  psetex(key: Argument, milliseconds: number, value: Argument): Promise<'OK'> {
    return this.run(['PSETEX', key, milliseconds, value], ok);
  }

  /** True when the key did not exist and was set. */
  setnx(key: Argument, value: Argument): Promise<boolean> {
    return this.run(['SETNX', key, value], yesOrNo);
  }

  /** The value, whose time to live is changed as the options say. */
  getex(key: Argument, options: GetExOptions = {}): Promise<Text | null> {
    const persist = options.persist ? ['PERSIST'] : [];
    return this.run(['GETEX', key, ...expiryArguments(options), ...persist], this.maybeText);
  }

  getdel(key: Argument): Promise<Text | null> {
    return this.run(['GETDEL', key], this.maybeText);
  }

  getset(key: Argument, value: Argument): Promise<Text | null> {
    return this.run(['GETSET', key, value], this.maybeText);
  }

  mget(keys: readonly Argument[]): Promise<(Text | null)[]> {
    return this.run(['MGET', ...keys], this.maybeTexts);
  }

  mset(entries: Entries): Promise<'OK'> {
    return this.run(['MSET', ...entryArguments(entries)], ok);
  }

  /** False, and nothing set, when one of the keys exists. */
  msetnx(entries: Entries): Promise<boolean> {
    return this.run(['MSETNX', ...entryArguments(entries)], yesOrNo);
  }

  /** As `mset`, with one expiry for all; false when the condition did not hold. */
  msetex(
    entries: Entries,
    options: Expiry & Pick<SetOptions, 'keepTtl' | 'nx' | 'xx'> = {},
  ): Promise<boolean> {
    const pairs = entryArguments(entries);
    const args: Argument[] = ['MSETEX', pairs.length / 2, ...pairs, ...expiryArguments(options)];
    if (options.keepTtl) args.push('KEEPTTL');
    if (options.nx) args.push('NX');
    if (options.xx) args.push('XX');
    return this.run(args, yesOrNo);
  }

  /** The new length in bytes. */
  append(key: Argument, value: Argument): Promise<number> {
    return this.run(['APPEND', key, value], integer);
  }

  /** Length in bytes, 0 for a missing key. */
  strlen(key: Argument): Promise<number> {
    return this.run(['STRLEN', key], integer);
  }

  /** Bytes from `start` to `end`, both included, negative ones counted from the end. */
  getrange(key: Argument, start: number, end: number): Promise<Text> {
    return this.run(['GETRANGE', key, start, end], this.text);
  }

  setrange(key: Argument, offset: number, value: Argument): Promise<number> {
    return this.run(['SETRANGE', key, offset, value], integer);
  }

  incr(key: Argument): Promise<number> {
    return this.run(['INCR', key], integer);
  }

  incrby(key: Argument, by: number | bigint): Promise<number> {
    return this.run(['INCRBY', key, by], integer);
  }

  incrbyfloat(key: Argument, by: number): Promise<number> {
    return this.run(['INCRBYFLOAT', key, by], decimal);
  }

  decr(key: Argument): Promise<number> {
    return this.run(['DECR', key], integer);
  }

  decrby(key: Argument, by: number | bigint): Promise<number> {
    return this.run(['DECRBY', key, by], integer);
  }
}
