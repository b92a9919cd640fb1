/** Addition, subtraction, logic, multiplication and division (SDM vol. 2: ADD … XOR, INC, DEC, NEG, NOT, TEST, CMP, MUL, IMUL, DIV, IDIV). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { define, named } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { addCarryFlags, addFlags, carryBit, carryValue, logicFlags, overflowBit, productFlags, setCarry, setOverflow, setWords, stepFlags, subBorrowFlags, subFlags } from './flags.ts';
import { DIVIDE_128, MULTIPLY_HIGH } from './functions.ts';
import { Addressing, gpr, setGpr } from './operands.ts';
import type { Operands, Variant } from './operands.ts';
import { lockedUpdate } from './locked.ts';
import { TOP, fromBool, maskOf, sext, zext } from './value.ts';
import type { Size } from './value.ts';

/** Service that raises #DE. */
export const DIVIDE_ERROR = 'divideError';

/** Forms of 8 and 16 bits and those with memory are functions of their own. */
const narrow = { bySize: true, fast: true, outline: (v: Variant): boolean => (v.sizes[0] as Size) < 32 || v.places.includes('m') };

/** What programs consist of has its place in the loop with memory at a register, too. */
const usual = { ...narrow, frequent: true, outline: (v: Variant): boolean => v.lock || (v.sizes[0] as Size) < 32 || (v.places.includes('m') && v.address64 !== Addressing.base) };

/** Comparisons have it with any address of 64 bits, and of bytes: text is compared byte by byte. */
const compared = { ...usual, outline: (v: Variant): boolean => v.sizes[0] === 16 || (v.places.includes('m') && !v.fast) };

type Compute = (e: Emitter, size: Size, a: I64, b: I64) => I64;
type SetFlags = (e: Emitter, size: Size, a: I64, b: I64, result: I64) => void;

/** `a op b`, and its flags; made for each instruction anew, before its operands are read. */
interface Operation {
  readonly compute: Compute;
  readonly setFlags: SetFlags;
}

/** `a op b` into the first operand. */
function binary(operation: (e: Emitter) => Operation, options: Omit<Definition, 'emit'> = narrow): Definition {
  return define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const { compute, setFlags } = operation(e);
    const b = o.bound(1);
    if (o.variant.lock) {
      const kept = e.variable(i64.const(0));
      const old = lockedUpdate(o, (value) => {
        e.assign(kept, compute(e, size, value, b));
        return kept.get;
      });
      setFlags(e, size, old, b, kept.get);
      return;
    }
    const a = o.update(0);
    const result = e.let(cut(size, compute(e, size, a, b)));
    o.set(0, result);
    setFlags(e, size, a, b, result);
  }, options);
}

/** A result as registers take it, where that is a sum of 32 bits. */
const cut = (size: Size, result: I64): I64 => (size === 32 ? zext(result, 32) : result);

const plain = (compute: Compute, setFlags: SetFlags): Definition => binary(() => ({ compute, setFlags }), usual);

/** Addition or subtraction with CF. */
const withCarry = (compute: (a: I64, b: I64, carry: I64) => I64, setFlags: typeof addCarryFlags): Definition =>
  binary((e) => {
    const carry = e.let(carryValue(e));
    return { compute: (_e, _size, a, b) => compute(a, b, carry), setFlags: (at, size, a, b) => setFlags(at, size, a, b, carry) };
  });

/** The same without a result. */
const comparison = (compute: Compute, setFlags: SetFlags): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const a = o.bound(0);
    const b = o.bound(1);
    setFlags(e, size, a, b, e.let(compute(e, size, a, b)));
  }, compared);

const logic: SetFlags = (e, size, _a, _b, result) => logicFlags(e, size, result);
const and: Compute = (_e, _size, a, b) => i64.and(a, b);
const subtract: Compute = (_e, _size, a, b) => i64.sub(a, b);

/** One operand: `f(a)`, with flags. */
const unary = (compute: (size: Size, a: I64) => I64, setFlags: (e: Emitter, size: Size, a: I64, result: I64) => void): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    if (o.variant.lock) {
      const old = lockedUpdate(o, (value) => compute(size, value));
      setFlags(e, size, old, e.let(compute(size, old)));
      return;
    }
    const a = o.update(0);
    const result = e.let(cut(size, compute(size, a)));
    o.set(0, result);
    setFlags(e, size, a, result);
  }, narrow);

const step = (by: 1 | -1): Definition => unary((_size, a) => i64.add(a, i64.const(by)), (e, size, a) => stepFlags(e, size, by, a));

// ── multiplication ──

/** CF = OF = `overflow`; SF, ZF and PF of the lower half, which is what processors do with these undefined ones. */
const halvesFlags = (e: Emitter, size: Size, lower: I64, overflow: I32): void => setWords(e, sext(lower, size), i64.shl(fromBool(overflow), i64.const(63)));

/** Upper half of a signed product: the unsigned one, corrected for negative operands. */
function signedHigh(e: Emitter, a: I64, b: I64): I64 {
  const high = e.call(MULTIPLY_HIGH, 'i64', [a, b]);
  const correction = (x: I64, y: I64): I64 => i64.and(i64.shr_s(x, i64.const(63)), y);
  return e.let(i64.sub(i64.sub(high, correction(a, b)), correction(b, a)));
}

/** rDX:rAX = rAX * operand; AX for bytes. */
const multiply = (signed: boolean): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const extend = (value: I64): I64 => (signed ? sext(value, size) : zext(value, size));
    const b = e.let(extend(o.raw(0)));
    const a = e.let(extend(gpr(e, 0)));
    const lower = e.let(i64.mul(a, b));
    const upper = size === 64 ? (signed ? signedHigh(e, a, b) : e.call(MULTIPLY_HIGH, 'i64', [a, b])) : e.let(i64.shr_u(lower, i64.const(size)));
    const overflow = size === 64 ? i64.ne(upper, signed ? i64.shr_s(lower, i64.const(63)) : i64.const(0)) : i64.ne(lower, extend(lower));
    const flag = e.let(overflow);
    if (size === 8) {
      setGpr(e, 0, 16, lower);
    } else {
      setGpr(e, 0, size, lower);
      setGpr(e, 2, size, upper);
    }
    halvesFlags(e, size, lower, flag);
  }, { bySize: true, outline: true });

/** IMUL with two and three operands: truncated. */
function truncated(o: Operands, first: number, second: number): void {
  const { e } = o;
  const a = e.let(o.raw(first));
  const b = e.let(o.raw(second));
  o.set(0, i64.mul(a, b));
  productFlags(e, o.sizeOf(0), a, b);
}

// ── division ──

const divideError = (e: Emitter, condition: I32): void => e.if(condition, () => e.fault(DIVIDE_ERROR), undefined, false);

/** Writes quotient and remainder. */
function quotientAndRemainder(e: Emitter, size: Size, quotient: I64, remainder: I64): void {
  if (size === 8) {
    setGpr(e, 0, 16, i64.or(zext(quotient, 8), i64.shl(zext(remainder, 8), i64.const(8))));
  } else {
    const bound = e.let(remainder);
    setGpr(e, 0, size, quotient);
    setGpr(e, 2, size, bound);
  }
}

/** rDX:rAX (AX for bytes) as one number of at most 64 bits. */
function dividend(e: Emitter, size: Size): I64 {
  if (size === 8) return zext(gpr(e, 0), 16);
  return i64.or(zext(gpr(e, 0), size), i64.shl(zext(gpr(e, 2), size), i64.const(size)));
}

const divide: Definition = define((o) => {
  const { e } = o;
  const size = o.sizeOf(0);
  const divisor = o.bound(0);
  if (size < 64) {
    const number = e.let(dividend(e, size));
    divideError(e, i64.le_u(divisor, i64.shr_u(number, i64.const(size))));
    const quotient = e.let(i64.div_u(number, divisor));
    quotientAndRemainder(e, size, quotient, i64.sub(number, i64.mul(quotient, divisor)));
    return;
  }
  const high = e.let(gpr(e, 2));
  const lower = e.let(gpr(e, 0));
  divideError(e, i64.le_u(divisor, high));
  const quotient = e.variable(i64.const(0));
  e.if(i64.eqz(high), () => e.assign(quotient, i64.div_u(lower, divisor)), () => e.assign(quotient, e.call(DIVIDE_128, 'i64', [high, lower, divisor])), true);
  quotientAndRemainder(e, size, quotient.get, i64.sub(lower, i64.mul(quotient.get, divisor)));
}, { bySize: true, outline: true });

/** Signed: of magnitudes where the dividend has more than 64 bits. */
const divideSigned: Definition = define((o) => {
  const { e } = o;
  const size = o.sizeOf(0);
  const divisor = e.let(sext(o.raw(0), size));
  divideError(e, i64.eqz(divisor));
  if (size < 64) {
    const whole = dividend(e, size);
    const number = e.let(size === 32 ? whole : sext(whole, (2 * size) as Size));
    // The most negative number by -1, which only the widest dividend can be here.
    divideError(e, i32.and(i64.eq(number, TOP), i64.eq(divisor, i64.const(-1))));
    const quotient = e.let(i64.div_s(number, divisor));
    divideError(e, i64.ne(quotient, sext(quotient, size)));
    quotientAndRemainder(e, size, quotient, i64.sub(number, i64.mul(quotient, divisor)));
    return;
  }
  const high = e.let(gpr(e, 2));
  const lower = e.let(gpr(e, 0));
  const sign = e.let(i64.shr_s(high, i64.const(63)));
  const signs = e.let(i64.xor(sign, i64.shr_s(divisor, i64.const(63))));
  const magnitude = e.let(i64.sub(i64.xor(divisor, i64.shr_s(divisor, i64.const(63))), i64.shr_s(divisor, i64.const(63))));
  // -(high:lower) = ~high:~lower + 1
  const lowerMagnitude = e.let(i64.sub(i64.xor(lower, sign), sign));
  const borrow = i64.and(fromBool(i64.eqz(lower)), sign);
  const highMagnitude = e.let(i64.add(i64.xor(high, sign), borrow));
  divideError(e, i64.le_u(magnitude, highMagnitude));
  const quotient = e.variable(i64.const(0));
  e.if(i64.eqz(highMagnitude), () => e.assign(quotient, i64.div_u(lowerMagnitude, magnitude)), () => e.assign(quotient, e.call(DIVIDE_128, 'i64', [highMagnitude, lowerMagnitude, magnitude])), true);
  // A negative quotient may be one more than a positive one.
  divideError(e, i64.gt_u(quotient.get, i64.sub(maskOf64Half(), signs)));
  const result = e.let(i64.sub(i64.xor(quotient.get, signs), signs));
  quotientAndRemainder(e, size, result, i64.sub(lower, i64.mul(result, divisor)));
}, { bySize: true, outline: true });

/** The largest positive number of 64 bits. */
const maskOf64Half = (): I64 => i64.xor(maskOf(64), TOP);

export const arithmetic: Definitions = {
  add: plain((_e, _size, a, b) => i64.add(a, b), addFlags),
  adc: withCarry((a, b, carry) => i64.add(i64.add(a, b), carry), addCarryFlags),
  sub: plain(subtract, subFlags),
  sbb: withCarry((a, b, carry) => i64.sub(i64.sub(a, b), carry), subBorrowFlags),
  and: plain(and, logic),
  or: plain((_e, _size, a, b) => i64.or(a, b), logic),
  xor: plain((_e, _size, a, b) => i64.xor(a, b), logic),
  cmp: comparison(subtract, subFlags),
  test: comparison(and, logic),
  inc: step(1),
  dec: step(-1),
  neg: unary((_size, a) => i64.sub(i64.const(0), a), (e, size, a) => subFlags(e, size, i64.const(0), a)),
  not: unary((_size, a) => i64.xor(a, i64.const(-1)), () => {}),
  mul: multiply(false),
  imul: define((o, row) => {
    if (row.operands.length === 1) multiply(true).emit(o, row);
    else truncated(o, row.operands.length === 2 ? 0 : 1, row.operands.length === 2 ? 1 : 2);
  }, { bySize: true, fast: true, outline: (v) => v.sizes.length === 1 || v.sizes[0] !== 32 }),
  div: divide,
  idiv: divideSigned,
  ...named(['adcx', 'adox'], (name) =>
    define((o) => withChain(o, name === 'adcx', o.sizeOf(0), o.bound(0), o.bound(1)), { bySize: true, outline: true })),
};

/** ADCX and ADOX: an addition whose carry comes from and goes to CF, or OF, alone. */
function withChain(o: Operands, throughCarry: boolean, size: Size, a: I64, b: I64): void {
  const { e } = o;
  const chain = e.let(i64.shr_u(throughCarry ? carryBit(e) : overflowBit(e), i64.const(63)));
  const result = e.let(i64.add(i64.add(a, b), chain));
  const carries = i64.or(i64.and(a, b), i64.and(i64.or(a, b), i64.xor(result, i64.const(-1))));
  const out = e.let(size === 64 ? carries : i64.shl(result, i64.const(31)));
  o.set(0, result);
  if (throughCarry) setCarry(e, out);
  else setOverflow(e, out);
}
