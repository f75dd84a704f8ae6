import type { Argument } from './argument-writer.js';
import { integer, ok, plainText, type Shape, yesOrNo } from './call-base.js';
import { StringCalls } from './string-calls.js';

/** NX: only without a time to live; XX: only with one; GT and LT: only if the new one is later or earlier. */
export type ExpireCondition = 'NX' | 'XX' | 'GT' | 'LT';

export interface ScanOptions {
  /** A glob pattern. */
  readonly match?: Argument;
  /** About how many keys to look at in one step; 10. */
  readonly count?: number;
  readonly type?: 'string' | 'hash';
}

/** One step of a scan. */
export interface ScanStep<Items> {
  /** Where the next step begins; '0' at the end. */
  readonly cursor: string;
  readonly items: Items;
}

/** Calls for keys of any type. */
export abstract class KeyCalls<Text extends string | Buffer> extends StringCalls<Text> {
  /** How many of them there were. */
  del(...keys: readonly Argument[]): Promise<number> {
    return this.run(['DEL', ...keys], integer);
  }

  unlink(...keys: readonly Argument[]): Promise<number> {
    return this.run(['UNLINK', ...keys], integer);
  }

  /** How many of them there are; a key given twice counts twice. */
  exists(...keys: readonly Argument[]): Promise<number> {
    return this.run(['EXISTS', ...keys], integer);
  }

  touch(...keys: readonly Argument[]): Promise<number> {
    return this.run(['TOUCH', ...keys], integer);
  }

  type(key: Argument): Promise<'none' | 'string' | 'hash'> {
    return this.run(['TYPE', key], plainText as Shape<'none' | 'string' | 'hash'>);
  }

  /** Rejects when there is no such key. */
  rename(key: Argument, newKey: Argument): Promise<'OK'> {
    return this.run(['RENAME', key, newKey], ok);
  }

  renamenx(key: Argument, newKey: Argument): Promise<boolean> {
    return this.run(['RENAMENX', key, newKey], yesOrNo);
  }

  copy(
    source: Argument,
    destination: Argument,
    options: { readonly db?: number; readonly replace?: boolean } = {},
  ): Promise<boolean> {
    const args: Argument[] = ['COPY', source, destination];
    if (options.db !== undefined) args.push('DB', options.db);
    if (options.replace) args.push('REPLACE');
    return this.run(args, yesOrNo);
  }

  /** To another database. */
  move(key: Argument, db: number): Promise<boolean> {
    return this.run(['MOVE', key, db], yesOrNo);
  }

  /** Every key that matches: for small databases. */
  keys(pattern: Argument): Promise<Text[]> {
    return this.run(['KEYS', pattern], this.texts);
  }

  randomkey(): Promise<Text | null> {
    return this.run(['RANDOMKEY'], this.maybeText);
  }

  /** One step; `scanAll` goes through all of them. */
  scan(cursor: string, options: ScanOptions = {}): Promise<ScanStep<Text[]>> {
    const args: Argument[] = ['SCAN', cursor, ...scanArguments(options)];
    if (options.type !== undefined) args.push('TYPE', options.type);
    return this.run(args, scanStep<Text>);
  }

  /** Every key that is there during the whole scan, at least once. */
  async *scanAll(options: ScanOptions = {}): AsyncGenerator<Text, void, void> {
    let cursor = '0';
    do {
      const step = await this.scan(cursor, options);
      yield* step.items;
      cursor = step.cursor;
    } while (cursor !== '0');
  }

  expire(key: Argument, seconds: number, condition?: ExpireCondition): Promise<boolean> {
    return this.expireBy('EXPIRE', key, seconds, condition);
  }

  pexpire(key: Argument, milliseconds: number, condition?: ExpireCondition): Promise<boolean> {
    return this.expireBy('PEXPIRE', key, milliseconds, condition);
  }

  expireat(key: Argument, unixSeconds: number, condition?: ExpireCondition): Promise<boolean> {
    return this.expireBy('EXPIREAT', key, unixSeconds, condition);
  }

  pexpireat(key: Argument, unixMs: number, condition?: ExpireCondition): Promise<boolean> {
    return this.expireBy('PEXPIREAT', key, unixMs, condition);
  }

  private expireBy(
    command: string,
    key: Argument,
    time: number,
    condition: ExpireCondition | undefined,
  ): Promise<boolean> {
    const last = condition === undefined ? [] : [condition];
    return this.run([command, key, time, ...last], yesOrNo);
  }

  /** Seconds left; -1 without an expiry, -2 for a missing key. */
  ttl(key: Argument): Promise<number> {
    return this.run(['TTL', key], integer);
  }

  pttl(key: Argument): Promise<number> {
    return this.run(['PTTL', key], integer);
  }

  /** Unix time in seconds; -1 without an expiry, -2 for a missing key. */
  expiretime(key: Argument): Promise<number> {
    return this.run(['EXPIRETIME', key], integer);
  }

  pexpiretime(key: Argument): Promise<number> {
    return this.run(['PEXPIRETIME', key], integer);
  }

  /** True when a time to live was taken away. */
  persist(key: Argument): Promise<boolean> {
    return this.run(['PERSIST', key], yesOrNo);
  }
}

export function scanArguments({ match, count }: ScanOptions): Argument[] {
  const args: Argument[] = [];
  if (match !== undefined) args.push('MATCH', match);
  if (count !== undefined) args.push('COUNT', count);
  return args;
}

export function scanStep<Item>(reply: unknown): ScanStep<Item[]> {
  const [cursor, items] = reply as [string | Buffer, Item[]];
  return { cursor: cursor.toString(), items };
}
