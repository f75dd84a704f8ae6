/**
 * Deliberate faults in the code, each with the test that has to notice it: what mutants.mjs tries.
 *
 * A fault is one the compiler lets pass, and no assertion at a start gives it away before a test could.
 */

/**
 * @typedef {object} Edit
 * @property {string} file
 * @property {string} from found in the file exactly once
 * @property {string} to
 */

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {readonly Edit[]} edits
 * @property {string} test the file of the test
 */

/** @type {readonly Mutant[]} */
export const MUTANTS = [
  {
    name: 'SQLite with `synchronous=NORMAL`, and the assertion that forbids it adapted',
    edits: [
      {
        file: 'src/checkpoint/snapshot-file.ts',
        from: "database.pragma('synchronous = FULL');",
        to: "database.pragma('synchronous = NORMAL');",
      },
      {
        file: 'src/checkpoint/snapshot-file.ts',
        from: 'const SYNCHRONOUS_FULL = 2;',
        to: 'const SYNCHRONOUS_FULL = 1;',
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'no fsync of the directory after a new segment',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: 'files.syncDirectory(dirname(path), folder);',
        to: 'void folder;',
      },
    ],
    test: 'test/simulation/sweep.test.ts',
  },
  {
    name: 'no fsync of the directory after a new segment, seen in the system calls',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: 'files.syncDirectory(dirname(path), folder);',
        to: 'void folder;',
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'no fsync of the directory before a segment of another process is continued',
    edits: [
      { file: 'src/log/writer.ts', from: '      writer.syncName();\n', to: '      void writer.syncName;\n' },
    ],
    test: 'test/log/writer.test.ts',
  },
  {
    name: 'no fsync of the directory after segments were deleted',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: "namingFile(directory, 'a deletion in it cannot be made durable', () => files.syncDirectory(directory));",
        to: "namingFile(directory, 'a deletion in it cannot be made durable', () => {});",
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'no fsync of the directory after a new snapshot',
    edits: [
      {
        file: 'src/checkpoint/snapshot-file.ts',
        from: '  fsyncPath(dirname(path));\n',
        to: '  dirname(path);\n',
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'no fsync of the directory after the copy of a torn tail',
    edits: [{ file: 'src/log/repair.ts', from: '    files.syncDirectory(dirname(copyPath));\n', to: '' }],
    test: 'test/log/segments.test.ts',
  },
  {
    name: 'the name of a segment before its header is on the disk',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: '    files.fdatasync(file);\n    files.rename(unfinished, path);',
        to: '    files.rename(unfinished, path);',
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: '`always` acknowledges before the fdatasync',
    edits: [
      {
        file: 'src/commit.ts',
        from: "if (this.policy === 'always') return true;",
        to: "if (this.policy === 'always') return false;",
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'a background sync vouches for what was written after it began',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: 'this.syncedSeq = Math.max(this.syncedSeq, seq);',
        to: 'this.syncedSeq = Math.max(this.seq, seq);',
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: '`everysec` never syncs',
    edits: [
      {
        file: 'src/commit.ts',
        from: "if (this.policy !== 'everysec') return;",
        to: "if (this.policy !== 'always') return;",
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'a segment is sealed without a sync of its groups',
    edits: [{ file: 'src/log/writer.ts', from: 'if (this.syncedSeq < this.seq) this.sync();', to: '' }],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'a failed fdatasync is forgotten',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: 'if (this.syncFailure === undefined) return;',
        to: 'if (this.syncFailure === undefined || !this.closed) return;',
      },
    ],
    test: 'test/log/writer.test.ts',
  },
  {
    name: 'what fails in the thread that syncs counts as synced',
    edits: [
      {
        file: 'src/log/sync-thread.ts',
        from: 'this.finish(errorNumber === 0 ? null : systemError(errorNumber));',
        to: 'this.finish(errorNumber < -1000 ? systemError(errorNumber) : null);',
      },
    ],
    test: 'test/log/sync-thread.test.ts',
  },
  {
    name: 'getSync tells what is not on the disk',
    edits: [{ file: 'src/server/embedded/direct-strings.ts', from: 'this.engine.settle();', to: '' }],
    test: 'test/embedding/durability.test.ts',
  },
  {
    name: 'what another process wrote is synced, and not written again',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: '        rewriteUnproven(files, file, segment, state);\n',
        to: '        void rewriteUnproven;\n',
      },
    ],
    test: 'test/simulation/sweep.test.ts',
  },
  {
    name: 'what another process wrote is synced, and not written again, through random histories',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: '        rewriteUnproven(files, file, segment, state);\n',
        to: '        void rewriteUnproven;\n',
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'what another process wrote is written again, and not synced',
    edits: [{ file: 'src/log/writer.ts', from: '      writer.sync();\n', to: '' }],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'a failed append is not undone',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: '    try {\n      this.files.truncate(this.active.file, this.position);\n      this.fileBytes = this.position;\n    } catch (truncateError) {',
        to: '    try {\n      this.fileBytes = this.position;\n    } catch (truncateError) {',
      },
    ],
    test: 'test/log/writer.test.ts',
  },
  {
    name: 'memory keeps what the log did not take',
    edits: [{ file: 'src/commit.ts', from: '    this.keyspace.rollback(this.loggedUndo);\n', to: '' }],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'memory keeps what the disk refused',
    edits: [{ file: 'src/commit.ts', from: '      this.keyspace.rollback(this.durableUndo);\n', to: '' }],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'segments are deleted before the commit is durable',
    edits: [
      {
        file: 'src/checkpoints.ts',
        from: '    const { lastSeq } = await this.checkpointer.run(segments, ATTEMPTS, this.closing.signal);\n',
        to: '    const running = this.checkpointer.run(segments, ATTEMPTS, this.closing.signal);\n    this.writer.remove(segments.at(-1)!.lastSeq);\n    const { lastSeq } = await running;\n',
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'segments are deleted before the commit is durable, through random histories',
    edits: [
      {
        file: 'src/checkpoints.ts',
        from: '    const { lastSeq } = await this.checkpointer.run(segments, ATTEMPTS, this.closing.signal);\n',
        to: '    const running = this.checkpointer.run(segments, ATTEMPTS, this.closing.signal);\n    this.writer.remove(segments.at(-1)!.lastSeq);\n    const { lastSeq } = await running;\n',
      },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'segments are deleted while the commit is under way',
    edits: [
      {
        file: 'src/checkpoint/worker.ts',
        from: '    this.applier.commit();\n    this.applier.release();\n    this.truncateWal();\n',
        to: '    setTimeout(() => this.applier.commit(), 50);\n',
      },
      {
        file: 'src/checkpoint/worker.ts',
        from: '      lastSeq: this.committedSeq(),\n',
        to: '      lastSeq: this.applier.position(this.committedSeq()),\n',
      },
    ],
    test: 'test/faults/unlink-order.test.ts',
  },
  {
    name: 'a checkpoint claims one group more than it has',
    edits: [
      {
        file: 'src/checkpoint/worker.ts',
        from: '      lastSeq: this.committedSeq(),\n',
        to: '      lastSeq: this.committedSeq() + 1,\n',
      },
    ],
    test: 'test/checkpoint/checkpointer.test.ts',
  },
  {
    name: 'a checksum of groups that does not cover the length',
    edits: [
      {
        file: 'src/log/format.ts',
        from: 'writeUint32(bytes, GROUP_CRC_AT, crc32(bytes.subarray(0, groupBytes), crcSeed));',
        to: 'const covered = crc32(bytes.subarray(0, GROUP_LENGTH_AT), crcSeed);\n  writeUint32(bytes, GROUP_CRC_AT, crc32(bytes.subarray(GROUP_HEADER_BYTES, groupBytes), covered));',
      },
      {
        file: 'src/log/format.ts',
        from: 'const computed = crc32(bytes.subarray(at, at + groupBytes), crcSeed);',
        to: 'const covered = crc32(bytes.subarray(at, at + GROUP_LENGTH_AT), crcSeed);\n  const computed = crc32(bytes.subarray(at + GROUP_HEADER_BYTES, at + groupBytes), covered);',
      },
    ],
    test: 'test/log/format.test.ts',
  },
  {
    name: 'the checksum of groups is not compared',
    edits: [
      {
        file: 'src/log/format.ts',
        from: '  return computed === stored;',
        to: '  return computed === stored || groupBytes > 0;',
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'no guard of the sequence numbers',
    edits: [{ file: 'src/log/reader.ts', from: 'if (seq !== this.lastSeq + 1)', to: 'if (seq < 0)' }],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'groups of another store are taken',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: 'if (expectation.storeId !== undefined && !header.storeId.equals(expectation.storeId)) {',
        to: 'if (expectation.storeId !== undefined && header.storeId.length === 0) {',
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'a gap between segments is passed over',
    edits: [
      {
        file: 'src/log/segments.ts',
        from: 'if (next.header.number !== segment.header.number + 1) {',
        to: 'if (next.header.number < segment.header.number) {',
      },
    ],
    test: 'test/log/segments.test.ts',
  },
  {
    name: 'the seal is not looked at',
    edits: [
      {
        file: 'src/recovery.ts',
        from: "if (ending.kind === 'sealed' && !next) {",
        to: "if (ending.kind === 'sealed' && !next && segment.path === '') {",
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'the seal is never written',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: 'if (isTailCut) this.writeSeal(previous, sealed.bytes);',
        to: 'if (isTailCut && this.closed) this.writeSeal(previous, sealed.bytes);',
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'the seal is not synced, and its failure not latched',
    edits: [
      {
        file: 'src/log/writer.ts',
        from: '    try {\n      this.files.fdatasync(file);\n    } catch (error) {\n      throw this.latch(segment.path, error);\n    }\n  }\n\n  private makeNextSegment',
        to: '    void segment;\n  }\n\n  private makeNextSegment',
      },
    ],
    test: 'test/log/writer.test.ts',
  },
  {
    name: 'what later groups knew to be on the disk is not looked at',
    edits: [
      {
        file: 'src/log/reader.ts',
        from: 'if (following.durableSeq > this.lastSeq)',
        to: 'if (following.durableSeq < 0)',
      },
    ],
    test: 'test/log/reader.test.ts',
  },
  {
    name: 'damage with valid groups behind it is taken for a torn tail',
    edits: [
      {
        file: 'src/log/reader.ts',
        from: 'if (objection !== undefined) return',
        to: "if (objection === '') return",
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'no copy of a torn tail',
    edits: [
      {
        file: 'src/log/repair.ts',
        from: "    attempt(copyPath, 'cannot be made as a copy of a torn segment', () => copyTo(files, file, copyPath));\n",
        to: '    void copyTo;\n',
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'groups that the snapshot has are replayed on top of it',
    edits: [
      { file: 'src/recovery.ts', from: 'fromSeq: this.coveredSeq + 1,', to: 'fromSeq: 0 * this.coveredSeq,' },
    ],
    test: 'test/simulation/simulation.test.ts',
  },
  {
    name: 'the checksums of keys in the snapshot are not compared',
    edits: [
      {
        file: 'src/checkpoint/snapshot-pages.ts',
        from: '  if (expected !== page.checksum) {\n',
        to: '  if (Number.isNaN(expected)) {\n',
      },
    ],
    test: 'test/faults/damage.test.ts',
  },
  {
    name: 'a checkpoint reads segments that it could not delete the last time',
    edits: [
      {
        file: 'src/checkpoints.ts',
        from: 'this.writer.sealed.filter(({ lastSeq }) => lastSeq > this.checkpointedSeq);',
        to: 'this.writer.sealed.filter(({ lastSeq }) => lastSeq > 0 * this.checkpointedSeq);',
      },
    ],
    test: 'test/checkpoint/failed-deletion.test.ts',
  },
  {
    name: 'the lock of the directory is not taken',
    edits: [
      { file: 'src/checkpoint/lock.ts', from: "    database.exec('BEGIN EXCLUSIVE');\n", to: '' },
      { file: 'src/checkpoint/lock.ts', from: "    database.pragma('locking_mode = EXCLUSIVE');\n", to: '' },
    ],
    test: 'test/faults/directory.test.ts',
  },
];
