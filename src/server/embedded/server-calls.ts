import { integer, integers, ok, plainText } from './call-base.js';
import { HashCalls } from './hash-calls.js';

/** Calls for the store as a whole. `Text` is what strings come back as. */
export abstract class TypedCalls<Text extends string | Buffer> extends HashCalls<Text> {
  /** Number of keys in the selected database. */
  dbsize(): Promise<number> {
    return this.run(['DBSIZE'], integer);
  }

  flushdb(): Promise<'OK'> {
    return this.run(['FLUSHDB'], ok);
  }

  flushall(): Promise<'OK'> {
    return this.run(['FLUSHALL'], ok);
  }

  /** Database for this client's next calls, 0 to begin with. */
  select(db: number): Promise<'OK'> {
    return this.run(['SELECT', db], ok);
  }

  /** Checkpoints. This client's later calls wait until the snapshot has everything. */
  save(): Promise<'OK'> {
    return this.run(['SAVE'], ok);
  }

  /**
   * Waits until this client's writes are forced to the disk, whatever the policy, or until time is up.
   *
   * @param timeoutMs 0: without limit.
   */
  async waitForDisk(timeoutMs = 0): Promise<boolean> {
    const [local] = await this.run(['WAITAOF', 1, 0, timeoutMs], integers);
    return local === 1;
  }

  /** INFO's text. */
  info(...sections: readonly string[]): Promise<string> {
    return this.run(['INFO', ...sections], plainText);
  }
}
