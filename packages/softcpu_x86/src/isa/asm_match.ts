/** Which operands of the assembler fit an operand of the opcode table, and what each adds to the encoding. */
import { operandBits } from '../emit/define.ts';
import type { AsmOperand, MemoryOperand, RegisterOperand } from './asm_operands.ts';
import type { Operand, Row } from './table.ts';

/** What an instruction is encoded for. */
export interface Target {
  readonly bits: 16 | 32 | 64;
  readonly address: bigint;
  readonly prefixes: readonly number[];
  /** Operand size that a suffix asks for, 0 if none does. */
  readonly size: number;
  /** Jumps of one byte are not to be used. */
  readonly near: boolean;
}

export const fitsSigned = (value: bigint, bits: number): boolean => BigInt.asIntN(bits, value) === value;
/** As a signed number of the operand's size, from either reading. */
const signed = (value: bigint, bits: number): bigint | undefined => (fitsSigned(value, bits) || BigInt.asUintN(bits, value) === value ? BigInt.asIntN(bits, value) : undefined);

const CLASSES: Readonly<Record<string, string>> = { G: 'gpr', Z: 'gpr', R: 'gpr', B: 'gpr', S: 'segment', C: 'control', D: 'debug', P: 'mm', N: 'mm', T: 'st' };

/** The parts of an encoding while it is put together. */
export interface Parts {
  reg: number;
  rm: RegisterOperand | MemoryOperand | undefined;
  vvvv: number;
  opcodeRegister: number;
  immediates: { readonly value: bigint; readonly bytes: number }[];
  relative: { readonly target: bigint; readonly bytes: number } | undefined;
  offset: MemoryOperand | undefined;
  high: boolean;
  needsRex: boolean;
  segment: number;
  addressBits: number;
}

function fits(value: bigint, { size }: Operand, bits: number): bigint | undefined {
  if (size === 'b') return signed(value, 8);
  if (size === 'w') return BigInt.asUintN(16, value) === value ? value : undefined;
  const number = signed(value, bits);
  if (number === undefined) return undefined;
  if (size === 'bs') return fitsSigned(number, 8) ? number : undefined;
  return size === 'v' || bits < 64 || fitsSigned(number, 32) ? number : undefined;
}

const immediateBytes = ({ kind, size }: Operand, operandSize: number): number => {
  if (kind === 'K' || kind === 'L' || size === 'b' || size === 'bs') return 1;
  if (size === 'w') return 2;
  return size === 'v' ? operandSize / 8 : Math.min(operandSize, 32) / 8;
};

/** Memory operands that may have any size, or none. */
export const isSizeless = (operand: Operand): boolean => operand.size === '' || operand.size === 's';

function matchMemory(parts: Parts, operand: Operand, given: MemoryOperand, bits: number): boolean {
  if (given.vector !== 0 && operand.kind.length === 1) return false;
  const wanted = operand.kind === 'E' && (operand.size === 'sv' || operand.size === 'sw') ? 16 : bits;
  if (given.bits !== 0 && given.bits !== wanted && !isSizeless(operand) && operand.size !== 'p') return false;
  parts.rm = given;
  parts.segment = given.segment;
  parts.addressBits = given.addressBits;
  return true;
}

/** Whether an operand fits a row's, which it then becomes a part of. */
export function matches(parts: Parts, row: Row, operand: Operand, given: AsmOperand, operandSize: number, l: number, target: Target): boolean {
  const { kind, size } = operand;
  // VMREAD and its like are as wide as the mode; bounds are two.
  const bits = (size === 'q' && 'EG'.includes(kind) && target.bits !== 64 ? 32 : operandBits(operand, operandSize, l)) * (size === 'a' ? 2 : 1);
  const register = given.type === 'register' ? given : undefined;
  if (register !== undefined && register.class === 'gpr') {
    parts.high ||= register.high;
    parts.needsRex ||= register.needsRex;
  }
  const wordBits = size === 'db' || size === 'dw' || size === 'dd' ? 32 : size === 'sv' || size === 'sw' || (row.name === 'mov' && row.operands[0]?.kind === 'S') ? operandSize : bits;
  const take = (put: (number: number) => void, want: string, exact: boolean): boolean => {
    if (register === undefined || register.class !== want || (exact && register.bits !== wordBits)) return false;
    put(register.number);
    return true;
  };
  switch (kind) {
    case 'E':
      if (given.type === 'memory') return matchMemory(parts, operand, given, bits);
      if (register?.class !== 'gpr' || register.bits !== wordBits) return false;
      parts.rm = register;
      return true;
    case 'M':
    case 'MX':
    case 'MH':
      return given.type === 'memory' && matchMemory(parts, operand, given, bits);
    case 'R':
    case 'N':
    case 'T':
    case 'U':
    case 'W':
    case 'Q': {
      if (given.type === 'memory') return (kind === 'W' || kind === 'Q') && matchMemory(parts, operand, given, bits);
      const want = kind === 'U' || kind === 'W' ? ((size === 'x' || size === 'dup') && l === 1 ? 'ymm' : 'xmm') : kind === 'Q' ? 'mm' : (CLASSES[kind] as string);
      const ok = register?.class === want && (kind !== 'R' || register.bits === (size === 'r' || size === 'x' ? (target.bits === 64 ? 64 : 32) : bits));
      if (ok) parts.rm = register;
      return ok;
    }
    case 'G':
      return take((n) => void (parts.reg = n), 'gpr', true);
    case 'Z':
      // There is a row for each register.
      return register !== undefined && (register.number & 7) === (row.opcode & 7) && take((n) => void (parts.opcodeRegister = n), 'gpr', true);
    case 'B':
      return take((n) => void (parts.vvvv = n), 'gpr', true);
    case 'S':
    case 'C':
    case 'D':
    case 'P':
      return take((n) => void (parts.reg = n), CLASSES[kind] as string, false);
    case 'V':
      return take((n) => void (parts.reg = n), (size === 'x' || size === 'dup') && l === 1 ? 'ymm' : 'xmm', false);
    case 'H':
      return take((n) => void (parts.vvvv = n), size === 'x' && l === 1 ? 'ymm' : 'xmm', false);
    case 'L':
      return take((n) => void parts.immediates.push({ value: BigInt(n) << 4n, bytes: 1 }), size === 'x' && l === 1 ? 'ymm' : 'xmm', false);
    case 'I': {
      const value = given.type === 'immediate' ? fits(given.value, operand, size === 'b' ? 8 : bits) : undefined;
      if (value === undefined) return false;
      parts.immediates.push({ value, bytes: immediateBytes(operand, operandSize) });
      return true;
    }
    case 'K':
      if (given.type !== 'immediate') return false;
      parts.immediates.push({ value: given.value, bytes: 1 });
      return true;
    case 'J':
      if (given.type !== 'immediate') return false;
      parts.relative = { target: given.value, bytes: size === 'b' ? 1 : operandSize === 16 ? 2 : 4 };
      return true;
    case 'A':
      if (given.type !== 'far') return false;
      parts.immediates.push({ value: given.offset, bytes: operandSize / 8 }, { value: given.selector, bytes: 2 });
      return true;
    case 'O':
      if (given.type !== 'memory' || given.base >= 0 || given.index >= 0 || given.rip || (given.bits !== 0 && given.bits !== bits)) return false;
      if (target.bits === 64 && row.name === 'mov' && fitsSigned(given.disp, 32)) return false;
      parts.offset = given;
      parts.segment = given.segment;
      return true;
    case 'X':
    case 'Y':
      if (given.type !== 'memory' || given.base !== (kind === 'X' ? 6 : 7) || given.bits !== bits) return false;
      parts.addressBits = given.addressBits;
      if (kind === 'X') parts.segment = given.segment === 3 ? -1 : given.segment;
      return true;
    default:
      return matchFixed(size, given, operandSize);
  }
}

function matchFixed(size: string, given: AsmOperand, operandSize: number): boolean {
  if (size === '1') return given.type === 'immediate' && given.value === 1n;
  if (given.type !== 'register') return false;
  const { class: kind, number, bits, high } = given;
  switch (size) {
    case 'AL': return kind === 'gpr' && number === 0 && bits === 8;
    case 'CL': return kind === 'gpr' && number === 1 && bits === 8;
    case 'DX': return kind === 'gpr' && number === 2 && bits === 16;
    case 'AX': return kind === 'gpr' && number === 0 && bits === 16;
    case 'rAX': return kind === 'gpr' && number === 0 && bits === operandSize && !high;
    case 'zAX': return kind === 'gpr' && number === 0 && bits === Math.min(32, operandSize);
    case 'X0': return kind === 'xmm' && number === 0;
    case 'T0': return kind === 'st' && number === 0;
    default: return kind === 'segment' && number === ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].indexOf(size);
  }
}
