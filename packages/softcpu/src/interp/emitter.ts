/**
 * Tier 0's binding of the abstract emitter: operands are loads from the record at `ip`, registers live in the state
 * block, guest accesses check the delta TLB inline.
 */
import { lower } from '../ir/block.ts';
import type { Emitter } from '../ir/emitter.ts';
import { i32, i64, local, read } from '../ir/expr.ts';
import type { Expr, I32, I64 } from '../ir/expr.ts';
import { LENGTH } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { Code, Label } from '../wasm/code.ts';
import type { MemoryOp, ValueType } from '../wasm/opcodes.ts';
import { AccessEmitter } from '../tlb/access.ts';
import type { AccessRuntime } from '../tlb/access.ts';
import { COMPUTED, COUNTERS, ENGINE, Status, recordShift } from './layout.ts';
import type { Layout } from './layout.ts';

/** Locals that carry the state of the loop; outlined instructions get them as parameters, in this order. */
export interface Frame {
  readonly ip: number;
  readonly budget: number;
}
export const FRAME_PARAMS = ['i32', 'i32'] as const;
/** The frame of a function whose first parameters these are. */
export const PARAMETER_FRAME: Frame = { ip: 0, budget: 1 };

/** How far the place of a record moves the pc. */
export const distanceOf = (isa: Isa, record: I32): I64 => i64.extend_i32_u(i32.shr_u(record, i32.const(recordShift(isa))));

/** The pc of the record at `ip`. */
export const pcOf = (isa: Isa, layout: Layout, { ip }: Frame): I64 => i64.add(read('i64.load', i32.const(0), layout.engine + ENGINE.origin), distanceOf(isa, local('i32', ip)));

/** Record bytes that an instruction of a length has; 0: the record at hand says it. */
export function stepOf(isa: Isa, e: Pick<Emitter, 'field'>, length: number): I32 {
  const shift = recordShift(isa);
  return length === 0 ? i32.shl(e.field(LENGTH), i32.const(shift)) : i32.const(length << shift);
}

/** What one handler is being generated for. */
export interface Variant {
  /** Length of the instruction in bytes; 0: the record says it. */
  readonly length: number;
  /** The target of `branch` and `jump` lies in the same page, field `imm` is the distance in record bytes. */
  readonly near: boolean;
  /** Near, and not forward: what it jumps to is counted. */
  readonly back: boolean;
}

/** Of outlined instructions. */
export const NO_VARIANT: Variant = { length: 0, near: false, back: false };

/** Labels of the interpreter loop; an outlined instruction has none. */
export interface Exits {
  /** Dispatches the record at `ip`. */
  readonly loop: Label;
  /** Left with the status in the engine block. */
  readonly trapped: Label;
  /** Continues at the address in local `target`. */
  readonly lookup: Label;
  readonly target: number;
  /** Local: record bytes from the instruction to the next. Absent: its length is one, or only the record says it. */
  readonly step?: number;
}

/** Functions of the generated module that handlers call. */
export interface Runtime extends AccessRuntime {
  /** `(address, value, mode, ...frame) → place in linear memory, 0 if left`. */
  readonly access: number;
  /** As `Emitter.forgetPage`, see `forget.ts`. */
  readonly forget: number;
  /** `(...frame)`: stores pc and budget to the state block. */
  readonly save: number;
  readonly services: ReadonlyMap<string, number>;
  /** `(ip)`: says that a record was jumped to often. Absent where nothing is translated. */
  readonly hot?: number;
}

export class InterpreterEmitter extends AccessEmitter implements Emitter {
  /** A jump was emitted: nothing falls through. */
  jumped = false;
  /** A service was called on every way: regions end here. */
  serviced = false;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #runtime: Runtime;
  readonly #frame: Frame;
  readonly #variant: Variant;
  readonly #exits: Exits | undefined;
  #conditional = 0;

  constructor(code: Code, isa: Isa, layout: Layout, runtime: Runtime, frame: Frame, variant: Variant, exits: Exits | undefined) {
    super(code, layout, isa.state, runtime);
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

  vector<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, place: I32, more = 0): Expr<T> {
    return read(op, place, this.#layout.state + more);
  }

  setVector<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, place: I32, value: Expr<T>, more = 0): void {
    this.write(op, place, value, this.#layout.state + more);
  }

  spill(): void {}

  reload(): void {}

  wants(): boolean {
    return true;
  }

  pc(): I64 {
    return pcOf(this.#isa, this.#layout, this.#frame);
  }

  /** The page whose records begin at `records` is executed from now on. */
  setOrigin(page: I64, records: I32): void {
    this.write('i64.store', i32.const(0), i64.sub(page, distanceOf(this.#isa, records)), this.#layout.engine + ENGINE.origin);
  }

  /** A word of the engine block. */
  engine(offset: number): I32 {
    return this.read('i32.load', i32.const(0), this.#layout.engine + offset);
  }

  setEngine(offset: number, value: I32): void {
    this.write('i32.store', i32.const(0), value, this.#layout.engine + offset);
  }

  nextPc(): I64 {
    const { length } = this.#variant;
    return i64.add(this.pc(), length === 0 ? this.field64(LENGTH) : i64.const(length));
  }

  // ── guest memory ──

  protected override readonly asks = true;

  protected override readonly traps = true;

  protected override slow(at: I64, value: I64, mode: number): I32 {
    lower(this.code, at);
    lower(this.code, value);
    this.code.i32(mode);
    this.#frameArguments();
    this.code.call(this.#runtime.access);
    return this.pop('i32');
  }

  forgetPage(address: I64): I32 {
    lower(this.code, address);
    this.code.call(this.#runtime.forget);
    return this.pop('i32');
  }

  protected override fail(failed: I32): void {
    this.#leaveIf(failed);
  }

  // ── leaving ──

  #frameArguments(): void {
    this.code.get(this.#frame.ip);
    this.code.get(this.#frame.budget);
  }

  #leaveIf(condition: I32): void {
    lower(this.code, condition);
    if (this.#exits !== undefined) {
      this.code.brIf(this.#exits.trapped, false);
    } else {
      this.code.if(false);
      this.#leave();
      this.code.end();
    }
  }

  #leave(): void {
    if (this.#exits !== undefined) {
      this.code.br(this.#exits.trapped);
    } else {
      this.code.i32(1);
      this.code.return();
    }
  }

  override call<T extends ValueType>(name: string, result: T, args: readonly Expr[]): Expr<T> {
    const { body, inPlace } = this.#isa.functions[name] ?? {};
    return inPlace === true && body !== undefined ? (body(this, ...args) as Expr<T>) : super.call(name, result, args);
  }

  override if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void {
    this.#conditional++;
    super.if(condition, then, otherwise, likely);
    this.#conditional--;
  }

  #service(name: string): number {
    const service = this.#runtime.services.get(name);
    if (service === undefined) throw new RangeError(`${this.#isa.name} has no service ${name}`);
    return service;
  }

  service(name: string): void {
    this.helper(this.#service(name));
    if (this.#conditional === 0) this.serviced = true;
    else if (this.#exits !== undefined) this.count(false, i32.add(local('i32', this.#frame.ip), this.#step));
  }

  fault(name: string): void {
    this.#call(this.#service(name));
    this.#leave();
  }

  /** Calls an import of type `(ip) → status` with pc and budget stored, and leaves the handler unless it says `next`. */
  helper(index: number): void {
    const status = this.#call(index);
    this.#leaveIf(i32.ne(status, i32.const(Status.next)));
  }

  #call(index: number): I32 {
    this.#frameArguments();
    this.code.call(this.#runtime.save);
    this.code.get(this.#frame.ip);
    this.code.call(index);
    const status = this.pop('i32');
    this.write('i32.store', i32.const(0), status, this.#layout.engine + ENGINE.status);
    return status;
  }

  /** Calls an outlined instruction. */
  callOutlined(index: number): void {
    this.#frameArguments();
    this.code.call(index);
    this.#leaveIf(this.pop('i32'));
  }

  /** Calls the outlined instruction whose function stands in a table at the number in a local. */
  callFromTable(table: number, type: number, number: number): void {
    this.#frameArguments();
    this.code.get(number);
    this.code.callIndirect(type, table);
    this.#leaveIf(this.pop('i32'));
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

  enterMode(mode: number, target: I64 = this.nextPc(), fetch?: number): void {
    const { mmuIdx, fetchIdx } = this.#isa.state;
    const bound = this.let(target);
    // In the mode that it was jumped to in.
    this.count(false, i32.const(0));
    this.setState('i32.store', mmuIdx, i32.const(mode));
    if (fetch !== undefined) this.setState('i32.store', fetchIdx, i32.const(fetch));
    this.jumpTo(bound);
  }

  /** Record bytes from this instruction to the next. */
  get #step(): I32 {
    const step = this.#exits?.step;
    return step === undefined ? stepOf(this.#isa, this, this.#variant.length) : local('i32', step);
  }

  /** Continues with the next instruction. Behind a service, which ends regions, one may begin. */
  next(): void {
    if (this.serviced && this.#runtime.hot !== undefined) this.#countedAdvance(this.#step);
    else this.#advance(this.#step);
  }

  /** The same, and counts. */
  #countedAdvance(distance: I32): void {
    const { loop } = this.#exitsOfLoop();
    lower(this.code, i32.add(local('i32', this.#frame.ip), distance));
    this.code.set(this.#frame.ip);
    this.count();
    this.code.br(loop);
  }

  /**
   * Counts a jump to a record, the one at `ip` unless told, 0 being none; `computed`: it was looked up. What was jumped to before is charged with
   * the steps since then, and reported if that makes it hot. What is looked up is reported if {@link chargeQuietly} did.
   */
  count(computed = false, ip: I32 = local('i32', this.#frame.ip)): void {
    const { hot } = this.#runtime;
    if (hot === undefined) return;
    const before = this.let(this.engine(ENGINE.jumped));
    const left = this.#chargeLast(before, 1);
    const jumped = computed ? i32.or(ip, i32.const(COMPUTED)) : ip;
    this.#charge(jumped);
    const report = (record: I32): void => {
      lower(this.code, record);
      this.code.call(hot);
    };
    const isBelow = (counted: I32): I32 => i32.lt_s(counted, i32.const(0));
    if (!computed) {
      this.if(isBelow(left), () => report(before), undefined, false);
      return;
    }
    const leftOf = (): I32 => this.read('i32.load', this.#counterOf(ip), this.#layout.counters);
    this.if(isBelow(i32.or(left, leftOf())), () => {
      this.if(isBelow(left), () => report(before));
      this.if(isBelow(leftOf()), () => report(jumped));
    }, undefined, false);
  }

  /** Charges what was jumped to last where nothing may be reported: in the middle of an instruction, or when the mode may be another one by now. */
  chargeQuietly(): void {
    if (this.#runtime.hot !== undefined) this.#chargeLast(this.let(this.engine(ENGINE.jumped)), 0);
  }

  /** The steps so far are nobody's: they were charged, or were not the interpreter's. */
  countFromHere(): void {
    if (this.#runtime.hot === undefined) return;
    this.#charge(i32.const(0));
  }

  /** Place of the counter of a record, as {@link ENGINE.jumped} has it. */
  #counterOf(record: I32): I32 {
    return i32.and(i32.shr_u(record, i32.const(2)), i32.const((COUNTERS - 1) * 4));
  }

  /** Takes the steps since the last jump, and `more`, off the counter of what was jumped to. @returns what is left, bound */
  #chargeLast(jumped: I32, more: number): I32 {
    const steps = i32.sub(this.engine(ENGINE.counted), local('i32', this.#frame.budget));
    const counter = this.let(this.#counterOf(jumped));
    const left = this.let(i32.sub(this.read('i32.load', counter, this.#layout.counters), more === 0 ? steps : i32.add(steps, i32.const(more))));
    this.write('i32.store', counter, left, this.#layout.counters);
    return left;
  }

  /** Steps from here on are those of the record at `ip`. */
  #charge(ip: I32): void {
    this.setEngine(ENGINE.counted, local('i32', this.#frame.budget));
    this.setEngine(ENGINE.jumped, ip);
  }

  branch(condition: I32): void {
    if (this.#variant.back && this.#runtime.hot !== undefined) {
      this.if(condition, () => this.#countedAdvance(this.field('imm')));
      this.#advance(this.#step);
      return;
    }
    if (this.#variant.near) {
      this.if(condition, () => this.#advance(this.field('imm')));
      this.#advance(this.#step);
      return;
    }
    this.if(condition, () => this.jump());
    this.next();
  }

  jump(): void {
    if (this.#variant.back) this.#countedAdvance(this.field('imm'));
    else if (this.#variant.near) this.#advance(this.field('imm'));
    else this.jumpTo(i64.add(this.pc(), this.field64('imm')));
  }
}
