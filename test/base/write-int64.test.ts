import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INT64_MAX, INT64_MIN, parseInt64, writeInt64 } from '../../src/base/bytes.js';

describe('writeInt64', () => {
  it('writes what parseInt64 reads', () => {
    const target = Buffer.alloc(24);
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: INT64_MIN, max: INT64_MAX })), (value) => {
        const end = writeInt64(value, target, 2);
        expect(target.toString('latin1', 2, end)).toBe(String(value));
        expect(BigInt(parseInt64(target, 2, end)!)).toBe(BigInt(value));
      }),
    );
  });

  it.each([0, 9, 10, 99, 100, 999_999_999, 1_000_000_000, 2 ** 31, Number.MAX_SAFE_INTEGER])(
    'writes %d and its negative',
    (value) => {
      const target = Buffer.alloc(24);
      expect(target.toString('latin1', 0, writeInt64(value, target, 0))).toBe(String(value));
      if (value !== 0)
        expect(target.toString('latin1', 0, writeInt64(-value, target, 0))).toBe(String(-value));
    },
  );
});
