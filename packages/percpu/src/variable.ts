/** A per-CPU variable in shared memory. */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { PerCpu } from '@axvisor/axvisor_api/percpu';
import type { Preemption } from './preempt.ts';
import type { Slot } from './template.ts';
import type { PerCpuType, PrimitiveType, StructType, StructValue, Views } from './types.ts';

/** What a variable needs of the areas; all throw BadState before these are initialised. */
export interface AreaAccess {
  readonly preemption: Preemption;
  /** Start of the current CPU's area. */
  currentBase(): number;
  /** Start of a CPU's area. @throws {AxError} InvalidInput for an unknown CPU */
  baseOf(cpu: number): number;
  views(): Views;
  /** Writes the initial value of `slot` to the area at `base`. */
  restore(base: number, slot: Slot): void;
}

/**
 * A variable of which each CPU has one in shared memory, seen by all threads. Primitives are read and written in one step;
 * structs and arrays element by element.
 */
export class PerCpuVariable<T> implements PerCpu<T> {
  readonly name: string;
  readonly type: PerCpuType<T>;
  protected readonly areas: AreaAccess;
  protected readonly slot: () => Slot;
  protected readonly delta: number;

  /** @internal */
  constructor(areas: AreaAccess, name: string, type: PerCpuType<T>, slot: () => Slot, delta = 0) {
    this.areas = areas;
    this.name = name;
    this.type = type;
    this.slot = slot;
    this.delta = delta;
  }

  /** From the start of the area; the same for all CPUs. */
  get offset(): number {
    return this.slot().offset + this.delta;
  }

  /** Where the current CPU's value lies in physical memory. */
  currentAddress(): HostPhysAddr {
    return BigInt(this.areas.currentBase() + this.offset) as HostPhysAddr;
  }

  /** Where a CPU's value lies. @throws {AxError} InvalidInput for an unknown CPU */
  remoteAddress(cpu: number): HostPhysAddr {
    return BigInt(this.areas.baseOf(cpu) + this.offset) as HostPhysAddr;
  }

  readCurrent(): T {
    return this.#load(this.areas.currentBase());
  }

  /** @throws {AxError} InvalidInput for a value that the type has not */
  writeCurrent(value: T): void {
    this.#store(this.areas.currentBase(), value);
  }

  updateCurrent(f: (value: T) => T): T {
    return this.withCurrent((ref) => (ref.value = f(ref.value)));
  }

  /** Runs `f` with preemption disabled on a reference to the current CPU's value; returns what `f` does. */
  withCurrent<R>(f: (ref: { value: T }) => R): R {
    return this.areas.preemption.run(() => {
      const base = this.areas.currentBase();
      const load = (): T => this.#load(base);
      const store = (value: T): void => this.#store(base, value);
      return f({
        get value() {
          return load();
        },
        set value(value) {
          store(value);
        },
      });
    });
  }

  readRemote(cpu: number): T {
    return this.#load(this.areas.baseOf(cpu));
  }

  /** @throws {AxError} InvalidInput for an unknown CPU, or a value that the type has not */
  writeRemote(cpu: number, value: T): void {
    this.#store(this.areas.baseOf(cpu), value);
  }

  resetToInit(): void {
    this.#reset(this.areas.currentBase());
  }

  /** Restores the initial value on a CPU. */
  resetRemote(cpu: number): void {
    this.#reset(this.areas.baseOf(cpu));
  }

  #load(base: number): T {
    return this.type.load(this.areas.views(), base + this.offset);
  }

  #store(base: number, value: T): void {
    this.type.check(value);
    this.type.store(this.areas.views(), base + this.offset, value);
  }

  #reset(base: number): void {
    const { name } = this;
    this.areas.restore(base, { name, type: this.type, offset: this.offset });
  }
}

/** A variable of a primitive type. */
export class PerCpuPrimitive<T> extends PerCpuVariable<T> {
  /**
   * Stores `replacement` on a CPU if the value there is `expected`, in one step; returns the value before.
   *
   * @throws {AxError} InvalidInput for an unknown CPU, or a value that the type has not
   */
  compareExchange(cpu: number, expected: T, replacement: T): T {
    const type = this.type as PrimitiveType<T>;
    type.check(expected);
    type.check(replacement);
    return type.compareExchange(this.areas.views(), this.areas.baseOf(cpu) + this.offset, expected, replacement);
  }
}

/** A variable of a struct type. */
export class PerCpuStruct<F extends object> extends PerCpuVariable<StructValue<F>> {
  /** One field, as a variable of its own. */
  field<K extends keyof F & string>(name: K): VariableOf<F[K]> {
    const { fields, offsets } = this.type as unknown as StructType<F>;
    const { slot, delta } = this;
    return variable(this.areas, `${this.name}.${name}`, fields[name] as PerCpuType<unknown>, slot, delta + offsets[name]) as VariableOf<F[K]>;
  }
}

/** The class of variables of a type. */
export type VariableOf<Type> =
  Type extends StructType<infer F extends object>
    ? PerCpuStruct<F>
    : Type extends PrimitiveType<infer T>
      ? PerCpuPrimitive<T>
      : Type extends PerCpuType<infer T>
        ? PerCpuVariable<T>
        : never;

/** Makes a variable of the class that suits `type`. */
export function variable(areas: AreaAccess, name: string, type: PerCpuType<unknown>, slot: () => Slot, delta = 0): PerCpuVariable<unknown> {
  if ('compareExchange' in type) return new PerCpuPrimitive(areas, name, type, slot, delta);
  if ('fields' in type) return new PerCpuStruct(areas, name, type as PerCpuType<object>, slot, delta);
  return new PerCpuVariable(areas, name, type, slot, delta);
}
