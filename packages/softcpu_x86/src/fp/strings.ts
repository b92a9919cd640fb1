/** PCMPESTRI and its relatives (SDM vol. 2, 4.1): comparisons of two strings of bytes or words in registers. */
import type { SimdState } from './simd_exec.ts';

/** Behind the operands: RAX, RDX, the operand size in bits, and where the flags go. */
const [RAX, RDX, SIZE, FLAGS] = [32, 40, 48, 52];
const Flag = { CF: 1, ZF: 0x40, SF: 0x80, OF: 0x800 } as const;

/** Explicit lengths are magnitudes of a register, of at most all elements. */
function explicitLength(s: SimdState, at: number, count: number): number {
  const value = s.view.getInt32(s.at + SIZE, true) === 64 ? s.view.getBigInt64(s.at + at, true) : BigInt(s.view.getInt32(s.at + at, true));
  const magnitude = value < 0n ? -value : value;
  return magnitude > BigInt(count) ? count : Number(magnitude);
}
function implicitLength(s: SimdState, which: 0 | 1, bytes: number, count: number): number {
  for (let i = 0; i < count; i++) if (s.lane(which, bytes, i) === 0n) return i;
  return count;
}

/** By bits 3:2 of the immediate: equal any, ranges, equal each, equal ordered. Bit j of the answer is about element j of the second string. */
function aggregate(kind: number, count: number, equal: (i: number, j: number) => boolean, inRange: (i: number, j: number) => boolean, lengths: readonly [number, number]): number {
  const [n, m] = lengths;
  const first = Array.from({ length: n }, (_, i) => i);
  const holds: readonly ((j: number) => boolean)[] = [
    (j) => j < m && first.some((i) => equal(i, j)),
    (j) => j < m && first.some((i) => i % 2 === 0 && i + 1 < n && inRange(i, j)),
    // Behind both ends elements are equal, behind one they are not.
    (j) => (j < n && j < m ? equal(j, j) : j >= n && j >= m),
    (j) => first.every((i) => i + j >= count || (i + j < m && equal(i, i + j))),
  ];
  let bits = 0;
  for (let j = 0; j < count; j++) {
    if (holds[kind]?.(j) === true) bits |= 1 << j;
  }
  return bits;
}

export const compareStrings = (explicit: boolean, toIndex: boolean) => (s: SimdState, imm: number): void => {
  const bytes = (imm & 1) === 0 ? 1 : 2;
  const count = 16 / bytes;
  const isSigned = (imm & 2) !== 0;
  const element = (which: 0 | 1, i: number): bigint => {
    const value = s.lane(which, bytes, i);
    return isSigned ? BigInt.asIntN(8 * bytes, value) : value;
  };
  const lengths = explicit ? ([explicitLength(s, RAX, count), explicitLength(s, RDX, count)] as const) : ([implicitLength(s, 0, bytes, count), implicitLength(s, 1, bytes, count)] as const);
  const found = aggregate(
    (imm >> 2) & 3, count,
    (i, j) => element(0, i) === element(1, j),
    (i, j) => element(1, j) >= element(0, i) && element(1, j) <= element(0, i + 1),
    lengths,
  );
  const all = (1 << count) - 1;
  const valid = (1 << lengths[1]) - 1;
  // Polarity: as it is, negated, as it is, negated where the second string has elements.
  const bits = (imm & 0x30) === 0x10 ? found ^ all : (imm & 0x30) === 0x30 ? found ^ valid : found;
  const flags = (bits !== 0 ? Flag.CF : 0) | (lengths[1] < count ? Flag.ZF : 0) | (lengths[0] < count ? Flag.SF : 0) | ((bits & 1) !== 0 ? Flag.OF : 0);
  if (toIndex) {
    const index = bits === 0 ? count : (imm & 0x40) === 0 ? 31 - Math.clz32(bits & -bits) : 31 - Math.clz32(bits);
    s.result(4, [BigInt(index)]);
  } else if ((imm & 0x40) === 0) {
    s.result(4, [BigInt(bits)]);
  } else {
    const lanes = Array.from({ length: count }, (_, i) => (((bits >> i) & 1) === 0 ? 0 : bytes === 1 ? 0xff : 0xffff));
    s.result(2, bytes === 2 ? lanes.map(BigInt) : Array.from({ length: 8 }, (_, i) => BigInt((lanes[2 * i] as number) | ((lanes[2 * i + 1] as number) << 8))));
  }
  s.view.setInt32(s.at + FLAGS, flags, true);
};
