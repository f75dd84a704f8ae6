import type { Command, CommandFlag } from './command.js';

/**
 * What Redis derives from a command's flags: the flags COMMAND INFO shows, and the ACL categories that
 * follow from them (setImplicitACLCategories in its server.c). Both in the order Redis prints them.
 */

const FLAG_ORDER: readonly CommandFlag[] = [
  'write',
  'readonly',
  'denyoom',
  'admin',
  'pubsub',
  'noscript',
  'blocking',
  'loading',
  'stale',
  'skip_monitor',
  'skip_slowlog',
  'fast',
  'no_auth',
  'no_mandatory_keys',
  'no_async_loading',
  'no_multi',
  'movablekeys',
  'allow_busy',
];

/** Redis keeps `may_replicate` and `protected` to itself. */
export function printedFlags(definition: Command): readonly string[] {
  return FLAG_ORDER.filter((flag) => definition.flags.includes(flag));
}

/** Every category there is, also those that no command here belongs to. */
export const CATEGORY_ORDER = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const;

export function categoriesOf(definition: Command): readonly string[] {
  const has = (flag: CommandFlag) => definition.flags.includes(flag);
  const categories = new Set<string>(definition.categories);
  if (has('write')) categories.add('write');
  if (has('readonly') && !categories.has('scripting')) categories.add('read');
  if (has('admin')) categories.add('admin').add('dangerous');
  if (has('pubsub')) categories.add('pubsub');
  if (has('blocking')) categories.add('blocking');
  categories.add(has('fast') ? 'fast' : 'slow');
  return CATEGORY_ORDER.filter((category) => categories.has(category));
}
