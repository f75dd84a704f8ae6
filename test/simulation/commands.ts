import type { Keyspace } from '../../src/keyspace/keyspace.js';
import { NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { contentOf, KeyspaceDriver, type ModelDatabase } from '../support/keyspace-model.js';
import type { Random } from './random.js';

export const DATABASES = 2;

interface TwoKeys {
  readonly db: number;
  readonly key: string;
  readonly toDb: number;
  readonly toKey: string;
}

/** What a client may ask for. Times are absolute; 0 is no expiry. */
export type Command =
  | { readonly kind: 'get'; readonly db: number; readonly key: string }
  | {
      readonly kind: 'set';
      readonly db: number;
      readonly key: string;
      readonly value: string;
      readonly expireAt: number;
    }
  | { readonly kind: 'append'; readonly db: number; readonly key: string; readonly value: string }
  | {
      readonly kind: 'setRange';
      readonly db: number;
      readonly key: string;
      readonly offset: number;
      readonly value: string;
    }
  | { readonly kind: 'increment'; readonly db: number; readonly key: string }
  | { readonly kind: 'delete'; readonly db: number; readonly keys: readonly string[] }
  | { readonly kind: 'expire'; readonly db: number; readonly key: string; readonly expireAt: number }
  | ({ readonly kind: 'rename' } & TwoKeys)
  | ({ readonly kind: 'copy' } & TwoKeys)
  | { readonly kind: 'flush'; readonly db: number }
  | { readonly kind: 'swap' }
  | {
      readonly kind: 'hashSet';
      readonly db: number;
      readonly key: string;
      readonly fields: readonly [string, string, number][];
    }
  | {
      readonly kind: 'hashDelete';
      readonly db: number;
      readonly key: string;
      readonly names: readonly string[];
    }
  | {
      readonly kind: 'hashExpire';
      readonly db: number;
      readonly key: string;
      readonly names: readonly string[];
      readonly expireAt: number;
    }
  | { readonly kind: 'transaction'; readonly commands: readonly Command[] };

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', '', '\0\xff', '__proto__'];
const FIELDS = ['f', 'g', 'h', '', 'constructor'];

/** Some command at the time `nowMs`. */
export function randomCommand(random: Random, nowMs: number): Command {
  const db = random.chance(0.85) ? 0 : 1;
  const key = random.pick(KEYS);
  const expireAt = random.chance(0.5) ? NO_EXPIRY : nowMs + random.between(1, 6000);
  const names = () => FIELDS.filter(() => random.chance(0.5));
  switch (random.below(20)) {
    case 0:
      return { kind: 'delete', db, keys: KEYS.filter(() => random.chance(0.3)) };
    case 1:
      return { kind: 'expire', db, key, expireAt };
    case 2:
      return { kind: 'rename', db, key, toDb: db, toKey: random.pick(KEYS) };
    case 3:
      return { kind: 'copy', db, key, toDb: random.below(DATABASES), toKey: random.pick(KEYS) };
    case 4:
      return random.chance(0.3) ? { kind: 'flush', db } : { kind: 'get', db, key };
    case 5:
      return random.chance(0.3) ? { kind: 'swap' } : { kind: 'get', db, key };
    case 6:
    case 7:
      return {
        kind: 'hashSet',
        db,
        key,
        fields: [...names(), 'x'].map((name) => [
          name,
          randomValue(random),
          random.chance(0.7) ? 0 : expireAt,
        ]),
      };
    case 8:
      return { kind: 'hashDelete', db, key, names: names() };
    case 9:
      return { kind: 'hashExpire', db, key, names: names(), expireAt };
    case 10:
      return { kind: 'append', db, key, value: randomValue(random) };
    case 11:
      return { kind: 'setRange', db, key, offset: random.below(1500), value: randomValue(random) };
    case 12:
      return {
        kind: 'transaction',
        commands: Array.from({ length: random.between(2, 5) }, () => randomCommand(random, nowMs)),
      };
    case 13:
    case 14:
      return { kind: 'increment', db, key };
    case 15:
      return { kind: 'get', db, key };
    default:
      return { kind: 'set', db, key, value: randomValue(random), expireAt };
  }
}

/** Mostly short; now and then of many pages, and of the zeros that lost pages read as. */
function randomValue(random: Random): string {
  const letter = String.fromCharCode(random.below(256));
  if (random.chance(0.04)) return '\0'.repeat(random.between(500, 6000));
  if (random.chance(0.03)) return letter.repeat(random.between(4000, 30_000));
  if (random.chance(0.1)) return letter.repeat(random.between(300, 3000));
  return `${random.below(1000)}`;
}

/** Runs a command as its handler would: looks, and then changes by absolute mutations. */
export function execute(keyspace: Keyspace, command: Command): void {
  const driver = new KeyspaceDriver(keyspace);
  if (command.kind === 'transaction') {
    for (const part of command.commands) execute(keyspace, part);
    return;
  }
  if (command.kind === 'flush') keyspace.flush(command.db);
  else if (command.kind === 'swap') keyspace.swap(0, 1);
  else if (command.kind === 'delete') {
    for (const key of command.keys)
      if (found(keyspace, command.db, key) !== 0) driver.delete(command.db, key);
  } else executeOnKey(keyspace, driver, command);
}

type KeyCommand = Exclude<Command, { kind: 'transaction' | 'flush' | 'swap' | 'delete' }>;

function executeOnKey(keyspace: Keyspace, driver: KeyspaceDriver, command: KeyCommand): void {
  const { db, key } = command;
  const ref = found(keyspace, db, key);
  const string = ref !== 0 && keyspace.isString(ref) ? driver.get(db, key)! : undefined;
  const expireAt = ref === 0 ? NO_EXPIRY : keyspace.expiryOf(ref);
  if (command.kind === 'get') return;
  if (command.kind === 'set') driver.set(db, key, command.value, command.expireAt);
  else if (command.kind === 'expire') {
    if (ref !== 0) driver.expireAt(db, key, command.expireAt);
  } else if (command.kind === 'append' || command.kind === 'setRange') {
    if (ref !== 0 && string === undefined) return;
    driver.setRange(
      db,
      key,
      command.kind === 'append' ? (string?.length ?? 0) : command.offset,
      command.value,
    );
  } else if (command.kind === 'increment') {
    if (ref !== 0 && (string === undefined || !COUNTER.test(string))) return;
    driver.set(db, key, String(Number(string ?? '0') + 1), expireAt);
  } else if (command.kind === 'rename' || command.kind === 'copy') {
    if (ref === 0 || (command.toDb === db && command.toKey === key)) return;
    if (command.kind === 'rename') driver.rename(db, key, command.toDb, command.toKey);
    else driver.copy(db, key, command.toDb, command.toKey);
  } else executeOnHash(keyspace, driver, command, ref);
}

type HashCommand = Extract<Command, { kind: 'hashSet' | 'hashDelete' | 'hashExpire' }>;

function executeOnHash(keyspace: Keyspace, driver: KeyspaceDriver, command: HashCommand, ref: number): void {
  const { db, key } = command;
  if (ref !== 0 && !keyspace.isHash(ref)) return;
  if (command.kind === 'hashSet') {
    driver.hashSet(db, key, command.fields);
    return;
  }
  if (ref === 0) return;
  const present = command.names.filter((name) => {
    const field = Buffer.from(name, 'latin1');
    return keyspace.hashFind(ref, field, 0, field.length);
  });
  if (present.length === 0) return;
  if (command.kind === 'hashExpire') driver.hashExpireAt(db, key, present, command.expireAt);
  else if (present.length === keyspace.hashLength(ref)) driver.delete(db, key);
  else driver.hashDelete(db, key, present);
}

const COUNTER = /^\d{1,12}$/;

function found(keyspace: Keyspace, db: number, key: string): number {
  const bytes = Buffer.from(key, 'latin1');
  return keyspace.find(db, bytes, 0, bytes.length);
}

/** What a client can see of all databases, as text: equal for equal content. */
export function visibleContent(keyspace: Keyspace): string {
  const databases = Array.from({ length: DATABASES }, (_, db) => contentOf(keyspace, db));
  return describeContent(databases);
}

export function describeContent(databases: readonly ModelDatabase[]): string {
  const lines: string[] = [];
  databases.forEach((database, db) => {
    for (const [key, value] of database) {
      const what =
        value.type === 'string'
          ? describeValue(value.value)
          : [...value.fields]
              .map(
                ([name, field]) => `${describeValue(name)}=${describeValue(field.value)}@${field.expireAt}`,
              )
              .sort()
              .join(',');
      lines.push(`${db} ${describeValue(key)} ${value.type} @${value.expireAt} ${what}`);
    }
  });
  return lines.sort().join('\n');
}

/** Runs of one character are what the values consist of; written out they would hide everything else. */
function describeValue(value: string): string {
  return JSON.stringify(value).replace(/((?:\\u[0-9a-f]{4}|\\?.))\1{15,}/g, (run, unit: string) => {
    return `<${run.length / unit.length} times ${unit}>`;
  });
}
