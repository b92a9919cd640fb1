/**
 * Tier 1's binding of the abstract emitter: operands are constants, registers are locals that are written back where the
 * region is left. An instruction that cannot be finished leaves the region with the pc on it, and tier 0 does it again.
 */
import { RegionExit, jumpEntry } from '../interp/enter.ts';
import { ENGINE, JUMP_CACHE_SIZE, REGION_PATIENCE, REGION_SIZE } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { lower } from '../ir/block.ts';
import { isEverywhere } from '../ir/emitter.ts';
import type { Access, AccessSize, Emitter } from '../ir/emitter.ts';
import { i32, i64, local, read } from '../ir/expr.ts';
import type { Expr, I32, I64, V128 } from '../ir/expr.ts';
import { MMU_MODES } from '../isa.ts';
import type { AccessRuntime } from '../tlb/access.ts';
import type { Code, Label } from '../wasm/code.ts';
import type { ValueType } from '../wasm/opcodes.ts';
import type { OtherPage, Step } from './discover.ts';
import { RegisterEmitter } from './held.ts';
import type { Holding, Known } from './held.ts';
import { lengthOf, setKey } from './sets.ts';
import { CONSTANT } from './symbols.ts';

/** Locals of a region: its parameters. */
const ENTRY_PC = 0;
const BUDGET = 1;

/** What is left says the offset of its instruction in these; below it whether the TLB did not let an access through, and how many steps were taken. */
const OFFSET = 0x2_0000n;
const REFUSED = 0x1_0000;

/** Functions of the module a region is in, by their symbols. */
export interface RegionRuntime extends AccessRuntime {
  /** `(address, value, mode) → place in linear memory, 0 if tier 0 must do it`. */
  readonly slow: number;
  /** `(page, records, fetch mode) → 1 if the page has these records`. */
  readonly has: number;
}

/** Type of regions, the first of each module that has any. */
export const REGION_TYPE = 0;

/** Order of exits: none, the first registers, one more at a time, then other sets. */
const rank = (set: Uint8Array): number => (lengthOf(set) < 0 ? Infinity : lengthOf(set));

/** Where a region lies. */
export interface RegionPlace {
  readonly mode: number;
  /** Offset of its first instruction in its page. */
  readonly entry: number;
  /** Accesses ask for the places that the TLB has not; else the region is left at them. */
  readonly asks: boolean;
  readonly other?: OtherPage | undefined;
}

export class RegionEmitter extends RegisterEmitter implements Emitter {
  readonly #layout: Layout;
  readonly #runtime: RegionRuntime;
  readonly #place: RegionPlace;
  /** Values taken for granted, by state-block offset. */
  readonly #assumed: ReadonlyMap<number, number>;
  /** Where unfinished instructions are left, by what is written back; nothing is the first. */
  readonly #exits = new Map<string | number, Label>();
  /** The one that was found last. */
  #last: { readonly dirty: Uint8Array; readonly exit: Label } | undefined;
  readonly #exitOrder: readonly (readonly [key: string | number, set: Uint8Array])[];
  /** Local: offset of the instruction above {@link REFUSED} and 16 bits of steps taken. */
  readonly #left: number;
  /** Local: the other page was found to be mapped as it was. */
  readonly #isGuarded: number;
  /** Steps taken that are still in the budget. */
  #spent = 0;
  /** It is left at accesses. */
  #refuses = false;
  /** How the last instruction ended. */
  condition: I32 = i32.const(0);
  destination: I64 = i64.const(0);
  /** The mode that it entered; `near`: at the next instruction. */
  entered: { readonly mode: number; readonly near: boolean } = { mode: 0, near: true };

  constructor(code: Code, runtime: RegionRuntime, place: RegionPlace, holding: Holding) {
    super(code, runtime, holding);
    this.#layout = holding.layout;
    this.#runtime = runtime;
    this.#place = place;
    this.asks = place.asks;
    this.#assumed = holding.assumed;
    this.#left = code.local('i64');
    this.#isGuarded = place.other === undefined ? -1 : code.local('i32');
    this.#exitOrder = [...holding.plan.exits].toSorted(([, a], [, b]) => rank(a) - rank(b) || 0); // of two that are no first ones, NaN
  }

  /** Loads the registers that are live at the entry, after a test of what the instructions take for granted. */
  enter(words: ReadonlySet<number>): void {
    for (const [key] of this.#exitOrder) this.#exits.set(key, this.code.block());
    for (const [offset, value] of this.#assumed) {
      if (!words.has(offset)) continue;
      this.if(i32.ne(this.read('i32.load', i32.const(0), this.#layout.state + offset), i32.const(value)), () => this.#abandon(this.#place.entry, true), undefined, false);
    }
    for (const register of this.plan.liveIn) this.loadRegister(register);
  }

  /** Takes up a place in the region: `dirty` registers there, steps `spent`. */
  at(dirty: Uint8Array, spent: number, known: Known): void {
    this.hold(dirty, known);
    this.#spent = spent;
  }

  /** Emits one instruction, which is a step of a block. */
  emit(step: Step, block: number, index: number): void {
    const { followers, steady } = this.plan;
    this.expected = (followers[block]?.[index] ?? 0) + (steady[block]?.[index] === true ? this.repeated : 0);
    this.begin(step, block, index);
    this.isa.instructions[step.instruction]?.emit(this);
    this.done(block, index);
    this.#spent++;
  }

  override call<T extends ValueType>(name: string, result: T, args: readonly Expr[]): Expr<T> {
    if (isEverywhere(this.isa.functions[name])) return super.call(name, result, args);
    this.service();
    return local(result, this.code.local(result)); // never reached
  }

  /** Address of an offset. */
  address(offset: number): I64 {
    return i64.add(local('i64', ENTRY_PC), i64.const(offset - this.#place.entry));
  }

  pc(): I64 {
    return this.address(this.current.offset);
  }

  nextPc(): I64 {
    return this.address(this.current.offset + this.current.length);
  }

  // ── guest memory ──

  protected override readonly asks: boolean;

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
    return i32.const(this.#place.mode % MMU_MODES);
  }

  protected override slow(address: I64, value: I64, mode: number): I32 {
    lower(this.code, address);
    lower(this.code, value);
    this.code.i32(mode);
    this.code.call(this.#runtime.slow);
    return this.pop('i32');
  }

  protected override fail(failed: I32): void {
    this.if(failed, () => this.#abandon(this.current.offset, !this.asks), undefined, false);
  }

  /** What only JavaScript does is left to tier 0. */
  service(): void {
    this.#abandon(this.current.offset);
  }

  fault(): void {
    this.#abandon(this.current.offset);
  }

  forgetPage(): I32 {
    this.service();
    return i32.const(0);
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
    const { mmuIdx, fetchIdx } = this.isa.state;
    if (target !== undefined) this.destination = this.let(target);
    this.setState('i32.store', mmuIdx, i32.const(mode));
    if (fetch !== undefined) this.setState('i32.store', fetchIdx, i32.const(fetch));
    this.entered = { mode: (fetch ?? Math.floor(this.#place.mode / MMU_MODES)) * MMU_MODES + mode, near: target === undefined };
  }

  /** Leaves the instruction at an offset to tier 0. @param refused - since the TLB did not let it through. */
  #abandon(offset: number, refused = false): void {
    if (refused) this.#refuses = true;
    this.code.i64(BigInt(offset) * OFFSET + BigInt(this.#spent + (refused ? REFUSED : 0)));
    this.code.set(this.#left);
    this.code.br(this.#exit());
  }

  /** Where the registers are written back that are dirty here. */
  #exit(): Label {
    const { dirty } = this;
    if (this.#last?.dirty !== dirty) this.#last = { dirty, exit: this.#exits.get(setKey(dirty)) as Label };
    return this.#last.exit;
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
        if (differs !== 0 && register >= before) this.writeBackOne(register);
      });
      // Behind the others, one falls into the next.
      if (length < 0) this.code.br(this.#exits.get(setKey((order[0] as (typeof order)[number])[1])) as Label);
    }
    const left = local('i64', this.#left);
    if (this.#refuses) this.if(i32.and(i32.wrap_i64(left), i32.const(REFUSED)), () => this.#losePatience());
    const steps = i32.and(i32.wrap_i64(left), i32.const(REFUSED - 1));
    const offset = i64.shr_s(left, i64.const(Math.log2(Number(OFFSET))));
    this.#leave(i64.add(i64.sub(local('i64', ENTRY_PC), i64.const(this.#place.entry)), offset), i32.sub(local('i32', BUDGET), steps), RegionExit.step);
  }

  /** The region was left at an access. */
  #losePatience(): void {
    this.code.symbol(CONSTANT.self);
    const number = this.pop('i32');
    const { regions, engine } = this.#layout;
    const descriptor = this.let(i32.mul(number, i32.const(REGION_SIZE)));
    const patience = this.let(i32.sub(this.read('i32.load', descriptor, regions + REGION_PATIENCE), i32.const(1)));
    this.write('i32.store', descriptor, patience, regions + REGION_PATIENCE);
    this.if(i32.le_s(patience, i32.const(0)), () => this.write('i32.store', i32.const(0), number, engine + ENGINE.impatient), undefined, false);
  }

  /** Leaves to tier 0 at an address. */
  #leave(address: I64, budget: I32, exit: number): void {
    const { pc, budget: left } = this.isa.state;
    this.setState('i64.store', pc, address);
    this.setState('i32.store', left, budget);
    this.code.i32(exit);
    this.code.return();
  }

  get #budgetLeft(): I32 {
    return i32.sub(local('i32', BUDGET), i32.const(this.#spent));
  }

  /** Leaves to tier 0 at an offset. */
  leaveAt(offset: number): void {
    this.writeBack();
    this.#leave(this.address(offset), this.#budgetLeft, RegionExit.next);
  }

  /** Leaves at an offset unless this many steps are left. */
  check(offset: number, steps: number): void {
    this.if(i32.lt_s(local('i32', BUDGET), i32.const(steps)), () => this.#abandon(offset), undefined, false);
  }

  /** Leaves unless the other page is mapped as it was. That does not change while the region is executed. */
  guard(leave: () => void): void {
    if (this.guarded) return;
    const { mode, other } = this.#place;
    const { distance } = other as OtherPage;
    const unknown = (): I32 => i32.eqz(local('i32', this.#isGuarded));
    this.if(unknown(), () => {
      lower(this.code, this.address(distance));
      this.code.symbol(CONSTANT.records);
      this.code.i32(Math.floor(mode / MMU_MODES));
      this.code.call(this.#runtime.has);
      this.code.set(this.#isGuarded);
      this.if(unknown(), leave, undefined, false);
    }, undefined, false);
    this.guarded = true;
  }

  /** Takes the steps since the last check off the budget. */
  settle(): void {
    if (this.#spent === 0) return;
    lower(this.code, this.#budgetLeft);
    this.code.set(BUDGET);
  }

  /** Goes on in a region, given by the symbol of its number, which begins at an offset. */
  chain(offset: number, region: number): void {
    this.writeBack();
    lower(this.code, this.address(offset));
    lower(this.code, this.#budgetLeft);
    this.code.symbol(region);
    this.code.returnCallIndirect(REGION_TYPE);
  }

  /** Goes on at any address, through the jump cache. */
  chainTo(address: I64, mode: number = this.#place.mode): void {
    this.writeBack();
    const target = this.let(address);
    const entry = this.let(jumpEntry(this.isa, target));
    const cache = this.#layout.jumps + mode * JUMP_CACHE_SIZE;
    const key = this.read('i64.load32_u', i32.const(0), this.#layout.engine + ENGINE.jumpKeys + 4 * Math.floor(mode / MMU_MODES));
    this.if(i64.eq(read('i64.load', entry, cache), i64.xor(target, key)), () => {
      lower(this.code, target);
      lower(this.code, this.#budgetLeft);
      lower(this.code, read('i32.load', entry, cache + 8));
      this.code.returnCallIndirect(REGION_TYPE);
    }, undefined, true);
    this.#leave(target, this.#budgetLeft, RegionExit.next);
  }
}
