/** The instruction table of the processing element: every A64 encoding it implements, from which decoder, disassembler, assembler and engine are made. */
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

/** Bits of a word that are fixed, and their values, both int32. */
export interface Pattern {
  readonly mask: number;
  readonly match: number;
}

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
  /** Operands as the assembly language writes them, see syntax.ts. */
  readonly syntax: string;
  /** Words that fit and are not allocated. */
  readonly except: readonly Pattern[];
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

/** Words of which a field does not meet a requirement. */
function parseFailures(text: string, fields: Layout['fields'], where: string): Pattern[] {
  const [, name = '', relation, operand = ''] = /^(\w+)(=|!=|<)(\w+)$/.exec(text) ?? [];
  const field = fields[name];
  if (field === undefined) throw new RangeError(`no field for ${text} in ${where}`);
  const { shift, width } = field;
  const bits = Array.from({ length: width }, (_, bit) => 1 << (shift + bit));
  if (relation === '<') {
    const limit = Number(operand) << shift;
    // Those that are equal, and for each bit those that are equal above it and have it where the limit has not.
    const equal = { mask: bits.reduce((mask, bit) => mask | bit, 0), match: limit };
    return [equal, ...bits.filter((bit) => (limit & bit) === 0).map((bit) => ({ mask: equal.mask & -bit, match: (limit & -bit) | bit }))];
  }
  if (operand.length !== width) throw new RangeError(`${text} has the wrong width in ${where}`);
  const { value, mask } = parseBits(operand);
  const pattern = { mask: mask << shift, match: value << shift };
  if (relation === '!=') return [pattern];
  return bits.filter((bit) => (pattern.mask & bit) !== 0).map((bit) => ({ mask: bit, match: ~pattern.match & bit }));
}

/** Words that fit one of the patterns and one of others. */
const both = (some: readonly Pattern[], others: readonly Pattern[]): Pattern[] =>
  some.flatMap((one) =>
    others.filter((other) => ((one.match ^ other.match) & one.mask & other.mask) === 0).map((other) => ({ mask: one.mask | other.mask, match: one.match | other.match })),
  );

const ANY: readonly Pattern[] = [{ mask: 0, match: 0 }];

function build({ name: className, pattern, rows, syntax: common = '' }: EncodingClass): Insn[] {
  const { fields, ...layout } = parsePattern(pattern);
  return Object.entries(rows).map(([name, row]) => {
    const [fixed, syntax] = typeof row === 'string' ? [row, common] : row;
    let { match, mask } = layout;
    const except: Pattern[] = [];
    for (const requirement of fixed.split(' ').filter(Boolean)) {
      const simple = /^(\w+)=([01x]+)$/.exec(requirement);
      const field = simple === null ? undefined : fields[simple[1] as string];
      if (simple !== null && field !== undefined && (simple[2] as string).length === field.width) {
        const bits = parseBits(simple[2] as string);
        match |= bits.value << field.shift;
        mask |= bits.mask << field.shift;
      } else except.push(...requirement.split('|').reduce((failures, term) => both(failures, parseFailures(term, fields, `${className}, ${name}`)), ANY));
    }
    return { name, mnemonic: name.split('_')[0] as string, class: className, match, mask, fields, syntax, except: both([{ mask, match }], except) };
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
export function isAllocated({ except }: Insn, word: number): boolean {
  for (const { mask, match } of except) if ((word & mask) === match) return false;
  return true;
}
