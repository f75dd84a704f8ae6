import { resolve } from 'node:path';
import {
  addresses,
  choice,
  INT32_MAX,
  integer,
  type Kind,
  MIB,
  OptionError,
  type OutputLimits,
  octal,
  outputLimits,
  saveRules,
  size,
  text,
  yesNo,
} from './config-kinds.js';

/**
 * Every option that does something here, one row each: kind (with unit and limits), default, when it may be
 * changed, and what it does. Parsing, CONFIG GET/SET/REWRITE, `--help` and the type of `config.values` are
 * all read from this table. Names are Redis's wherever it has one; config-inert.ts lists those of Redis's
 * names that mean nothing here.
 */
export interface Option<Value> {
  readonly kind: Kind<Value>;
  /** As it would be written in a file. */
  readonly fallback: string;
  /** `live` options may be changed by CONFIG SET, `start` options only before the start. */
  readonly change: 'live' | 'start';
  /** One or two sentences for --help, limits and units included. */
  readonly docs: string;
  /** An older name for the same option. */
  readonly alias?: string;
  /** Its value must never be printed in an error or a log. */
  readonly secret?: boolean;
}

function option<Value>(
  kind: Kind<Value>,
  fallback: string,
  change: 'live' | 'start',
  docs: string,
  extra: { alias?: string; secret?: boolean } = {},
): Option<Value> {
  return { kind, fallback, change, docs, ...extra };
}

const OUTPUT_LIMIT_DEFAULTS: OutputLimits = {
  // Redis leaves normal clients unlimited. Here nobody may make the server hold replies without end.
  normal: { hardBytes: 256 * MIB, softBytes: 128 * MIB, softSeconds: 60 },
  replica: { hardBytes: 256 * MIB, softBytes: 64 * MIB, softSeconds: 60 },
  pubsub: { hardBytes: 32 * MIB, softBytes: 8 * MIB, softSeconds: 60 },
};

const APPENDONLY_NO_REASON =
  'appendonly cannot be turned off: this server exists to keep the log. ' +
  "If that costs too much, 'appendfsync no' leaves it to the system when the log reaches the disk";

/** `yes` is the only value. The option exists because every redis.conf has it. */
function alwaysYes(reason: string): Kind<true> {
  const { parse, ...rest } = yesNo();
  return {
    ...rest,
    syntax: 'yes',
    parse: (args) => {
      if (!parse(args)) throw new OptionError(reason);
      return true;
    },
  };
}

/** A folder, kept as an absolute path: the working directory may be another one later. */
function directory(): Kind<string> {
  const plain = text('folder');
  return {
    ...plain,
    parse: (args) => {
      const path = plain.parse(args);
      if (path === '') throw new OptionError('a folder is needed');
      return resolve(path);
    },
  };
}

const network = {
  bind: option(
    addresses(),
    '127.0.0.1 -::1',
    'start',
    'Addresses to listen on. A leading - makes one optional; * and ::* are all interfaces.',
  ),
  port: option(integer(0, 65535, 'port'), '6379', 'start', 'TCP port. 0: no TCP.'),
  'tcp-backlog': option(
    integer(0, INT32_MAX),
    '511',
    'start',
    'Connections the kernel may hold before they are accepted.',
  ),
  unixsocket: option(text('path'), '', 'start', 'Unix socket to listen on, relative to dir. Empty: none.'),
  unixsocketperm: option(
    octal(0, 0o777),
    '0',
    'start',
    'Permissions of the Unix socket. 0: as the umask says.',
  ),
  'protected-mode': option(
    yesNo(),
    'yes',
    'live',
    'Refuse clients from other machines while no password is set.',
  ),
  timeout: option(
    integer(0, INT32_MAX, 'seconds'),
    '0',
    'live',
    'Close a client that has been idle for so many seconds. 0: never.',
  ),
  'tcp-keepalive': option(
    integer(0, INT32_MAX, 'seconds'),
    '300',
    'live',
    'Seconds between probes of a silent TCP client. 0: none.',
  ),
};

const security = {
  requirepass: option(text('password'), '', 'live', 'Password that AUTH asks for. Empty: none.', {
    secret: true,
  }),
  'enable-debug-command': option(
    choice('no', 'yes', 'local'),
    'no',
    'start',
    'Who may use DEBUG: nobody, everybody, or clients on this machine.',
  ),
};

const limits = {
  maxclients: option(integer(1, 2 ** 32 - 1), '10000', 'live', 'Clients connected at the same time.'),
  maxmemory: option(size(0, Number.MAX_SAFE_INTEGER), '0', 'live', 'Bytes the data may take. 0: no limit.'),
  'maxmemory-policy': option(
    choice(
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'noeviction',
    ),
    'noeviction',
    'live',
    'What goes when maxmemory is reached; noeviction refuses writes instead.',
  ),
  'maxmemory-samples': option(integer(1, INT32_MAX), '5', 'live', 'Keys compared to choose one to evict.'),
  'proto-max-bulk-len': option(
    size(MIB, 256 * MIB),
    '256mb',
    'live',
    'Longest argument and longest value, 1mb to 256mb: what one row of the snapshot can hold. Redis has 512mb.',
  ),
  'client-query-buffer-limit': option(
    size(MIB, Number.MAX_SAFE_INTEGER),
    '1gb',
    'live',
    'Unparsed input and queued MULTI arguments one client may hold, at least 1mb.',
  ),
  'client-output-buffer-limit': option(
    outputLimits(OUTPUT_LIMIT_DEFAULTS),
    'normal 256mb 128mb 60',
    'live',
    'Replies that may wait for a slow reader of a class (normal, replica, pubsub): closed at hard, or after seconds above soft. 0: no limit.',
  ),
};

const durability = {
  dir: option(
    directory(),
    'data',
    'start',
    'Folder of the log and the snapshot, created when it is missing. One server at a time.',
  ),
  appendonly: option(
    alwaysYes(APPENDONLY_NO_REASON),
    'yes',
    'live',
    'Always yes: every write is in the log before it is acknowledged.',
  ),
  appendfsync: option(
    choice('always', 'everysec', 'no'),
    'everysec',
    'live',
    'When the log is forced to the disk: before each reply, every second, or when the system likes.',
  ),
  'checkpoint-log-size': option(
    size(1, Number.MAX_SAFE_INTEGER),
    '64mb',
    'live',
    'Checkpoint once the log is larger than this and than checkpoint-log-percentage of the snapshot.',
  ),
  'checkpoint-log-percentage': option(
    integer(0, INT32_MAX, 'percent'),
    '100',
    'live',
    'See checkpoint-log-size.',
  ),
  'checkpoint-interval': option(
    integer(0, INT32_MAX, 'seconds'),
    '60',
    'live',
    'Checkpoint after so many seconds when there is anything new. 0: not by time.',
  ),
  save: option(
    saveRules(),
    '3600 1 300 100 60 10000',
    'live',
    'Kept for tools that ask for it. When a checkpoint runs is decided by the three options above.',
  ),
};

const data = {
  databases: option(integer(1, INT32_MAX), '16', 'start', 'Number of databases for SELECT.'),
  'hash-max-listpack-entries': option(
    integer(0, INT32_MAX),
    '128',
    'live',
    'Fields up to which a hash is kept packed; more than 4096 counts as 4096.',
    { alias: 'hash-max-ziplist-entries' },
  ),
  'hash-max-listpack-value': option(
    size(0, INT32_MAX),
    '64',
    'live',
    'Bytes of a field or value up to which a hash is kept packed; more than 16kb counts as 16kb.',
    { alias: 'hash-max-ziplist-value' },
  ),
  'hsetex-positional': option(
    choice('ttl-last', 'ttl-first'),
    'ttl-last',
    'live',
    'How HSETEX key a b c is read when both a and c are integers: c or a is the TTL.',
  ),
};

const logging = {
  loglevel: option(
    choice('debug', 'verbose', 'notice', 'warning', 'nothing'),
    'notice',
    'live',
    'Least important messages that are logged.',
  ),
  logfile: option(
    text('path'),
    '',
    'start',
    'File that messages are appended to, relative to dir. Empty: standard output.',
  ),
  'log-format': option(
    choice('text', 'json'),
    'text',
    'start',
    "Redis's line format, or one JSON object per line.",
  ),
};

/** The table, in the groups that --help shows. */
export const optionGroups = {
  Network: network,
  Security: security,
  Limits: limits,
  Durability: durability,
  Data: data,
  Logging: logging,
} as const;

export const options = { ...network, ...security, ...limits, ...durability, ...data, ...logging };

export type OptionName = keyof typeof options;

type ValueOf<Row> = Row extends Option<infer Value> ? Value : never;

/** Every option's value, typed by its kind: sizes in bytes, times in the unit that the table names. */
export type ConfigValues = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };
