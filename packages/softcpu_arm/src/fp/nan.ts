/** NaNs as results (Arm ARM, FPProcessNaN). */
import type { FpUnit } from './unit.ts';

/** Delivers the NaN that an operation on `a` alone yields. */
export function processNan(u: FpUnit): void {
  u.b.hi = u.a.hi;
  u.b.lo = u.a.lo;
  u.binary('add');
}
