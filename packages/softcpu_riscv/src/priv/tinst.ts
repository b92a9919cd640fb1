/** Transformed instructions for mtinst and htinst (hypervisor chapter, "Transformed Instruction or Pseudoinstruction"). */

/** 64-bit read of a VS-stage page-table entry. */
export const TINST_PTE_READ = 0x3000;
/** 64-bit write of a VS-stage page-table entry (update of A and D). */
export const TINST_PTE_WRITE = 0x3020;

const LOAD = 0x03;
const LOAD_FP = 0x07;
const STORE = 0x23;
const STORE_FP = 0x27;
const AMO = 0x2f;
const SYSTEM = 0x73;

const W = 2 << 12;
const D = 3 << 12;

/** Opcode and funct3 of the compressed loads and stores by quadrant (0, 2) and funct3. */
const compressed: Readonly<Record<number, readonly (number | undefined)[]>> = {
  0: [undefined, LOAD_FP | D, LOAD | W, LOAD | D, undefined, STORE_FP | D, STORE | W, STORE | D],
  2: [undefined, LOAD_FP | D, LOAD | W, LOAD | D, undefined, STORE_FP | D, STORE | W, STORE | D],
};

function transformCompressed(bits: number): number {
  const quadrant = bits & 3;
  const base = compressed[quadrant]?.[(bits >>> 13) & 7];
  if (base === undefined) return 0;
  const isStore = (base & 0x20) !== 0;
  // Quadrant 0 has 3-bit registers in bits 4:2; quadrant 2 rd in 11:7 and rs2 in 6:2.
  const register = quadrant === 0 ? ((bits >>> 2) & 7) + 8 : isStore ? (bits >>> 2) & 31 : (bits >>> 7) & 31;
  return (base | (register << (isStore ? 20 : 7))) & ~2;
}

function transformFull(bits: number): number {
  switch (bits & 0x7f) {
    case LOAD:
    case LOAD_FP:
      return bits & 0x7fff;
    case STORE:
    case STORE_FP:
      return bits & 0x01f0_707f;
    case AMO:
      return bits & ~0xf_8000;
    case SYSTEM:
      return ((bits >>> 12) & 7) === 4 ? bits & ~0xf_8000 : 0;
    default:
      return 0;
  }
}

/**
 * The transformation of a load, store, atomic or virtual-machine load/store instruction; 0 for all others.
 *
 * @param bits the instruction as fetched
 * @param offset distance of the faulting address from the address of the access
 */
export function transform(bits: number, offset: number): number {
  const value = (bits & 3) === 3 ? transformFull(bits) : transformCompressed(bits);
  return value === 0 ? 0 : value | (offset << 15);
}
