import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTimer } from '../../src/base/long-timer.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([1, 2 ** 31 - 1, 2 ** 31, 2 ** 33])('%d ms are waited in full', (delayMs) => {
  const action = vi.fn();
  startTimer(delayMs, action);
  vi.advanceTimersByTime(delayMs - 1);
  expect(action).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(action).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(2 ** 33);
  expect(action).toHaveBeenCalledTimes(1);
});

test('a timer may be cancelled, also in its second stretch', () => {
  const action = vi.fn();
  const cancel = startTimer(2 ** 32, action);
  vi.advanceTimersByTime(2 ** 31 + 5);
  cancel();
  vi.advanceTimersByTime(2 ** 33);
  expect(action).not.toHaveBeenCalled();
});
