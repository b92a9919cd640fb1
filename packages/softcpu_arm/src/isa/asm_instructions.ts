/** Single instructions of the assembler: by the table's syntax, or by an alias for it. */
import type { Section } from '@axvisor/softcpu/asm';
import { AssemblyError, splitOperands } from '@axvisor/softcpu/asm';
import { aliases } from './asm_aliases.ts';
import { conditionNumber } from './operand.ts';
import type { Writer } from './operand.ts';
import { generalRegister } from './operand_general.ts';
import { atEnd, compileSyntax, hasSecond } from './syntax.ts';
import { insns, isAllocated } from './table.ts';
import type { Insn } from './table.ts';

/** Instructions by the mnemonic in the source; `Q` is what the mnemonic says about it. */
const forms = new Map<string, { readonly insn: Insn; readonly q: number | undefined }[]>();
function addForm(mnemonic: string, insn: Insn, q: number | undefined): void {
  const list = forms.get(mnemonic);
  if (list === undefined) forms.set(mnemonic, [{ insn, q }]);
  else list.push({ insn, q });
}
for (const insn of insns) {
  const second = hasSecond(insn.syntax) && insn.fields['Q'] !== undefined;
  addForm(insn.mnemonic, insn, second ? 0 : undefined);
  if (second) addForm(`${insn.mnemonic}2`, insn, 1);
}

const isRegister = (name: string): boolean => generalRegister(name, 0) !== undefined || /^[bhsdqv]\d+(\.\w+)?$/i.test(name);

/** The value of an expression; undefined where the text is none, or a register's name that is no symbol. */
function evaluate(text: string, section: Section): bigint | undefined {
  const name = text.trim();
  return isRegister(name) && !section.isSymbol(name) ? undefined : section.tryEvaluate(text);
}

/** Collects the fields of one instruction. */
class FieldWriter implements Writer {
  readonly pc: bigint;
  readonly #section: Section;
  readonly #insn: Insn;
  readonly #known = new Map<string, { value: number; mask: number }>();

  constructor(insn: Insn, section: Section) {
    this.#insn = insn;
    this.#section = section;
    this.pc = section.pc;
  }

  evaluate(text: string): bigint | undefined {
    return evaluate(text, this.#section);
  }

  get(field: string): number | undefined {
    return this.#known.get(field)?.value;
  }

  set(field: string, value: number, mask: number = -1): boolean {
    if (field === 'imm8' && this.#insn.fields['abc'] !== undefined) return this.set('abc', value >> 5) && this.set('defgh', value & 31);
    const known = this.#known.get(field) ?? { value: 0, mask: 0 };
    if (((known.value ^ value) & known.mask & mask) !== 0) return false;
    this.#known.set(field, { value: (known.value & known.mask) | (value & mask), mask: known.mask | mask });
    return true;
  }

  /** The instruction, or undefined if the fields contradict what is fixed or what is allocated. */
  encode(): number | undefined {
    const { fields, match, mask } = this.#insn;
    let word = match;
    for (const [name, { value, mask: known }] of this.#known) {
      const field = fields[name];
      if (field === undefined) continue;
      const bits = known & (2 ** field.width - 1);
      if ((value & known) !== (value & bits)) return undefined;
      word = (word & ~(bits << field.shift)) | ((value & bits) << field.shift);
    }
    return (word & mask) === match && isAllocated(this.#insn, word) ? word : undefined;
  }
}

/** Fields that the architecture wants to be ones where no operand says otherwise. */
const SHOULD_BE_ONE: Readonly<Record<string, readonly string[]>> = { 'Load/store exclusive register': ['Rs', 'Rt2'], 'Load-acquire RCpc': ['Rs'] };

function tryForm(insn: Insn, q: number | undefined, condition: number | undefined, operands: string, section: Section): number | undefined {
  const writer = new FieldWriter(insn, section);
  if (q !== undefined && !writer.set('Q', q)) return undefined;
  if (condition !== undefined && !writer.set('cond', condition)) return undefined;
  let at = 0;
  for (const operand of compileSyntax(insn.syntax)) {
    at = operand.parse(operands, at, writer);
    if (at < 0) return undefined;
  }
  if (!atEnd(operands, at)) return undefined;
  for (const field of SHOULD_BE_ONE[insn.class] ?? []) if (writer.get(field) === undefined) writer.set(field, 31);
  if (insn.class === 'Bitfield' || insn.class === 'Extract') writer.set('N', writer.get('sf') ?? 0);
  if (insn.mnemonic === 'smulh' || insn.mnemonic === 'umulh') writer.set('Ra', 31);
  return writer.encode();
}

function encodeForms(mnemonic: string, operands: string, section: Section): number | undefined {
  const [stem = '', suffix] = mnemonic.split('.');
  const condition = suffix === undefined ? undefined : conditionNumber(suffix);
  if (condition !== undefined && (stem !== 'b' || condition < 0)) return undefined;
  for (const { insn, q } of forms.get(stem) ?? []) {
    if ((condition !== undefined) !== (insn.name === 'b_cond')) continue;
    const word = tryForm(insn, q, condition, operands, section);
    if (word !== undefined) return word;
  }
  return undefined;
}

/** Whether a mnemonic names an instruction or an alias. */
export function isInstruction(mnemonic: string): boolean {
  return forms.has(mnemonic.split('.')[0] as string) || aliases.has(mnemonic);
}

/**
 * Assembles one instruction.
 *
 * @throws {AssemblyError} no form of the instruction takes such operands
 */
export function assembleInstruction(mnemonic: string, operands: string, section: Section): number {
  const direct = encodeForms(mnemonic, operands, section);
  if (direct !== undefined) return direct;
  const expansion = aliases.get(mnemonic)?.(splitOperands(operands), (text) => evaluate(text, section));
  const word = expansion === undefined ? undefined : encodeForms(expansion[0], expansion.slice(1).join(', '), section);
  if (word === undefined) throw new AssemblyError(`${mnemonic} does not take the operands "${operands}"`);
  return word;
}
