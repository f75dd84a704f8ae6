import { createKeyspace, type Keyspace } from '../../src/keyspace/keyspace.js';

/** An empty keyspace, as a server starts with. */
export function newKeyspace(): Keyspace {
  return createKeyspace();
}
