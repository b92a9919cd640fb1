/** Transcendental instructions of the x87: special values by the manual's tables (SDM vol. 2), the others by `x87_functions.ts`. */
import { angle, decode, powerMinusOne, quarters, round, sineAndCosine, tangent, timesLogarithm, timesLogarithmPlusOne } from './x87_functions.ts';
import type { Number80 } from './x87_functions.ts';
import { FSW } from '../state.ts';
import { invalid, isNumber, onTop, signOf } from './x87_operands.ts';
import type { Handler } from './x87_operands.ts';
import { Fsw, INDEFINITE, SIGN, exponentOf, isInfinite, isZero } from './x87_unit.ts';
import type { X87 } from './x87_unit.ts';

/** Rounded to 64 digits, whatever the precision control says. */
const rounded = (x: X87, operands: readonly bigint[], value: Number80): bigint | undefined => x.compute((env) => round(value, env), operands, true);
/** A result that needs no rounding. */
const settled = (x: X87, operands: readonly bigint[], bits: bigint): bigint | undefined => x.compute(() => bits, operands, true);
const INFINITY = 0x7fff_8000_0000_0000_0000n;
const UNIT = 0x3fff_8000_0000_0000_0000n;
const signed = (bits: bigint, sign: 0 | 1): bigint => (sign === 1 ? bits | SIGN : bits);
const both = (a: bigint, b: bigint): 0 | 1 => (signOf(a) === signOf(b) ? 0 : 1);

/** 2^x - 1. Beyond 1 nothing is promised; the number is left as it is. */
const power: Handler = onTop((x, value) => {
  if (!isNumber(value)) return invalid(x, [value]);
  if (isInfinite(value)) return settled(x, [value], signOf(value) === 1 ? signed(UNIT, 1) : value);
  if (isZero(value)) return settled(x, [value], value);
  if (exponentOf(value) > 0x3fff || (exponentOf(value) === 0x3fff && BigInt.asUintN(63, value) !== 0n)) {
    x.raise(Fsw.PE);
    return settled(x, [value], value);
  }
  return rounded(x, [value], powerMinusOne(decode(value)));
});

/** ST(1) = f(ST(1), ST(0)), popped. */
const ofTwo = (f: (x: X87, y: bigint, value: bigint) => bigint | undefined): Handler => (x) => {
  if (x.isEmpty(0) || x.isEmpty(1)) {
    if (x.stackFault(false)) return;
    x.set(1, INDEFINITE);
  } else {
    const [value, y] = [x.get(0), x.get(1)];
    const result = isNumber(value) && isNumber(y) ? f(x, y, value) : invalid(x, [y, value]);
    if (result === undefined) return;
    x.set(1, result);
  }
  x.pop();
};

/** y × log2 x (SDM vol. 2, table 3-48). */
const logarithm: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  if (isZero(value)) {
    if (isZero(y)) return invalid(x, operands);
    if (!isInfinite(y) && x.raise(Fsw.ZE)) return undefined;
    return settled(x, [y], signed(INFINITY, signOf(y) === 1 ? 0 : 1));
  }
  const isOne = value === UNIT;
  if (signOf(value) === 1 || (isInfinite(value) && isZero(y)) || (isInfinite(y) && isOne)) return invalid(x, operands);
  const below = exponentOf(value) < 0x3fff ? 1 : 0;
  const sign = signOf(y) === below ? 0 : 1;
  if (isInfinite(value) || isInfinite(y)) return settled(x, operands, signed(INFINITY, sign));
  if (isZero(y) || isOne) return settled(x, operands, signed(0n, isOne ? signOf(y) : sign));
  return rounded(x, operands, timesLogarithm(decode(y), decode(value)));
});
/** y × log2(x + 1) (table 3-49). At -1 and below nothing is promised. */
const logarithmPlusOne: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  if ((isInfinite(y) && isZero(value)) || (isInfinite(value) && isZero(y))) return invalid(x, operands);
  const sign = both(y, value);
  if (isInfinite(y) || isInfinite(value)) return value === signed(INFINITY, 1) ? invalid(x, operands) : settled(x, operands, signed(INFINITY, sign));
  if (isZero(y) || isZero(value)) return settled(x, operands, signed(0n, sign));
  if (signOf(value) === 1 && exponentOf(value) >= 0x3fff) return settled(x, operands, y);
  return rounded(x, operands, timesLogarithmPlusOne(decode(y), decode(value)));
});
/** The angle of (x, y) (table 3-31). */
const inverseTangent: Handler = ofTwo((x, y, value) => {
  const operands = [y, value];
  const [sign, negative] = [signOf(y), signOf(value) === 1];
  if (isInfinite(y)) return rounded(x, operands, quarters(isInfinite(value) ? (negative ? 3 : 1) : 2, sign));
  if (isInfinite(value) || isZero(y)) return negative ? rounded(x, operands, quarters(4, sign)) : settled(x, operands, signed(0n, sign));
  if (isZero(value)) return rounded(x, operands, quarters(2, sign));
  return rounded(x, operands, angle(decode(y), decode(value)));
});

/** Beyond 2^63 the argument is not reduced: C2. */
const isReducible = (bits: bigint): boolean => exponentOf(bits) < 0x3fff + 63 || exponentOf(bits) === 0x7fff;
/** Results to be in ST(0), and to be pushed; undefined where an exception stops them. */
type Trigonometric = (x: X87, value: bigint) => readonly (bigint | undefined)[];
const trigonometric = (results: 1 | 2, f: Trigonometric): Handler => (x) => {
  const [isEmpty, isFull] = [x.isEmpty(0), results === 2 && !x.isEmpty(7)];
  if (isEmpty || isFull) {
    if (x.stackFault(!isEmpty)) return;
    x.set(0, INDEFINITE);
    if (results === 2) x.put(INDEFINITE);
    x.clearC2();
    return;
  }
  const value = x.get(0);
  if (isNumber(value) && !isReducible(value)) {
    x.setCodes((x.word(FSW) & (Fsw.C0 | Fsw.C3)) | Fsw.C2);
    return;
  }
  x.clearC2();
  if (!isNumber(value) || isInfinite(value)) {
    const result = invalid(x, [value]);
    if (result === undefined) return;
    x.set(0, result);
    if (results === 2) x.put(result);
    return;
  }
  const [first, second] = f(x, value);
  if (first === undefined) return;
  x.set(0, first);
  if (second !== undefined) x.put(second);
};
const sine: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], value) : rounded(x, [value], sineAndCosine(decode(value)).sine)];
const cosine: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], UNIT) : rounded(x, [value], sineAndCosine(decode(value)).cosine)];
const sineThenCosine: Trigonometric = (x, value) => [...sine(x, value), ...cosine(x, value)];
const tangentThenOne: Trigonometric = (x, value) => [isZero(value) ? settled(x, [value], value) : rounded(x, [value], tangent(decode(value))), UNIT];

/** By the table's names. */
export const transcendentals: Readonly<Record<string, Handler>> = {
  f2xm1: power, fyl2x: logarithm, fyl2xp1: logarithmPlusOne, fpatan: inverseTangent,
  fsin: trigonometric(1, sine), fcos: trigonometric(1, cosine), fsincos: trigonometric(2, sineThenCosine), fptan: trigonometric(2, tangentThenOne),
};
