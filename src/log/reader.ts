import { StorageError } from '../base/errors.js';
import { namingFile, RecordError } from './errors.js';
import { type FileHandle, FileWindow, type LogFiles } from './files.js';
import {
  crcSeedOf,
  GROUP_FIRST_BYTE,
  GROUP_HEADER_BYTES,
  groupAtMs,
  groupBytesClaimed,
  groupChecksumHolds,
  groupDurableSeq,
  groupSeq,
  hasGroupShape,
  LARGEST_GROUP_BYTES,
  Msgpack,
  SEAL,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  SMALLEST_GROUP_BYTES,
} from './format.js';
import { type HeaderExpectation, openSegment, readHeaderOf } from './segments.js';

export interface ScanExpectation extends HeaderExpectation {
  /** The group before the segment's first; when given, the header must say the same. */
  readonly previousSeq?: number;
  /**
   * For a sealed segment, the last group it must hold: what the header of the next segment says. Left out for
   * the active segment, the only one that may end in a torn group.
   */
  readonly lastSeq?: number;
  /** Groups before this one are checked like all others but not handed on. */
  readonly fromSeq?: number;
}

/** How a segment ends. Offsets and lengths are bytes of the file. */
export type SegmentEnding =
  /** The file ends with its last group. */
  | { readonly kind: 'clean' }
  /**
   * The seal follows the last group, and the file ends: another segment was begun, and durable. The usual end of
   * a sealed segment. Where the file is the last one of its log, the next one is missing (`missingSuccessor`).
   */
  | { readonly kind: 'sealed'; readonly offset: number }
  /** Only zeros follow the last group: space that was reserved and not used. */
  | { readonly kind: 'zeros'; readonly offset: number; readonly bytes: number }
  /**
   * Active segment only: the group at `offset` is not on the disk as it was written, and nothing says that it
   * ever had to be. It can be cut off with all that follows it (`repairTornTail`).
   */
  | { readonly kind: 'torn'; readonly offset: number; readonly bytes: number; readonly reason: string }
  /**
   * Sealed segment only: bytes after the last group it had when it was sealed, left by a write that failed and
   * could not be undone. They were never acknowledged and the next segment takes their place: not a loss.
   */
  | { readonly kind: 'abandoned'; readonly offset: number; readonly bytes: number }
  /** Anything else: what was acknowledged may be missing or changed. */
  | {
      readonly kind: 'corrupt';
      readonly offset: number;
      readonly reason: string;
      /** The valid group found behind the damage, where that is what told it from a torn tail. */
      readonly nextGroup: FoundGroup | undefined;
    };

export interface FoundGroup {
  readonly offset: number;
  readonly seq: number;
  readonly atMs: number;
}

/** The valid groups behind damage. */
interface FollowingGroups {
  readonly first: FoundGroup;
  /** Their sequence numbers begin behind the damaged group's and rise, and none claims more than it could know. */
  readonly inOrder: boolean;
  /** The highest group that any of them knew to be on the disk. */
  readonly durableSeq: number;
}

export interface SegmentScan {
  readonly header: SegmentHeader;
  /** Valid groups, those before `fromSeq` included. */
  readonly groups: number;
  /** Sequence number of the last valid group; the header's previousSeq when there is none. */
  readonly lastSeq: number;
  /** Time of the last valid group in Unix ms; the header's creation time when there is none. */
  readonly lastAtMs: number;
  /** The last group that a valid group knew to be on the disk; the header's previousSeq when there is none. */
  readonly durableSeq: number;
  /** Where the last valid group ends, in bytes: the length of the file's good part. */
  readonly endOffset: number;
  readonly fileBytes: number;
  readonly ending: SegmentEnding;
}

/** Receives a group whose checksum holds; `bytes[start .. end)` is its payload, only during the call. */
export type GroupVisitor = (seq: number, atMs: number, bytes: Uint8Array, start: number, end: number) => void;

/**
 * Reads a segment from its header to its end, checking everything, and hands each valid group to `onGroup` in
 * order. Memory: one window of 1 MiB, or the largest group.
 *
 * Damage in the groups is reported by `ending`, after every group before it has been handed on.
 *
 * @throws StorageError when the header is damaged or not the expected one, or when `onGroup` throws a
 *   RecordError (then with the record's offset in the file).
 */
export function scanSegment(
  files: LogFiles,
  path: string,
  expectation: ScanExpectation,
  onGroup: GroupVisitor,
): SegmentScan {
  const file = openSegment(files, path);
  try {
    return namingFile(path, 'cannot be read', () => scanOpen(files, file, path, expectation, onGroup));
  } finally {
    files.close(file);
  }
}

function scanOpen(
  files: LogFiles,
  file: FileHandle,
  path: string,
  expectation: ScanExpectation,
  onGroup: GroupVisitor,
): SegmentScan {
  const { header } = readHeaderOf(files, file, path, expectation);
  if (expectation.previousSeq !== undefined && header.previousSeq !== expectation.previousSeq) {
    throw new StorageError(
      `continues after group ${header.previousSeq}, but the log before it ends with ${expectation.previousSeq}`,
      path,
      0,
    );
  }
  const window = new FileWindow(files, file, path, files.size(file));
  return new Scan(window, path, header, expectation).run(onGroup);
}

/**
 * Looking for a valid group behind damage computes checksums of whatever looks like one. Values chosen by a
 * client can look like thousands of overlapping groups; past this many bytes, on top of four times what is
 * searched, the search gives up and the damage counts as corruption: refusing to start loses nothing.
 */
const SEARCH_BYTES = 64 * 1024 * 1024;

/** The least that a disk writes or loses as a whole; pages and blocks are multiples of it. */
const SECTOR_BYTES = 512;

const GROUP_START = Buffer.from([GROUP_FIRST_BYTE, Msgpack.uint64]);
const ZEROS = Buffer.alloc(64 * 1024);

class Scan {
  private readonly crcSeed: number;
  private offset = SEGMENT_HEADER_BYTES;
  private groups = 0;
  private lastSeq: number;
  private lastAtMs: number;
  private durableSeq: number;
  /** Bytes that the search behind damage may still compute checksums of. */
  private searchBudget = 0;

  constructor(
    private readonly window: FileWindow,
    private readonly path: string,
    private readonly header: SegmentHeader,
    private readonly expectation: ScanExpectation,
  ) {
    this.crcSeed = crcSeedOf(header.storeId, header.number);
    this.lastSeq = header.previousSeq;
    this.lastAtMs = header.createdAtMs;
    this.durableSeq = header.previousSeq;
  }

  run(onGroup: GroupVisitor): SegmentScan {
    let ending = this.endingHere();
    while (ending === undefined) {
      this.deliverGroup(onGroup);
      ending = this.endingHere();
    }
    return {
      header: this.header,
      groups: this.groups,
      lastSeq: this.lastSeq,
      lastAtMs: this.lastAtMs,
      durableSeq: this.durableSeq,
      endOffset: this.offset,
      fileBytes: this.window.fileBytes,
      ending,
    };
  }

  private get remaining(): number {
    return this.window.fileBytes - this.offset;
  }

  /** Hands on the valid group at the present offset and steps over it. */
  private deliverGroup(onGroup: GroupVisitor): void {
    const at = this.window.load(this.offset, GROUP_HEADER_BYTES);
    const groupBytes = groupBytesClaimed(this.window.bytes, at);
    const start = this.window.load(this.offset, groupBytes);
    const { bytes } = this.window;
    this.lastSeq = groupSeq(bytes, start);
    this.lastAtMs = groupAtMs(bytes, start);
    this.durableSeq = Math.max(this.durableSeq, groupDurableSeq(bytes, start));
    if (this.lastSeq >= (this.expectation.fromSeq ?? 0)) {
      try {
        onGroup(this.lastSeq, this.lastAtMs, bytes, start + GROUP_HEADER_BYTES, start + groupBytes);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        const offset = this.offset + error.at - start;
        throw new StorageError(`group ${this.lastSeq}: ${error.message}`, this.path, offset, {
          cause: error,
        });
      }
    }
    this.groups++;
    this.offset += groupBytes;
  }

  /** How the log ends at the present offset; undefined when a valid group is there. */
  private endingHere(): SegmentEnding | undefined {
    const { lastSeq } = this.expectation;
    if (lastSeq !== undefined && this.lastSeq >= lastSeq) return this.endOfSealed(lastSeq);
    const end = this.endOfFile();
    if (end !== undefined) return lastSeq === undefined ? end : this.tooEarly(lastSeq);
    const at = this.window.load(this.offset, 1);
    if (this.window.bytes[at] === 0) return this.endOfZeros();
    const reason = this.whyInvalid(this.offset);
    if (reason !== undefined) return this.endOfDamage(reason);
    return this.refusal();
  }

  /** Everything the next segment builds on is here; what may follow was never part of the log. */
  private endOfSealed(lastSeq: number): SegmentEnding {
    if (this.lastSeq > lastSeq)
      return this.corrupt(`begins after group ${this.lastSeq}, beyond its end ${lastSeq}`);
    const end = this.endOfFile();
    if (end !== undefined) return end;
    // No group is ever added once the next segment exists, so a whole one here is a contradiction.
    if (this.whyInvalid(this.offset) === undefined)
      return this.corrupt(`a group follows its last, ${lastSeq}`);
    return { kind: 'abandoned', offset: this.offset, bytes: this.remaining };
  }

  /** The file ends at the present offset, or has nothing but the seal left. */
  private endOfFile(): SegmentEnding | undefined {
    if (this.remaining === 0) return { kind: 'clean' };
    if (this.remaining > 1) return undefined;
    const at = this.window.load(this.offset, 1);
    return this.window.bytes[at] === SEAL ? { kind: 'sealed', offset: this.offset } : undefined;
  }

  private tooEarly(lastSeq: number): SegmentEnding {
    return this.corrupt(`ends with group ${this.lastSeq}, but the next segment begins after ${lastSeq}`);
  }

  private endOfZeros(): SegmentEnding {
    const { lastSeq } = this.expectation;
    if (lastSeq !== undefined) {
      return this.corrupt(`zeros after group ${this.lastSeq}, but the next segment begins after ${lastSeq}`);
    }
    if (this.onlyZeros(this.offset, this.window.fileBytes))
      return { kind: 'zeros', offset: this.offset, bytes: this.remaining };
    return this.endOfDamage('zeros where a group should begin, with other bytes behind them');
  }

  /**
   * Torn or corrupt? Usually a torn group is the last thing that was written, and nothing valid follows it. But
   * a power cut may also lose a page and keep a later one, as long as neither had been synced.
   */
  private endOfDamage(reason: string): SegmentEnding {
    const following = this.followingGroups();
    if (following === 'gave up') return this.corrupt(`${reason}, and too much behind it looks like a group`);
    if (following === undefined) {
      return this.expectation.lastSeq === undefined ? this.torn(reason) : this.corrupt(reason);
    }
    const { first } = following;
    const follows = `${reason}, but group ${first.seq} follows it`;
    if (this.expectation.lastSeq !== undefined) return this.corrupt(follows, first);
    const objection = this.objectionToTorn(following);
    if (objection !== undefined) return this.corrupt(`${follows}${objection}`, first);
    return this.torn(
      `${reason}; group ${first.seq} follows it, but none behind it knew it to be on the disk`,
    );
  }

  private torn(reason: string): SegmentEnding {
    return { kind: 'torn', offset: this.offset, bytes: this.remaining, reason };
  }

  /** Why damage with valid groups behind it cannot be pages that were lost before they were synced. */
  private objectionToTorn(following: FollowingGroups): string | undefined {
    if (following.durableSeq > this.lastSeq)
      return `, written when group ${following.durableSeq} was on the disk`;
    if (!following.inOrder) return ', out of order';
    if (!this.hasLostSector(this.offset, following.first.offset))
      return ', and no sector between them is empty';
    return undefined;
  }

  /** Is a sector, or what `from` leaves of its own, all zeros and before `to`? Pages that were lost read so. */
  private hasLostSector(from: number, to: number): boolean {
    for (let start = from; ; ) {
      const end = start - (start % SECTOR_BYTES) + SECTOR_BYTES;
      if (end > to) return false;
      if (this.onlyZeros(start, end)) return true;
      start = end;
    }
  }

  /** A group whose checksum holds was written as it stands: if it does not belong here, that is no torn tail. */
  private refusal(): SegmentEnding | undefined {
    const at = this.window.load(this.offset, GROUP_HEADER_BYTES);
    const { bytes } = this.window;
    const seq = groupSeq(bytes, at);
    if (seq !== this.lastSeq + 1)
      return this.corrupt(`group ${seq} where group ${this.lastSeq + 1} should be`);
    if (groupBytesClaimed(bytes, at) === GROUP_HEADER_BYTES) return this.corrupt('a group without records');
    if (Number.isNaN(groupAtMs(bytes, at))) return this.corrupt('a time beyond 2^53 - 1 ms');
    if (!(groupDurableSeq(bytes, at) < seq))
      return this.corrupt(`group ${seq} claims to have been on the disk`);
    return undefined;
  }

  private corrupt(reason: string, nextGroup?: FoundGroup): SegmentEnding {
    return { kind: 'corrupt', offset: this.offset, reason, nextGroup };
  }

  /** What is wrong with the bytes at `offset` as a group, if anything is. */
  private whyInvalid(offset: number): string | undefined {
    const room = this.window.fileBytes - offset;
    if (room < GROUP_HEADER_BYTES) return 'a group header is cut short';
    const at = this.window.load(offset, GROUP_HEADER_BYTES);
    if (!hasGroupShape(this.window.bytes, at)) return 'not a group';
    const groupBytes = groupBytesClaimed(this.window.bytes, at);
    if (groupBytes > room) return `a group of ${groupBytes} bytes is cut short`;
    if (groupBytes > LARGEST_GROUP_BYTES) return `a group of ${groupBytes} bytes is larger than any can be`;
    const start = this.window.load(offset, groupBytes);
    if (!groupChecksumHolds(this.window.bytes, start, groupBytes, this.crcSeed)) {
      return 'the checksum of the group does not match';
    }
    return undefined;
  }

  /** Every valid group of this segment behind the present offset, summed up; undefined when there is none. */
  private followingGroups(): FollowingGroups | 'gave up' | undefined {
    this.searchBudget = SEARCH_BYTES + 4 * this.remaining;
    let first: FoundGroup | undefined;
    let inOrder = true;
    let durableSeq = 0;
    let previousSeq = this.lastSeq + 1;
    for (let from = this.offset + 1; ; ) {
      const found = this.findGroup(from);
      if (found === 'gave up') return found;
      if (found === undefined) return first && { first, inOrder, durableSeq };
      first ??= found;
      const at = this.window.load(found.offset, GROUP_HEADER_BYTES);
      const known = groupDurableSeq(this.window.bytes, at);
      inOrder &&= found.seq > previousSeq && known < found.seq;
      previousSeq = found.seq;
      durableSeq = Math.max(durableSeq, known);
      from = found.offset + groupBytesClaimed(this.window.bytes, at);
    }
  }

  /** The first valid group of this segment at or after `from`, whatever its sequence number. */
  private findGroup(from: number): FoundGroup | 'gave up' | undefined {
    for (
      let offset = this.nextGroupStart(from);
      offset !== undefined;
      offset = this.nextGroupStart(offset + 1)
    ) {
      const at = this.window.load(offset, GROUP_HEADER_BYTES);
      const { bytes } = this.window;
      if (!this.couldBeGroup(offset, at)) continue;
      const found = { offset, seq: groupSeq(bytes, at), atMs: groupAtMs(bytes, at) };
      this.searchBudget -= groupBytesClaimed(bytes, at);
      if (this.searchBudget < 0) return 'gave up';
      if (this.whyInvalid(offset) === undefined) return found;
    }
    return undefined;
  }

  /** Cheap tests first: they pass by chance about once in 2^40 positions. */
  private couldBeGroup(offset: number, at: number): boolean {
    const { bytes, fileBytes } = this.window;
    if (!hasGroupShape(bytes, at) || groupBytesClaimed(bytes, at) > fileBytes - offset) return false;
    const seq = groupSeq(bytes, at);
    const mostGroups = fileBytes / SMALLEST_GROUP_BYTES;
    return seq > this.header.previousSeq && seq <= this.header.previousSeq + mostGroups;
  }

  /** The next place that has the first two bytes of a group and room for its header. */
  private nextGroupStart(from: number): number | undefined {
    const end = this.window.fileBytes - GROUP_HEADER_BYTES;
    for (let offset = from; offset <= end; ) {
      const length = this.window.loadSome(offset, GROUP_HEADER_BYTES);
      const place = this.window.placeOfSome;
      const found = this.window.bytes.indexOf(GROUP_START, place);
      const distance = found < 0 ? -1 : found - place;
      const inside = distance >= 0 && distance < length - 1;
      if (inside) return offset + distance <= end ? offset + distance : undefined;
      // The last byte may be the first of the two.
      offset += Math.max(length - 1, 1);
    }
    return undefined;
  }

  private onlyZeros(from: number, to: number): boolean {
    for (let offset = from; offset < to; ) {
      const length = Math.min(ZEROS.length, to - offset);
      const at = this.window.load(offset, length);
      if (this.window.bytes.compare(ZEROS, 0, length, at, at + length) !== 0) return false;
      offset += length;
    }
    return true;
  }
}
