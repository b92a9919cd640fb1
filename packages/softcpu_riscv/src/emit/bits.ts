/** Bit manipulation: Zba, Zbb, Zbc, Zbs (unprivileged manual, "B" Extension for Bit Manipulation). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import { immediate, immediateWord, register, registerWord } from './integer.ts';
import type { Definitions } from './integer.ts';

const unary =
  (f: (a: I64) => I64): Emit =>
  (e) =>
    e.setReg('rd', f(e.reg('rs1')));

/** On the low word, with a result below 2^32. */
const unaryWord = (f: (a: I32) => I32): Emit => unary((a) => i64.extend_i32_u(f(i32.wrap_i64(a))));

const unsignedWord = (a: I64): I64 => i64.and(a, i64.const(0xffff_ffff));
const shiftAdd = (shift: number): Emit => register((a, b) => i64.add(i64.shl(a, i64.const(shift)), b));
const shiftAddWord = (shift: number): Emit => register((a, b) => i64.add(i64.shl(unsignedWord(a), i64.const(shift)), b));

const not = (a: I64): I64 => i64.xor(a, i64.const(-1));
const bit = (n: I64): I64 => i64.shl(i64.const(1), n);

const choose =
  (f: (a: I64, b: I64) => I32): Emit =>
  (e) => {
    const a = e.let(e.reg('rs1'));
    const b = e.let(e.reg('rs2'));
    e.setReg('rd', select(f(a, b), a, b));
  };

/** Each byte: all ones unless it is zero. The addition carries into bit 7 of every byte whose low seven bits are not zero. */
function orCombine(e: Emitter): void {
  const low7 = i64.const(0x7f7f_7f7f_7f7f_7f7fn);
  const a = e.let(e.reg('rs1'));
  const tops = i64.and(i64.or(i64.add(i64.and(a, low7), low7), a), i64.xor(low7, i64.const(-1)));
  e.setReg('rd', i64.mul(i64.shr_u(tops, i64.const(7)), i64.const(0xff)));
}

/** Byte order reversed: neighbours swapped at widths 1, 2 and 4. */
function reverseBytes(e: Emitter): void {
  let value = e.let(e.reg('rs1'));
  for (const [width, mask] of [
    [8, 0x00ff_00ff_00ff_00ffn],
    [16, 0x0000_ffff_0000_ffffn],
  ] as const) {
    const shift = i64.const(width);
    value = e.let(i64.or(i64.shl(i64.and(value, i64.const(mask)), shift), i64.and(i64.shr_u(value, shift), i64.const(mask))));
  }
  e.setReg('rd', i64.rotl(value, i64.const(32)));
}

/** Carry-less product, low half: one shifted addend per set bit of rs2. */
function carrylessLow(e: Emitter): void {
  const sum = e.variable(i64.const(0));
  const addend = e.variable(e.reg('rs1'));
  const rest = e.variable(e.reg('rs2'));
  e.loop((again) => {
    e.assign(sum, i64.xor(sum.get, select(i32.wrap_i64(i64.and(rest.get, i64.const(1))), addend.get, i64.const(0))));
    e.assign(addend, i64.shl(addend.get, i64.const(1)));
    e.assign(rest, i64.shr_u(rest.get, i64.const(1)));
    again(i32.eqz(i64.eqz(rest.get)));
  });
  e.setReg('rd', sum.get);
}

/** Carry-less product shifted right by 63 (clmulr) and by 64 (clmulh): from the top bit of rs2 downwards. */
const carrylessHigh =
  (shift: number): Emit =>
  (e) => {
    const sum = e.variable(i64.const(0));
    const addend = e.variable(e.reg('rs1'));
    const rest = e.variable(e.reg('rs2'));
    e.loop((again) => {
      e.assign(sum, i64.xor(sum.get, select(i64.lt_s(rest.get, i64.const(0)), addend.get, i64.const(0))));
      e.assign(addend, i64.shr_u(addend.get, i64.const(1)));
      e.assign(rest, i64.shl(rest.get, i64.const(1)));
      again(i32.eqz(i64.eqz(rest.get)));
    });
    e.setReg('rd', i64.shr_u(sum.get, i64.const(shift)));
  };

export const bits: Definitions = {
  // Zba
  'add.uw': register((a, b) => i64.add(unsignedWord(a), b)),
  sh1add: shiftAdd(1),
  sh2add: shiftAdd(2),
  sh3add: shiftAdd(3),
  'sh1add.uw': shiftAddWord(1),
  'sh2add.uw': shiftAddWord(2),
  'sh3add.uw': shiftAddWord(3),
  'slli.uw': immediate((a, b) => i64.shl(unsignedWord(a), b)),
  // Zbb
  andn: register((a, b) => i64.and(a, not(b))),
  orn: register((a, b) => i64.or(a, not(b))),
  xnor: register((a, b) => not(i64.xor(a, b))),
  clz: unary(i64.clz),
  ctz: unary(i64.ctz),
  cpop: unary(i64.popcnt),
  clzw: unaryWord(i32.clz),
  ctzw: unaryWord(i32.ctz),
  cpopw: unaryWord(i32.popcnt),
  min: choose(i64.lt_s),
  minu: choose(i64.lt_u),
  max: choose(i64.gt_s),
  maxu: choose(i64.gt_u),
  'sext.b': unary(i64.extend8_s),
  'sext.h': unary(i64.extend16_s),
  'zext.h': unary((a) => i64.and(a, i64.const(0xffff))),
  rol: register(i64.rotl),
  ror: register(i64.rotr),
  rori: immediate(i64.rotr),
  rolw: registerWord(i32.rotl),
  rorw: registerWord(i32.rotr),
  roriw: immediateWord(i32.rotr),
  'orc.b': orCombine,
  rev8: reverseBytes,
  // Zbc
  clmul: carrylessLow,
  clmulr: carrylessHigh(0),
  clmulh: carrylessHigh(1),
  // Zbs
  bclr: register((a, n) => i64.and(a, not(bit(n)))),
  bclri: immediate((a, n) => i64.and(a, not(bit(n)))),
  bext: register((a, n) => i64.and(i64.shr_u(a, n), i64.const(1))),
  bexti: immediate((a, n) => i64.and(i64.shr_u(a, n), i64.const(1))),
  binv: register((a, n) => i64.xor(a, bit(n))),
  binvi: immediate((a, n) => i64.xor(a, bit(n))),
  bset: register((a, n) => i64.or(a, bit(n))),
  bseti: immediate((a, n) => i64.or(a, bit(n))),
};
