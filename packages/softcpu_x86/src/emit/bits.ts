/** Bit tests, scans and counts, BMI1 and BMI2, CRC32 (SDM vol. 2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { setCarry, setWords, zeroCarryFlags } from './flags.ts';
import { MULTIPLY_HIGH } from './functions.ts';
import { lockedUpdate } from './locked.ts';
import { gpr, memoryAddress } from './operands.ts';
import type { Operands } from './operands.ts';
import { constant as c, sext, zext } from './value.ts';
import type { Size } from './value.ts';

const outlined = { bySize: true, outline: true } as const;

/** BT, BTS, BTR, BTC: a register as bit number reaches beyond a memory operand. */
const bitTest = (change?: (value: I64, bit: I64) => I64): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const index = e.let(sext(o.raw(1), size));
    if (o.place(0) === 'm' && o.place(1) !== 'i') {
      const distance = i64.shl(i64.shr_s(index, c(Math.log2(size))), c(Math.log2(size / 8)));
      o.useAddress(memoryAddress(e, o.variant, e.let(distance)));
    }
    const bit = e.let(i64.shl(c(1), i64.and(index, c(size - 1))));
    let old: I64;
    if (change === undefined) {
      old = o.bound(0);
    } else if (o.variant.lock) {
      old = lockedUpdate(o, (value) => change(value, bit));
    } else {
      old = o.update(0);
      o.set(0, change(old, bit));
    }
    setCarry(e, select(i64.eqz(i64.and(old, bit)), c(0), c(-(1n << 63n))));
  }, { bySize: true, outline: (v) => v.places[0] === 'm' || v.sizes[0] === 16 });

/** BSF, BSR: without a bit, ZF is set and the destination stays. */
const scan = (find: (value: I64) => I64): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const value = o.bound(1);
    e.if(i64.eqz(value), () => {}, () => o.set(0, find(value)));
    setWords(e, sext(value, size), c(0));
  }, outlined);

/** TZCNT, LZCNT: the size without a bit. */
const count = (find: (value: I64, size: Size) => I64): Definition =>
  define((o) => {
    const { e } = o;
    const value = o.bound(1);
    const result = e.let(find(value, o.sizeOf(0)));
    o.set(0, result);
    zeroCarryFlags(e, i64.eqz(result), i64.eqz(value));
  }, outlined);

/** BMI1: `f(a)` with flags of a logical result, and CF. */
const lowest = (f: (a: I64) => I64, carry: (a: I64) => I32): Definition =>
  define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const a = o.bound(1);
    const result = e.let(zext(f(a), size));
    o.set(0, result);
    logicWithCarry(e, size, result, carry(a));
  }, outlined);

/** CF as told, OF 0, SF and ZF of the result. */
function logicWithCarry(e: Emitter, size: Size, result: I64, carry: I32): void {
  const flag = e.let(i64.extend_i32_u(carry));
  setWords(e, sext(result, size), i64.or(i64.shl(flag, c(63)), i64.shl(flag, c(62))));
}

const minusOne = (value: I64): I64 => i64.sub(value, c(1));
const negated = (value: I64): I64 => i64.sub(c(0), value);

/** Low `length` bits, 64 or more being all. */
const lowBits = (length: I64): I64 => select(i64.ge_u(length, c(64)), c(-1), minusOne(i64.shl(c(1), length)));

/** PEXT and PDEP: bit by bit of the mask from the lowest. */
const parallel = (deposit: boolean): Definition =>
  define((o) => {
    const { e } = o;
    const source = o.bound(1);
    const mask = e.variable(o.get(2));
    const result = e.variable(c(0));
    const bit = e.variable(c(1));
    e.if(i64.eqz(mask.get), () => {}, () => {
      e.loop((again) => {
        const lowestBit = e.let(i64.and(mask.get, negated(mask.get)));
        const [from, to] = deposit ? [bit.get, lowestBit] : [lowestBit, bit.get];
        e.assign(result, i64.or(result.get, select(i64.eqz(i64.and(source, from)), c(0), to)));
        e.assign(bit, i64.shl(bit.get, c(1)));
        e.assign(mask, i64.xor(mask.get, lowestBit));
        again(i32.eqz(i64.eqz(mask.get)));
      });
    });
    o.set(0, result.get);
  }, outlined);

/** CRC32: polynomial 11EDC6F41, reflected. */
const crc32: Definition = define((o) => {
  const { e } = o;
  const bits = o.sizeOf(1);
  const rest = e.variable(i64.xor(zext(o.raw(0), 32), o.get(1)));
  const left = e.variable(i32.const(bits));
  e.loop((again) => {
    e.assign(rest, i64.xor(i64.shr_u(rest.get, c(1)), select(i32.wrap_i64(i64.and(rest.get, c(1))), c(0x82f6_3b78), c(0))));
    e.assign(left, i32.sub(left.get, i32.const(1)));
    again(left.get);
  });
  // A 64-bit destination gets zeroes above.
  o.set(0, zext(rest.get, 32));
}, outlined);

const popcnt: Definition = define((o) => {
  const { e } = o;
  const value = o.bound(1);
  o.set(0, i64.popcnt(value));
  zeroCarryFlags(e, i64.eqz(value));
}, outlined);

/** MULX: no flags; the upper half wins where both go to one register. */
function mulx(o: Operands): void {
  const { e } = o;
  const size = o.sizeOf(0);
  const a = e.let(zext(gpr(e, 2), size));
  const b = o.bound(2);
  const lower = e.let(i64.mul(a, b));
  const upper = size === 64 ? e.call(MULTIPLY_HIGH, 'i64', [a, b]) : e.let(i64.shr_u(lower, c(32)));
  o.set(1, lower);
  o.set(0, upper);
}

export const bits: Definitions = {
  bt: bitTest(),
  bts: bitTest((value, bit) => i64.or(value, bit)),
  btr: bitTest((value, bit) => i64.and(value, i64.xor(bit, c(-1)))),
  btc: bitTest((value, bit) => i64.xor(value, bit)),
  bsf: scan(i64.ctz),
  bsr: scan((value) => i64.sub(c(63), i64.clz(value))),
  tzcnt: count((value, size) => (size === 64 ? i64.ctz(value) : i64.ctz(i64.or(value, c(1n << BigInt(size)))))),
  lzcnt: count((value, size) => i64.sub(i64.clz(value), c(64 - size))),
  popcnt,
  andn: define((o) => {
    const size = o.sizeOf(0);
    const result = o.e.let(i64.and(i64.xor(o.raw(1), c(-1)), o.get(2)));
    o.set(0, result);
    setWords(o.e, sext(result, size), c(0));
  }, outlined),
  blsr: lowest((a) => i64.and(a, minusOne(a)), (a) => i64.eqz(a)),
  blsmsk: lowest((a) => i64.xor(a, minusOne(a)), (a) => i64.eqz(a)),
  blsi: lowest((a) => i64.and(a, negated(a)), (a) => i64.ne(a, c(0))),
  bzhi: define((o) => {
    const { e } = o;
    const size = o.sizeOf(0);
    const length = e.let(zext(o.raw(2), 8));
    const result = e.let(i64.and(o.get(1), lowBits(length)));
    o.set(0, result);
    logicWithCarry(e, size, result, i64.gt_u(length, c(size - 1)));
  }, outlined),
  bextr: define((o) => {
    const { e } = o;
    const control = e.let(o.raw(2));
    const start = e.let(zext(control, 8));
    const length = e.let(zext(i64.shr_u(control, c(8)), 8));
    const shifted = select(i64.ge_u(start, c(64)), c(0), i64.shr_u(o.get(1), start));
    const result = e.let(i64.and(shifted, lowBits(length)));
    o.set(0, result);
    zeroCarryFlags(e, i64.eqz(result));
  }, outlined),
  pext: parallel(false),
  pdep: parallel(true),
  mulx: define(mulx, outlined),
  crc32,
};
