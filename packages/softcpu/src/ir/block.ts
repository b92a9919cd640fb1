/** Lowering of expressions and statements into one function body. Both tiers derive their {@link Emitter} from this. */
import type { Code } from '../wasm/code.ts';
import { typeOf } from '../wasm/opcodes.ts';
import type { AtomicOp, MemoryOp, ValueType } from '../wasm/opcodes.ts';
import { emitAlone } from './alone.ts';
import type { Block, Variable } from './emitter.ts';
import { i32, local, read } from './expr.ts';
import type { Expr, I32 } from './expr.ts';

/** Appends the instructions that leave the value of `e` on the stack. */
export function lower(code: Code, e: Expr): void {
  switch (e.kind) {
    case 'const':
      if (e.type === 'i64') code.i64(e.value as bigint);
      else if (e.type === 'i32') code.i32(e.value as number);
      else if (e.type === 'v128') code.v128(e.value as bigint);
      else code[e.type](e.value as number);
      return;
    case 'local':
      code.get(e.index);
      return;
    case 'read':
      lower(code, e.a);
      code.access(e.op, e.offset);
      return;
    case 'unary':
      lower(code, e.a);
      code.op(e.op);
      return;
    case 'binary':
      lower(code, e.a);
      lower(code, e.b);
      code.op(e.op);
      return;
    case 'select':
      lower(code, e.a);
      lower(code, e.b);
      lower(code, e.condition);
      code.select();
      return;
    case 'vector':
      for (const arg of e.args) lower(code, arg);
      code.simd(e.op, e.immediates);
  }
}

/** Function index by name. */
export type Callees = ReadonlyMap<string, number>;

export class BlockEmitter implements Block {
  readonly code: Code;
  readonly #stateBase: number;
  readonly #callees: Callees;
  readonly #temporaries: number[] = [];

  /** @param stateBase - offset of the state block in linear memory, baked into the code. */
  constructor(code: Code, stateBase: number, callees: Callees) {
    this.code = code;
    this.#stateBase = stateBase;
    this.#callees = callees;
  }

  /** Gives the locals of `let` and `variable` back, once what was emitted is complete. */
  releaseTemporaries(): void {
    for (const index of this.#temporaries) this.code.release(index);
    this.#temporaries.length = 0;
  }

  #temporary(type: ValueType): number {
    const index = this.code.local(type);
    this.#temporaries.push(index);
    return index;
  }

  /** Pops the stack into a new local. */
  protected pop<T extends ValueType>(type: T): Expr<T> {
    const index = this.#temporary(type);
    this.code.set(index);
    return local(type, index);
  }

  let<T extends ValueType>(value: Expr<T>): Expr<T> {
    if (value.kind === 'const') return value;
    lower(this.code, value);
    return this.pop(value.type as T);
  }

  variable<T extends ValueType>(initial: Expr<T>): Variable<T> {
    lower(this.code, initial);
    return { get: this.pop(initial.type as T) };
  }

  /** A variable that is set before it is read. */
  protected unset<T extends ValueType>(type: T): Variable<T> {
    return { get: local(type, this.#temporary(type)) };
  }

  /** What a variable was set to, on every way here, is like a value in what is known of its bits. */
  protected noted<T extends ValueType>(_variable: Variable<T>, _like: Expr<T>): void {}

  assign<T extends ValueType>(variable: Variable<T>, value: Expr<T>): void {
    lower(this.code, value);
    this.code.set((variable.get as unknown as { readonly index: number }).index);
  }

  if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void {
    if (condition.kind === 'const') {
      if (condition.value !== 0) then();
      else otherwise?.();
      return;
    }
    lower(this.code, condition);
    this.code.if(likely);
    then();
    if (otherwise !== undefined) {
      this.code.else();
      otherwise();
    }
    this.code.end();
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    const label = this.code.loop();
    body((condition) => {
      lower(this.code, condition);
      this.code.brIf(label);
    });
    this.code.end();
  }

  read<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, address: I32, offset = 0): Expr<T> {
    return read(op, address, offset);
  }

  write<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, address: I32, value: Expr<T>, offset = 0): void {
    lower(this.code, address);
    lower(this.code, value);
    this.code.access(op, offset);
  }

  atomic<T extends 'i32' | 'i64'>(op: AtomicOp & `${T}.atomic.${string}`, address: I32, ...operands: Expr<T>[]): Expr<T> {
    if (this.code.alone) return emitAlone(this, op, address, operands) as Expr<T>;
    lower(this.code, address);
    for (const operand of operands) lower(this.code, operand);
    this.code.atomic(op);
    return this.pop(typeOf(op) as T);
  }

  atomicStore<T extends 'i32' | 'i64'>(op: AtomicOp & `${T}.atomic.store${string}`, address: I32, value: Expr<T>): void {
    if (this.code.alone) {
      emitAlone(this, op, address, [value]);
      return;
    }
    lower(this.code, address);
    lower(this.code, value);
    this.code.atomic(op);
  }

  atomicFence(): void {
    if (!this.code.alone) this.code.atomicFence();
  }

  fill(address: I32, byte: I32, length: I32): void {
    for (const operand of [address, byte, length]) lower(this.code, operand);
    this.code.fill();
  }

  copy(to: I32, from: I32, length: I32): void {
    for (const operand of [to, from, length]) lower(this.code, operand);
    this.code.copy();
  }

  state<T extends ValueType>(op: MemoryOp & `${T}.load${string}`, offset: number): Expr<T> {
    return read(op, i32.const(0), this.#stateBase + offset);
  }

  setState<T extends ValueType>(op: MemoryOp & `${T}.store${string}`, offset: number, value: Expr<T>): void {
    this.write(op, i32.const(0), value, this.#stateBase + offset);
  }

  call<T extends ValueType>(name: string, result: T, args: readonly Expr[]): Expr<T> {
    for (const arg of args) lower(this.code, arg);
    this.code.call(this.callee(name));
    return this.pop(result);
  }

  protected callee(name: string): number {
    const callee = this.#callees.get(name);
    if (callee === undefined) throw new RangeError(`no function ${name} among the ISA's`);
    return callee;
  }
}
