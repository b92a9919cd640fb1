/**
 * Operands of AVX instructions: those of SSE ones with a source of their own by VEX.vvvv, of 128 or 256 bits (SDM vol. 1, chapter 14).
 *
 * A body written for an SSE instruction reads operand 0 and writes operand 0; here the first is the source by VEX.vvvv where there is one. Of
 * 256 bits it is executed once for each half. What it writes is kept until all of it is done, since later halves may fault.
 */
import { i32, i64, i64x2, i8x16 } from '@axvisor/softcpu';
import type { I32, V128, Variable } from '@axvisor/softcpu';
import type { Operand, Row } from '../../isa/table.ts';
import { AVX_TRAP, YMM } from '../../state.ts';
import { isByLength, operandBits } from '../define.ts';
import type { Operands } from '../operands.ts';
import { bytesOf, loadOf } from '../value.ts';
import type { Size } from '../value.ts';
import { AVX_FAULT, SimdOperands, ZERO, isRm, low64, withLow } from './operands.ts';

/** Memory operands that have to be aligned, whatever their size. */
const ALIGNED = /^vmov(aps|apd|dqa|ntps|ntpd|ntdq|ntdqa)$/;

export class VexOperands extends SimdOperands {
  /** VEX.L: 1 for 256 bits. */
  readonly length: 0 | 1;
  /** The half that operands are of. */
  half: 0 | 1 = 0;
  readonly #loaded = new Map<0 | 1, V128>();
  readonly #results = new Map<0 | 1, Variable<'v128'>>();
  #raised: Variable<'i32'> | undefined;
  #mayRaise = false;

  constructor(operands: Operands, row: Row) {
    super(operands, row);
    this.length = row.l === 1 ? 1 : operands.variant.length;
  }

  /** 64-bit mode, of definitions that want to know. */
  get isLong(): boolean {
    return this.operands.variant.long;
  }

  /** Operand 0 as it was, of instructions that read it beside VEX.vvvv's. */
  old(): V128 {
    const operand = this.#destination;
    return this.readRegister(this.#register(operand), isByLength(operand) ? this.half * this.#part(operand) : 0);
  }

  override get halves(): readonly (0 | 1)[] {
    return this.length === 1 ? [0, 1] : [0];
  }

  override guard(): void {
    const { e } = this;
    e.if(e.state('i32.load', AVX_TRAP), () => e.fault(AVX_FAULT), undefined, false);
  }

  override execute(body: () => void): void {
    if (this.length === 1) this.#raised = this.e.variable(i32.const(0));
    for (const half of this.halves) {
      this.half = half;
      body();
    }
    this.#commit();
  }

  override executeWhole(body: () => void): void {
    body();
    this.#commit();
  }

  // ── which operand ──

  /** Number in the row of the operand that the SSE form calls `i`. */
  #index(i: number): number {
    const at = this.row.operands.findIndex(({ kind }) => kind === 'H');
    // The destination is operand 0; shifts by immediates have it in VEX.vvvv.
    return at < 0 ? i : i + 1;
  }

  protected override operand(i: number): Operand {
    return this.row.operands[this.#index(i)] as Operand;
  }

  get #destination(): Operand {
    return this.row.operands[0] as Operand;
  }

  override isMemory(i: number): boolean {
    return i === 0 && isRm(this.#destination) ? this.memory : super.isMemory(i);
  }

  protected override isAligned(bytes: number): boolean {
    return bytes >= 16 && ALIGNED.test(this.row.name);
  }

  /** Bytes of an operand of the row. */
  #bytes(operand: Operand): number {
    return operandBits(operand, this.operands.size, this.length) / 8;
  }

  /** Bytes of operand `i` that a half is about. */
  override bytes(i: number): number {
    return this.#part(this.operand(i));
  }

  #part(operand: Operand): number {
    return isByLength(operand) ? this.#bytes(operand) / this.halves.length : this.#bytes(operand);
  }

  protected override field(i: number): 'r' | 'b' {
    return this.#registerField(this.operand(i)) as 'r' | 'b';
  }

  #registerField({ kind }: Operand): string {
    return kind === 'V' || kind === 'G' ? 'r' : kind === 'H' ? 'h' : kind === 'L' ? 'l' : 'b';
  }

  /** Offset in the state block of the register that an operand of the row is. */
  #register(operand: Operand): I32 {
    return this.registerAt(this.#registerField(operand));
  }

  /** Offset in the state block of the vector register whose number is in a field of the record. */
  registerAt(field: string): I32 {
    return i32.add(i32.shl(this.e.field(field), i32.const(5)), i32.const(YMM));
  }

  // ── values ──

  /** What a vector register has from byte `offset` on, as far as the end of the half it is in; bound. */
  readRegister(place: I32, offset: number): V128 {
    const first = offset % 16;
    const half = this.e.let(this.e.vector('v128.load', place, offset - first));
    return first === 0 ? half : this.e.let(i8x16.shuffle(half, half, Array.from({ length: 16 }, (_, k) => (first + k) % 16)));
  }

  override get(i: number): V128 {
    return this.part(i, this.half);
  }

  override part(i: number, half: 0 | 1): V128 {
    const operand = this.operand(i);
    if (!this.memory || !isRm(operand)) return this.readRegister(this.#register(operand), isByLength(operand) ? half * this.#part(operand) : 0);
    this.#load(operand);
    return this.#loaded.get(isByLength(operand) ? half : 0) as V128;
  }

  /** Reads all of the memory operand, once. */
  #load(operand: Operand): void {
    if (this.#loaded.size > 0) return;
    const { e } = this;
    const part = this.#part(operand);
    const linear = this.address(this.#bytes(operand), false);
    const halves = isByLength(operand) ? this.halves : ([0] as const);
    if (part === 16) {
      e.loadVectors(linear, halves.length).forEach((value, half) => this.#loaded.set(half as 0 | 1, value));
      return;
    }
    for (const half of halves) this.#loaded.set(half, e.let(low64(e.load(loadOf[(part * 8) as Size], i64.add(linear, i64.const(half * part))))));
  }

  override set(i: number, value: V128): void {
    if (i !== 0) throw new RangeError('only operand 0 is a destination');
    this.put(this.half, value);
  }

  /** What a half of the destination becomes. */
  put(half: 0 | 1, value: V128): void {
    const known = this.#results.get(half);
    if (known === undefined) this.#results.set(half, this.e.variable(value));
    else this.e.assign(known, value);
  }

  override setLow(_i: number, bytes: 4 | 8, value: V128): void {
    const bound = this.e.let(value);
    this.put(0, withLow(this.get(0), bytes, bound));
  }

  override setXmm0(value: V128): void {
    super.setXmm0(value);
    this.e.setVector('v128.store', i32.const(YMM + 16), ZERO);
  }

  override immOfHalf(bits: number): I32 {
    return i32.shr_u(this.imm, i32.const(bits * this.half));
  }

  // ── the end ──

  /** Exceptions of all halves are raised together. */
  override raise(condition: I32): void {
    if (this.#raised === undefined) {
      super.raise(condition);
    } else {
      this.#mayRaise = true;
      this.e.assign(this.#raised, i32.or(this.#raised.get, condition));
    }
  }

  #commit(): void {
    const { e } = this;
    if (this.#raised !== undefined && this.#mayRaise) super.raise(this.#raised.get);
    const [low, high] = [this.#results.get(0)?.get, this.#results.get(1)?.get];
    if (low === undefined) return;
    const destination = this.#destination;
    if (this.memory && isRm(destination)) {
      this.#store(destination, [low, ...(high === undefined ? [] : [high])]);
      return;
    }
    const place = this.#register(destination);
    if (high === undefined) {
      e.setVector('v128.store', place, low);
      e.setVector('v128.store', place, ZERO, 16);
      return;
    }
    // Of what has half as many bits as the source, both parts go to the lower half.
    const isNarrow = this.#bytes(destination) === 16;
    e.setVector('v128.store', place, isNarrow ? i8x16.shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]) : low);
    e.setVector('v128.store', place, isNarrow ? ZERO : high, 16);
  }

  #store(destination: Operand, values: readonly V128[]): void {
    const { e } = this;
    const part = this.#part(destination);
    const linear = this.address(this.#bytes(destination), true);
    if (part === 16) e.storeVectors(linear, values);
    else values.forEach((value, half) => e.store(bytesOf((part * 8) as Size), i64.add(linear, i64.const(half * part)), i64x2.extract_lane(value, 0)));
  }
}
