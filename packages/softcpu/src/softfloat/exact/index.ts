/**
 * Floating point by definition: operands become exact integers times powers of two, results are rounded once.
 * For every format, in `bigint`; the oracle of the quick functions and their path for NaNs and infinities.
 */
export { add, div, mul, mulAdd, sqrt, sub } from './arith.ts';
export { classify, compare, minMax } from './compare.ts';
export { convert, fromInteger, roundToIntegral, toInteger } from './convert.ts';
export type { IntegerType } from './convert.ts';
export { defaultNan } from './nan.ts';
