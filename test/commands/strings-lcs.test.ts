import { beforeEach, describe, expect, it } from 'vitest';
import { hashCommands } from '../../src/commands/hashes.js';
import { stringCommands } from '../../src/commands/strings.js';
import { CommandHarness } from '../support/command-harness.js';

let store: CommandHarness;

beforeEach(() => {
  store = new CommandHarness([stringCommands, hashCommands], { config: { 'proto-max-bulk-len': 1000 } });
  store.call('mset', 'a', 'ohmytext', 'b', 'mynewtext');
});

function call(line: string) {
  return store.call(...line.split(' '));
}

function error(line: string) {
  return store.error(...line.split(' '));
}

const FIRST = [
  [4, 7],
  [5, 8],
];
const SECOND = [
  [2, 3],
  [0, 1],
];

describe('lcs', () => {
  it('answers the subsequence or its length', () => {
    expect(call('lcs a b')).toBe('mytext');
    expect(call('LCS a b LEN')).toBe(6);
    expect(call('lcs a missing')).toBe('');
    expect(call('lcs missing other len')).toBe(0);
    expect(call('lcs a a')).toBe('ohmytext');
  });

  it.each([
    ['lcs a b idx', [FIRST, SECOND]],
    ['lcs a b idx minmatchlen 4', [FIRST]],
    ['lcs a b idx minmatchlen -3', [FIRST, SECOND]],
    ['lcs a b idx minmatchlen 5', []],
    ['lcs a missing idx', []],
  ])('%s', (line, matches) => {
    expect(call(line)).toEqual(['matches', matches, 'len', line.includes('missing') ? 0 : 6]);
  });

  it('adds match lengths, and answers a map in RESP3', () => {
    const matches = [
      [...FIRST, 4],
      [...SECOND, 2],
    ];
    expect(call('lcs a b idx withmatchlen')).toEqual(['matches', matches, 'len', 6]);
    expect(store.call3('lcs', 'a', 'b', 'idx', 'withmatchlen')).toEqual(
      new Map<string, unknown>([
        ['matches', matches],
        ['len', 6],
      ]),
    );
  });

  it('checks the types, the options, their meaning, then the size', () => {
    store.call('hset', 'h', 'f', 'v');
    store.call('set', 'long', 'x'.repeat(500));
    const wrong = 'ERR The specified keys must contain string values';
    expect(error('lcs h a foo')).toBe(wrong);
    expect(error('lcs a h')).toBe(wrong);
    expect(error('lcs long long foo')).toBe('ERR syntax error');
    expect(error('lcs long long minmatchlen')).toBe('ERR syntax error');
    expect(error('lcs long long minmatchlen x')).toBe('ERR value is not an integer or out of range');
    expect(error('lcs long long len idx')).toBe(
      'ERR If you want both the length and indexes, please just use IDX.',
    );
    expect(error('lcs long long len')).toBe(
      'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
    );
  });
});
