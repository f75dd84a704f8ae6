/** What commands make of themselves for the log: effects, absolute and no more of them than needed. */
import { beforeEach, describe, expect, it } from 'vitest';
import { expireCommands } from '../../src/commands/expire.js';
import { hashCommands } from '../../src/commands/hashes.js';
import { keyCommands } from '../../src/commands/keys.js';
import { scanCommands } from '../../src/commands/scan.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';
import { type Recorded, RecordingJournal } from '../support/recording-journal.js';

const NOW = 1_700_000_000_000;
const PRESENT = NOW + 777_000;
const AT_10 = NOW + 10_000;

let store: CommandHarness;
let journal: RecordingJournal;

beforeEach(() => {
  store = new CommandHarness([stringCommands, keyCommands, expireCommands, scanCommands, hashCommands], {
    nowMs: NOW,
  });
  journal = new RecordingJournal();
  store.keyspace.journal = journal;
  store.call('set', 'k', '5', 'pxat', PRESENT);
  store.call('set', 'p', 'text');
  journal.take();
});

function recorded(line: string): Recorded[] {
  store.call(...line.split(' '));
  return journal.take();
}

describe('the log', () => {
  const cases: [line: string, ...mutations: Recorded[]][] = [
    ['set n v', ['setString', 0, 'n', 'v', 0]],
    ['set k v ex 10', ['setString', 0, 'k', 'v', AT_10]],
    ['set k v px 10000 get', ['setString', 0, 'k', 'v', AT_10]],
    ['set k v exat 1800000000', ['setString', 0, 'k', 'v', 1_800_000_000_000]],
    ['set k v keepttl', ['setString', 0, 'k', 'v', PRESENT]],
    ['set k v ifeq 5', ['setString', 0, 'k', 'v', 0]],
    ['setex k 10 v', ['setString', 0, 'k', 'v', AT_10]],
    ['psetex k 10000 v', ['setString', 0, 'k', 'v', AT_10]],
    ['setnx n v', ['setString', 0, 'n', 'v', 0]],
    ['getset k v', ['setString', 0, 'k', 'v', 0]],
    ['mset a 1 b 2', ['setString', 0, 'a', '1', 0], ['setString', 0, 'b', '2', 0]],
    ['msetnx a 1 b 2', ['setString', 0, 'a', '1', 0], ['setString', 0, 'b', '2', 0]],
    ['msetex 2 a 1 k 2 keepttl', ['setString', 0, 'a', '1', 0], ['setString', 0, 'k', '2', PRESENT]],
    ['msetex 2 a 1 b 2 ex 10', ['setString', 0, 'a', '1', AT_10], ['setString', 0, 'b', '2', AT_10]],
    ['incr k', ['setString', 0, 'k', '6', PRESENT]],
    ['decrby n 7', ['setString', 0, 'n', '-7', 0]],
    ['incrbyfloat k 0.1', ['setString', 0, 'k', '5.1', PRESENT]],
    ['append p s', ['setRange', 0, 'p', 4, 's']],
    ['append n s', ['setString', 0, 'n', 's', 0]],
    ['setrange p 6 s', ['setRange', 0, 'p', 6, 's']],
    ['getdel k', ['delete', 0, 'k']],
    ['getex k ex 10', ['expireAt', 0, 'k', AT_10]],
    ['getex k persist', ['expireAt', 0, 'k', 0]],
    ['persist k', ['expireAt', 0, 'k', 0]],
    ['expire p 10', ['expireAt', 0, 'p', AT_10]],
    ['pexpireat p 9223372036854770000', ['expireAt', 0, 'p', 9223372036854770000n]],
    ['rename k n', ['rename', 0, 'k', 0, 'n']],
    ['rename k p', ['rename', 0, 'k', 0, 'p']],
    ['copy k n', ['copy', 0, 'k', 0, 'n']],
    ['copy k p replace db 3', ['copy', 0, 'k', 3, 'p']],
    ['move k 3', ['rename', 0, 'k', 3, 'k']],
    ['del k missing p', ['delete', 0, 'k'], ['delete', 0, 'p']],
    // A time in the past is a deletion.
    ['set k v pxat 1', ['delete', 0, 'k']],
    ['getex k exat 1', ['delete', 0, 'k']],
    ['expire k -1', ['delete', 0, 'k']],
    ['msetex 2 k 1 n 2 exat 1', ['delete', 0, 'k']],
  ];

  it.each(cases)('of %s', (line, ...mutations) => {
    expect(recorded(line)).toEqual(mutations);
  });

  it.each([
    'get k',
    'mget k p',
    'getrange k 0 1',
    'strlen k',
    'lcs k p',
    'getex k',
    'getex p persist',
    'persist p',
    'set k v nx',
    'set n v xx',
    'set n v ifeq a',
    'set n v exat 1',
    'setnx k v',
    'msetnx n 1 k 2',
    'msetex 2 n 1 k 2 nx',
    'setrange missing 5 ',
    'expire k 10 nx',
    'expire missing -1',
    'del missing',
    'touch k',
    'rename k k',
    'renamenx k p',
    'copy k p',
    'keys *',
    'scan 0',
    'randomkey',
    'ttl k',
    // Refused:
    'incr p',
    'incrby k 9223372036854775807',
    'setex k 0 v',
    'mset a 1 b',
    'set k v ex 10 px 10',
    'rename missing n',
    'setrange k -1 x',
    'move k 99',
  ])('says nothing of %s', (line) => {
    expect(recorded(line)).toEqual([]);
  });

  it('has the deletion of an expired key before the command that saw it', () => {
    store.advance(777_001);
    expect(recorded('incr k')).toEqual([
      ['delete', 0, 'k'],
      ['setString', 0, 'k', '1', 0],
    ]);
  });

  it('has it for a command that only reads, too', () => {
    store.advance(777_001);
    expect(recorded('get k')).toEqual([['delete', 0, 'k']]);
    expect(recorded('get k')).toEqual([]);
  });
});
