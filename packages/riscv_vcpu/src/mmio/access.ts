/** What a load, store or atomic instruction does to a device, decoded from its 32-bit encoding (unprivileged specification, chapter "RV32/64G Instruction Set Listings"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';

/** Combines the old value in memory with the operand; both of the width of the access, unsigned. */
export type AtomicOperation = (old: bigint, operand: bigint, bits: number) => bigint;

/** One access. Registers: 0-31 are x0 … x31, 32-63 f0 … f31. */
export type DeviceAccess =
  | { readonly kind: 'load'; readonly width: AccessWidth; readonly signed: boolean; readonly rd: number }
  | { readonly kind: 'store'; readonly width: AccessWidth; readonly rs2: number }
  | { readonly kind: 'lr'; readonly width: AccessWidth; readonly rd: number }
  | { readonly kind: 'sc'; readonly width: AccessWidth; readonly rd: number; readonly rs2: number }
  | { readonly kind: 'amo'; readonly width: AccessWidth; readonly rd: number; readonly rs2: number; readonly operation: AtomicOperation };

/** Where the f registers begin in the numbering. */
export const F = 32;

const Opcode = { load: 0x03, loadFp: 0x07, store: 0x23, storeFp: 0x27, amo: 0x2f } as const;

/** Width by the low two bits of funct3. */
const WIDTHS = [1, 2, 4, 8] as const satisfies readonly AccessWidth[];
const widthOf = (funct3: number): AccessWidth => WIDTHS[(funct3 & 3) as 0 | 1 | 2 | 3];

const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);
const lesser = (a: bigint, b: bigint, takeA: boolean): bigint => (takeA ? a : b);

/** The atomic memory operations by funct5. */
export const ATOMICS: ReadonlyMap<number, { readonly name: string; readonly operation: AtomicOperation }> = new Map([
  [0x01, { name: 'amoswap', operation: (_old, operand) => operand }],
  [0x00, { name: 'amoadd', operation: (old, operand) => old + operand }],
  [0x04, { name: 'amoxor', operation: (old, operand) => old ^ operand }],
  [0x0c, { name: 'amoand', operation: (old, operand) => old & operand }],
  [0x08, { name: 'amoor', operation: (old, operand) => old | operand }],
  [0x10, { name: 'amomin', operation: (old, operand, bits) => lesser(old, operand, signed(old, bits) <= signed(operand, bits)) }],
  [0x14, { name: 'amomax', operation: (old, operand, bits) => lesser(old, operand, signed(old, bits) >= signed(operand, bits)) }],
  [0x18, { name: 'amominu', operation: (old, operand) => lesser(old, operand, old <= operand) }],
  [0x1c, { name: 'amomaxu', operation: (old, operand) => lesser(old, operand, old >= operand) }],
] as const);

const LR = 0x02;
const SC = 0x03;

/** Decodes a 32-bit instruction; `undefined` if it is none that reads or writes memory so. */
export function decodeAccess(instruction: number): DeviceAccess | undefined {
  const funct3 = (instruction >>> 12) & 7;
  const rd = (instruction >>> 7) & 31;
  const rs2 = (instruction >>> 20) & 31;
  const width = widthOf(funct3);
  switch (instruction & 0x7f) {
    case Opcode.load:
      return funct3 === 7 ? undefined : { kind: 'load', width, signed: funct3 < 4, rd };
    case Opcode.loadFp:
      return funct3 >= 1 && funct3 <= 3 ? { kind: 'load', width, signed: false, rd: F + rd } : undefined;
    case Opcode.store:
      return funct3 <= 3 ? { kind: 'store', width, rs2 } : undefined;
    case Opcode.storeFp:
      return funct3 >= 1 && funct3 <= 3 ? { kind: 'store', width, rs2: F + rs2 } : undefined;
    case Opcode.amo:
      return funct3 <= 3 ? decodeAtomic(instruction >>> 27, width, rd, rs2) : undefined;
    default:
      return undefined;
  }
}

function decodeAtomic(funct5: number, width: AccessWidth, rd: number, rs2: number): DeviceAccess | undefined {
  if (funct5 === LR) return rs2 === 0 && width >= 4 ? { kind: 'lr', width, rd } : undefined;
  if (funct5 === SC) return width >= 4 ? { kind: 'sc', width, rd, rs2 } : undefined;
  const atomic = ATOMICS.get(funct5);
  return atomic && { kind: 'amo', width, rd, rs2, operation: atomic.operation };
}
