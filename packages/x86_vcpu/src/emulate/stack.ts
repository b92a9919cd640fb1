/** Instructions on the stack, and near transfers, where the stack or the operand is a device's (SDM vol. 2: PUSH, POP, CALL, RET, JMP, ENTER, LEAVE). */
import { Cr4, Gpr, SegmentAccess, Vector } from '@axvisor/axvisor_api/arch/x86';
import { GuestFault } from '../paging.ts';
import { decode, type Instruction } from './decode.ts';
import { truncate, type EmulatedCpu, type Size, type Steps } from './machine.ts';
import { JUMPED, linearOf, modrm, plain, readRm, writeRm, type Definition, type Run } from './operands.ts';

/** Bytes of an operand: 64-bit code has no pushes of 4. */
const sizeOnStack = (cpu: EmulatedCpu, { size, operandPrefix }: Instruction): 2 | 4 | 8 => (cpu.mode.long ? (operandPrefix ? 2 : 8) : size);
/** Bytes of an instruction pointer: 64-bit code has no others. */
const sizeOfTarget = (cpu: EmulatedCpu, { size }: Instruction): 2 | 4 | 8 => (cpu.mode.long ? 8 : size);
/** Bytes of the stack pointer. */
const width = (cpu: EmulatedCpu): 2 | 4 | 8 => (cpu.mode.long ? 8 : (cpu.guest.rights('ss') & SegmentAccess.DB) !== 0 ? 4 : 2);

const top = (cpu: EmulatedCpu): bigint => cpu.operand(Gpr.RSP, width(cpu), true);
const setTop = (cpu: EmulatedCpu, value: bigint): void => cpu.setOperand(Gpr.RSP, width(cpu), true, truncate(value, width(cpu)));

function* push(cpu: EmulatedCpu, size: Size, value: bigint): Steps {
  const to = truncate(top(cpu) - BigInt(size), width(cpu));
  yield* cpu.write(cpu.linear('ss', to), size, truncate(value, size));
  setTop(cpu, to);
}

function* pop(cpu: EmulatedCpu, size: Size): Steps<bigint> {
  const value = yield* cpu.read(cpu.linear('ss', top(cpu)), size);
  setTop(cpu, top(cpu) + BigInt(size));
  return value;
}

/** Several values, one after the other, or none. */
export function* pushAll(cpu: EmulatedCpu, size: Size, values: readonly bigint[]): Steps {
  const before = top(cpu);
  try {
    for (const value of values) yield* push(cpu, size, value);
  } catch (e) {
    setTop(cpu, before);
    throw e;
  }
}

/** An instruction pointer that may be jumped to, in 64-bit code or in a segment with a limit. @throws {GuestFault} #GP */
export function target(cpu: EmulatedCpu, where: 'long' | number, to: bigint): bigint {
  const bits = (cpu.guest.get('cr4') & Cr4.LA57) !== 0n ? 57 : 48;
  const allowed = where === 'long' ? truncate(BigInt.asIntN(bits, to), 8) === to : to <= BigInt(where);
  if (!allowed) throw new GuestFault(Vector.GP, 0);
  return to;
}

const near = (cpu: EmulatedCpu, i: Instruction, value: bigint): bigint => target(cpu, cpu.mode.long ? 'long' : cpu.guest.segment('cs').limit, truncate(value, sizeOfTarget(cpu, i)));

const behind = (cpu: EmulatedCpu, { length }: Instruction): bigint => cpu.guest.get('rip') + BigInt(length);

function* call(cpu: EmulatedCpu, i: Instruction, value: bigint): Steps<typeof JUMPED> {
  const to = near(cpu, i, value);
  yield* push(cpu, sizeOfTarget(cpu, i), behind(cpu, i));
  cpu.guest.set('rip', to);
  return JUMPED;
}

const pushRegister: Run = function* (cpu, i) {
  yield* push(cpu, sizeOnStack(cpu, i), cpu.reg((i.opcode & 7) | i.extension));
};
const pushImmediate: Run = function* (cpu, i) {
  yield* push(cpu, sizeOnStack(cpu, i), i.immediate);
};
const popRegister: Run = function* (cpu, i) {
  const size = sizeOnStack(cpu, i);
  const value = yield* pop(cpu, size);
  cpu.setOperand((i.opcode & 7) | i.extension, size, true, value);
};
/** The address of the operand counts with the stack pointer behind the pop. */
const popOperand: Run = function* (cpu, i) {
  if ((i.reg & 7) !== 0) throw new GuestFault(Vector.UD);
  const size = sizeOnStack(cpu, i);
  const before = top(cpu);
  const value = yield* pop(cpu, size);
  const at = decode(cpu.fetch(), cpu, () => ({ modrm: true, immediate: 'none' })) ?? i;
  try {
    if (!at.register) cpu.probe(linearOf(cpu, at), size, true);
  } catch (e) {
    setTop(cpu, before);
    throw e;
  }
  yield* writeRm(cpu, at, size, value);
};

const callNear: Run = (cpu, i) => call(cpu, i, behind(cpu, i) + i.immediate);
const returnNear: Run = function* (cpu, i) {
  const before = top(cpu);
  const value = yield* pop(cpu, sizeOfTarget(cpu, i));
  try {
    cpu.guest.set('rip', near(cpu, i, value));
  } catch (e) {
    setTop(cpu, before);
    throw e;
  }
  setTop(cpu, top(cpu) + truncate(i.immediate, 2));
  return JUMPED;
};

/** Nesting level 0, which compilers use. */
const enter: Run = function* (cpu, i) {
  const size = sizeOnStack(cpu, i);
  yield* push(cpu, size, cpu.reg(Gpr.RBP));
  cpu.setOperand(Gpr.RBP, size, true, truncate(cpu.reg(Gpr.RSP), size));
  setTop(cpu, top(cpu) - truncate(i.immediate, 2));
};
const isNested = ({ immediate }: Instruction): boolean => ((immediate >> 16n) & 31n) !== 0n;

const leave: Run = function* (cpu, i) {
  const size = sizeOnStack(cpu, i);
  const frame = cpu.operand(Gpr.RBP, width(cpu), true);
  const value = yield* cpu.read(cpu.linear('ss', frame), size);
  setTop(cpu, frame + BigInt(size));
  cpu.setOperand(Gpr.RBP, size, true, value);
};

/** CALL, JMP and PUSH of the group FF: 2, 4 and 6 in ModRM.reg. */
export const transferGroup: Run = function* (cpu, i) {
  switch (i.reg & 7) {
    case 2:
      return yield* call(cpu, i, yield* readRm(cpu, i, sizeOfTarget(cpu, i)));
    case 4:
      cpu.guest.set('rip', near(cpu, i, yield* readRm(cpu, i, sizeOfTarget(cpu, i))));
      return JUMPED;
    case 6:
      return yield* push(cpu, sizeOnStack(cpu, i), yield* readRm(cpu, i, sizeOnStack(cpu, i)));
    default:
      throw new GuestFault(Vector.UD);
  }
};

const eight = (first: number, definition: Definition): [number, Definition][] => Array.from({ length: 8 }, (_, i) => [first + i, definition]);

export const STACK_DEFINITIONS: readonly (readonly [number, Definition])[] = [
  ...eight(0x50, plain(pushRegister)), ...eight(0x58, plain(popRegister)),
  [0x68, { modrm: false, immediate: 'word', run: pushImmediate }], [0x6a, { modrm: false, immediate: 'byte', run: pushImmediate }],
  [0x8f, modrm(popOperand)],
  [0xc2, { modrm: false, immediate: 'half', run: returnNear }], [0xc3, plain(returnNear)],
  [0xc8, { modrm: false, immediate: 'frame', run: enter, handles: (i) => !isNested(i) }], [0xc9, plain(leave)],
  [0xe8, { modrm: false, immediate: 'word', run: callNear }],
];
