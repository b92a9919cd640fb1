/**
 * Instructions on device operands beyond moves and the eight basic operations: shifts and rotates, double shifts, multiplication and division,
 * bit scans, CMPXCHG8B and 16B, the machine status word (SDM vol. 2). Flags that the manual leaves undefined stay as they are.
 */
import { Gpr, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import { GuestFault } from '../paging.ts';
import { sizeOf, type Instruction } from './decode.ts';
import { STATUS, logic } from './flags.ts';
import { truncate, type EmulatedCpu, type Size } from './machine.ts';
import { carry, linearOf, modrm, probeWrite, readRm, register, setRegister, withByte, withWord, writeRm, type Definition, type Run } from './operands.ts';

const { CF, OF, ZF } = Rflags;
const bitsOf = (size: Size): bigint => BigInt(8 * size);
const flag = (mask: bigint, on: boolean): bigint => (on ? mask : 0n);
const top = (value: bigint, size: Size): bigint => (value >> (bitsOf(size) - 1n)) & 1n;

interface Shifted {
  readonly value: bigint;
  readonly carry: bigint;
  /** For a shift by one. */
  readonly overflow: bigint;
}
type Shift = (value: bigint, count: bigint, size: Size, carryIn: bigint) => Shifted;

/** Rotates `value`, which has `bits` bits, to the left. */
const rotated = (value: bigint, count: bigint, bits: bigint): bigint => BigInt.asUintN(Number(bits), (value << count) | (value >> (bits - count)));

/** ROL, ROR, RCL, RCR, SHL, SHR, SHL, SAR, by ModRM.reg; the count is at least 1. */
const SHIFTS: readonly Shift[] = [
  (value, count, size) => {
    const result = rotated(value, count % bitsOf(size), bitsOf(size));
    return { value: result, carry: result & 1n, overflow: top(result, size) ^ (result & 1n) };
  },
  (value, count, size) => {
    const bits = bitsOf(size);
    const result = rotated(value, (bits - (count % bits)) % bits, bits);
    return { value: result, carry: top(result, size), overflow: top(result, size) ^ ((result >> (bits - 2n)) & 1n) };
  },
  (value, count, size, carryIn) => {
    const bits = bitsOf(size);
    const all = rotated((carryIn << bits) | value, count % (bits + 1n), bits + 1n);
    const result = truncate(all, size);
    return { value: result, carry: all >> bits, overflow: top(result, size) ^ (all >> bits) };
  },
  (value, count, size, carryIn) => {
    const bits = bitsOf(size);
    const all = rotated((carryIn << bits) | value, (bits + 1n - (count % (bits + 1n))) % (bits + 1n), bits + 1n);
    const result = truncate(all, size);
    return { value: result, carry: all >> bits, overflow: top(result, size) ^ ((result >> (bits - 2n)) & 1n) };
  },
  shiftLeft,
  (value, count, size) => ({ value: value >> count, carry: (value >> (count - 1n)) & 1n, overflow: top(value, size) }),
  shiftLeft,
  (value, count, size) => {
    const signed = BigInt.asIntN(8 * size, value);
    return { value: truncate(signed >> count, size), carry: (signed >> (count - 1n)) & 1n, overflow: 0n };
  },
];

function shiftLeft(value: bigint, count: bigint, size: Size): Shifted {
  const all = value << count;
  const result = truncate(all, size);
  const out = (all >> bitsOf(size)) & 1n;
  return { value: result, carry: out, overflow: top(result, size) ^ out };
}

const countOf = (count: bigint, size: Size): bigint => count & (size === 8 ? 63n : 31n);

/** Sets the flags of a shift; of rotates, CF and OF alone. */
function shiftFlags(cpu: EmulatedCpu, { value, carry: out, overflow }: Shifted, size: Size, isRotate: boolean): void {
  cpu.setFlags((isRotate ? 0n : logic(value, size).flags) | flag(CF, out !== 0n) | flag(OF, overflow !== 0n), isRotate ? CF | OF : STATUS & ~Rflags.AF);
}

const shift = (count: (cpu: EmulatedCpu, i: Instruction) => bigint): Run =>
  function* (cpu, i) {
    const size = sizeOf(i);
    const by = countOf(count(cpu, i), size);
    probeWrite(cpu, i, size);
    const old = yield* readRm(cpu, i, size);
    const result = by === 0n ? undefined : (SHIFTS[i.reg & 7] as Shift)(old, by, size, carry(cpu));
    yield* writeRm(cpu, i, size, result?.value ?? old);
    if (result !== undefined) shiftFlags(cpu, result, size, (i.reg & 7) < 4);
  };

/** SHLD and SHRD: bits of the register follow those shifted out. */
const doubleShift = (left: boolean, count: (cpu: EmulatedCpu, i: Instruction) => bigint): Run =>
  function* (cpu, i) {
    const { size } = i;
    const bits = bitsOf(size);
    const by = countOf(count(cpu, i), size);
    probeWrite(cpu, i, size);
    const old = yield* readRm(cpu, i, size);
    // Counts beyond the operand's width have no defined result: it stays.
    if (by === 0n || by > bits) return yield* writeRm(cpu, i, size, old);
    const filler = register(cpu, i, size);
    const value = truncate(left ? (old << by) | (filler >> (bits - by)) : (old >> by) | (filler << (bits - by)), size);
    const out = left ? (old >> (bits - by)) & 1n : (old >> (by - 1n)) & 1n;
    yield* writeRm(cpu, i, size, value);
    shiftFlags(cpu, { value, carry: out, overflow: top(value, size) ^ top(old, size) }, size, false);
  };

const byCl = (cpu: EmulatedCpu): bigint => cpu.reg(Gpr.RCX) & 0xffn;
const byOne = (): bigint => 1n;
const byImmediate = (_: EmulatedCpu, i: Instruction): bigint => BigInt.asUintN(8, i.immediate);

/** The accumulator twice as wide: RDX and RAX, or AX for bytes. */
function wideAccumulator(cpu: EmulatedCpu, size: Size): bigint {
  return size === 1 ? truncate(cpu.reg(Gpr.RAX), 2) : (cpu.operand(Gpr.RDX, size, true) << bitsOf(size)) | cpu.operand(Gpr.RAX, size, true);
}
function setHalves(cpu: EmulatedCpu, size: Size, low: bigint, high: bigint): void {
  if (size === 1) {
    cpu.setOperand(Gpr.RAX, 2, true, truncate(low, 1) | (truncate(high, 1) << 8n));
    return;
  }
  cpu.setOperand(Gpr.RAX, size, true, truncate(low, size));
  cpu.setOperand(Gpr.RDX, size, true, truncate(high, size));
}

/** MUL, IMUL, DIV and IDIV of the accumulator: 4 to 7 in ModRM.reg of the group F6, F7. */
export const multiplyGroup: Run = function* (cpu, i) {
  const size = sizeOf(i);
  const bits = bitsOf(size);
  const source = yield* readRm(cpu, i, size);
  const isSigned = (i.reg & 1) !== 0;
  const extend = (value: bigint): bigint => (isSigned ? BigInt.asIntN(8 * size, value) : value);
  if ((i.reg & 7) < 6) {
    const product = extend(source) * extend(cpu.operand(Gpr.RAX, size, true));
    setHalves(cpu, size, product, product >> bits);
    cpu.setFlags(flag(CF | OF, product !== extend(truncate(product, size))), CF | OF);
    return;
  }
  const wide = wideAccumulator(cpu, size);
  const dividend = isSigned ? BigInt.asIntN(16 * size, wide) : wide;
  const divisor = extend(source);
  if (divisor === 0n) throw new GuestFault(Vector.DE);
  const quotient = dividend / divisor;
  if (quotient !== extend(truncate(quotient, size))) throw new GuestFault(Vector.DE);
  setHalves(cpu, size, quotient, dividend % divisor);
};

/** IMUL with a register for its result. */
const multiply = (other: (cpu: EmulatedCpu, i: Instruction) => bigint): Run =>
  function* (cpu, i) {
    const { size } = i;
    const product = BigInt.asIntN(8 * size, yield* readRm(cpu, i, size)) * BigInt.asIntN(8 * size, other(cpu, i));
    setRegister(cpu, i, size, truncate(product, size));
    cpu.setFlags(flag(CF | OF, product !== BigInt.asIntN(8 * size, product)), CF | OF);
  };

/** BSF and BSR; with F3, TZCNT and LZCNT, which have a result for 0. */
const scan = (forward: boolean): Run =>
  function* (cpu, i) {
    const { size } = i;
    const value = yield* readRm(cpu, i, size);
    const counts = i.repeat === 0xf3;
    const digits = value.toString(2);
    const index = forward ? digits.length - 1 - digits.lastIndexOf('1') : digits.length - 1;
    if (!counts) {
      if (value !== 0n) setRegister(cpu, i, size, BigInt(index));
      cpu.setFlags(flag(ZF, value === 0n), ZF);
      return;
    }
    const count = value === 0n ? 8 * size : forward ? index : 8 * size - 1 - index;
    setRegister(cpu, i, size, BigInt(count));
    cpu.setFlags(flag(CF, value === 0n) | flag(ZF, count === 0), CF | ZF);
  };

/** CMPXCHG8B and CMPXCHG16B. */
const compareExchangePair: Run = function* (cpu, i) {
  const half: Size = i.size === 8 ? 8 : 4;
  const linear = linearOf(cpu, i);
  if (half === 8 && (linear & 15n) !== 0n) throw new GuestFault(Vector.GP, 0);
  const next = BigInt.asUintN(64, linear + BigInt(half));
  cpu.probe(linear, 2 * half, true);
  const low = yield* cpu.read(linear, half);
  const high = yield* cpu.read(next, half);
  const equal = low === cpu.operand(Gpr.RAX, half, true) && high === cpu.operand(Gpr.RDX, half, true);
  // The destination is written in either case.
  yield* cpu.write(linear, half, equal ? cpu.operand(Gpr.RBX, half, true) : low);
  yield* cpu.write(next, half, equal ? cpu.operand(Gpr.RCX, half, true) : high);
  if (!equal) {
    cpu.setOperand(Gpr.RAX, half, true, low);
    cpu.setOperand(Gpr.RDX, half, true, high);
  }
  cpu.setFlags(flag(ZF, equal), ZF);
};

/** By opcode, as in `execute.ts`. */
export const ARITHMETIC_DEFINITIONS: readonly (readonly [number, Definition])[] = [
  [0x69, withWord(multiply((_, i) => i.immediate))], [0x6b, withByte(multiply((_, i) => i.immediate))],
  [0xc0, withByte(shift(byImmediate))], [0xc1, withByte(shift(byImmediate))], [0xd0, modrm(shift(byOne))], [0xd1, modrm(shift(byOne))], [0xd2, modrm(shift(byCl))], [0xd3, modrm(shift(byCl))],
  [0x0fa4, withByte(doubleShift(true, byImmediate))], [0x0fa5, modrm(doubleShift(true, byCl))],
  [0x0fac, withByte(doubleShift(false, byImmediate))], [0x0fad, modrm(doubleShift(false, byCl))],
  [0x0faf, modrm(multiply((cpu, i) => register(cpu, i, i.size)))],
  [0x0fbc, modrm(scan(true))], [0x0fbd, modrm(scan(false))],
  [0x0fc7, { ...modrm(compareExchangePair), handles: (i) => (i.reg & 7) === 1 }],
];
