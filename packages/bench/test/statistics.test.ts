import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { geometricMean, median, significant } from '../src/statistics.ts';

describe('the median', () => {
  it('has half of the values on each side', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values);
        expect(values.filter((v) => v < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((v) => v > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

describe('the geometric mean', () => {
  it('is the root of the product', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([])).toBeNull();
  });
});

describe('rounding', () => {
  it('keeps four digits', () => {
    expect(significant(1.234567)).toBe(1.235);
    expect(significant(0.00123456)).toBe(0.001235);
  });
});
