/** The disassembler: decoded instructions as text in Intel syntax, as GNU binutils write it. */
import { operandBits } from '../emit/define.ts';
import { CODE } from '../state.ts';
import { Decoder, INVALID } from './decode.ts';
import type { Decoded } from './decode.ts';
import { GPR_NAMES, HIGH_NAMES, SEGMENT_NAMES } from './registers.ts';
import type { Operand, Row } from './table.ts';

/** What is no instruction. */
export const BAD = '(bad)';

const SIZE_NAMES: Readonly<Record<number, string>> = { 8: 'BYTE', 16: 'WORD', 32: 'DWORD', 64: 'QWORD', 48: 'FWORD', 80: 'TBYTE', 128: 'XMMWORD', 256: 'YMMWORD' };

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const gpr = (number: number, bits: number): string => GPR_NAMES[bits]?.[number] ?? '?';
const isLong = (insn: Decoded): boolean => (insn.mode & CODE.size) === CODE.code64;

/** Said of implicit operands whose size a prefix changes. */
const suffix = (insn: Decoded): string => (insn.size66 && insn.operandSize < 64 ? (insn.operandSize === 16 ? 'w' : 'd') : '');

/** Mnemonics that are spelled by operand size, W or address size, and those shared by far transfers. */
function mnemonic(insn: Decoded, row: Row): string {
  const { name } = row;
  const wide = insn.operandSize === 64;
  switch (name) {
    case 'callf':
      return 'call';
    case 'jmpf':
      return 'jmp';
    case 'jcxz':
      return { 16: 'jcxz', 32: 'jecxz', 64: 'jrcxz' }[insn.addressSize] as string;
    case 'mov':
      return row.operands.some(({ kind, size }) => (kind === 'O' && insn.addressSize === 64) || (kind === 'I' && size === 'v' && wide)) ? 'movabs' : name;
    case 'movd':
    case 'vmovd':
      return insn.w === 1 ? name.replace('movd', 'movq') : name;
    case 'pextrd':
    case 'pinsrd':
    case 'vpextrd':
    case 'vpinsrd':
      return insn.w === 1 ? `${name.slice(0, -1)}q` : name;
    case 'fxsave':
    case 'fxrstor':
    case 'xsave':
    case 'xrstor':
    case 'xsaveopt':
    case 'xsavec':
    case 'xsaves':
    case 'xrstors':
      return insn.w === 1 ? `${name}64` : name;
    case 'sysret':
    case 'sysexit':
      return isLong(insn) ? `${name}${insn.w === 1 ? 'q' : 'd'}` : name;
    case 'retf':
      return wide ? 'retfq' : name;
    case 'iret':
      return wide ? 'iretq' : name + suffix(insn);
    case 'pushf':
    case 'popf':
    case 'leave':
      return name + suffix(insn);
    case 'push':
      return row.operands[0]?.kind === 'I' ? name + suffix(insn) : name;
    default:
      return name;
  }
}

/** Memory operands of which assemblers write no size. */
const SIZELESS: ReadonlySet<string> = new Set(['lea', 'lgdt', 'lidt', 'sgdt', 'sidt', 'fxsave', 'fxrstor', 'xsave', 'xrstor', 'xsaveopt', 'xsavec', 'xsaves', 'xrstors', 'fldenv', 'fnstenv', 'frstor', 'fnsave', 'invpcid', 'lddqu', 'vlddqu']);

/** Those of 16 bytes that are no vectors. */
const OCTETS: ReadonlySet<string> = new Set(['cmpxchg16b', 'invept', 'invvpid']);

/** `seg:[base+index*scale+disp]` of the operand by ModRM. */
function memory(insn: Decoded, bits: number, vectorIndex: number): string {
  const { addressSize, base, index, scale, disp, override, row } = insn;
  const size = SIZELESS.has(row.name) ? '' : `${OCTETS.has(row.name) ? 'OWORD' : (SIZE_NAMES[bits] ?? '?')} PTR `;
  const segment = override >= 0 ? `${SEGMENT_NAMES[override] as string}:` : '';
  const parts: string[] = [];
  if (insn.ripRelative) parts.push(addressSize === 64 ? 'rip' : 'eip');
  if (base >= 0) parts.push(gpr(base, addressSize));
  if (index >= 0) {
    const name = vectorIndex > 0 ? `${vectorIndex === 256 ? 'ymm' : 'xmm'}${index}` : gpr(index, addressSize);
    parts.push(addressSize === 16 ? name : `${name}*${1 << scale}`);
  }
  if (parts.length === 0) return `${size}${segment === '' ? 'ds:' : segment}${hex(BigInt.asUintN(addressSize, BigInt(disp)))}`;
  let tail = '';
  if (insn.ripRelative) tail = `+${hex(BigInt.asUintN(addressSize, BigInt(disp)))}`;
  else if (insn.dispSize > 0 || base < 0) tail = disp < 0 ? `-${hex(-disp)}` : `+${hex(disp)}`;
  return `${size}${segment}[${parts.join('+')}${tail}]`;
}

/** Far jumps and calls know 64-bit offsets. */
const kindOfJump = (row: Row): boolean => row.name === 'callf' || row.name === 'jmpf';

const vector = (number: number, bits: number): string => `${bits === 256 ? 'ymm' : 'xmm'}${number}`;

function general(insn: Decoded, number: number, bits: number): string {
  if (bits === 8 && insn.rex === 0 && !insn.vex && number >= 4 && number < 8) return HIGH_NAMES[number - 4] as string;
  return gpr(number, bits);
}

/** Bits of registers of vector operands, which are whole registers. */
const vectorBits = (insn: Decoded, size: string): number => ((size === 'x' || size === 'dup') && insn.l === 1 ? 256 : 128);

function fixedOperand(insn: Decoded, size: string): string {
  switch (size) {
    case 'rAX':
      return gpr(0, insn.operandSize);
    case 'zAX':
      return gpr(0, Math.min(insn.operandSize, 32));
    case 'X0':
      return 'xmm0';
    case 'T0':
      return 'st';
    default:
      return size.toLowerCase();
  }
}

function operandText(insn: Decoded, { kind, size }: Operand, next: bigint): string {
  const { row } = insn;
  // VMREAD and its like are as wide as the mode.
  let bits = size === 'q' && 'EG'.includes(kind) && !isLong(insn) ? 32 : operandBits({ kind, size }, insn.operandSize, insn.l);
  switch (kind) {
    case 'E':
      if (size === 'db' || size === 'dw' || size === 'dd') return insn.isMemory ? memory(insn, bits, 0) : gpr(insn.rm, 32);
      if (size === 'sv' || size === 'sw') return insn.isMemory ? memory(insn, 16, 0) : gpr(insn.rm, insn.operandSize);
      if (row.name === 'mov' && row.operands[0]?.kind === 'S') return insn.isMemory ? memory(insn, 16, 0) : gpr(insn.rm, insn.operandSize);
      return insn.isMemory ? memory(insn, bits, 0) : general(insn, insn.rm, bits);
    case 'M':
      if (size === 'p') bits = insn.operandSize === 16 ? 32 : insn.operandSize === 64 && kindOfJump(row) ? 80 : 48;
      return memory(insn, size === 'a' ? 2 * bits : bits, 0);
    case 'MX':
      return memory(insn, bits, insn.l === 1 ? 256 : 128);
    case 'MH':
      return memory(insn, bits, 128);
    case 'R':
      return gpr(insn.rm, size === 'r' || size === 'x' ? (isLong(insn) ? 64 : 32) : bits);
    case 'G':
      return general(insn, insn.reg, bits);
    case 'B':
      return gpr(insn.vvvv, bits);
    case 'Z':
      return general(insn, (row.opcode & 7) | insn.rexB, bits);
    case 'S':
      return SEGMENT_NAMES[insn.reg & 7] ?? '?';
    case 'C':
      return `cr${insn.reg}`;
    case 'D':
      return `dr${insn.reg}`;
    case 'I':
    case 'K': {
      if (kind === 'K') return hex(insn.imm2);
      if (size === 'w') return hex(insn.imm);
      const value = (BigInt(insn.immHigh) << 32n) | BigInt(insn.imm >>> 0);
      return hex(BigInt.asUintN(size === 'b' ? 8 : bits, value));
    }
    case 'J':
      return hex(BigInt.asUintN(isLong(insn) ? 64 : insn.operandSize, next + BigInt(insn.imm)));
    case 'A':
      return `${hex(insn.imm2)}:${hex(insn.imm >>> 0)}`;
    case 'O': {
      const high = insn.addressSize === 64 ? BigInt(insn.immHigh >>> 0) << 32n : 0n;
      return `${insn.override >= 0 ? (SEGMENT_NAMES[insn.override] as string) : 'ds'}:${hex(high | BigInt(insn.disp >>> 0))}`;
    }
    case 'X':
      return `${SIZE_NAMES[bits] as string} PTR ${SEGMENT_NAMES[insn.override >= 0 ? insn.override : 3] as string}:[${gpr(6, insn.addressSize)}]`;
    case 'Y':
      return `${SIZE_NAMES[bits] as string} PTR es:[${gpr(7, insn.addressSize)}]`;
    case 'V':
      return vector(insn.reg, vectorBits(insn, size));
    case 'H':
      return vector(insn.vvvv, vectorBits(insn, size));
    case 'L':
      return vector((insn.imm >> 4) & (isLong(insn) ? 15 : 7), vectorBits(insn, size));
    case 'U':
    case 'W':
      return insn.isMemory ? memory(insn, bits, 0) : vector(insn.rm, vectorBits(insn, size));
    case 'P':
      return `mm${insn.reg & 7}`;
    case 'Q':
      return insn.isMemory ? memory(insn, bits, 0) : `mm${insn.rm & 7}`;
    case 'N':
      return `mm${insn.rm & 7}`;
    case 'T':
      return `st(${insn.modrm & 7})`;
    default:
      return fixedOperand(insn, size);
  }
}

const REPEATS: Readonly<Record<number, readonly [all: string, some: string]>> = { 0xf3: ['rep', 'repz'], 0xf2: ['repnz', 'repnz'] };

/** The text of a decoded instruction at an address. */
export function format(insn: Decoded, address: bigint): string {
  if (insn.op < 0) return BAD;
  const { row } = insn;
  const prefixes: string[] = [];
  if (insn.lock) prefixes.push('lock');
  if (row.rep && insn.rep !== 0) prefixes.push((REPEATS[insn.rep] as readonly [string, string])[/^(cmps|scas)$/.test(row.name) ? 1 : 0]);
  const next = address + BigInt(insn.length);
  const operands = row.operands.map((operand) => operandText(insn, operand, next));
  if (row.name === 'xlat') operands.push(`BYTE PTR ${SEGMENT_NAMES[insn.override >= 0 ? insn.override : 3] as string}:[${gpr(3, insn.addressSize)}]`);
  return [...prefixes, mnemonic(insn, row), operands.join(',')].filter((part) => part !== '').join(' ');
}

/** One line of a disassembly. */
export interface Line {
  readonly address: bigint;
  readonly length: number;
  readonly text: string;
}

/** Disassembles bytes that lie at an address; what is no instruction is one byte. @param mode - as {@link CODE}. */
export function disassemble(bytes: Uint8Array, address: bigint, mode: number = CODE.code64): Line[] {
  const decoder = new Decoder();
  const lines: Line[] = [];
  for (let at = 0; at < bytes.length; ) {
    const enough = decoder.decode(bytes, at, bytes.length - at, mode);
    const { insn } = decoder;
    if (!enough || insn.op <= INVALID) insn.op = INVALID;
    const length = insn.op === INVALID ? 1 : insn.length;
    lines.push({ address: address + BigInt(at), length, text: format(insn, address + BigInt(at)) });
    at += length;
  }
  return lines;
}
