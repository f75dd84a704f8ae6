import type { ModelDatabase, ModelHash, ModelString, ModelValue } from '../support/keyspace-model.js';
import { type Command, DATABASES, describeContent } from './commands.js';

/** What the store must contain, kept in plain maps and without a look at the implementation. */
export class Model {
  private databases: ModelDatabase[] = Array.from({ length: DATABASES }, () => new Map());

  copy(): Model {
    const copy = new Model();
    copy.databases = this.databases.map(
      (database) => new Map([...database].map(([key, value]) => [key, copyOf(value)])),
    );
    return copy;
  }

  /** What a client sees at `nowMs`. */
  visibleContent(nowMs: number): string {
    const seen = this.copy();
    seen.databases.forEach((database, db) => {
      for (const key of [...database.keys()]) seen.find(db, key, nowMs);
    });
    return describeContent(seen.databases);
  }

  apply(command: Command, nowMs: number): void {
    switch (command.kind) {
      case 'transaction':
        for (const part of command.commands) this.apply(part, nowMs);
        break;
      case 'flush':
        this.databases[command.db] = new Map();
        break;
      case 'swap':
        this.databases.reverse();
        break;
      case 'delete':
        for (const key of command.keys) this.databases[command.db]!.delete(key);
        break;
      default:
        this.applyToKey(command, nowMs);
    }
  }

  private applyToKey(
    command: Exclude<Command, { kind: 'transaction' | 'flush' | 'swap' | 'delete' }>,
    nowMs: number,
  ): void {
    const database = this.databases[command.db]!;
    const value = this.find(command.db, command.key, nowMs);
    switch (command.kind) {
      case 'get':
        break;
      case 'set':
        database.set(command.key, { type: 'string', value: command.value, expireAt: command.expireAt });
        break;
      case 'append':
      case 'setRange':
        if (value?.type === 'hash') break;
        database.set(command.key, edited(value, command));
        break;
      case 'increment':
        if (value && (value.type === 'hash' || !/^\d{1,12}$/.test(value.value))) break;
        database.set(command.key, {
          type: 'string',
          value: String(Number(value?.value ?? 0) + 1),
          expireAt: value?.expireAt ?? 0,
        });
        break;
      case 'expire':
        if (value) value.expireAt = command.expireAt;
        break;
      case 'rename':
      case 'copy':
        if (!value || (command.db === command.toDb && command.key === command.toKey)) break;
        this.databases[command.toDb]!.set(command.toKey, copyOf(value));
        if (command.kind === 'rename') database.delete(command.key);
        break;
      case 'hashSet':
        if (value?.type === 'string') break;
        database.set(command.key, withFields(value, command.fields));
        break;
      case 'hashDelete':
        if (value?.type !== 'hash') break;
        for (const name of command.names) value.fields.delete(name);
        if (value.fields.size === 0) database.delete(command.key);
        break;
      case 'hashExpire':
        if (value?.type !== 'hash') break;
        for (const name of command.names) {
          const field = value.fields.get(name);
          if (field) field.expireAt = command.expireAt;
        }
    }
  }

  /** What has not expired of a key; the rest goes. */
  private find(db: number, key: string, nowMs: number): ModelValue | undefined {
    const database = this.databases[db]!;
    const value = database.get(key);
    if (!value) return undefined;
    if (value.type === 'hash') {
      for (const [name, field] of value.fields) if (isOver(field.expireAt, nowMs)) value.fields.delete(name);
    }
    if (!isOver(value.expireAt, nowMs) && !(value.type === 'hash' && value.fields.size === 0)) return value;
    database.delete(key);
    return undefined;
  }
}

function isOver(expireAt: number | bigint, nowMs: number): boolean {
  return expireAt !== 0 && expireAt <= nowMs;
}

function copyOf(value: ModelValue): ModelValue {
  if (value.type === 'string') return { ...value };
  return { ...value, fields: new Map([...value.fields].map(([name, field]) => [name, { ...field }])) };
}

function edited(
  value: ModelString | undefined,
  command: Extract<Command, { kind: 'append' | 'setRange' }>,
): ModelString {
  const before = value?.value ?? '';
  const offset = command.kind === 'append' ? before.length : command.offset;
  const head = before.slice(0, offset).padEnd(offset, '\0');
  return {
    type: 'string',
    value: head + command.value + before.slice(offset + command.value.length),
    expireAt: value?.expireAt ?? 0,
  };
}

function withFields(value: ModelHash | undefined, fields: readonly [string, string, number][]): ModelHash {
  const hash: ModelHash = value ?? { type: 'hash', fields: new Map(), expireAt: 0 };
  for (const [name, content, expireAt] of fields) hash.fields.set(name, { value: content, expireAt });
  return hash;
}
