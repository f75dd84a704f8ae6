import { StorageError } from '../base/errors.js';
import { type FileHandle, FileWindow, type LogFiles, writeFully } from './files.js';
import {
  crcSeedOf,
  GROUP_HEADER_BYTES,
  groupBytesClaimed,
  groupChecksumHolds,
  SEGMENT_HEADER_BYTES,
} from './format.js';
import type { Segment } from './segments.js';

/** What a scan has found out about a segment that is to be continued. */
export interface SegmentState {
  /** Where its last valid group ends, in bytes. */
  readonly position: number;
  /** The last valid group; the header's previousSeq when there is none. */
  readonly lastSeq: number;
  /** Every group up to this one is on the disk: the last group's header says so. */
  readonly durableSeq: number;
}

/**
 * Writes every group that is not known to be on the disk again, as it stands, so that the next fdatasync has to
 * bring it there.
 *
 * An fdatasync alone proves nothing about what another process wrote. When the system fails to write pages back, it
 * says so once, to those who have the file open then, and counts the pages as written from there on: they can be
 * read until memory is short, the next fdatasync reports success, and a power cut takes them. Writing them makes
 * them pages that have to be written back. That is the last second's groups under `everysec`, and at most the
 * segment. Its header needs nothing: a segment has its name only after the header was synced by the process that
 * wrote it, and the same holds for the groups of sealed segments.
 *
 * @param file `segment`, open for writing, cut off at `state.position`.
 * @throws StorageError when a group no longer reads as it did: its pages were dropped from memory meanwhile, and
 *   the disk does not have them. Otherwise what the operating system says.
 */
export function rewriteUnproven(
  files: LogFiles,
  file: FileHandle,
  segment: Segment,
  state: SegmentState,
): void {
  const { path, header } = segment;
  const window = new FileWindow(files, file, path, state.position);
  const crcSeed = crcSeedOf(header.storeId, header.number);
  let offset = SEGMENT_HEADER_BYTES;
  for (let seq = header.previousSeq + 1; seq <= Math.min(state.durableSeq, state.lastSeq); seq++) {
    offset += groupBytesAt(window, path, offset);
  }
  while (offset < state.position) {
    const length = loadSoundGroups(window, path, offset, crcSeed);
    writeFully(files, file, window.bytes, window.placeOfSome, length, offset);
    offset += length;
  }
}

function groupBytesAt(window: FileWindow, path: string, offset: number): number {
  const room = window.fileBytes - offset;
  if (room < GROUP_HEADER_BYTES) throw changedMeanwhile(path, offset);
  const at = window.load(offset, GROUP_HEADER_BYTES);
  const groupBytes = groupBytesClaimed(window.bytes, at);
  if (groupBytes > room) throw changedMeanwhile(path, offset);
  return groupBytes;
}

/**
 * Brings the group at `offset`, and those behind it that come along, to `placeOfSome` in the window.
 *
 * @returns the bytes of all of them, each of which has the right checksum.
 */
function loadSoundGroups(window: FileWindow, path: string, offset: number, crcSeed: number): number {
  const first = groupBytesAt(window, path, offset);
  window.load(offset, first);
  const available = window.loadSome(offset, first);
  const { bytes, placeOfSome } = window;
  let length = 0;
  while (available - length >= GROUP_HEADER_BYTES) {
    const at = placeOfSome + length;
    const groupBytes = groupBytesClaimed(bytes, at);
    if (groupBytes > available - length) break;
    if (!groupChecksumHolds(bytes, at, groupBytes, crcSeed)) throw changedMeanwhile(path, offset + length);
    length += groupBytes;
  }
  return length;
}

function changedMeanwhile(path: string, offset: number): StorageError {
  return new StorageError('a group reads differently than a moment before', path, offset);
}
