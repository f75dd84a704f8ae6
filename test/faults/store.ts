/**
 * Data directories for the damage tests, made by the code that makes them in a server (recovery, keyspace,
 * log writer, checkpoint worker) but group by group, so that the exact state after each group is known.
 */
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryResult, dir as temporaryDirectory } from 'tmp-promise';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Checkpointer } from '../../src/checkpoint/checkpointer.js';
import { checkStructure, openSnapshot } from '../../src/checkpoint/snapshot-file.js';
import { keyspaceDigest } from '../../src/keyspace/digest.js';
import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';
import { FieldList, NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import { nodeFiles } from '../../src/log/files.js';
import { GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { scanSegment } from '../../src/log/reader.js';
import { segmentName } from '../../src/log/segments.js';
import { type Recovered, recover } from '../../src/recovery.js';
import { Random } from './random.mjs';

/** Long past any run of the tests. */
const EXPIRES_AT_MS = 4_000_000_000_000;

/** An open store: what a server is to its directory, without sockets and timers. */
export class Store {
  private readonly encoder = new GroupEncoder();

  private constructor(
    readonly keyspace: Keyspace,
    readonly recovered: Recovered,
    /** What a server would have logged during the start. */
    readonly messages: readonly string[],
  ) {
    keyspace.journal = this.encoder;
  }

  /** @throws StorageError, StartupError as a server's start does. */
  static async open(directory: string): Promise<Store> {
    const keyspace = createKeyspace({ databases: 16, now: systemClock.wallMs() });
    const messages: string[] = [];
    const recovered = await recover({
      directory,
      keyspace,
      files: nodeFiles,
      clock: systemClock,
      log: (message) => void messages.push(message),
    });
    const store = new Store(keyspace, recovered, messages);
    try {
      checkSnapshot(recovered.snapshotPath);
    } catch (error) {
      store.close();
      throw error;
    }
    return store;
  }

  get seq(): number {
    return this.recovered.writer.lastSeq;
  }

  get digest(): string {
    return keyspaceDigest(this.keyspace);
  }

  /** One commit group of a few random mutations, on the disk on return, as under `always`. */
  writeGroup(random: Random): void {
    for (let i = 1 + random.below(3); i > 0; i--) this.mutate(random);
    this.recovered.writer.append(this.encoder, systemClock.wallMs());
    this.recovered.writer.sync();
    this.encoder.clear();
    this.keyspace.commit(this.keyspace.undoPosition);
  }

  /** Brings every sealed segment into the snapshot; deletes none. */
  async checkpoint(): Promise<void> {
    const { writer, snapshotPath, storeId } = this.recovered;
    const checkpointer = new Checkpointer({ path: snapshotPath, storeId });
    await checkpointer.start();
    const segments = writer.sealed.map(({ path, header, lastSeq }) => ({
      path,
      number: header.number,
      previousSeq: header.previousSeq,
      lastSeq,
    }));
    try {
      await checkpointer.run(segments, 1);
    } finally {
      await checkpointer.close();
    }
  }

  close(): void {
    this.recovered.writer.close();
    this.recovered.lock.release();
  }

  private mutate(random: Random): void {
    const name = Buffer.from(`k${random.below(20)}`);
    const value = Buffer.from(random.bytes(1 + random.below(40)), 'latin1');
    const expireAt = random.below(2) ? NO_EXPIRY : EXPIRES_AT_MS + random.below(1e9);
    switch (random.below(4)) {
      case 0: {
        const key = Buffer.concat([Buffer.from('h:'), name]);
        const both = Buffer.concat([name, value]);
        const fields = new FieldList().reset(both);
        fields.add(0, name.length, name.length, both.length, expireAt);
        this.keyspace.hashSet(1, key, 0, key.length, fields);
        break;
      }
      case 1:
        this.keyspace.delete(0, name, 0, name.length);
        // A group needs a record, and there may have been nothing to delete.
        this.keyspace.setString(0, value, 0, value.length, name, 0, name.length, expireAt);
        break;
      default:
        this.keyspace.setString(0, name, 0, name.length, value, 0, value.length, expireAt);
    }
  }
}

/** What the checkpoint worker does before a server is ready: SQLite looks at the structure of the file. */
function checkSnapshot(path: string): void {
  const database = openSnapshot(path, 0);
  try {
    checkStructure(database, path);
  } finally {
    database.close();
  }
}

/** In memory where there is such a place: these tests damage files, they do not cut the power. */
async function scratchDirectory(): Promise<DirectoryResult> {
  const tmpdir = existsSync('/dev/shm') ? '/dev/shm' : undefined;
  return temporaryDirectory({ unsafeCleanup: true, prefix: 'holdfast', ...(tmpdir ? { tmpdir } : {}) });
}

/** A directory that nothing has open, and what it held after each of its groups. */
export interface Template {
  readonly directory: string;
  /** By sequence number; `digests[0]` is that of nothing. */
  readonly digests: readonly string[];
  /** Groups in the snapshot. */
  readonly covered: number;
  /** Segments and snapshots as they were before they were deleted or replaced. */
  readonly attic: string;
  /** Removes both. */
  dispose(): Promise<void>;
}

export const GROUPS_PER_SEGMENT = 5;

/**
 * Makes a store of `segments` segments of five groups each, the last one active, of which the first
 * `checkpointed` are in the snapshot and deleted.
 */
export async function makeTemplate(options: {
  segments: number;
  checkpointed: number;
  seed: number;
}): Promise<Template> {
  const { path: directory, cleanup } = await scratchDirectory();
  const { path: attic, cleanup: cleanUpAttic } = await scratchDirectory();
  const random = new Random(options.seed);
  const store = await Store.open(directory);
  const { writer } = store.recovered;
  const digests = [store.digest];
  for (let segment = 1; segment <= options.segments; segment++) {
    if (segment > 1) writer.rotate(systemClock.wallMs());
    if (segment === options.checkpointed + 1 && options.checkpointed > 0) {
      cpSync(directory, attic, { recursive: true });
      await store.checkpoint();
      writer.remove(store.seq);
    }
    for (let group = 0; group < GROUPS_PER_SEGMENT; group++) {
      store.writeGroup(random);
      digests.push(store.digest);
    }
  }
  store.close();
  const dispose = async () => {
    await cleanup();
    await cleanUpAttic();
  };
  return { directory, digests, covered: options.checkpointed * GROUPS_PER_SEGMENT, attic, dispose };
}

/** A copy of the template to be damaged, gone when the test ends. */
export async function copyOf(template: Pick<Template, 'directory'>): Promise<string> {
  const { path, cleanup } = await scratchDirectory();
  onTestFinished(() => cleanup());
  cpSync(template.directory, path, { recursive: true });
  return path;
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, segmentName(number));
}

/** Where a segment's groups begin and end, in bytes of the file. */
export function groupRanges(path: string): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  // The scan hands on payloads; a header of constant size is in front of each.
  let start = SEGMENT_HEADER_BYTES;
  scanSegment(nodeFiles, path, {}, (_seq, _atMs, _bytes, payloadStart, payloadEnd) => {
    const end = start + GROUP_HEADER_BYTES + payloadEnd - payloadStart;
    ranges.push({ start, end });
    start = end;
  });
  return ranges;
}

/** Files and contents, without those that SQLite keeps for as long as it runs and the empty lock. */
export function contentsOf(directory: string): Map<string, string> {
  const names = readdirSync(directory).filter((name) => !/^lock\.db|-shm$|-wal$/.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(directory, name)).toString('latin1')]));
}
