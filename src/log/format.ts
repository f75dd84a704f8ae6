/**
 * The bytes of the log that are not records: the segment header and the group header. FORMAT.md describes
 * both for people and for other programs; this file is the only code that knows their offsets.
 *
 * Every number in them has a fixed width, so both headers have a constant size and every field a constant
 * place, and yet each is an ordinary msgpack value.
 */
import { crc32 } from 'node:zlib';

/** `[magic, version, storeId, number, previousSeq, createdAtMs, crc32]`, always these many bytes. */
export const SEGMENT_HEADER_BYTES = 61;
/** `[seq, atMs, durableSeq, crc32, payload]` up to the first byte of the payload. */
export const GROUP_HEADER_BYTES = 38;
/** The shortest record is `[7, 0]`: three bytes. */
export const SMALLEST_GROUP_BYTES = GROUP_HEADER_BYTES + 3;
/** A group must fit in one buffer; far above what the limits on a request let through. */
export const LARGEST_GROUP_BYTES = 0x7fffffff;

export const STORE_ID_BYTES = 16;
export const FORMAT_VERSION = 1;
const MAGIC = Buffer.from('holdfast', 'latin1');

/** The msgpack type bytes that the log uses. */
export const Msgpack = {
  fixarray: 0x90,
  fixstr: 0xa0,
  nil: 0xc0,
  bin8: 0xc4,
  bin16: 0xc5,
  bin32: 0xc6,
  uint32: 0xce,
  uint64: 0xcf,
  array32: 0xdd,
} as const;

/** The first byte of a group: a msgpack array of five. Never zero, which is how the end is told. */
export const GROUP_FIRST_BYTE = Msgpack.fixarray | 5;

/** The last byte of a sealed segment: another segment follows. As msgpack it is the number 1, which begins no group. */
export const SEAL = 0x01;

const GROUP_SEQ_AT = 2;
const GROUP_TIME_AT = 11;
const GROUP_DURABLE_AT = 20;
const GROUP_CRC_AT = 29;
const GROUP_LENGTH_AT = 34;

const HEADER_CRC_AT = 57;
/** The header's checksum covers everything before it. */
const HEADER_CRC_COVERS = 56;

const TWO_TO_32 = 0x100000000;
/** The upper half of the largest integer that a double holds exactly, 2^53 - 1. */
const SAFE_HIGH_HALF = 0x1fffff;

export interface SegmentHeader {
  /** 16 random bytes, chosen when the store was made: tells one store's files from another's. */
  readonly storeId: Buffer;
  /** Position of the segment in the log, from 1. */
  readonly number: number;
  /** The sequence number of the last group before this segment; its own first group has the next one. */
  readonly previousSeq: number;
  /** Unix ms. */
  readonly createdAtMs: number;
}

/** Writes an integer of 0 to 2^53 - 1 as eight bytes, big-endian. */
export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / TWO_TO_32));
  writeUint32(bytes, at + 4, value >>> 0);
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** @returns NaN for a number beyond 2^53 - 1, which no sequence number or time in a log can be. */
export function readUint64(bytes: Uint8Array, at: number): number {
  const high = readUint32(bytes, at);
  return high > SAFE_HIGH_HALF ? Number.NaN : high * TWO_TO_32 + readUint32(bytes, at + 4);
}

/**
 * What the checksum of every group in a segment starts from: the CRC-32 of the store id followed by the
 * segment number in eight bytes. A group copied from another store or another segment then fails its check.
 */
export function crcSeedOf(storeId: Uint8Array, segmentNumber: number): number {
  const identity = Buffer.alloc(STORE_ID_BYTES + 8);
  identity.set(storeId, 0);
  writeUint64(identity, STORE_ID_BYTES, segmentNumber);
  return crc32(identity);
}

/**
 * Fills in the header of the group that occupies `bytes[0 .. groupBytes)` and whose payload is in place.
 *
 * The checksum covers the whole group with zeros where it will itself stand: one call over one contiguous
 * range, covering type bytes, sequence numbers, time and length as well as the payload.
 *
 * @param durableSeq every group up to this one is known to be on the disk.
 */
export function sealGroup(
  bytes: Buffer,
  groupBytes: number,
  seq: number,
  atMs: number,
  durableSeq: number,
  crcSeed: number,
): void {
  bytes[0] = GROUP_FIRST_BYTE;
  bytes[GROUP_SEQ_AT - 1] = Msgpack.uint64;
  writeUint64(bytes, GROUP_SEQ_AT, seq);
  bytes[GROUP_TIME_AT - 1] = Msgpack.uint64;
  writeUint64(bytes, GROUP_TIME_AT, atMs);
  bytes[GROUP_DURABLE_AT - 1] = Msgpack.uint64;
  writeUint64(bytes, GROUP_DURABLE_AT, durableSeq);
  bytes[GROUP_CRC_AT - 1] = Msgpack.uint32;
  writeUint32(bytes, GROUP_CRC_AT, 0);
  bytes[GROUP_LENGTH_AT - 1] = Msgpack.bin32;
  writeUint32(bytes, GROUP_LENGTH_AT, groupBytes - GROUP_HEADER_BYTES);
  writeUint32(bytes, GROUP_CRC_AT, crc32(bytes.subarray(0, groupBytes), crcSeed));
}

/** True when the 38 bytes at `at` have the six type bytes of a group header. */
export function hasGroupShape(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === GROUP_FIRST_BYTE &&
    bytes[at + GROUP_SEQ_AT - 1] === Msgpack.uint64 &&
    bytes[at + GROUP_TIME_AT - 1] === Msgpack.uint64 &&
    bytes[at + GROUP_DURABLE_AT - 1] === Msgpack.uint64 &&
    bytes[at + GROUP_CRC_AT - 1] === Msgpack.uint32 &&
    bytes[at + GROUP_LENGTH_AT - 1] === Msgpack.bin32
  );
}

export function groupSeq(bytes: Uint8Array, at: number): number {
  return readUint64(bytes, at + GROUP_SEQ_AT);
}

export function groupAtMs(bytes: Uint8Array, at: number): number {
  return readUint64(bytes, at + GROUP_TIME_AT);
}

/** Every group up to this one was known to be on the disk when the group was written. */
export function groupDurableSeq(bytes: Uint8Array, at: number): number {
  return readUint64(bytes, at + GROUP_DURABLE_AT);
}

/** Bytes of the whole group, header included, as its length field claims. */
export function groupBytesClaimed(bytes: Uint8Array, at: number): number {
  return GROUP_HEADER_BYTES + readUint32(bytes, at + GROUP_LENGTH_AT);
}

/** Checks a group in place: the checksum's own bytes are zeroed for the computation and put back. */
export function groupChecksumHolds(bytes: Buffer, at: number, groupBytes: number, crcSeed: number): boolean {
  const stored = readUint32(bytes, at + GROUP_CRC_AT);
  writeUint32(bytes, at + GROUP_CRC_AT, 0);
  const computed = crc32(bytes.subarray(at, at + groupBytes), crcSeed);
  writeUint32(bytes, at + GROUP_CRC_AT, stored);
  return computed === stored;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes[0] = Msgpack.fixarray | 7;
  bytes[1] = Msgpack.fixstr | MAGIC.length;
  bytes.set(MAGIC, 2);
  bytes[10] = FORMAT_VERSION;
  bytes[11] = Msgpack.bin8;
  bytes[12] = STORE_ID_BYTES;
  bytes.set(header.storeId, 13);
  bytes[29] = Msgpack.uint64;
  writeUint64(bytes, 30, header.number);
  bytes[38] = Msgpack.uint64;
  writeUint64(bytes, 39, header.previousSeq);
  bytes[47] = Msgpack.uint64;
  writeUint64(bytes, 48, header.createdAtMs);
  bytes[56] = Msgpack.uint32;
  writeUint32(bytes, HEADER_CRC_AT, crc32(bytes.subarray(0, HEADER_CRC_COVERS)));
  return bytes;
}

/** The format version that a segment claims to have; undefined for bytes that are no segment. Nothing else is checked. */
export function versionClaimed(bytes: Buffer): number | undefined {
  const isSegment = bytes[0] === (Msgpack.fixarray | 7) && bytes.subarray(2, 10).equals(MAGIC);
  return isSegment ? bytes[10] : undefined;
}

/** @returns the header, or a sentence that says what is wrong with it. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.length < SEGMENT_HEADER_BYTES) return `the segment header is cut short at ${bytes.length} bytes`;
  if (bytes[0] !== (Msgpack.fixarray | 7) || !bytes.subarray(2, 10).equals(MAGIC)) {
    return 'not a holdfast log segment';
  }
  if (bytes[10] !== FORMAT_VERSION)
    return `log format version ${bytes[10]}, this program reads ${FORMAT_VERSION}`;
  if (readUint32(bytes, HEADER_CRC_AT) !== crc32(bytes.subarray(0, HEADER_CRC_COVERS))) {
    return 'the checksum of the segment header does not match';
  }
  const header: SegmentHeader = {
    storeId: Buffer.from(bytes.subarray(13, 29)),
    number: readUint64(bytes, 30),
    previousSeq: readUint64(bytes, 39),
    createdAtMs: readUint64(bytes, 48),
  };
  // Encoding again checks every type byte and every number's range at one stroke.
  if (!encodeSegmentHeader(header).equals(bytes.subarray(0, SEGMENT_HEADER_BYTES))) {
    return 'the segment header is malformed';
  }
  return header;
}
