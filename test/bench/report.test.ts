import { expect, test } from 'vitest';
import { chart } from './chart.mjs';
import { Histogram } from './histogram.mjs';
import { joined } from './join.mjs';
import { plan } from './plan.mjs';
import { withBlock } from './publish.mjs';
import { requestsPerSecond } from './redis-benchmark.mjs';
import { figureText, resultTable } from './report.mjs';
import { median, type Result, result } from './results.mjs';
import { chosenRows, type RowBase, rows } from './rows.mjs';

function row(base: Partial<RowBase> = {}): RowBase {
  return {
    id: 'a',
    measure: 'A & B',
    peer: 'Redis',
    unit: '/s',
    target: { of: 'ratio', atLeast: 1.5 },
    ...base,
  };
}

function measured(holdfast: number[], peer: number[], base: Partial<RowBase> = {}): Result {
  return result(row(base), { holdfast, peer }, []);
}

test('a median is the middle figure, or between the two middle ones, or nothing', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 2])).toBe(3.5);
  expect(median([])).toBeNull();
});

test('a ratio is one of medians, and is judged in the direction of its target', () => {
  expect(measured([10, 30, 20], [10, 10, 90])).toMatchObject({ ratio: 2, verdict: 'met' });
  expect(measured([10], [10])).toMatchObject({ ratio: 1, verdict: 'missed' });
  expect(measured([10], [10], { target: { of: 'ratio', atMost: 1 } }).verdict).toBe('met');
  expect(measured([11], [10], { target: { of: 'ratio', atMost: 1 } }).verdict).toBe('missed');
});

test('a target on the figure does not need the other one', () => {
  expect(measured([20], [], { target: { of: 'figure', atMost: 20 } })).toMatchObject({
    ratio: null,
    verdict: 'met',
  });
});

test('what was not measured on either side is neither met nor missed', () => {
  expect(measured([], [10]).verdict).toBe('not measured');
  expect(measured([10], []).verdict).toBe('not measured');
});

test('the table shows target, ratio and both figures with their unit', () => {
  const table = resultTable([measured([3_000_000], [1_500_000]), measured([], [1])]);
  const cells = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  expect(cells[2]).toEqual([
    '',
    'A & B',
    '>= 1.50',
    '2.00',
    '3,000,000/s',
    'Redis',
    '1,500,000/s',
    '1',
    'met',
    '',
  ]);
  expect(cells[3]).toEqual(['', 'A & B', '>= 1.50', '-', '-', 'Redis', '1/s', '0', '-', '']);
});

test.each([
  [0.714, 'ms', '0.71 ms'],
  [1234.5, 'ms', '1,235 ms'],
  [160.4, 'bytes', '160 bytes'],
  [0.8, 'times', '0.80 x'],
] as const)('%d %s reads %s', (figure, unit, text) => {
  expect(figureText(figure, unit)).toBe(text);
});

test('bars are as long as their ratios, and the target stands where a bar of its length would end', () => {
  const svg = chart([measured([3], [1]), measured([3], [2])]);
  const widths = [...svg.matchAll(/<rect class="met"[^>]* width="([\d.]+)"/g)].map((match) =>
    Number(match[1]),
  );
  expect(widths[0]! / widths[1]!).toBeCloseTo(2, 1);
  const [, left, width] = [...svg.matchAll(/<rect class="met" x="([\d.]+)"[^>]* width="([\d.]+)"/g)][1]!;
  const [, target] = [...svg.matchAll(/<line class="target" x1="([\d.]+)"/g)][1]!;
  expect(Number(target)).toBeCloseTo(Number(left) + Number(width), 0);
});

test('a chart has the rows with a ratio alone, escaped, and breaks the bar that is too long', () => {
  const absolute = measured([1], [1], { measure: 'absolute', target: { of: 'figure', atMost: 1 } });
  const svg = chart([measured([30], [1]), absolute, measured([], [1], { measure: 'missing' })]);
  expect(svg).toContain('A &amp; B');
  expect(svg).not.toMatch(/absolute|missing/);
  expect(svg.match(/<line class="break"/g)).toHaveLength(1);
});

test('a histogram is exact for small numbers and within one percent for large ones', () => {
  const histogram = new Histogram();
  for (let number = 1; number <= 100; number++) histogram.record(number);
  expect([histogram.quantile(0.5), histogram.quantile(0.99), histogram.quantile(1)]).toEqual([50, 99, 100]);
  const large = new Histogram();
  for (let number = 1; number <= 100_000; number++) large.record(number);
  for (const share of [0.01, 0.5, 0.999]) {
    const exact = share * 100_000;
    expect(large.quantile(share)).toBeGreaterThanOrEqual(exact);
    expect(large.quantile(share)).toBeLessThanOrEqual(exact * 1.01);
  }
  expect(large.max).toBe(100_000);
});

test('rows are chosen by their name, or by how it begins; an unknown one is refused', () => {
  for (const quick of [true, false]) {
    const all = rows(plan({ quick }));
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(chosenRows(all, ['memory', 'get-everysec-p1']).map(({ id }) => id)).toEqual([
      'get-everysec-p1',
      'memory-setex',
      'memory-hash',
    ]);
    expect(() => chosenRows(all, ['nonsense'])).toThrow("no row's name begins with 'nonsense'");
  }
});

test('publishing replaces what is between the marks and nothing else', () => {
  const marks = ['<!-- results: written by `npm run bench -- --publish` -->', '<!-- end of results -->'];
  const text = `before\n${marks[0]}\n\nold\n\n${marks[1]}\nafter\n`;
  expect(withBlock(text, 'new')).toBe(`before\n${marks[0]}\n\nnew\n\n${marks[1]}\nafter\n`);
  expect(() => withBlock('no marks', 'new')).toThrow('marks');
});

test('the rate is read from what redis-benchmark prints, and its absence is an error', () => {
  const csv = '"test","rps","avg_latency_ms"\n"SET key:__rand_int__ x","123456.78","0.1"\n';
  expect(requestsPerSecond(csv)).toBe(123456.78);
  expect(() => requestsPerSecond('ERR something\n')).toThrow('no rate');
});

test('a row of several runs has the rounds of all of them', () => {
  const full = plan({ quick: false });
  const [measuredRow] = rows(full);
  const part = (holdfast: number[], peer: number[], notes: string[]) => ({
    circumstances: { date: '2026-01-01', machine: 'm', versions: 'v' },
    plan: full,
    complete: false,
    results: [result(measuredRow!, { holdfast, peer }, notes)],
  });
  const [pooled] = joined([part([1, 9], [2], ['one', 'two']), part([5], [2, 6, 6], ['two'])]).results;
  expect(pooled).toMatchObject({ holdfast: 5, peerFigure: 4, ratio: 1.25, notes: ['one', 'two'] });
});

test('parts of a run are joined in the usual order, and only where they were made alike', () => {
  const full = plan({ quick: false });
  const [first, second, ...rest] = rows(full).map((each) => result(each, { holdfast: [1], peer: [1] }, []));
  const circumstances = { date: '2026-01-01', machine: 'm', versions: 'v' };
  const part = (results: Result[], rounds = 5) => ({
    circumstances,
    plan: { ...full, rounds },
    complete: false,
    results,
  });
  const parts = [part([second!, first!]), part(rest, 2)];
  const run = joined(parts);
  expect(run.complete).toBe(true);
  expect(run.results.map(({ id }) => id)).toEqual(rows(full).map(({ id }) => id));
  expect(joined([part([first!])]).complete).toBe(false);
  const elsewhere = { ...part(rest), circumstances: { ...circumstances, versions: 'w' } };
  expect(() => joined([part([first!]), elsewhere])).toThrow('the runs differ');
  const quick = { ...part(rest), plan: plan({ quick: true }) };
  expect(() => joined([part([first!]), quick])).toThrow('different amounts');
});
