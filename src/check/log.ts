import type { LogFiles } from '../log/files.js';
import { listSegments, missingSuccessor, planReplay } from '../log/segments.js';
import { type Problem, problemOf } from './problem.js';
import { checkSegment, readSegmentFile, type SegmentCheck, type SegmentFile, unreadable } from './segment.js';
import type { Progress } from './snapshot.js';

/** What the log continues. */
export interface LogBase {
  /** The last group that the snapshot contains; 0 where there is no snapshot. */
  readonly lastSeq: number;
  /** Undefined: that of the first segment. */
  readonly storeId: Buffer | undefined;
}

export interface LogSegment extends SegmentCheck {
  /** `covered`: everything in it is in the snapshot too, and a start deletes it. */
  readonly role: 'covered' | 'sealed' | 'active';
  /** How much of it a start could use if the log ended with it. */
  readonly usable: 'all' | 'beginning' | 'nothing';
}

export interface LogCheck {
  /** In the order of their numbers. */
  readonly segments: readonly LogSegment[];
  /** Unneeded segments, in the snapshot already, that stop a start all the same. */
  readonly strays: readonly LogSegment[];
  /** Index of the first needed segment that is not sound; the number of segments when all are. */
  readonly breakIndex: number;
  /** The last group that snapshot and log together have before any gap or damage. */
  readonly keptSeq: number;
  /** Unix ms of that group; undefined where it is in the snapshot. */
  readonly keptAtMs: number | undefined;
  /** What stops a start, or a torn tail, in the order of the files. */
  readonly problems: readonly Problem[];
}

/**
 * Checks the segments of a directory one by one, and whether they fit together and to the snapshot as a start
 * demands. Unlike a start it goes on behind the first problem, to say what is there.
 *
 * @throws StorageError when a file cannot be read at all.
 */
export function checkLog(files: LogFiles, directory: string, base: LogBase, onProgress: Progress): LogCheck {
  const found = listSegments(files, directory).map((path) => readSegmentFile(files, path));
  const chain = new Chain(found, base);
  const bytesTotal = found.reduce((total, { bytes }) => total + bytes, 0);
  let bytesBefore = 0;
  const segments = found.map((segment, index) => {
    const progress = (done: number) => onProgress(bytesBefore + done, bytesTotal);
    const check =
      segment.header === undefined
        ? unreadable(segment)
        : checkSegment(files, segment, chain.lastSeqOf(index), progress);
    bytesBefore += segment.bytes;
    return chain.judge(index, check);
  });
  onProgress(bytesTotal, bytesTotal);
  return summary(files, directory, base, segments, chain.firstNeeded);
}

function summary(
  files: LogFiles,
  directory: string,
  base: LogBase,
  segments: readonly LogSegment[],
  firstNeeded: number,
): LogCheck {
  const strays = segments.slice(0, firstNeeded).filter(({ usable }) => usable === 'nothing');
  const broken = segments.findIndex(({ problem }, index) => index >= firstNeeded && problem !== undefined);
  const breakIndex = broken < 0 ? segments.length : broken;
  const last = segments
    .slice(firstNeeded, breakIndex + 1)
    .findLast((segment) => segment.usable !== 'nothing' && segment.last !== undefined)?.last;
  const stopping = [...strays, ...segments.slice(breakIndex)].flatMap(({ problem }) => problem ?? []);
  return {
    segments,
    strays,
    breakIndex,
    keptSeq: Math.max(base.lastSeq, last?.seq ?? 0),
    keptAtMs: last !== undefined && last.seq > base.lastSeq ? last.atMs : undefined,
    problems: stopping.length > 0 ? stopping : problemsOfPlan(files, directory, base),
  };
}

/** The server's own word, so that nothing is called sound here that a start refuses. */
function problemsOfPlan(files: LogFiles, directory: string, { lastSeq, storeId }: LogBase): Problem[] {
  try {
    planReplay(files, directory, lastSeq, storeId === undefined ? {} : { storeId });
    return [];
  } catch (error) {
    return [problemOf(error)];
  }
}

/** How the headers of the segments fit together. */
class Chain {
  /** The first segment that must be replayed on top of the snapshot. */
  readonly firstNeeded: number;
  private readonly storeId: Buffer | undefined;

  constructor(
    private readonly found: readonly SegmentFile[],
    private readonly base: LogBase,
  ) {
    this.storeId = base.storeId ?? found.find(({ header }) => header !== undefined)?.header?.storeId;
    const first = found.findLastIndex(
      (segment) => this.isOurs(segment) && segment.header!.previousSeq <= base.lastSeq,
    );
    this.firstNeeded = Math.max(first, 0);
  }

  /** The last group that a segment must have, because the next one begins after it; undefined for the last. */
  lastSeqOf(index: number): number | undefined {
    const next = this.found[index + 1];
    if (next === undefined || this.misfit(index + 1) !== undefined) return undefined;
    return next.header!.previousSeq;
  }

  /** What was found in a segment, in the light of its neighbours. */
  judge(index: number, segment: SegmentCheck): LogSegment {
    const role = this.roleOf(index);
    const misfit = this.misfit(index);
    if (misfit !== undefined) return { ...segment, role, usable: 'nothing', problem: misfit };
    if (segment.problem === undefined) return this.judgeEnd(index, { ...segment, role, usable: 'all' });
    // Only the newest segment may end in groups that were being written.
    const kind = segment.problem.kind === 'torn' && role !== 'active' ? 'damage' : segment.problem.kind;
    return { ...segment, role, usable: 'beginning', problem: { ...segment.problem, kind } };
  }

  /** The last segment of a log is not sealed. */
  private judgeEnd(index: number, segment: LogSegment): LogSegment {
    const { path, header, ending } = segment;
    if (index < this.found.length - 1 || header === undefined || ending?.kind !== 'sealed') return segment;
    const { offset } = ending;
    const problem: Problem = {
      kind: 'damage',
      file: path,
      offset,
      reason: missingSuccessor({ path, header }),
    };
    return { ...segment, usable: 'beginning', okUpTo: offset, problem };
  }

  private roleOf(index: number): LogSegment['role'] {
    if (index < this.firstNeeded) return 'covered';
    return index === this.found.length - 1 ? 'active' : 'sealed';
  }

  /** What is wrong with a segment's header, in itself or in its place. */
  private misfit(index: number): Problem | undefined {
    const segment = this.found[index]!;
    if (segment.problem !== undefined) return segment.problem;
    const reason = this.isOurs(segment) ? this.gapBefore(index) : 'belongs to another store';
    return reason === undefined ? undefined : { kind: 'damage', file: segment.path, offset: 0, reason };
  }

  private gapBefore(index: number): string | undefined {
    if (index < this.firstNeeded) return undefined;
    const { number, previousSeq } = this.found[index]!.header!;
    if (index === this.firstNeeded) {
      if (previousSeq <= this.base.lastSeq) return undefined;
      const before =
        this.base.lastSeq === 0 ? 'nothing is before it' : `the snapshot ends with ${this.base.lastSeq}`;
      return `begins after group ${previousSeq}, but ${before}: a segment is missing`;
    }
    const before = this.found[index - 1]!;
    if (!this.isOurs(before)) return undefined;
    if (number !== before.header!.number + 1) return 'a segment in front of it is missing';
    if (previousSeq < before.header!.previousSeq) return 'begins before the segment in front of it';
    return undefined;
  }

  private isOurs({ header }: SegmentFile): boolean {
    return header !== undefined && this.storeId !== undefined && header.storeId.equals(this.storeId);
  }
}
