/** How records are written, as numbers: for each instruction that was met a list of steps, each of which adds what a part of the instruction counts to a word of the record. */
import { insns, fieldValue } from '../isa/table.ts';
import type { BitField, Insn } from '../isa/table.ts';
import type { Get, Operand, RecordLayout, Term } from './define.ts';
import { defined } from './isa.ts';

/** Words of a record. */
export const WORDS = 4;

/** A plan: flags with the number of steps above them, index of the first handler, then the four words of the record to which the steps add. */
export const ROUTE = { high: 1, direct: 2, ends: 4, countShift: 3, size: 6 } as const;
/**
 * A step: what it adds to (a word, or the index of the handler) with what it is, shifts that take a field out, and a factor or the place of
 * values; the last two again for the field by which that is multiplied.
 */
export const STEP = { target: 7, index: 4, signed: 8, values: 16, times: 32, computed: 64, size: 5 } as const;

/** Words and bits in which the record has the fields of a layout. */
const SLOTS: readonly (readonly [keyof RecordLayout, word: number, shift: number])[] = [
  ['d', 0, 16], ['n', 1, 0], ['m', 1, 16], ['a', 2, 0], ['s', 2, 16], ['imm', 2, 0], ['high', 3, 0],
];

const NONE = -1;

/** An operand that is no sum. */
interface Computed {
  readonly insn: Insn;
  readonly operand: Operand;
  readonly shift: number;
}

export class Plans {
  /** Plans and values. */
  steps: Int32Array = new Int32Array(1024);
  #end = 1;
  /** By number of the instruction: the place of its plan, 0 if nobody asked, {@link NONE} if it is not defined. */
  readonly #plans: Int32Array = new Int32Array(insns.length);
  /** Where lists of values stand, times a factor. */
  readonly #values = new Map<readonly number[], Map<number, number>>();
  /** What has to be called, and shifts of the results. */
  readonly #computed: Computed[] = [];
  #word = 0;
  #fields: Insn['fields'] = {};
  readonly #get: Get = (field) => fieldValue(this.#word, this.#fields[field] as BitField);

  /** The place of an instruction's plan, 0 if it is not defined. */
  of(op: number): number {
    const known = this.#plans[op] || this.#learn(op);
    return known === NONE ? 0 : known;
  }

  /** What a step adds for an instruction. */
  value(step: number, word: number): number {
    const { steps } = this;
    const what = steps[step] as number;
    if ((what & STEP.computed) !== 0) return this.#compute(steps[step + 1] as number, word);
    const value = part(steps, what, step + 1, word);
    return (what & STEP.times) === 0 ? value : Math.imul(value, part(steps, STEP.values, step + 3, word));
  }

  #compute(number: number, word: number): number {
    const { insn, operand, shift } = this.#computed[number] as Computed;
    this.#word = word;
    this.#fields = insn.fields;
    return operand(this.#get, word) << shift;
  }

  #learn(op: number): number {
    const entry = defined[op];
    if (entry === undefined) return (this.#plans[op] = NONE);
    const { definition, first } = entry;
    const { record, select, direct, ends } = definition;
    const insn = insns[op] as Insn;
    const words = [first, 0, 0, 0, 0];
    const steps: number[] = [];
    const add = (operand: Operand, target: number, shift: number): void => {
      if (operand.sum === undefined) {
        steps.push(STEP.computed | target, this.#computed.push({ insn, operand, shift }) - 1, 0, 0, 0);
        return;
      }
      const at = target === STEP.index ? 0 : target + 1;
      words[at] = ((words[at] as number) + (operand.sum.constant << shift)) | 0;
      for (const term of operand.sum.terms) steps.push(...this.#step(term, insn, target, shift));
    };
    if (select !== undefined) add(select, STEP.index, 0);
    for (const [slot, word, shift] of SLOTS) {
      const operand = record[slot];
      if (operand !== undefined) add(operand, word, shift);
    }
    const flags = (record.high === undefined ? 0 : ROUTE.high) | (direct === true ? ROUTE.direct : 0) | (ends === true ? ROUTE.ends : 0);
    return (this.#plans[op] = this.#append([flags | ((steps.length / STEP.size) << ROUTE.countShift), ...words, ...steps]));
  }

  #append(numbers: readonly number[]): number {
    const at = this.#end;
    this.#end += numbers.length;
    if (this.#end > this.steps.length) {
      const larger = new Int32Array(2 * this.#end);
      larger.set(this.steps);
      this.steps = larger;
    }
    this.steps.set(numbers, at);
    return at;
  }

  #step({ part: first, times }: Term, insn: Insn, target: number, shift: number): number[] {
    const values = (list: readonly number[], factor: number): number => {
      let known = this.#values.get(list);
      if (known === undefined) this.#values.set(list, (known = new Map<number, number>()));
      let at = known.get(factor);
      if (at === undefined) known.set(factor, (at = this.#append(list.map((value) => Math.imul(value, factor)))));
      return at;
    };
    const factor = 1 << shift;
    const isSigned = 'step' in first && first.signed !== undefined;
    const what = target | (isSigned ? STEP.signed : 0) | ('values' in first ? STEP.values : 0) | (times === undefined ? 0 : STEP.times);
    const number = 'values' in first ? values(first.values, factor) : Math.imul(first.step, factor);
    return [what, shifts(insn, first.field), number, times === undefined ? 0 : shifts(insn, times.field), times === undefined ? 0 : values(times.values, 1)];
  }
}

/** Shifts that take a field out of an instruction: to the left, and then to the right. */
function shifts({ fields, name }: Insn, field: string): number {
  const found = fields[field];
  if (found === undefined) throw new RangeError(`${name} has no field ${field}`);
  return (32 - found.shift - found.width) | ((32 - found.width) << 8);
}

/** What a field counts: `at` says how it is taken out, and the place of the values or the factor. */
function part(steps: Int32Array, what: number, at: number, word: number): number {
  const shift = steps[at] as number;
  const shifted = word << (shift & 31);
  const number = steps[at + 1] as number;
  if ((what & STEP.values) !== 0) return steps[number + (shifted >>> (shift >> 8))] as number;
  return Math.imul((what & STEP.signed) !== 0 ? shifted >> (shift >> 8) : shifted >>> (shift >> 8), number);
}
