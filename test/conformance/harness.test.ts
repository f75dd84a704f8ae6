import { describe, expect, it } from 'vitest';
import { improvements, raised, readExpectations, regressions } from './expectations.mjs';
import { parse } from './tcl-suite.mjs';

const expectation = { okInRedis: 4, ok: 2, failing: { 'pops a list': 'needs lists' } };

function result(ok: number, ...failed: string[]) {
  return { ok, failed: new Map(failed.map((name) => [name, 'why'])), skipped: 0 };
}

describe('expectations', () => {
  it('accept what is listed and nothing else', () => {
    expect(regressions(result(2, 'pops a list'), expectation)).toEqual([]);
    expect(regressions(result(1, 'pops a list', 'sets a key'), expectation)).toEqual([
      'failed: sets a key: why',
    ]);
  });

  it('notice a test that never ran', () => {
    expect(regressions(result(1, 'pops a list'), expectation)).toEqual(['1 fewer ok than expected (1 of 2)']);
  });

  it('only grow', () => {
    expect(improvements(result(3), expectation)).toEqual([
      'no longer fails: pops a list',
      '3 ok, 2 expected',
    ]);
    expect(raised(result(3), expectation)).toEqual({ okInRedis: 4, ok: 3, failing: {} });
    expect(raised(result(1, 'pops a list', 'sets a key'), expectation)).toEqual(expectation);
  });

  it('give a reason for every failure, and never ask more than Redis itself reaches', async () => {
    for (const [file, { okInRedis, ok, failing }] of Object.entries(await readExpectations())) {
      // Fewer is possible: Redis runs one test of strings only where its allocator is jemalloc.
      expect(ok + Object.keys(failing).length, file).toBeLessThanOrEqual(okInRedis);
      for (const reason of Object.values(failing)) expect(reason, file).toMatch(/^needs \S/);
    }
  });
});

describe('the report of the Tcl suite', () => {
  it('is read test by test', () => {
    const report = [
      '[ok]: SET and GET (12 ms)',
      '[err]: GETBIT in a set in tests/unit/type/string.tcl',
      "Expected '1' to be equal to '0'",
      '[ignore]: DEL against expired key: Tag: needs:debug denied',
      '[skip]: LPUSH',
      '                   The End',
      '*** [err]: GETBIT in a set in tests/unit/type/string.tcl',
    ];
    expect(parse(report.join('\n'))).toEqual({
      attempts: [
        { status: 'ok', name: 'SET and GET', detail: '' },
        { status: 'err', name: 'GETBIT in a set', detail: "Expected '1' to be equal to '0'" },
        { status: 'ignore', name: 'DEL against expired key: Tag: needs:debug denied', detail: '' },
        { status: 'skip', name: 'LPUSH', detail: '' },
      ],
      exception: undefined,
      hung: undefined,
    });
  });

  it('tells an exception, a test that hangs and a silent end apart', () => {
    expect(parse('[exception]: Executing test client: ERR no.\nwhile executing').exception).toContain(
      'ERR no',
    );
    const hung = '[TIMEOUT]: clients state report follows.\nsock1 => (IN PROGRESS) BLPOP waits\n';
    expect(parse(hung).hung).toBe('BLPOP waits');
    expect(() => parse('[ok]: PING (0 ms)')).toThrow(/ended early/);
  });
});
