/**
 * One function body under construction: locals, structured control with label objects, memory accesses, branch hints.
 *
 * A label remembers its nesting depth, so a branch names its target and the relative index is computed here. What is written behind an
 * unconditional branch, as far as the end of its block, is dropped: definitions go on behind ways that translated code leaves by.
 *
 * Movable code knows neither where its module has functions nor some constants: it names them by symbols, numbers of its owner's choice, whose
 * values are put in when it becomes part of a module.
 * Core specification, sections 5.4 (instructions) and 5.5.13 (code section); branch hinting proposal for the hints.
 */
import { ByteWriter, setPadded } from './bytes.ts';
import { SIMD_PREFIX, atomic, bulk, control, memory, valTypeCode } from './opcodes.ts';
import type { AtomicOp, MemoryOp, Numeric, ValType } from './opcodes.ts';
import { simd } from './simd.ts';
import type { Simd } from './simd.ts';

/** An open structured block: branch target of `br`. */
export interface Label {
  readonly depth: number;
}

const EMPTY_BLOCK_TYPE = 0x40;

/** Bytes for the index of a function, and for a constant of 32 bits, which are known later. */
const INDEX_WIDTH = 2;
const CONSTANT_WIDTH = 5;
/** Functions that a module with movable code may have. */
const MAX_FUNCTIONS: number = 2 ** (7 * INDEX_WIDTH);

/** A direction expected of a branch, at an offset. */
export interface Hint {
  readonly at: number;
  readonly taken: boolean;
}

/** What a module needs of a function. */
export interface Body {
  /** The instructions, without the local declarations. */
  readonly out: Pick<ByteWriter, 'length' | 'view'>;
  /** Offsets within {@link out}. */
  readonly hints: readonly Hint[];
  encodeLocals(into: ByteWriter): void;
}

/** Where the value of a symbol belongs: an offset, twice, plus one for a constant. */
export type Use = number;

/** Puts the value of a symbol where it is used. @throws {RangeError} a function has an index that does not fit */
export function putSymbol(bytes: Uint8Array, use: Use, value: number): void {
  const isConstant = use % 2 === 1;
  if (!isConstant && value >= MAX_FUNCTIONS) throw new RangeError(`a call of function ${value}: movable code calls those below ${MAX_FUNCTIONS}`);
  setPadded(bytes, Math.floor(use / 2), value, isConstant ? CONSTANT_WIDTH : INDEX_WIDTH);
}

export class Code implements Body {
  readonly out: ByteWriter;
  readonly hints: Hint[] = [];
  /** Of movable code: where symbols are used, and which, by turns. */
  readonly symbols: number[] = [];
  readonly #movable: boolean;
  /** Nobody else accesses the memory while the function runs. */
  readonly alone: boolean;
  readonly #params: number;
  readonly #locals: ValType[] = [];
  readonly #free: Partial<Record<ValType, number[]>> = {};
  /** The function's own block is depth 0. */
  #depth = 0;
  /** Where control went away, and how deep; nothing behind that is executed. */
  #dead: { readonly at: number; readonly hints: number; readonly symbols: number; readonly depth: number } | undefined;
  /** The last `local.set`: its local, where it is and where it ends, -1 if nothing follows it. A `local.get` of the same makes it a `local.tee`. */
  #set = -1;
  #setAt = 0;
  #setEnd = -1;

  /** @param capacity - bytes that it may well have. @param movable - functions are called by symbols. */
  constructor(params: readonly ValType[], alone = false, capacity = 512, movable = false) {
    this.out = new ByteWriter(capacity);
    this.alone = alone;
    this.#movable = movable;
    this.#params = params.length;
  }

  // ── locals ──

  /** A local of its own, or one that {@link release} gave back. Contents are undefined. */
  local(type: ValType): number {
    return this.#free[type]?.pop() ?? this.#params + this.#locals.push(type) - 1;
  }

  /** Returns a local to the pool. */
  release(index: number): void {
    const type = this.#locals[index - this.#params];
    if (type === undefined) throw new RangeError(`local ${index} is not one of this function's`);
    (this.#free[type] ??= []).push(index);
  }

  get(index: number): void {
    if (this.#set === index && this.#setEnd === this.out.length) {
      this.out.replace(this.#setAt, control['local.tee']);
      this.#setEnd = -1;
      return;
    }
    this.out.u8(control['local.get']);
    this.out.u32(index);
  }

  set(index: number): void {
    this.#set = index;
    this.#setAt = this.out.length;
    this.out.u8(control['local.set']);
    this.out.u32(index);
    this.#setEnd = this.out.length;
  }

  tee(index: number): void {
    this.out.u8(control['local.tee']);
    this.out.u32(index);
  }

  globalGet(index: number): void {
    this.out.u8(control['global.get']);
    this.out.u32(index);
  }

  globalSet(index: number): void {
    this.out.u8(control['global.set']);
    this.out.u32(index);
  }

  // ── constants and numeric instructions ──

  i32(value: number): void {
    this.out.u8(control['i32.const']);
    this.out.s32(value);
  }

  /** Of movable code: an i32 by its symbol. */
  symbol(symbol: number): void {
    this.out.u8(control['i32.const']);
    this.symbols.push(2 * this.out.length + 1, symbol);
    this.out.padded(CONSTANT_WIDTH);
  }

  i64(value: bigint): void {
    this.out.u8(control['i64.const']);
    this.out.s64(value);
  }

  f32(value: number): void {
    this.out.u8(control['f32.const']);
    this.out.f32(value);
  }

  f64(value: number): void {
    this.out.u8(control['f64.const']);
    this.out.f64(value);
  }

  op(instruction: Numeric): void {
    this.out.u8(instruction.code);
    if (instruction.sub >= 0) this.out.u32(instruction.sub);
  }

  drop(): void {
    this.out.u8(control.drop);
  }

  select(): void {
    this.out.u8(control.select);
  }

  // ── memory ──

  /** A load or store. `align` (log2) may be less than natural for addresses that are not known to be aligned. */
  access(name: MemoryOp, offset = 0, align?: number): void {
    const op = memory[name];
    const code = op[0];
    if (code > 0xff) {
      this.out.u8(SIMD_PREFIX);
      this.out.u32(code & 0xff);
    } else {
      this.out.u8(code);
    }
    this.out.u32(align ?? op[1]);
    this.out.u32(offset);
  }

  atomic(name: AtomicOp, offset = 0): void {
    const [code, align] = atomic[name];
    this.out.u8(0xfe);
    this.out.u32(code);
    this.out.u32(align);
    this.out.u32(offset);
  }

  atomicFence(): void {
    this.out.u8(0xfe);
    this.out.u8(0x03);
    this.out.u8(0);
  }

  /** `memory.fill`: address, byte, length on the stack. */
  fill(): void {
    this.out.u8(0xfc);
    this.out.u32(bulk['memory.fill']);
    this.out.u8(0);
  }

  /** `memory.copy`: destination, source, length on the stack. */
  copy(): void {
    this.out.u8(0xfc);
    this.out.u32(bulk['memory.copy']);
    this.out.u8(0);
    this.out.u8(0);
  }

  // ── vectors ──

  /** `v128.const` of the low 128 bits; 0 in fewer bytes. */
  v128(value: bigint): void {
    if (value === 0n) {
      this.i32(0);
      this.simd(simd['i32x4.splat'], []);
      return;
    }
    this.out.u8(SIMD_PREFIX);
    this.out.u32(0x0c);
    for (let byte = 0n; byte < 16n; byte++) this.out.u8(Number((value >> (8n * byte)) & 0xffn));
  }

  /** A vector instruction; `immediates`: the number of a lane, or those of the bytes of a shuffle. */
  simd(instruction: Simd, immediates: readonly number[]): void {
    this.out.u8(SIMD_PREFIX);
    this.out.u32(instruction.code);
    for (const value of immediates) this.out.u8(value);
  }

  // ── control ──

  #open(opcode: number, result?: ValType): Label {
    this.out.u8(opcode);
    this.out.u8(result === undefined ? EMPTY_BLOCK_TYPE : valTypeCode[result]);
    return { depth: ++this.#depth };
  }

  block(result?: ValType): Label {
    return this.#open(control.block, result);
  }

  loop(result?: ValType): Label {
    return this.#open(control.loop, result);
  }

  /** `if` on the i32 on the stack. `likely` becomes a branch hint. */
  if(likely?: boolean, result?: ValType): Label {
    this.#hint(likely);
    return this.#open(control.if, result);
  }

  /** Drops what is not executed, where a block ends or its other way begins. */
  #revive(): void {
    const dead = this.#dead;
    if (dead === undefined || dead.depth !== this.#depth) return;
    this.out.length = dead.at;
    this.hints.length = dead.hints;
    this.symbols.length = dead.symbols;
    this.#setEnd = -1;
    this.#dead = undefined;
  }

  /** Control does not go on here. */
  #die(): void {
    this.#dead ??= { at: this.out.length, hints: this.hints.length, symbols: this.symbols.length, depth: this.#depth };
  }

  else(): void {
    this.#revive();
    this.out.u8(control.else);
  }

  end(): void {
    this.#revive();
    this.out.u8(control.end);
    this.#depth--;
  }

  #hint(taken: boolean | undefined): void {
    if (taken !== undefined) this.hints.push({ at: this.out.length, taken });
  }

  #target(label: Label): void {
    this.out.u32(this.#depth - label.depth);
  }

  br(label: Label): void {
    this.out.u8(control.br);
    this.#target(label);
    this.#die();
  }

  brIf(label: Label, likely?: boolean): void {
    this.#hint(likely);
    this.out.u8(control.br_if);
    this.#target(label);
  }

  brTable(labels: readonly Label[], otherwise: Label): void {
    this.out.u8(control.br_table);
    this.out.u32(labels.length);
    for (const label of labels) this.#target(label);
    this.#target(otherwise);
    this.#die();
  }

  return(): void {
    this.out.u8(control.return);
    this.#die();
  }

  unreachable(): void {
    this.out.u8(control.unreachable);
    this.#die();
  }

  #function(func: number): void {
    if (!this.#movable) {
      this.out.u32(func);
      return;
    }
    this.symbols.push(2 * this.out.length, func);
    this.out.padded(INDEX_WIDTH);
  }

  call(func: number): void {
    this.out.u8(control.call);
    this.#function(func);
  }

  returnCall(func: number): void {
    this.out.u8(control.return_call);
    this.#function(func);
    this.#die();
  }

  callIndirect(type: number, table = 0): void {
    this.out.u8(control.call_indirect);
    this.out.u32(type);
    this.out.u32(table);
  }

  returnCallIndirect(type: number, table = 0): void {
    this.out.u8(control.return_call_indirect);
    this.out.u32(type);
    this.out.u32(table);
    this.#die();
  }

  // ── encoding ──

  /** The local declarations as (count, type) runs. */
  encodeLocals(into: ByteWriter): void {
    const runs: { count: number; readonly type: ValType }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ count: 1, type });
    }
    into.u32(runs.length);
    for (const { count, type } of runs) {
      into.u32(count);
      into.u8(valTypeCode[type]);
    }
  }
}
