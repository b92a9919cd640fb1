/**
 * The abstract context in which an instruction is defined: `(e: Emitter) => void`, once, for every tier and every ISA.
 *
 *     const sh1add: Emit = (e) => e.setReg('rd', i64.add(i64.shl(e.reg('rs1'), i64.const(1)), e.reg('rs2')));
 *     const lw: Emit = (e) => e.setReg('rd', e.load('s32', i64.add(e.reg('rs1'), e.field64('imm'))));
 *     const beq: Emit = (e) => e.branch(i64.eq(e.reg('rs1'), e.reg('rs2')));
 *     const jalr: Emit = (e) => {
 *       const target = e.let(i64.and(i64.add(e.reg('rs1'), e.field64('imm')), i64.const(-2))); // rd may be rs1: bind first
 *       e.setReg('rd', e.nextPc());
 *       e.jumpTo(target);
 *     };
 *
 * How to write one
 * - Operands are *fields* of the decoded record, named as the ISA's record layout names them. The interpreter binds a
 *   field to a load from the record at `ip`, the region translator to a constant. `reg(f)` reads the register whose
 *   place in the state block the field holds (whatever file it is in), always as i64; `setReg` writes it. A
 *   destination that discards (x0) is the decoder's business: the field then points to a sink.
 * - A field names a whole register: of one byte of it (AH), the record says how far to shift. Words that are no operand but that many
 *   instructions use (condition flags) are *pinned* in the ISA's state layout; `state` and `setState` of those are as cheap as registers.
 * - Expressions are pure and evaluated where they are consumed. `let` evaluates now: for values that are used twice, or
 *   that must survive a `setReg`, `setVector`, `setState`, `write` or `store`.
 * - Vector registers, 16 bytes each, are read and written with `vector` and `setVector`, wholly or in part, at a *place* that follows from
 *   fields of the record. What has to reach them by an address that is computed puts `spill` before and `reload` behind it.
 * - Guest memory: `load`, `store` and `hostAddress` translate through the TLB. Where they fault, the instruction is left
 *   right there with the pc still on it, so everything they may fault on comes before the first visible effect.
 * - `service(name)` calls a JavaScript helper of the ISA for what is rare (system instructions, illegal ones). It finds
 *   `pc` and the budget in the state block and answers 0 go on, 1 refetch from `pc`, 2 leave the run loop.
 * - `call(name, type, args)` calls one of the ISA's functions: WebAssembly defined by the same IR, or a JavaScript import
 *   (which must not have i64 parameters: those cost 25-50 ns each; pass them through the state block).
 * - `branch`, `jump`, `jumpTo`, `enterMode` end the instruction: nothing may be emitted after them, and they are not used inside `if`.
 * - An instruction that does not jump falls through to the next one by itself.
 * - Large definitions are marked `outline` in the ISA's table: they become functions of their own, may call `service`,
 *   and may not jump.
 *
 * @module
 */
import type { AtomicOp, MemoryOp, ValueType } from '../wasm/opcodes.ts';
import type { Expr, I32, I64, V128 } from './expr.ts';

/** A mutable local: `get` reads it. */
export interface Variable<T extends ValueType = ValueType> {
  readonly get: Expr<T>;
}

/** Statements that need no instruction around them. */
export interface Block {
  /** Evaluates now and binds the value. */
  let<T extends ValueType>(value: Expr<T>): Expr<T>;
  variable<T extends ValueType>(initial: Expr<T>): Variable<T>;
  assign<T extends ValueType>(variable: Variable<T>, value: Expr<T>): void;
  /** `likely` is a hint for the compiler; a constant condition emits one side only. */
  if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void;
  /** Runs `body` at least once, again each time it calls `again(condition)` (its last statement) and that holds. */
  loop(body: (again: (condition: I32) => void) => void): void;
  /** Memory of the host: `address + offset` is an offset in linear memory. */
  read<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, address: I32, offset?: number): Expr<T>;
  write<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, address: I32, value: Expr<T>, offset?: number): void;
  /** An atomic access at a host address, evaluated now. `operands` as the instruction takes them after the address. */
  atomic<T extends 'i32' | 'i64'>(op: AtomicOp & `${T}.atomic.${string}`, address: I32, ...operands: Expr<T>[]): Expr<T>;
  /** An atomic store at a host address. */
  atomicStore<T extends 'i32' | 'i64'>(op: AtomicOp & `${T}.atomic.store${string}`, address: I32, value: Expr<T>): void;
  /** Orders all accesses (`atomic.fence`). */
  atomicFence(): void;
  /** `memory.fill`. */
  fill(address: I32, byte: I32, length: I32): void;
  /** `memory.copy`: as if all was read before anything is written. */
  copy(to: I32, from: I32, length: I32): void;
  /** A word of the state block, at a byte offset in it. */
  state<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, offset: number): Expr<T>;
  setState<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, offset: number, value: Expr<T>): void;
  /** Calls a function of the ISA, evaluated now. */
  call<T extends ValueType>(name: string, result: T, args: readonly Expr[]): Expr<T>;
}

/** Width and extension of a guest access; `64` and the unsigned ones zero-extend to i64. */
export type Access = 's8' | 'u8' | 's16' | 'u16' | 's32' | 'u32' | 'u64';
/** Bytes of a guest access. */
export type AccessSize = 1 | 2 | 4 | 8;
/** Bytes that are read, modified and written at once. */
export type ExclusiveSize = AccessSize | 16;

/**
 * A jump that calls, or returns: what is behind a call may be expected to be returned to. `link` is the field of the register that gets the
 * address of the next instruction, `from` that of the register the target comes from, where the registers decide which it is: `StateLayout.links`.
 */
export type Linkage = 'call' | 'return' | { readonly link: string; readonly from?: string };

/** One instruction's context. */
export interface Emitter extends Block {
  /** A field of the record as i32, extended as the layout says. */
  field(name: string): I32;
  /** The same, sign-extended to i64. */
  field64(name: string): I64;
  reg(field: string): I64;
  setReg(field: string, value: I64): void;
  /**
   * What a load reads of the vector register at `place` of the state block, a byte offset that follows from fields of the record, and `more`
   * bytes behind it: all of it, or a part within.
   */
  vector<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, place: I32, more?: number): Expr<T>;
  /** The same with a store; what is not stored of a register stays. */
  setVector<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, place: I32, value: Expr<T>, more?: number): void;
  /** From here on, until it is written, the state block holds what the vector register at a place holds. */
  spill(place: I32): void;
  /** Takes up what was written to the state block as the content of the vector register at a place. */
  reload(place: I32): void;
  /**
   * Whether what the instruction writes to a pinned word may be read before it is written again: what only serves to compute it can be left out
   * otherwise. True where nobody knows.
   */
  wants(offset: number): boolean;
  /** Address of this instruction. */
  pc(): I64;
  /** Address of the instruction behind this one. */
  nextPc(): I64;
  /** Reads guest memory, evaluated now. */
  load(access: Access, address: I64): I64;
  /** The same of what will be written to: where it may not be, it faults as that store would. */
  loadForUpdate(access: Access, address: I64): I64;
  /** Writes the low bytes of `value` to guest memory. */
  store(size: AccessSize, address: I64, value: I64): void;
  /**
   * Several values that lie one behind the other, as many loads would read them, in order. If one faults, others may have been read.
   */
  loadRow(access: Access, address: I64, count: number): readonly I64[];
  /** The same with stores: if one faults, those before it may have been carried out. */
  storeRow(size: AccessSize, address: I64, values: readonly I64[]): void;
  /** Vectors of 16 bytes in a row, each as two loads of 8 bytes would read it. */
  loadVectors(address: I64, count: number): readonly V128[];
  storeVectors(address: I64, values: readonly V128[]): void;
  /**
   * Translates for a read-modify-write of `size` aligned bytes and yields the place in linear memory. Whoever writes
   * there does so before the next guest access; a page holding decoded code has been taken care of.
   */
  hostAddress(size: ExclusiveSize, address: I64): I32;
  /** The same for a read alone. */
  hostAddressRead(size: ExclusiveSize, address: I64): I32;
  /** The place of a byte that may be written, or with `write` false read, if the TLB knows it; 0 otherwise, without asking further. */
  cachedAddress(address: I64, write?: boolean): I32;
  /**
   * Forgets all that is cached of the page of an address, in all modes and address spaces, whatever the top byte: 1, or 0 if a service has to. For
   * instructions that are only interpreted: translated code may know places that it found before.
   */
  forgetPage(address: I64): I32;
  /** Guest accesses of `body` are made in the MMU mode of a number, not that of the state block; it must be one that is always entered. */
  inMode(mode: I32, body: () => void): void;
  /** Calls the helper `name`; leaves the instruction if it answers 1 or 2. */
  service(name: string): void;
  /** Calls the helper `name`, which never lets the instruction go on: it takes an exception in its place, or has it begin again. */
  fault(name: string): void;
  /** To `pc + field imm` if the condition holds, else to the next instruction. */
  branch(condition: I32): void;
  /** To `pc + field imm`. */
  jump(linkage?: Linkage): void;
  /**
   * To the next instruction, or to `target`, with data accesses of the MMU mode of a number from there on, and with `fetch` in that fetch
   * mode. They must be ones that are always entered.
   */
  enterMode(mode: number, target?: I64, fetch?: number): void;
  jumpTo(target: I64, linkage?: Linkage): void;
}

/** Definition of one instruction. */
export type Emit = (e: Emitter) => void;

/** A WebAssembly function of the ISA, called with `call`. Parameters arrive as locals. */
export interface FunctionDefinition {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** Absent: a JavaScript import of the same name. */
  readonly body?: (block: Block, ...params: Expr[]) => Expr;
  /** A JavaScript import that regions call too: it asks for nothing that they hold in locals, registers or steps. */
  readonly everywhere?: boolean;
  /** Tier 0 has the body in the place of a call. Arguments are what the state block has, or constants: they are read as often as the body says. */
  readonly inPlace?: boolean;
}

/** Whether regions call a function, or leave an instruction that does to tier 0. */
export const isEverywhere = (definition: FunctionDefinition | undefined): boolean => definition?.body !== undefined || definition?.everywhere === true;
