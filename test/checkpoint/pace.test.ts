import { expect, it } from 'vitest';
import { restFactor } from '../../src/checkpoints.js';

it.each([
  ['by time, with clients that are never quiet', 0.1, 1, 5],
  ['by time, with clients that are quiet half of the time', 0.1, 0.5, 2.5],
  ['while nobody asks anything', 0.1, 0, 0],
  ['of a log that has just become due', 1, 1, 5],
  ['of one twice as large', 2, 1, 2.5],
  ['of one twice as large, with clients that are quiet half of the time', 2, 0.5, 1.25],
  ['of one three times as large', 3, 1, 0],
  ['of one that has fallen far behind', 50, 1, 0],
])('the rests of a checkpoint %s', (_what, outgrown, utilization, factor) => {
  expect(restFactor(outgrown, utilization)).toBeCloseTo(factor, 9);
});
