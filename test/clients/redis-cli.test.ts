import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runTool } from '../support/run-tool.js';
import { launchServer, type TestServer } from '../support/server.js';
import { hasTool } from '../support/tools.js';

describe.runIf(hasTool('redis-cli'))('redis-cli', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await launchServer();
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    await cli(['FLUSHALL']);
  });

  function cli(args: string[], input?: string | Buffer) {
    return runTool('redis-cli', ['-p', String(server.process.port), ...args], input);
  }

  /** What it prints for one command. */
  async function ask(...args: string[]) {
    return (await cli(args)).stdout;
  }

  it('prints replies as it does for Redis', async () => {
    expect(await ask('SETEX', 'greeting', '100', 'hello')).toBe('OK\n');
    expect(await ask('GET', 'greeting')).toBe('hello\n');
    expect(await ask('GET', 'missing')).toBe('\n');
    expect(await ask('--no-raw', 'GET', 'missing')).toBe('(nil)\n');
    expect(await ask('--no-raw', 'INCR', 'counter')).toBe('(integer) 1\n');
    expect(await ask('--no-raw', 'MGET', 'greeting', 'missing')).toBe('1) "hello"\n2) (nil)\n');
    expect(await ask('--no-raw', 'GET')).toBe("(error) ERR wrong number of arguments for 'get' command\n");
  });

  it('reports a failed command by its exit code when asked to', async () => {
    const failed = await cli(['-e', 'HGET', 'only-a-key']);
    expect(failed.code).toBe(1);
    expect((await cli(['-e', 'PING'])).code).toBe(0);
  });

  it('selects a database and reads commands from its input', async () => {
    const commands = 'SET a 1\nINCR a\nHSET h f v\nOBJECT ENCODING a\n';
    expect((await cli(['-n', '5'], commands)).stdout).toBe('OK\n2\n1\nint\n');
    expect(await ask('-n', '5', 'DBSIZE')).toBe('2\n');
    expect(await ask('DBSIZE')).toBe('0\n');
  });

  it('stores any bytes from its input as the last argument', async () => {
    const bytes = Buffer.from([0, 13, 10, 255, 128, 34, 92]);
    expect((await cli(['-x', 'SET', 'bytes'], bytes)).stdout).toBe('OK\n');
    expect(await ask('STRLEN', 'bytes')).toBe('7\n');
    expect(await ask('--no-raw', 'GET', 'bytes')).toBe('"\\x00\\r\\n\\xff\\x80\\"\\\\"\n');
  });

  it('speaks RESP3 with -3', async () => {
    await ask('HSET', 'h', 'field', 'value');
    expect(await ask('-3', '--no-raw', 'HGETALL', 'h')).toBe('1# "field" => "value"\n');
    expect(await ask('-3', '--no-raw', 'GET', 'missing')).toBe('(nil)\n');
    expect(await ask('-3', '--no-raw', 'HELLO')).toMatch(/^\d+# "proto" => \(integer\) 3$/m);
  });

  it('loads a mass of commands with --pipe and sees every reply', async () => {
    const count = 20_000;
    const commands = Array.from({ length: count }, (_, i) =>
      request('SETEX', `bulk:${i}`, '1000', `value:${i}`),
    );
    commands.push(request('INCR', 'bulk:0'));
    const { stdout, stderr, code } = await cli(['--pipe'], commands.join(''));
    expect(stderr).toContain('ERR value is not an integer or out of range');
    expect(stdout).toContain(`errors: 1, replies: ${count + 1}\n`);
    expect(code).toBe(1);
    expect(await ask('DBSIZE')).toBe(`${count}\n`);
    expect(await ask('GET', `bulk:${count - 1}`)).toBe(`value:${count - 1}\n`);
  });

  it('lists keys with --scan and a pattern', async () => {
    const pairs = Array.from({ length: 500 }, (_, i) => [`user:${i}`, 'x']).flat();
    await ask('MSET', 'other', 'y', ...pairs);
    const names = (await ask('--scan', '--pattern', 'user:*')).trim().split('\n');
    expect(new Set(names).size).toBe(500);
    expect(names.every((name) => name.startsWith('user:'))).toBe(true);
  });

  it('finds the biggest keys with --bigkeys and --memkeys', async () => {
    await ask('MSET', 'small', 'x', 'large', 'x'.repeat(5000));
    await ask('HSET', 'wide', ...Array.from({ length: 40 }, (_, i) => `field:${i}`));
    const { stdout, code } = await cli(['--bigkeys']);
    expect(code).toBe(0);
    expect(stdout).toContain('Sampled 3 keys in the keyspace!');
    expect(stdout).toContain('Biggest string found \'"large"\' has 5000 bytes');
    expect(stdout).toContain('Biggest   hash found \'"wide"\' has 20 fields');
    expect((await cli(['--memkeys'])).stdout).toMatch(/Biggest string found '"large"' has [5-9]\d\d\d bytes/);
  });

  it('shows the state of the server with INFO', async () => {
    const text = await ask('INFO');
    for (const field of ['redis_version:7.', 'loading:0', 'role:master', 'tcp_port:', 'aof_enabled:1']) {
      expect(text).toContain(`\r\n${field}`);
    }
  });
});

/** One command as a RESP array of bulk strings. */
function request(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}
