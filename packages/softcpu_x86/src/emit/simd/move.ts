/** Moves of vectors, parts of them and lanes; shuffles by immediate (SDM vol. 2). */
import { i16x8, i32, i32x4, i64, i64x2, i8x16 } from '@axvisor/softcpu';
import type { I32, I64, V128 } from '@axvisor/softcpu';
import { FTW, Seg, VT } from '../../state.ts';
import type { Definition, Definitions } from '../define.ts';
import { useSegment } from '../segments.ts';
import { simd, unaries } from './define.ts';
import type { Body } from './define.ts';
import { ZERO, low64, simdRecord, stateOf } from './operands.ts';
import type { SimdOperands } from './operands.ts';
import type { Size } from '../value.ts';

const identity = (a: V128): V128 => a;
const halves = (low: V128, high: V128, which: readonly [number, number]): V128 => {
  const part = (n: number): number[] => Array.from({ length: 8 }, (_, k) => n * 8 + k);
  return i8x16.shuffle(low, high, which.flatMap(part));
};

/** A scalar of 4 or 8 bytes: from memory with zeroes above, into a register beside what is there. */
const scalar = (bytes: 4 | 8): Definition =>
  simd((o) => {
    if (o.isMemory(0) || o.isMemory(1)) o.set(0, o.get(1));
    else o.setLow(0, bytes, o.get(1));
  });
/** One half of a register, from memory or to it. */
const half = (which: 0 | 1): Definition =>
  simd((o) => {
    if (o.isMemory(0)) {
      o.e.store(8, o.address(8, true), i64x2.extract_lane(o.get(1), which));
      return;
    }
    const value = o.get(1);
    const old = o.get(0);
    o.set(0, which === 0 ? halves(value, old, [0, 3]) : halves(old, value, [0, 2]));
  });

/** MOVD and MOVQ between general registers or memory and vectors. */
const general: Body = (o) => {
  const size = o.wide;
  if (o.row.operands[0]?.kind === 'E') o.setGeneral(0, size, i64x2.extract_lane(o.get(1), 0));
  else o.set(0, low64(o.general(1, size)));
};
const quad: Body = (o) => {
  if (o.row.operands.some(({ kind }) => kind === 'E')) return general(o);
  const low = i64x2.extract_lane(o.get(1), 0);
  o.set(0, low64(low));
};

/** Lane sizes: log2 of bytes, and how the host takes and puts a lane. */
const memoryOps = { 1: ['i32.load8_u', 'i32.store8'], 2: ['i32.load16_u', 'i32.store16'], 4: ['i32.load', 'i32.store'] } as const;

/** Bytes that an immediate chooses are found in the copy at VT, those of a second operand 16 behind it. */
function copy(o: SimdOperands, value: V128, at = 0): void {
  o.e.setState('v128.store', VT + at, value);
}
/** Lane of `bytes` at an offset from VT. */
const lane = (o: SimdOperands, bytes: 1 | 2 | 4, offset: I32): I32 => o.e.read(memoryOps[bytes][0], offset, stateOf(o.e) + VT);
/** Two bits of the immediate. */
const choice = (o: SimdOperands, n: number): I32 => i32.and(i32.shr_u(o.imm, i32.const(2 * n)), i32.const(3));

/** Four lanes of `bytes`, at `base` of the source and the result; constant immediates become one instruction. */
export const shuffleLanes = (bytes: 2 | 4, base: 0 | 8): Body => (o) => {
  const { e } = o;
  const a = o.get(1);
  const { imm } = o;
  if (imm.kind === 'const') {
    const value = Number(imm.value);
    const order = Array.from({ length: 16 }, (_, k) => {
      const inside = k - base;
      if (inside < 0 || inside >= 4 * bytes) return k;
      return base + ((value >> (2 * Math.floor(inside / bytes))) & 3) * bytes + (inside % bytes);
    });
    o.set(0, i8x16.shuffle(a, a, order));
    return;
  }
  copy(o, a);
  const lanes = [0, 1, 2, 3].map((n) => e.let(lane(o, bytes, i32.add(i32.mul(choice(o, n), i32.const(bytes)), i32.const(base)))));
  const put = bytes === 4 ? i32x4.replace_lane : i16x8.replace_lane;
  o.set(0, lanes.reduce((vector, value, n) => put(vector, base / bytes + n, value), a));
};
/** SHUFPS: two lanes of the destination, two of the source. */
const shuffleSingles: Body = (o) => {
  const { e } = o;
  const b = o.get(1);
  const a = o.get(0);
  const { imm } = o;
  if (imm.kind === 'const') {
    const value = Number(imm.value);
    const order = [0, 1, 2, 3].flatMap((n) => Array.from({ length: 4 }, (_, k) => (n < 2 ? 0 : 16) + ((value >> (2 * n)) & 3) * 4 + k));
    o.set(0, i8x16.shuffle(a, b, order));
    return;
  }
  copy(o, a);
  copy(o, b, 16);
  const lanes = [0, 1, 2, 3].map((n) => e.let(lane(o, 4, i32.add(i32.shl(choice(o, n), i32.const(2)), i32.const(n < 2 ? 0 : 16)))));
  o.set(0, lanes.reduce((vector, value, n) => i32x4.replace_lane(vector, n, value), ZERO));
};
const shuffleDoubles: Body = (o) => {
  const { e } = o;
  const b = o.get(1);
  const imm = o.immOfHalf(2);
  copy(o, o.get(0));
  copy(o, b, 16);
  const at = (bit: number, base: number): I64 =>
    e.let(e.read('i64.load', i32.add(i32.shl(i32.and(i32.shr_u(imm, i32.const(bit)), i32.const(1)), i32.const(3)), i32.const(base)), stateOf(e) + VT));
  o.set(0, i64x2.replace_lane(low64(at(0, 0)), 1, at(1, 16)));
};

/** Which lane of `bytes` the immediate names, as an offset. */
const laneOffset = (o: SimdOperands, bytes: number, isMmx: boolean): I32 =>
  i32.shl(i32.and(o.imm, i32.const((isMmx ? 8 : 16) / bytes - 1)), i32.const(Math.log2(bytes)));
const extract = (bytes: 1 | 2 | 4 | 8): Body => (o) => {
  const { e } = o;
  copy(o, o.get(1));
  const offset = laneOffset(o, bytes, o.isMmx(1));
  const value = e.let(bytes === 8 ? e.read('i64.load', offset, stateOf(e) + VT) : i64.extend_i32_u(lane(o, bytes, offset)));
  o.setGeneral(0, (o.isMemory(0) ? bytes * 8 : Math.max(32, bytes * 8)) as Size, value);
};
const insert = (bytes: 1 | 2 | 4 | 8): Body => (o) => {
  const { e } = o;
  const value = e.let(o.general(1, (bytes * 8) as Size));
  copy(o, o.get(0));
  const offset = laneOffset(o, bytes, o.isMmx(0));
  if (bytes === 8) e.write('i64.store', offset, value, stateOf(e) + VT);
  else e.write(memoryOps[bytes][1], offset, i32.wrap_i64(value), stateOf(e) + VT);
  o.set(0, e.state('v128.load', VT));
};

/** Bytes whose mask is negative, to [DI]: one by one. */
const maskedMove: Body = (o) => {
  const { e } = o;
  const signs = e.let(i8x16.bitmask(o.get(1)));
  copy(o, o.get(0));
  const bytes = o.isMmx(0) ? 8 : 16;
  const base = o.stringDestination();
  for (let n = 0; n < bytes; n++) {
    e.if(i32.and(i32.shr_u(signs, i32.const(n)), i32.const(1)), () => e.store(1, i64.add(base, i64.const(n)), i64.extend_i32_u(lane(o, 1, i32.const(n)))));
  }
};

const maskedMoves: Definition = simd(maskedMove, {
  byAddress: true,
  record: (fields, insn, row) => {
    simdRecord(fields, insn, row);
    useSegment(fields, insn.mode, insn.override >= 0 ? insn.override : Seg.ds);
  },
});

export const vectorMoves: Definitions = {
  ...unaries({
    movups: identity, movupd: identity, movaps: identity, movapd: identity, movdqa: identity, movdqu: identity, lddqu: identity, movntdqa: identity,
    movntps: identity, movntpd: identity, movntdq: identity, movntq: identity, movq2dq: identity, movdq2q: identity,
    movsldup: (a) => i8x16.shuffle(a, a, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]),
    movshdup: (a) => i8x16.shuffle(a, a, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]),
    movddup: (a) => halves(a, a, [0, 0]),
  }),
  movss: scalar(4), movsd: scalar(8),
  movlps: half(0), movlpd: half(0), movhps: half(1), movhpd: half(1),
  movhlps: simd((o) => o.set(0, halves(o.get(1), o.get(0), [1, 3]))),
  movlhps: simd((o) => o.set(0, halves(o.get(0), o.get(1), [0, 2]))),
  movd: simd(general, { bySize: true }), movq: simd(quad),
  pshufd: simd(shuffleLanes(4, 0)), pshuflw: simd(shuffleLanes(2, 0)), pshufhw: simd(shuffleLanes(2, 8)), pshufw: simd(shuffleLanes(2, 0)),
  shufps: simd(shuffleSingles), shufpd: simd(shuffleDoubles),
  pextrb: simd(extract(1)), pextrw: simd(extract(2)), extractps: simd(extract(4)), pinsrb: simd(insert(1)), pinsrw: simd(insert(2)),
  pextrd: simd((o) => extract(o.wide === 64 ? 8 : 4)(o), { bySize: true }), pinsrd: simd((o) => insert(o.wide === 64 ? 8 : 4)(o), { bySize: true }),
  maskmovdqu: maskedMoves, maskmovq: maskedMoves,
  /** All x87 registers are free again. */
  emms: simd(({ e }) => e.setState('i32.store', FTW, i32.const(0xffff))),
};
