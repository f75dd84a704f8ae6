import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { LogWriter } from '../../src/log/writer.js';
import { LogTest } from './support.js';

/** A range of the file, as it was written, and when it was synced. */
type Event = readonly [from: number, to: number] | 'sync';

/** The real files, with a record of what is written and synced. */
function watched(): { files: LogFiles; events: Event[] } {
  const events: Event[] = [];
  const files: LogFiles = {
    ...nodeFiles,
    write(file, source, start, length, position) {
      events.push([position, position + length]);
      return nodeFiles.write(file, source, start, length, position);
    },
    fdatasync(file) {
      events.push('sync');
      nodeFiles.fdatasync(file);
    },
  };
  return { files, events };
}

/** A process that ended without a sync: the next one goes on with its log. */
function resumed(log: LogTest): Event[] {
  const { scan } = log.read();
  const { files, events } = watched();
  const before = readFileSync(log.path);
  LogWriter.resume(files, log.writer.segment, { ...scan, position: scan.endOffset });
  expect(readFileSync(log.path).equals(before)).toBe(true);
  return events;
}

describe('a log that is resumed', () => {
  test('writes again, before its sync, the groups that no header knows to be on the disk', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two');
    log.writer.sync();
    ends.push(...log.write('three', 'four', 'five'));
    expect(resumed(log)).toEqual([[ends[1], ends[4]], 'sync']);
  });

  test('writes all of its groups again when nothing is known to be on the disk', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two', 'three');
    expect(resumed(log)).toEqual([[SEGMENT_HEADER_BYTES, ends[2]], 'sync']);
  });

  test('writes no group again when there is none in the segment', () => {
    const log = new LogTest();
    log.write('one');
    log.writer.rotate(0);
    expect(resumed(log)).toEqual(['sync']);
  });

  test('takes the knowledge of groups behind a segment of its own', () => {
    const log = new LogTest();
    log.write('one', 'two');
    log.writer.rotate(0);
    const ends = log.write('three');
    expect(resumed(log)).toEqual([[SEGMENT_HEADER_BYTES, ends[0]], 'sync']);
  });

  test('writes groups of any size again, all of each', () => {
    const log = new LogTest();
    const values = Array.from({ length: 30 }, (_, i) => 'v'.repeat(100_000 * (i % 3)));
    const ends = log.write(...values, 'w'.repeat(3_000_000), 'x');
    const events = resumed(log);
    expect(events.pop()).toBe('sync');
    const ranges = events as (readonly [number, number])[];
    expect(ranges[0]![0]).toBe(SEGMENT_HEADER_BYTES);
    expect(ranges.at(-1)![1]).toBe(ends.at(-1));
    for (let i = 1; i < ranges.length; i++) expect(ranges[i]![0]).toBe(ranges[i - 1]![1]);
    expect(log.read().values).toEqual([...values, 'w'.repeat(3_000_000), 'x']);
  });

  test('is refused, and nothing written, when a group reads differently than a moment before', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two', 'three');
    const { scan } = log.read();
    // What the system's memory had was dropped, and the disk has something else.
    const bytes = readFileSync(log.path);
    bytes.fill(0, ends[1]! + 45, ends[2]);
    writeFileSync(log.path, bytes);
    const { files, events } = watched();
    expect(() => LogWriter.resume(files, log.writer.segment, { ...scan, position: scan.endOffset })).toThrow(
      /cannot be resumed.*a group reads differently/,
    );
    expect(events).toEqual([]);
  });

  test('is refused when a length reads differently than a moment before', () => {
    const log = new LogTest();
    const ends = log.write('one', 'two', 'three');
    log.writer.sync();
    log.write('four');
    const { scan } = log.read();
    const bytes = readFileSync(log.path);
    bytes.fill(0xff, ends[0]! + 34, ends[0]! + 38);
    writeFileSync(log.path, bytes);
    expect(() =>
      LogWriter.resume(nodeFiles, log.writer.segment, { ...scan, position: scan.endOffset }),
    ).toThrow(/a group reads differently/);
  });
});
