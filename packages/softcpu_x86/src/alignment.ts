/** Alignment checking (SDM vol. 3, 6.15, #AC and table 6-7): whether an instruction would access data that is not aligned, found before it is executed. */
import { operandBits } from './emit/define.ts';
import type { Decoded } from './isa/decode.ts';
import type { Operand } from './isa/table.ts';
import { CODE, Seg } from './state.ts';

/** What of the processor addresses depend on. */
export interface AddressSources {
  /** General register by number. */
  readonly gpr: (number: number) => bigint;
  /** Segment base by number, that counts in the mode of the instruction. */
  readonly base: (segment: number) => bigint;
  /** The stack pointer has 64, 32 or 16 bits. */
  readonly stackBits: number;
}

/** Memory operands that are no data: only addresses, or bytes whose alignment nothing is said of. */
const UNCHECKED = /^(lea|nop|prefetch\w*|clflush\w*|clwb|invlpg|v?p?gather\w*|v?p?maskmov\w*|fxsave|fxrstor|xsave\w*|xrstors?)$/;
const PUSHES = /^(push|call|pushf|pusha|enter)$/;
const POPS = /^(pop|ret|popf|popa)$/;
const [RCX, RSP, RBP, RSI, RDI] = [1, 4, 5, 6, 7];

/** Bytes that an operand has to be aligned to; 1 where nothing is checked: vectors raise #GP instead, or take any address. */
function alignmentOf(operand: Operand, insn: Decoded): number {
  if (operand.kind === 'M' && (operand.size === '' || operand.size === 's')) return operand.size === 's' ? 1 : 4;
  // Far pointers by their offsets; extended numbers as doubles.
  if (operand.size === 'p') return insn.operandSize === 16 ? 2 : insn.operandSize === 64 ? 8 : 4;
  if (operand.size === 't') return 8;
  const bits = operandBits(operand, insn.operandSize, insn.l);
  return bits > 64 ? 1 : bits / 8;
}

/** Linear address of the operand by ModRM; `next` is the offset of the next instruction. */
function operandAddress(insn: Decoded, { gpr, base }: AddressSources, next: bigint): bigint {
  const register = (number: number): bigint => (number < 0 ? 0n : gpr(number));
  const offset = BigInt(insn.disp) + register(insn.base) + (register(insn.index) << BigInt(insn.scale)) + (insn.ripRelative ? next : 0n);
  return base(insn.segment) + BigInt.asUintN(insn.addressSize, offset);
}

/** Linear address of an operand whose offset is in the instruction. */
const absoluteAddress = (insn: Decoded, { base }: AddressSources): bigint =>
  base(insn.override >= 0 ? insn.override : Seg.ds) + BigInt.asUintN(insn.addressSize, (BigInt(insn.immHigh) << 32n) | BigInt(insn.disp >>> 0));

/**
 * Whether a decoded instruction accesses memory at an address that is not a multiple of the size of what it accesses.
 *
 * @param next - offset of the next instruction.
 */
export function isMisaligned(insn: Decoded, sources: AddressSources, next: bigint): boolean {
  const { row } = insn;
  const { gpr, base, stackBits } = sources;
  const misses = (address: bigint, alignment: number): boolean => (address & BigInt(alignment - 1)) !== 0n;
  if (!UNCHECKED.test(row.name)) {
    for (const operand of row.operands) {
      const { kind } = operand;
      if ('EMWQ'.includes(kind) && insn.isMemory && misses(operandAddress(insn, sources, next), alignmentOf(operand, insn))) return true;
      if (kind === 'O' && misses(absoluteAddress(insn, sources), alignmentOf(operand, insn))) return true;
      if (kind !== 'X' && kind !== 'Y') continue;
      if (insn.rep !== 0 && row.rep && BigInt.asUintN(insn.addressSize, gpr(RCX)) === 0n) continue;
      const [number, segment] = kind === 'X' ? [RSI, insn.override >= 0 ? insn.override : Seg.ds] : [RDI, Seg.es];
      if (misses(base(segment) + BigInt.asUintN(insn.addressSize, gpr(number)), alignmentOf(operand, insn))) return true;
    }
  }
  const size = insn.operandSize / 8;
  const stack = (offset: bigint): boolean => misses(base(Seg.ss) + BigInt.asUintN(stackBits, offset), size);
  // ENTER copies frame pointers of nested procedures from where RBP points, and tries the new top of the stack.
  if (row.name === 'enter' && (((insn.imm2 & 31) > 1 && stack(gpr(RBP))) || stack(gpr(RSP) - BigInt(insn.imm)))) return true;
  if (PUSHES.test(row.name)) return stack(gpr(RSP) - BigInt(size));
  if (POPS.test(row.name)) return stack(gpr(RSP));
  return row.name === 'leave' && stack(gpr(RBP));
}

/** Bits of the stack pointer in a mode. */
export const stackBitsOf = (mode: number): number => ((mode & CODE.size) === CODE.code64 ? 64 : (mode & CODE.stack32) !== 0 ? 32 : 16);
