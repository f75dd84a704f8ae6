/**
 * Names that redis-server 7.0 to 7.4 has and that mean nothing here. They are accepted, so that an existing
 * redis.conf works, kept, so that CONFIG GET answers what was set, and reported in one warning at the start.
 *
 * Where ignoring a setting would leave somebody with less than they asked for (encryption, users,
 * replication), every value but the harmless one is refused, with the reason.
 */
export interface InertOption {
  /** Redis's default, in the form CONFIG GET prints. */
  readonly fallback: string;
  readonly alias?: string;
  /** CONFIG SET refuses it, as Redis does. */
  readonly start?: true;
  /** Several arguments on one line. */
  readonly many?: true;
  /** CONFIG GET shows it only when its name is given in full. */
  readonly hidden?: true;
  readonly secret?: true;
  /** Why no other value than `accepts` is taken. */
  readonly refusal?: string;
  /** Values that ask for nothing. */
  readonly accepts?: readonly string[];
}

const NO_TLS = 'TLS is not supported: a port opened without it would carry passwords in the clear';
const NO_ACL = 'ACL users are not supported: without them every client would have every right';
const NO_REPLICATION = 'replication is not supported: this server would not follow its master';
const NO_CLUSTER = 'cluster mode is not supported';
const NO_MODULES = 'modules are not supported';

/** Options with one argument that CONFIG SET may change. */
const changeable: Record<string, string> = {
  'acl-pubsub-default': 'resetchannels',
  'acllog-max-len': '128',
  'active-defrag-cycle-max': '25',
  'active-defrag-cycle-min': '1',
  'active-defrag-ignore-bytes': '104857600',
  'active-defrag-max-scan-fields': '1000',
  'active-defrag-threshold-lower': '10',
  'active-defrag-threshold-upper': '100',
  'active-expire-effort': '1',
  activedefrag: 'no',
  activerehashing: 'yes',
  'aof-disable-auto-gc': 'no',
  'aof-load-truncated': 'yes',
  'aof-rewrite-incremental-fsync': 'yes',
  'aof-timestamp-enabled': 'no',
  'aof-use-rdb-preamble': 'yes',
  'auto-aof-rewrite-min-size': '67108864',
  'auto-aof-rewrite-percentage': '100',
  'bind-source-addr': '',
  'cluster-allow-pubsubshard-when-down': 'yes',
  'cluster-allow-reads-when-down': 'no',
  'cluster-allow-replica-migration': 'yes',
  'cluster-announce-bus-port': '0',
  'cluster-announce-hostname': '',
  'cluster-announce-human-nodename': '',
  'cluster-announce-ip': '',
  'cluster-announce-port': '0',
  'cluster-announce-tls-port': '0',
  'cluster-link-sendbuf-limit': '0',
  'cluster-migration-barrier': '1',
  'cluster-node-timeout': '15000',
  'cluster-preferred-endpoint-type': 'ip',
  'cluster-require-full-coverage': 'yes',
  'crash-log-enabled': 'yes',
  'crash-memcheck-enabled': 'yes',
  'dynamic-hz': 'yes',
  'hide-user-data-from-log': 'no',
  'hll-sparse-max-bytes': '3000',
  hz: '10',
  'ignore-warnings': '',
  'jemalloc-bg-thread': 'yes',
  'latency-monitor-threshold': '0',
  'latency-tracking': 'yes',
  'lazyfree-lazy-eviction': 'no',
  'lazyfree-lazy-expire': 'no',
  'lazyfree-lazy-server-del': 'no',
  'lazyfree-lazy-user-del': 'no',
  'lazyfree-lazy-user-flush': 'no',
  'lfu-decay-time': '1',
  'lfu-log-factor': '10',
  'list-compress-depth': '0',
  'locale-collate': '',
  'max-new-connections-per-cycle': '10',
  'max-new-tls-connections-per-cycle': '1',
  'maxmemory-clients': '0',
  'maxmemory-eviction-tenacity': '10',
  'no-appendfsync-on-rewrite': 'no',
  'notify-keyspace-events': '',
  'oom-score-adj': 'no',
  'proc-title-template': '{title} {listen-addr} {server-mode}',
  'propagation-error-behavior': 'ignore',
  'rdb-del-sync-files': 'no',
  'rdb-save-incremental-fsync': 'yes',
  rdbcompression: 'yes',
  'repl-backlog-size': '1048576',
  'repl-backlog-ttl': '3600',
  'repl-disable-tcp-nodelay': 'no',
  'repl-diskless-load': 'disabled',
  'repl-diskless-sync': 'yes',
  'repl-diskless-sync-delay': '5',
  'repl-diskless-sync-max-replicas': '0',
  'repl-timeout': '60',
  'replica-announced': 'yes',
  'replica-ignore-disk-write-errors': 'no',
  'sanitize-dump-payload': 'no',
  'set-max-intset-entries': '512',
  'set-max-listpack-entries': '128',
  'set-max-listpack-value': '64',
  'shutdown-timeout': '10',
  'slowlog-log-slower-than': '10000',
  'slowlog-max-len': '128',
  'stop-writes-on-bgsave-error': 'yes',
  'stream-node-max-bytes': '4096',
  'stream-node-max-entries': '100',
  'tls-auth-clients': 'yes',
  'tls-ca-cert-dir': '',
  'tls-ca-cert-file': '',
  'tls-cert-file': '',
  'tls-ciphers': '',
  'tls-ciphersuites': '',
  'tls-client-cert-file': '',
  'tls-client-key-file': '',
  'tls-cluster': 'no',
  'tls-dh-params-file': '',
  'tls-key-file': '',
  'tls-prefer-server-ciphers': 'no',
  'tls-protocols': '',
  'tls-replication': 'no',
  'tls-session-cache-size': '20480',
  'tls-session-cache-timeout': '300',
  'tls-session-caching': 'yes',
  'tracking-table-max-keys': '1000000',
};

/** Options with one argument that Redis fixes at the start. */
const fixed: Record<string, string> = {
  'always-show-logo': 'no',
  aof_rewrite_cpulist: '',
  appenddirname: 'appendonlydir',
  appendfilename: 'appendonly.aof',
  bgsave_cpulist: '',
  bio_cpulist: '',
  'cluster-config-file': 'nodes.conf',
  'cluster-port': '0',
  daemonize: 'no',
  // Redis protects it from CONFIG SET by default; there is no such file here to point elsewhere.
  dbfilename: 'dump.rdb',
  'disable-thp': 'yes',
  'enable-module-command': 'no',
  'enable-protected-configs': 'no',
  'io-threads': '1',
  'io-threads-do-reads': 'no',
  pidfile: '',
  rdbchecksum: 'yes',
  server_cpulist: '',
  'set-proc-title': 'yes',
  'socket-mark-id': '0',
  supervised: 'no',
  'syslog-enabled': 'no',
  'syslog-facility': 'local0',
  'syslog-ident': 'redis',
};

/** Everything that needs more than a default. */
const special: Record<string, InertOption> = {
  aclfile: { fallback: '', start: true, refusal: NO_ACL, accepts: [''] },
  'busy-reply-threshold': { fallback: '5000', alias: 'lua-time-limit' },
  'cluster-enabled': { fallback: 'no', start: true, refusal: NO_CLUSTER, accepts: ['no'] },
  'cluster-replica-no-failover': { fallback: 'no', alias: 'cluster-slave-no-failover' },
  'cluster-replica-validity-factor': { fallback: '10', alias: 'cluster-slave-validity-factor' },
  'key-load-delay': { fallback: '0', hidden: true },
  'latency-tracking-info-percentiles': { fallback: '50 99 99.9', many: true },
  'list-max-listpack-size': { fallback: '-2', alias: 'list-max-ziplist-size' },
  'list-max-ziplist-entries': { fallback: '512', hidden: true },
  'list-max-ziplist-value': { fallback: '64', hidden: true },
  'loading-process-events-interval-bytes': { fallback: '2097152', hidden: true },
  'lua-enable-deprecated-api': { fallback: 'no', start: true, hidden: true },
  'lua-replicate-commands': { fallback: 'yes', hidden: true },
  masterauth: { fallback: '', secret: true },
  masteruser: { fallback: '', secret: true },
  'min-replicas-max-lag': { fallback: '10', alias: 'min-slaves-max-lag' },
  'min-replicas-to-write': {
    fallback: '0',
    alias: 'min-slaves-to-write',
    refusal: NO_REPLICATION,
    accepts: ['0'],
  },
  'oom-score-adj-values': { fallback: '0 200 800', many: true },
  'rdb-key-save-delay': { fallback: '0', hidden: true },
  'repl-ping-replica-period': { fallback: '10', alias: 'repl-ping-slave-period' },
  'replica-announce-ip': { fallback: '', alias: 'slave-announce-ip' },
  'replica-announce-port': { fallback: '0', alias: 'slave-announce-port' },
  'replica-ignore-maxmemory': { fallback: 'yes', alias: 'slave-ignore-maxmemory' },
  'replica-lazy-flush': { fallback: 'no', alias: 'slave-lazy-flush' },
  'replica-priority': { fallback: '100', alias: 'slave-priority' },
  'replica-read-only': { fallback: 'yes', alias: 'slave-read-only' },
  'replica-serve-stale-data': { fallback: 'yes', alias: 'slave-serve-stale-data' },
  replicaof: {
    fallback: '',
    alias: 'slaveof',
    start: true,
    many: true,
    refusal: NO_REPLICATION,
    accepts: ['', 'no one'],
  },
  'shutdown-on-sigint': { fallback: 'default', many: true },
  'shutdown-on-sigterm': { fallback: 'default', many: true },
  'tls-client-key-file-pass': { fallback: '', secret: true },
  'tls-key-file-pass': { fallback: '', secret: true },
  'tls-port': { fallback: '0', refusal: NO_TLS, accepts: ['0'] },
  'use-exit-on-panic': { fallback: 'no', hidden: true },
  'watchdog-period': { fallback: '0', hidden: true },
  'zset-max-listpack-entries': { fallback: '128', alias: 'zset-max-ziplist-entries' },
  'zset-max-listpack-value': { fallback: '64', alias: 'zset-max-ziplist-value' },
};

function table(): ReadonlyMap<string, InertOption> {
  const rows = new Map<string, InertOption>();
  for (const [name, fallback] of Object.entries(changeable)) rows.set(name, { fallback });
  for (const [name, fallback] of Object.entries(fixed)) rows.set(name, { fallback, start: true });
  for (const [name, row] of Object.entries(special)) rows.set(name, row);
  return rows;
}

export const inertOptions = table();

/** Lines of a redis.conf that are not options, and why they stop the start. */
export const refusedDirectives: ReadonlyMap<string, string> = new Map([
  ['user', NO_ACL],
  ['loadmodule', NO_MODULES],
  ['sentinel', 'sentinel directive while not in sentinel mode'],
  ['rename-command', 'rename-command is not supported: a command hidden by it would stay open to everybody'],
]);
