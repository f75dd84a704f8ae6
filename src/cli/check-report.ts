/** What `holdfast check` prints: plain lines, the same on a terminal and in a pipe. */
import { basename } from 'node:path';
import type { LogCheck } from '../check/log.js';
import type { Problem } from '../check/problem.js';
import type { Kept, Lost, Repair } from '../check/repair.js';
import type { SegmentCheck } from '../check/segment.js';
import type { SnapshotCheck } from '../check/snapshot.js';
import type { StoreCheck } from '../check/store.js';

/** Later dates do not exist for JavaScript; a number in a damaged file may be one. */
const LATEST_DATE_MS = 8.64e15;

export function describeStore({ snapshot, log }: StoreCheck): string[] {
  const covered = snapshot?.problem === undefined ? snapshot?.meta?.lastSeq : undefined;
  return [
    ...(snapshot ? describeSnapshot(snapshot) : []),
    ...log.segments.flatMap((segment) => describeSegment(segment, segment.role)),
    ...(covered === undefined ? [] : notesOnAge(covered, log)),
  ];
}

export function describeSnapshot({ path, bytes, walBytes, meta, content }: SnapshotCheck): string[] {
  const wal = walBytes === 0 ? '' : `, and ${walBytes} bytes in its -wal`;
  const lines = [`${basename(path)}: ${bytes} bytes${wal}`];
  if (meta) {
    const covers = meta.lastSeq === 0 ? 'covers no group yet' : `covers groups 1 to ${meta.lastSeq}`;
    lines.push(`  ${covers}, until ${time(meta.coversUntilMs)}; written by holdfast ${meta.holdfastVersion}`);
    lines.push(`  store ${Buffer.from(meta.storeId).toString('hex')}, made ${time(meta.createdAtMs)}`);
  }
  if (content) {
    const { strings, hashes, hashFields, expiredKeys, expiredFields } = content;
    lines.push(
      `  ${count(strings + hashes, 'key')}: ${count(strings, 'string')}, ${count(hashes, 'hash', 'hashes')} with ` +
        `${count(hashFields, 'field')}; expired so far: ${count(expiredKeys, 'key')}, ${count(expiredFields, 'field')}`,
    );
  }
  return lines;
}

/** @param role what the segment is in its directory; left out for a file that is looked at alone. */
export function describeSegment(segment: SegmentCheck, role?: string): string[] {
  const { path, bytes, header, groups, first, last, okUpTo } = segment;
  const lines = [`${basename(path)}: ${bytes} bytes${role === undefined ? '' : `, ${roles[role] ?? role}`}`];
  if (header) {
    lines.push(`  store ${header.storeId.toString('hex')}, made ${time(header.createdAtMs)}`);
    if (first && last) {
      const range = `groups ${first.seq} to ${last.seq} (${groups})`;
      lines.push(`  ${range}, ${time(first.atMs)} to ${time(last.atMs)}`, `  ${records(segment)}`);
    } else {
      lines.push(`  no groups; those before it end with ${header.previousSeq}`);
    }
    lines.push(...notesOnEnding(segment));
  }
  lines.push(`AOF analyzed: filename=${path}, size=${bytes}, ok_up_to=${okUpTo}, diff=${bytes - okUpTo}`);
  return lines;
}

const roles: Record<string, string> = {
  covered: 'no longer needed: all of it is in the snapshot',
  sealed: 'sealed',
  active: 'active',
};

function records({ records }: SegmentCheck): string {
  const kinds = Object.entries(records).filter(([, number]) => number > 0);
  const total = kinds.reduce((sum, [, number]) => sum + number, 0);
  return `${count(total, 'record')}: ${kinds.map(([kind, number]) => `${number} ${kind}`).join(', ')}`;
}

function notesOnEnding({ ending }: SegmentCheck): string[] {
  if (ending?.kind === 'zeros') return [`  ${ending.bytes} bytes reserved from byte ${ending.offset} on`];
  if (ending?.kind !== 'abandoned') return [];
  return [
    `  ${ending.bytes} bytes from byte ${ending.offset} on are of a write that failed, and do not count`,
  ];
}

/** What is no damage, but worth knowing: the same that a start says. */
function notesOnAge(coveredSeq: number, { segments, keptSeq, breakIndex }: LogCheck): string[] {
  if (segments.length === 0) {
    return ['There are no log segments. If they were removed, what was written after the snapshot is gone.'];
  }
  const end = segments.at(-1);
  if (breakIndex < segments.length || keptSeq > coveredSeq || end?.header === undefined) return [];
  const endSeq = end.last?.seq ?? end.header.previousSeq;
  if (endSeq === coveredSeq) return [];
  return [
    `The log ends with group ${endSeq}, before the snapshot does: segments were removed, or are older than it. ` +
      'A server goes on from the snapshot.',
  ];
}

export function describeProblem({ file, offset, reason }: Problem): string {
  return `Problem: ${file}${offset === undefined ? '' : ` at byte ${offset}`}: ${reason}`;
}

/** The closing word on a sound directory. */
export function describeSound({ log, snapshot }: StoreCheck): string {
  const atMs = log.keptAtMs ?? snapshot?.meta?.coversUntilMs;
  const what = log.keptSeq === 0 ? 'nothing, as nothing was written yet' : upTo(log.keptSeq, atMs);
  return `Sound: a server starts on it, with ${what}.`;
}

export function describeKept({ kept, rebuildsSnapshot }: Repair): string {
  const rebuilt = rebuildsSnapshot ? '; the snapshot is made again from it' : '';
  return `Can be kept: ${upTo(kept.seq, kept.atMs)} ${ofLog(kept)}${rebuilt}.`;
}

function ofLog({ groups, bytes }: Kept): string {
  return `(${count(groups, 'group')} in ${bytes} bytes of the log)`;
}

/** What the repair does to the files, and what the store then no longer has. */
export function describeRepair(repair: Repair): string[] {
  const { setAside, cut, lost } = repair;
  const cuts = cut
    ? [
        `Would cut off ${count(cut.bytes, 'byte')} of ${cut.path}, from byte ${cut.offset} on, after copying it.`,
      ]
    : [];
  return [...setAside.map((path) => `Would set aside ${path}.`), ...cuts, describeLost(repair.kept, lost)];
}

function describeLost(kept: Kept, { untilSeq, untilMs }: Lost): string {
  if (untilSeq === undefined)
    return 'Would be lost: no group that shows; what cannot be read may have been some.';
  const range = untilSeq === kept.seq + 1 ? `group ${untilSeq}` : `groups ${kept.seq + 1} to ${untilSeq}`;
  const when = untilMs === undefined ? '' : `, the last written ${time(untilMs)}`;
  return `Would be lost: ${range} at least${when}, and what may have followed.`;
}

export function upTo(seq: number, atMs: number | undefined): string {
  return `everything up to group ${seq}${atMs === undefined ? '' : `, written ${time(atMs)}`}`;
}

function time(atMs: number): string {
  return atMs <= LATEST_DATE_MS ? new Date(atMs).toISOString() : `${atMs} ms after 1970`;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
