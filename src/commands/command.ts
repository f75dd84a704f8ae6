import type { Keyspace } from '../keyspace/keyspace.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import type { Request } from '../resp/request.js';
import type { Client } from './client.js';
import type { Host } from './host.js';

/**
 * A command: what Redis calls its table entry, with the handler beside it. COMMAND, COMMAND DOCS, COMMAND
 * GETKEYS, ACL CAT and the README's list are all read from these.
 */
export interface Command {
  /** Lower case. Of a subcommand, its own name only (`setname`); the registry makes `client|setname`. */
  readonly name: string;
  /** Number of arguments, the name included; negative: at least that many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** ACL categories beyond those that follow from the flags (write, read, fast/slow, admin...). */
  readonly categories: readonly AclCategory[];
  /** Where the keys are; none when absent. */
  readonly keys?: KeyPositions;
  readonly group: CommandGroup;
  /** The Redis version that introduced it. */
  readonly since: string;
  readonly complexity: string;
  readonly summary: string;
  /** For COMMAND DOCS; redis-cli shows its hints from these. */
  readonly args?: readonly CommandArgument[];
  /** Hints for proxies and client libraries, as COMMAND INFO prints them (`nondeterministic_output`...). */
  readonly tips?: readonly string[];
  /** For COMMAND DOCS: since when, and in favour of what, Redis calls it deprecated. */
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  /** Absent only for a container whose subcommands do the work. */
  readonly handler?: Handler;
  readonly subcommands?: readonly Command[];
}

/**
 * Runs one command. It parses its arguments completely before its first mutation: a CommandError that it
 * throws must leave the data as it was. It writes exactly one reply.
 */
export type Handler = (context: Context) => void;

/** What a handler works on. One object, filled anew for every command. */
export interface Context {
  request: Request;
  reply: ReplyWriter;
  keyspace: Keyspace;
  client: Client;
  /** The selected database's number; the same as `client.db`. */
  db: number;
  /** Unix time in ms, frozen for this command, for a whole transaction or script. */
  now: number;
  host: Host;
}

export type CommandGroup =
  | 'generic'
  | 'string'
  | 'hash'
  | 'list'
  | 'set'
  | 'sorted-set'
  | 'stream'
  | 'pubsub'
  | 'scripting'
  | 'connection'
  | 'server'
  | 'transactions';

/** Redis's own flag names, as COMMAND INFO prints them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'fast'
  | 'no_auth'
  | 'may_replicate'
  | 'no_async_loading'
  | 'no_multi'
  | 'allow_busy'
  | 'movablekeys'
  /** A valid call may name no key at all (EVAL). */
  | 'no_mandatory_keys'
  /** Runs only where `enable-debug-command` allows it. */
  | 'protected';

/** ACL categories that do not follow from flags. */
export type AclCategory =
  | 'keyspace'
  | 'string'
  | 'hash'
  | 'list'
  | 'set'
  | 'sortedset'
  | 'stream'
  | 'bitmap'
  | 'connection'
  | 'transaction'
  | 'scripting'
  | 'pubsub'
  | 'admin'
  | 'dangerous';

/**
 * Key positions as Redis describes them: `last` negative counts from the end; or a count argument that says
 * how many keys follow it (`numkeysAt`), each `step` apart.
 */
export type KeyPositions = {
  /** What COMMAND GETKEYSANDFLAGS prints for these keys: RW/RO/OW/RM and access/update/insert/delete. */
  readonly access: readonly string[];
  /** The access of one call, where it depends on the arguments; argument `name` is the command's name. */
  readonly accessOfCall?: (request: Request, name: number) => readonly string[];
} & (
  | { readonly first: number; readonly last: number; readonly step: number }
  | { readonly numkeysAt: number; readonly step: number }
  /** Keys with different access: one entry each (RENAME, COPY). */
  | { readonly each: readonly { readonly at: number; readonly access: readonly string[] }[] }
);

/** A syntax element, as in COMMAND DOCS' `arguments`. */
export interface CommandArgument {
  readonly name: string;
  readonly type:
    | 'string'
    | 'integer'
    | 'double'
    | 'key'
    | 'pattern'
    | 'unix-time'
    | 'pure-token'
    | 'oneof'
    | 'block';
  readonly token?: string;
  readonly since?: string;
  readonly optional?: boolean;
  readonly multiple?: boolean;
  readonly args?: readonly CommandArgument[];
}
