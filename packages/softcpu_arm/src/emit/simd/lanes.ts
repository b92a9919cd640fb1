/** Vector instructions as loops over elements: addressing, saturation and the places of results (Arm ARM, A1.4.1). */
import { i32, i64, i64x2, select, v128 } from '@axvisor/softcpu';
import type { Block, Emit, Emitter, I32, I64 } from '@axvisor/softcpu';
import { FPSR, V, VT } from '../../state.ts';
import { stateBase } from '../define.ts';
import { checkFp } from '../guard.ts';

/** log2 of the bytes of an element. */
export type Log = 0 | 1 | 2 | 3;
export const LOGS: readonly Log[] = [0, 1, 2, 3];
export const bitsOf = (log: Log): number => 8 << log;

const loads = {
  signed: ['i64.load8_s', 'i64.load16_s', 'i64.load32_s', 'i64.load'],
  unsigned: ['i64.load8_u', 'i64.load16_u', 'i64.load32_u', 'i64.load'],
} as const;
const stores = ['i64.store8', 'i64.store16', 'i64.store32', 'i64.store'] as const;

/** An element at a place that the record says, and more bytes behind it. */
export function readLane(e: Emitter, log: Log, isSigned: boolean, place: I32, more = 0): I64 {
  return e.vector(loads[isSigned ? 'signed' : 'unsigned'][log], place, more);
}
export function writeLane(e: Emitter, log: Log, place: I32, value: I64, more = 0): void {
  e.setVector(stores[log], place, value, more);
}
/** An element of a register that was spilled, at an offset in the state block. */
export function spilledLane(e: Emitter, log: Log, isSigned: boolean, offset: I32, more = 0): I64 {
  return e.read(loads[isSigned ? 'signed' : 'unsigned'][log], offset, stateBase(e) + more);
}
export function setSpilledLane(e: Emitter, log: Log, offset: I32, value: I64, more = 0): void {
  e.write(stores[log], offset, value, stateBase(e) + more);
}
/** The place of the register `k` behind the one whose number is in a field; behind the last comes the first. */
export const numbered = (e: Emitter, field: string, k: number): I32 =>
  i32.add(i32.shl(i32.and(i32.add(e.field(field), i32.const(k)), i32.const(31)), i32.const(4)), i32.const(V));
/** Lets registers of the record be read by computed offsets. */
export const spill = (e: Emitter, ...fields: readonly string[]): void => fields.forEach((field) => e.spill(e.field(field)));

/** A register's half. */
export const half = (e: Emitter, field: string, which: 0 | 1): I64 => readLane(e, 3, false, e.field(field), which * 8);
/** Writes both halves of a register, at once: whoever reads all of it soon would wait for two stores. */
export function setHalves(e: Emitter, field: string, low: I64, high: I64): void {
  const whole = high.kind === 'const' && high.value === 0n ? i64x2.replace_lane(v128.const(0n), 0, low) : i64x2.replace_lane(i64x2.splat(low), 1, high);
  e.setVector('v128.store', e.field(field), whole);
}

/** The place of lane `i` of a register field. */
export const laneOf = (e: Emitter, field: string, i: I32, log: Log): I32 => i32.add(e.field(field), i32.shl(i, i32.const(log)));

/** Runs `body` for i = 0 … count - 1. */
export function loop(e: Emitter, count: I32, body: (i: I32) => void): void {
  const i = e.variable(i32.const(0));
  e.loop((again) => {
    body(i.get);
    e.assign(i, i32.add(i.get, i32.const(1)));
    again(i32.lt_u(i.get, count));
  });
}

/** A result under construction, of zeros or with what `d` holds now. */
export function begin(e: Emitter, keepLow = false): void {
  e.setState('v128.store', VT, keepLow ? e.vector('v128.load64_zero', e.field('d')) : v128.const(0n));
}
/** Puts a lane of the result. */
export function put(e: Emitter, log: Log, i: I32, value: I64, more = 0): void {
  setSpilledLane(e, log, i32.shl(i, i32.const(log)), value, VT + more);
}
/** Copies the result to `d`. */
export function finish(e: Emitter): void {
  e.setVector('v128.store', e.field('d'), e.state('v128.load', VT));
}

/** Defines an instruction on SIMD&FP registers. */
export const guarded =
  (body: Emit): Emit =>
  (e) => {
    checkFp(e);
    body(e);
  };

/** An instruction that computes lane by lane; `a` holds the number of lanes of the result. */
export interface LaneShape {
  /** Element sizes of `n`, `m` and of the result. */
  readonly n: Log;
  readonly m: Log;
  readonly to: Log;
  readonly signed: boolean;
  /** Whether the signedness of `m` or of `d` differs. */
  readonly signedM?: boolean;
  readonly signedD?: boolean;
  /** The result goes to the upper half, the lower one is kept. */
  readonly upper?: boolean;
  /** `m` is one element, at that place itself. */
  readonly element?: boolean;
}
export type LaneBody = (e: Emitter, a: I64, b: I64, d: I64) => I64;

/** The definition: `b` and `d` are read only where the body uses them. */
export function lanewise({ n, m, to, signed, signedM = signed, signedD = signed, upper = false, element = false }: LaneShape, body: LaneBody): Emit {
  return guarded((e) => {
    begin(e, upper);
    const [hasM, hasD] = [body.length > 2, body.length > 3];
    spill(e, 'n', ...(hasM && !element ? ['m'] : []), ...(hasD ? ['d'] : []));
    loop(e, e.field('a'), (i) => {
      const a = e.let(spilledLane(e, n, signed, laneOf(e, 'n', i, n)));
      const b = hasM ? e.let(element ? readLane(e, m, signedM, e.field('m')) : spilledLane(e, m, signedM, laneOf(e, 'm', i, m))) : a;
      const d = hasD ? e.let(spilledLane(e, to, signedD, laneOf(e, 'd', i, to))) : a;
      put(e, to, i, body(e, a, b, d), upper ? 8 : 0);
    });
    finish(e);
  });
}

/** FPSR.QC. */
const QC = 27;

/** Notes saturation if the condition, 0 or 1, holds. */
export function noteSaturation(e: Block, condition: I32): void {
  e.setState('i32.store', FPSR, i32.or(e.state('i32.load', FPSR), i32.shl(condition, i32.const(QC))));
}

/** The ends of the range of an integer type. */
export const lowest = (log: Log, isSigned: boolean): bigint => (isSigned ? -(1n << BigInt(bitsOf(log) - 1)) : 0n);
export const highest = (log: Log, isSigned: boolean): bigint => (1n << BigInt(bitsOf(log) - (isSigned ? 1 : 0))) - 1n;

/** Brings a 64-bit signed value into the range of a type of at most 32 bits. */
export function saturate(e: Emitter, value: I64, log: Log, isSigned: boolean): I64 {
  const bound = e.let(value);
  const low = i64.const(lowest(log, isSigned));
  const high = i64.const(highest(log, isSigned));
  const result = e.let(select(i64.lt_s(bound, low), low, select(i64.gt_s(bound, high), high, bound)));
  noteSaturation(e, i64.ne(result, bound));
  return result;
}

/** Saturates where `overflow` (0 or 1) holds: to the highest value, or to the lowest if `negative`. */
export function replaceOverflow(e: Emitter, result: I64, overflow: I32, negative: I32, isSigned: boolean): I64 {
  const over = e.let(overflow);
  noteSaturation(e, over);
  return select(over, select(negative, i64.const(lowest(3, isSigned)), i64.const(highest(3, isSigned))), result);
}

/** a + b or a - b of a type, saturated. */
export function saturatedSum(e: Emitter, a: I64, b: I64, log: Log, isSigned: boolean, subtract: boolean): I64 {
  const result = e.let(subtract ? i64.sub(a, b) : i64.add(a, b));
  if (log < 3) return saturate(e, result, log, isSigned);
  if (!isSigned) return replaceOverflow(e, result, subtract ? i64.lt_u(a, b) : i64.lt_u(result, a), i32.const(subtract ? 1 : 0), false);
  const changed = subtract ? i64.and(i64.xor(a, b), i64.xor(a, result)) : i64.and(i64.xor(a, result), i64.xor(b, result));
  return replaceOverflow(e, result, i64.lt_s(changed, i64.const(0)), i64.lt_s(a, i64.const(0)), true);
}
