/**
 * Tier 0's binding of the abstract emitter: operands are loads from the record at `ip`, registers live in the state
 * block, guest accesses check the delta TLB inline.
 */
import { BlockEmitter, lower } from '../ir/block.ts';
import type { Callees } from '../ir/block.ts';
import type { Access, AccessSize, Emitter } from '../ir/emitter.ts';
import { i32, i64, local, read, select } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';
import { MMU_MODES, RECORD_SIZE } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { Code, Label } from '../wasm/code.ts';
import type { MemoryOp } from '../wasm/opcodes.ts';
import { ACCESS_EXACT, ACCESS_STORE, ENGINE, Status, recordShift, tlbTableSize } from './layout.ts';
import type { Layout } from './layout.ts';

/** Locals that carry the state of the loop; outlined instructions get the first four as parameters, in this order. */
export interface Frame {
  readonly ip: number;
  readonly recBase: number;
  readonly pcBase: number;
  readonly budget: number;
  /** Byte offset of the current mode's TLB tables among all. */
  readonly mmu: number;
}
export const FRAME_PARAMS = ['i32', 'i32', 'i64', 'i32'] as const;
/** The frame of a function whose first parameters these are. */
export const PARAMETER_FRAME = { ip: 0, recBase: 1, pcBase: 2, budget: 3 } as const;

/** The pc of the record at `ip`. */
export function pcOf(isa: Isa, { ip, recBase, pcBase }: Pick<Frame, 'ip' | 'recBase' | 'pcBase'>): I64 {
  const distance = i32.shr_u(i32.sub(local('i32', ip), local('i32', recBase)), i32.const(recordShift(isa)));
  return i64.add(local('i64', pcBase), i64.extend_i32_u(distance));
}

/** What one handler is being generated for. */
export interface Variant {
  /** Length of the instruction in bytes. */
  readonly length: number;
  /** The target of `branch` and `jump` lies in the same page, field `imm` is the distance in record bytes. */
  readonly near: boolean;
}

/** Labels of the interpreter loop; an outlined instruction has none. */
export interface Exits {
  /** Dispatches the record at `ip`. */
  readonly loop: Label;
  /** Left with the status in the engine block. */
  readonly trapped: Label;
  /** Continues at the address in local `target`. */
  readonly lookup: Label;
  readonly target: number;
}

/** Functions of the generated module that handlers call. */
export interface Runtime {
  readonly callees: Callees;
  /** `(address, value, mode, ...frame) → place in linear memory, 0 if left`. */
  readonly access: number;
  /** `(...frame)`: stores pc and budget to the state block. */
  readonly save: number;
  readonly services: ReadonlyMap<string, number>;
}

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

export class InterpreterEmitter extends BlockEmitter implements Emitter {
  /** A jump was emitted: nothing falls through. */
  jumped = false;
  /** A service was called: the TLB mode may have changed. */
  serviced = false;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #runtime: Runtime;
  readonly #frame: Frame;
  readonly #variant: Variant;
  readonly #exits: Exits | undefined;

  constructor(code: Code, isa: Isa, layout: Layout, runtime: Runtime, frame: Frame, variant: Variant, exits: Exits | undefined) {
    super(code, layout.state, runtime.callees);
    this.#isa = isa;
    this.#layout = layout;
    this.#runtime = runtime;
    this.#frame = frame;
    this.#variant = variant;
    this.#exits = exits;
  }

  // ── operands ──

  field(name: string): I32 {
    const field = this.#isa.fields[name];
    if (field === undefined) throw new RangeError(`${this.#isa.name} records have no field ${name}`);
    return read(field.op, local('i32', this.#frame.ip), field.offset);
  }

  field64(name: string): I64 {
    return i64.extend_i32_s(this.field(name));
  }

  reg(field: string): I64 {
    return read('i64.load', this.field(field), this.#layout.state);
  }

  setReg(field: string, value: I64): void {
    this.write('i64.store', this.field(field), value, this.#layout.state);
  }

  pc(): I64 {
    return pcOf(this.#isa, this.#frame);
  }

  nextPc(): I64 {
    return i64.add(this.pc(), i64.const(this.#variant.length));
  }

  // ── guest memory ──

  load(access: Access, address: I64): I64 {
    const { size, op } = loads[access];
    const at = this.let(address);
    return this.let(read(op, this.#translate(size, at, i64.const(0), false, 0)));
  }

  store(size: AccessSize, address: I64, value: I64): void {
    const at = this.let(address);
    const bound = this.let(value);
    this.write(stores[size], this.#translate(size, at, bound, true, 0), bound);
  }

  hostAddress(size: AccessSize, address: I64): I32 {
    return this.#translate(size, this.let(address), i64.const(0), true, ACCESS_EXACT);
  }

  hostAddressRead(size: AccessSize, address: I64): I32 {
    return this.#translate(size, this.let(address), i64.const(0), false, ACCESS_EXACT);
  }

  /**
   * The delta TLB: entry + address is the place in linear memory, or has a bit set outside the window or below the
   * alignment. See `tlb/tlb.ts`.
   */
  #translate(size: AccessSize, at: I64, value: I64, write: boolean, flags: number): I32 {
    const { host, outside } = this.#lookUp(size, at, write);
    const place = this.variable(i32.wrap_i64(host));
    this.if(
      outside,
      () => {
        lower(this.code, at);
        lower(this.code, value);
        this.code.i32(size | (write ? ACCESS_STORE : 0) | flags);
        this.#frameArguments();
        this.code.call(this.#runtime.access);
        this.assign(place, this.pop('i32'));
        this.#leaveIf(i32.eqz(place.get));
      },
      undefined,
      false,
    );
    return place.get;
  }

  cachedAddress(address: I64): I32 {
    const { host, outside } = this.#lookUp(1, this.let(address), true);
    return this.let(select(outside, i32.const(0), i32.wrap_i64(host)));
  }

  /** Sum of address and TLB entry, and whether that is no place for an access of this size. */
  #lookUp(size: AccessSize, at: I64, write: boolean): { readonly host: I64; readonly outside: I32 } {
    const { windowBits: w, tlb } = this.#layout;
    const slots = 2 ** (w - 11);
    // With a 4 GiB window the index needs address bit 32.
    const shifted = w < 32 ? i32.shr_u(i32.wrap_i64(at), i32.const(9)) : i32.wrap_i64(i64.shr_u(at, i64.const(9)));
    const index = i32.add(i32.and(shifted, i32.const((slots - 1) * 8)), local('i32', this.#frame.mmu));
    const table = tlb + (write ? MMU_MODES * tlbTableSize(w) : 0);
    const host = this.let(i64.add(at, read('i64.load', index, table)));
    const outside = i64.and(host, i64.const(-(2n ** BigInt(w)) | BigInt(size - 1)));
    return { host, outside: i32.eqz(i64.eqz(outside)) };
  }

  // ── leaving ──

  #frameArguments(): void {
    const { ip, recBase, pcBase, budget } = this.#frame;
    for (const index of [ip, recBase, pcBase, budget]) this.code.get(index);
  }

  #leaveIf(condition: I32): void {
    lower(this.code, condition);
    if (this.#exits !== undefined) {
      this.code.brIf(this.#exits.trapped, false);
    } else {
      this.code.if(false);
      this.code.i32(1);
      this.code.return();
      this.code.end();
    }
  }

  service(name: string): void {
    const service = this.#runtime.services.get(name);
    if (service === undefined) throw new RangeError(`${this.#isa.name} has no service ${name}`);
    this.serviced = true;
    this.helper(service);
    if (this.#exits !== undefined) this.reloadMmu();
  }

  /** Calls an import of type `(ip) → status` with pc and budget stored, and leaves the handler unless it says `next`. */
  helper(index: number): void {
    this.#frameArguments();
    this.code.call(this.#runtime.save);
    this.code.get(this.#frame.ip);
    this.code.call(index);
    const status = this.pop('i32');
    this.write('i32.store', i32.const(0), status, this.#layout.engine + ENGINE.status);
    this.#leaveIf(i32.ne(status, i32.const(Status.next)));
  }

  /** Calls an outlined instruction; `serviced` if it may have changed the TLB mode. */
  callOutlined(index: number, serviced: boolean): void {
    this.#frameArguments();
    this.code.call(index);
    this.#leaveIf(this.pop('i32'));
    if (serviced) this.reloadMmu();
  }

  /** Sets the TLB mode from the state block. */
  reloadMmu(): void {
    lower(this.code, i32.shl(this.state('i32.load', this.#isa.state.mmuIdx), i32.const(this.#layout.windowBits - 8)));
    this.code.set(this.#frame.mmu);
  }

  // ── control transfer ──

  #exitsOfLoop(): Exits {
    if (this.#exits === undefined) throw new RangeError('an outlined instruction cannot jump');
    this.jumped = true;
    return this.#exits;
  }

  /** Continues with the record `distance` bytes further on. */
  #advance(distance: I32): void {
    const { loop } = this.#exitsOfLoop();
    lower(this.code, i32.add(local('i32', this.#frame.ip), distance));
    this.code.set(this.#frame.ip);
    this.code.br(loop);
  }

  /** Continues at a guest address. */
  jumpTo(address: I64): void {
    const { lookup, target } = this.#exitsOfLoop();
    lower(this.code, address);
    this.code.set(target);
    this.code.br(lookup);
  }

  /** Record bytes from this instruction to the next. */
  get #step(): I32 {
    return i32.const((this.#variant.length / this.#isa.unit) * RECORD_SIZE);
  }

  /** Continues with the next instruction. */
  next(): void {
    this.#advance(this.#step);
  }

  branch(condition: I32): void {
    if (this.#variant.near) {
      this.#advance(select(condition, this.field('imm'), this.#step));
      return;
    }
    this.if(condition, () => this.jump());
    this.next();
  }

  jump(): void {
    if (this.#variant.near) this.#advance(this.field('imm'));
    else this.jumpTo(i64.add(this.pc(), this.field64('imm')));
  }
}
