/**
 * The registers and other words of the state block that a region holds in locals, as tier 1's binding of the abstract emitter reads and
 * writes them: what is known of them in straight code, and which of them differ from the state block.
 */
import { lower } from '../ir/block.ts';
import type { AccessSize, Variable } from '../ir/emitter.ts';
import { f64, i32, i64, local } from '../ir/expr.ts';
import type { Expr, I32, I64, V128 } from '../ir/expr.ts';
import { VECTOR_SIZE, partOf, withPart } from '../ir/lanes.ts';
import { PAGE_SIZE } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import { AccessEmitter } from '../tlb/access.ts';
import type { AccessRuntime } from '../tlb/access.ts';
import type { Code } from '../wasm/code.ts';
import type { MemoryOp, ValueType } from '../wasm/opcodes.ts';
import type { Step } from './discover.ts';
import type { Distance } from './distances.ts';
import { Extensions } from './extended.ts';
import { isVector } from './registers.ts';
import type { Held, ReadField, RegisterPlan } from './registers.ts';
import { withAll } from './sets.ts';
import { registerAt } from './vectors.ts';

/** Types of registers' locals. */
type LocalType = 'i64' | 'f64' | 'v128';

/** The value of a pinned word that straight code set to a constant, in a list of few. */
interface KnownWord {
  readonly offset: number;
  readonly value: I64;
}
type KnownWords = readonly KnownWord[];

const NO_WORDS: KnownWords = [];

function wordAt(words: KnownWords, offset: number): I64 | undefined {
  for (const word of words) if (word.offset === offset) return word.value;
  return undefined;
}

/** What is known at a place in the region, besides which registers differ from the state block. */
export interface Known {
  readonly words: KnownWords;
  /** Of locals. */
  readonly extended: Extensions;
  /** The other page is mapped as it was. */
  readonly guarded: boolean;
  /** Places that were found, the last ones. */
  readonly places: readonly SharedPlace[];
}

/** A place in linear memory that an access found, from which others at known distances follow. */
interface SharedPlace {
  /** Local: {@link BEFORE} bytes before it; 0 where the page does not reach as far as {@link BEFORE} and {@link BEHIND} say. */
  readonly place: number;
  readonly of: Distance;
  /** It is a multiple of that, unless what is not aligned is let through. */
  readonly size: AccessSize;
  readonly write: boolean;
}

/** Bytes before and behind a place that others may reach. */
const BEFORE = 128;
const BEHIND = 128;
/** Places that are kept. */
const PLACES = 4;
/** From so many accesses that may follow it is worth it. */
const WORTH = 2;

/** What is known where ways meet. */
export const NOTHING_KNOWN: Known = { words: NO_WORDS, extended: new Extensions(), guarded: false, places: [] };

/** What the registers of a region are found by. */
export interface Holding {
  readonly isa: Isa;
  readonly layout: Layout;
  readonly field: ReadField;
  readonly constant: ReadField;
  readonly plan: RegisterPlan;
  /** Values taken for granted, by state-block offset. */
  readonly assumed: ReadonlyMap<number, number>;
}

export abstract class RegisterEmitter extends AccessEmitter {
  protected readonly isa: Isa;
  protected readonly plan: RegisterPlan;
  readonly #field: ReadField;
  readonly #constant: ReadField;
  readonly #assumed: ReadonlyMap<number, number>;
  readonly #locals: readonly number[];
  /** State-block offsets of the words that are kept in locals. */
  readonly #pinned: ReadonlySet<number>;
  /** By register: type of its local; f64 spares the moves between the register files. */
  readonly #types: readonly LocalType[];
  #step: Step | undefined;
  /** Registers that nobody reads behind the step. */
  #dead: readonly number[] | undefined;
  /** Registers that may differ from the state block. Never changed itself: places that follow one another mostly have the same. */
  #dirty: Uint8Array;
  /** Pinned words of the state block that hold constants here. */
  #known: KnownWords = NO_WORDS;
  #extended = new Extensions();
  /** The other page is known to be mapped as it was. */
  protected guarded = false;
  /** Depth of what is executed on some ways only. */
  #conditional = 0;
  #places: readonly SharedPlace[] = [];
  readonly #placeLocals: number[] = [];
  /** How many accesses may follow near the ones of this instruction. */
  protected expected = 0;
  /** How often the instruction is repeated behind this copy of it. */
  repeated = 0;

  constructor(code: Code, runtime: AccessRuntime, { isa, layout, field, constant, plan, assumed }: Holding) {
    super(code, layout, isa.state, runtime);
    this.isa = isa;
    this.plan = plan;
    this.#field = field;
    this.#constant = constant;
    this.#assumed = assumed;
    this.#pinned = new Set(isa.state.pinned);
    const [first, end] = isa.state.doubles ?? [0, 0];
    this.#types = plan.offsets.map((offset, register) => (isVector(plan.held[register] as Held) ? 'v128' : offset >= first && offset < end ? 'f64' : 'i64'));
    this.#locals = this.#types.map((type) => code.local(type));
    this.#dirty = new Uint8Array(plan.offsets.length);
  }

  get known(): Known {
    return { words: this.#known, extended: new Extensions(this.#extended), guarded: this.guarded, places: this.#places };
  }

  get dirty(): Uint8Array {
    return this.#dirty;
  }

  /** The instruction that is being emitted. */
  protected get current(): Step {
    return this.#step as Step;
  }

  /** Takes up a place in the region: what is dirty and known there. */
  protected hold(dirty: Uint8Array, known: Known): void {
    this.#extended = new Extensions(known.extended);
    this.#dirty = dirty;
    this.#known = known.words;
    this.guarded = known.guarded;
    this.#places = known.places;
  }

  /** Takes up an instruction, a step of a block. */
  protected begin(step: Step, block: number, index: number): void {
    this.#step = step;
    this.#dead = this.plan.dead[block]?.[index];
  }

  /** It was emitted, with all that it writes. */
  protected done(block: number, index: number): void {
    this.#dirty = withAll(this.#dirty, this.plan.differing[block]?.[index] ?? []);
  }

  /** Sets the local of a register from the state block. */
  protected loadRegister(register: number): void {
    lower(this.code, super.state(`${this.#types[register] as LocalType}.load`, this.plan.offsets[register] as number));
    this.code.set(this.#locals[register] as number);
  }

  /** Stores a register to the state block. */
  protected writeBackOne(register: number): void {
    const offset = this.plan.offsets[register] as number;
    const type = this.#types[register] as LocalType;
    super.setState(`${type}.store`, offset, local(type, this.#locals[register] as number));
  }

  protected writeBack(): void {
    const dirty = this.#dirty;
    for (let register = 0; register < dirty.length; register++) if (dirty[register] !== 0) this.writeBackOne(register);
  }

  // ── operands ──

  field(name: string): I32 {
    const { record } = this.current;
    const symbol = this.#constant(record, name);
    if (symbol < 0) return i32.const(this.#field(record, name));
    this.code.symbol(symbol);
    return this.pop('i32');
  }

  field64(name: string): I64 {
    const value = this.field(name);
    return value.kind === 'const' ? i64.const(value.value) : i64.extend_i32_s(value);
  }

  /** State-block offset of the register that a field names. */
  #offset(field: string): number {
    return this.#field(this.current.record, field);
  }

  #local(offset: number): I64 {
    const register = this.plan.numbers.get(offset);
    if (register === undefined) return i64.const(0);
    const index = this.#locals[register] as number;
    return this.#types[register] === 'f64' ? i64.reinterpret_f64(local('f64', index)) : local('i64', index);
  }

  #setLocal(offset: number, value: I64): void {
    const register = this.plan.numbers.get(offset);
    if (register === undefined) return;
    const index = this.#locals[register] as number;
    const simple = this.#extended.simplify(value);
    lower(this.code, this.#types[register] === 'f64' ? f64.reinterpret_i64(simple) : simple);
    this.code.set(index);
    if (this.#conditional === 0) this.#extended.note(index, simple);
    else this.#extended.forget(index);
    if (this.plan.held[register] === 'storedWord') this.writeBackOne(register);
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
    const register = this.plan.numbers.get(registerAt(at));
    return register === undefined ? super.state(op, at) : partOf(op, this.#vectorLocal(register), at % VECTOR_SIZE);
  }

  setVector<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, place: I32, value: Expr<T>, more = 0): void {
    const at = this.#placeOf(place, more);
    const register = this.plan.numbers.get(registerAt(at));
    if (register === undefined) {
      super.setState(op, at, value);
      return;
    }
    lower(this.code, withPart(op, this.#vectorLocal(register), at % VECTOR_SIZE, value));
    this.code.set(this.#locals[register] as number);
    if (this.plan.held[register] === 'storedVector') this.writeBackOne(register);
  }

  spill(place: I32): void {
    const register = this.plan.numbers.get(registerAt(this.#placeOf(place, 0)));
    if (register !== undefined && this.#dirty[register] !== 0) this.writeBackOne(register);
  }

  reload(place: I32): void {
    const register = this.plan.numbers.get(registerAt(this.#placeOf(place, 0)));
    if (register !== undefined) this.loadRegister(register);
  }

  override state<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, offset: number): Expr<T> {
    if (this.#pinned.has(offset)) return (wordAt(this.#known, offset) ?? this.#local(offset)) as unknown as Expr<T>;
    const assumed = op === 'i32.load' ? this.#assumed.get(offset) : undefined;
    return assumed === undefined ? super.state(op, offset) : (i32.const(assumed) as unknown as Expr<T>);
  }

  override setState<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, offset: number, value: Expr<T>): void {
    if (!this.#pinned.has(offset)) return super.setState(op, offset, value);
    if (!this.wants(offset)) return;
    this.#setLocal(offset, value as unknown as I64);
    const others = wordAt(this.#known, offset) === undefined ? this.#known : this.#known.filter((word) => word.offset !== offset);
    this.#known = value.kind === 'const' ? [...others, { offset, value: value as unknown as I64 }] : others;
  }

  wants(offset: number): boolean {
    const register = this.plan.numbers.get(offset);
    return register !== undefined && this.#dead?.includes(register) !== true;
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
    if (this.#known !== afterThen) this.#known = this.#known.filter(({ offset, value }) => wordAt(afterThen, offset) === value);
  }

  override loop(body: (again: (condition: I32) => void) => void): void {
    this.#known = NO_WORDS;
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

  protected override pageOf(address: I64): bigint | undefined {
    return this.#extended.pageOf(address);
  }

  /** How far an address is from another one. */
  #distanceOf(at: I64): Distance | undefined {
    return at.kind === 'local' ? this.#extended.distanceOf(at.index) : undefined;
  }

  protected override shared(size: AccessSize, at: I64, write: boolean): { readonly place: I32; readonly more: number } | undefined {
    const distance = this.#distanceOf(at);
    if (distance === undefined) return undefined;
    for (const { place, of, size: aligned, write: isWritten } of this.#places) {
      const more = distance.bytes - of.bytes;
      if (of.from !== distance.from || write !== isWritten || more < -BEFORE || more + size > BEHIND) continue;
      if (!this.misaligns && (size > aligned || more % size !== 0)) continue;
      return { place: local('i32', place), more: more + BEFORE };
    }
    return undefined;
  }

  protected override share(size: AccessSize, at: I64, write: boolean): ((place: I32 | undefined) => void) | undefined {
    const of = this.#distanceOf(at);
    if (of === undefined || this.expected < WORTH || this.#conditional > 0 || this.pageOf(at) !== undefined) return undefined;
    // The oldest one gives its local up.
    const taken = new Set(this.#places.map(({ place }) => place));
    if (this.#placeLocals.length < PLACES) this.#placeLocals.push(this.code.local('i32'));
    const place = this.#placeLocals.find((index) => !taken.has(index)) ?? (this.#places[0] as SharedPlace).place;
    this.#places = [...this.#places.filter((other) => other.place !== place), { place, of, size, write }];
    const set = (value: I32): void => {
      lower(this.code, value);
      this.code.set(place);
    };
    return (found) => {
      if (found === undefined) return set(i32.const(0));
      const offset = i32.and(i32.wrap_i64(at), i32.const(PAGE_SIZE - 1));
      const isNear = i32.le_u(i32.sub(offset, i32.const(BEFORE)), i32.const(PAGE_SIZE - BEFORE - BEHIND));
      this.if(isNear, () => set(i32.sub(found, i32.const(BEFORE))), () => set(i32.const(0)), true);
    };
  }

  protected override noted<T extends ValueType>(variable: Variable<T>, like: Expr<T>): void {
    this.#extended.note((variable.get as unknown as { readonly index: number }).index, like);
  }
}
