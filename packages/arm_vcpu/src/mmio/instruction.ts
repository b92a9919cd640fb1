/**
 * Loads and stores that a syndrome does not describe (ISV = 0), decoded from the A64 instruction: pairs, pre- and post-indexing, SIMD and floating
 * point, structures (Arm ARM, C4.1.94 "Loads and Stores"). Exclusive and atomic accesses have no meaning at a device and are not decoded.
 */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { u64, type AddressRegisters, type DeviceAccess, type Transfer } from './access.ts';
import { decodeStructures } from './structures.ts';

/** A class of encodings. */
interface Form {
  readonly name: string;
  readonly mask: number;
  readonly match: number;
  decode(i: number, registers: AddressRegisters): DeviceAccess | undefined;
}

const signedField = (i: number, low: number, bits: number): bigint => BigInt((i << (32 - bits - low)) >> (32 - bits));

/** What a register transfers: which file, its bytes, how a load extends. */
interface Operand {
  readonly kind: 'x' | 'v';
  readonly bytes: 1 | 2 | 4 | 8 | 16;
  readonly isLoad: boolean;
  readonly signed: boolean;
  readonly regWidth: 4 | 8;
}

/** Registers of 16 bytes are two transfers. */
function transfersOf({ kind, bytes, isLoad, signed, regWidth }: Operand, reg: number, start: number): Transfer[] {
  const width: AccessWidth = bytes === 16 ? 8 : bytes;
  return Array.from({ length: bytes / width }, (_, part): Transfer => {
    const byte = part * width;
    const offset = start + byte;
    if (!isLoad) return { kind: 'store', offset, width, source: { kind, reg, byte } };
    return { kind: 'load', offset, width, target: kind === 'x' ? { kind, reg, signed, regWidth } : { kind, reg, byte, clear: byte === 0 } };
  });
}

const SIZES = [1, 2, 4, 8] as const;
const sizeOf = (log2: number): 1 | 2 | 4 | 8 => SIZES[(log2 & 3) as 0 | 1 | 2 | 3];

/** Operand of a single-register form by size (31:30), V (26) and opc (23:22); `undefined`: prefetch or unallocated. */
function singleOperand(i: number): Operand | undefined {
  const size = i >>> 30;
  const opc = (i >>> 22) & 3;
  if (((i >>> 26) & 1) === 1) {
    if (opc >= 2) return size === 0 ? { kind: 'v', bytes: 16, isLoad: opc === 3, signed: false, regWidth: 8 } : undefined;
    return { kind: 'v', bytes: sizeOf(size), isLoad: opc === 1, signed: false, regWidth: 8 };
  }
  if (opc < 2) return { kind: 'x', bytes: sizeOf(size), isLoad: opc === 1, signed: false, regWidth: size === 3 ? 8 : 4 };
  if (size === 3 || (size === 2 && opc === 3)) return undefined;
  return { kind: 'x', bytes: sizeOf(size), isLoad: true, signed: true, regWidth: opc === 2 ? 8 : 4 };
}

/** Operand of a pair by opc (31:30), V and L (22). */
function pairOperand(i: number): Operand | undefined {
  const opc = i >>> 30;
  const isLoad = ((i >>> 22) & 1) === 1;
  if (opc === 3) return undefined;
  if (((i >>> 26) & 1) === 1) return { kind: 'v', bytes: ([4, 8, 16] as const)[opc as 0 | 1 | 2], isLoad, signed: false, regWidth: 8 };
  if (opc === 1) return isLoad ? { kind: 'x', bytes: 4, isLoad, signed: true, regWidth: 8 } : undefined;
  return { kind: 'x', bytes: opc === 0 ? 4 : 8, isLoad, signed: false, regWidth: opc === 0 ? 4 : 8 };
}

type Index = 'offset' | 'post' | 'pre';

function access(i: number, operand: Operand, regs: readonly number[], registers: AddressRegisters, offset: bigint, index: Index): DeviceAccess {
  const base = (i >>> 5) & 31;
  const before = registers.xOrSp(base);
  const after = u64(before + offset);
  return {
    isLoad: operand.isLoad,
    transfers: regs.flatMap((reg, n) => transfersOf(operand, reg, n * operand.bytes)),
    address: index === 'post' ? before : after,
    writeback: index === 'offset' ? undefined : { reg: base, value: after },
  };
}

const single = (index: Index, offsetOf: (i: number, bytes: number, registers: AddressRegisters) => bigint | undefined): Form['decode'] =>
  (i, registers) => {
    const operand = singleOperand(i);
    const offset = operand && offsetOf(i, operand.bytes, registers);
    return operand === undefined || offset === undefined ? undefined : access(i, operand, [i & 31], registers, offset, index);
  };

const imm9 = (i: number): bigint => signedField(i, 12, 9);

/** The index register, extended by option (15:13) and shifted by the size if S (12). */
function registerOffset(i: number, bytes: number, registers: AddressRegisters): bigint | undefined {
  const option = (i >>> 13) & 7;
  if ((option & 2) === 0) return undefined;
  const value = registers.x((i >>> 16) & 31);
  const extended = (option & 1) === 1 ? value : option === 2 ? BigInt.asUintN(32, value) : BigInt.asIntN(32, value);
  return ((i >>> 12) & 1) === 1 ? extended * BigInt(bytes) : extended;
}

const pair = (index: Index): Form['decode'] =>
  (i, registers) => {
    const operand = pairOperand(i);
    if (operand === undefined) return undefined;
    return access(i, operand, [i & 31, (i >>> 10) & 31], registers, signedField(i, 15, 7) * BigInt(operand.bytes), index);
  };

/** Operand of a literal load by opc (31:30) and V. */
function literalOperand(i: number): Operand | undefined {
  const opc = i >>> 30;
  if (opc === 3) return undefined;
  if (((i >>> 26) & 1) === 1) return { kind: 'v', bytes: ([4, 8, 16] as const)[opc as 0 | 1 | 2], isLoad: true, signed: false, regWidth: 8 };
  return { kind: 'x', bytes: opc === 1 ? 8 : 4, isLoad: true, signed: opc === 2, regWidth: opc === 0 ? 4 : 8 };
}

function literal(i: number, registers: AddressRegisters): DeviceAccess | undefined {
  const operand = literalOperand(i);
  if (operand === undefined) return undefined;
  return { isLoad: true, transfers: transfersOf(operand, i & 31, 0), address: u64(registers.pc + signedField(i, 5, 19) * 4n), writeback: undefined };
}

/** In the order of the manual's table. */
const FORMS: readonly Form[] = [
  { name: 'SIMD structures', mask: 0xbe00_0000, match: 0x0c00_0000, decode: decodeStructures },
  { name: 'literal', mask: 0x3b00_0000, match: 0x1800_0000, decode: literal },
  { name: 'no-allocate pair', mask: 0x3b80_0000, match: 0x2800_0000, decode: (i, registers) => (i >>> 30 === 1 && ((i >>> 26) & 1) === 0 ? undefined : pair('offset')(i, registers)) },
  { name: 'pair, post-indexed', mask: 0x3b80_0000, match: 0x2880_0000, decode: pair('post') },
  { name: 'pair, offset', mask: 0x3b80_0000, match: 0x2900_0000, decode: pair('offset') },
  { name: 'pair, pre-indexed', mask: 0x3b80_0000, match: 0x2980_0000, decode: pair('pre') },
  { name: 'unscaled', mask: 0x3b20_0c00, match: 0x3800_0000, decode: single('offset', imm9) },
  { name: 'post-indexed', mask: 0x3b20_0c00, match: 0x3800_0400, decode: single('post', imm9) },
  { name: 'unprivileged', mask: 0x3f20_0c00, match: 0x3800_0800, decode: single('offset', imm9) },
  { name: 'pre-indexed', mask: 0x3b20_0c00, match: 0x3800_0c00, decode: single('pre', imm9) },
  { name: 'register offset', mask: 0x3b20_0c00, match: 0x3820_0800, decode: single('offset', registerOffset) },
  { name: 'unsigned immediate', mask: 0x3b00_0000, match: 0x3900_0000, decode: single('offset', (i, bytes) => BigInt(((i >>> 10) & 0xfff) * bytes)) },
];

/** Decodes an instruction; `undefined` if a device has no answer to it. */
export function decodeInstruction(i: number, registers: AddressRegisters): DeviceAccess | undefined {
  return FORMS.find(({ mask, match }) => ((i & mask) >>> 0) === match)?.decode(i, registers);
}
