import { parseInt64 } from '../base/bytes.js';
import type { Heap } from './heap.js';
import {
  attachmentOf,
  dueMs,
  EDITED,
  FIELDS_TIMED,
  flagsOf,
  TYPE_LARGE_HASH,
  TYPE_MASK,
  TYPE_PACKED_HASH,
} from './record.js';
import type { Records } from './records.js';
import type { Table } from './table.js';

/** What people ask about keys: OBJECT ENCODING, MEMORY USAGE, INFO keyspace. */

/** A slot of the index is 8 bytes, and its tables are two thirds full on average. */
const INDEX_BYTES_PER_KEY = 12;
const AVERAGE_TTL_SAMPLES = 16;
/** Longer strings are `raw` in Redis, shorter ones embedded in their object. */
const EMBEDDED_BYTES_MAX = 44;
const INTEGER_BYTES_MAX = 20;

export function encodingOf(records: Records, ref: number): string {
  const flags = flagsOf(records.heap, ref);
  const type = flags & TYPE_MASK;
  if (type === TYPE_PACKED_HASH) return (flags & FIELDS_TIMED) !== 0 ? 'listpackex' : 'listpack';
  if (type === TYPE_LARGE_HASH) return 'hashtable';
  if ((flags & EDITED) !== 0) return 'raw';
  records.locateValue(ref);
  const { valueBytes, valueStart, valueEnd } = records;
  const length = valueEnd - valueStart;
  if (length <= INTEGER_BYTES_MAX && parseInt64(valueBytes, valueStart, valueEnd) !== undefined) return 'int';
  return length <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
}

export function bytesOf(heap: Heap, ref: number): number {
  let bytes = heap.sizeOf(ref) + INDEX_BYTES_PER_KEY;
  const attachment = attachmentOf(heap, ref);
  if (attachment) bytes += (attachment.key?.length ?? 0) + (attachment.value?.length ?? 0);
  attachment?.fields?.dict.each((field) => {
    bytes += heap.sizeOf(field) + INDEX_BYTES_PER_KEY;
  });
  return bytes;
}

export function averageTtlMs(heap: Heap, table: Table, nowMs: number): number {
  if (table.timedCount() === 0) return 0;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < AVERAGE_TTL_SAMPLES; i++) {
    const due = dueMs(heap, table.dict.random());
    if (due === Number.POSITIVE_INFINITY) continue;
    sum += Math.max(0, due - nowMs);
    count++;
  }
  return count === 0 ? 0 : Math.round(sum / count);
}
