/**
 * Instructions that access devices: every form of MOV, arithmetic, bit and exchange instruction with a memory operand, string instructions, and
 * those of `arithmetic.ts`, `stack.ts`, `system.ts` and `vector.ts` (SDM vol. 2). Each is a generator of the transfers that it needs; registers change when all went well.
 */
import { Gpr, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import { GuestFault } from '../paging.ts';
import { sizeOf, type Instruction, type Shape } from './decode.ts';
import { ARITHMETIC_DEFINITIONS, multiplyGroup } from './arithmetic.ts';
import { AND, ARITHMETIC, CMP, STATUS, add, condition, subtract } from './flags.ts';
import { truncate, type EmulatedCpu, type Size, type Steps } from './machine.ts';
import { carry, linearOf, modrm, offset, plain, probeWrite, readRm, register, setRegister, withByte, withWord, writeRm, type Definition, type Run } from './operands.ts';
import { STACK_DEFINITIONS, transferGroup } from './stack.ts';
import { loadString, moveString, compareString, scanString, storeString } from './string.ts';
import { FAR_CALL, FAR_JUMP, SYSTEM_DEFINITIONS } from './system.ts';
import { VECTOR_DEFINITIONS, moveVector, usesVectors } from './vector.ts';

/** memory = memory op value; CMP and TEST write nothing. */
function* toMemory(cpu: EmulatedCpu, i: Instruction, size: Size, operation: number, value: bigint, writes: boolean): Steps {
  if (writes) probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  const { value: result, flags } = (ARITHMETIC[operation] as (typeof ARITHMETIC)[number])(old, value, carry(cpu), size);
  if (writes) yield* writeRm(cpu, i, size, result);
  cpu.setFlags(flags, STATUS);
}

const arithmetic = (operation: number, form: number): Run =>
  function* (cpu, i) {
    const size = sizeOf(i);
    if (form < 2) return yield* toMemory(cpu, i, size, operation, register(cpu, i, size), operation !== CMP);
    const value = yield* readRm(cpu, i, size);
    const { value: result, flags } = (ARITHMETIC[operation] as (typeof ARITHMETIC)[number])(register(cpu, i, size), value, carry(cpu), size);
    if (operation !== CMP) setRegister(cpu, i, size, result);
    cpu.setFlags(flags, STATUS);
  };

const immediateGroup: Run = function* (cpu, i) {
  const size = sizeOf(i);
  const operation = i.reg & 7;
  yield* toMemory(cpu, i, size, operation, truncate(i.immediate, size), operation !== CMP);
};

/** TEST, NOT, NEG; multiplications and divisions. */
const unaryGroup: Run = function* (cpu, i) {
  const size = sizeOf(i);
  const operation = i.reg & 7;
  if (operation < 2) return yield* toMemory(cpu, i, size, AND, truncate(i.immediate, size), false);
  if (operation > 3) return yield* multiplyGroup(cpu, i);
  probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  if (operation === 2) return yield* writeRm(cpu, i, size, truncate(~old, size));
  const { value, flags } = subtract(0n, old, 0n, size);
  yield* writeRm(cpu, i, size, value);
  cpu.setFlags(flags, STATUS);
};

const step: Run = function* (cpu, i) {
  const size = sizeOf(i);
  if ((i.reg & 7) > 1) {
    if (i.opcode === 0xfe) throw new GuestFault(Vector.UD);
    if ((i.reg & 7) === 3) return yield* FAR_CALL(cpu, i);
    if ((i.reg & 7) === 5) return yield* FAR_JUMP(cpu, i);
    return yield* transferGroup(cpu, i);
  }
  probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  const { value, flags } = (i.reg & 7) === 0 ? add(old, 1n, 0n, size) : subtract(old, 1n, 0n, size);
  yield* writeRm(cpu, i, size, value);
  cpu.setFlags(flags, STATUS & ~Rflags.CF);
};

const exchange: Run = function* (cpu, i) {
  const size = sizeOf(i);
  probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  yield* writeRm(cpu, i, size, register(cpu, i, size));
  setRegister(cpu, i, size, old);
};

const exchangeAdd: Run = function* (cpu, i) {
  const size = sizeOf(i);
  probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  const { value, flags } = add(old, register(cpu, i, size), 0n, size);
  yield* writeRm(cpu, i, size, value);
  setRegister(cpu, i, size, old);
  cpu.setFlags(flags, STATUS);
};

const compareExchange: Run = function* (cpu, i) {
  const size = sizeOf(i);
  probeWrite(cpu, i, size);
  const old = yield* readRm(cpu, i, size);
  const { flags } = subtract(cpu.operand(Gpr.RAX, size, true), old, 0n, size);
  const equal = (flags & Rflags.ZF) !== 0n;
  // The destination is written in either case.
  yield* writeRm(cpu, i, size, equal ? register(cpu, i, size) : old);
  if (!equal) cpu.setOperand(Gpr.RAX, size, true, old);
  cpu.setFlags(flags, STATUS);
};

/** BT, BTS, BTR, BTC: 0 … 3. A register counts bits from the operand on, an immediate within it. */
const bit = (operation: number, byRegister: boolean): Run =>
  function* (cpu, i) {
    const { size } = i;
    const bits = BigInt(8 * size);
    const index = byRegister ? BigInt.asIntN(8 * size, register(cpu, i, size)) : BigInt.asUintN(8, i.immediate);
    const inside = BigInt.asUintN(64, index) & (bits - 1n);
    const distance = byRegister && !i.register ? ((index - inside) / bits) * BigInt(size) : 0n;
    const at = { ...i, offset: truncate(i.offset + distance, i.addressSize) };
    if (operation !== 0) probeWrite(cpu, at, size);
    const old = yield* readRm(cpu, at, size);
    const mask = 1n << inside;
    const result = [old, old | mask, old & ~mask, old ^ mask][operation] as bigint;
    if (operation !== 0) yield* writeRm(cpu, at, size, result);
    cpu.setFlags((old & mask) === 0n ? 0n : Rflags.CF, Rflags.CF);
  };

const load: Run = function* (cpu, i) {
  const size = sizeOf(i);
  setRegister(cpu, i, size, yield* readRm(cpu, i, size));
};
const store: Run = function* (cpu, i) {
  const size = sizeOf(i);
  yield* writeRm(cpu, i, size, register(cpu, i, size));
};
const storeImmediate: Run = function* (cpu, i) {
  const size = sizeOf(i);
  if ((i.reg & 7) !== 0) throw new GuestFault(Vector.UD);
  yield* writeRm(cpu, i, size, truncate(i.immediate, size));
};
/** MOV between the accumulator and an address in the instruction. */
const accumulator = (isLoad: boolean): Run =>
  function* (cpu, i) {
    const size = sizeOf(i);
    const linear = linearOf(cpu, i);
    if (isLoad) cpu.setOperand(Gpr.RAX, size, true, yield* cpu.read(linear, size));
    else yield* cpu.write(linear, size, cpu.operand(Gpr.RAX, size, true));
  };
const extended = (from: Size, isSigned: boolean): Run =>
  function* (cpu, i) {
    const value = yield* readRm(cpu, i, from);
    setRegister(cpu, i, i.size, isSigned ? BigInt.asIntN(8 * from, value) : value);
  };
const conditionalMove: Run = function* (cpu, i) {
  const value = yield* readRm(cpu, i, i.size);
  const holds = condition(i.opcode & 15, cpu.guest.get('rflags'));
  setRegister(cpu, i, i.size, holds ? value : register(cpu, i, i.size));
};
const setCondition: Run = function* (cpu, i) {
  yield* writeRm(cpu, i, 1, condition(i.opcode & 15, cpu.guest.get('rflags')) ? 1n : 0n);
};
const nonTemporal: Run = function* (cpu, i) {
  yield* writeRm(cpu, i, i.size, register(cpu, i, i.size));
};

const bitGroup: Run = function* (cpu, i) {
  if ((i.reg & 7) < 4) throw new GuestFault(Vector.UD);
  yield* bit((i.reg & 7) - 4, false)(cpu, i);
};

/** By opcode; the second map has 0x0f00 more. */
const definitions = new Map<number, Definition>([
  ...Array.from({ length: 8 }, (_, operation) => [0, 1, 2, 3].map((form): [number, Definition] => [operation * 8 + form, modrm(arithmetic(operation, form))])).flat(),
  [0x63, modrm(extended(4, true))],
  [0x80, withByte(immediateGroup)], [0x81, withWord(immediateGroup)], [0x83, withByte(immediateGroup)],
  ...[0x84, 0x85].map((opcode): [number, Definition] => [opcode, modrm(function* (cpu, i) {
    yield* toMemory(cpu, i, sizeOf(i), AND, register(cpu, i, sizeOf(i)), false);
  })]),
  [0x86, modrm(exchange)], [0x87, modrm(exchange)],
  [0x88, modrm(store)], [0x89, modrm(store)], [0x8a, modrm(load)], [0x8b, modrm(load)],
  [0xa0, offset(accumulator(true))], [0xa1, offset(accumulator(true))], [0xa2, offset(accumulator(false))], [0xa3, offset(accumulator(false))],
  [0xa4, plain(moveString)], [0xa5, plain(moveString)], [0xa6, plain(compareString)], [0xa7, plain(compareString)],
  [0xaa, plain(storeString)], [0xab, plain(storeString)], [0xac, plain(loadString)], [0xad, plain(loadString)], [0xae, plain(scanString)], [0xaf, plain(scanString)],
  [0xc6, withByte(storeImmediate)], [0xc7, withWord(storeImmediate)],
  [0xf6, withByte(unaryGroup)], [0xf7, withWord(unaryGroup)],
  [0xfe, modrm(step)], [0xff, modrm(step)],
  ...Array.from({ length: 16 }, (_, cc): [number, Definition] => [0x0f40 + cc, modrm(conditionalMove)]),
  ...Array.from({ length: 16 }, (_, cc): [number, Definition] => [0x0f90 + cc, modrm(setCondition)]),
  [0x0fa3, modrm(bit(0, true))], [0x0fab, modrm(bit(1, true))], [0x0fb3, modrm(bit(2, true))], [0x0fbb, modrm(bit(3, true))], [0x0fba, withByte(bitGroup)],
  [0x0fb0, modrm(compareExchange)], [0x0fb1, modrm(compareExchange)], [0x0fc0, modrm(exchangeAdd)], [0x0fc1, modrm(exchangeAdd)],
  [0x0fb6, modrm(extended(1, false))], [0x0fb7, modrm(extended(2, false))], [0x0fbe, modrm(extended(1, true))], [0x0fbf, modrm(extended(2, true))],
  [0x0fc3, modrm(nonTemporal)],
  ...ARITHMETIC_DEFINITIONS, ...STACK_DEFINITIONS, ...SYSTEM_DEFINITIONS, ...VECTOR_DEFINITIONS,
]);

export const shapeOf = (opcode: number): Shape | undefined => definitions.get(opcode);

/** The work of an instruction, undefined for one that is not emulated. */
export function execute(cpu: EmulatedCpu, i: Instruction): ReturnType<Run> | undefined {
  if (usesVectors(i)) return moveVector(cpu, i);
  const definition = definitions.get(i.opcode);
  if (i.vex !== 0 || definition?.handles?.(i) === false) return undefined;
  return definition?.run(cpu, i);
}
