import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runTool } from '../support/run-tool.js';
import { launchServer, type TestServer } from '../support/server.js';
import { hasTool } from '../support/tools.js';

const requests = 2000;

/** Those of its default tests that need strings, hashes and keys only. */
const tests = ['ping_inline', 'ping_mbulk', 'set', 'get', 'incr', 'hset', 'mset'];

describe.runIf(hasTool('redis-benchmark', 'redis-cli'))('redis-benchmark', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await launchServer();
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    await ask('FLUSHALL');
  });

  function benchmark(...args: string[]) {
    const common = ['-p', String(server.process.port), '-n', String(requests), '-t', tests.join(',')];
    return runTool('redis-benchmark', [...common, ...args]);
  }

  async function ask(...args: string[]) {
    return (await runTool('redis-cli', ['-p', String(server.process.port), ...args])).stdout.trim();
  }

  /** Test names and requests per second out of its table of comma separated values. */
  function rates(csv: string): [string, number][] {
    const lines = csv.trim().split('\n').slice(1);
    return lines.map((line) => {
      const [name = '', rate = ''] = line.split(',').map((cell) => cell.replaceAll('"', ''));
      return [name, Number(rate)];
    });
  }

  const names = ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'HSET', 'MSET (10 keys)'];

  it.each([
    { pipeline: 1, threads: [] },
    { pipeline: 16, threads: [] },
    { pipeline: 64, threads: ['--threads', '2'] },
  ])('runs to its end with pipelines of $pipeline', async ({ pipeline, threads }) => {
    const result = await benchmark('--csv', '-c', '50', '-P', String(pipeline), '-d', '64', ...threads);
    expect(result.code).toBe(0);
    // It warns here when CONFIG GET does not answer, and stops here at the first error reply.
    expect(result.stderr).toBe('');
    expect(rates(result.stdout).map(([name]) => name)).toEqual(names);
    for (const [, rate] of rates(result.stdout)) expect(rate).toBeGreaterThan(0);
    expect(Number(await ask('GET', 'counter:__rand_int__'))).toBeGreaterThanOrEqual(requests);
    expect(await ask('STRLEN', 'key:__rand_int__')).toBe('64');
    expect(await ask('HLEN', 'myhash')).toBe('1');
  });

  it('spreads its writes over random keys', async () => {
    const result = await benchmark('--csv', '-c', '50', '-P', '16', '-r', '100');
    expect(result.code).toBe(0);
    expect(await ask('EXISTS', 'key:000000000007')).toBe('1');
    const sum = (
      await ask('MGET', ...Array.from({ length: 100 }, (_, i) => `counter:${String(i).padStart(12, '0')}`))
    )
      .split('\n')
      .reduce((total, count) => total + Number(count), 0);
    expect(sum).toBeGreaterThanOrEqual(requests);
  });
});
