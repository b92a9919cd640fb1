/** An assembler for RV64GC with the extensions of the table: no compression of its own, no relaxation, the syntax of GNU as. */

import type { Assembled, AssembleOptions, Dialect } from '@axvisor/softcpu/asm';
import { assembleProgram, AssemblyError, splitOperands } from '@axvisor/softcpu/asm';
import { assembleInstruction, isInstruction, lengthOf } from './asm_instructions.ts';
import { expandMacro } from './asm_macros.ts';

export type { Assembled, AssembleOptions } from '@axvisor/softcpu/asm';
export { AssemblyError } from '@axvisor/softcpu/asm';
export { csrNames, csrNumbers } from './csr_names.ts';

const NOP = 0x13;

const low12 = (value: bigint): bigint => BigInt.asIntN(12, value);
const high20 = (value: bigint): bigint => BigInt.asUintN(20, (value + 0x800n) >> 12n);

function createDialect(): Dialect {
  /** Offsets of `auipc` instructions by their addresses, for the second instruction of the pair. */
  const pcrelHi = new Map<bigint, bigint>();
  return {
    comment: '#',
    data: { '.half': 2, '.word': 4, '.dword': 8 },
    align: '.p2align',
    nop: { value: NOP, size: 4 },
    // Nothing is relaxed or compressed.
    directives: { '.option': () => undefined },
    functions: {
      '%hi': high20,
      '%lo': low12,
      '%pcrel_hi'(value, pc) {
        const offset = BigInt.asIntN(64, value - pc);
        if (BigInt.asIntN(32, offset + 0x800n) !== offset + 0x800n) throw new AssemblyError(`target is ${offset} bytes away, beyond the reach of auipc`);
        pcrelHi.set(pc, offset);
        return high20(offset);
      },
      '%pcrel_lo'(value) {
        const offset = pcrelHi.get(BigInt.asUintN(64, value));
        if (offset === undefined) throw new AssemblyError('%pcrel_lo must name the label of an earlier instruction with %pcrel_hi');
        return low12(offset);
      },
    },
    begin: () => pcrelHi.clear(),
    instruction(section, name, text) {
      const operands = splitOperands(text);
      const expansion = expandMacro(name, operands, (constant) => section.size(constant));
      if (expansion === undefined && !isInstruction(name)) throw new AssemblyError(`unknown instruction ${name}`);
      for (const [step, ...stepOperands] of expansion ?? [[name, ...operands] as const]) {
        section.emit(section.layout ? 0 : assembleInstruction(step, stepOperands, section), lengthOf(step));
      }
    },
  };
}

/**
 * Assembles a program into one section of bytes.
 *
 * Instructions: the table's, with c.* written out, and the usual pseudo-instructions. Directives: `@axvisor/softcpu/asm`'s and .half .word .dword.
 *
 * @example
 * const { bytes } = assemble('_start: li a0, 42\n ret\n', { base: 0x8000_0000n });
 * @throws {AssemblyError} with the line of the first mistake
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  return assembleProgram(source, createDialect(), options);
}
