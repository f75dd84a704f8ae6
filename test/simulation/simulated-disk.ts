import { basename } from 'node:path';
import type { FileHandle, LogFiles, SyncCallback } from '../../src/log/files.js';
import type { Random } from './random.js';
import { SimulatedFile } from './simulated-file.js';

export type Operation = keyof LogFiles;

/**
 * What happens at the n-th operation:
 *
 * - `EIO`, `ENOSPC`: it does nothing and fails so;
 * - `failed sync`: it is left alone unless it syncs a file; the first that does fails with EIO;
 * - `short`: a write that writes a part and says so, after which there is no room;
 * - `crash before`, `crash after`: the process ends there;
 * - `crash midway`: it ends after a part of a write; another operation is not done.
 */
export type FaultKind =
  | 'EIO'
  | 'ENOSPC'
  | 'failed sync'
  | 'short'
  | 'crash before'
  | 'crash midway'
  | 'crash after';

export interface Fault {
  /** Which operation from now on, from 1. */
  readonly at: number;
  readonly kind: FaultKind;
  /** How many operations in a row fail; 1 for a crash. */
  readonly times: number;
}

/** Every operation of a process that has ended throws this: nothing it does can have an effect any more. */
export class ProcessEnded extends Error {
  override name = 'ProcessEnded';
}

type Entry =
  | { readonly kind: 'create'; readonly name: string; readonly file: SimulatedFile }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string };

interface BackgroundSync {
  readonly handle: FileHandle;
  readonly file: SimulatedFile;
  readonly upTo: number;
  readonly done: SyncCallback;
}

const SYNCS = new Set<Operation>(['fdatasync', 'fsync', 'fdatasyncInBackground']);
/** Operations that fail for want of room. */
const NEEDS_ROOM = new Set<Operation>(['write', 'createExclusive', 'rename']);

/**
 * A disk with one directory, and the system's memory in front of it. It counts operations, fails or ends the
 * process at the one it was told to, and forgets what was not synced when the power goes.
 */
export class SimulatedDisk implements LogFiles {
  /** Operations since the last `arm`. */
  operations = 0;
  /** What the fault has hit; undefined while it has not. */
  struck: Operation | undefined;
  ended = false;
  /** A sync has failed since the process began: the disk may have anything of what it was for. */
  syncFailed = false;
  /** Programs read less than was written, since the last `forgetLosses`: pages are gone from memory. */
  hasLostPages = false;
  private fault: Fault | undefined;
  private full = 0;
  /** How many operations the fault has hit. */
  private strikesSoFar = 0;
  private names = new Map<string, SimulatedFile>();
  private durableNames = new Map<string, SimulatedFile>();
  private unsyncedEntries: Entry[] = [];
  private open = new Map<FileHandle, SimulatedFile>();
  private nextHandle = 1;
  private background: BackgroundSync[] = [];

  constructor(private readonly random: Random) {}

  // ---- What the simulation does with it --------------------------------------------------------------

  arm(fault: Fault | undefined): void {
    this.fault = fault;
    this.operations = 0;
    this.struck = undefined;
    this.strikesSoFar = 0;
    this.full = 0;
  }

  /** What is there now is what is expected from here on. */
  forgetLosses(): void {
    this.hasLostPages = false;
  }

  get syncsUnderWay(): number {
    return this.background.length;
  }

  /** Ends one background sync, any of those under way. */
  completeSync(): void {
    const [sync] = this.background.splice(this.random.below(this.background.length), 1);
    try {
      this.perform('fdatasyncInBackground', () => sync!.file.syncUpTo(sync!.upTo));
    } catch (error) {
      if (error instanceof ProcessEnded) throw error;
      this.failSync(sync!.file);
      sync!.done(error as Error);
      return;
    }
    sync!.done(null);
  }

  /** The process ends here, whatever it was doing. */
  endProcess(): void {
    this.ended = true;
  }

  /** A new process finds the disk as the old one left it. */
  afterKill(): void {
    this.ended = false;
    this.syncFailed = false;
    this.open.clear();
    this.background = [];
    this.arm(undefined);
  }

  /** A new process finds what a power cut has left. */
  afterPowerCut(): void {
    this.hasLostPages = true;
    this.durableNames = this.survivingNames();
    this.names = new Map(this.durableNames);
    this.unsyncedEntries = [];
    for (const file of new Set(this.names.values())) file.losePower(this.random);
    this.afterKill();
  }

  /** The same content on another disk. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk(this.random);
    const files = new Map<SimulatedFile, SimulatedFile>();
    const copied = (file: SimulatedFile): SimulatedFile => {
      const known = files.get(file) ?? file.copy();
      files.set(file, known);
      return known;
    };
    for (const [name, file] of this.names) copy.names.set(name, copied(file));
    for (const [name, file] of this.durableNames) copy.durableNames.set(name, copied(file));
    copy.unsyncedEntries = this.unsyncedEntries.map((entry) =>
      entry.kind === 'create' ? { ...entry, file: copied(entry.file) } : entry,
    );
    return copy;
  }

  /** Content by name, as a program would read it. */
  contents(): Map<string, Buffer> {
    return new Map([...this.names].map(([name, file]) => [name, file.content]));
  }

  /** Changes a file as only failing hardware or an operator would. */
  damage(name: string, change: (bytes: Buffer) => Buffer): void {
    this.names.get(name)!.damage(change);
  }

  /** Removes files as an operator would, durably. */
  removeFiles(names: readonly string[]): void {
    for (const name of names) this.unlink(name);
    this.syncDirectory('');
  }

  // ---- LogFiles --------------------------------------------------------------------------------------

  openForReading(path: string): FileHandle {
    return this.perform('openForReading', () => this.opened(this.existing(path)));
  }

  openForWriting(path: string): FileHandle {
    return this.perform('openForWriting', () => this.opened(this.existing(path)));
  }

  createExclusive(path: string): FileHandle {
    return this.perform('createExclusive', () => {
      const name = basename(path);
      if (this.names.has(name)) throw systemError('EEXIST');
      const file = new SimulatedFile();
      this.names.set(name, file);
      this.unsyncedEntries.push({ kind: 'create', name, file });
      return this.opened(file);
    });
  }

  close(handle: FileHandle): void {
    this.perform('close', () => {
      if (this.background.some((sync) => sync.handle === handle))
        throw new Error('a file was closed while a sync of it was under way');
      if (!this.open.delete(handle)) throw systemError('EBADF');
    });
  }

  read(handle: FileHandle, target: Buffer, start: number, length: number, position: number): number {
    return this.perform('read', () =>
      this.fileOf(handle).content.copy(target, start, position, position + length),
    );
  }

  write(handle: FileHandle, source: Buffer, start: number, length: number, position: number): number {
    const file = this.fileOf(handle);
    const write = (bytes: number): number => {
      if (bytes > 0) file.write(position, source.subarray(start, start + bytes));
      return bytes;
    };
    if (this.strikes('write') === 'short' && length > 1) {
      this.begin('write');
      this.full = this.fault!.times;
      this.fault = undefined;
      return write(this.random.between(1, length - 1));
    }
    if (this.strikes('write') === 'crash midway') write(this.random.below(length));
    return this.perform('write', () => write(length));
  }

  size(handle: FileHandle): number {
    return this.perform('size', () => this.fileOf(handle).content.length);
  }

  truncate(handle: FileHandle, size: number): void {
    this.perform('truncate', () => this.fileOf(handle).truncate(size));
  }

  fdatasync(handle: FileHandle): void {
    this.sync('fdatasync', handle);
  }

  fsync(handle: FileHandle): void {
    this.sync('fsync', handle);
  }

  fdatasyncInBackground(handle: FileHandle, done: SyncCallback): void {
    const file = this.fileOf(handle);
    this.background.push({ handle, file, upTo: file.lastChange, done });
  }

  rename(from: string, to: string): void {
    this.perform('rename', () => {
      const file = this.existing(from);
      const entry: Entry = { kind: 'rename', from: basename(from), to: basename(to) };
      this.names.delete(entry.from);
      this.names.set(entry.to, file);
      this.unsyncedEntries.push(entry);
    });
  }

  unlink(path: string): void {
    this.perform('unlink', () => {
      this.existing(path);
      this.names.delete(basename(path));
      this.unsyncedEntries.push({ kind: 'unlink', name: basename(path) });
    });
  }

  list(_directory: string): string[] {
    return this.perform('list', () => [...this.names.keys()]);
  }

  openDirectory(_directory: string): FileHandle {
    return this.perform('openDirectory', () => this.opened(new SimulatedFile()));
  }

  syncDirectory(_directory: string): void {
    this.perform('syncDirectory', () => {
      this.durableNames = new Map(this.names);
      this.unsyncedEntries = [];
    });
  }

  // ---- Inside ----------------------------------------------------------------------------------------

  private sync(operation: 'fdatasync' | 'fsync', handle: FileHandle): void {
    const file = this.fileOf(handle);
    const isFailing = this.strikes(operation) === 'EIO';
    try {
      this.perform(operation, () => file.syncUpTo(file.lastChange));
    } finally {
      if (isFailing) this.failSync(file);
    }
  }

  private failSync(file: SimulatedFile): void {
    this.syncFailed = true;
    if (file.failSync(this.random)) this.hasLostPages = true;
  }

  private opened(file: SimulatedFile): FileHandle {
    const handle = this.nextHandle++;
    this.open.set(handle, file);
    return handle;
  }

  private existing(path: string): SimulatedFile {
    const file = this.names.get(basename(path));
    if (file === undefined) throw systemError('ENOENT');
    return file;
  }

  private fileOf(handle: FileHandle): SimulatedFile {
    if (this.ended) throw new ProcessEnded();
    const file = this.open.get(handle);
    if (file === undefined) throw systemError('EBADF');
    return file;
  }

  /** What the fault does to this operation, the next one. */
  private strikes(operation: Operation): Exclude<FaultKind, 'failed sync'> | undefined {
    const { fault } = this;
    const next = this.operations + 1;
    if (fault === undefined || next < fault.at) return undefined;
    if (fault.kind === 'failed sync')
      return SYNCS.has(operation) && this.strikesSoFar < fault.times ? 'EIO' : undefined;
    return next < fault.at + fault.times || isCrash(fault.kind) ? fault.kind : undefined;
  }

  private begin(operation: Operation): void {
    this.operations++;
    this.strikesSoFar++;
    this.struck ??= operation;
  }

  private perform<T>(operation: Operation, action: () => T): T {
    if (this.ended) throw new ProcessEnded();
    const kind = this.strikes(operation);
    if (kind === undefined) {
      this.operations++;
      if (this.full > 0 && operation === 'write') {
        this.full--;
        throw systemError('ENOSPC');
      }
      return action();
    }
    this.begin(operation);
    if (isCrash(kind)) return this.crash(kind, action);
    const error = kind === 'short' ? 'ENOSPC' : kind;
    if (operation === 'close' || (error === 'ENOSPC' && !NEEDS_ROOM.has(operation))) return action();
    throw systemError(error);
  }

  private crash(kind: FaultKind, action: () => unknown): never {
    if (kind === 'crash after') action();
    this.ended = true;
    throw new ProcessEnded();
  }

  /** Mostly those of a moment, as a journal keeps them; sometimes any of the changes without the others. */
  private survivingNames(): Map<string, SimulatedFile> {
    const { random, unsyncedEntries } = this;
    const names = new Map(this.durableNames);
    const moment = random.below(unsyncedEntries.length + 1);
    const inOrder = random.chance(0.6);
    unsyncedEntries.forEach((entry, i) => {
      if (inOrder ? i < moment : random.chance(0.5)) enter(names, entry);
    });
    return names;
  }
}

function enter(names: Map<string, SimulatedFile>, entry: Entry): void {
  if (entry.kind === 'create') names.set(entry.name, entry.file);
  else if (entry.kind === 'unlink') names.delete(entry.name);
  else {
    const file = names.get(entry.from);
    if (file === undefined) return;
    names.delete(entry.from);
    names.set(entry.to, file);
  }
}

function isCrash(kind: FaultKind): boolean {
  return kind.startsWith('crash');
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
