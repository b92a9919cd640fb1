/** A dialect of two instructions: `nop`, of one byte, and `jump`, of two bytes if the target is near and five if not. */
import { assembleProgram, AssemblyError } from '../../src/asm/index.ts';
import type { Assembled, AssembleOptions, Dialect } from '../../src/asm/index.ts';

export function toy(): Dialect {
  const far = new Set<number>();
  let jumps = 0;
  return {
    comment: '#',
    here: '$',
    data: { '.word': 4 },
    align: '.p2align',
    nop: { value: 0x4e4f, size: 2 },
    functions: { '%low': (value) => value & 0xffn, ':page:': (value, pc) => (value >> 12n) - (pc >> 12n) },
    directives: { '.twice': (section, operands) => section.write(operands.flatMap((operand) => Array<number>(2).fill(Number(section.evaluate(operand))))) },
    begin: () => void (jumps = 0),
    instruction(section, name, operands) {
      if (name === 'nop') section.emit(1, 1);
      else if (name === 'jump') {
        const distance = section.evaluate(operands) - section.pc;
        if (!section.layout && BigInt.asIntN(8, distance) !== distance) far.add(jumps);
        section.emit(2, 1);
        section.emit(distance, far.has(jumps++) ? 4 : 1);
      } else throw new AssemblyError(`unknown instruction ${name}`);
    },
  };
}

export const assemble = (source: string, options: AssembleOptions = {}): Assembled => assembleProgram(source, toy(), options);
