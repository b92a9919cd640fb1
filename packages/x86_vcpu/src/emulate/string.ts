/**
 * String instructions, one element at a time (SDM vol. 1, 7.3.9). With REP the registers are right after each element, so that the
 * instruction can be left at any time and begins again where it was.
 */
import { Gpr, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import { GuestFault } from '../paging.ts';
import { sizeOf, type Instruction } from './decode.ts';
import { STATUS, subtract } from './flags.ts';
import { truncate, type EmulatedCpu, type Steps } from './machine.ts';

/** Elements of one instruction before the guest is entered again: interrupts are taken then. */
const BATCH = 64;

/** The instruction is not finished: RIP stays on it. */
export class Unfinished extends Error {}

const pointer = (cpu: EmulatedCpu, i: Instruction, index: number): bigint => truncate(cpu.reg(index), i.addressSize);
/** Moves a pointer or a counter, as wide as addresses are. */
function advance(cpu: EmulatedCpu, { addressSize }: Instruction, index: number, distance: bigint): void {
  cpu.setOperand(index, addressSize, true, truncate(cpu.reg(index) + distance, addressSize));
}

/** Runs `element` once, or as often as the counter and, for comparisons, ZF say. */
function* repeated(cpu: EmulatedCpu, i: Instruction, compares: boolean, element: () => Steps): Steps {
  if (i.repeat === 0) return yield* element();
  // A guest that steps sees each element.
  const batch = (cpu.guest.get('rflags') & Rflags.TF) === 0n ? BATCH : 1;
  for (let done = 0; pointer(cpu, i, Gpr.RCX) !== 0n; done++) {
    if (done === batch) throw new Unfinished();
    yield* element();
    advance(cpu, i, Gpr.RCX, -1n);
    const zero = (cpu.guest.get('rflags') & Rflags.ZF) !== 0n;
    if (compares && zero !== (i.repeat === 0xf3)) return;
  }
}

const source = (cpu: EmulatedCpu, i: Instruction): bigint => cpu.linear(i.source, pointer(cpu, i, Gpr.RSI));
const destination = (cpu: EmulatedCpu, i: Instruction): bigint => cpu.linear('es', pointer(cpu, i, Gpr.RDI));
const stride = (cpu: EmulatedCpu, size: number): bigint => cpu.direction * BigInt(size);

export function moveString(cpu: EmulatedCpu, i: Instruction): Steps {
  const size = sizeOf(i);
  return repeated(cpu, i, false, function* () {
    cpu.probe(destination(cpu, i), size, true);
    yield* cpu.write(destination(cpu, i), size, yield* cpu.read(source(cpu, i), size));
    advance(cpu, i, Gpr.RSI, stride(cpu, size));
    advance(cpu, i, Gpr.RDI, stride(cpu, size));
  });
}

export function storeString(cpu: EmulatedCpu, i: Instruction): Steps {
  const size = sizeOf(i);
  return repeated(cpu, i, false, function* () {
    yield* cpu.write(destination(cpu, i), size, cpu.operand(Gpr.RAX, size, true));
    advance(cpu, i, Gpr.RDI, stride(cpu, size));
  });
}

export function loadString(cpu: EmulatedCpu, i: Instruction): Steps {
  const size = sizeOf(i);
  return repeated(cpu, i, false, function* () {
    cpu.setOperand(Gpr.RAX, size, true, yield* cpu.read(source(cpu, i), size));
    advance(cpu, i, Gpr.RSI, stride(cpu, size));
  });
}

export function compareString(cpu: EmulatedCpu, i: Instruction): Steps {
  const size = sizeOf(i);
  return repeated(cpu, i, true, function* () {
    const first = yield* cpu.read(source(cpu, i), size);
    const { flags } = subtract(first, yield* cpu.read(destination(cpu, i), size), 0n, size);
    cpu.setFlags(flags, STATUS);
    advance(cpu, i, Gpr.RSI, stride(cpu, size));
    advance(cpu, i, Gpr.RDI, stride(cpu, size));
  });
}

export function scanString(cpu: EmulatedCpu, i: Instruction): Steps {
  const size = sizeOf(i);
  return repeated(cpu, i, true, function* () {
    const { flags } = subtract(cpu.operand(Gpr.RAX, size, true), yield* cpu.read(destination(cpu, i), size), 0n, size);
    cpu.setFlags(flags, STATUS);
    advance(cpu, i, Gpr.RDI, stride(cpu, size));
  });
}

/** INS and OUTS, by the decoded instruction. */
export function portString(cpu: EmulatedCpu, i: Instruction, port: number, input: boolean): Steps {
  const size = (i.opcode & 1) === 0 ? 1 : (Math.min(i.size, 4) as 2 | 4);
  return repeated(cpu, i, false, function* () {
    if (input) {
      cpu.probe(destination(cpu, i), size, true);
      yield* cpu.write(destination(cpu, i), size, truncate(yield { kind: 'in', port, width: size }, size));
      advance(cpu, i, Gpr.RDI, stride(cpu, size));
      return;
    }
    yield { kind: 'out', port, width: size, data: yield* cpu.read(source(cpu, i), size) };
    advance(cpu, i, Gpr.RSI, stride(cpu, size));
  });
}

/** INS and OUTS as instructions to be decoded. */
export const portStringShape = (opcode: number): { readonly modrm: false; readonly immediate: 'none' } | undefined =>
  opcode >= 0x6c && opcode <= 0x6f ? { modrm: false, immediate: 'none' } : undefined;

/** A string instruction that could not be decoded where the processor executed one. */
export const undecodable = (): GuestFault => new GuestFault(Vector.UD);
