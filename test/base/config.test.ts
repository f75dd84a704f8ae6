import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Config } from '../../src/base/config.js';
import { loadConfig } from '../../src/base/config-file.js';
import { inertOptions } from '../../src/base/config-inert.js';

const noInput = () => '';

async function configFile(text: string): Promise<string> {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  const path = join(folder.path, 'holdfast.conf');
  writeFileSync(path, text);
  return path;
}

describe('defaults', () => {
  const { values } = new Config();

  test('listen on this machine only', () => {
    expect(values.bind.map((address) => address.host)).toEqual(['127.0.0.1', '::1']);
    expect(values.port).toBe(6379);
    expect(values['protected-mode']).toBe(true);
    expect(values['enable-debug-command']).toBe('no');
  });

  test('keep every acknowledged write through a crash', () => {
    expect(values.appendonly).toBe(true);
    expect(values.appendfsync).toBe('everysec');
    expect(values.dir).toBe(resolve('data'));
  });

  test('never accept a value that a row of the snapshot cannot hold', () => {
    expect(values['proto-max-bulk-len']).toBe(256 * 1024 * 1024);
    expect(() => new Config({ 'proto-max-bulk-len': '257mb' })).toThrow(
      "option 'proto-max-bulk-len': argument must be between 1048576 and 268435456 inclusive",
    );
  });

  test('no client makes the server hold replies without end', () => {
    expect(values['client-output-buffer-limit'].normal).toEqual({
      hardBytes: 256 * 1024 * 1024,
      softBytes: 128 * 1024 * 1024,
      softSeconds: 60,
    });
  });
});

describe('options given by a program', () => {
  test('may be numbers, booleans, or text as in a file', () => {
    const { values } = new Config({ port: 0, 'protected-mode': false, maxmemory: '100mb', bind: '*' });
    expect(values.port).toBe(0);
    expect(values['protected-mode']).toBe(false);
    expect(values.maxmemory).toBe(104_857_600);
    expect(values.bind[0]?.host).toBe('0.0.0.0');
  });

  test('are refused by name when they do not exist', () => {
    const options = { prot: 7000 } as ConstructorParameters<typeof Config>[0];
    expect(() => new Config(options)).toThrow("unknown option 'prot'");
  });

  test('an appendonly of no is refused with the reason', () => {
    expect(() => new Config({ appendonly: false })).toThrow('this server exists to keep the log');
  });

  test('a relative file starts at dir', () => {
    expect(new Config({ dir: '/srv/data', logfile: 'a.log' }).path('logfile')).toBe('/srv/data/a.log');
    expect(new Config({ dir: '/srv/data', logfile: '/tmp/a.log' }).path('logfile')).toBe('/tmp/a.log');
    expect(new Config().path('unixsocket')).toBe('');
  });
});

describe('CONFIG GET', () => {
  const config = new Config({ maxmemory: '1gb' });

  test('prints sizes in bytes and answers in any case of letters', () => {
    expect(config.get('MaxMemory')).toBe('1073741824');
    expect(config.get('no-such')).toBeUndefined();
  });

  test('a name in full is answered as it was written, and no name comes twice', () => {
    expect(config.match('MAXMEMORY', 'maxmemory-s*', 'maxmemory-samples', 'no-such')).toEqual([
      ['MAXMEMORY', '1073741824'],
      ['maxmemory-samples', '5'],
    ]);
  });

  test('a pattern finds names and aliases', () => {
    const names = config.match('*of', 'HASH-MAX-*-ENTRIES').map(([name]) => name);
    expect(names).toEqual(['replicaof', 'slaveof', 'hash-max-listpack-entries', 'hash-max-ziplist-entries']);
  });

  test('hidden names answer only to their full name', () => {
    expect(config.match('*').map(([name]) => name)).not.toContain('key-load-delay');
    expect(config.match('key-load-delay')).toEqual([['key-load-delay', '0']]);
  });
});

describe('CONFIG SET', () => {
  test('changes values at once and tells what has changed', () => {
    const config = new Config();
    const listener = vi.fn();
    config.onChange(listener);
    config.set([
      ['maxmemory', '10mb'],
      ['timeout', '0'],
      ['SAVE', '100 5'],
    ]);
    expect(config.values.maxmemory).toBe(10 * 1024 * 1024);
    expect(config.get('save')).toBe('100 5');
    expect(listener.mock.calls).toEqual([['maxmemory'], ['save']]);
  });

  test('takes an alias for its option', () => {
    const config = new Config();
    config.set([['hash-max-ziplist-entries', '7']]);
    expect(config.values['hash-max-listpack-entries']).toBe(7);
  });

  test('keeps the limits of classes that are not named', () => {
    const config = new Config();
    config.set([['client-output-buffer-limit', 'pubsub 1mb 0 0']]);
    expect(config.get('client-output-buffer-limit')).toBe(
      'normal 268435456 134217728 60 slave 268435456 67108864 60 pubsub 1048576 0 0',
    );
  });

  test.each<[string, [string, string][]]>([
    [
      "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
      [
        ['maxmemory', '1'],
        ['nosuch', '1'],
      ],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set immutable config",
      [['dir', '/']],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'logfile') - can't set immutable config",
      [['logfile', 'x']],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'daemonize') - can't set immutable config",
      [['daemonize', 'yes']],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
      [
        ['maxmemory', '1'],
        ['MAXMEMORY', '2'],
      ],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive",
      [
        ['maxmemory', '1'],
        ['maxclients', '0'],
      ],
    ],
    [
      "ERR CONFIG SET failed (possibly related to argument 'tls-port') - TLS is not supported: a port opened without it would carry passwords in the clear",
      [['tls-port', '6380']],
    ],
  ])('%s', (message, pairs) => {
    const config = new Config();
    const before = config.match('*');
    expect(() => config.set(pairs)).toThrow(expect.objectContaining({ name: 'CommandError', message }));
    expect(config.match('*')).toEqual(before);
  });

  test('a listener that refuses puts every value back, and listeners hear of it', () => {
    const config = new Config();
    const seen: number[] = [];
    config.onChange((name) => {
      seen.push(config.values.maxmemory);
      if (name === 'maxclients' && config.values.maxclients === 7)
        throw new Error('not enough file descriptors');
    });
    const change = () =>
      config.set([
        ['maxmemory', '5'],
        ['maxclients', '7'],
      ]);
    expect(change).toThrow(
      "ERR CONFIG SET failed (possibly related to argument 'maxclients') - not enough file descriptors",
    );
    expect(config.values.maxmemory).toBe(0);
    expect(config.values.maxclients).toBe(10000);
    expect(seen).toEqual([5, 5, 0, 0]);
  });

  test('a listener that has ended hears nothing', () => {
    const config = new Config();
    const listener = vi.fn();
    config.onChange(listener)();
    config.set([['maxmemory', '1']]);
    expect(listener).not.toHaveBeenCalled();
  });

  test('every value that may be changed can be set to what CONFIG GET prints for it', () => {
    const config = new Config();
    const before = config.match('*');
    for (const [name, value] of before) {
      try {
        config.set([[name, value]]);
      } catch (error) {
        expect((error as Error).message).toContain("can't set immutable config");
      }
    }
    expect(config.match('*')).toEqual(before);
  });
});

describe('CONFIG REWRITE', () => {
  test('keeps comments, order and includes, replaces lines in place, appends what is new', async () => {
    const path = await configFile(
      [
        '# my server',
        'PORT 7000',
        '',
        '',
        'maxmemory 1mb',
        'save 900 1',
        'save 60 100',
        'include',
        'nonsense "',
      ].join('\n'),
    );
    const config = new Config({ dir: '/srv' }, path);
    config.set([
      ['maxmemory', '2mb'],
      ['save', '10 5'],
      ['requirepass', 'two words'],
    ]);
    expect(config.rewrite()).toBe(
      [
        '# my server',
        'port 6379',
        '',
        'maxmemory 2mb',
        'save 10 5',
        '',
        'include',
        '# ??? nonsense "',
        '# Generated by CONFIG REWRITE',
        'requirepass "two words"',
        'dir /srv',
        '',
      ].join('\n'),
    );
  });

  test('what it writes reads back as the same configuration, and a second rewrite changes nothing', async () => {
    const path = await configFile('hash-max-ziplist-entries 20\nhz 50\nsave 1 2\nsave 3 4\n');
    const config = loadConfig(
      [path, '--maxmemory', '5mb', '--requirepass', 'a"b\\c \u00e4', '--save', ''],
      noInput,
    );
    config.set([['client-output-buffer-limit', 'replica 1mb 2mb 3']]);
    writeFileSync(path, config.rewrite());
    const again = loadConfig([path], noInput);
    expect(again.match('*')).toEqual(config.match('*'));
    expect(again.rewrite()).toBe(readFileSync(path, 'utf8'));
  });

  test('a file that has vanished is written anew', () => {
    const config = new Config({ dir: '/srv' }, '/nonexistent/holdfast.conf');
    expect(config.rewrite()).toBe('# Generated by CONFIG REWRITE\ndir /srv\n');
  });
});

describe("Redis's names that mean nothing here", () => {
  test('are kept, answered, and named for one warning', () => {
    const config = loadConfig(['--hz', '50', '--io-threads', '4', '--slave-priority', '7'], noInput);
    expect(config.ignoredNames()).toEqual(['hz', 'io-threads', 'replica-priority']);
    expect(config.get('hz')).toBe('50');
    expect(config.get('replica-priority')).toBe('7');
  });

  test('every value that asks for something it cannot have is refused, and only those', () => {
    for (const [name, row] of inertOptions) {
      if (row.refusal === undefined) continue;
      expect(row.accepts, name).toContain(row.fallback);
      expect(() => loadConfig([`--${name}`, 'something'], noInput), name).toThrow(row.refusal);
      expect(() => loadConfig([`--${name}`, row.accepts![0]!], noInput), name).not.toThrow();
    }
  });
});
