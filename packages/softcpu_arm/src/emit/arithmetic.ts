/** Data processing with one, two and three sources, and with carry (Arm ARM, C6.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, Expr, I64 } from '@axvisor/softcpu';
import { bySf, single, source, target } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { carryFlags, condition } from './flags.ts';
import { both, threeRegisters } from './registers.ts';
import type { Int } from './registers.ts';
import type { Width } from './width.ts';

const binary = (f: <T extends Int>(w: Width<T>, a: Expr<T>, b: Expr<T>) => Expr<T>): Definition => both(threeRegisters, (w) => (e) => w.set(e, 'd', f(w, w.get(e, 'n'), w.get(e, 'm'))));

/** Division: by zero gives 0, the overflow of the most negative number itself; WebAssembly would trap. */
const divide = (isSigned: boolean): Definition =>
  both(threeRegisters, (w) => (e) => {
    const a = e.let(w.get(e, 'n'));
    const b = e.let(w.get(e, 'm'));
    const result = e.variable(w.const(0));
    e.if(w.eqz(b), () => {}, () => {
      if (!isSigned) e.assign(result, w.div_u(a, b));
      else e.if(w.eq(b, w.const(-1)), () => e.assign(result, w.sub(w.const(0), a)), () => e.assign(result, w.div_s(a, b)), false);
    }, false);
    w.set(e, 'd', result.get);
  });

/** CS. */
const CARRY_SET = 2;

/** ADC and SBC: SBC adds the inverted operand. */
const withCarry = (invert: boolean, flags: boolean): Definition =>
  both(threeRegisters, (w) => (e) => {
    const a = e.let(w.get(e, 'n'));
    const b = e.let(invert ? w.xor(w.get(e, 'm'), w.const(-1)) : w.get(e, 'm'));
    const carry = e.let(w.from32(condition(e, CARRY_SET)));
    const partial = e.let(w.add(a, b));
    const result = e.let(w.add(partial, carry));
    if (flags) {
      carryFlags(e, w, a, b, result, i32.or(w.lt_u(partial, a), w.lt_u(result, partial)));
    }
    w.set(e, 'd', result);
  });

const multiplyAdd = (subtract: boolean): Definition =>
  both({ ...threeRegisters, a: source('Ra') }, (w) => (e) => {
    const product = w.mul(w.get(e, 'n'), w.get(e, 'm'));
    w.set(e, 'd', subtract ? w.sub(w.get(e, 'a'), product) : w.add(w.get(e, 'a'), product));
  });

const multiplyLong = (extension: (x: I64) => I64, subtract: boolean): Definition =>
  single({ ...threeRegisters, a: source('Ra') }, (e) => {
    const product = i64.mul(extension(e.reg('n')), extension(e.reg('m')));
    e.setReg('d', subtract ? i64.sub(e.reg('a'), product) : i64.add(e.reg('a'), product));
  });
const unsignedWord = (x: I64): I64 => i64.and(x, i64.const(0xffff_ffff));

/** Upper 64 bits of the product, from four 32-bit partial products; signed operands are corrected for. */
const multiplyHigh = (isSigned: boolean): Definition =>
  single(threeRegisters, (e) => {
    const shift = i64.const(32);
    const a = e.let(e.reg('n'));
    const b = e.let(e.reg('m'));
    const [aLow, aHigh, bLow, bHigh] = [unsignedWord(a), i64.shr_u(a, shift), unsignedWord(b), i64.shr_u(b, shift)].map((x) => e.let(x)) as [I64, I64, I64, I64];
    const middle = e.let(i64.add(i64.mul(aHigh, bLow), i64.shr_u(i64.mul(aLow, bLow), shift)));
    const other = i64.add(i64.mul(aLow, bHigh), unsignedWord(middle));
    const result = i64.add(i64.add(i64.mul(aHigh, bHigh), i64.shr_u(middle, shift)), i64.shr_u(other, shift));
    const correction = (x: I64, y: I64): I64 => i64.and(i64.shr_s(x, i64.const(63)), y);
    e.setReg('d', isSigned ? i64.sub(i64.sub(result, correction(a, b)), correction(b, a)) : result);
  });

const unary = (f: <T extends Int>(e: Emitter, w: Width<T>, a: Expr<T>) => Expr<T>): Definition =>
  both({ d: target('Rd'), n: source('Rn') }, (w) => (e) => w.set(e, 'd', f(e, w, e.let(w.get(e, 'n')))));

/** Neighbouring groups of `width` bits swapped. */
export function swapGroups(e: Pick<Emitter, 'let'>, x: I64, width: number): I64 {
  let mask = (1n << BigInt(width)) - 1n;
  for (let filled = 2 * width; filled < 64; filled *= 2) mask |= mask << BigInt(filled);
  const shift = i64.const(width);
  return e.let(i64.or(i64.shl(i64.and(x, i64.const(mask)), shift), i64.and(i64.shr_u(x, shift), i64.const(mask))));
}

/** Swaps on 64 bits, then brings the wanted word down where only 32 are. */
const swaps = (widths: readonly number[], shift32 = 0, shift64 = 0): Definition => {
  const swap = (e: Emitter): I64 => widths.reduce((x, width) => (width === 32 ? e.let(i64.rotl(x, i64.const(32))) : swapGroups(e, x, width)), e.let(e.reg('n')));
  const record = { d: target('Rd'), n: source('Rn') };
  return bySf(record, (e) => e.setReg('d', unsignedWord(i64.shr_u(swap(e), i64.const(shift32)))), (e) => e.setReg('d', i64.shr_u(swap(e), i64.const(shift64))));
};

/** CRC32: bit by bit from the lowest, which is short enough in code; the polynomial is the only difference (Arm ARM, BitReverse(Poly32Mod2)). */
const crc = (bytes: number, polynomial: number): Definition =>
  single(threeRegisters, (e) => {
    const data = bytes === 8 ? e.reg('m') : i64.and(e.reg('m'), i64.const((1n << BigInt(8 * bytes)) - 1n));
    const rest = e.variable(i64.xor(unsignedWord(e.reg('n')), data));
    const count = e.variable(i32.const(8 * bytes));
    e.loop((again) => {
      e.assign(rest, i64.xor(i64.shr_u(rest.get, i64.const(1)), select(i32.wrap_i64(i64.and(rest.get, i64.const(1))), i64.const(BigInt(polynomial >>> 0)), i64.const(0))));
      e.assign(count, i32.sub(count.get, i32.const(1)));
      again(count.get);
    });
    e.setReg('d', unsignedWord(rest.get));
  });

const cls: Definition = unary((e, w, a) => {
  const folded = e.let(w.xor(a, w.shr_s(a, w.const(w.bits - 1))));
  return w.sub(w.clz(folded), w.const(1));
});

export const arithmetic: Definitions = {
  udiv: divide(false),
  sdiv: divide(true),
  lslv: binary((w, a, b) => w.shl(a, b)),
  lsrv: binary((w, a, b) => w.shr_u(a, b)),
  asrv: binary((w, a, b) => w.shr_s(a, b)),
  rorv: binary((w, a, b) => w.rotr(a, b)),
  ...Object.fromEntries(
    (['b', 'h', 'w', 'x'] as const).flatMap((size, log) => [
      [`crc32${size}`, crc(1 << log, 0xedb88320)],
      [`crc32c${size}`, crc(1 << log, 0x82f63b78)],
    ]),
  ),
  rbit: swaps([1, 2, 4, 8, 16, 32], 32),
  rev16: swaps([8]),
  rev_32: swaps([8, 16]),
  rev32: swaps([8, 16]),
  rev_64: swaps([8, 16, 32]),
  clz: unary((_, w, a) => w.clz(a)),
  cls,
  adc: withCarry(false, false),
  adcs: withCarry(false, true),
  sbc: withCarry(true, false),
  sbcs: withCarry(true, true),
  madd: multiplyAdd(false),
  msub: multiplyAdd(true),
  smaddl: multiplyLong(i64.extend32_s, false),
  smsubl: multiplyLong(i64.extend32_s, true),
  umaddl: multiplyLong(unsignedWord, false),
  umsubl: multiplyLong(unsignedWord, true),
  smulh: multiplyHigh(true),
  umulh: multiplyHigh(false),
};
