import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/base/errors.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import {
  crcSeedOf,
  encodeSegmentHeader,
  GROUP_HEADER_BYTES,
  SEAL,
  SEGMENT_HEADER_BYTES,
  sealGroup,
} from '../../src/log/format.js';
import { headerOf, LogTest, read, STORE_ID, sealed, setting, systemError } from './support.js';

const values = ['one', 'two', 'three', 'four', 'five'];
const SEAL_ALONE = Buffer.from([SEAL]);

describe('a whole segment', () => {
  test('EmptySegmentEndsClean', () => {
    const { scan, seqs } = new LogTest().read();
    expect(scan.ending).toEqual({ kind: 'clean' });
    expect(seqs).toEqual([]);
    expect([scan.lastSeq, scan.lastAtMs, scan.endOffset]).toEqual([
      0,
      headerOf(1, 0).createdAtMs,
      SEGMENT_HEADER_BYTES,
    ]);
  });

  test('ReadsBackWhatWasWritten', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const { scan, values: found, seqs } = log.read();
    expect(found).toEqual(values);
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    expect(scan.ending).toEqual({ kind: 'clean' });
    expect([scan.groups, scan.lastSeq, scan.endOffset]).toEqual([5, 5, ends[4]]);
    expect(scan.lastAtMs).toBe(headerOf(1, 0).createdAtMs + 5);
  });

  test('GroupsBeforeTheWantedOneAreCheckedButNotHandedOn', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    expect(log.read({ fromSeq: 4 }).seqs).toEqual([4, 5]);
    log.incrementByte(ends[0]! - 1);
    expect(log.ending({ fromSeq: 4 }).kind).toBe('corrupt');
  });

  test('GroupsLargerThanTheReadingWindowAreRead', () => {
    const log = new LogTest();
    const large = 'x'.repeat(3 * 1024 * 1024);
    log.write('before', large, 'between', large + large, 'after');
    const { scan, values: found } = log.read();
    expect(scan.ending.kind).toBe('clean');
    expect(found.map((value) => value.length)).toEqual([6, 3145728, 7, 6291456, 5]);
  });

  test('GroupsOnEveryAlignmentToTheReadingWindowAreRead', () => {
    const log = new LogTest();
    const written = Array.from({ length: 60 }, (_, i) => String(i).repeat(40_000 + i));
    log.write(...written);
    expect(log.read().values).toEqual(written);
  });

  test('ShortReadsAreContinued', () => {
    const log = new LogTest();
    log.write(...values);
    const stingy: LogFiles = {
      ...nodeFiles,
      read: (file, target, start, length, position) =>
        nodeFiles.read(file, target, start, Math.min(length, 7), position),
    };
    expect(read(log.path, {}, stingy).values).toEqual(values);
  });
});

describe('a disk that fails', () => {
  test.each(['openForReading', 'read', 'size'] as const)('NamesTheFileWhen %s Fails', (operation) => {
    const log = new LogTest();
    log.write('one');
    const files: LogFiles = {
      ...nodeFiles,
      [operation]: () => {
        throw systemError('EIO');
      },
    };
    expect(() => read(log.path, {}, files)).toThrow(StorageError);
    expect(() => read(log.path, {}, files)).toThrow(`${log.path}: cannot be `);
  });
});

describe('a torn tail', () => {
  test('TruncatedTrailingGroupIsDropped', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    log.shrinkSize(4);
    const { scan, values: found } = log.read();
    expect(found).toEqual(values.slice(0, 4));
    expect(scan.endOffset).toBe(ends[3]);
    expect(scan.ending).toMatchObject({ kind: 'torn', offset: ends[3], bytes: ends[4]! - ends[3]! - 4 });
  });

  test('CutAtEveryByteOfTheLastThreeGroups', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const whole = log.bytes();
    for (let length = ends[1]!; length < ends[4]!; length++) {
      log.replace(whole.subarray(0, length));
      const kept = ends.findLastIndex((end) => end <= length);
      const { scan, values: found } = log.read();
      expect(found, `cut at ${length}`).toEqual(values.slice(0, kept + 1));
      expect(scan.endOffset).toBe(ends[kept]);
      expect(scan.ending.kind).toBe(length === ends[kept] ? 'clean' : 'torn');
    }
  });

  test('ChecksumMismatchInTheLastGroupIsDropped', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    log.incrementByte(ends[4]! - 1);
    expect(log.ending()).toMatchObject({
      kind: 'torn',
      offset: ends[3],
      reason: expect.stringMatching(/checksum/),
    });
  });

  test('ZerosAfterTheLastGroupAreReservedSpace', () => {
    for (const count of [1, 37, 38, 512, 8192, 3 * 1024 * 1024]) {
      const log = new LogTest();
      const ends = log.write(...values);
      log.addBytes(Buffer.alloc(count));
      const { scan, values: found } = log.read();
      expect(found).toEqual(values);
      expect(scan.ending).toEqual({ kind: 'zeros', offset: ends[4], bytes: count });
    }
  });

  test('GarbageAfterTheLastGroupIsTorn', () => {
    for (const count of [1, 37, 38, 39, 512, 8192]) {
      const log = new LogTest();
      const ends = log.write(...values);
      // Deterministic, and with many first bytes of groups in it.
      log.addBytes(
        Buffer.from(Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 0x94 : (i * 37) & 255))),
      );
      expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[4], bytes: count });
    }
  });

  test('GarbageBehindZerosIsTorn', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const tail = Buffer.alloc(2 * 1024 * 1024 + 5);
    tail[tail.length - 1] = 1;
    log.addBytes(tail);
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[4], bytes: tail.length });
  });

  test('PageOfZerosInTheLastGroupIsTorn', () => {
    const log = new LogTest();
    const ends = log.write('one', 'x'.repeat(20_000));
    const bytes = log.bytes();
    bytes.fill(0, 4096, 8192);
    log.replace(bytes);
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[0] });
  });

  test('TailFullOfLookAlikesIsSearchedInBoundedTime', () => {
    const log = new LogTest();
    log.write('one');
    // A value of a client's choosing: a group header every 64 bytes, each claiming nearly all that follows.
    const room = 4 * 1024 * 1024;
    const hostile = Buffer.alloc(room, 0x20);
    const header = Buffer.from(sealed(setting('k', 'v'), 2).subarray(0, GROUP_HEADER_BYTES));
    for (let at = 0; at + 128 < room; at += 64) {
      header.writeUInt32BE(room - at - GROUP_HEADER_BYTES - 64, 34);
      header.copy(hostile, at);
    }
    log.addBytes(hostile);
    const started = performance.now();
    expect(log.ending()).toMatchObject({
      kind: 'corrupt',
      reason: expect.stringMatching(/looks like a group/),
    });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('pages lost before they were synced', () => {
  /** Five groups of more than a page each, `synced` of them known to be on the disk when the next was written. */
  function unsynced(synced = 0): { log: LogTest; ends: number[] } {
    const log = new LogTest();
    const large = values.map((value) => value.repeat(2000));
    const ends = log.write(...large.slice(0, synced));
    if (synced > 0) log.writer.sync();
    return { log, ends: [...ends, ...log.write(...large.slice(synced))] };
  }

  function zero(log: LogTest, from: number, to: number): void {
    const bytes = log.bytes();
    bytes.fill(0, from, to);
    log.replace(bytes);
  }

  const sectorAfter = (offset: number): number => Math.ceil(offset / 512) * 512;

  test('ZeroSectorInAnUnsyncedGroupIsTornAndTakesWhatFollowsWithIt', () => {
    const { log, ends } = unsynced();
    const whole = log.bytes();
    for (let at = sectorAfter(ends[1]!); at + 512 <= ends[2]!; at += 512) {
      log.replace(whole);
      zero(log, at, at + 512);
      const { scan, seqs } = log.read();
      expect(seqs).toEqual([1, 2]);
      expect(scan.ending).toEqual({
        kind: 'torn',
        offset: ends[1],
        bytes: ends[4]! - ends[1]!,
        reason: expect.stringMatching(/checksum.*; group 4 follows it, but none behind it knew/),
      });
    }
  });

  test('ZeroSectorThatBeginsWithTheLostGroupIsTorn', () => {
    const { log, ends } = unsynced();
    zero(log, ends[1]!, sectorAfter(ends[1]!));
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[1] });
  });

  test('WholeGroupsLostAreTorn', () => {
    const { log, ends } = unsynced();
    zero(log, ends[0]!, sectorAfter(ends[2]!));
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[0] });
  });

  test('SeveralHolesAreTorn', () => {
    const { log, ends } = unsynced();
    zero(log, sectorAfter(ends[0]!), sectorAfter(ends[0]!) + 512);
    zero(log, sectorAfter(ends[2]!), sectorAfter(ends[2]!) + 512);
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[0] });
  });

  test('ZeroSectorInAGroupKnownToBeOnTheDiskIsCorruption', () => {
    const { log, ends } = unsynced(2);
    zero(log, sectorAfter(ends[0]!), sectorAfter(ends[0]!) + 512);
    expect(log.ending()).toMatchObject({
      kind: 'corrupt',
      offset: ends[0],
      reason: expect.stringMatching(/group 3 follows it, written when group 2 was on the disk/),
      nextGroup: { offset: ends[1], seq: 3 },
    });
  });

  test('ZeroSectorBehindWhatWasKnownToBeOnTheDiskIsTorn', () => {
    const { log, ends } = unsynced(2);
    zero(log, sectorAfter(ends[2]!), sectorAfter(ends[2]!) + 512);
    expect(log.ending()).toMatchObject({ kind: 'torn', offset: ends[2] });
  });

  test('OnlyTheLastOfManyGroupsBehindTheDamageKnowsBetter', () => {
    const { log, ends } = unsynced();
    log.writer.sync();
    log.write('last');
    zero(log, sectorAfter(ends[1]!), sectorAfter(ends[1]!) + 512);
    expect(log.ending()).toMatchObject({ kind: 'corrupt', offset: ends[1], nextGroup: { seq: 4 } });
  });

  test('ZerosThatAreNoWholeSectorAreCorruption', () => {
    const { log, ends } = unsynced();
    const whole = log.bytes();
    const sector = sectorAfter(ends[1]!);
    for (const [from, to] of [
      [sector + 1, sector + 512],
      [sector, sector + 511],
      [sector + 256, sector + 768],
      [ends[1]!, sector - 1],
    ] as const) {
      log.replace(whole);
      zero(log, from, to);
      expect(log.ending(), `${from} to ${to}`).toMatchObject({
        kind: 'corrupt',
        reason: expect.stringMatching(/no sector between them is empty/),
      });
    }
  });

  test('EmptySectorBehindTheNextValidGroupExcusesNothing', () => {
    const { log, ends } = unsynced();
    log.incrementByte(ends[1]! - 1);
    zero(log, sectorAfter(ends[2]!), sectorAfter(ends[2]!) + 512);
    expect(log.ending()).toMatchObject({ kind: 'corrupt', offset: ends[0] });
  });

  test('OlderGroupBehindTheDamageIsCorruption', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const first = Buffer.from(log.group(ends, 0));
    log.addBytes(Buffer.alloc(1024));
    log.addBytes(first);
    expect(log.ending()).toMatchObject({ kind: 'corrupt', reason: expect.stringMatching(/out of order/) });
  });

  test('SealedSegmentHasNoTornTail', () => {
    const { log, ends } = unsynced();
    zero(log, sectorAfter(ends[1]!), sectorAfter(ends[1]!) + 512);
    expect(log.ending({ lastSeq: 5 })).toMatchObject({ kind: 'corrupt', offset: ends[1] });
  });

  test('GroupThatClaimsToHaveBeenOnTheDiskIsRefused', () => {
    for (const durableSeq of [1, 2, 2 ** 53]) {
      const log = new LogTest();
      log.addBytes(sealed(setting('k', 'v'), 1, { durableSeq }));
      expect(log.ending()).toMatchObject({ kind: 'corrupt', offset: SEGMENT_HEADER_BYTES });
    }
  });
});

describe('corruption', () => {
  test('ChecksumMismatchInTheMiddleIsNoTornTail', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    log.incrementByte(ends[1]! - 1);
    const { scan, values: found } = log.read();
    expect(found).toEqual(['one']);
    expect(scan.ending).toMatchObject({
      kind: 'corrupt',
      offset: ends[0],
      reason: expect.stringMatching(/checksum.*group 3 follows/),
      nextGroup: { offset: ends[1], seq: 3 },
    });
  });

  test('FlippingAnyBitOfAGroupHeaderInTheMiddleIsNoTornTail', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const whole = log.bytes();
    for (let offset = ends[2]!; offset < ends[2]! + GROUP_HEADER_BYTES; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        log.replace(whole);
        log.flipBit(offset, bit);
        const { scan, seqs } = log.read();
        expect(seqs, `bit ${bit} of byte ${offset}`).toEqual([1, 2, 3]);
        expect(scan.ending).toMatchObject({ kind: 'corrupt', offset: ends[2], nextGroup: { seq: 5 } });
      }
    }
  });

  test('FlippingAnyBitOfTheLastGroupIsNeverApplied', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const whole = log.bytes();
    for (let offset = ends[3]!; offset < ends[4]!; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        log.replace(whole);
        log.flipBit(offset, bit);
        const { scan, seqs } = log.read();
        expect(seqs, `bit ${bit} of byte ${offset}`).toEqual([1, 2, 3, 4]);
        expect(scan.ending).toMatchObject({ kind: 'torn', offset: ends[3] });
      }
    }
  });

  test('FlippingAnyBitOfASealedSegmentIsCorruption', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    const whole = log.bytes();
    for (let offset = SEGMENT_HEADER_BYTES; offset < ends[1]!; offset++) {
      log.replace(whole);
      log.flipBit(offset, offset % 8);
      expect(log.ending({ lastSeq: 2 }).kind, `byte ${offset}`).toBe('corrupt');
    }
  });

  test('ValidGroupFarBehindDamageIsFound', () => {
    const log = new LogTest();
    // The reading window is 1 MiB: the header of the group behind the damage lies in it, across its end, behind it.
    for (let distance = 1024 * 1024 - 84; distance < 1024 * 1024 - 44; distance++) {
      log.replace(
        Buffer.concat([
          encodeSegmentHeader(headerOf(1, 0)),
          sealed(setting('k', 'one'), 1),
          Buffer.alloc(distance, 0x94),
          sealed(setting('k', 'three'), 3),
        ]),
      );
      expect(log.ending(), String(distance)).toMatchObject({ kind: 'corrupt', nextGroup: { seq: 3 } });
    }
  });

  test('SwappedGroupsAreRefused', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two', 'six');
    const groups = [0, 1, 2].map((n) => Buffer.from(log.group(ends, n)));
    log.replace(Buffer.concat([encodeSegmentHeader(headerOf(1, 0)), groups[0]!, groups[2]!, groups[1]!]));
    expect(log.ending()).toMatchObject({
      kind: 'corrupt',
      offset: ends[0],
      reason: 'group 3 where group 2 should be',
    });
  });

  test('DuplicatedGroupIsRefused', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    log.addBytes(Buffer.from(log.group(ends, 4)));
    expect(log.ending()).toMatchObject({ kind: 'corrupt', reason: 'group 5 where group 6 should be' });
  });

  test('MissingGroupIsRefused', () => {
    const log = new LogTest();
    const ends = log.write(...values);
    const bytes = log.bytes();
    log.replace(Buffer.concat([bytes.subarray(0, ends[1]), bytes.subarray(ends[2])]));
    expect(log.ending()).toMatchObject({ kind: 'corrupt', offset: ends[1] });
  });

  test('GroupWithoutRecordsIsRefused', () => {
    const log = new LogTest();
    const empty = Buffer.alloc(GROUP_HEADER_BYTES);
    sealGroup(empty, GROUP_HEADER_BYTES, 1, 0, 0, crcSeedOf(STORE_ID, 1));
    log.addBytes(empty);
    expect(log.ending()).toMatchObject({ kind: 'corrupt', reason: 'a group without records' });
  });

  test('GroupOfAnotherSegmentIsNotOneOfThisSegment', () => {
    const log = new LogTest();
    log.write('one');
    log.addBytes(sealed(setting('k', 'two'), 2, { segmentNumber: 7 }));
    expect(log.ending()).toMatchObject({ kind: 'torn', reason: expect.stringMatching(/checksum/) });
  });

  test('UnknownRecordInAValidGroupNamesFileAndOffset', () => {
    const log = new LogTest();
    const ends = log.write('one');
    const encoder = setting('key', 'two');
    encoder.bytes[GROUP_HEADER_BYTES + 1] = 99;
    log.addBytes(sealed(encoder, 2));
    expect(() => log.read()).toThrow(
      new StorageError('group 2: unknown mutation number 99', log.path, ends[0]! + GROUP_HEADER_BYTES),
    );
  });
});

describe('a sealed segment', () => {
  test('EndsWithTheGroupTheNextOneBuildsOn', () => {
    const log = new LogTest();
    log.write(...values);
    expect(log.ending({ lastSeq: 5 })).toEqual({ kind: 'clean' });
  });

  test('CutAtEveryByteIsCorruption', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    const whole = log.bytes();
    for (let length = SEGMENT_HEADER_BYTES; length < ends[1]!; length++) {
      log.replace(whole.subarray(0, length));
      expect(log.ending({ lastSeq: 2 }).kind, `cut at ${length}`).toBe('corrupt');
    }
  });

  test('ZerosInsteadOfItsLastGroupAreCorruption', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    const bytes = log.bytes();
    bytes.fill(0, ends[0]);
    log.replace(bytes);
    expect(log.ending({ lastSeq: 2 })).toMatchObject({ kind: 'corrupt', offset: ends[0] });
  });

  test('DebrisBehindItsLastGroupIsAbandoned', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.addBytes(sealed(setting('k', 'x'.repeat(50)), 3).subarray(0, 40));
    const { scan, values: found } = log.read({ lastSeq: 2 });
    expect(found).toEqual(['one', 'two']);
    expect(scan.ending).toEqual({ kind: 'abandoned', offset: ends[1], bytes: 40 });
  });

  test('SealBehindItsLastGroupIsItsUsualEnd', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.addBytes(SEAL_ALONE);
    const { scan, values: found } = log.read({ lastSeq: 2 });
    expect(found).toEqual(['one', 'two']);
    expect(scan.ending).toEqual({ kind: 'sealed', offset: ends[1] });
    expect(scan.endOffset).toBe(ends[1]);
  });

  test('SealBeforeTheGroupTheNextOneBuildsOnIsCorruption', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.addBytes(SEAL_ALONE);
    expect(log.ending({ lastSeq: 3 })).toMatchObject({
      kind: 'corrupt',
      offset: ends[1],
      reason: 'ends with group 2, but the next segment begins after 3',
    });
  });

  test('SealIsToldApartFromATornTailWithoutKnowingTheNextSegment', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.addBytes(SEAL_ALONE);
    expect(log.ending()).toEqual({ kind: 'sealed', offset: ends[1] });
  });

  test.each([[[SEAL, SEAL]], [[SEAL, 0]], [[0, SEAL]], [[SEAL + 1]]])(
    'OnlyTheSealAndNothingButTheSealIsOne: %j',
    (bytes) => {
      const log = new LogTest();
      const ends = log.write('one', 'two');
      log.addBytes(Buffer.from(bytes));
      const abandoned = { kind: 'abandoned', offset: ends[1], bytes: bytes.length };
      expect(log.ending({ lastSeq: 2 })).toEqual(abandoned);
      expect(log.ending()).toMatchObject({ ...abandoned, kind: 'torn' });
    },
  );

  test('SealChangesNothingAboutDamageInTheMiddle', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.addBytes(SEAL_ALONE);
    log.incrementByte(ends[0]! - 1);
    const corrupt = { kind: 'corrupt', offset: SEGMENT_HEADER_BYTES, nextGroup: { seq: 2 } };
    expect(log.ending({ lastSeq: 2 })).toMatchObject(corrupt);
    expect(log.ending()).toMatchObject(corrupt);
  });

  test('WholeGroupBehindItsLastGroupIsCorruption', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two', 'three');
    expect(log.ending({ lastSeq: 2 })).toMatchObject({ kind: 'corrupt', offset: ends[1] });
  });
});

describe('the header', () => {
  test('CutShortOrDamagedIsRefusedAtByteZero', () => {
    const log = new LogTest();
    log.write('one');
    const whole = log.bytes();
    log.replace(whole.subarray(0, 30));
    expect(() => log.read()).toThrow(
      new StorageError('the segment header is cut short at 30 bytes', log.path, 0),
    );
    log.replace(whole);
    log.flipBit(45, 0);
    expect(() => log.read()).toThrow(/checksum of the segment header/);
  });

  test('ForeignSegmentIsRefused', () => {
    const log = new LogTest();
    log.write('one');
    expect(() => log.read({ storeId: Buffer.alloc(16, 1) })).toThrow(/belongs to another store/);
  });

  test('ResurrectedSegmentUnderAnotherNumberIsRefused', () => {
    const log = new LogTest();
    log.write('one');
    log.replace(log.bytes(), log.segmentPath(2));
    expect(() => read(log.segmentPath(2))).toThrow(/holds segment 1/);
  });

  test('SegmentThatDoesNotContinueTheLogIsRefused', () => {
    const log = new LogTest();
    expect(() => log.read({ previousSeq: 17 })).toThrow(/continues after group 0.*ends with 17/);
  });
});
