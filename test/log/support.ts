import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { ExpireAt, FieldList, MutationSink } from '../../src/keyspace/mutations.js';
import { applyRecords } from '../../src/log/decoder.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { crcSeedOf, SEGMENT_HEADER_BYTES, type SegmentHeader } from '../../src/log/format.js';
import { type ScanExpectation, type SegmentScan, scanSegment } from '../../src/log/reader.js';
import { segmentName } from '../../src/log/segments.js';
import { LogWriter, type LogWriterOptions } from '../../src/log/writer.js';

export const STORE_ID = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
export const START_MS = 1735689600000;

export const text = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString('latin1');

/** A mutation as plain data, so that two sequences of them can be compared. */
export type Recorded = readonly (string | number | bigint | readonly (string | number | bigint)[])[];

/** Remembers what it is told, with copies of the bytes as latin1 strings. */
export class RecordingSink implements MutationSink {
  readonly calls: Recorded[] = [];

  setString(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAt: ExpireAt,
  ): void {
    this.calls.push([
      'setString',
      db,
      text(key, keyStart, keyEnd),
      text(value, valueStart, valueEnd),
      expireAt,
    ]);
  }

  setRange(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    offset: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.calls.push(['setRange', db, text(key, keyStart, keyEnd), offset, text(value, valueStart, valueEnd)]);
  }

  delete(db: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.calls.push(['delete', db, text(key, keyStart, keyEnd)]);
  }

  expireAt(db: number, key: Uint8Array, keyStart: number, keyEnd: number, expireAt: ExpireAt): void {
    this.calls.push(['expireAt', db, text(key, keyStart, keyEnd), expireAt]);
  }

  rename(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    this.calls.push(['rename', db, text(key, keyStart, keyEnd), toDb, text(toKey, toStart, toEnd)]);
  }

  copy(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    toDb: number,
    toKey: Uint8Array,
    toStart: number,
    toEnd: number,
  ): void {
    this.calls.push(['copy', db, text(key, keyStart, keyEnd), toDb, text(toKey, toStart, toEnd)]);
  }

  flush(db: number): void {
    this.calls.push(['flush', db]);
  }

  swap(db: number, otherDb: number): void {
    this.calls.push(['swap', db, otherDb]);
  }

  hashSet(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    const set: (string | number | bigint)[] = [];
    for (let i = 0; i < fields.length; i++) {
      set.push(text(fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!));
      set.push(text(fields.bytes, fields.valueStart[i]!, fields.valueEnd[i]!));
      set.push(fields.expireAt[i]!);
    }
    this.calls.push(['hashSet', db, text(key, keyStart, keyEnd), set]);
  }

  hashDelete(db: number, key: Uint8Array, keyStart: number, keyEnd: number, fields: FieldList): void {
    this.calls.push(['hashDelete', db, text(key, keyStart, keyEnd), names(fields)]);
  }

  hashExpireAt(
    db: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    fields: FieldList,
    expireAt: ExpireAt,
  ): void {
    this.calls.push(['hashExpireAt', db, text(key, keyStart, keyEnd), expireAt, names(fields)]);
  }
}

function names(fields: FieldList): string[] {
  return Array.from({ length: fields.length }, (_, i) =>
    text(fields.bytes, fields.fieldStart[i]!, fields.fieldEnd[i]!),
  );
}

/** A directory for one test, removed afterwards. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-log-'));
  directories.push(path);
  return path;
}

const directories: string[] = [];
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

export function headerOf(number: number, previousSeq: number): SegmentHeader {
  return { storeId: STORE_ID, number, previousSeq, createdAtMs: START_MS };
}

/** An encoder that holds one `setString` of `key` to `value`. */
export function setting(key: string, value: string): GroupEncoder {
  const encoder = new GroupEncoder();
  const bytes = Buffer.from(key + value, 'latin1');
  encoder.setString(0, bytes, 0, key.length, bytes, key.length, bytes.length, 0);
  return encoder;
}

export const sealed = (
  encoder: GroupEncoder,
  seq: number,
  { segmentNumber = 1, durableSeq = 0 } = {},
): Buffer => {
  const length = encoder.seal(seq, START_MS + seq, durableSeq, crcSeedOf(STORE_ID, segmentNumber));
  return Buffer.from(encoder.bytes.subarray(0, length));
};

/** What a scan saw, and how it ended. */
export interface Reading {
  readonly scan: SegmentScan;
  readonly values: string[];
  readonly seqs: number[];
}

export function read(path: string, expectation: ScanExpectation = {}, files: LogFiles = nodeFiles): Reading {
  const sink = new RecordingSink();
  const seqs: number[] = [];
  const scan = scanSegment(files, path, expectation, (seq, _atMs, bytes, start, end) => {
    seqs.push(seq);
    applyRecords(bytes, start, end, sink);
  });
  return { scan, seqs, values: sink.calls.map((call) => String(call[3])) };
}

/**
 * A log under test and the ways to harm it: write some values, damage the file, see what a reader makes of it.
 */
export class LogTest {
  readonly directory = temporaryDirectory();
  readonly writer: LogWriter;

  constructor(
    readonly files: LogFiles = nodeFiles,
    options: LogWriterOptions = {},
  ) {
    this.writer = LogWriter.create(files, this.directory, headerOf(1, 0), options);
  }

  get path(): string {
    return this.segmentPath(this.writer.segment.header.number);
  }

  segmentPath(number: number): string {
    return join(this.directory, segmentName(number));
  }

  /** Appends one group per value; returns where each group ends in the file. */
  write(...values: string[]): number[] {
    return values.map((value) => {
      this.writer.append(setting('key', value), START_MS + this.writer.lastSeq + 1);
      return this.writer.segmentBytes;
    });
  }

  bytes(path = this.path): Buffer {
    return readFileSync(path);
  }

  replace(bytes: Uint8Array, path = this.path): void {
    writeFileSync(path, bytes);
  }

  shrinkSize(bytes: number): void {
    const present = this.bytes();
    this.replace(present.subarray(0, present.length - bytes));
  }

  incrementByte(offset: number, by = 1): void {
    const bytes = this.bytes();
    bytes[offset] = bytes[offset]! + by;
    this.replace(bytes);
  }

  flipBit(offset: number, bit: number): void {
    const bytes = this.bytes();
    bytes[offset] = bytes[offset]! ^ (1 << bit);
    this.replace(bytes);
  }

  addBytes(bytes: Uint8Array): void {
    this.replace(Buffer.concat([this.bytes(), bytes]));
  }

  /** The bytes of the n-th group, from 0, given where the groups end. */
  group(ends: readonly number[], n: number): Buffer {
    const start = n === 0 ? SEGMENT_HEADER_BYTES : ends[n - 1]!;
    return this.bytes().subarray(start, ends[n]!);
  }

  read(expectation: ScanExpectation = {}): Reading {
    return read(this.path, expectation);
  }

  ending(expectation: ScanExpectation = {}): SegmentScan['ending'] {
    return this.read(expectation).scan.ending;
  }
}

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
