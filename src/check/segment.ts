import type { StorageError } from '../base/errors.js';
import { applyRecords } from '../log/decoder.js';
import { RecordError } from '../log/errors.js';
import { type LogFiles, readFully } from '../log/files.js';
import { FORMAT_VERSION, SEGMENT_HEADER_BYTES, type SegmentHeader, versionClaimed } from '../log/format.js';
import { type SegmentEnding, scanSegment } from '../log/reader.js';
import { openSegment, readSegmentHeader } from '../log/segments.js';
import { type RecordCounts, recordCounter } from './counting.js';
import { type Problem, problemOf } from './problem.js';
import type { Progress } from './snapshot.js';

/** The name and the header of a segment, before its groups are read. */
export interface SegmentFile {
  /** Absolute path. */
  readonly path: string;
  readonly bytes: number;
  /** Undefined where it is damaged. */
  readonly header: SegmentHeader | undefined;
  /** What is wrong with the header. */
  readonly problem: Problem | undefined;
}

export interface SegmentCheck extends SegmentFile {
  /** Valid groups from the beginning of the file to the first that is not. */
  readonly groups: number;
  readonly records: RecordCounts;
  /** Sequence numbers and times (Unix ms) of those groups; undefined where there are none. */
  readonly first: { readonly seq: number; readonly atMs: number } | undefined;
  readonly last: { readonly seq: number; readonly atMs: number } | undefined;
  /** Where the sound part of the file ends, in bytes; all of it counts as sound where nothing is wrong. */
  readonly okUpTo: number;
  /** How the file ends; undefined where it could not be read to its end. */
  readonly ending: SegmentEnding | undefined;
}

/** @throws StorageError when the file cannot be read at all. */
export function readSegmentFile(files: LogFiles, path: string): SegmentFile {
  const { bytes, version } = look(files, path);
  try {
    return { path, bytes, header: readSegmentHeader(files, path).header, problem: undefined };
  } catch (error) {
    const problem = problemOf(error);
    const isOther = version !== undefined && version !== FORMAT_VERSION;
    return { path, bytes, header: undefined, problem: isOther ? { ...problem, kind: 'version' } : problem };
  }
}

function look(files: LogFiles, path: string): { bytes: number; version: number | undefined } {
  const file = openSegment(files, path);
  try {
    const start = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const read = readFully(files, file, start, 0, start.length, 0);
    return { bytes: files.size(file), version: versionClaimed(start.subarray(0, read)) };
  } finally {
    files.close(file);
  }
}

/**
 * Reads every group of a segment whose header holds.
 *
 * @param lastSeq for a sealed segment, the last group that it must have; undefined for the active one.
 */
export function checkSegment(
  files: LogFiles,
  segment: SegmentFile,
  lastSeq: number | undefined,
  onProgress: Progress,
): SegmentCheck {
  const { path, bytes } = segment;
  const { sink, counts } = recordCounter();
  const seen = { groups: 0, first: undefined, last: undefined } as Seen;
  let payloadBytes = 0;
  try {
    const scan = scanSegment(files, path, lastSeq === undefined ? {} : { lastSeq }, (seq, atMs, ...range) => {
      applyRecords(...range, sink);
      seen.groups++;
      seen.first ??= { seq, atMs };
      seen.last = { seq, atMs };
      payloadBytes += range[2] - range[1];
      onProgress(payloadBytes, bytes);
    });
    const problem = problemOfEnding(path, scan.ending);
    const okUpTo = problem === undefined ? scan.fileBytes : scan.endOffset;
    return { ...segment, ...seen, records: counts, okUpTo, ending: scan.ending, problem };
  } catch (error) {
    const problem = problemOf(error);
    // The checksum holds, so this record was written as it stands, by a program that knows more than this one.
    const kind = (error as StorageError).cause instanceof RecordError ? 'version' : 'damage';
    const okUpTo = problem.offset ?? 0;
    return { ...segment, ...seen, records: counts, okUpTo, ending: undefined, problem: { ...problem, kind } };
  }
}

type Seen = { -readonly [Name in 'groups' | 'first' | 'last']: SegmentCheck[Name] };

/** The same for a segment whose header does not hold: nothing in it can be read. */
export function unreadable(segment: SegmentFile): SegmentCheck {
  const { counts } = recordCounter();
  return {
    ...segment,
    groups: 0,
    records: counts,
    first: undefined,
    last: undefined,
    okUpTo: 0,
    ending: undefined,
  };
}

function problemOfEnding(file: string, ending: SegmentEnding): Problem | undefined {
  if (ending.kind !== 'torn' && ending.kind !== 'corrupt') return undefined;
  const kind = ending.kind === 'torn' ? 'torn' : 'damage';
  return { kind, file, offset: ending.offset, reason: ending.reason };
}
