import { describe, expect, test } from 'vitest';
import type { Reply } from '../support/decode-reply.js';
import { DispatchHarness } from '../support/dispatch-harness.js';

function connect(protocol: '2' | '3') {
  const client = new DispatchHarness().connect();
  client.call('HELLO', protocol);
  return client;
}

test('COMMAND describes as many commands as COMMAND COUNT counts', () => {
  const client = connect('2');
  const all = client.call('COMMAND') as Reply[];
  expect(all).toHaveLength(client.call('COMMAND', 'COUNT') as number);
  expect(client.call('COMMAND', 'INFO')).toEqual(all);
});

describe('COMMAND INFO', () => {
  const keySpec = (entries: (pairs: [string, unknown][]) => unknown, set: (items: string[]) => unknown) =>
    entries([
      ['flags', set(['RO', 'access'])],
      [
        'begin_search',
        entries([
          ['type', 'index'],
          ['spec', entries([['index', 1]])],
        ]),
      ],
      [
        'find_keys',
        entries([
          ['type', 'range'],
          [
            'spec',
            entries([
              ['lastkey', 0],
              ['keystep', 1],
              ['limit', 0],
            ]),
          ],
        ]),
      ],
    ]);

  test('is arrays in RESP2', () => {
    expect(connect('2').call('COMMAND', 'INFO', 'GET', 'nosuch')).toEqual([
      [
        'get',
        2,
        ['readonly', 'fast'],
        1,
        1,
        1,
        ['@read', '@string', '@fast'],
        [],
        [
          keySpec(
            (p) => p.flat(),
            (s) => s,
          ),
        ],
        [],
      ],
      null,
    ]);
  });

  test('is sets and maps in RESP3', () => {
    expect(connect('3').call('COMMAND', 'INFO', 'get')).toEqual([
      [
        'get',
        2,
        new Set(['readonly', 'fast']),
        1,
        1,
        1,
        new Set(['@read', '@string', '@fast']),
        new Set(),
        new Set([
          keySpec(
            (pairs) => new Map(pairs),
            (items) => new Set(items),
          ),
        ]),
        new Set(),
      ],
    ]);
  });

  test('of a container holds its subcommands', () => {
    const [client] = connect('2').call('COMMAND', 'INFO', 'client') as Reply[][];
    const subcommands = (client![9] as Reply[][]).map((subcommand) => subcommand[0]);
    expect(subcommands).toContain('client|setinfo');
    expect(subcommands).toContain('client|no-touch');
  });

  test('SETEX is a slow write of strings', () => {
    const [info] = connect('2').call('COMMAND', 'INFO', 'setex') as Reply[][];
    expect(info!.slice(0, 7)).toEqual([
      'setex',
      4,
      ['write', 'denyoom'],
      1,
      1,
      1,
      ['@write', '@string', '@slow'],
    ]);
  });

  test('key positions that a range cannot express are told by the specification', () => {
    const [info] = connect('2').call('COMMAND', 'INFO', 'msetex') as Reply[][];
    expect(info!.slice(3, 6)).toEqual([0, 0, 0]);
    expect(JSON.stringify(info![8])).toContain('keynum');
  });
});

describe('COMMAND DOCS', () => {
  test('of a command has summary, since, group, complexity and arguments, in this order', () => {
    const docs = connect('3').call('COMMAND', 'DOCS', 'GET') as Map<string, Map<string, Reply>>;
    expect([...docs.keys()]).toEqual(['get']);
    const get = docs.get('get')!;
    expect([...get.keys()]).toEqual(['summary', 'since', 'group', 'complexity', 'arguments']);
    expect(get.get('arguments')).toEqual([
      new Map<string, Reply>([
        ['name', 'key'],
        ['type', 'key'],
        ['display_text', 'key'],
        ['key_spec_index', 0],
      ]),
    ]);
  });

  test('is flat arrays in RESP2', () => {
    const docs = connect('2').call('COMMAND', 'DOCS', 'ping') as Reply[];
    expect(docs[0]).toBe('ping');
    expect((docs[1] as Reply[]).filter((_, i) => i % 2 === 0)).toEqual([
      'summary',
      'since',
      'group',
      'complexity',
      'arguments',
    ]);
  });

  test('tells what is deprecated, optional, and nested', () => {
    const docs = connect('3').call('COMMAND', 'DOCS', 'quit', 'client|reply') as Map<
      string,
      Map<string, Reply>
    >;
    expect(docs.get('quit')!.get('doc_flags')).toEqual(new Set(['deprecated']));
    expect(docs.get('quit')!.get('deprecated_since')).toBe('7.2.0');
    const [action] = docs.get('client|reply')!.get('arguments') as Map<string, Reply>[];
    expect(action!.get('type')).toBe('oneof');
    expect(action!.has('display_text')).toBe(false);
    expect(
      (action!.get('arguments') as Map<string, Reply>[]).map((argument) => argument.get('token')),
    ).toEqual(['ON', 'OFF', 'SKIP']);
  });

  test('numbers the key arguments of a command with several', () => {
    const docs = connect('3').call('COMMAND', 'DOCS', 'rename') as Map<string, Map<string, Reply>>;
    const args = docs.get('rename')!.get('arguments') as Map<string, Reply>[];
    expect(args.map((argument) => argument.get('key_spec_index'))).toEqual([0, 1]);
  });

  test('covers every command, each with a summary', () => {
    const docs = connect('3').call('COMMAND', 'DOCS') as Map<string, Map<string, Reply>>;
    expect(docs.size).toBe(connect('3').call('COMMAND', 'COUNT'));
    for (const [name, entry] of docs) expect([name, entry.get('summary')]).not.toEqual([name, '']);
  });
});

describe('COMMAND LIST', () => {
  test('names commands and subcommands', () => {
    const names = connect('2').call('COMMAND', 'LIST') as string[];
    expect(names).toContain('set');
    expect(names).toContain('client|list');
    expect(new Set(names).size).toBe(names.length);
  });

  test('filters by category and by pattern', () => {
    const client = connect('2');
    const byCategory = (category: string) =>
      client.call('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', category) as string[];
    expect(byCategory('transaction').sort()).toEqual(['discard', 'exec', 'multi', 'unwatch', 'watch']);
    expect(byCategory('nosuch')).toEqual([]);
    expect(byCategory('DANGEROUS')).toContain('flushall');
    expect(client.call('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'config|*re*')).toEqual([
      'config|resetstat',
      'config|rewrite',
    ]);
    expect(client.call('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'cl*help')).toEqual(['client|help']);
  });
});

describe('COMMAND GETKEYS', () => {
  test.each([
    ['MSETEX 2 a 1 b 2 EX 5', ['a', 'b']],
    ['OBJECT ENCODING k', ['k']],
    ['SWAPDB 0 1', 'ERR The command has no key arguments'],
    ['GET', 'ERR Invalid number of arguments specified for command'],
    ['NOSUCH', 'ERR Invalid command specified'],
    ['MSETEX 9 a 1', 'ERR Invalid arguments specified for command'],
    ['MSETEX x a 1', 'ERR Invalid arguments specified for command'],
    ['MSETEX -1 a 1', 'ERR Invalid arguments specified for command'],
  ] as [string, string | string[]][])('%s', (line, expected) => {
    const client = connect('2');
    const args = ['COMMAND', 'GETKEYS', ...line.split(' ')];
    expect(typeof expected === 'string' ? client.error(...args) : client.call(...args)).toEqual(expected);
  });

  test('tells how SET uses its key in this very call', () => {
    const client = connect('2');
    const flags = (...call: string[]) => client.call('COMMAND', 'GETKEYSANDFLAGS', ...call);
    expect(flags('SET', 'k', 'v')).toEqual([['k', ['OW', 'update']]]);
    expect(flags('SET', 'k', 'v', 'NX', 'GET')).toEqual([['k', ['RW', 'access', 'update']]]);
  });
});
