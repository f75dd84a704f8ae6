/**
 * Holdfast inside a program's own process. The package's public interface, and nothing else.
 *
 * ```
 * const db = await open({ dir: 'data' });
 * await db.set('greeting', 'hello');
 * await db.close();
 * ```
 */
import { Database } from './server/embedded/database.js';
import type { OpenOptions } from './server/embedded/options.js';

export { StartupError, StorageError } from './base/errors.js';
export type { Log } from './base/log.js';
export type { LoadSummary } from './engine.js';
export { type Reply, ReplyError } from './resp/reply.js';
export type { Argument } from './server/embedded/argument-writer.js';
export type { Entries, Expiry } from './server/embedded/call-base.js';
export type { BufferCalls, EmbeddedClient } from './server/embedded/client.js';
export type { Database, Listening, ListenOptions } from './server/embedded/database.js';
export type { HSetExOptions } from './server/embedded/hash-calls.js';
export type { ExpireCondition, ScanOptions, ScanStep } from './server/embedded/key-calls.js';
export { type Multi, MultiError } from './server/embedded/multi.js';
export type { OpenOptions } from './server/embedded/options.js';
export type { GetExOptions, SetOptions } from './server/embedded/string-calls.js';

/**
 * Opens the store in a directory and brings its data into memory.
 *
 * @throws StartupError when an option is wrong or another store has the directory, StorageError when its files
 * are damaged, and what `signal` was aborted with. Nothing is left open then.
 */
export function open(options: OpenOptions): Promise<Database> {
  return Database.open(options);
}
