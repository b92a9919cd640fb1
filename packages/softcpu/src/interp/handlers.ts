/** Numbers of the interpreter's handlers: every instruction has one for each of its variants. */
import type { Isa } from '../isa.ts';
import type { Variant } from './emitter.ts';
import { FIRST_HANDLER } from './layout.ts';

/** Handler numbers: what the decoder writes into the first two bytes of a record. */
export interface HandlerTable {
  /** Whether instruction `index` has a handler for this length and reach. */
  has(index: number, length: number, near: boolean): boolean;
  /**
   * Number of the handler of instruction `index` with this length and reach; `back`: near, and the target is not behind it. Those for near targets, and
   * then for near ones that are not behind it, come next to the one for far ones.
   */
  handler(index: number, length: number, near: boolean, back?: boolean): number;
  /** What a handler is for, undefined for those that are no instructions. */
  slot(number: number): Slot | undefined;
  readonly count: number;
}

/** One instruction in one of its variants. */
export interface Slot {
  /** Index in the ISA's table. */
  readonly instruction: number;
  readonly variant: Variant;
}

/** Stands for the length of what occurs with any, see {@link Variant}. */
const ANY_LENGTH = 0;
/** Stands for lengths of which there are several. */
const SEVERAL = 255;
/** Variants of a direct jump for each of its lengths: far, near, and near to what is not behind it. */
const REACHES = 3;

/** Numbers the handlers: every instruction with each of its lengths, direct jumps also by reach and direction. */
export class Handlers implements HandlerTable {
  readonly count: number;
  readonly #isa: Isa;
  /** The number of each instruction's first handler, and the one behind the last. */
  readonly #first: Int32Array;
  /** The length of each instruction, or {@link ANY_LENGTH} or {@link SEVERAL}. */
  readonly #length: Uint8Array;
  readonly #isDirect: Uint8Array;
  /** As far as anybody asked for them. */
  readonly #slots: (Slot | undefined)[];

  constructor(isa: Isa) {
    const { instructions } = isa;
    this.#isa = isa;
    this.#first = new Int32Array(instructions.length + 1);
    this.#length = new Uint8Array(instructions.length);
    this.#isDirect = new Uint8Array(instructions.length);
    let next = FIRST_HANDLER;
    instructions.forEach(({ lengths, direct }, index) => {
      const several = lengths === 'any' ? 1 : lengths.length;
      this.#first[index] = next;
      this.#length[index] = lengths === 'any' ? ANY_LENGTH : several === 1 ? (lengths[0] as number) : SEVERAL;
      this.#isDirect[index] = Number(direct === true);
      next += several * (direct === true ? REACHES : 1);
    });
    this.#first[instructions.length] = next;
    this.count = next;
    this.#slots = new Array<Slot | undefined>(next);
  }

  /** Which of an instruction's lengths this is; -1: none. */
  #place(index: number, length: number): number {
    const only = this.#length[index];
    if (only === length || only === ANY_LENGTH) return 0;
    const { lengths } = this.#isa.instructions[index] ?? {};
    return only !== SEVERAL || lengths === undefined || lengths === 'any' ? -1 : lengths.indexOf(length);
  }

  /** The handler's number; 0: none. */
  #number(index: number, length: number, near: boolean, back: boolean): number {
    const place = this.#place(index, length);
    if (place < 0) return 0;
    const first = this.#first[index] as number;
    if (this.#isDirect[index] === 1) return back && !near ? 0 : first + place * REACHES + Number(near) + Number(back);
    return near || back ? 0 : first + place;
  }

  has(index: number, length: number, near: boolean): boolean {
    return this.#number(index, length, near, false) !== 0;
  }

  handler(index: number, length: number, near: boolean, back = false): number {
    const number = this.#number(index, length, near, back);
    if (number === 0) throw new RangeError(`${this.#isa.instructions[index]?.name ?? `instruction ${index}`} has no handler of length ${length}`);
    return number;
  }

  slot(number: number): Slot | undefined {
    if (number < FIRST_HANDLER || number >= this.count) return undefined;
    return (this.#slots[number] ??= this.#slot(number));
  }

  #slot(number: number): Slot {
    let instruction = 0;
    for (let end = this.#length.length; end - instruction > 1; ) {
      const middle = (instruction + end) >>> 1;
      if ((this.#first[middle] as number) <= number) instruction = middle;
      else end = middle;
    }
    const { lengths = 'any' } = this.#isa.instructions[instruction] ?? {};
    const reaches = this.#isDirect[instruction] === 1 ? REACHES : 1;
    const place = number - (this.#first[instruction] as number);
    const length = lengths === 'any' ? ANY_LENGTH : (lengths[Math.floor(place / reaches)] as number);
    return { instruction, variant: { length, near: place % reaches > 0, back: place % reaches > 1 } };
  }
}
