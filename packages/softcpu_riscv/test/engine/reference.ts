/** What the integer instructions compute, in bigint, after the unprivileged manual's prose: the judge of the emitters. */
import type { InsnName } from '../../src/isa/table.ts';

const s64 = (v: bigint): bigint => BigInt.asIntN(64, v);
const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const s32 = (v: bigint): bigint => BigInt.asIntN(32, v);
const u32 = (v: bigint): bigint => BigInt.asUintN(32, v);
const MIN64 = -(2n ** 63n);
const MIN32 = -(2n ** 31n);

/** Division of the M extension: truncates; by zero gives -1, the overflowing one the dividend. */
const quotient = (a: bigint, b: bigint, min: bigint): bigint => (b === 0n ? -1n : a === min && b === -1n ? a : a / b);
const remainder = (a: bigint, b: bigint, min: bigint): bigint => (b === 0n ? a : a === min && b === -1n ? 0n : a % b);

function digits(v: bigint, width: number): string {
  return BigInt.asUintN(width, v).toString(2).padStart(width, '0');
}
const leadingZeros = (v: bigint, width: number): bigint => BigInt(/^0*/.exec(digits(v, width))?.[0].length ?? 0);
const trailingZeros = (v: bigint, width: number): bigint => BigInt(/0*$/.exec(digits(v, width))?.[0].length ?? 0);
const ones = (v: bigint, width: number): bigint => BigInt(digits(v, width).replaceAll('0', '').length);
const bytes = (v: bigint): number[] => Array.from({ length: 8 }, (_, i) => Number((u64(v) >> BigInt(8 * i)) & 0xffn));
const fromBytes = (list: readonly number[]): bigint => list.reduce((sum, byte, i) => sum | (BigInt(byte) << BigInt(8 * i)), 0n);
const rotateLeft = (v: bigint, n: bigint, width: number): bigint => {
  const amount = n % BigInt(width);
  return (BigInt.asUintN(width, v) << amount) | (BigInt.asUintN(width, v) >> (BigInt(width) - amount));
};
/** Product of polynomials over GF(2). */
function carryless(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let i = 0n; i < 64n; i++) if (((u64(b) >> i) & 1n) === 1n) product ^= u64(a) << i;
  return product;
}

/** rd as a function of rs1 and the second operand (rs2, or the immediate), both signed 64-bit; the result is taken modulo 2^64. */
export const reference: Partial<Record<InsnName, (a: bigint, b: bigint) => bigint>> = {
  lui: (_, b) => b,
  addi: (a, b) => a + b,
  slti: (a, b) => (a < b ? 1n : 0n),
  sltiu: (a, b) => (u64(a) < u64(b) ? 1n : 0n),
  xori: (a, b) => a ^ b,
  ori: (a, b) => a | b,
  andi: (a, b) => a & b,
  slli: (a, b) => a << b,
  srli: (a, b) => u64(a) >> b,
  srai: (a, b) => a >> b,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a << (b & 63n),
  slt: (a, b) => (a < b ? 1n : 0n),
  sltu: (a, b) => (u64(a) < u64(b) ? 1n : 0n),
  xor: (a, b) => a ^ b,
  srl: (a, b) => u64(a) >> (b & 63n),
  sra: (a, b) => a >> (b & 63n),
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  addiw: (a, b) => s32(a + b),
  slliw: (a, b) => s32(a << b),
  srliw: (a, b) => s32(u32(a) >> b),
  sraiw: (a, b) => s32(a) >> b,
  addw: (a, b) => s32(a + b),
  subw: (a, b) => s32(a - b),
  sllw: (a, b) => s32(a << (b & 31n)),
  srlw: (a, b) => s32(u32(a) >> (b & 31n)),
  sraw: (a, b) => s32(a) >> (b & 31n),
  mul: (a, b) => a * b,
  mulh: (a, b) => (a * b) >> 64n,
  mulhsu: (a, b) => (a * u64(b)) >> 64n,
  mulhu: (a, b) => (u64(a) * u64(b)) >> 64n,
  div: (a, b) => quotient(a, b, MIN64),
  divu: (a, b) => quotient(u64(a), u64(b), 1n),
  rem: (a, b) => remainder(a, b, MIN64),
  remu: (a, b) => remainder(u64(a), u64(b), 1n),
  mulw: (a, b) => s32(a * b),
  divw: (a, b) => s32(quotient(s32(a), s32(b), MIN32)),
  divuw: (a, b) => s32(quotient(u32(a), u32(b), 1n)),
  remw: (a, b) => s32(remainder(s32(a), s32(b), MIN32)),
  remuw: (a, b) => s32(remainder(u32(a), u32(b), 1n)),
  'add.uw': (a, b) => u32(a) + b,
  sh1add: (a, b) => (a << 1n) + b,
  sh2add: (a, b) => (a << 2n) + b,
  sh3add: (a, b) => (a << 3n) + b,
  'sh1add.uw': (a, b) => (u32(a) << 1n) + b,
  'sh2add.uw': (a, b) => (u32(a) << 2n) + b,
  'sh3add.uw': (a, b) => (u32(a) << 3n) + b,
  'slli.uw': (a, b) => u32(a) << b,
  andn: (a, b) => a & ~b,
  orn: (a, b) => a | ~b,
  xnor: (a, b) => ~(a ^ b),
  clz: (a) => leadingZeros(a, 64),
  clzw: (a) => leadingZeros(a, 32),
  ctz: (a) => trailingZeros(a, 64),
  ctzw: (a) => trailingZeros(a, 32),
  cpop: (a) => ones(a, 64),
  cpopw: (a) => ones(a, 32),
  min: (a, b) => (a < b ? a : b),
  minu: (a, b) => (u64(a) < u64(b) ? a : b),
  max: (a, b) => (a > b ? a : b),
  maxu: (a, b) => (u64(a) > u64(b) ? a : b),
  'sext.b': (a) => BigInt.asIntN(8, a),
  'sext.h': (a) => BigInt.asIntN(16, a),
  'zext.h': (a) => BigInt.asUintN(16, a),
  rol: (a, b) => rotateLeft(a, u64(b), 64),
  ror: (a, b) => rotateLeft(a, 64n - (u64(b) % 64n), 64),
  rori: (a, b) => rotateLeft(a, 64n - b, 64),
  rolw: (a, b) => s32(rotateLeft(a, u64(b), 32)),
  rorw: (a, b) => s32(rotateLeft(a, 32n - (u64(b) % 32n), 32)),
  roriw: (a, b) => s32(rotateLeft(a, 32n - b, 32)),
  'orc.b': (a) => fromBytes(bytes(a).map((byte) => (byte === 0 ? 0 : 255))),
  rev8: (a) => fromBytes(bytes(a).toReversed()),
  clmul: (a, b) => carryless(a, b),
  clmulr: (a, b) => carryless(a, b) >> 63n,
  clmulh: (a, b) => carryless(a, b) >> 64n,
  bclr: (a, b) => a & ~(1n << (b & 63n)),
  bclri: (a, b) => a & ~(1n << b),
  bext: (a, b) => (u64(a) >> (b & 63n)) & 1n,
  bexti: (a, b) => (u64(a) >> b) & 1n,
  binv: (a, b) => a ^ (1n << (b & 63n)),
  binvi: (a, b) => a ^ (1n << b),
  bset: (a, b) => a | (1n << (b & 63n)),
  bseti: (a, b) => a | (1n << b),
};

/** What an AMO stores, as a function of the old value and rs2, both of the access's width and signed. */
export const amoReference: Readonly<Record<string, (old: bigint, operand: bigint) => bigint>> = {
  amoswap: (_, operand) => operand,
  amoadd: (old, operand) => old + operand,
  amoxor: (old, operand) => old ^ operand,
  amoand: (old, operand) => old & operand,
  amoor: (old, operand) => old | operand,
  amomin: (old, operand) => (old < operand ? old : operand),
  amomax: (old, operand) => (old > operand ? old : operand),
  amominu: (old, operand) => (u64(old) < u64(operand) ? old : operand),
  amomaxu: (old, operand) => (u64(old) > u64(operand) ? old : operand),
};

/** Whether a branch is taken. */
export const branchReference: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => a < b,
  bge: (a, b) => a >= b,
  bltu: (a, b) => u64(a) < u64(b),
  bgeu: (a, b) => u64(a) >= u64(b),
};

export { s64, u64 };
