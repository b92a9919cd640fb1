/** Guest accesses in generated code: the inline test of the delta TLB (see `tlb.ts`), the same in both tiers. */
import { BlockEmitter, lower } from '../ir/block.ts';
import type { Callees } from '../ir/block.ts';
import type { Access, AccessSize, ExclusiveSize } from '../ir/emitter.ts';
import { i32, i64, read, select } from '../ir/expr.ts';
import type { I32, I64, V128 } from '../ir/expr.ts';
import { i64x2 } from '../ir/vector.ts';
import { ACCESS_EXACT, ACCESS_STORE, ACCESS_UPDATE, PAGE_SIZE, tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { StateLayout } from '../isa.ts';
import type { Code } from '../wasm/code.ts';
import type { MemoryOp } from '../wasm/opcodes.ts';

const loads: Readonly<Record<Access, { readonly size: AccessSize; readonly op: MemoryOp & `i64.load${string}` }>> = {
  s8: { size: 1, op: 'i64.load8_s' },
  u8: { size: 1, op: 'i64.load8_u' },
  s16: { size: 2, op: 'i64.load16_s' },
  u16: { size: 2, op: 'i64.load16_u' },
  s32: { size: 4, op: 'i64.load32_s' },
  u32: { size: 4, op: 'i64.load32_u' },
  u64: { size: 8, op: 'i64.load' },
};
const stores: Readonly<Record<AccessSize, MemoryOp & `i64.store${string}`>> = { 1: 'i64.store8', 2: 'i64.store16', 4: 'i64.store32', 8: 'i64.store' };

/** Functions that accesses call. */
export interface AccessRuntime {
  readonly callees: Callees;
  /** Enters the page of an address into the TLB, see `refill.ts`. */
  readonly refill: number;
}

export abstract class AccessEmitter extends BlockEmitter {
  readonly #layout: Layout;
  readonly #refill: number;
  readonly #mmuIdx: number;
  readonly #aligned: number | undefined;
  /** The MMU mode of accesses where it is not that of the state block. */
  #mode: I32 | undefined;

  /** @param state - the ISA's. */
  constructor(code: Code, layout: Layout, { mmuIdx, aligned }: Pick<StateLayout, 'mmuIdx' | 'aligned'>, runtime: AccessRuntime) {
    super(code, layout.state, runtime.callees);
    this.#layout = layout;
    this.#refill = runtime.refill;
    this.#mmuIdx = mmuIdx;
    this.#aligned = aligned;
  }

  /** Accesses that the TLB does not let through ask for their place; else the instruction is left. */
  protected abstract readonly asks: boolean;

  /** A failed slow access has taken its exception, which changed the MMU mode. */
  protected abstract readonly traps: boolean;

  inMode(mode: I32, body: () => void): void {
    this.#mode = this.let(mode);
    body();
    this.#mode = undefined;
  }

  /** Whether what is not aligned is let through. */
  protected get misaligns(): boolean {
    if (this.#layout.strict) return false;
    if (this.#aligned === undefined) return true;
    const aligned = this.state('i32.load', this.#aligned);
    return aligned.kind === 'const' && aligned.value === 0;
  }

  /** As {@link slow}, in the mode of {@link inMode}; bound. Leaves the instruction if there is no place. */
  #slowInMode(at: I64, value: I64, mode: number): I32 {
    const own = this.#mode === undefined ? undefined : this.let(this.state('i32.load', this.#mmuIdx));
    if (this.#mode !== undefined) this.setState('i32.store', this.#mmuIdx, this.#mode);
    const place = this.slow(at, value, mode);
    if (own !== undefined) {
      const restore = (): void => this.setState('i32.store', this.#mmuIdx, own);
      if (this.traps) this.if(place, restore);
      else restore();
    }
    this.fail(i32.eqz(place));
    return place;
  }

  /** The MMU mode of accesses, outside {@link inMode}. */
  protected mmu(): I32 {
    return this.state('i32.load', this.#mmuIdx);
  }

  /** Has JavaScript find the place of a data access that the TLB did not let through; 0 if it cannot. Bound. */
  protected abstract slow(address: I64, value: I64, mode: number): I32;

  /** Leaves an instruction whose access failed. */
  protected abstract fail(failed: I32): void;

  /** Number of the page in which an address lies whatever registers hold; undefined where that is not known. */
  protected pageOf(_address: I64): bigint | undefined {
    return undefined;
  }

  load(access: Access, address: I64): I64 {
    return this.#load(access, address, 0);
  }

  loadForUpdate(access: Access, address: I64): I64 {
    return this.#load(access, address, ACCESS_UPDATE);
  }

  #load(access: Access, address: I64, flags: number): I64 {
    const { size, op } = loads[access];
    const at = this.let(address);
    const result = this.unset('i64');
    this.#access(size, at, i64.const(0), flags, (place, more) => this.assign(result, read(op, place, more)));
    this.noted(result, read(op, i32.const(0)));
    return result.get;
  }

  store(size: AccessSize, address: I64, value: I64): void {
    const at = this.let(address);
    const bound = this.let(value);
    this.#access(size, at, bound, ACCESS_STORE, (place, more) => this.write(stores[size], place, bound, more));
  }

  /** One access. `emit` has a copy for what the TLB lets through, whose place is then no variable that two ways lead to. */
  #access(size: AccessSize, at: I64, value: I64, flags: number, emit: (place: I32, more: number) => void): void {
    const write = (flags & ACCESS_STORE) !== 0;
    const alone = this.#mode !== undefined;
    const shared = alone ? undefined : this.shared(size, at, write);
    const sharing = alone || shared !== undefined ? undefined : this.share(size, at, write);
    const lookUp = (): void => {
      const { host, outside } = this.#lookUp(size, at, write, this.misaligns);
      const slow = (): void => {
        emit(this.#slowInMode(at, value, size | flags), 0);
        sharing?.(undefined);
      };
      const fast = (): void => {
        emit(i32.wrap_i64(host), 0);
        sharing?.(i32.wrap_i64(host));
      };
      if (this.asks) return this.if(outside, slow, fast, false);
      this.fail(outside);
      fast();
    };
    if (shared === undefined) lookUp();
    else this.if(shared.place, () => emit(shared.place, shared.more), lookUp, true);
  }

  /** Where an address lies by the place that another access found; 0 in `place` if it does not. Undefined where that is not known. */
  protected shared(_size: AccessSize, _at: I64, _write: boolean): { readonly place: I32; readonly more: number } | undefined {
    return undefined;
  }

  /** Others are to use the place of an access: what is to be called where it is known, with undefined where it is of this access alone. */
  protected share(_size: AccessSize, _at: I64, _write: boolean): ((place: I32 | undefined) => void) | undefined {
    return undefined;
  }

  loadRow(access: Access, address: I64, count: number): readonly I64[] {
    const at = this.let(address);
    const { size } = loads[access];
    return Array.from({ length: count }, (_, i) => this.load(access, i64.add(at, i64.const(i * size))));
  }

  storeRow(size: AccessSize, address: I64, values: readonly I64[]): void {
    const at = this.let(address);
    values.forEach((value, i) => this.store(size, i64.add(at, i64.const(i * size)), value));
  }

  loadVectors(address: I64, count: number): readonly V128[] {
    const halves = this.loadRow('u64', address, 2 * count);
    return Array.from({ length: count }, (_, i) => this.let(i64x2.replace_lane(i64x2.splat(halves[2 * i] as I64), 1, halves[2 * i + 1] as I64)));
  }

  storeVectors(address: I64, values: readonly V128[]): void {
    const bound = values.map((value) => this.let(value));
    this.storeRow(8, address, bound.flatMap((value) => [i64x2.extract_lane(value, 0), i64x2.extract_lane(value, 1)]));
  }

  /** As {@link loadVectors}, where all of them can be given up. */
  protected loadVectorsAtOnce(address: I64, count: number): readonly V128[] {
    const place = this.#translate(8, this.let(address), i64.const(0), false, 0, 2 * count);
    return Array.from({ length: count }, (_, i) => this.let(this.read('v128.load', place, 16 * i)));
  }

  /** As {@link storeVectors}, where all of them can be given up. */
  protected storeVectorsAtOnce(address: I64, values: readonly V128[]): void {
    const at = this.let(address);
    const bound = values.map((value) => this.let(value));
    const place = this.#translate(8, at, i64.const(0), true, 0, 2 * values.length);
    bound.forEach((value, i) => this.write('v128.store', place, value, 16 * i));
  }

  /** As {@link loadRow}, where the row as a whole can be given up. */
  protected loadRowAtOnce(access: Access, address: I64, count: number): readonly I64[] {
    const { size, op } = loads[access];
    const place = this.#translate(size, this.let(address), i64.const(0), false, 0, count);
    return Array.from({ length: count }, (_, i) => this.let(this.read(op, place, i * size)));
  }

  /** As {@link storeRow}, where the row as a whole can be given up. */
  protected storeRowAtOnce(size: AccessSize, address: I64, values: readonly I64[]): void {
    const at = this.let(address);
    const bound = values.map((value) => this.let(value));
    // Eight bytes in two pages are stored where their places are found, as one value is.
    const bits = 8 * size;
    const part = (value: I64, i: number): I64 => i64.shl(i64.and(value, i64.const((1n << BigInt(bits)) - 1n)), i64.const(i * bits));
    const whole = size * values.length > 8 ? i64.const(0) : bound.map(part).reduce((sum, value) => i64.or(sum, value));
    const place = this.#translate(size, at, whole, true, 0, values.length);
    bound.forEach((value, i) => this.write(stores[size], place, value, i * size));
  }

  hostAddress(size: ExclusiveSize, address: I64): I32 {
    return this.#translate(size, this.let(address), i64.const(0), true, ACCESS_EXACT);
  }

  hostAddressRead(size: ExclusiveSize, address: I64): I32 {
    return this.#translate(size, this.let(address), i64.const(0), false, ACCESS_EXACT);
  }

  /** @param count - of values of this size in a row, all in one page. */
  #translate(size: ExclusiveSize, at: I64, value: I64, write: boolean, flags: number, count = 1): I32 {
    const { host, outside } = this.#lookUp(size, at, write, (flags & ACCESS_EXACT) === 0 && this.misaligns, (count - 1) * size);
    if (!this.asks) {
      this.fail(outside);
      return this.let(i32.wrap_i64(host));
    }
    const place = this.variable(i32.wrap_i64(host));
    this.if(outside, () => this.assign(place, this.#slowInMode(at, value, (count * size) | (write ? ACCESS_STORE : 0) | flags)), undefined, false);
    return place.get;
  }

  cachedAddress(address: I64, write = true): I32 {
    const at = this.let(address);
    const known = (): I32 => {
      const { host, outside } = this.#lookUp(1, at, write, false);
      return select(outside, i32.const(0), i32.wrap_i64(host));
    };
    const place = this.variable(known());
    this.if(
      i32.eqz(place.get),
      () => {
        lower(this.code, at);
        this.code.i64(0n);
        this.code.i32(1 | (write ? ACCESS_STORE : 0));
        this.code.call(this.#refill);
        this.pop('i32');
        // What was found may be for a single access only.
        this.assign(place, known());
      },
      undefined,
      false,
    );
    return place.get;
  }

  /**
   * Entry + address is the place in linear memory, also of what lies at a distance, or has a bit set outside the window, or below the alignment
   * unless that may be: then it is too near to the end of its page.
   */
  #lookUp(bytes: ExclusiveSize, at: I64, write: boolean, misaligned: boolean, distance = 0): { readonly host: I64; readonly outside: I32 } {
    const { windowBits: w, tlb } = this.#layout;
    const slots = 2 ** (w - 11);
    // With a 4 GiB window the index needs address bit 32.
    const shifted = w < 32 ? i32.shr_u(i32.wrap_i64(at), i32.const(9)) : i32.wrap_i64(i64.shr_u(at, i64.const(9)));
    const mode = this.#mode ?? this.mmu();
    const size = tlbTableSize(w);
    const page = this.pageOf(at);
    const index = page === undefined ? i32.and(shifted, i32.const((slots - 1) * 8)) : i32.const(Number(BigInt.asUintN(w - 11, page)) * 8);
    const table = tlb + (write ? MMU_MODES * size : 0);
    // A mode known now is an immediate of the load.
    const ofMode = i32.shl(mode, i32.const(Math.log2(size)));
    const entry = mode.kind === 'const' ? read('i64.load', index, table + (mode.value as number) * size) : read('i64.load', i32.add(index, ofMode), table);
    const host = this.let(i64.add(at, entry));
    const beyond = -(2n ** BigInt(w));
    if (misaligned && bytes + distance > 1) {
      const end = i64.and(host, i64.const(beyond | BigInt(PAGE_SIZE - 1)));
      return { host, outside: i64.gt_u(end, i64.const(PAGE_SIZE - bytes - distance)) };
    }
    const misfit = i64.and(host, i64.const(beyond | BigInt(bytes - 1)));
    // What lies at the distance is in the next page if the sum changes the number of the page.
    const next = i64.and(i64.xor(host, i64.add(host, i64.const(distance))), i64.const(PAGE_SIZE));
    const outside = distance === 0 ? misfit : i64.or(misfit, next);
    return { host, outside: i32.eqz(i64.eqz(outside)) };
  }
}
