/** A physical CPU's virtualization: switched on and off through the architecture, on that CPU itself. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { getHostCpuNum, thisCpuId } from '@axvisor/axvisor_api/host';
import { newArchPerCpu, type AxArchPerCpu, type AxPerCpu } from '@axvisor/axvisor_api/vcpu';

export class VirtualizedCpu implements AxPerCpu {
  readonly cpuId: number;
  readonly arch: AxArchPerCpu;
  readonly #onDispose: () => void;
  #disposed = false;

  constructor(cpuId: number, arch: AxArchPerCpu, onDispose: () => void) {
    this.cpuId = cpuId;
    this.arch = arch;
    this.#onDispose = onDispose;
  }

  isEnabled(): boolean {
    return !this.#disposed && this.arch.isEnabled();
  }

  /** @throws {AxError} BadState if it is enabled already, or on another CPU; Unsupported without the extension */
  hardwareEnable(): void {
    this.#here('enable');
    ensure(!this.arch.isEnabled(), 'BadState', `virtualization is enabled on CPU ${this.cpuId} already`);
    this.arch.hardwareEnable();
  }

  /** @throws {AxError} BadState if it is not enabled, or on another CPU */
  hardwareDisable(): void {
    this.#here('disable');
    ensure(this.arch.isEnabled(), 'BadState', `virtualization is not enabled on CPU ${this.cpuId}`);
    this.arch.hardwareDisable();
  }

  maxGuestPageTableLevels(): number {
    return this.arch.maxGuestPageTableLevels();
  }

  /** Disables what is enabled. @throws {AxError} BadState the second time, or on another CPU while enabled */
  [Symbol.dispose](): void {
    ensure(!this.#disposed, 'BadState', `the virtualization state of CPU ${this.cpuId} has been disposed already`);
    if (this.arch.isEnabled()) this.hardwareDisable();
    this.#disposed = true;
    this.#onDispose();
  }

  #here(what: string): void {
    ensure(!this.#disposed, 'BadState', `cannot ${what} virtualization on CPU ${this.cpuId}: its state has been disposed`);
    const cpu = thisCpuId();
    if (cpu !== this.cpuId) throw axError('BadState', `cannot ${what} virtualization of CPU ${this.cpuId} on CPU ${cpu}`);
  }
}

/** The CPUs that are prepared for virtualization. */
export class VirtualizedCpus {
  readonly #prepared = new Map<number, VirtualizedCpu>();

  /**
   * Prepares CPU `cpu`. It counts as prepared only once the architecture has succeeded.
   *
   * @throws {AxError} InvalidInput for a CPU the host lacks, BadState if it is prepared already
   */
  init(cpu: number): VirtualizedCpu {
    ensure(Number.isInteger(cpu) && cpu >= 0 && cpu < getHostCpuNum(), 'InvalidInput', `the host has no CPU ${String(cpu)}`);
    ensure(!this.#prepared.has(cpu), 'BadState', `CPU ${cpu} is prepared for virtualization already`);
    const prepared = new VirtualizedCpu(cpu, newArchPerCpu(cpu), () => this.#prepared.delete(cpu));
    this.#prepared.set(cpu, prepared);
    return prepared;
  }
}
