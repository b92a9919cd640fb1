/** Encodes one instruction of the assembler by the opcode table: every row of its name is tried, the shortest encoding wins. */
import { AssemblyError } from '@axvisor/softcpu/asm';
import { operandBits } from '../emit/define.ts';
import { fitsSigned, isSizeless, matches } from './asm_match.ts';
import type { Parts, Target } from './asm_match.ts';
import type { AsmOperand, MemoryOperand, RegisterOperand } from './asm_operands.ts';
import { rows } from './table.ts';
import type { Row } from './table.ts';

const byName = new Map<string, Row[]>();
for (const row of rows) {
  if (row.alias) continue;
  const list = byName.get(row.name);
  if (list === undefined) byName.set(row.name, [row]);
  else list.push(row);
}

/** Whether a name is an instruction's. */
export const isMnemonic = (name: string): boolean => byName.has(name);

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
  return operand === undefined || isSizeless(operand) ? 0 : operandBits(operand, operandSize, l);
}

const isJump = ({ operands: [first] }: Row, size: string): boolean => first?.kind === 'J' && first.size === size;

/** Encodes an instruction. @throws {AssemblyError} if no row fits. */
export function encode(name: string, operands: readonly AsmOperand[], target: Target): Uint8Array {
  let best: number[] | undefined;
  const unsized = operands.some((operand) => operand.type === 'memory' && operand.bits === 0);
  const sizes = new Set<number>();
  const forms = byName.get(name) ?? [];
  const isNear = target.near && forms.some((row) => isJump(row, 'z'));
  for (const row of forms) {
    if (row.operands.length !== operands.length || (target.bits === 64 ? row.not64 : row.only64) || (isNear && isJump(row, 'b'))) continue;
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
