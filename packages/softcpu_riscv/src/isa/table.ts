/** The instruction table of the hart: every 32-bit encoding it implements, from which decoder, disassembler, assembler and engine are made. */

import { floatEncodings } from './encodings_float.ts';
import { integerEncodings } from './encodings_integer.ts';
import { systemEncodings } from './encodings_system.ts';
import type { Format } from './formats.ts';

type Groups = typeof integerEncodings & typeof floatEncodings & typeof systemEncodings;
type NamesOf<G> = G extends unknown ? keyof G : never;

/** The extension an instruction belongs to; `Privileged` is the privileged manual's base. */
export type Extension = keyof Groups;

/** The mnemonic of an instruction, the manuals' name in lower case. */
export type InsnName = NamesOf<Groups[Extension]>;

/** One instruction: a word `w` is this one if `(w & mask) === match`. Both are int32. */
export interface Insn {
  readonly name: InsnName;
  readonly match: number;
  readonly mask: number;
  readonly format: Format;
  readonly ext: Extension;
}

const fieldWidths: Readonly<Record<string, number>> = {
  rd: 5, rs1: 5, rs2: 5, rs3: 5, rm: 3, aqrl: 2, csr: 12, zimm: 5, fm: 4, pred: 4, succ: 4,
  imm20: 20, imm12: 12, imm7: 7, imm5: 5, shamt6: 6, shamt5: 5,
};

/**
 * Reads a bit pattern in the manuals' notation into match and mask.
 *
 * @param pattern groups of 0, 1 and - (ignored), and names of operand fields, most significant first
 * @param widths the width in bits of each named field
 * @param length the number of bits the whole pattern must have
 * @throws {RangeError} an unknown field, or a pattern of another length
 */
export function parsePattern(pattern: string, widths: Readonly<Record<string, number>>, length: number): { match: number; mask: number } {
  let match = 0;
  let mask = 0;
  let bits = 0;
  for (const token of pattern.split(' ')) {
    const fixed = /^[01-]+$/.test(token);
    const width = fixed ? token.length : widths[token];
    if (width === undefined) throw new RangeError(`unknown field ${token} in ${pattern}`);
    for (let i = 0; i < width; i++) {
      const bit = fixed ? token[i] : '-';
      match = (match << 1) | (bit === '1' ? 1 : 0);
      mask = (mask << 1) | (bit === '-' ? 0 : 1);
    }
    bits += width;
  }
  if (bits !== length) throw new RangeError(`${bits} bits instead of ${length} in ${pattern}`);
  return { match, mask };
}

function build(groups: Readonly<Record<string, Readonly<Record<string, readonly [Format, string]>>>>): Insn[] {
  return Object.entries(groups).flatMap(([ext, rows]) =>
    Object.entries(rows).map(([name, [format, pattern]]) => ({
      name: name as InsnName,
      ...parsePattern(pattern, fieldWidths, 32),
      format,
      ext: ext as Extension,
    })),
  );
}

/** Every 32-bit encoding that the hart implements. The index of an entry is its op number. */
export const insns: readonly Insn[] = [...build(integerEncodings), ...build(floatEncodings), ...build(systemEncodings)];

/** Op number by name: `op.addi`, `op['lr.w']`. */
export const op: Readonly<Record<InsnName, number>> = Object.fromEntries(insns.map(({ name }, index) => [name, index])) as Record<InsnName, number>;
