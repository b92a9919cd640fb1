/** The instruction table of the processing element: every A64 encoding it implements, from which decoder, disassembler, assembler and engine are made. */
import { decodeBitmask } from './bitmask.ts';
import { fieldWidths } from './class.ts';
import type { EncodingClass } from './class.ts';
import { cryptoClasses, floatClasses } from './classes_float.ts';
import { branchClasses, immediateClasses } from './classes_immediate.ts';
import { memoryClasses, structureClasses } from './classes_memory.ts';
import { registerClasses } from './classes_register.ts';
import { scalarClasses } from './classes_simd_scalar.ts';
import { vectorClasses } from './classes_simd_vector.ts';

/** Where a field lies. */
export interface BitField {
  readonly shift: number;
  readonly width: number;
}

/** A requirement that is more than a mask: bits `(word >>> shift) & mask` compared with `value`, or a bitmask immediate that exists. */
type Term = (word: number) => boolean;

/** One instruction: a word `w` is this one if `(w & mask) === match` and {@link isAllocated} holds. `match` and `mask` are int32. */
export interface Insn {
  /** Unique; the mnemonic is what stands before the underscore. */
  readonly name: string;
  readonly mnemonic: string;
  /** Name of its class in the Arm ARM's index. */
  readonly class: string;
  readonly match: number;
  readonly mask: number;
  readonly fields: Readonly<Record<string, BitField>>;
  /** Operands as the assembly language writes them, see operands.ts. */
  readonly syntax: string;
  readonly terms: readonly Term[];
}

interface Layout {
  readonly match: number;
  readonly mask: number;
  readonly fields: Readonly<Record<string, BitField>>;
}

/** Reads a pattern of 0, 1, x and field names (`name:width` where the width is not the usual one). */
function parsePattern(pattern: string): Layout {
  let match = 0;
  let mask = 0;
  let left = 32;
  const fields: Record<string, BitField> = {};
  for (const token of pattern.split(' ')) {
    if (/^[01x]+$/.test(token)) {
      for (const bit of token) {
        left--;
        if (bit !== 'x') mask |= 1 << left;
        if (bit === '1') match |= 1 << left;
      }
      continue;
    }
    const [name, given] = token.split(':') as [string, string?];
    const width = given === undefined ? fieldWidths[name] : Number(given);
    if (width === undefined) throw new RangeError(`unknown field ${name} in ${pattern}`);
    left -= width;
    fields[name] = { shift: left, width };
  }
  if (left !== 0) throw new RangeError(`${32 - left} bits in ${pattern}`);
  return { match, mask, fields };
}

/** Value of a field in a word, unsigned. */
export function fieldValue(word: number, { shift, width }: BitField): number {
  return (word << (32 - shift - width)) >>> (32 - width);
}

/** The bits of a field's value that a string of 0, 1 and x fixes. */
function parseBits(bits: string): { readonly value: number; readonly mask: number } {
  return { value: Number.parseInt(bits.replaceAll('x', '0'), 2), mask: Number.parseInt(bits.replace(/[01]/g, '1').replaceAll('x', '0'), 2) };
}

function parseTerm(text: string, fields: Layout['fields'], where: string): Term {
  const [, name = '', relation, operand = ''] = /^(\w+)(=|!=|<)(\w+)$/.exec(text) ?? [];
  const field = fields[name];
  if (field === undefined) throw new RangeError(`no field for ${text} in ${where}`);
  if (relation === '<') return (word) => fieldValue(word, field) < Number(operand);
  const { value, mask } = parseBits(operand);
  if (operand.length !== field.width) throw new RangeError(`${text} has the wrong width in ${where}`);
  return relation === '=' ? (word) => (fieldValue(word, field) & mask) === value : (word) => (fieldValue(word, field) & mask) !== value;
}

function bitmaskTerm(fields: Layout['fields']): Term {
  const get = (name: string, word: number): number => fieldValue(word, fields[name] as BitField);
  return (word) => decodeBitmask(get('N', word), get('immr', word), get('imms', word), word < 0 ? 64 : 32) !== undefined;
}

function build({ name: className, pattern, rows, syntax: common = '' }: EncodingClass): Insn[] {
  const { fields, ...layout } = parsePattern(pattern);
  return Object.entries(rows).map(([name, row]) => {
    const [fixed, syntax] = typeof row === 'string' ? [row, common] : row;
    let { match, mask } = layout;
    const terms: Term[] = [];
    for (const requirement of fixed.split(' ').filter(Boolean)) {
      const simple = /^(\w+)=([01x]+)$/.exec(requirement);
      const field = simple === null ? undefined : fields[simple[1] as string];
      if (simple !== null && field !== undefined && (simple[2] as string).length === field.width) {
        const bits = parseBits(simple[2] as string);
        match |= bits.value << field.shift;
        mask |= bits.mask << field.shift;
      } else if (requirement === 'bitmask') terms.push(bitmaskTerm(fields));
      else {
        const alternatives = requirement.split('|').map((term) => parseTerm(term, fields, `${className}, ${name}`));
        terms.push((word) => alternatives.some((term) => term(word)));
      }
    }
    return { name, mnemonic: name.split('_')[0] as string, class: className, match, mask, fields, syntax, terms };
  });
}

/** All encoding classes. */
export const classes: readonly EncodingClass[] = [
  ...immediateClasses, ...branchClasses, ...registerClasses, ...memoryClasses, ...structureClasses, ...floatClasses, ...cryptoClasses, ...scalarClasses, ...vectorClasses,
];

/** Every instruction. The index of an entry is its op number. */
export const insns: readonly Insn[] = classes.flatMap(build);

/** Op number by name. */
export const op: ReadonlyMap<string, number> = new Map(insns.map(({ name }, index) => [name, index]));

/** Whether a word that fits the mask of an instruction is allocated. */
export function isAllocated({ terms }: Insn, word: number): boolean {
  for (const term of terms) if (!term(word)) return false;
  return true;
}
