/** Element operations that yield a number of the same precision (Arm ARM, shared/functions/float). */
import { estimateReciprocal, estimateReciprocalRoot, reciprocalExponent } from './estimate.ts';
import type { Element, FpUnit } from './unit.ts';

/** Computes `result` from a, b and c, which are flushed already; exceptions are in the environment. */
export type ElementOp = (u: FpUnit) => void;

const exponentField = (u: FpUnit, x: Element): number => (u.log === 3 ? (x.hi >>> 20) & 0x7ff : u.log === 2 ? (x.lo >>> 23) & 0xff : (x.lo >>> 10) & 0x1f);

/** Halves a normal number that stays normal. */
function halve(u: FpUnit, x: Element): void {
  if (u.log === 3) x.hi -= 0x100000;
  else x.lo -= u.log === 2 ? 0x800000 : 0x400;
}

/** Whether the product is infinity times zero. */
const isIndefinite = (u: FpUnit): boolean => (u.isInfinite(u.a) && u.isZero(u.b)) || (u.isZero(u.a) && u.isInfinite(u.b));

/** FPMulX: infinity times zero is 2 with the product's sign. */
const mulx: ElementOp = (u) => {
  if (!isIndefinite(u)) return u.binary('mul');
  const negative = u.isNegative(u.a) !== u.isNegative(u.b);
  u.set(u.result, 2);
  if (negative) u.negate(u.result);
};

/** FPRecipStepFused: 2 - a × b. */
const recps: ElementOp = (u) => {
  u.negate(u.a);
  if (isIndefinite(u)) return u.set(u.result, 2);
  u.set(u.c, 2);
  u.mulAdd();
};

/** FPRSqrtStepFused: (3 - a × b) / 2, as 1.5 - a × b/2; where neither can be halved exactly, the product is too small to matter. */
const rsqrts: ElementOp = (u) => {
  u.negate(u.a);
  if (isIndefinite(u)) return u.set(u.result, 1.5);
  u.set(u.c, 1.5);
  const special = u.log === 3 ? 0x7ff : u.log === 2 ? 0xff : 0x1f;
  const halvable = (x: Element): boolean => exponentField(u, x) >= 2 && exponentField(u, x) < special;
  if (halvable(u.a)) halve(u, u.a);
  else if (halvable(u.b)) halve(u, u.b);
  u.mulAdd();
};

const minMax = (max: boolean, kind: 'number2008' | 'nan2019'): ElementOp => (u) => u.minMax(max, kind);

/** Two operands. */
export const binaryOps: Readonly<Record<string, ElementOp>> = {
  fadd: (u) => u.binary('add'),
  fsub: (u) => u.binary('sub'),
  fmul: (u) => u.binary('mul'),
  fdiv: (u) => u.binary('div'),
  fnmul: (u) => {
    u.binary('mul');
    u.negate(u.result);
  },
  fmulx: mulx,
  fmax: minMax(true, 'nan2019'),
  fmin: minMax(false, 'nan2019'),
  fmaxnm: minMax(true, 'number2008'),
  fminnm: minMax(false, 'number2008'),
  fabd: (u) => {
    u.binary('sub');
    u.magnitude(u.result);
  },
  frecps: recps,
  frsqrts: rsqrts,
};

/** c ± a × b, and what FNMADD and FNMSUB make of the signs. */
const fused = (negateProduct: boolean, negateAddend: boolean): ElementOp => (u) => {
  if (negateProduct) u.negate(u.a);
  if (negateAddend) u.negate(u.c);
  u.mulAdd();
};
export const ternaryOps: Readonly<Record<string, ElementOp>> = {
  fmadd: fused(false, false),
  fmsub: fused(true, false),
  fnmadd: fused(true, true),
  fnmsub: fused(false, true),
  fmla: fused(false, false),
  fmls: fused(true, false),
};

const toIntegral = (rounding: 0 | 1 | 2 | 3 | 4 | undefined, exact: boolean): ElementOp => (u) => {
  u.env.rounding = rounding ?? u.roundingOfFpcr;
  u.roundToIntegral(exact);
};

/** One operand. */
export const unaryOps: Readonly<Record<string, ElementOp>> = {
  fsqrt: (u) => u.sqrt(),
  frintn: toIntegral(0, false),
  frintz: toIntegral(1, false),
  frintm: toIntegral(2, false),
  frintp: toIntegral(3, false),
  frinta: toIntegral(4, false),
  frintx: toIntegral(undefined, true),
  frinti: toIntegral(undefined, false),
  frecpe: (u) => estimateReciprocal(u),
  frsqrte: (u) => estimateReciprocalRoot(u),
  frecpx: (u) => reciprocalExponent(u),
};

/** Comparisons: true or false of a and b. Greater is less with the operands exchanged. */
export const comparisons: Readonly<Record<string, (u: FpUnit) => boolean>> = {
  fcmeq: (u) => u.compare('equal', u.a, u.b, false),
  fcmge: (u) => u.compare('lessOrEqual', u.b, u.a, true),
  fcmgt: (u) => u.compare('lessThan', u.b, u.a, true),
  fcmle: (u) => u.compare('lessOrEqual', u.a, u.b, true),
  fcmlt: (u) => u.compare('lessThan', u.a, u.b, true),
  facge: (u) => {
    u.magnitude(u.a);
    u.magnitude(u.b);
    return u.compare('lessOrEqual', u.b, u.a, true);
  },
  facgt: (u) => {
    u.magnitude(u.a);
    u.magnitude(u.b);
    return u.compare('lessThan', u.b, u.a, true);
  },
};
