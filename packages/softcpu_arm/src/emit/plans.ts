/**
 * Teaches generated code how to decode: adds instructions that were met to its tree of tables, with a plan each of how their records are written, a
 * list of steps that add what a part of the instruction counts to a word of the record.
 */
import { PLAN, STEP } from '@axvisor/softcpu';
import type { CandidateEntry, DecodeTables, HandlerTable } from '@axvisor/softcpu';
import { candidates, childOf, root, runOf } from '../isa/decode.ts';
import { insns } from '../isa/table.ts';
import type { Insn } from '../isa/table.ts';
import type { Operand, RecordLayout, Term } from './define.ts';
import { UNALLOCATED, defined } from './isa.ts';

/** Words and bits in which the record has the fields of a layout. */
const SLOTS: readonly (readonly [keyof RecordLayout, word: number, shift: number])[] = [
  ['d', 0, 16], ['n', 1, 0], ['m', 1, 16], ['a', 2, 0], ['s', 2, 16], ['imm', 2, 0], ['high', 3, 0],
];

/** A list of candidates is short, and plans take no more than some hundred bytes. */
const ROOM = 8192;

/** An instruction that JavaScript decodes. */
const NONE = 0;
/** By number of the instruction: nobody asked. */
const UNKNOWN = -1;

export class Plans {
  readonly #table: HandlerTable;
  readonly #tables: DecodeTables;
  readonly #words: () => Int32Array;
  /** By number of the instruction: the place of its plan, {@link NONE} or {@link UNKNOWN}. */
  readonly #plans: Int32Array = new Int32Array(insns.length).fill(UNKNOWN);
  /** Where lists of values stand, times a factor. */
  readonly #values = new Map<readonly number[], Map<number, number>>();
  #unallocated = NONE;

  /** @param words - linear memory as it is now. */
  constructor(table: HandlerTable, tables: DecodeTables, words: () => Int32Array) {
    this.#table = table;
    this.#tables = tables;
    this.#words = words;
  }

  /** Adds what a word has to be known by. */
  learn(word: number): void {
    const tables = this.#tables;
    if (tables.free < ROOM) return;
    if (this.#unallocated === NONE) {
      const { shift, bits } = runOf(root);
      tables.node(this.#words(), shift, bits);
      this.#unallocated = this.#append([PLAN.valid | PLAN.bits | PLAN.ends, this.#table.handler(UNALLOCATED, 4, false), 0, 0, 0]);
    }
    const words = this.#words();
    let at = tables.root;
    for (let table = root; table >= 0; ) {
      const { shift, bits } = runOf(table);
      const slot = (at >>> 2) + 2 + ((word >>> shift) & bits);
      table = childOf(table, word);
      if (words[slot] === 0) words[slot] = this.#child(table);
      at = words[slot] as number;
    }
  }

  #child(child: number): number {
    if (child < 0) return this.#tables.list(this.#words(), [...candidates(child).flatMap((op) => this.#candidate(op)), { mask: 0, match: 0, plan: this.#unallocated }]);
    const { shift, bits } = runOf(child);
    return this.#tables.node(this.#words(), shift, bits);
  }

  /** An instruction, behind what it is not. */
  #candidate(op: number): CandidateEntry[] {
    const { mask, match, except } = insns[op] as Insn;
    return [...except.map((pattern) => ({ ...pattern, plan: this.#unallocated })), { mask, match, plan: this.#planOf(op) }];
  }

  #planOf(op: number): number {
    const known = this.#plans[op] as number;
    return known === UNKNOWN ? (this.#plans[op] = this.#plan(op)) : known;
  }

  /** Makes the plan of an instruction whose operands are sums. */
  #plan(op: number): number {
    const insn = insns[op] as Insn;
    const entry = defined[op];
    if (entry === undefined) return NONE;
    const { record, select, direct, ends, variants } = entry.definition;
    const handler = this.#table.handler(entry.first, 4, false);
    const stride = variants.length > 1 ? this.#table.handler(entry.first + 1, 4, false) - handler : 1;
    const words = [handler, 0, 0, 0];
    const steps: number[] = [];
    const add = (operand: Operand | undefined, target: number, factor: number): boolean => {
      if (operand === undefined) return true;
      if (operand.computed !== undefined) steps.push((4 * target) | STEP.computed, 0, operand.computed, 0, 0);
      if (operand.sum === undefined) return operand.computed !== undefined;
      words[target] = ((words[target] as number) + Math.imul(operand.sum.constant, factor)) | 0;
      for (const term of operand.sum.terms) steps.push(...this.#step(term, insn, target, factor));
      return true;
    };
    if (!add(select, 0, stride)) return NONE;
    for (const [slot, word, shift] of SLOTS) if (!add(record[slot], word, 1 << shift)) return NONE;
    const flags = PLAN.valid | (record.high === undefined ? PLAN.bits : 0) | (direct === true ? PLAN.direct : 0) | (ends === true ? PLAN.ends : 0);
    return this.#append([flags | ((steps.length * 4) / STEP.size << PLAN.countShift), ...words, ...steps]);
  }

  #append(numbers: readonly number[]): number {
    return this.#tables.append(this.#words(), numbers);
  }

  /** What a term of a sum adds, times a factor. */
  #step({ part, times }: Term, insn: Insn, target: number, factor: number): number[] {
    const isSigned = 'step' in part && part.signed !== undefined;
    const what = (4 * target) | (isSigned ? STEP.signed : 0) | ('values' in part ? STEP.values : 0) | (times === undefined ? 0 : STEP.times);
    const number = 'values' in part ? this.#valuesOf(part.values, factor) : Math.imul(part.step, factor);
    return [what, shifts(insn, part.field), number, ...(times === undefined ? [0, 0] : [shifts(insn, times.field), this.#valuesOf(times.values, 1)])];
  }

  #valuesOf(list: readonly number[], factor: number): number {
    let known = this.#values.get(list);
    if (known === undefined) this.#values.set(list, (known = new Map<number, number>()));
    let at = known.get(factor);
    if (at === undefined) known.set(factor, (at = this.#append(list.map((value) => Math.imul(value, factor)))));
    return at;
  }
}

/** Shifts that take a field out of an instruction: to the left, and then to the right. */
function shifts({ fields, name }: Insn, field: string): number {
  const found = fields[field];
  if (found === undefined) throw new RangeError(`${name} has no field ${field}`);
  return (32 - found.shift - found.width) | ((32 - found.width) << 8);
}
