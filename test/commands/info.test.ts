import { beforeEach, describe, expect, test } from 'vitest';
import { humanBytes } from '../../src/commands/info-format.js';
import { LatencyHistogram } from '../../src/commands/latency-histogram.js';
import { RateMeter } from '../../src/commands/stats.js';
import { DispatchHarness, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;

beforeEach(() => {
  harness = new DispatchHarness();
  client = harness.connect();
});

const DEFAULT =
  'Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace'.split(' ');
const ALL =
  'Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace'.split(
    ' ',
  );

function titles(...sections: string[]): string[] {
  const text = String(client.call('INFO', ...sections));
  return [...text.matchAll(/^# (.*)\r$/gm)].map((match) => match[1]!);
}

describe('sections', () => {
  test.each([
    [[], DEFAULT],
    [['default'], DEFAULT],
    [['all'], ALL],
    [['everything'], ALL],
    [['cpu'], ['CPU']],
    [['commandSTATS'], ['Commandstats']],
    [
      ['keyspace', 'server'],
      ['Server', 'Keyspace'],
    ],
    [['cpu', 'cpu'], ['CPU']],
    [['cpu', 'default'], DEFAULT],
    [
      ['latencystats', 'default'],
      [...DEFAULT.slice(0, 9), 'Latencystats', ...DEFAULT.slice(9)],
    ],
    [['cpu', 'all'], ALL],
    [['sentinel'], []],
    [['sentinel', 'cpu'], ['CPU']],
    [['constructor'], []],
  ] as [string[], string[]][])('INFO %j shows %j', (sections, expected) => {
    expect(titles(...sections)).toEqual(expected);
  });

  test('every line is a heading, a field, or blank, and ends with CRLF', () => {
    client.call('SET', 'k', 'v', 'PX', '1000');
    client.error('NOSUCH');
    const text = String(client.call('INFO', 'everything'));
    expect(text.endsWith('\r\n')).toBe(true);
    for (const line of text.slice(0, -2).split('\r\n'))
      expect(line).toMatch(/^(# [A-Z]\w*|[\w|.]+:[^\r\n]*|)$/);
  });

  test('no field comes twice', () => {
    const names = [...String(client.call('INFO', 'everything')).matchAll(/^(\w+):/gm)].map(
      (match) => match[1]!,
    );
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('fields that tools parse', () => {
  test.each(
    (
      'redis_version redis_mode run_id process_id tcp_port uptime_in_seconds connected_clients blocked_clients' +
      ' used_memory used_memory_human maxmemory maxmemory_policy loading rdb_changes_since_last_save rdb_last_save_time' +
      ' aof_enabled aof_last_write_status aof_current_size expired_keys evicted_keys keyspace_hits keyspace_misses role' +
      ' connected_slaves master_replid master_repl_offset cluster_enabled'
    ).split(' '),
  )('%s is there', (field) => {
    expect(client.info(field)).not.toBe('');
  });

  test('the version is that of a real Redis release, and our own is beside it', () => {
    expect(client.info('redis_version')).toMatch(/^7\.4\.\d+$/);
    expect(client.info('holdfast_version')).toMatch(/^\d+\.\d+\.\d+/);
    expect(client.info('run_id')).toMatch(/^[0-9a-f]{40}$/);
  });

  test('count keys, expiries and their mean life by database', () => {
    client.call('SET', 'a', '1');
    client.call('SET', 'b', '1', 'PX', '10000');
    client.call('SELECT', '5');
    client.call('SET', 'c', '1');
    expect(client.info('db0')).toMatch(/^keys=2,expires=1,avg_ttl=10000$/);
    expect(client.info('db5')).toBe('keys=1,expires=0,avg_ttl=0');
    expect(client.info('db1')).toBe('');
  });

  test('count hits and misses', () => {
    client.call('SET', 'k', 'v');
    client.call('GET', 'k');
    client.call('GET', 'nosuch');
    expect([client.info('keyspace_hits'), client.info('keyspace_misses')]).toEqual(['1', '1']);
  });

  test('used memory grows with the data, and the peak stays', () => {
    const before = Number(client.info('used_memory'));
    client.call('SET', 'k', 'x'.repeat(100_000));
    const after = Number(client.info('used_memory'));
    expect(after).toBeGreaterThanOrEqual(before + 100_000);
    expect(Number(client.info('used_memory_peak'))).toBeGreaterThanOrEqual(after);
  });
});

describe('Persistence', () => {
  test('tells positions, lag and errors as they are', () => {
    Object.assign(harness.persistence, {
      lastSeq: 90,
      durableSeq: 80,
      checkpointedSeq: 50,
      lagBytes: 4000,
      lagGroups: 40,
      logBytes: 9000,
      logSegments: 3,
      changesSinceCheckpoint: 77,
      lastCheckpointAtMs: 1_650_000_000_500,
      lastCheckpointDurationMs: 2500,
      lastCheckpointError: 'disk I/O\nerror',
      writeError: 'No space left on device',
      loadedKeys: 12,
      expiredAtLoad: 3,
    });
    const expected = {
      holdfast_last_seq: '90',
      holdfast_durable_seq: '80',
      holdfast_checkpointed_seq: '50',
      holdfast_checkpoint_lag_bytes: '4000',
      holdfast_checkpoint_lag_groups: '40',
      holdfast_log_bytes: '9000',
      holdfast_log_segments: '3',
      holdfast_last_checkpoint_error: 'disk I/O error',
      holdfast_last_write_error: 'No space left on device',
      rdb_changes_since_last_save: '77',
      rdb_last_save_time: '1650000000',
      rdb_last_bgsave_status: 'err',
      rdb_last_bgsave_time_sec: '2',
      rdb_last_load_keys_loaded: '12',
      rdb_last_load_keys_expired: '3',
      aof_last_write_status: 'err',
      aof_current_size: '9000',
      aof_pending_bio_fsync: '1',
    };
    for (const [field, value] of Object.entries(expected))
      expect([field, client.info(field)]).toEqual([field, value]);
  });

  test('of a server in order says ok', () => {
    for (const field of ['rdb_last_bgsave_status', 'aof_last_bgrewrite_status', 'aof_last_write_status']) {
      expect(client.info(field)).toBe('ok');
    }
    expect(client.info('rdb_last_bgsave_time_sec')).toBe('-1');
    expect(client.info('rdb_last_save_time')).toBe('1700000000');
  });
});

describe('Commandstats and Latencystats', () => {
  test('time the first calls each, and then a sample, from which the whole is estimated', () => {
    const { clock } = harness;
    let reading = 0;
    // Each reading is 2 ms later: a timed command takes 2 ms.
    clock.monotonicMs = () => {
      reading += 2;
      return reading;
    };
    for (let i = 0; i < 100; i++) client.call('GET', 'k');
    expect(reading).toBeLessThan(100 * 2 * 2);
    expect(client.info('cmdstat_get', 'commandstats')).toBe(
      'calls=100,usec=200000,usec_per_call=2000.00,rejected_calls=0,failed_calls=0',
    );
    const percentiles = client.info('latency_percentiles_usec_get', 'latencystats');
    const [p50, p999] = [/p50=([\d.]+)/, /p99\.9=([\d.]+)/].map((part) => Number(part.exec(percentiles)![1]));
    expect(p50).toBeGreaterThanOrEqual(2000);
    expect(p50).toBeLessThan(2000 * 1.1);
    expect(p999).toBe(p50);
  });
});

test('a percentile is at most a tenth above the value', () => {
  const histogram = new LatencyHistogram();
  for (let i = 1; i <= 1000; i++) histogram.record(i);
  for (const [percent, value] of [
    [50, 500],
    [99, 990],
    [100, 1000],
  ] as const) {
    expect(histogram.percentile(percent)).toBeGreaterThanOrEqual(value);
    expect(histogram.percentile(percent)).toBeLessThan(value * 1.1);
  }
  expect(new LatencyHistogram().percentile(99)).toBe(0);
});

test('a rate is the mean of the last sixteen samples', () => {
  const meter = new RateMeter();
  for (let i = 1; i <= 40; i++) meter.sample(i * 100, i * 50);
  expect(meter.perSecond).toBeCloseTo(500);
  // The counter was set back to 0, and has since counted 50.
  meter.sample(4100, 50);
  expect(meter.perSecond).toBeCloseTo(500);
});

test.each([
  [0, '0B'],
  [1023, '1023B'],
  [1536, '1.50K'],
  [2 * 1024 ** 2, '2.00M'],
  [3.25 * 1024 ** 3, '3.25G'],
  [1024 ** 5, '1.00P'],
])('%d bytes are %s', (bytes, text) => {
  expect(humanBytes(bytes)).toBe(text);
});
