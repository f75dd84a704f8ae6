import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandTable } from '../../src/commands/command-table.js';
import { createRegistry } from '../../src/commands/index.js';
import { Registry } from '../../src/commands/registry.js';

const registry = createRegistry();
const names = [...registry.commands.keys()];

function find(table: CommandTable, name: string) {
  const bytes = Buffer.from(`<${name}>`, 'latin1');
  return table.find(bytes, 1, bytes.length - 1);
}

describe('a table', () => {
  test('finds every command, in any case of letters', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
        (name, upper) => {
          const mixed = [...name].map((letter, i) => (upper[i] ? letter.toUpperCase() : letter)).join('');
          expect(find(registry.table, mixed)?.fullName).toBe(name);
        },
      ),
    );
  });

  test('finds nothing but commands', () => {
    const anyBytes = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    // One byte of a name changed: neighbours that differ in the bit the hash ignores, too.
    const nearly = fc.tuple(fc.constantFrom(...names), fc.nat(), fc.nat(255)).map(([name, at, byte]) => {
      const bytes = Buffer.from(name, 'latin1');
      bytes[at % bytes.length] = byte;
      return bytes.toString('latin1');
    });
    fc.assert(
      fc.property(fc.oneof(anyBytes, nearly), (name) => {
        const lower = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
        expect(find(registry.table, name)?.fullName).toBe(names.includes(lower) ? lower : undefined);
      }),
      { numRuns: 2000 },
    );
  });

  test('without commands finds none', () => {
    expect(find(new CommandTable([]), 'get')).toBe(undefined);
  });
});

describe('the registry', () => {
  const handler = () => {};
  const get = {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    categories: ['string'],
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: '',
    handler,
  } as const;

  test('refuses duplicates and contradictions', () => {
    expect(() => new Registry([[get], [get]])).toThrow('command get is defined twice');
    expect(() => new Registry([[{ ...get, flags: ['readonly', 'write'] }]])).toThrow(
      'both write and readonly',
    );
    expect(() => new Registry([[{ ...get, flags: ['denyoom'] }]])).toThrow(
      'denies on memory but never writes',
    );
    expect(() => new Registry([[{ ...get, name: 'Get' }]])).toThrow('command name Get');
    const { handler: _none, ...idle } = get;
    expect(() => new Registry([[idle]])).toThrow('command get has nothing to run');
    const twins = { ...get, name: 'box', subcommands: [get, get] };
    expect(() => new Registry([[twins]])).toThrow('subcommand box get is defined twice');
  });

  test('finds by full name', () => {
    expect(registry.find('CLIENT|SetName')?.fullName).toBe('client|setname');
    expect(registry.find('get')?.fullName).toBe('get');
    for (const name of [
      'get|x',
      'client|list|x',
      'client|',
      'nosuch',
      '',
      'constructor',
      'client|constructor',
    ]) {
      expect(registry.find(name)).toBe(undefined);
    }
  });

  test('no command that clients rely on is missing', () => {
    const wanted =
      'hello auth ping echo quit reset select client command info config dbsize flushdb flushall swapdb time lastsave' +
      ' save bgsave bgrewriteaof shutdown lolwut debug memory object wait waitaof set get setex psetex setnx getex' +
      ' getdel getset mget mset msetnx append strlen getrange substr setrange incr incrby incrbyfloat decr decrby lcs' +
      ' msetex del unlink exists type touch rename renamenx copy move keys scan randomkey expire pexpire expireat' +
      ' pexpireat ttl pttl expiretime pexpiretime persist hset hmset hsetnx hget hmget hgetall hdel hexists hlen hkeys' +
      ' hvals hstrlen hincrby hincrbyfloat hrandfield hscan hexpire hpexpire hexpireat hpexpireat httl hpttl' +
      ' hexpiretime hpexpiretime hpersist hgetex hgetdel hsetex multi exec discard watch unwatch';
    expect(wanted.split(' ').filter((name) => !registry.get(name))).toEqual([]);
  });

  test('every command that is not a container says which keys it takes, or takes none', () => {
    const data = [...registry.all()].filter(({ definition }) =>
      ['string', 'hash'].includes(definition.group),
    );
    expect(data.length).toBeGreaterThan(50);
    expect(data.filter(({ definition }) => !definition.keys).map(({ fullName }) => fullName)).toEqual([]);
  });
});
