/** Encodes one instruction of the assembler by the opcode table: every row of its name is tried, the shortest encoding wins. */
import { AssemblyError } from '@axvisor/softcpu/asm';
import { operandBits } from '../emit/define.ts';
import type { AsmOperand, MemoryOperand, RegisterOperand } from './asm_operands.ts';
import { rows } from './table.ts';
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

const byName = new Map<string, Row[]>();
for (const row of rows) {
  if (row.alias) continue;
  const list = byName.get(row.name);
  if (list === undefined) byName.set(row.name, [row]);
  else list.push(row);
}

/** Whether a name is an instruction's. */
export const isMnemonic = (name: string): boolean => byName.has(name);

const fitsSigned = (value: bigint, bits: number): boolean => BigInt.asIntN(bits, value) === value;
/** As a signed number of the operand's size, from either reading. */
const signed = (value: bigint, bits: number): bigint | undefined => (fitsSigned(value, bits) || BigInt.asUintN(bits, value) === value ? BigInt.asIntN(bits, value) : undefined);

const CLASSES: Readonly<Record<string, string>> = { G: 'gpr', Z: 'gpr', R: 'gpr', B: 'gpr', S: 'segment', C: 'control', D: 'debug', P: 'mm', N: 'mm', T: 'st' };

/** The parts of an encoding while it is put together. */
interface Parts {
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

/** Names whose memory operand may have any size, or none. */
const isSizeless = (operand: Operand): boolean => operand.size === '' || operand.size === 's';

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
function matches(parts: Parts, row: Row, operand: Operand, given: AsmOperand, operandSize: number, l: number, target: Target): boolean {
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
      if (given.type !== 'immediate' || (target.near && size === 'b' && rowsHave(row.name, 'z'))) return false;
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

const rowsHave = (name: string, size: string): boolean => byName.get(name)?.some((row) => row.operands[0]?.kind === 'J' && row.operands[0].size === size) === true;

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

const PREFIX_BYTES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** ModRM, SIB and displacement; a RIP-relative displacement is left for later as its last four bytes. */
function modrm(rm: RegisterOperand | MemoryOperand, reg: number, address: number, target: Target): number[] {
  const middle = (reg & 7) << 3;
  if (rm.type === 'register') return [0xc0 | middle | (rm.number & 7)];
  const { base, index, scale, disp, rip } = rm;
  if (rip) return [middle | 5, 0, 0, 0, 0];
  const short = fitsSigned(BigInt.asIntN(address, disp), 8);
  if (address === 16) {
    if (base < 0) return [middle | 6, ...little(disp, 2)];
    const code = ['3,6', '3,7', '5,6', '5,7', '6,-1', '7,-1', '5,-1', '3,-1'].indexOf(`${base},${index}`);
    if (code < 0) throw new AssemblyError('these registers do not make an address');
    if (disp === 0n && code !== 6) return [middle | code];
    return short ? [0x40 | middle | code, ...little(disp, 1)] : [0x80 | middle | code, ...little(disp, 2)];
  }
  if (base < 0) {
    const sib = (scale << 6) | ((index < 0 ? 4 : index & 7) << 3) | 5;
    return index < 0 && target.bits !== 64 ? [middle | 5, ...little(disp, 4)] : [middle | 4, sib, ...little(disp, 4)];
  }
  const tail = disp === 0n && (base & 7) !== 5 ? [] : little(disp, short ? 1 : 4);
  const mod = tail.length === 0 ? 0 : tail.length === 1 ? 0x40 : 0x80;
  if (index < 0 && (base & 7) !== 4) return [mod | middle | (base & 7), ...tail];
  return [mod | middle | 4, (scale << 6) | ((index < 0 ? 4 : index & 7) << 3) | (base & 7), ...tail];
}

/** Bytes of a row with its operands; undefined if they do not fit. */
function encodeRow(row: Row, given: readonly AsmOperand[], operandSize: number, l: number, target: Target): number[] | undefined {
  const long = target.bits === 64;
  const parts: Parts = { reg: row.reg ?? 0, rm: undefined, vvvv: 0, opcodeRegister: 0, immediates: [], relative: undefined, offset: undefined, high: false, needsRex: false, segment: -1, addressBits: 0 };
  for (const [i, operand] of row.operands.entries()) {
    if (!matches(parts, row, operand, given[i] as AsmOperand, operandSize, l, target)) return undefined;
  }
  if (parts.rm?.type === 'memory' && target.bits === 64 && parts.addressBits !== 32 && !parts.rm.rip && !fitsSigned(parts.rm.disp, 32) && !fitsSigned(BigInt.asIntN(64, parts.rm.disp), 32)) return undefined;
  if (row.memory !== undefined && parts.rm !== undefined && row.memory !== (parts.rm.type === 'memory')) return undefined;
  const natural = row.force64 ? (long ? 64 : target.bits) : row.default64 && long ? 64 : target.bits === 16 ? 16 : 32;
  const sized = !row.vex && isSized(row);
  const w = row.w ?? (sized && operandSize === 64 && natural !== 64 ? 1 : 0);
  if (!long && (w === 1 || operandSize === 64) && sized) return undefined;
  const prefixes: number[] = [...target.prefixes];
  const address = parts.addressBits === 0 ? target.bits : parts.addressBits;
  if (address !== target.bits) prefixes.push(0x67);
  const { rm } = parts;
  const defaultSegment = rm?.type === 'memory' && (rm.base === 4 || rm.base === 5) ? 2 : 3;
  if (parts.segment >= 0 && parts.segment !== defaultSegment && !(long && parts.segment < 4)) prefixes.push(PREFIX_BYTES[parts.segment] as number);
  if (sized && row.prefix !== '66' && operandSize !== natural && w === 0) prefixes.push(0x66);
  const rmBase = rm?.type === 'memory' ? rm.base : (rm?.number ?? 0);
  const rexBits = (parts.reg >> 3 << 2) | ((rm?.type === 'memory' && rm.index >= 8 ? 1 : 0) << 1) | (rmBase >= 8 || parts.opcodeRegister >= 8 ? 1 : 0);
  if (!long && (rexBits !== 0 || parts.needsRex)) return undefined;
  const body: number[] = [];
  if (row.vex) {
    const pp = { any: 0, np: 0, nr: 0, 66: 1, F3: 2, F2: 3 }[row.prefix];
    const wVex = row.w ?? (row.operands.some(({ size }) => size === 'y') && operandSize === 64 ? 1 : 0);
    const tail = ((~parts.vvvv & 15) << 3) | (l << 2) | pp;
    if (row.map === 1 && wVex === 0 && (rexBits & 3) === 0) body.push(0xc5, (rexBits & 4 ? 0 : 0x80) | tail);
    else body.push(0xc4, ((~rexBits & 7) << 5) | row.map, (wVex << 7) | tail);
    body.push(row.opcode);
  } else {
    if (/^(66|F2|F3)$/.test(row.prefix)) prefixes.push(Number.parseInt(row.prefix, 16));
    if (rexBits !== 0 || w === 1 || parts.needsRex) {
      if (parts.high) return undefined;
      body.push(0x40 | (w << 3) | rexBits);
    }
    if (row.map > 0) body.push(0x0f);
    if (row.map > 1) body.push(row.map === 2 ? 0x38 : 0x3a);
    body.push(row.opcode);
  }
  if (row.modrm !== undefined) body.push(row.modrm);
  else if (rm !== undefined) body.push(...modrm(rm, parts.reg, address, target));
  else if (row.hasModrm) body.push(0xc0 | ((row.reg ?? 0) << 3));
  const ripAt = rm?.type === 'memory' && rm.rip ? prefixes.length + body.length - 4 : -1;
  if (parts.offset !== undefined) body.push(...little(parts.offset.disp, address / 8));
  for (const { value, bytes } of parts.immediates) body.push(...little(value, bytes));
  const code = [...prefixes, ...body];
  const next = target.address + BigInt(code.length);
  const memory = rm as MemoryOperand;
  if (ripAt >= 0) code.splice(ripAt, 4, ...little(memory.ripTarget ? memory.disp - next : memory.disp, 4));
  if (parts.relative !== undefined) {
    const { target: to, bytes } = parts.relative;
    const distance = BigInt.asIntN(64, to - next - BigInt(bytes));
    if (!fitsSigned(distance, 8 * bytes) && bytes === 1) return undefined;
    code.push(...little(distance, bytes));
  }
  return code;
}

/** Whether the operand size says anything about a row. */
function isSized(row: Row): boolean {
  if (row.operands.some(({ kind }) => 'VWUPQNH'.includes(kind))) return row.operands.some(({ size }) => size === 'y');
  const plain = row.operands.some(({ kind, size }) => /^(v|y|z|sv|p|rAX|zAX)$/.test(size) || (kind === 'E' && size === 'sw') || kind === 'A');
  return plain || row.size !== undefined || row.default64 || row.name === 'retf' || row.name === 'sysret' || row.name === 'sysexit' || row.name.startsWith('xsave') || row.name.startsWith('fx');
}

/** Operand sizes to be tried: what a suffix says, else the usual one first. */
function sizesFor(row: Row, { bits, size }: Target): readonly number[] {
  if (row.size !== undefined) return size === 0 || size === row.size ? [row.size] : [];
  if (size !== 0) return [size];
  if (row.operands[0]?.kind === 'J' || row.operands[0]?.kind === 'A') return [bits];
  if (row.operands.every(({ kind }) => kind === 'I' || kind === 'J' || kind === 'K' || kind === 'A' || kind === 'fixed')) return bits === 64 && !(row.force64 || row.default64) ? [32, 64, 16] : [bits, bits === 32 ? 16 : 32];
  return bits === 64 ? (row.default64 || row.force64 ? [64, 16] : [32, 64, 16]) : bits === 32 ? [32, 16] : [16, 32];
}

/** Bits of a row's memory operand. */
function memoryBits(row: Row, operandSize: number, l: number): number {
  const operand = row.operands.find(({ kind }) => 'EMWQO'.includes(kind));
  return operand === undefined || isSizeless(operand) || operand.size === 's' ? 0 : operandBits(operand, operandSize, l);
}

/** Encodes an instruction. @throws {AssemblyError} if no row fits. */
export function encode(name: string, operands: readonly AsmOperand[], target: Target): Uint8Array {
  let best: number[] | undefined;
  const unsized = operands.some((operand) => operand.type === 'memory' && operand.bits === 0);
  const sizes = new Set<number>();
  for (const row of byName.get(name) ?? []) {
    if (row.operands.length !== operands.length || (target.bits === 64 ? row.not64 : row.only64)) continue;
    for (const operandSize of sizesFor(row, target)) {
      for (const l of row.vex && row.l === undefined ? [0, 1] : [row.l ?? 0]) {
        const code = encodeRow(row, operands, operandSize, l, target);
        if (code === undefined) continue;
        if (best === undefined || code.length < best.length) best = code;
        sizes.add(memoryBits(row, operandSize, l));
      }
      // What is 64 bits by default is so unless the operand says otherwise.
      if (best !== undefined && unsized && (row.default64 || row.force64)) return Uint8Array.from(best);
    }
  }
  if (best === undefined) throw new AssemblyError(`no form of ${name} takes these operands`);
  if (unsized && sizes.size > 1) throw new AssemblyError(`the memory operand of ${name} says no size`);
  return Uint8Array.from(best);
}
