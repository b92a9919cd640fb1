/** The architecture-independent vCPU: an architecture's vCPU behind a checked life cycle. */
import type { GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { getHostCpuNum, thisCpuId } from '@axvisor/axvisor_api/host';
import { newArchVCpu, VCpuState, type AxArchVCpu, type AxVCpu, type AxVCpuExitReason, type AxVCpuOptions } from '@axvisor/axvisor_api/vcpu';
import { Affinity } from './affinity.ts';
import type { CurrentVCpu } from './current.ts';
import { isAllowed, TRANSITIONS, wrongState, type Operation } from './state.ts';

const { Invalid, Created, Ready, Running } = VCpuState;

/** What may be done to a vCPU outside of its life cycle: everything but to one that is gone. */
const USABLE: readonly VCpuState[] = Object.values(VCpuState).filter((state) => state !== Invalid);

export class VirtualCpu implements AxVCpu {
  readonly id: number;
  readonly vmId: number;
  readonly affinity: Affinity;
  readonly arch: AxArchVCpu;
  readonly #current: CurrentVCpu;
  #state: VCpuState = Created;
  #boundTo: number | undefined;
  #isSetUp = false;
  #disposed = false;

  /** @throws {AxError} InvalidInput for bad numbers or an empty affinity set, and what the architecture throws */
  constructor(options: AxVCpuOptions, current: CurrentVCpu) {
    const { vmId, vcpuId } = options;
    ensure(Number.isInteger(vcpuId) && vcpuId >= 0, 'InvalidInput', `${String(vcpuId)} is not a vCPU number`);
    this.id = vcpuId;
    this.vmId = vmId;
    this.affinity = new Affinity(options.physCpuSet, options.favorPhysCpu);
    this.#current = current;
    this.arch = newArchVCpu(vmId, vcpuId, options.arch);
  }

  get isBsp(): boolean {
    return this.id === 0;
  }

  get favorPhysCpu(): number {
    return this.affinity.favorite;
  }

  get physCpuSet(): bigint | undefined {
    return this.affinity.set;
  }

  get state(): VCpuState {
    return this.#state;
  }

  /** The physical CPU it is bound to. */
  get boundTo(): number | undefined {
    return this.#boundTo;
  }

  setup(entry: GuestPhysAddr, root: NestedRoot, vmid: number): void {
    this.#transition('setup', () => {
      this.arch.setEntry(entry);
      this.arch.setEptRoot(root, vmid);
      this.arch.setup();
      this.#isSetUp = true;
    });
  }

  bind(): void {
    this.#transition('bind', () => {
      this.arch.bind();
      this.#boundTo = thisCpuId();
    });
  }

  unbind(): void {
    this.#transition('unbind', () => this.#release());
  }

  run(): AxVCpuExitReason {
    // Once for each exit: as #transition, without a closure.
    this.#begin('run');
    let next: VCpuState = Invalid;
    try {
      const exit = this.arch.run();
      next = Ready;
      return exit;
    } finally {
      this.#state = next;
      this.#current.leave();
    }
  }

  block(): void {
    this.#transition('block', () => this.#release());
  }

  unblock(): void {
    this.#transition('unblock', () => {});
  }

  reset(entry: GuestPhysAddr): void {
    this.#transition('reset', () => {
      if (this.#boundTo !== undefined) this.#release();
      this.arch.setEntry(entry);
      this.arch.setup();
    });
  }

  injectInterrupt(vector: number): void {
    this.#usable('inject an interrupt');
    this.arch.injectInterrupt(vector);
  }

  clearInterrupt(vector: number): void {
    this.#usable('clear an interrupt');
    this.arch.clearInterrupt(vector);
  }

  setGpr(index: number, value: bigint): void {
    this.#usable('set a register');
    this.arch.setGpr(index, value);
  }

  setReturnValue(value: bigint): void {
    this.#usable('set the return value');
    this.arch.setReturnValue(value);
  }

  /** Gives the architecture's resources back. @throws {AxError} BadState while it runs, or the second time */
  [Symbol.dispose](): void {
    this.#transition('dispose', () => {
      this.#disposed = true;
      if (this.#boundTo !== undefined) this.#release();
      this.arch[Symbol.dispose]();
    });
  }

  #release(): void {
    this.arch.unbind();
    this.#boundTo = undefined;
  }

  get #who(): string {
    return `vCPU ${this.id} of VM ${this.vmId}`;
  }

  #usable(what: string): void {
    if (this.#state === Invalid) throw this.#disposed ? this.#gone(what) : wrongState(this.#who, what, this.#state, USABLE);
  }

  #gone(what: string): Error {
    return axError('BadState', `${this.#who}: cannot ${what}, it has been disposed`);
  }

  /**
   * Carries out one operation of the transition table. Whatever is wrong before the architecture is called leaves the vCPU as
   * it was; an error of the architecture leaves it Invalid.
   */
  #transition<T>(operation: Operation, work: () => T): T {
    this.#begin(operation);
    let next: VCpuState = Invalid;
    try {
      const result = work();
      next = TRANSITIONS[operation].to;
      return result;
    } finally {
      this.#state = next;
      this.#current.leave();
    }
  }

  /** Checks that `operation` may start, makes this the CPU's current vCPU and puts it in the state of the operation. */
  #begin(operation: Operation): void {
    const { from, during } = TRANSITIONS[operation];
    const before = this.#state;
    if (this.#disposed) throw this.#gone(operation);
    if (!isAllowed(operation, before)) throw wrongState(this.#who, operation, before, from);
    this.#checkPlace(operation, before);
    this.#current.enter(this, operation);
    this.#state = during ?? before;
  }

  /** Checks of an operation beyond the state: the CPU, and that a nested page table was given. */
  #checkPlace(operation: Operation, before: VCpuState): void {
    const cpu = thisCpuId();
    if (operation === 'bind' && !this.affinity.allows(cpu, getHostCpuNum()))
      throw axError('OperationNotPermitted', `${this.#who}: may not run on CPU ${cpu}, its set of CPUs is 0b${(this.physCpuSet ?? 0n).toString(2)}`);
    if ((before === Ready || before === Running || before === Invalid) && this.#boundTo !== undefined && this.#boundTo !== cpu)
      throw axError('BadState', `${this.#who}: cannot ${operation} on CPU ${cpu}, it is bound to CPU ${this.#boundTo}`);
    if (operation === 'reset') ensure(this.#isSetUp, 'BadState', `${this.#who}: cannot reset, it was never set up`);
  }
}
