/** LD1 … LD4, ST1 … ST4 and LD1R … LD4R: multiple structures, and single structures of one lane (Arm ARM, C4.1.94, "Advanced SIMD load/store"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { u64, type AddressRegisters, type DeviceAccess, type LoadTarget, type Transfer } from './access.ts';

/** Repetitions and registers of a structure by opcode (15:12). */
const MULTIPLE: Readonly<Partial<Record<number, readonly [repeat: number, registers: number]>>> = {
  0b0000: [1, 4], 0b0010: [4, 1], 0b0100: [1, 3], 0b0110: [3, 1], 0b0111: [1, 1], 0b1000: [1, 2], 0b1010: [2, 1],
};

const WIDTHS = [1, 2, 4, 8] as const satisfies readonly AccessWidth[];

interface Lane {
  readonly reg: number;
  readonly byte: number;
}

const transfer = (isLoad: boolean, width: AccessWidth, offset: number, { reg, byte }: Lane, target: LoadTarget): Transfer =>
  isLoad ? { kind: 'load', offset, width, target } : { kind: 'store', offset, width, source: { kind: 'v', reg, byte } };

/** Every element of whole registers. A load of the 64-bit form zeroes the upper half. */
function multiple(i: number): Transfer[] | undefined {
  const quad = (i >>> 30) & 1;
  const size = (i >>> 10) & 3;
  const shape = MULTIPLE[(i >>> 12) & 15];
  // Reserved: several one-element registers interleaved make no sense.
  if (shape === undefined || (size === 3 && quad === 0 && shape[1] !== 1)) return undefined;
  const [repeat, registers] = shape;
  const width = WIDTHS[size as 0 | 1 | 2 | 3];
  const isLoad = ((i >>> 22) & 1) === 1;
  const transfers: Transfer[] = [];
  for (let r = 0; r < repeat; r++)
    for (let byte = 0; byte < 8 << quad; byte += width)
      for (let s = 0; s < registers; s++) {
        const reg = ((i & 31) + r + s) & 31;
        transfers.push(transfer(isLoad, width, transfers.length * width, { reg, byte }, { kind: 'v', reg, byte, clear: byte === 0 }));
      }
  return transfers;
}

/** Width and lane index of a single structure by opcode (15:14), Q, S and size; `undefined`: unallocated. Width 3 of 2 bits means replicate. */
function lane(i: number): { readonly width: AccessWidth; readonly index: number; readonly replicate: boolean } | undefined {
  const [q, scale, s, size] = [(i >>> 30) & 1, (i >>> 14) & 3, (i >>> 12) & 1, (i >>> 10) & 3];
  const isLoad = ((i >>> 22) & 1) === 1;
  switch (scale) {
    case 0:
      return { width: 1, index: (q << 3) | (s << 2) | size, replicate: false };
    case 1:
      return (size & 1) === 1 ? undefined : { width: 2, index: (q << 2) | (s << 1) | (size >> 1), replicate: false };
    case 2:
      if (size === 0) return { width: 4, index: (q << 1) | s, replicate: false };
      return size === 1 && s === 0 ? { width: 8, index: q, replicate: false } : undefined;
    default:
      return isLoad && s === 0 ? { width: WIDTHS[size as 0 | 1 | 2 | 3], index: 0, replicate: true } : undefined;
  }
}

function oneLane(i: number): Transfer[] | undefined {
  const found = lane(i);
  if (found === undefined) return undefined;
  const { width, index, replicate } = found;
  const isLoad = ((i >>> 22) & 1) === 1;
  const registers = (((i >>> 13) & 1) << 1) + ((i >>> 21) & 1) + 1;
  return Array.from({ length: registers }, (_, s) => {
    const reg = ((i & 31) + s) & 31;
    const at = { reg, byte: index * width };
    return transfer(isLoad, width, s * width, at, replicate ? { kind: 'replicate', reg, bytes: ((i >>> 30) & 1) === 1 ? 16 : 8 } : { kind: 'v', ...at, clear: false });
  });
}

/** Decodes 0Q001100… (multiple) and 0Q001101… (single), with post-indexing in bit 23. */
export function decodeStructures(i: number, registers: AddressRegisters): DeviceAccess | undefined {
  const isSingle = ((i >>> 24) & 1) === 1;
  const isPost = ((i >>> 23) & 1) === 1;
  const index = (i >>> 16) & 31;
  // Bits that must be zero: 21 of multiple structures, the index register without post-indexing.
  if ((!isSingle && ((i >>> 21) & 1) === 1) || (!isPost && index !== 0)) return undefined;
  const transfers = isSingle ? oneLane(i) : multiple(i);
  if (transfers === undefined) return undefined;
  const base = (i >>> 5) & 31;
  const address = registers.xOrSp(base);
  const size = transfers.reduce((sum, { width }) => sum + width, 0);
  const step = index === 31 ? BigInt(size) : registers.x(index);
  return {
    isLoad: ((i >>> 22) & 1) === 1,
    transfers,
    address,
    writeback: isPost ? { reg: base, value: u64(address + step) } : undefined,
  };
}
