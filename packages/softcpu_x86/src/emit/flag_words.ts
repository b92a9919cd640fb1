/**
 * What the words of lazily kept flags mean (`FlagKind` in `state.ts`): the three words of kind `words` that follow from those of the other
 * kinds, and conditions. Pure: nothing here reads or writes the state.
 */
import { i32, i64 } from '@axvisor/softcpu';
import type { Block, I32, I64 } from '@axvisor/softcpu';
import { Flag, FlagKind } from '../state.ts';
import { TOP, fromBool, sext, zext } from './value.ts';
import type { Size } from './value.ts';

export const shl = (value: I64, count: number): I64 => i64.shl(value, i64.const(count));
export const shr = (value: I64, count: number): I64 => i64.shr_u(value, i64.const(count));
export const negative = (value: I64): I32 => i64.lt_s(value, i64.const(0));
export const not = (value: I64): I64 => i64.xor(value, i64.const(-1));

/** The three words of kind `words`, each a value that may be used more than once. */
export interface Words {
  readonly result: I64;
  readonly carries: I64;
  readonly adjust: I64;
}

/** Carries from CF and OF, each in bit 63. */
export const carriesOf = (carry: I64, overflow: I64): I64 => i64.or(i64.and(carry, TOP), shr(i64.and(i64.xor(carry, overflow), TOP), 1));

/** Carries out of the upper bits of `a - b` or `a + b`: `result` is not cut, and may have a borrow or carry in it. */
function carriesOut(difference: boolean, size: Size, a: I64, b: I64, result: I64): I64 {
  if (size !== 64) return shl(i64.xor(i64.xor(a, b), result), 63 - size);
  const [first, last] = difference ? [not(a), result] : [a, not(result)];
  return i64.or(i64.and(first, b), i64.and(i64.or(first, b), last));
}

/** Bit 4 of the carries into each bit of a sum or difference. */
const adjustOf = (a: I64, b: I64, result: I64): I64 => i64.and(i64.xor(i64.xor(a, b), result), i64.const(Flag.AF));

/** OF of a step in bit 63: the sign became set, or clear. */
function stepOverflow(down: boolean, size: Size, a: I64, result: I64): I64 {
  return shl(down ? i64.and(a, not(result)) : i64.and(result, not(a)), 64 - size);
}

type Bind = Pick<Block, 'let'>;
type LazyWords = { readonly [Part in keyof Words]: () => I64 };

/** How a kind's words follow from the operands `a` and `b` and the third word `c`, each computed when it is asked for. */
type Meaning = (b: Bind, size: Size, x: I64, y: I64, c: I64) => LazyWords;

const ZERO = i64.const(0);

/** Sums and differences, with what else is added or subtracted. */
const chain = (difference: boolean, withCarry: boolean): Meaning => (bind, size, x, y, c) => {
  const plain = difference ? i64.sub(x, y) : i64.add(x, y);
  const value = bind.let(withCarry ? (difference ? i64.sub(plain, c) : i64.add(plain, c)) : plain);
  return { result: () => sext(value, size), carries: () => carriesOut(difference, size, x, y, value), adjust: () => adjustOf(x, y, value) };
};

const shiftLeft: Meaning = (_, size, x, y) => ({
  result: () => sext(i64.shl(x, y), size),
  // The last bit out ends in bit 63, the sign, which OF of single shifts is compared with, below.
  carries: () => i64.shl(shl(x, 64 - size), i64.sub(y, i64.const(1))),
  adjust: () => ZERO,
});

const shiftRight: Meaning = (bind, size, x, y) => ({
  result: () => sext(i64.shr_u(x, y), size),
  carries: () => {
    const carry = bind.let(shl(i64.shr_u(x, i64.sub(y, i64.const(1))), 63));
    // OF of single shifts is the old sign: now below the top.
    const overflow = i64.and(shl(i64.shr_u(x, y), 64 - size), i64.const(1n << 62n));
    return i64.or(carry, i64.xor(shr(carry, 1), overflow));
  },
  adjust: () => ZERO,
});

const shiftRightSigned: Meaning = (_, size, x, y) => ({
  result: () => i64.shr_s(sext(x, size), y),
  carries: () => i64.shr_s(shl(i64.shr_s(sext(x, size), i64.sub(y, i64.const(1))), 63), i64.const(1)),
  adjust: () => ZERO,
});

/** CF and OF say that the product is not its lower half sign-extended. */
const product: Meaning = (bind, size, x, y) => {
  const value = bind.let(i64.mul(sext(x, size), sext(y, size)));
  return { result: () => sext(value, size), carries: () => shl(fromBool(i64.ne(value, sext(value, size))), 63), adjust: () => ZERO };
};

/** CF stays: it is in bit 63 of the second word. */
const step = (down: boolean): Meaning => (bind, size, x, y) => {
  const value = bind.let(down ? i64.sub(x, i64.const(1)) : i64.add(x, i64.const(1)));
  return {
    result: () => sext(value, size),
    carries: () => carriesOf(y, bind.let(stepOverflow(down, size, x, value))),
    adjust: () => adjustOf(x, i64.const(1), value),
  };
};

const MEANINGS: Readonly<Record<number, Meaning>> = {
  [FlagKind.difference]: chain(true, false),
  [FlagKind.sum]: chain(false, false),
  [FlagKind.borrow]: chain(true, true),
  [FlagKind.carry]: chain(false, true),
  [FlagKind.left]: shiftLeft,
  [FlagKind.right]: shiftRight,
  [FlagKind.rightSigned]: shiftRightSigned,
  [FlagKind.product]: product,
  [FlagKind.increment]: step(false),
  [FlagKind.decrement]: step(true),
};

/** What the flags are kept as, where that is known: behind most instructions that set them in translated code. */
export interface Known {
  readonly kind: number;
  readonly size: Size;
}

/** Words of a known kind, of those asked for; bound. */
export function wordsOf(bind: Bind, { kind, size }: Known, x: I64, y: I64, c: I64): Words {
  const lazy = (MEANINGS[kind] as Meaning)(bind, size, x, y, c);
  return {
    get result(): I64 {
      return bind.let(lazy.result());
    },
    get carries(): I64 {
      return bind.let(lazy.carries());
    },
    get adjust(): I64 {
      return bind.let(lazy.adjust());
    },
  };
}

// ── conditions ──

/** Conditions with an even number, by half of it: O, B, E, BE, S, P, L, LE. */
export type Positive = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
export const CARRY: Positive = 1;
export const PARITY: Positive = 5;

/** PF: the low byte has an even number of ones. */
export function parity(result: I64, adjust: I64): I32 {
  const ones = i64.popcnt(zext(result, 8));
  return i32.wrap_i64(i64.and(i64.xor(i64.xor(ones, shr(adjust, 62)), i64.const(1)), i64.const(1)));
}

/** Whether a condition holds by the three words. */
export function ofWords(words: Words, positive: Positive): I32 {
  const overflow = (): I64 => {
    const { carries } = words;
    return i64.xor(carries, shl(carries, 1));
  };
  const less = (result: I64): I32 => negative(i64.xor(i64.xor(result, words.adjust), overflow()));
  switch (positive) {
    case 0: return negative(overflow());
    case 1: return negative(words.carries);
    case 2: return i64.eqz(words.result);
    case 3: return i32.or(negative(words.carries), i64.eqz(words.result));
    case 4: return negative(i64.xor(words.result, words.adjust));
    case 5: return parity(words.result, words.adjust);
    case 6: return less(words.result);
    default: {
      const { result } = words;
      return i32.or(less(result), i64.eqz(result));
    }
  }
}

/** Whether a constant is none that instructions on 64 bits have, as it is no sign-extended one of 32. */
const isLarge = (value: I64): boolean => value.kind === 'const' && (value.value as bigint) > 0x7fff_ffffn;

/** The same of a difference of zero-extended operands: one comparison, mostly. */
export function ofDifference(size: Size, a: I64, b: I64, positive: Positive): I32 {
  const low = (value: I64): I32 => i32.wrap_i64(value);
  const signed = (value: I64): I32 => (size === 32 ? low(value) : size === 16 ? i32.extend16_s(low(value)) : i32.extend8_s(low(value)));
  const unsignedOrder = (wide: (x: I64, y: I64) => I32, narrow: (x: I32, y: I32) => I32): I32 => (size === 32 && isLarge(b) ? narrow(low(a), low(b)) : wide(a, b));
  const signedOrder = (wide: (x: I64, y: I64) => I32, narrow: (x: I32, y: I32) => I32): I32 => (size === 64 ? wide(a, b) : narrow(signed(a), signed(b)));
  switch (positive) {
    case 0: return negative(shl(i64.and(i64.xor(a, b), i64.xor(a, i64.sub(a, b))), 64 - size));
    case 1: return unsignedOrder(i64.lt_u, i32.lt_u);
    case 2: return unsignedOrder(i64.eq, i32.eq);
    case 3: return unsignedOrder(i64.le_u, i32.le_u);
    case 4: return negative(shl(i64.sub(a, b), 64 - size));
    case 5: return parity(i64.sub(a, b), ZERO);
    case 6: return signedOrder(i64.lt_s, i32.lt_s);
    default: return signedOrder(i64.le_s, i32.le_s);
  }
}

/** The same of a sum. */
function ofSum(bind: Bind, size: Size, a: I64, b: I64, positive: Positive): I32 {
  const sum = bind.let(i64.add(a, b));
  const carry = (): I32 => (size === 64 ? i64.lt_u(sum, a) : i32.wrap_i64(shr(sum, size)));
  if (positive === CARRY) return carry();
  if (positive === 2) return i64.eqz(zext(sum, size));
  if (positive === 3) return i32.or(carry(), i64.eqz(zext(sum, size)));
  return ofWords(wordsOf(bind, { kind: FlagKind.sum, size }, a, b, ZERO), positive);
}

/** Whether a condition holds by the words of a known kind. */
export function holds(bind: Bind, known: Known, x: I64, y: I64, c: I64, positive: Positive): I32 {
  const { kind, size } = known;
  if (kind === FlagKind.difference) return ofDifference(size, x, y, positive);
  if (kind === FlagKind.sum) return ofSum(bind, size, x, y, positive);
  return ofWords(wordsOf(bind, known, x, y, c), positive);
}
