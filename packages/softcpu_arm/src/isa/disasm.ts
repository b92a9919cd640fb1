/** The disassembler: from a word to the text of the standard assembly language, by the table the decoder uses. */
import { decode } from './decode.ts';
import { CONDITIONS } from './operand.ts';
import { compileSyntax, hasSecond } from './syntax.ts';
import { fieldValue, insns } from './table.ts';

/**
 * Writes one instruction by its architectural name, without aliases, in the manner of GNU objdump. What is unallocated
 * appears as `.inst` with its bits, so that the text always assembles to the same bits, but for bits that are ignored.
 *
 * @param word int32
 * @param pc its 64-bit address, to which targets are relative
 */
export function disassemble(word: number, pc: bigint): string {
  const insn = insns[decode(word)];
  if (insn === undefined) return `.inst 0x${(word >>> 0).toString(16).padStart(8, '0')}`;
  const get = (name: string): number => {
    const field = insn.fields[name];
    if (field !== undefined) return fieldValue(word, field);
    const { abc, defgh } = insn.fields;
    if (name !== 'imm8' || abc === undefined || defgh === undefined) throw new RangeError(`${insn.name} has no field ${name}`);
    return (fieldValue(word, abc) << 5) | fieldValue(word, defgh);
  };
  const suffix = insn.name === 'b_cond' ? `.${CONDITIONS[get('cond')] as string}` : hasSecond(insn.syntax) && get('Q') === 1 ? '2' : '';
  const operands = compileSyntax(insn.syntax).map((operand) => operand.print({ get, pc })).join('');
  return operands === '' ? insn.mnemonic + suffix : `${insn.mnemonic}${suffix} ${operands}`;
}
