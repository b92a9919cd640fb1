/** The x87 register stack, its exceptions and its rounding (SDM vol. 1, chapter 8), on the state block. */
import { createFloatEnv, exact, extended80, flag, integerX86, nanX86, rounding } from '@axvisor/softcpu/softfloat';
import type { FloatEnv, Format, Rounding } from '@axvisor/softcpu/softfloat';
import type { WasmMemory } from '@axvisor/softcpu';
import { FCW, FPR, FSW, FTW, VT } from '../state.ts';

/** Bits of the status word. */
export const Fsw = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, SF: 64, ES: 128, C0: 0x100, C1: 0x200, C2: 0x400, topShift: 11, C3: 0x4000, B: 0x8000 } as const;
const EXCEPTIONS = 0x3f;
/** Those found before an operation: unmasked, nothing is done. */
const BEFORE = Fsw.IE | Fsw.DE | Fsw.ZE;
const Tag = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

export const INDEFINITE = 0xffff_c000_0000_0000_0000n;
export const SIGN: bigint = 1n << 79n;
const QUIET = 1n << 62n;
const FRACTION = (1n << 63n) - 1n;
const DIRECTIONS: readonly Rounding[] = [rounding.RNE, rounding.RDN, rounding.RUP, rounding.RTZ];
const FLAGS: readonly (readonly [number, number])[] = [[flag.NV, Fsw.IE], [flag.DZ, Fsw.ZE], [flag.OF, Fsw.OE], [flag.UF, Fsw.UE], [flag.NX, Fsw.PE]];
/** Precisions of the control word: results of 24 and 53 bits have the exponents of 80-bit numbers. */
const NARROW: Readonly<Record<number, Format>> = {
  0: { name: 'extended24', exponentBits: 15, fractionBits: 23, explicitInteger: true },
  2: { name: 'extended53', exponentBits: 15, fractionBits: 52, explicitInteger: true },
};

export const exponentOf = (bits: bigint): number => Number((bits >> 64n) & 0x7fffn);
export const isNan = (bits: bigint): boolean => exponentOf(bits) === 0x7fff && (bits & FRACTION) !== 0n;
/** An encoding that stands for nothing: the integer bit is clear where the exponent is not 0. */
const isUnsupported = (bits: bigint): boolean => exponentOf(bits) !== 0 && (bits & (1n << 63n)) === 0n;
const isSignaling = (bits: bigint): boolean => isUnsupported(bits) || (isNan(bits) && (bits & QUIET) === 0n);
const isDenormal = (bits: bigint): boolean => exponentOf(bits) === 0 && BigInt.asUintN(64, bits) !== 0n;
export const isZero = (bits: bigint): boolean => BigInt.asUintN(79, bits) === 0n;
export const isInfinite = (bits: bigint): boolean => exponentOf(bits) === 0x7fff && (bits & FRACTION) === 0n && !isUnsupported(bits);

/** An operation on operands in `from`; it rounds as the environment says. */
export type Operation = (env: FloatEnv, operands: readonly bigint[]) => bigint;

export class X87 {
  readonly env: FloatEnv = createFloatEnv({ tininessBefore: false, nan: nanX86, integer: integerX86 });
  readonly #memory: WasmMemory;
  readonly #state: number;
  #view: DataView;

  constructor(memory: WasmMemory, state: number) {
    this.#memory = memory;
    this.#state = state;
    this.#view = new DataView(memory.buffer);
  }

  get view(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  word(offset: number): number {
    return this.view.getInt32(this.#state + offset, true);
  }

  setWord(offset: number, value: number): void {
    this.view.setInt32(this.#state + offset, value, true);
  }

  /** Where memory operands are. */
  get buffer(): number {
    return this.#state + VT;
  }

  // ── the stack ──

  get top(): number {
    return (this.word(FSW) >>> Fsw.topShift) & 7;
  }

  set top(top: number) {
    this.setWord(FSW, (this.word(FSW) & ~(7 << Fsw.topShift)) | ((top & 7) << Fsw.topShift));
  }

  tag(i: number): number {
    return (this.word(FTW) >>> (2 * ((this.top + i) & 7))) & 3;
  }

  setTag(i: number, tag: number): void {
    const shift = 2 * ((this.top + i) & 7);
    this.setWord(FTW, (this.word(FTW) & ~(3 << shift)) | (tag << shift));
  }

  isEmpty(i: number): boolean {
    return this.tag(i) === Tag.empty;
  }

  get(i: number): bigint {
    const at = this.#state + FPR + 16 * ((this.top + i) & 7);
    return (BigInt(this.view.getUint16(at + 8, true)) << 64n) | this.view.getBigUint64(at, true);
  }

  set(i: number, bits: bigint): void {
    const at = this.#state + FPR + 16 * ((this.top + i) & 7);
    this.view.setBigUint64(at, BigInt.asUintN(64, bits), true);
    this.view.setUint16(at + 8, Number((bits >> 64n) & 0xffffn), true);
    const exponent = exponentOf(bits);
    this.setTag(i, isZero(bits) ? Tag.zero : exponent === 0 || exponent === 0x7fff || isUnsupported(bits) ? Tag.special : Tag.valid);
  }

  free(i: number): void {
    this.setTag(i, Tag.empty);
  }

  pop(): void {
    this.free(0);
    this.top++;
  }

  // ── conditions and exceptions ──

  /** Sets C3, C2, C0; C1 is 0. */
  setCodes(codes: number): void {
    this.setWord(FSW, (this.word(FSW) & ~(Fsw.C0 | Fsw.C1 | Fsw.C2 | Fsw.C3)) | codes);
  }

  setC1(on: boolean): void {
    this.setWord(FSW, on ? this.word(FSW) | Fsw.C1 : this.word(FSW) & ~Fsw.C1);
  }

  /** Whether an exception waits to be delivered. */
  get pending(): boolean {
    return (this.word(FSW) & Fsw.ES) !== 0;
  }

  /** Raises exceptions. @returns whether one that was found before the operation is not masked: nothing is done then */
  raise(flags: number): boolean {
    const unmasked = flags & EXCEPTIONS & ~this.word(FCW);
    this.setWord(FSW, this.word(FSW) | flags | (unmasked === 0 ? 0 : Fsw.ES | Fsw.B));
    return (unmasked & BEFORE) !== 0;
  }

  /** The stack fault of a register that is empty (C1 = 0) or full (C1 = 1). */
  stackFault(overflow: boolean): boolean {
    this.setC1(overflow);
    return this.raise(Fsw.IE | Fsw.SF);
  }

  /** Pushes a number; on a full stack the indefinite. */
  push(bits: bigint): void {
    if (!this.isEmpty(7)) {
      if (this.stackFault(true)) return;
      this.top--;
      this.set(0, INDEFINITE);
      return;
    }
    this.setC1(false);
    this.top--;
    this.set(0, bits);
  }

  // ── arithmetic ──

  /** Which NaN two operands deliver (SDM vol. 1, table 4-7): of two the one with the larger significand, quieted. */
  propagate(a: bigint, b: bigint): bigint {
    if (isUnsupported(a) || isUnsupported(b)) return INDEFINITE;
    if (!isNan(b)) return a | QUIET;
    if (!isNan(a)) return b | QUIET;
    // A quiet NaN wins over a signaling one.
    if (isSignaling(a) !== isSignaling(b)) return isSignaling(a) ? b : a;
    const [x, y] = [a & FRACTION, b & FRACTION];
    if (x === y) return ((a & SIGN) === 0n ? a : b) | QUIET;
    return (x > y ? a : b) | QUIET;
  }

  #flagsOf(): number {
    return FLAGS.reduce((all, [theirs, ours]) => ((this.env.flags & theirs) === 0 ? all : all | ours), 0);
  }

  #round(operation: Operation, operands: readonly bigint[], direction: Rounding): bigint {
    const narrow = NARROW[(this.word(FCW) >>> 8) & 3];
    this.env.flags = 0;
    this.env.rounding = narrow === undefined ? direction : rounding.ODD;
    const result = operation(this.env, operands);
    if (narrow === undefined || isNan(result) || isInfinite(result)) return result;
    // Rounded to odd at first, so that rounding again is right.
    const inexact = this.env.flags & flag.NX;
    this.env.flags &= ~(flag.NX | flag.UF);
    this.env.rounding = direction;
    const rounded = exact.convert(extended80, narrow, this.env, result);
    this.env.flags |= inexact;
    return exact.convert(narrow, extended80, this.env, rounded);
  }

  get direction(): Rounding {
    return DIRECTIONS[(this.word(FCW) >>> 10) & 3] as Rounding;
  }

  /**
   * Runs an operation, as precise as the control word says unless it is `full`.
   *
   * @returns the result, undefined where an exception that is not masked keeps it from being written
   */
  compute(operation: Operation, operands: readonly bigint[], full = false): bigint | undefined {
    const [first = 0n, second = first] = operands;
    if (operands.some((bits) => isNan(bits) || isUnsupported(bits))) {
      if (operands.some(isSignaling) && this.raise(Fsw.IE)) return undefined;
      return this.propagate(first, second);
    }
    const run = full
      ? (direction: Rounding): bigint => {
          this.env.flags = 0;
          this.env.rounding = direction;
          return operation(this.env, operands);
        }
      : (direction: Rounding): bigint => this.#round(operation, operands, direction);
    const result = run(this.direction);
    const raised = this.#flagsOf();
    const denormal = (raised & (Fsw.IE | Fsw.ZE)) === 0 && operands.some(isDenormal) ? Fsw.DE : 0;
    if (this.raise(raised | denormal)) return undefined;
    // C1 says whether an inexact result was rounded up in magnitude.
    this.setC1((raised & Fsw.PE) !== 0 && run(rounding.RTZ) !== result);
    return result;
  }

  /** Compares: -1, 0, 1; undefined if unordered. Undefined `done`: an exception is not masked. */
  compare(a: bigint, b: bigint, quiet: boolean): { readonly order: -1 | 0 | 1 | undefined; readonly done: boolean } {
    this.env.flags = 0;
    const order = exact.compare(extended80, this.env, a, b, !quiet);
    const invalid = (this.env.flags & flag.NV) !== 0;
    const denormal = order !== undefined && (isDenormal(a) || isDenormal(b));
    const stopped = this.raise(invalid ? Fsw.IE : denormal ? Fsw.DE : 0);
    this.setC1(false);
    return { order, done: !stopped };
  }

  /** Converts between the register format and another, with flags. */
  convert(from: Format, to: Format, bits: bigint): { readonly value: bigint; readonly stopped: boolean } {
    this.env.flags = 0;
    this.env.rounding = this.direction;
    const value = exact.convert(from, to, this.env, bits);
    const raised = this.#flagsOf();
    const stopped = this.raise(raised);
    if ((raised & Fsw.PE) !== 0) {
      this.env.rounding = rounding.RTZ;
      this.setC1(exact.convert(from, to, this.env, bits) !== value);
    } else this.setC1(false);
    return { value, stopped };
  }
}
