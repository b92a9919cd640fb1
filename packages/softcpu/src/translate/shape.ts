/** What an instruction does to the flow of control and to registers, found by running its definition once without generating code. */
import { isEverywhere } from '../ir/emitter.ts';
import type { Access, AccessSize, Emit, Emitter, ExclusiveSize, Linkage, Variable } from '../ir/emitter.ts';
import { local } from '../ir/expr.ts';
import type { Expr, I32, I64, V128 } from '../ir/expr.ts';
import type { FunctionDefinition } from '../ir/emitter.ts';
import type { Isa, StateLayout } from '../isa.ts';
import { isWhole } from '../ir/lanes.ts';
import { typeOf } from '../wasm/opcodes.ts';
import type { MemoryOp, ValueType } from '../wasm/opcodes.ts';
import { Fields } from './place.ts';
import type { Place } from './place.ts';

/** How an instruction ends. `mode`: in another MMU mode; `stop`: tier 0 executes it. */
export type Control = 'next' | 'branch' | 'jump' | 'jumpTo' | 'mode' | 'stop';

export interface Shape {
  readonly control: Control;
  /** What kind of jump it is. */
  readonly linkage?: Linkage;
  /** The MMU mode it enters at the next instruction. */
  readonly entered?: number;
  /** Fields of the registers read, and of those written on some ways only, which keep their value on others. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** It may leave the region on its way: faults, services, JavaScript functions. */
  readonly leaves: boolean;
  /** Words of the state block it reads, but for the pinned ones. */
  readonly words: readonly number[];
  /** Pinned words of the state block that it reads, and writes, as {@link reads} and {@link writes}. */
  readonly pinnedReads: readonly number[];
  readonly pinnedWrites: readonly number[];
  /** Vector registers, as {@link reads} and {@link writes}. Those written in part are read too. */
  readonly vectorReads: readonly Place[];
  readonly vectorWrites: readonly Place[];
  /** Vector registers that it reaches in the state block, and those of them that it changes there. */
  readonly spilled: readonly Place[];
  readonly reloaded: readonly Place[];
}

/** Of an instruction that only tier 0 executes. */
export const STOP: Shape = {
  control: 'stop', reads: [], writes: [], leaves: true, words: [], pinnedReads: [], pinnedWrites: [], vectorReads: [], vectorWrites: [], spilled: [], reloaded: [],
};

/** What was written so far; undefined: this way does not go on in translated code. */
type Written = ReadonlySet<string> | undefined;

/** What was written on either of two ways. */
const onBoth = (a: Written, b: Written): Written => (a === undefined || b === undefined ? (a ?? b) : new Set([...a].filter((key) => b.has(key))));

const i32Local: I32 = local('i32', 0);
const i64Local: I64 = local('i64', 0);
const v128Local: V128 = local('v128', 0);

/** What matters of the state block. */
export type ShapeState = Pick<StateLayout, 'pinned' | 'aligned'>;

class ShapeEmitter implements Emitter {
  control: Control = 'next';
  linkage: Linkage | undefined;
  entered: number | undefined;
  leaves = false;
  readonly reads = new Set<string>();
  readonly writes = new Set<string>();
  readonly words = new Set<number>();
  readonly pinnedReads = new Set<number>();
  readonly pinnedWrites = new Set<number>();
  readonly vectorReads = new Map<string, Place>();
  readonly vectorWrites = new Map<string, Place>();
  readonly spilled = new Map<string, Place>();
  readonly reloaded = new Map<string, Place>();
  readonly #fields = new Fields();
  readonly #functions: Readonly<Record<string, FunctionDefinition>>;
  readonly #pinned: readonly number[];
  readonly #aligned: number | undefined;
  #conditional = 0;
  #written: Written = new Set();

  constructor(functions: Readonly<Record<string, FunctionDefinition>>, { pinned = [], aligned }: ShapeState) {
    this.#functions = functions;
    this.#pinned = pinned;
    this.#aligned = aligned;
  }

  #memory(): void {
    this.leaves = true;
    if (this.#aligned !== undefined) this.words.add(this.#aligned);
  }

  #write(key: string): void {
    if (this.#written !== undefined) this.#written = new Set(this.#written).add(key);
  }

  /** Whether a write did not happen on every way to the end. */
  isPartial(key: string): boolean {
    return this.#written?.has(key) === false;
  }

  let<T extends ValueType>(value: Expr<T>): Expr<T> {
    return local(value.type as T, 0);
  }
  variable<T extends ValueType>(initial: Expr<T>): Variable<T> {
    return { get: local(initial.type as T, 0) };
  }
  assign(): void {}
  if(condition: I32, then: () => void, otherwise?: () => void): void {
    if (condition.kind === 'const') {
      if (condition.value !== 0) then();
      else otherwise?.();
      return;
    }
    this.#conditional++;
    const before = this.#written;
    then();
    const afterThen = this.#written;
    this.#written = before;
    otherwise?.();
    this.#written = onBoth(afterThen, this.#written);
    this.#conditional--;
  }
  loop(body: (again: (condition: I32) => void) => void): void {
    body(() => {});
  }
  read<T extends ValueType>(op: string): Expr<T> {
    return local(typeOf(op) as T, 0);
  }
  write(): void {}
  atomic<T extends 'i32' | 'i64'>(op: string): Expr<T> {
    return local(typeOf(op) as T, 0);
  }
  atomicStore(): void {}
  atomicFence(): void {}
  fill(): void {}
  copy(): void {}
  state<T extends ValueType>(op: string, offset: number): Expr<T> {
    (this.#pinned.includes(offset) ? this.pinnedReads : this.words).add(offset);
    return local(typeOf(op) as T, 0);
  }
  setState(_op: string, offset: number): void {
    if (!this.#pinned.includes(offset)) return;
    this.#write(`${offset}`);
    this.pinnedWrites.add(offset);
  }
  call<T extends ValueType>(name: string, result: T): Expr<T> {
    if (!isEverywhere(this.#functions[name])) this.#stop();
    return local(result, 0);
  }
  field(name: string): I32 {
    return this.#fields.field(name);
  }
  field64(): I64 {
    return i64Local;
  }
  reg(field: string): I64 {
    this.reads.add(field);
    return i64Local;
  }
  setReg(field: string): void {
    this.#write(field);
    this.writes.add(field);
  }
  #vector(uses: Map<string, Place>, place: I32, more: number): string {
    const key = this.#fields.key(place, more);
    uses.set(key, this.#fields.place(place, more));
    return key;
  }
  vector<T extends ValueType>(op: string, place: I32, more = 0): Expr<T> {
    this.#vector(this.vectorReads, place, more);
    return local(typeOf(op) as T, 0);
  }
  setVector(op: MemoryOp, place: I32, _value: Expr, more = 0): void {
    if (!isWhole(op)) this.#vector(this.vectorReads, place, more);
    this.#write(this.#vector(this.vectorWrites, place, more));
  }
  spill(place: I32): void {
    this.#vector(this.spilled, place, 0);
  }
  reload(place: I32): void {
    this.#write(this.#vector(this.reloaded, place, 0));
  }
  wants(): boolean {
    return true;
  }
  pc(): I64 {
    return i64Local;
  }
  nextPc(): I64 {
    return i64Local;
  }
  load(_access: Access, _address: I64): I64 {
    this.#memory();
    return i64Local;
  }
  loadForUpdate(_access: Access, _address: I64): I64 {
    this.#memory();
    return i64Local;
  }
  store(_size: AccessSize, _address: I64, _value: I64): void {
    this.#memory();
  }
  loadRow(_access: Access, _address: I64, count: number): readonly I64[] {
    this.#memory();
    return Array.from({ length: count }, () => i64Local);
  }
  storeRow(_size: AccessSize, _address: I64, _values: readonly I64[]): void {
    this.#memory();
  }
  loadVectors(_address: I64, count: number): readonly V128[] {
    this.#memory();
    return Array.from({ length: count }, () => v128Local);
  }
  storeVectors(_address: I64, _values: readonly V128[]): void {
    this.#memory();
  }
  hostAddress(_size: ExclusiveSize, _address: I64): I32 {
    this.#memory();
    return i32Local;
  }
  hostAddressRead(_size: ExclusiveSize, _address: I64): I32 {
    this.#memory();
    return i32Local;
  }
  cachedAddress(_address: I64): I32 {
    return i32Local;
  }
  forgetPage(): I32 {
    this.#stop();
    return i32Local;
  }
  inMode(_mode: I32, body: () => void): void {
    body();
  }
  #stop(): void {
    this.leaves = true;
    this.#written = undefined;
    if (this.#conditional === 0) this.control = 'stop';
  }
  service(): void {
    this.#stop();
  }
  fault(): void {
    this.#stop();
  }
  branch(): void {
    this.control = 'branch';
  }
  jump(linkage?: Linkage): void {
    this.control = 'jump';
    this.linkage = linkage;
  }
  jumpTo(_target: I64, linkage?: Linkage): void {
    this.control = 'jumpTo';
    this.linkage = linkage;
  }
  enterMode(mode: number, target?: I64): void {
    this.control = 'mode';
    if (target === undefined) this.entered = mode;
  }
}

export function shapeOf(emit: Emit, functions: Readonly<Record<string, FunctionDefinition>>, state: ShapeState = {}): Shape {
  const e = new ShapeEmitter(functions, state);
  emit(e);
  const { control, leaves } = e;
  // What keeps its value on some way is read.
  const kept = <T extends string | number>(writes: ReadonlySet<T>): T[] => [...writes].filter((key) => e.isPartial(`${key}`));
  const keptVectors = [...e.vectorWrites, ...e.reloaded].filter(([key]) => e.isPartial(key));
  return {
    control,
    ...(e.entered === undefined ? {} : { entered: e.entered }),
    ...(e.linkage === undefined ? {} : { linkage: e.linkage }),
    leaves,
    reads: [...new Set([...e.reads, ...kept(e.writes)])],
    writes: [...e.writes],
    words: [...e.words],
    pinnedReads: [...new Set([...e.pinnedReads, ...kept(e.pinnedWrites)])],
    pinnedWrites: [...e.pinnedWrites],
    vectorReads: [...new Map([...e.vectorReads, ...keptVectors]).values()],
    vectorWrites: [...e.vectorWrites.values()],
    spilled: [...e.spilled.values()],
    reloaded: [...e.reloaded.values()],
  };
}

const known = new WeakMap<Isa, (Shape | undefined)[]>();

/** Shapes of an ISA's instructions by their numbers, each found out once. */
export function shapesOf(isa: Isa): (instruction: number) => Shape {
  let shapes = known.get(isa);
  if (shapes === undefined) known.set(isa, (shapes = []));
  const found = shapes;
  return (instruction) => {
    const definition = isa.instructions[instruction] as Isa['instructions'][number];
    return (found[instruction] ??= definition.interpreted === true ? STOP : shapeOf(definition.emit, isa.functions, isa.state));
  };
}
