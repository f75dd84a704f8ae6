import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../src/base/log.js';
import { ProgressDisplay } from '../../src/cli/progress.js';

function display(isTTY: boolean, activity?: string) {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
  const notice = vi.fn();
  let nowMs = 0;
  const progress = new ProgressDisplay(stream, { ...silentLog, notice }, () => nowMs, activity);
  const showAt = (ms: number, done: number, total = 200) => {
    nowMs = ms;
    progress.show({ phase: 'snapshot', done, total });
  };
  return { written, notice, progress, showAt };
}

describe('on a terminal', () => {
  test('a bar is drawn ten times a second at most, and removed at the end', () => {
    const { written, progress, showAt } = display(true);
    for (let ms = 1; ms <= 250; ms++) showAt(ms, ms);
    expect(written).toEqual([
      `\rLoading the snapshot [${'#'.repeat(20)}${'-'.repeat(20)}] 50% `,
      `\rLoading the snapshot [${'#'.repeat(40)}] 100% `,
    ]);
    progress.finish();
    expect(written.at(-1)).toBe('\r\x1b[2K');
  });

  test('a loading too short for a bar writes nothing at all', () => {
    const { written, progress, showAt } = display(true);
    showAt(50, 200);
    progress.finish();
    expect(written).toEqual([]);
  });
});

describe('elsewhere', () => {
  test('a line is logged every two seconds, without control characters', () => {
    const { written, notice, progress, showAt } = display(false);
    for (let ms = 100; ms <= 4500; ms += 100) showAt(ms, ms / 100);
    progress.finish();
    expect(notice.mock.calls).toEqual([['Loading the snapshot: 10%'], ['Loading the snapshot: 20%']]);
    expect(written).toEqual([]);
  });

  test('the activity may be another than loading', () => {
    const { notice, showAt } = display(false, 'Checking');
    showAt(2000, 50);
    expect(notice).toHaveBeenCalledWith('Checking the snapshot: 25%');
  });

  test('nothing to load is all of it', () => {
    const { notice, showAt } = display(false);
    showAt(2000, 0, 0);
    expect(notice).toHaveBeenCalledWith('Loading the snapshot: 100%');
  });
});
