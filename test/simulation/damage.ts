import { basename } from 'node:path';
import {
  crcSeedOf,
  GROUP_HEADER_BYTES,
  groupBytesClaimed,
  groupChecksumHolds,
  groupDurableSeq,
  groupSeq,
  hasGroupShape,
  SEAL,
  SEGMENT_HEADER_BYTES,
} from '../../src/log/format.js';
import { planReplay, type Segment } from '../../src/log/segments.js';
import type { Random } from './random.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { SECTOR_BYTES } from './simulated-file.js';

/**
 * Harms something that was certainly on the disk and that a start needs: a bit, a sector, a whole segment.
 *
 * @returns what was done, or undefined when there is nothing to harm.
 */
export function harm(
  disk: SimulatedDisk,
  directory: string,
  coveredSeq: number,
  random: Random,
): string | undefined {
  const { needed } = planReplay(disk, directory, coveredSeq);
  if (needed.length === 0) return undefined;
  const index = random.below(needed.length);
  const name = basename(needed[index]!.path);
  const isLast = index === needed.length - 1;
  if ((!isLast || isSealed(disk, needed[index - 1], needed[index]!)) && random.chance(0.15)) {
    disk.removeFiles([name]);
    return `${name} removed`;
  }
  const bytes = disk.contents().get(name)!;
  const { storeId, number } = needed[index]!.header;
  const end = endOfDurable(
    bytes,
    crcSeedOf(storeId, number),
    isLast ? undefined : needed[index + 1]!.header.previousSeq,
  );
  const at = random.below(end);
  if (random.chance(0.3) && zeroSector(disk, name, at, end)) return `${name}: zeros around byte ${at}`;
  const bit = random.below(8);
  disk.damage(name, (content) => {
    content[at] = content[at]! ^ (1 << bit);
    return content;
  });
  return `${name}: bit ${bit} of byte ${at} flipped`;
}

/** Does anything tell that `next` is missing once it is, though it was the last? */
function isSealed(disk: SimulatedDisk, segment: Segment | undefined, next: Segment): boolean {
  if (segment === undefined) return false;
  const { storeId, number } = segment.header;
  const bytes = disk.contents().get(basename(segment.path))!;
  const end = endOfDurable(bytes, crcSeedOf(storeId, number), next.header.previousSeq);
  return bytes.length === end + 1 && bytes[end] === SEAL;
}

/** Where the last group ends that a later group, or the next segment, says was on the disk. */
function endOfDurable(bytes: Buffer, crcSeed: number, lastSeq: number | undefined): number {
  const ends: { seq: number; end: number }[] = [];
  let durableSeq = lastSeq ?? 0;
  for (let at = SEGMENT_HEADER_BYTES; at + GROUP_HEADER_BYTES <= bytes.length; ) {
    if (!hasGroupShape(bytes, at)) break;
    const end = at + groupBytesClaimed(bytes, at);
    if (end > bytes.length || !groupChecksumHolds(bytes, at, end - at, crcSeed)) break;
    ends.push({ seq: groupSeq(bytes, at), end });
    durableSeq = Math.max(durableSeq, groupDurableSeq(bytes, at));
    at = end;
  }
  return ends.findLast(({ seq }) => seq <= durableSeq)?.end ?? SEGMENT_HEADER_BYTES;
}

/** @returns false when that would change nothing. */
function zeroSector(disk: SimulatedDisk, name: string, at: number, end: number): boolean {
  const start = at - (at % SECTOR_BYTES);
  const stop = Math.min(start + SECTOR_BYTES, end);
  if (
    disk
      .contents()
      .get(name)!
      .subarray(start, stop)
      .every((byte) => byte === 0)
  )
    return false;
  disk.damage(name, (content) => content.fill(0, start, stop));
  return true;
}
