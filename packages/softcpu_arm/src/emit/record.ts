/** Writes the decoded records that the interpreter executes, see `define.ts`: of what generated code does not decode by what it was taught. */
import { DecodeTables, Kept, PAGE_SIZE, PLAN, recordShift } from '@axvisor/softcpu';
import type { HandlerTable, Layout } from '@axvisor/softcpu';
import { decode } from '../isa/decode.ts';
import { fieldValue, insns } from '../isa/table.ts';
import type { BitField, Insn } from '../isa/table.ts';
import type { Get, Operand } from './define.ts';
import { UNALLOCATED, defined, isa } from './isa.ts';
import type { Defined } from './isa.ts';
import { Plans } from './plans.ts';

const RECORD_SHIFT = recordShift(isa);

/** The decoder of `Machine.decode`, in linear memory. */
export class RecordWriter {
  readonly #table: HandlerTable;
  readonly #tables: DecodeTables;
  readonly #plans: Plans;
  #words: Int32Array = new Int32Array(0);
  #word = 0;
  #fields: Insn['fields'] = {};
  readonly #get: Get = (field) => fieldValue(this.#word, this.#fields[field] as BitField);

  constructor(table: HandlerTable, layout: Pick<Layout, 'decoder' | 'decoderEnd'>) {
    this.#table = table;
    this.#tables = new DecodeTables(layout);
    this.#plans = new Plans(table, this.#tables, () => this.#words);
  }

  /** As `Machine.decode`, of a memory that has these `bytes` and `words` now. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number): number {
    if (available < 4) return 0;
    this.#words = words;
    const word = (bytes[place] as number) | ((bytes[place + 1] as number) << 8) | ((bytes[place + 2] as number) << 16) | ((bytes[place + 3] as number) << 24);
    const kept = this.#tables.kept(word) >>> 2;
    const flagsAt = kept + Kept.flags / 4;
    if (words[kept] !== word || words[flagsAt] === 0) {
      words[kept] = word;
      words[flagsAt] = this.#evaluate(word, kept + Kept.record / 4);
      this.#plans.learn(word);
    }
    const flags = words[flagsAt] as number;
    words.copyWithin(record >>> 2, kept + Kept.record / 4, kept + Kept.size / 4);
    if ((flags & PLAN.direct) !== 0) aim(words, record >>> 2, offset);
    return (flags & PLAN.ends) !== 0 ? -4 : 4;
  }

  #value(operand: Operand | undefined): number {
    return operand === undefined ? 0 : operand(this.#get, this.#word);
  }

  /** Writes the record of an instruction, of a direct branch as if its target were far. @returns what of {@link PLAN} holds for it */
  #evaluate(word: number, at: number): number {
    const op = decode(word);
    const words = this.#words;
    if (op < 0) {
      words.set([this.#table.handler(UNALLOCATED, 4, false), 0, 0, word], at);
      return PLAN.valid | PLAN.ends;
    }
    this.#word = word;
    this.#fields = (insns[op] as Insn).fields;
    const { definition, first } = defined[op] as Defined;
    const { record, select, direct, ends } = definition;
    words[at] = this.#table.handler(first + this.#value(select), 4, false) | (this.#value(record.d) << 16);
    words[at + 1] = this.#value(record.n) | (this.#value(record.m) << 16);
    words[at + 2] = record.imm === undefined ? this.#value(record.a) | (this.#value(record.s) << 16) : this.#value(record.imm);
    words[at + 3] = record.high === undefined ? word : this.#value(record.high);
    return PLAN.valid | (direct === true ? PLAN.direct : 0) | (ends === true ? PLAN.ends : 0);
  }
}

/** Makes the record of a direct branch, which depends on where it lies, of one with the distance in bytes. */
function aim(words: Int32Array, at: number, offset: number): void {
  const distance = words[at + 2] as number;
  if (offset + distance < 0 || offset + distance >= PAGE_SIZE) return;
  (words[at] as number) += distance <= 0 ? 2 : 1;
  words[at + 2] = distance << RECORD_SHIFT;
}
