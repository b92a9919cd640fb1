/** Shifts and rotations (SDM vol. 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD). A count of 0 leaves the flags alone. */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I64 } from '@axvisor/softcpu';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { carryBit, flagsWanted, setCarries, setWords, shiftFlags } from './flags.ts';
import type { Operands } from './operands.ts';
import { TOP, sext, zext } from './value.ts';
import type { Size } from './value.ts';

const c = (value: number | bigint): I64 => i64.const(value);
const up = (value: I64, count: number): I64 => i64.shl(value, c(count));
const options = { bySize: true, fast: true, frequent: true, outline: (v: { readonly sizes: readonly Size[]; readonly places: readonly string[] }): boolean => (v.sizes[0] as Size) < 32 || v.places[0] === 'm' } as const;

/** The count: its low five bits, six for 64-bit operands. */
const countOf = (o: Operands, i: number): I64 => o.e.let(i64.and(o.raw(i), c(o.sizeOf(0) === 64 ? 63 : 31)));

/** What a shift yields: its result (bound), and how it sets the flags. */
interface Shifted {
  readonly result: I64;
  readonly flags: () => void;
}

/** `shift(a, count)`, which is the operand where the count is 0: 32 bits still clear the upper half, and memory is written. Flags are set behind that. */
function shifting(shift: (e: Emitter, size: Size, a: I64, count: I64) => Shifted): Definition {
  return define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const count = countOf(o, 1);
    const { result, flags } = shift(e, size, o.update(0), count);
    o.set(0, result);
    if (flagsWanted(e)) e.if(i64.ne(count, c(0)), flags, undefined, true);
  }, options);
}

const simpleShift = (kind: 'left' | 'right' | 'rightSigned', shift: (size: Size, a: I64, count: I64) => I64): Definition =>
  shifting((e, size, a, count) => ({ result: e.let(shift(size, a, count)), flags: () => shiftFlags(e, kind, size, a, count) }));

const shl = simpleShift('left', (_size, a, count) => i64.shl(a, count));
const shr = simpleShift('right', (_size, a, count) => i64.shr_u(a, count));
const sar = simpleShift('rightSigned', (size, a, count) => i64.shr_s(sext(a, size), count));

/** Rotation within the operand; a count that is a multiple of the size changes CF and OF alone. */
const rotate = (left: boolean): Definition =>
  shifting((e, size, a, count) => {
    const op = left ? i64.rotl : i64.rotr;
    let result: I64;
    if (size === 64) result = e.let(op(a, count));
    else if (size === 32) result = e.let(i64.extend_i32_u((left ? i32.rotl : i32.rotr)(i32.wrap_i64(a), i32.wrap_i64(count))));
    else {
      // Copies of the operand fill the word, of which one comes out.
      const twice = e.let(size === 8 ? i64.mul(a, c(0x0101_0101)) : i64.mul(a, c(0x0001_0001)));
      result = e.let(zext(i64.extend_i32_u((left ? i32.rotl : i32.rotr)(i32.wrap_i64(twice), i32.wrap_i64(count))), size));
    }
    const carries = left ? i64.or(up(result, 63), i64.shr_u(up(result, 64 - size), c(1))) : up(result, 64 - size);
    return { result, flags: () => setCarries(e, carries) };
  });

/** Rotation through CF, of a number with one bit more than the operand. */
const rotateThrough = (left: boolean): Definition =>
  shifting((e, size, a, masked) => {
    const carry = e.let(i64.shr_u(carryBit(e), c(63)));
    if (size === 64) {
      const one = c(1);
      const rest = e.let(i64.sub(c(64), masked));
      const less = e.let(i64.sub(masked, one));
      const rotated =
        left
          ? i64.or(i64.or(i64.shl(a, masked), i64.shl(carry, less)), i64.shr_u(i64.shr_u(a, one), rest))
          : i64.or(i64.or(i64.shr_u(a, masked), i64.shl(carry, rest)), i64.shl(i64.shl(a, one), rest));
      const result = e.let(select(i64.eqz(masked), a, rotated));
      const out = e.let(left ? i64.shl(a, less) : up(i64.shr_u(a, less), 63));
      return { result, flags: () => setCarries(e, left ? i64.or(i64.and(out, TOP), i64.shr_u(result, one)) : rightCarries(out, result)) };
    }
    const bits = size + 1;
    const count = e.let(size === 32 ? masked : i64.rem_u(masked, c(bits)));
    const whole = e.let(i64.or(a, up(carry, size)));
    const other = i64.sub(c(bits), count);
    const all = i64.or(left ? i64.shl(whole, count) : i64.shr_u(whole, count), left ? i64.shr_u(whole, other) : i64.shl(whole, other));
    const rotated = e.let(i64.and(all, c((1n << BigInt(bits)) - 1n)));
    const carries = (): I64 => (left ? up(rotated, 63 - size) : rightCarries(e.let(up(rotated, 63 - size)), up(rotated, 64 - size)));
    // A count that is a multiple of the number's size changes nothing.
    const flags = (): void => e.if(i64.eqz(count), () => {}, () => setCarries(e, carries()));
    return { result: e.let(zext(rotated, size)), flags };
  });

/** RCR: CF in bit 63 of `out`; OF is whether the two top bits of the result differ. */
function rightCarries(out: I64, result: I64): I64 {
  const overflow = i64.and(i64.xor(result, up(result, 1)), TOP);
  return i64.or(i64.and(out, TOP), i64.shr_u(i64.xor(i64.and(out, TOP), overflow), c(1)));
}

/** SHLD, SHRD: bits come in from the second operand. */
const double = (left: boolean): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const count = countOf(o, 2);
    const source = o.bound(1);
    const { result, carries } = (left ? doubleLeft : doubleRight)(e, size, o.update(0), source, count);
    o.set(0, result);
    if (flagsWanted(e)) e.if(i64.ne(count, c(0)), () => setWords(e, sext(result, size), carries()), undefined, true);
  }, { bySize: true, outline: true });

type DoubleShift = (e: Emitter, size: Size, a: I64, source: I64, count: I64) => { readonly result: I64; readonly carries: () => I64 };

/** Of 64-bit operands a count of 0 has no rest. */
const unlessNone = (size: Size, count: I64, a: I64, result: I64): I64 => (size === 64 ? select(i64.eqz(count), a, result) : result);

// Of 16-bit operands, counts above 16 go on with the first operand again.
const doubleLeft: DoubleShift = (e, size, a, source, count) => {
  const whole = size === 16 ? e.let(i64.or(up(a, 32), i64.or(up(source, 16), a))) : a;
  const shifted = size === 16 ? i64.shr_u(i64.shl(whole, count), c(32)) : i64.or(i64.shl(a, count), i64.shr_u(source, i64.sub(c(size), count)));
  const result = e.let(unlessNone(size, count, a, shifted));
  const top = size === 16 ? 16 : 64 - size;
  return { result, carries: () => i64.or(i64.and(i64.shl(up(whole, top), i64.sub(count, c(1))), TOP), i64.shr_u(up(result, 64 - size), c(1))) };
};

const doubleRight: DoubleShift = (e, size, a, source, count) => {
  const whole = size === 16 ? e.let(i64.or(a, up(i64.or(source, up(a, 16)), 16))) : a;
  const shifted = size === 16 ? i64.shr_u(whole, count) : i64.or(i64.shr_u(a, count), i64.shl(source, i64.sub(c(size), count)));
  const result = e.let(zext(unlessNone(size, count, a, shifted), size));
  return { result, carries: () => rightCarries(e.let(up(i64.shr_u(whole, i64.sub(count, c(1))), 63)), e.let(up(result, 64 - size))) };
};

/** BMI2's shifts, which set no flags. */
const plain = (shift: (size: Size, a: I64, count: I64) => I64): Definition =>
  define((o) => {
    const size = o.sizeOf(0);
    o.set(0, shift(size, o.get(1), i64.and(o.raw(2), c(size - 1))));
  }, { bySize: true, outline: true });

export const shifts: Definitions = {
  shl,
  shr,
  sar,
  rol: rotate(true),
  ror: rotate(false),
  rcl: { ...rotateThrough(true), outline: true },
  rcr: { ...rotateThrough(false), outline: true },
  shld: double(true),
  shrd: double(false),
  shlx: plain((_size, a, count) => i64.shl(a, count)),
  shrx: plain((_size, a, count) => i64.shr_u(a, count)),
  sarx: plain((size, a, count) => i64.shr_s(sext(a, size), count)),
  rorx: plain((size, a, count) => (size === 64 ? i64.rotr(a, count) : select(i64.eqz(count), a, i64.or(i64.shr_u(a, count), i64.shl(a, i64.sub(c(size), count)))))),
};
