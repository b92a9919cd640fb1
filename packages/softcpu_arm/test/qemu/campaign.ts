/** Many instructions of each encoding class, executed by us and by QEMU: slices of work that can be done one by one and go on where they ended. */
import { defined } from '../../src/emit/isa.ts';
import { classes, disassemble, op } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import { FlatPe } from '../engine/flat.ts';
import { randomWords } from '../isa/words.ts';
import { CODE, DATA, aborted, difference, executed, vectorAt } from './cases.ts';
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
/** Instructions executed, the one that a signal ended the case with being the last, and cases that the emulator answered differently, in words. */
export interface Slice {
  readonly instructions: number;
  readonly wrong: readonly string[];
}

/** One case in so many has an instruction that ends it with a signal, or may. */
const FAILING = 16;
/** ADD or SUB (immediate) of x28, what cases address memory by. */
const MOVE_BASE = 0x9100_039c;
const SUBTRACT = 1 << 30;

/** Whether a store-exclusive that the monitor fails may fault is the implementation's choice. */
const CONDITIONAL = /^stl?x/;
/** Of these QEMU 7.2 does not check the alignment. */
const UNCHECKED = /^(ldapr|ldar|stlr)/;

/** Makes an access of what comes behind it fail, mostly: the base is moved to an end of the memory, or by a few bytes; else an instruction that is none. */
function spoiler(next: () => number, before: readonly number[]): number {
  const random = next();
  const subtract = (random & 1) === 0 ? SUBTRACT : 0;
  const to = (pages: number, bytes: number): number => MOVE_BASE | subtract | (pages === 0 ? bytes << 10 : (pages << 10) | (1 << 22));
  const choice = [(random >>> 8) & 0xffff, to(DATA.size >> 13, 0), to(0, 1 + ((random >>> 8) & 15))];
  const has = (what: RegExp): boolean => before.some((word) => what.test(disassemble(word, 0n)));
  return choice[((random >>> 4) & 15) % (has(CONDITIONAL) ? 1 : has(UNCHECKED) ? 2 : 3)] as number;
}

/**
 * Vector registers that a load of several leaves UNKNOWN where it is aborted (Arm ARM, D1.3.4 "Synchronous exceptions"): QEMU has loaded some of
 * them, we none.
 */
function unknown(word: number): readonly number[] {
  const text = disassemble(word, 0n);
  const first = word & 31;
  if (/^ldn?p [sdq]/.test(text)) return [first, (word >>> 10) & 31];
  return /^ld[1-4]/.test(text) ? [0, 1, 2, 3].map((i) => (first + i) & 31) : [];
}

/** One case of a class: a single instruction, or a sequence of them. */
function caseOf({ name, list }: TestedClass, next: () => number): { readonly one: Case; readonly isSequence: boolean } | undefined {
  const draw = (): Case | undefined => randomCase(list[(next() >>> 0) % list.length] as Insn, next);
  const fails = (next() >>> 0) % FAILING === 0;
  if (!isSequential(name)) {
    const one = draw();
    if (one === undefined || !fails) return one && { one, isSequence: false };
    return { one: { ...one, code: [spoiler(next, one.code), ...one.code] }, isSequence: false };
  }
  const code: number[] = [];
  for (let tries = 0; tries < 4 * SEQUENCE && code.length < SEQUENCE; tries++) {
    const drawn = draw();
    if (drawn?.code.length === 1) code.push(drawn.code[0] as number);
  }
  if (fails && code.length > 0) code[(next() >>> 0) % code.length] = spoiler(next, code);
  return code.length === 0 ? undefined : { one: { seed: next(), code }, isSequence: true };
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
    drawn.forEach(({ one, isSequence }, i) => {
      const machine = i % TRANSLATED === 0 ? this.#machines.translator : this.#machines.interpreter;
      const answer = theirs[i] as Int32Array;
      const ours = execute(machine, one);
      const at = aborted(answer);
      if (at !== undefined) for (const v of unknown(one.code[at] ?? 0)) ours.set(answer.subarray(vectorAt(v), vectorAt(v) + 4), vectorAt(v));
      const found = difference(ours, answer);
      instructions += isSequence ? executed(one, answer) : 1;
      if (found !== undefined) wrong.push(`seed ${one.seed}: ${one.code.map((word, n) => disassemble(word, BigInt(CODE.base + 4 * n))).join('; ')}: ${found}`);
    });
    return { instructions, wrong };
  }
}
