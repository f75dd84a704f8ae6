import { arch, release, totalmem, type } from 'node:os';
import { holdfastVersion, redisVersion } from '../base/version.js';
import type { Command, Context } from './command.js';
import { humanBytes, type InfoField, percent, section, twoDecimals } from './info-format.js';
import { persistenceFields } from './info-persistence.js';

/**
 * INFO. The field names are Redis's, because tools parse them; a field that could only be a lie here (forks,
 * Lua memory, allocator internals) is left out or 0. What only Holdfast has begins with `holdfast_`.
 */

function serverFields({ host, now }: Context): InfoField[] {
  const uptimeSeconds = Math.max(0, Math.floor((now - host.startedAtMs) / 1000));
  return [
    ['redis_version', redisVersion],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', 'standalone'],
    ['holdfast_version', holdfastVersion],
    ['node_version', process.versions.node],
    ['os', `${type()} ${release()} ${arch()}`],
    ['arch_bits', 64],
    ['monotonic_clock', 'performance.now'],
    ['multiplexing_api', 'libuv'],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', host.runId],
    ['tcp_port', host.tcpPort],
    ['server_time_usec', now * 1000],
    ['uptime_in_seconds', uptimeSeconds],
    ['uptime_in_days', Math.floor(uptimeSeconds / 86400)],
    ['hz', 10],
    ['configured_hz', 10],
    // 24 bits of Unix seconds, as Redis keeps the time of last use.
    ['lru_clock', Math.floor(now / 1000) & 0xffffff],
    ['executable', process.execPath],
    ['config_file', host.config.file ?? ''],
    ['io_threads_active', 0],
  ];
}

function clientFields({ host }: Context): InfoField[] {
  let blocked = 0;
  let watching = 0;
  let watchedKeys = 0;
  let largestInput = 0;
  let largestOutput = 0;
  for (const client of host.clients.values()) {
    if (client.blocked && client.blocked.reason !== 'pause') blocked++;
    if (client.watching > 0) watching++;
    watchedKeys += client.watching;
    largestInput = Math.max(largestInput, client.transport.inputBytes());
    largestOutput = Math.max(largestOutput, client.transport.outputBytes());
  }
  return [
    ['connected_clients', host.clients.size],
    ['cluster_connections', 0],
    ['maxclients', host.config.values.maxclients],
    ['client_recent_max_input_buffer', largestInput],
    ['client_recent_max_output_buffer', largestOutput],
    ['blocked_clients', blocked],
    ['tracking_clients', 0],
    ['pubsub_clients', 0],
    ['watching_clients', watching],
    ['clients_in_timeout_table', 0],
    ['total_watched_keys', watchedKeys],
    ['total_blocking_keys', 0],
    ['total_blocking_keys_on_nokey', 0],
  ];
}

/**
 * `used_memory` is what `maxmemory` is compared with: the data, the index and its slabs. The process has more
 * (`used_memory_rss`), of which the JavaScript heap is told apart.
 */
function memoryFields({ host, keyspace }: Context): InfoField[] {
  const used = keyspace.memoryUsed();
  host.stats.peakMemoryBytes = Math.max(host.stats.peakMemoryBytes, used);
  const peak = host.stats.peakMemoryBytes;
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = processMemory();
  const { maxmemory } = host.config.values;
  let outputBytes = 0;
  for (const client of host.clients.values()) {
    outputBytes += client.transport.inputBytes() + client.transport.outputBytes();
  }
  return [
    ['used_memory', used],
    ['used_memory_human', humanBytes(used)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', humanBytes(rss)],
    ['used_memory_peak', peak],
    ['used_memory_peak_human', humanBytes(peak)],
    ['used_memory_peak_perc', percent(used, peak)],
    ['used_memory_dataset', used],
    ['used_memory_dataset_perc', percent(used, used)],
    ['total_system_memory', totalmem()],
    ['total_system_memory_human', humanBytes(totalmem())],
    ['maxmemory', maxmemory],
    ['maxmemory_human', humanBytes(maxmemory)],
    ['maxmemory_policy', host.config.values['maxmemory-policy']],
    ['mem_fragmentation_ratio', twoDecimals(used === 0 ? 0 : rss / used)],
    ['mem_fragmentation_bytes', Math.max(0, rss - used)],
    ['mem_clients_normal', outputBytes],
    ['mem_allocator', 'node'],
    ['holdfast_heap_used', heapUsed],
    ['holdfast_heap_total', heapTotal],
    ['holdfast_external', external],
    ['holdfast_array_buffers', arrayBuffers],
  ];
}

let lastProcessMemory = process.memoryUsage();

/**
 * The system tells the resident memory in a file, and INFO is what somebody asks for who wants to know why a
 * process can open no more of them: then the last figures stand.
 */
function processMemory(): NodeJS.MemoryUsage {
  try {
    lastProcessMemory = process.memoryUsage();
  } catch {
    // What it was a moment ago says more than nothing.
  }
  return lastProcessMemory;
}

function statsFields({ host }: Context): InfoField[] {
  const { stats } = host;
  return [
    ['total_connections_received', stats.connectionsReceived],
    ['total_commands_processed', stats.commandsProcessed],
    ['instantaneous_ops_per_sec', Math.round(stats.commandRate.perSecond)],
    ['total_net_input_bytes', stats.inputBytes],
    ['total_net_output_bytes', stats.outputBytes],
    ['instantaneous_input_kbps', twoDecimals(stats.inputRate.perSecond / 1024)],
    ['instantaneous_output_kbps', twoDecimals(stats.outputRate.perSecond / 1024)],
    ['rejected_connections', stats.connectionsRejected],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_subkeys', stats.expiredFields],
    ['expired_keys', stats.expiredKeys],
    ['evicted_keys', stats.evictedKeys],
    ['evicted_clients', 0],
    ['keyspace_hits', stats.keyspaceHits],
    ['keyspace_misses', stats.keyspaceMisses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', stats.errorReplies],
    ['client_query_buffer_limit_disconnections', stats.inputLimitDisconnects],
    ['client_output_buffer_limit_disconnections', stats.outputLimitDisconnects],
    ['holdfast_protocol_errors', stats.protocolErrors],
  ];
}

function replicationFields({ host }: Context): InfoField[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', host.runId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', host.persistence.lastSeq],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', 0],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

/** The whole process, its worker threads included; nothing is ever forked. */
function cpuFields(): InfoField[] {
  const { system, user } = process.cpuUsage();
  return [
    ['used_cpu_sys', (system / 1e6).toFixed(6)],
    ['used_cpu_user', (user / 1e6).toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ];
}

function commandFields({ host }: Context): InfoField[] {
  const fields: InfoField[] = [];
  for (const [name, stats] of host.stats.commands) {
    const { calls, rejected, failed, microseconds } = stats;
    if (calls === 0 && rejected === 0) continue;
    const perCall = twoDecimals(calls === 0 ? 0 : microseconds / calls);
    fields.push([
      `cmdstat_${name}`,
      `calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${perCall}` +
        `,rejected_calls=${rejected},failed_calls=${failed}`,
    ]);
  }
  return fields;
}

function errorFields({ host }: Context): InfoField[] {
  const codes = [...host.stats.errors].sort(([a], [b]) => (a < b ? -1 : 1));
  return codes.map(([code, count]) => [`errorstat_${safeName(code)}`, `count=${count}`]);
}

/** As getSafeInfoString: what would break a line of INFO becomes an underscore. */
function safeName(code: string): string {
  return code.replace(/[#:\n\r]/g, '_');
}

function latencyFields({ host }: Context): InfoField[] {
  const fields: InfoField[] = [];
  for (const [name, { latency }] of host.stats.commands) {
    if (!latency) continue;
    const [p50, p99, p999] = [50, 99, 99.9].map((rank) => latency.percentile(rank).toFixed(3));
    fields.push([`latency_percentiles_usec_${name}`, `p50=${p50},p99=${p99},p99.9=${p999}`]);
  }
  return fields;
}

function keyspaceFields({ keyspace }: Context): InfoField[] {
  const fields: InfoField[] = [];
  for (let db = 0; db < keyspace.databaseCount; db++) {
    // Hidden keys included, which DBSIZE leaves out: monitors ask often, and telling them apart takes time.
    const keys = keyspace.size(db);
    if (keys === 0) continue;
    const expires = keyspace.expiresCount(db);
    const averageTtl = Math.round(keyspace.averageTtl(db));
    fields.push([`db${db}`, `keys=${keys},expires=${expires},avg_ttl=${averageTtl}`]);
  }
  return fields;
}

interface Section {
  /** As a client asks for it. */
  readonly name: string;
  readonly title: string;
  /** Shown when no section is asked for. */
  readonly byDefault: boolean;
  fields(context: Context): InfoField[];
}

const SECTIONS: readonly Section[] = [
  { name: 'server', title: 'Server', byDefault: true, fields: serverFields },
  { name: 'clients', title: 'Clients', byDefault: true, fields: clientFields },
  { name: 'memory', title: 'Memory', byDefault: true, fields: memoryFields },
  { name: 'persistence', title: 'Persistence', byDefault: true, fields: persistenceFields },
  { name: 'stats', title: 'Stats', byDefault: true, fields: statsFields },
  { name: 'replication', title: 'Replication', byDefault: true, fields: replicationFields },
  { name: 'cpu', title: 'CPU', byDefault: true, fields: cpuFields },
  { name: 'modules', title: 'Modules', byDefault: true, fields: () => [] },
  { name: 'commandstats', title: 'Commandstats', byDefault: false, fields: commandFields },
  { name: 'errorstats', title: 'Errorstats', byDefault: true, fields: errorFields },
  { name: 'latencystats', title: 'Latencystats', byDefault: false, fields: latencyFields },
  {
    name: 'cluster',
    title: 'Cluster',
    byDefault: true,
    fields: () => [['cluster_enabled', 0]],
  },
  { name: 'keyspace', title: 'Keyspace', byDefault: true, fields: keyspaceFields },
];

/** No section twice, always in the order above; a name that is none is ignored. */
function chosenSections({ request }: Context): readonly Section[] {
  const names = new Set<string>();
  for (let i = 1; i < request.count; i++) names.add(request.text(i).toLowerCase());
  if (names.has('all') || names.has('everything')) return SECTIONS;
  const defaults = request.count === 1 || names.has('default');
  return SECTIONS.filter(({ name, byDefault }) => (byDefault && defaults) || names.has(name));
}

function info(context: Context): void {
  const texts = chosenSections(context).map(({ title, fields }) => section(title, fields(context)));
  context.reply.verbatim('txt', texts.join('\r\n'));
}

export const infoCommands: readonly Command[] = [
  {
    name: 'info',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['dangerous'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Returns information and statistics about the server.',
    args: [{ name: 'section', type: 'string', optional: true, multiple: true }],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    handler: info,
  },
];
