/** The state block as the floating-point instructions that JavaScript executes see it. */
import { readNzcv, writeNzcv } from '../nzcv.ts';
import { FPCR, FPSR, V, X } from '../state.ts';
import { FpUnit } from './unit.ts';
import type { Element, FpLog } from './unit.ts';

/** What holds the state block; `buffer` may be replaced when it grows. */
export interface FpMemory {
  readonly buffer: ArrayBufferLike;
}

/** The registers as handlers see them, and the result being put together. */
export class Machine {
  readonly unit: FpUnit = new FpUnit();
  words: Int32Array = new Int32Array(0);
  halves: Uint16Array = new Uint16Array(0);
  readonly #base: number;
  readonly #result = new Int32Array(4);
  readonly #resultHalves = new Uint16Array(this.#result.buffer);

  constructor(base: number) {
    this.#base = base;
  }

  word(offset: number): number {
    return this.words[(this.#base + offset) >>> 2] as number;
  }
  setWord(offset: number, value: number): void {
    this.words[(this.#base + offset) >>> 2] = value;
  }

  /** Reads lane `i` of a register. */
  lane(register: number, i: number, log: number, into: Element): void {
    const at = this.#base + V + register * 16 + (i << log);
    into.hi = 0;
    if (log === 1) into.lo = this.halves[at >>> 1] as number;
    else into.lo = this.words[at >>> 2] as number;
    if (log === 3) into.hi = this.words[(at >>> 2) + 1] as number;
  }
  clear(): void {
    this.#result.fill(0);
  }
  /** Puts lane `i` of the result. */
  put(i: number, log: number, value: Element): void {
    if (log === 1) this.#resultHalves[i] = value.lo;
    else this.#result[log === 3 ? i * 2 : i] = value.lo;
    if (log === 3) this.#result[i * 2 + 1] = value.hi;
  }
  /** Writes the result to a register, to its upper half only, or all of it. */
  finish(register: number, upper = false): void {
    const at = (this.#base + V + register * 16) >>> 2;
    if (upper) this.words.set(this.#result.subarray(0, 2), at + 2);
    else this.words.set(this.#result, at);
  }

  /** A general-purpose register; 31 is zero. */
  general(register: number, into: Element): void {
    into.lo = register === 31 ? 0 : this.word(X + register * 8);
    into.hi = register === 31 ? 0 : this.word(X + register * 8 + 4);
  }
  setGeneral(register: number, value: Element, wide: boolean): void {
    if (register === 31) return;
    this.setWord(X + register * 8, value.lo);
    this.setWord(X + register * 8 + 4, wide ? value.hi : 0);
  }

  begin(log: FpLog): FpUnit {
    this.unit.begin(this.word(FPCR), log);
    return this.unit;
  }
  raise(): void {
    if (this.unit.status !== 0) this.setWord(FPSR, this.word(FPSR) | this.unit.status);
  }
  /** NZCV, in the lowest bits. */
  get nzcv(): number {
    return readNzcv(this.words, this.#base >>> 2);
  }
  set nzcv(value: number) {
    writeNzcv(this.words, this.#base >>> 2, value);
  }
}
