/** How the instruction table is written: encoding classes with a bit pattern each, and rows that fix fields of it (Arm ARM, C4.1 "A64 instruction set encoding"). */

/**
 * One instruction of a class.
 *
 * `fixed` lists, separated by blanks, what the row requires of the class's fields: `field=bits` (an x is any bit), `field!=bits`, `field<n`;
 * alternatives are joined by |. What is not met is unallocated. `syntax` are the operands, see syntax.ts; the class's if absent.
 */
export type Row = string | readonly [fixed: string, syntax: string];

/** One encoding class: its pattern, most significant bit first, of 0, 1, x (ignored) and field names, and its instructions. */
export interface EncodingClass {
  /** Name in the Arm ARM's index. */
  readonly name: string;
  readonly pattern: string;
  /** Operands of rows that have none of their own. */
  readonly syntax?: string;
  /** By name: the mnemonic, and behind an underscore what tells it from others of the same mnemonic. */
  readonly rows: Readonly<Record<string, Row>>;
}

/** Widths in bits of the fields that patterns name. */
export const fieldWidths: Readonly<Record<string, number>> = {
  sf: 1, op: 1, S: 1, sh: 1, N: 1, V: 1, L: 1, Q: 1, U: 1, A: 1, R: 1, H: 1, M: 1, a: 1, sz: 1, b5: 1, o0: 1, o1: 1, o2: 1, o3: 1,
  opc: 2, hw: 2, shift: 2, size: 2, ftype: 2, rmode: 2, len: 2, LL: 2, mode: 3,
  imm3: 3, op1: 3, op2: 3, option: 3, op31: 3, immlo: 2, immb: 3, abc: 3,
  nzcv: 4, cond: 4, CRm: 4, CRn: 4, immh: 4, cmode: 4, imm4: 4,
  Rd: 5, Rn: 5, Rm: 5, Ra: 5, Rt: 5, Rt2: 5, Rs: 5, imm5: 5, b40: 5, defgh: 5,
  imm6: 6, immr: 6, imms: 6, scale: 6, imm7: 7, imm8: 8, imm9: 9, imm12: 12, imm14: 14, imm16: 16, imm19: 19, immhi: 19, imm26: 26,
};
