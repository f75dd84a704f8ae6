import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CliProcess } from './run-cli.js';

const program = fileURLToPath(new URL('serve-with-stand-in.mjs', import.meta.url));

function serve(behaviour: string, ...args: string[]): CliProcess {
  return new CliProcess([program, behaviour, '--dir', '/tmp/unused', '--port', '7000', ...args]);
}

/** The messages of log lines, without process id and time. */
function messages(output: string): string[] {
  return output
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^\d+:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} /, ''));
}

describe('a start', () => {
  test('says what was loaded, from where, what had expired, and how to connect', async () => {
    const server = serve('ready');
    await server.prints('REDIS_URL=');
    expect(messages(server.stdout).slice(1)).toEqual([
      '* No config file given: defaults and the command line apply',
      '* Done loading /tmp/unused (snapshot.sqlite and 2 log segments), keys loaded: 12, keys expired while down: 3',
      '* DB loaded from append only file: 0.045 seconds',
      '* Ready to accept connections',
      'REDIS_URL=redis://127.0.0.1:7000',
    ]);
    expect(messages(server.stdout)[0]).toMatch(/^\* Holdfast version=\S+, node=\S+, pid=\d+, just started$/);
  });

  test('leaves a place for the password, and never prints it', async () => {
    const server = serve('ready', '--requirepass', 'secret');
    await server.prints('REDIS_URL=redis://:PASSWORD@127.0.0.1:7000\n');
    expect(server.stdout + server.stderr).not.toContain('secret');
  });

  test('names the options that do nothing here, once', async () => {
    const server = serve('ready', '--hz', '10', '--io-threads', '4', '--hz', '20');
    await server.prints('REDIS_URL=');
    const warnings = messages(server.stdout).filter((line) => line.startsWith('#'));
    expect(warnings).toEqual(['# These options do nothing here and are ignored: hz, io-threads']);
  });

  test('warns when other machines are meant to connect and none of them can', async () => {
    const open = serve('ready', '--bind', '*');
    await open.prints('REDIS_URL=');
    expect(open.stdout).toContain('without a password: protected mode refuses them');
    const closed = serve('ready', '--bind', '*', '--requirepass', 'x');
    await closed.prints('REDIS_URL=');
    expect(closed.stdout).not.toContain('protected mode');
  });

  test('on a Unix socket alone says so', async () => {
    const server = serve('ready', '--port', '0', '--unixsocket', '/tmp/x.sock');
    await server.prints('REDIS_URL=unix:///tmp/x.sock\n');
    expect(server.stdout).toContain('The server is now ready to accept connections at /tmp/x.sock');
    expect(server.stdout).not.toContain('Ready to accept connections');
  });

  test('logs JSON and nothing else when asked for', async () => {
    const server = serve('ready', '--log-format', 'json');
    await server.prints('REDIS_URL=');
    const lines = server.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ level: 'notice', message: 'REDIS_URL=redis://127.0.0.1:7000' });
  });

  test('with a log file in a new folder keeps standard output for the address', async () => {
    const folder = await temporaryDirectory({ unsafeCleanup: true });
    onTestFinished(() => folder.cleanup());
    const dir = join(folder.path, 'new');
    const server = serve('ready', '--dir', dir, '--logfile', 'holdfast.log');
    await server.prints('REDIS_URL=');
    expect(server.stdout).toBe('REDIS_URL=redis://127.0.0.1:7000\n');
    expect(readFileSync(join(dir, 'holdfast.log'), 'utf8')).toContain('* Ready to accept connections\n');
  });
});

describe('a stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('on %s is orderly and exits with 0', async (signal) => {
    const server = serve('ready');
    await server.prints('REDIS_URL=');
    server.signal(signal);
    expect(await server.exitCode).toBe(0);
    expect(messages(server.stdout).slice(-2)).toEqual([
      `# Received ${signal} scheduling shutdown...`,
      '# Holdfast is now ready to exit, bye bye...',
    ]);
  });

  test('a second SIGTERM changes nothing, a second SIGINT exits at once with 1', async () => {
    const server = serve('stop-hangs');
    await server.prints('REDIS_URL=');
    server.signal('SIGTERM');
    await server.prints('scheduling shutdown');
    server.signal('SIGTERM');
    server.signal('SIGINT');
    expect(await server.exitCode).toBe(1);
    expect(messages(server.stdout).slice(-2)).toEqual([
      '# Received SIGTERM scheduling shutdown...',
      '# You insist... exiting now.',
    ]);
  });

  test('that fails says why and exits with 1', async () => {
    const server = serve('stop-fails');
    await server.prints('REDIS_URL=');
    server.signal('SIGTERM');
    expect(await server.exitCode).toBe(1);
    expect(messages(server.stdout).at(-1)).toBe('# Error while stopping: the disk is gone');
  });

  test('that hangs is over within ten seconds', async () => {
    const server = serve('stop-hangs');
    await server.prints('REDIS_URL=');
    const startedAtMs = performance.now();
    server.signal('SIGTERM');
    expect(await server.exitCode).toBe(1);
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
    expect(server.stdout).toContain('Stopping took more than 9.5 seconds, exiting now.');
  });

  test("by a client's SHUTDOWN exits with 0", async () => {
    const server = serve('client-shutdown');
    expect(await server.exitCode).toBe(0);
    expect(messages(server.stdout).at(-1)).toBe('# Holdfast is now ready to exit, bye bye...');
  });

  test('while loading exits at once: nothing was acknowledged yet', async () => {
    const server = serve('slow-load');
    await server.prints('loading');
    server.signal('SIGTERM');
    expect(await server.exitCode).toBe(0);
    expect(server.stdout).toContain('Received shutdown signal during loading, exiting now.');
  });
});

describe('a failure', () => {
  test('a port that is taken: one message with what to do, no stack trace', async () => {
    const server = serve('address-in-use');
    expect(await server.exitCode).toBe(1);
    expect(server.stderr).toBe(
      'Could not create server TCP listening socket 127.0.0.1:7000: bind: Address already in use\n' +
        'Another server is running there: stop it, or choose another port with --port.\n',
    );
  });

  test('data that cannot be read: file, offset, and what to do first', async () => {
    const server = serve('corrupt');
    expect(await server.exitCode).toBe(1);
    expect(server.stderr).toBe(
      '/data/00000002.log at byte 4711: checksum mismatch\n' +
        'The server does not start on data that it cannot read completely. ' +
        'Make a copy of /data before you try anything else. holdfast check shows how much of it is sound.\n',
    );
  });

  test('that nothing expected is logged with its stack, and ends the process', async () => {
    const server = serve('fault');
    expect(await server.exitCode).toBe(1);
    expect(server.stdout).toContain('# Unexpected error, exiting at once.');
    expect(server.stdout).toContain('# TypeError: a fault of the program');
    expect(server.stdout).toMatch(/# {5}at /);
  });
});
