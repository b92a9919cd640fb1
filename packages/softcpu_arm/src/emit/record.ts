/** Writes the decoded records that the interpreter executes, see `define.ts`: of what generated code does not decode by what it was taught. */
import { BLOCK_ENDS, DecodeTables, PLAN } from '@axvisor/softcpu';
import type { HandlerTable, Layout } from '@axvisor/softcpu';
import { decode } from '../isa/decode.ts';
import { fieldValue, insns } from '../isa/table.ts';
import type { BitField, Insn } from '../isa/table.ts';
import type { Get, Operand } from './define.ts';
import { UNALLOCATED, decoder, defined, isa } from './isa.ts';
import type { Defined } from './isa.ts';
import { Plans } from './plans.ts';

/** The decoder of `Machine.decode`, in linear memory. */
export class RecordWriter {
  readonly #table: HandlerTable;
  readonly #tables: DecodeTables;
  readonly #plans: Plans;
  #words: Int32Array = new Int32Array(0);
  #word = 0;
  #fields: Insn['fields'] = {};
  readonly #get: Get = (field) => fieldValue(this.#word, this.#fields[field] as BitField);

  constructor(table: HandlerTable, layout: Pick<Layout, 'decoder'>) {
    this.#table = table;
    this.#tables = new DecodeTables({ ...isa, decoder }, layout);
    this.#plans = new Plans(table, this.#tables, () => this.#words);
  }

  /** As `Machine.decode`, of a memory that has these `bytes` and `words` now. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number): number {
    if (available < 4) return 0;
    this.#words = words;
    const tables = this.#tables;
    const word = (bytes[place] as number) | ((bytes[place + 1] as number) << 8) | ((bytes[place + 2] as number) << 16) | ((bytes[place + 3] as number) << 24);
    let flags = tables.write(words, word, record, offset);
    if (flags === 0) {
      this.#keep(word);
      this.#plans.learn(word);
      flags = tables.write(words, word, record, offset);
    }
    return (flags & BLOCK_ENDS) !== 0 ? -4 : 4;
  }

  #value(operand: Operand | undefined): number {
    return operand === undefined ? 0 : operand(this.#get, this.#word);
  }

  /** Keeps the record of an instruction. */
  #keep(word: number): void {
    const op = decode(word);
    const tables = this.#tables;
    if (op < 0) {
      tables.keep(this.#words, word, PLAN.ends, this.#table.handler(UNALLOCATED, 4, false), 0, 0, word);
      return;
    }
    this.#word = word;
    this.#fields = (insns[op] as Insn).fields;
    const { definition, first } = defined[op] as Defined;
    const { record, select, direct, ends } = definition;
    tables.keep(
      this.#words,
      word,
      (direct === true ? PLAN.direct : 0) | (ends === true ? PLAN.ends : 0),
      this.#table.handler(first + this.#value(select), 4, false) | (this.#value(record.d) << 16),
      this.#value(record.n) | (this.#value(record.m) << 16),
      record.imm === undefined ? this.#value(record.a) | (this.#value(record.s) << 16) : this.#value(record.imm),
      record.high === undefined ? word : this.#value(record.high),
    );
  }
}
