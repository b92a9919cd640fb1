/** Single instructions of the assembler: finds the form of a mnemonic that the operands fit, by the instruction table and the aliases. */

import type { Section } from '@axvisor/softcpu/asm';
import { AssemblyError } from '@axvisor/softcpu/asm';
import { aliases } from './aliases.ts';
import type { Fields } from './asm_operands.ts';
import { readOperand } from './asm_operands.ts';
import type { CompressedInsn, CompressedRegister } from './compressed.ts';
import { compressedFieldWidths, compressedInsns } from './compressed.ts';
import { decode, newDecoded } from './decode.ts';
import { encode, insertImmediate } from './encode.ts';
import type { Operand, RegisterField } from './formats.ts';
import { formats, immediates } from './formats.ts';
import { defaultRounding } from './disasm.ts';
import type { InsnName } from './table.ts';
import { insns, op, parsePattern } from './table.ts';

interface Form {
  readonly base: InsnName;
  readonly fixed: Readonly<Partial<Record<keyof Fields, number | RegisterField>>>;
  readonly operands: readonly Operand[];
}

const forms = new Map<string, Form[]>();

function addForm(name: string, form: Form): void {
  const list = forms.get(name);
  if (list === undefined) forms.set(name, [form]);
  else list.push(form);
}

for (const { name, format } of insns) {
  const { operands, aux } = formats[format];
  if (aux === 'aqrl') {
    for (const [value, suffix] of ['', '.rl', '.aq', '.aqrl'].entries()) addForm(name + suffix, { base: name, fixed: { aux: value }, operands });
  } else {
    addForm(name, { base: name, fixed: {}, operands });
    if (aux === 'rm') addForm(name, { base: name, fixed: { aux: defaultRounding(format) }, operands: operands.filter((operand) => operand !== 'rm') });
  }
}
for (const { name, base, fixed, operands } of aliases) addForm(name, { base, fixed, operands });

// GNU as reads a register-register mnemonic with a number as the immediate form.
const immediateForms = 'add and or xor slt sll srl sra addw sllw srlw sraw ror rorw bclr bext binv bset'.split(' ') as InsnName[];
for (const name of immediateForms) {
  const base = name.endsWith('w') ? (`${name.slice(0, -1)}iw` as InsnName) : (`${name}i` as InsnName);
  addForm(name, { base, fixed: {}, operands: formats[insns[op[base]]!.format].operands });
}
addForm('sltu', { base: 'sltiu', fixed: {}, operands: formats.I.operands });
addForm('jalr', { base: 'jalr', fixed: {}, operands: ['x:rd', 'x:rs1', 'imm'] });
addForm('unimp', { base: 'csrrw', fixed: { rd: 0, rs1: 0, aux: 0xc00 }, operands: [] });
addForm('fence.tso', { base: 'fence', fixed: { imm: 0x833 }, operands: [] });

const compressed = new Map<string, CompressedInsn>(compressedInsns.map((insn) => [insn.name, insn]));
const compressedShift: Readonly<Partial<Record<CompressedRegister, number>>> = { rd: 7, rs2: 2, "rs1'": 7, "rs2'": 2 };

const noFields = (): Fields => ({ rd: 0, rs1: 0, rs2: 0, rs3: 0, imm: 0, aux: 0 });

function assembleCompressed(insn: CompressedInsn, operands: readonly string[], section: Section): number | undefined {
  const expected = insn.name === 'c.nop' && operands.length === 0 ? [] : insn.operands;
  const fields = noFields();
  if (expected.length !== operands.length || !expected.every((operand, i) => readOperand(operand, operands[i]!, insn.imm, fields, section))) return undefined;
  let bits = parsePattern(insn.pattern, compressedFieldWidths, 16).match;
  // A register named once is both source and destination; the field is written from the operand that names it.
  const named = (field: 'rd' | 'rs1' | 'rs2'): boolean => expected.some((operand) => operand.slice(2) === field || (operand === 'mem' && field === 'rs1'));
  for (const field of ['rd', 'rs1', 'rs2'] as const) {
    const source = insn[field];
    const shift = source === undefined ? undefined : compressedShift[source];
    if (source !== undefined && shift !== undefined && named(field)) bits |= (source.endsWith("'") ? fields[field] & 7 : fields[field]) << shift;
  }
  if (insn.imm !== undefined) bits |= insertImmediate(fields.imm, insn.imm);
  const check = newDecoded();
  const same = decode(bits, check) && (['rd', 'rs1', 'rs2'] as const).every((field) => !named(field) || check[field] === fields[field]);
  if (!same || check.imm !== fields.imm) throw new AssemblyError(`${insn.name} cannot encode these operands`);
  return bits;
}

/** Whether a mnemonic names an instruction, a one-instruction alias or a compressed instruction. */
export function isInstruction(name: string): boolean {
  return forms.has(name) || compressed.has(name);
}

/** Bytes of an instruction. */
export const lengthOf = (name: string): 2 | 4 => (compressed.has(name) ? 2 : 4);

/**
 * Assembles one instruction.
 *
 * @param name the mnemonic, for which {@link isInstruction} holds
 * @param operands the texts between the commas
 * @throws {AssemblyError} no form of the instruction takes such operands, or a value is out of range
 */
export function assembleInstruction(name: string, operands: readonly string[], section: Section): number {
  const short = compressed.get(name);
  const encoded = short === undefined ? undefined : assembleCompressed(short, operands, section);
  if (encoded !== undefined) return encoded;
  for (const form of forms.get(name) ?? []) {
    if (form.operands.length !== operands.length) continue;
    const { imm } = formats[insns[op[form.base]]!.format];
    const fields = noFields();
    if (!form.operands.every((operand, i) => readOperand(operand, operands[i]!, imm === undefined ? undefined : immediates[imm], fields, section))) continue;
    for (const [field, value] of Object.entries(form.fixed) as [keyof Fields, number | RegisterField][]) {
      fields[field] = typeof value === 'number' ? value : fields[value];
    }
    return encode(op[form.base], fields);
  }
  throw new AssemblyError(`${name} does not take the operands "${operands.join(', ')}"`);
}
