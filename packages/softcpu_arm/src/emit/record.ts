/** Writes the decoded records that the interpreter executes, see `define.ts`. */
import { recordShift } from '@axvisor/softcpu';
import type { HandlerTable } from '@axvisor/softcpu';
import { decode } from '../isa/decode.ts';
import { fieldValue, insns } from '../isa/table.ts';
import type { Insn } from '../isa/table.ts';
import type { Get, Operand } from './define.ts';
import { UNALLOCATED, defined } from './isa.ts';
import type { Defined } from './isa.ts';

const RECORD_SHIFT = recordShift({ unit: 4 });
const PAGE = 4096;

/** Instructions whose records are kept, by a hash of their bits: programs repeat few of them very often. */
const KEPT_BITS = 14;
const KEPT = 2 ** KEPT_BITS;
/** Words of a record. */
const WORDS = 4;

/** The decoder of `Machine.decode`, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  readonly #table: HandlerTable;
  readonly #undefined: number;
  #word = 0;
  #insn: Insn | undefined;
  /** Instructions kept, what was answered of them (0: none is kept), and their records; of direct branches with the index of the instruction and the distance. */
  readonly #kept: Int32Array = new Int32Array(KEPT);
  readonly #answers: Int8Array = new Int8Array(KEPT);
  readonly #isDirect: Uint8Array = new Uint8Array(KEPT);
  readonly #records: Int32Array = new Int32Array(KEPT * WORDS);
  readonly #get: Get = (field) => {
    const { fields, name } = this.#insn as Insn;
    const found = fields[field];
    if (found === undefined) throw new RangeError(`${name} has no field ${field}`);
    return fieldValue(this.#word, found);
  };

  constructor(table: HandlerTable) {
    this.#table = table;
    this.#undefined = table.handler(UNALLOCATED, 4, false);
  }

  /** As `Machine.decode`. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number): number {
    if (available < 4) return 0;
    const word = (bytes[place] as number) | ((bytes[place + 1] as number) << 8) | ((bytes[place + 2] as number) << 16) | ((bytes[place + 3] as number) << 24);
    const at = record >>> 2;
    const hash = Math.imul(word, 0x9e37_79b1) >>> (32 - KEPT_BITS);
    const kept = hash * WORDS;
    const known = this.#kept[hash] === word ? (this.#answers[hash] as number) : 0;
    if (known !== 0) {
      for (let i = 0; i < WORDS; i++) words[at + i] = this.#records[kept + i] as number;
      if (this.#isDirect[hash] === 1) this.#aim(words, at, offset);
      return known;
    }
    words[at + 3] = word;
    const op = decode(word);
    const entry = defined[op];
    if (entry === undefined) {
      words[at] = this.#undefined;
      return -4;
    }
    this.#word = word;
    this.#insn = insns[op];
    const answer = this.#record(entry, words, at, word);
    const isDirect = entry.definition.direct === true;
    this.#kept[hash] = word;
    this.#answers[hash] = answer;
    this.#isDirect[hash] = isDirect ? 1 : 0;
    for (let i = 0; i < WORDS; i++) this.#records[kept + i] = words[at + i] as number;
    if (isDirect) this.#aim(words, at, offset);
    return answer;
  }

  /** Makes the record of a direct branch, which depends on where it lies, of one with the instruction's index and the distance in bytes. */
  #aim(words: Int32Array, at: number, offset: number): void {
    const first = words[at] as number;
    const imm = words[at + 2] as number;
    const near = offset + imm >= 0 && offset + imm < PAGE;
    words[at] = this.#table.handler(first & 0xffff, 4, near, near && imm <= 0) | (first & ~0xffff);
    if (near) words[at + 2] = imm << RECORD_SHIFT;
  }

  /** A record; of direct branches as {@link #aim} wants it. */
  #record({ definition, first }: Defined, words: Int32Array, at: number, word: number): number {
    const { record, select, direct, ends } = definition;
    const value = (operand: Operand | undefined): number => operand?.(this.#get, word) ?? 0;
    const index = first + value(select);
    words[at] = (direct === true ? index : this.#table.handler(index, 4, false)) | (value(record.d) << 16);
    words[at + 1] = value(record.n) | (value(record.m) << 16);
    words[at + 2] = record.imm === undefined ? value(record.a) | (value(record.s) << 16) : value(record.imm);
    if (record.high !== undefined) words[at + 3] = value(record.high);
    return ends === true ? -4 : 4;
  }
}
