/** Many instructions of each encoding class, executed by us and by QEMU: slices of work that can be done one by one and go on where they ended. */
import { defined } from '../../src/emit/isa.ts';
import { classes, disassemble, op } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';
import { CODE, DATA, difference } from './cases.ts';
import { execute } from './execute.ts';
import { randomCase, testable } from './generate.ts';
import { ask, type Case } from './oracle.ts';

/** An encoding class and its instructions that can be tested. */
export interface TestedClass {
  readonly name: string;
  readonly list: readonly Insn[];
}

export const testedClasses: readonly TestedClass[] = classes
  .map(({ name }) => ({ name, list: testable.filter((insn) => insn.class === name && defined[op.get(insn.name) as number] !== undefined) }))
  .filter(({ list }) => list.length > 0);

/** Classes whose instructions go on behind themselves and leave the registers alone that address memory: several make one case. */
const isSequential = (name: string): boolean => !/branch|literal|exclusive|post-indexed|pre-indexed|register offset|Barriers/.test(name);
const SEQUENCE = 16;
/** Of so many cases the translator gets one: it takes longer to be set up. */
const TRANSLATED = 8;
/** Instructions tested and those that the emulator answered differently, in words. */
export interface Slice {
  readonly instructions: number;
  readonly wrong: readonly string[];
}

/** One case of a class: a single instruction, or a sequence of them. */
function caseOf({ name, list }: TestedClass, next: () => number): { readonly one: Case; readonly instructions: number } | undefined {
  const draw = (): Case | undefined => randomCase(list[(next() >>> 0) % list.length] as Insn, next);
  if (!isSequential(name)) {
    const one = draw();
    return one && { one, instructions: 1 };
  }
  const code: number[] = [];
  for (let tries = 0; tries < 4 * SEQUENCE && code.length < SEQUENCE; tries++) {
    const drawn = draw();
    if (drawn?.code.length === 1) code.push(drawn.code[0] as number);
  }
  return code.length === 0 ? undefined : { one: { seed: next(), code }, instructions: code.length };
}

export class Campaign {
  readonly #machines = { interpreter: new FlatPe([DATA, CODE]), translator: new FlatPe([DATA, CODE], 'translator') };

  /** Does slice number `index` of a class: so many cases, which depend on nothing else. */
  slice(tested: TestedClass, index: number, cases: number): Slice {
    const next = randomWords(Math.imul(index + 1, 0x1000_0001) ^ tested.name.length);
    const drawn = Array.from({ length: cases }, () => caseOf(tested, next)).filter((c) => c !== undefined);
    const theirs = ask(drawn.map(({ one }) => one));
    const wrong: string[] = [];
    let instructions = 0;
    drawn.forEach(({ one, instructions: count }, i) => {
      const machine = i % TRANSLATED === 0 ? this.#machines.translator : this.#machines.interpreter;
      const found = difference(execute(machine, one), theirs[i] as Int32Array);
      instructions += count;
      if (found !== undefined) wrong.push(`seed ${one.seed}: ${one.code.map((word, n) => disassemble(word, BigInt(CODE.base + 4 * n))).join('; ')}: ${found}`);
    });
    return { instructions, wrong };
  }
}
