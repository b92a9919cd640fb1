/** Writes the decoded records that the interpreter executes, see `define.ts`. */
import { recordShift } from '@axvisor/softcpu';
import type { HandlerTable } from '@axvisor/softcpu';
import { decode } from '../isa/decode.ts';
import { UNALLOCATED } from './isa.ts';
import { Plans, ROUTE, STEP, WORDS } from './plans.ts';

const RECORD_SHIFT = recordShift({ unit: 4 });
const PAGE = 4096;

/** Instructions whose records are kept, by a hash of their bits: programs repeat few of them very often. */
const KEPT_BITS = 14;
const KEPT = 2 ** KEPT_BITS;

/** The decoder of `Machine.decode`, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  readonly #table: HandlerTable;
  readonly #undefined: number;
  readonly #plans = new Plans();
  /** Instructions kept, what was answered of them (0: none is kept), and their records; of direct branches with the index of the instruction and the distance. */
  readonly #kept: Int32Array = new Int32Array(KEPT);
  readonly #answers: Int8Array = new Int8Array(KEPT);
  readonly #isDirect: Uint8Array = new Uint8Array(KEPT);
  readonly #records: Int32Array = new Int32Array(KEPT * WORDS);

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
    const records = this.#records;
    if (this.#kept[hash] !== word || this.#answers[hash] === 0) {
      const op = decode(word);
      const answer = op < 0 ? 0 : this.#plan(op, word, kept);
      if (answer === 0) {
        words[at] = this.#undefined;
        words[at + 3] = word;
        this.#answers[hash] = 0;
        return -4;
      }
      this.#kept[hash] = word;
      this.#answers[hash] = answer;
    }
    words[at + 1] = records[kept + 1] as number;
    words[at + 2] = records[kept + 2] as number;
    words[at + 3] = records[kept + 3] as number;
    const first = records[kept] as number;
    if (this.#isDirect[hash] === 1) this.#aim(words, at, first, offset);
    else words[at] = first;
    return this.#answers[hash] as number;
  }

  /** Makes the record of a direct branch, which depends on where it lies, of one with the instruction's index and the distance in bytes. */
  #aim(words: Int32Array, at: number, first: number, offset: number): void {
    const imm = words[at + 2] as number;
    const near = offset + imm >= 0 && offset + imm < PAGE;
    words[at] = this.#table.handler(first & 0xffff, 4, near, near && imm <= 0) | (first & ~0xffff);
    if (near) words[at + 2] = imm << RECORD_SHIFT;
  }

  /** Keeps the record of an instruction in entry `kept`. @returns the answer for it, 0 if it is not defined */
  #plan(op: number, word: number, kept: number): number {
    const plans = this.#plans;
    const plan = plans.of(op);
    if (plan === 0) return 0;
    const { steps } = plans;
    const records = this.#records;
    const flags = steps[plan] as number;
    let index = steps[plan + 1] as number;
    let first = 0;
    let second = steps[plan + 3] as number;
    let third = steps[plan + 4] as number;
    let fourth = (flags & ROUTE.high) !== 0 ? (steps[plan + 5] as number) : word;
    first = steps[plan + 2] as number;
    const end = plan + ROUTE.size + (flags >>> ROUTE.countShift) * STEP.size;
    for (let step = plan + ROUTE.size; step < end; step += STEP.size) {
      const value = plans.value(step, word);
      switch ((steps[step] as number) & STEP.target) {
        case 0:
          first += value;
          break;
        case 1:
          second += value;
          break;
        case 2:
          third += value;
          break;
        case 3:
          fourth += value;
          break;
        default:
          index += value;
      }
    }
    const isDirect = (flags & ROUTE.direct) !== 0;
    records[kept] = first | (isDirect ? index : this.#table.handler(index, 4, false));
    records[kept + 1] = second;
    records[kept + 2] = third;
    records[kept + 3] = fourth;
    this.#isDirect[kept / WORDS] = isDirect ? 1 : 0;
    return (flags & ROUTE.ends) !== 0 ? -4 : 4;
  }
}
