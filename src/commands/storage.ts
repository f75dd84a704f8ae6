import type { Keyspace } from '../keyspace/keyspace.js';
import type { ReplyBatch } from '../resp/reply-batch.js';
import type { PersistenceView } from './host.js';

/** What the dispatcher needs of the engine: data, the replies of the turn, and when a command is complete. */
export interface Storage {
  readonly keyspace: Keyspace;
  readonly persistence: PersistenceView;
  /**
   * Where replies of the current turn are gathered. Another object after a commit, so that it is read anew
   * for each command.
   */
  readonly batch: ReplyBatch;
  /** Why writes are refused at present (`MISCONF ...`), null while the log takes them. */
  readonly writeRefusal: string | null;
  /** Mutations handed to the journal since the start: a command that raised it has written. */
  readonly mutationCount: number;
  /** Sequence number of the commit group that is being gathered. */
  readonly openSeq: number;

  /** Evicts by the configured policy until the data fit into `limitBytes`; false when they cannot. */
  makeRoom(limitBytes: number): boolean;
  /**
   * A command (or a whole transaction) is complete: what it changed and answered is committed at the end of
   * this turn. Only here may a turn that has outgrown its bound be cut into two groups.
   */
  endCommand(): void;
}
