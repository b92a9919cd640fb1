/** Numbers of the interpreter's handlers: every instruction has one for each of its variants. */
import type { Instruction, Isa } from '../isa.ts';
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
  /** The numbers from here on are those of outlined instructions, where there are many: first those that regions may have, then the others. */
  readonly outlined: number;
  /** The first number of outlined instructions that are interpreted only. */
  readonly interpreted: number;
}

/** One instruction in one of its variants. */
export interface Slot {
  /** Index in the ISA's table. */
  readonly instruction: number;
  readonly variant: Variant;
  /** The length that the number stands for; 0: any. */
  readonly entered: number;
}

/** Stands for the length of what occurs with any, see {@link Variant}. */
const ANY_LENGTH = 0;
/** Stands for lengths of which there are several. */
const SEVERAL = 255;
const NONE: readonly number[] = [];
/** Variants of a direct jump for each of its lengths: far, near, and near to what is not behind it. */
const REACHES = 3;

/** Numbers the handlers: every instruction with each of its lengths, or those it usually has and any, direct jumps also by reach and direction. */
export class Handlers implements HandlerTable {
  readonly count: number;
  readonly outlined: number;
  readonly interpreted: number;
  readonly #isa: Isa;
  /** The number of each instruction's first handler. */
  readonly #first: Int32Array;
  /** Instructions in the order of their numbers. */
  readonly #order: readonly number[];
  /** The length of each instruction, or {@link ANY_LENGTH} or {@link SEVERAL}. */
  readonly #length: Uint8Array;
  readonly #isDirect: Uint8Array;
  /** Lengths of which instructions with any have numbers of their own. */
  readonly #usual: readonly (readonly number[])[];
  /** As far as anybody asked for them. */
  readonly #slots: (Slot | undefined)[];

  constructor(isa: Isa) {
    const { instructions } = isa;
    this.#isa = isa;
    this.#first = new Int32Array(instructions.length);
    this.#length = new Uint8Array(instructions.length);
    this.#isDirect = new Uint8Array(instructions.length);
    this.#usual = instructions.map(({ usual = NONE }) => usual);
    const parts: [number[], number[], number[]] = [[], [], []];
    instructions.forEach(({ outline, interpreted }, index) => parts[isa.manyOutlined === true && outline === true ? (interpreted === true ? 2 : 1) : 0].push(index));
    this.#order = parts.flat();
    let next = FIRST_HANDLER;
    const begins = parts.map((part) => {
      const begin = next;
      for (const index of part) {
        const { lengths, direct, usual = NONE } = instructions[index] as Instruction;
        const several = lengths === 'any' ? 1 + usual.length : lengths.length;
        this.#first[index] = next;
        this.#length[index] = lengths === 'any' ? ANY_LENGTH : several === 1 ? (lengths[0] as number) : SEVERAL;
        this.#isDirect[index] = Number(direct === true);
        next += several * (direct === true ? REACHES : 1);
      }
      return begin;
    });
    this.outlined = begins[1] as number;
    this.interpreted = begins[2] as number;
    this.count = next;
    this.#slots = new Array<Slot | undefined>(next);
  }

  /** Which of an instruction's lengths this is; -1: none. */
  #place(index: number, length: number): number {
    const only = this.#length[index];
    if (only === length) return 0;
    if (only === ANY_LENGTH) return (this.#usual[index] as readonly number[]).indexOf(length) + 1;
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
    let at = 0;
    for (let end = this.#order.length; end - at > 1; ) {
      const middle = (at + end) >>> 1;
      if ((this.#first[this.#order[middle] as number] as number) <= number) at = middle;
      else end = middle;
    }
    const instruction = this.#order[at] as number;
    const { lengths = 'any', usual = NONE } = this.#isa.instructions[instruction] ?? {};
    const reaches = this.#isDirect[instruction] === 1 ? REACHES : 1;
    const place = number - (this.#first[instruction] as number);
    const which = Math.floor(place / reaches);
    const length = lengths === 'any' ? ANY_LENGTH : (lengths[which] as number);
    const variant = { length, near: place % reaches > 0, back: place % reaches > 1 };
    return { instruction, variant, entered: lengths === 'any' ? (usual[which - 1] ?? ANY_LENGTH) : length };
  }
}
