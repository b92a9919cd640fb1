/** A per-CPU variable of any JavaScript type, which lives in a thread. */
import { axError } from '@axvisor/axvisor_api/errors';
import type { PerCpu } from '@axvisor/axvisor_api/percpu';
import type { Preemption } from './preempt.ts';

/** What it needs of the areas; all throw BadState before these are initialised. */
export interface CpuAccess {
  readonly preemption: Preemption;
  currentCpu(): number;
  /** `cpu` itself. @throws {AxError} InvalidInput for an unknown CPU */
  checkCpu(cpu: number): number;
  /** Whether other threads use the same areas, which makes other CPUs' objects unreachable. */
  isShared(): boolean;
  /** Counts initialisations: what was stored before the last is void. */
  generation(): number;
}

/**
 * A variable of which each CPU has an object. It cannot leave its thread: where CPUs are threads (the areas are shared),
 * access to another CPU's is `Unsupported`.
 */
export class PerCpuObject<T> implements PerCpu<T> {
  readonly name: string;
  readonly #cpus: CpuAccess;
  readonly #init: (cpu: number) => T;
  /** By CPU; one that is not there has the initial value to come. */
  #cells: { value: T }[] = [];
  #generation = -1;

  /** @internal */
  constructor(cpus: CpuAccess, name: string, init: (cpu: number) => T) {
    this.#cpus = cpus;
    this.name = name;
    this.#init = init;
  }

  readCurrent(): T {
    return this.#read(this.#cpus.currentCpu());
  }

  writeCurrent(value: T): void {
    this.#write(this.#cpus.currentCpu(), value);
  }

  updateCurrent(f: (value: T) => T): T {
    return this.#cpus.preemption.run(() => {
      const cpu = this.#cpus.currentCpu();
      const value = f(this.#read(cpu));
      this.#write(cpu, value);
      return value;
    });
  }

  readRemote(cpu: number): T {
    return this.#read(this.#reachable(cpu));
  }

  writeRemote(cpu: number, value: T): void {
    this.#write(this.#reachable(cpu), value);
  }

  /** Makes the initial value anew, by calling its function. */
  resetToInit(): void {
    const cpu = this.#cpus.currentCpu();
    this.#write(cpu, this.#init(cpu));
  }

  #reachable(cpu: number): number {
    this.#cpus.checkCpu(cpu);
    if (this.#cpus.isShared() && cpu !== this.#cpus.currentCpu())
      throw axError('Unsupported', `'${this.name}' of CPU ${cpu} is an object in another thread`);
    return cpu;
  }

  #store(): ({ value: T } | undefined)[] {
    const generation = this.#cpus.generation();
    if (this.#generation !== generation) {
      this.#cells = [];
      this.#generation = generation;
    }
    return this.#cells;
  }

  #read(cpu: number): T {
    const cells = this.#store();
    return (cells[cpu] ??= { value: this.#init(cpu) }).value;
  }

  #write(cpu: number, value: T): void {
    const cells = this.#store();
    const cell = cells[cpu];
    if (cell === undefined) cells[cpu] = { value };
    else cell.value = value;
  }
}
