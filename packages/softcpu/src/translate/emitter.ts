/**
 * Tier 1's binding of the abstract emitter: operands are constants, registers are locals that are written back where the
 * region is left. An instruction that cannot be finished leaves the region with the pc on it, and tier 0 does it again.
 */
import { RegionExit, jumpEntry } from '../interp/enter.ts';
import { ENGINE, JUMP_CACHE_SIZE, tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { lower } from '../ir/block.ts';
import type { Callees } from '../ir/block.ts';
import type { Access, AccessSize, Emitter, Variable } from '../ir/emitter.ts';
import { f64, i32, i64, local, read } from '../ir/expr.ts';
import type { Expr, I32, I64, V128 } from '../ir/expr.ts';
import { VECTOR_SIZE, partOf, withPart } from '../ir/lanes.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { AccessEmitter } from '../tlb/access.ts';
import type { Code, Label } from '../wasm/code.ts';
import type { MemoryOp, ValueType } from '../wasm/opcodes.ts';
import type { Step } from './discover.ts';
import { Extensions } from './extended.ts';
import { lengthOf, setKey } from './registers.ts';
import type { ReadField, RegisterPlan } from './registers.ts';
import { registerAt } from './vectors.ts';

/** Locals of a region: its parameters. */
const ENTRY_PC = 0;
const BUDGET = 1;

/** Types of registers' locals. */
type LocalType = 'i64' | 'f64' | 'v128';

/** Values of pinned words, by state-block offset, where straight code set them to constants. */
type KnownWords = ReadonlyMap<number, I64>;

/** What is known at a place in the region, besides which registers differ from the state block. */
export interface Known {
  readonly words: KnownWords;
  /** Of locals. */
  readonly extended: Extensions;
}

/** What is known where ways meet. */
export const NOTHING_KNOWN: Known = { words: new Map(), extended: new Extensions() };

/** Functions of the module a region is in. */
export interface RegionRuntime {
  readonly callees: Callees;
  /** `(address, value, mode) → place in linear memory, 0 if tier 0 must do it`. */
  readonly slow: number;
  /** `(pc, budget, exit) → exit`, stored. */
  readonly leave: number;
  /** Type of regions. */
  readonly type: number;
}

/** Order of exits: none, the first registers, one more at a time, then other sets. */
const rank = (set: Uint8Array): number => (lengthOf(set) < 0 ? Infinity : lengthOf(set));

export class RegionEmitter extends AccessEmitter implements Emitter {
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #runtime: RegionRuntime;
  readonly #mode: number;
  readonly #entry: number;
  readonly #field: ReadField;
  readonly #plan: RegisterPlan;
  /** Values taken for granted, by state-block offset. */
  readonly #assumed: ReadonlyMap<number, number>;
  readonly #locals: readonly number[];
  /** State-block offsets of the words that are kept in locals. */
  readonly #pinned: ReadonlySet<number>;
  /** By register: type of its local; f64 spares the moves between the register files. */
  readonly #types: readonly LocalType[];
  /** Where unfinished instructions are left, by what is written back; nothing is the first. */
  readonly #exits = new Map<string, Label>();
  readonly #exitOrder: readonly (readonly [key: string, set: Uint8Array])[];
  /** Local: distance of the instruction from the entry in the upper half, steps taken in the lower. */
  readonly #left: number;
  #step: Step | undefined;
  /** Registers that nobody reads behind the step. */
  #dead: ReadonlySet<number> | undefined;
  /** Registers that may differ from the state block. */
  #dirty: Uint8Array;
  /** Pinned words of the state block that hold constants here. */
  #known: KnownWords = new Map();
  #extended = new Extensions();
  /** Depth of what is executed on some ways only. */
  #conditional = 0;
  /** Steps taken that are still in the budget. */
  #spent = 0;
  /** How the last instruction ended. */
  condition: I32 = i32.const(0);
  destination: I64 = i64.const(0);
  /** The mode that it entered; `near`: at the next instruction. */
  entered: { readonly mode: number; readonly near: boolean } = { mode: 0, near: true };

  /** @param entry - offset of the region's first instruction in its page. */
  constructor(code: Code, isa: Isa, layout: Layout, runtime: RegionRuntime, mode: number, entry: number, field: ReadField, plan: RegisterPlan, assumed: readonly number[]) {
    super(code, layout, isa.state.mmuIdx, runtime.callees);
    this.#isa = isa;
    this.#layout = layout;
    this.#runtime = runtime;
    this.#mode = mode;
    this.#entry = entry;
    this.#field = field;
    this.#plan = plan;
    this.#assumed = new Map(isa.assumptions?.map(({ offset }, i) => [offset, assumed[i] as number]));
    this.#pinned = new Set(isa.state.pinned);
    const [first, end] = isa.state.doubles ?? [0, 0];
    this.#types = plan.offsets.map((offset, register) => (plan.held[register] !== 'word' ? 'v128' : offset >= first && offset < end ? 'f64' : 'i64'));
    this.#locals = this.#types.map((type) => code.local(type));
    this.#left = code.local('i32');
    this.#exitOrder = [...plan.exits].toSorted(([, a], [, b]) => rank(a) - rank(b) || 0); // of two that are no first ones, NaN
    this.#dirty = new Uint8Array(plan.offsets.length);
  }

  /** Loads the registers that are live at the entry, after a test of what the instructions take for granted. */
  enter(words: ReadonlySet<number>): void {
    for (const [key] of this.#exitOrder) this.#exits.set(key, this.code.block());
    for (const [offset, value] of this.#assumed) {
      if (!words.has(offset)) continue;
      this.if(i32.ne(super.state('i32.load', offset), i32.const(value)), () => this.#abandon(this.#entry), undefined, false);
    }
    for (const register of this.#plan.liveIn) this.#load(register);
  }

  /** Sets the local of a register from the state block. */
  #load(register: number): void {
    lower(this.code, super.state(`${this.#types[register] as LocalType}.load`, this.#plan.offsets[register] as number));
    this.code.set(this.#locals[register] as number);
  }

  /** Takes up a place in the region: `dirty` registers there, steps `spent`. */
  at(dirty: Uint8Array, spent: number, known: Known): void {
    this.#extended = new Extensions(known.extended);
    this.#dirty = dirty.slice();
    this.#spent = spent;
    this.#known = known.words;
  }

  get known(): Known {
    return { words: this.#known, extended: new Extensions(this.#extended) };
  }

  get dirty(): Uint8Array {
    return this.#dirty;
  }

  /** Emits one instruction, which is a step of a block. */
  emit(step: Step, block: number, index: number): void {
    this.#step = step;
    this.#dead = this.#plan.dead[block]?.[index];
    this.#isa.instructions[step.instruction]?.emit(this);
    for (const register of this.#plan.writes(step)) this.#dirty[register] = 1;
    this.#spent++;
  }

  // ── operands ──

  get #current(): Step {
    return this.#step as Step;
  }

  field(name: string): I32 {
    return i32.const(this.#field(this.#current.record, name));
  }

  field64(name: string): I64 {
    return i64.const(this.#field(this.#current.record, name));
  }

  /** State-block offset of the register that a field names. */
  #offset(field: string): number {
    return this.#field(this.#current.record, field);
  }

  #local(offset: number): I64 {
    const register = this.#plan.numbers.get(offset);
    if (register === undefined) return i64.const(0);
    const index = this.#locals[register] as number;
    return this.#types[register] === 'f64' ? i64.reinterpret_f64(local('f64', index)) : local('i64', index);
  }

  #setLocal(offset: number, value: I64): void {
    const register = this.#plan.numbers.get(offset);
    if (register === undefined) return;
    const index = this.#locals[register] as number;
    const simple = this.#extended.simplify(value);
    lower(this.code, this.#types[register] === 'f64' ? f64.reinterpret_i64(simple) : simple);
    this.code.set(index);
    if (this.#conditional === 0) this.#extended.note(index, simple);
    else this.#extended.forget(index);
  }

  reg(field: string): I64 {
    return this.#local(this.#offset(field));
  }

  setReg(field: string, value: I64): void {
    this.#setLocal(this.#offset(field), value);
  }

  // ── vector registers ──

  /** @throws {RangeError} the place does not follow from fields. */
  #placeOf(place: I32, more: number): number {
    if (place.kind !== 'const') throw new RangeError('a vector register is at a place that is not known when it is translated');
    return (place.value as number) + more;
  }

  #vectorLocal(register: number): V128 {
    return local('v128', this.#locals[register] as number);
  }

  vector<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, place: I32, more = 0): Expr<T> {
    const at = this.#placeOf(place, more);
    const register = this.#plan.numbers.get(registerAt(at));
    return register === undefined ? super.state(op, at) : partOf(op, this.#vectorLocal(register), at % VECTOR_SIZE);
  }

  setVector<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, place: I32, value: Expr<T>, more = 0): void {
    const at = this.#placeOf(place, more);
    const register = this.#plan.numbers.get(registerAt(at));
    if (register === undefined) {
      super.setState(op, at, value);
      return;
    }
    lower(this.code, withPart(op, this.#vectorLocal(register), at % VECTOR_SIZE, value));
    this.code.set(this.#locals[register] as number);
    if (this.#plan.held[register] === 'stored') this.#writeBackOne(register);
  }

  spill(place: I32): void {
    const register = this.#plan.numbers.get(registerAt(this.#placeOf(place, 0)));
    if (register !== undefined && this.#dirty[register] !== 0) this.#writeBackOne(register);
  }

  reload(place: I32): void {
    const register = this.#plan.numbers.get(registerAt(this.#placeOf(place, 0)));
    if (register !== undefined) this.#load(register);
  }

  override state<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, offset: number): Expr<T> {
    if (this.#pinned.has(offset)) return (this.#known.get(offset) ?? this.#local(offset)) as unknown as Expr<T>;
    const assumed = op === 'i32.load' ? this.#assumed.get(offset) : undefined;
    return assumed === undefined ? super.state(op, offset) : (i32.const(assumed) as unknown as Expr<T>);
  }

  override setState<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, offset: number, value: Expr<T>): void {
    if (!this.#pinned.has(offset)) return super.setState(op, offset, value);
    if (!this.wants(offset)) return;
    this.#setLocal(offset, value as unknown as I64);
    const known = new Map(this.#known);
    if (value.kind === 'const') known.set(offset, value as unknown as I64);
    else known.delete(offset);
    this.#known = known;
  }

  wants(offset: number): boolean {
    const register = this.#plan.numbers.get(offset);
    return register !== undefined && this.#dead?.has(register) !== true;
  }

  override if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void {
    if (condition.kind === 'const') return super.if(condition, then, otherwise, likely);
    const before = this.#known;
    let afterThen = before;
    this.#conditional++;
    super.if(
      condition,
      () => {
        then();
        afterThen = this.#known;
        this.#known = before;
      },
      otherwise,
      likely,
    );
    this.#conditional--;
    // What either way set is no longer known.
    this.#known = new Map([...this.#known].filter(([offset, value]) => afterThen.get(offset) === value));
  }

  override loop(body: (again: (condition: I32) => void) => void): void {
    this.#known = new Map();
    this.#extended.clear();
    this.#conditional++;
    super.loop(body);
    this.#conditional--;
    this.#extended.clear();
  }

  protected override pop<T extends ValueType>(type: T): Expr<T> {
    const popped = super.pop(type);
    this.#extended.forget((popped as unknown as { readonly index: number }).index);
    return popped;
  }

  override let<T extends ValueType>(value: Expr<T>): Expr<T> {
    const simple = this.#extended.simplify(value);
    const bound = super.let(simple);
    if (bound.kind === 'local') this.#extended.note(bound.index, simple);
    return bound;
  }

  override assign<T extends ValueType>(variable: Variable<T>, value: Expr<T>): void {
    super.assign(variable, value);
    this.#extended.forget((variable.get as unknown as { readonly index: number }).index);
  }

  override call<T extends ValueType>(name: string, result: T, args: readonly Expr[]): Expr<T> {
    if (this.#isa.functions[name]?.body !== undefined) return super.call(name, result, args);
    this.service();
    return local(result, this.code.local(result)); // never reached
  }

  /** Address of an offset in the region's page. */
  address(offset: number): I64 {
    return i64.add(local('i64', ENTRY_PC), i64.const(offset - this.#entry));
  }

  pc(): I64 {
    return this.address(this.#current.offset);
  }

  nextPc(): I64 {
    return this.address(this.#current.offset + this.#current.length);
  }

  // ── guest memory ──

  protected override readonly traps = false;

  override loadRow(access: Access, address: I64, count: number): readonly I64[] {
    return this.loadRowAtOnce(access, address, count);
  }

  override storeRow(size: AccessSize, address: I64, values: readonly I64[]): void {
    this.storeRowAtOnce(size, address, values);
  }

  override loadVectors(address: I64, count: number): readonly V128[] {
    return this.loadVectorsAtOnce(address, count);
  }

  override storeVectors(address: I64, values: readonly V128[]): void {
    this.storeVectorsAtOnce(address, values);
  }

  protected override mmu(): I32 {
    return i32.const((this.#mode % MMU_MODES) * tlbTableSize(this.#layout.windowBits));
  }

  protected override slow(address: I64, value: I64, mode: number): I32 {
    lower(this.code, address);
    lower(this.code, value);
    this.code.i32(mode);
    this.code.call(this.#runtime.slow);
    return this.pop('i32');
  }

  protected override fail(failed: I32): void {
    this.if(failed, () => this.#abandon(this.#current.offset), undefined, false);
  }

  /** What only JavaScript does is left to tier 0. */
  service(): void {
    this.#abandon(this.#current.offset);
  }

  // ── control transfer ──

  branch(condition: I32): void {
    this.condition = condition;
  }

  jump(): void {}

  jumpTo(target: I64): void {
    this.destination = this.let(target);
  }

  enterMode(mode: number, target?: I64, fetch?: number): void {
    const { mmuIdx, fetchIdx } = this.#isa.state;
    if (target !== undefined) this.destination = this.let(target);
    super.setState('i32.store', mmuIdx, i32.const(mode));
    if (fetch !== undefined) super.setState('i32.store', fetchIdx, i32.const(fetch));
    this.entered = { mode: (fetch ?? Math.floor(this.#mode / MMU_MODES)) * MMU_MODES + mode, near: target === undefined };
  }

  #writeBack(): void {
    this.#dirty.forEach((dirty, register) => {
      if (dirty !== 0) this.#writeBackOne(register);
    });
  }

  #writeBackOne(register: number): void {
    const offset = this.#plan.offsets[register] as number;
    const type = this.#types[register] as LocalType;
    super.setState(`${type}.store`, offset, local(type, this.#locals[register] as number));
  }

  /** Leaves the instruction at an offset of the page to tier 0. */
  #abandon(offset: number): void {
    this.code.i32(((offset - this.#entry) << 16) | this.#spent);
    this.code.set(this.#left);
    this.code.br(this.#exits.get(setKey(this.#dirty)) as Label);
  }

  /** Emits what {@link #abandon} leads to. Nothing falls into it. */
  finish(): void {
    const order = this.#exitOrder;
    for (let i = order.length - 1; i >= 0; i--) {
      this.code.end();
      const [, set] = order[i] as (typeof order)[number];
      const length = lengthOf(set);
      const before = length < 0 || i === 0 ? 0 : lengthOf((order[i - 1] as (typeof order)[number])[1]);
      set.forEach((differs, register) => {
        if (differs !== 0 && register >= before) this.#writeBackOne(register);
      });
      // Behind the others, one falls into the next.
      if (length < 0) this.code.br(this.#exits.get(setKey((order[0] as (typeof order)[number])[1])) as Label);
    }
    const left = local('i32', this.#left);
    lower(this.code, i64.add(local('i64', ENTRY_PC), i64.extend_i32_s(i32.shr_s(left, i32.const(16)))));
    lower(this.code, i32.sub(local('i32', BUDGET), i32.and(left, i32.const(0xffff))));
    this.code.i32(RegionExit.step);
    this.code.returnCall(this.#runtime.leave);
  }

  get #budgetLeft(): I32 {
    return i32.sub(local('i32', BUDGET), i32.const(this.#spent));
  }

  /** Leaves to tier 0 at an offset of the page. */
  leaveAt(offset: number): void {
    this.#writeBack();
    lower(this.code, this.address(offset));
    lower(this.code, this.#budgetLeft);
    this.code.i32(RegionExit.next);
    this.code.returnCall(this.#runtime.leave);
  }

  /** Leaves at an offset of the page unless this many steps are left. */
  check(offset: number, steps: number): void {
    this.if(i32.lt_s(local('i32', BUDGET), i32.const(steps)), () => this.#abandon(offset), undefined, false);
  }

  /** Takes the steps since the last check off the budget. */
  settle(): void {
    if (this.#spent === 0) return;
    lower(this.code, this.#budgetLeft);
    this.code.set(BUDGET);
  }

  /** Goes on in the region of a number, which begins at an offset of the page. */
  chain(offset: number, region: number): void {
    this.#writeBack();
    lower(this.code, this.address(offset));
    lower(this.code, this.#budgetLeft);
    this.code.i32(region);
    this.code.returnCallIndirect(this.#runtime.type);
  }

  /** Goes on at any address, through the jump cache. */
  chainTo(address: I64, mode: number = this.#mode): void {
    this.#writeBack();
    const target = this.let(address);
    const entry = this.let(jumpEntry(this.#isa, target));
    const cache = this.#layout.jumps + mode * JUMP_CACHE_SIZE;
    const key = this.read('i64.load32_u', i32.const(0), this.#layout.engine + ENGINE.jumpKeys + 4 * Math.floor(mode / MMU_MODES));
    this.if(i64.eq(read('i64.load', entry, cache), i64.xor(target, key)), () => {
      lower(this.code, target);
      lower(this.code, this.#budgetLeft);
      lower(this.code, read('i32.load', entry, cache + 8));
      this.code.returnCallIndirect(this.#runtime.type);
    }, undefined, true);
    lower(this.code, target);
    lower(this.code, this.#budgetLeft);
    this.code.i32(RegionExit.next);
    this.code.returnCall(this.#runtime.leave);
  }
}
