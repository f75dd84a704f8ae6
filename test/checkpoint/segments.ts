import { dirname } from 'node:path';
import type { SealedSegment } from '../../src/checkpoint/checkpointer.js';
import type { MutationSink } from '../../src/keyspace/mutations.js';
import { GroupEncoder } from '../../src/log/encoder.js';
import { nodeFiles } from '../../src/log/files.js';
import { LogWriter } from '../../src/log/writer.js';
import { CREATED_AT_MS, STORE_ID } from './store.js';

/** Writes a real log beside a snapshot, one segment for each list of groups. */
export function writeSegments(
  snapshotPath: string,
  segments: readonly (readonly ((sink: MutationSink) => void)[])[],
  previousSeq = 0,
): SealedSegment[] {
  const header = { storeId: STORE_ID, number: 1, previousSeq, createdAtMs: CREATED_AT_MS };
  const writer = LogWriter.create(nodeFiles, dirname(snapshotPath), header, {});
  const encoder = new GroupEncoder();
  for (const groups of segments) {
    for (const mutate of groups) {
      mutate(encoder);
      writer.append(encoder, CREATED_AT_MS);
      encoder.clear();
    }
    writer.rotate(CREATED_AT_MS);
  }
  const sealed = writer.sealed.map((segment) => ({
    path: segment.path,
    number: segment.header.number,
    previousSeq: segment.header.previousSeq,
    lastSeq: segment.lastSeq,
  }));
  writer.close();
  return sealed;
}
