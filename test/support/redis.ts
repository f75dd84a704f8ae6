/**
 * A real redis-server beside Holdfast, for tests that compare the two. It keeps an append-only file and no
 * snapshots, so that it promises what Holdfast promises.
 */
import { type StartOptions, startServer } from './server.js';

/** Starts a redis-server that ends, and whose directory is removed, when the running test ends. */
export function startRedis(options: Omit<StartOptions, 'kind'> = {}) {
  return startServer({ ...options, kind: 'redis' });
}
