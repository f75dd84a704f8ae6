import { latin1 } from '../base/bytes.js';

/** Who watches keys: a client between WATCH and EXEC. */
export interface Watcher {
  /** A watched key has changed since it was watched. */
  watchBroken: boolean;
  /** Number of keys watched. */
  watching: number;
}

/** Is there a live key of this name in the database? Must not change anything. */
export type KeyExists = (db: number, key: Buffer) => boolean;

interface WatchedKey {
  readonly db: number;
  readonly key: Buffer;
  /** The key's bytes, one character each. */
  readonly name: string;
}

/**
 * Which keys are watched, and by whom. Every mutation of the keyspace reports here what it touched.
 *
 * `active` is false while nobody watches: a mutation then costs one test of a boolean. A watcher whose key
 * changed is broken once and for all, so its keys are forgotten at that moment.
 */
export class WatchTable {
  active = false;
  /** Watchers by key, one map for each database. */
  private readonly databases: Map<string, Set<Watcher>>[];
  private readonly keysOf = new Map<Watcher, WatchedKey[]>();

  constructor(databaseCount: number) {
    this.databases = Array.from({ length: databaseCount }, () => new Map());
  }

  /** Watches a key, whether it exists or not. An expired one must have been deleted before. */
  watch(db: number, bytes: Uint8Array, start: number, end: number, watcher: Watcher): void {
    const name = latin1(bytes, start, end);
    const watchers = this.databases[db]!.get(name) ?? new Set();
    if (watchers.has(watcher)) return;
    this.databases[db]!.set(name, watchers.add(watcher));
    const keys = this.keysOf.get(watcher) ?? [];
    keys.push({ db, name, key: Buffer.from(name, 'latin1') });
    this.keysOf.set(watcher, keys);
    watcher.watching = keys.length;
    this.active = true;
  }

  /** Forgets everything this watcher watches; `watchBroken` stays as it is. */
  unwatchAll(watcher: Watcher): void {
    const keys = this.keysOf.get(watcher);
    if (!keys) return;
    for (const { db, name } of keys) {
      const watchers = this.databases[db]!.get(name)!;
      watchers.delete(watcher);
      if (watchers.size === 0) this.databases[db]!.delete(name);
    }
    this.keysOf.delete(watcher);
    watcher.watching = 0;
    this.active = this.keysOf.size > 0;
  }

  /**
   * Shows every key of a watcher. EXEC looks each of them up, so that one that has expired, but was not yet
   * deleted, breaks the transaction. Looking up may delete, and so end the watch.
   */
  eachKeyOf(watcher: Watcher, visit: (db: number, key: Buffer) => void): void {
    for (const { db, key } of [...(this.keysOf.get(watcher) ?? [])]) visit(db, key);
  }

  /** Shows every key that anybody watches in a database. Looking up may delete. */
  eachKeyIn(db: number, visit: (key: Buffer) => void): void {
    if (!this.active) return;
    for (const name of [...this.databases[db]!.keys()]) visit(Buffer.from(name, 'latin1'));
  }

  /** A key was written, deleted, expired or given another expiry. */
  touched(db: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.active) return;
    const watchers = this.databases[db]!.get(latin1(bytes, start, end));
    if (watchers) this.breakAll(watchers);
  }

  /** A database is about to be emptied. A watched key that is missing anyway does not change by that. */
  databaseFlushed(db: number, exists: KeyExists): void {
    if (!this.active) return;
    for (const [name, watchers] of this.databases[db]!) {
      if (exists(db, Buffer.from(name, 'latin1'))) this.breakAll(watchers);
    }
  }

  /** Two databases are about to be exchanged: a key changes unless it is missing from both. */
  databasesSwapped(db: number, otherDb: number, exists: KeyExists): void {
    if (!this.active || db === otherDb) return;
    for (const watched of [db, otherDb]) {
      for (const [name, watchers] of this.databases[watched]!) {
        const key = Buffer.from(name, 'latin1');
        if (exists(db, key) || exists(otherDb, key)) this.breakAll(watchers);
      }
    }
  }

  private breakAll(watchers: ReadonlySet<Watcher>): void {
    for (const watcher of [...watchers]) {
      watcher.watchBroken = true;
      this.unwatchAll(watcher);
    }
  }
}
