/** Lengths that instructions mostly have, by their encoding (SDM vol. 2, chapter 2): those without prefixes that change nothing. */
import { MAX_LENGTH } from '../isa/decode.ts';
import type { Row } from '../isa/table.ts';
import type { Definition } from './define.ts';
import { Addressing } from './operands.ts';
import type { Variant } from './operands.ts';

/** Bytes of SIB and displacement, the most frequent last: by form of the address, with `any` having an index. */
const ADDRESS_BYTES: Readonly<Record<Addressing, readonly number[]>> = {
  [Addressing.any]: [5, 1, 2],
  [Addressing.base]: [5, 4, 0, 2, 1],
  [Addressing.rip]: [4],
};
const ALL_BYTES: readonly number[] = [4, 5, 0, 2, 1];
const NO_ADDRESS: readonly number[] = [0];

/** Bytes of an immediate operand or a distance. */
function immediateBytes(row: Row, size: number): number {
  let bytes = 0;
  for (const { kind, size: code } of row.operands) {
    if (kind !== 'I' && kind !== 'J') continue;
    bytes += code === 'b' ? 1 : code === 'w' ? 2 : code === 'v' ? size / 8 : 4;
  }
  return bytes;
}

type Choice = Pick<Variant, 'size' | 'fast' | 'address64' | 'wrap' | 'lock' | 'rep'> & { readonly memory: boolean };

/** Numbers of prefixes that a row has for a size, if its handlers are told apart by sizes. */
function prefixBytes(row: Row, size: number, bySize: boolean): readonly number[] {
  if (row.operands.length === 0 || row.operands[0]?.kind === 'J') return [0];
  return bySize && size === 64 && !row.default64 && !row.force64 ? [1] : [1, 0];
}

/** The lengths of an instruction of a row in a variant, the most frequent last; none where it is rare. */
export function usualLengths(row: Row, { bySize = false, fast: byFast = false }: Definition, { size, memory, fast, address64, wrap, lock, rep }: Choice): readonly number[] {
  if (size === 16 || wrap || lock || rep !== 0 || (memory && byFast && !fast)) return [];
  const opcode = 1 + Math.min(row.map, 1) + (row.map > 1 ? 1 : 0);
  const fixed = opcode + (row.hasModrm ? 1 : 0) + immediateBytes(row, size);
  const address = !memory ? NO_ADDRESS : byFast ? ADDRESS_BYTES[address64] : ALL_BYTES;
  return address.flatMap((bytes) => prefixBytes(row, size, bySize).map((prefix) => prefix + fixed + bytes)).filter((length) => length <= MAX_LENGTH);
}
