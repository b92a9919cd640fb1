/** A processor's SVM: switched on and off (APM vol. 2, 15.4, 15.30). */
import { Cr4, Efer, Msr, VmCr, cpuid, rdmsr, readCr, writeCr, wrmsr } from '@axvisor/axvisor_api/arch/x86';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { deallocFrame } from '@axvisor/axvisor_api/memory';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import type { AxArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { zeroedFrame } from '../context.ts';
import type { Cpus } from '../cpus.ts';

const SVM_FEATURE = 1 << 2;
const SVM_LEAF = 0x8000_000a;
/** Leaf 0x8000_000a, EDX, what is used. */
const FEATURES: readonly (readonly [bit: number, name: string])[] = [[0, 'nested paging'], [3, 'NRIP save'], [25, 'virtual NMIs']];
const XSAVE_FEATURE = 1 << 26;

export const hasSvm = (): boolean => (cpuid(0x8000_0001, 0).ecx & SVM_FEATURE) !== 0;
/** Address-space identifiers there are; 0 is the host's. */
export const asidCount = (): number => cpuid(SVM_LEAF, 0).ebx;

export class SvmPerCpu implements AxArchPerCpu {
  readonly #cpus: Cpus;
  readonly #cpu: number;
  #hostSave: HostPhysAddr | undefined;

  constructor(cpus: Cpus, cpu: number) {
    this.#cpus = cpus;
    this.#cpu = cpu;
  }

  isEnabled(): boolean {
    return this.#hostSave !== undefined;
  }

  /** @throws {AxError} Unsupported without SVM or one of its features that are used, or where firmware disabled it; ResourceBusy if it is on; BadState on another CPU */
  hardwareEnable(): void {
    ensure(thisCpuId() === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${thisCpuId()}, which this runs on`);
    initProcessor(this.#cpu);
    if (!hasSvm()) throw axError('Unsupported', `CPU ${this.#cpu} has no SVM`);
    ensure((rdmsr(Msr.IA32_EFER) & Efer.SVME) === 0n, 'ResourceBusy', `SVM is in use on CPU ${this.#cpu} already`);
    if ((rdmsr(Msr.VM_CR) & VmCr.SVMDIS) !== 0n) throw axError('Unsupported', `firmware has switched SVM off on CPU ${this.#cpu}`);
    const { edx } = cpuid(SVM_LEAF, 0);
    const missing = FEATURES.filter(([bit]) => ((edx >>> bit) & 1) === 0);
    if (missing.length > 0) throw axError('Unsupported', `the SVM of CPU ${this.#cpu} lacks ${missing.map(([, name]) => name).join(', ')}`);
    if ((cpuid(1, 0).ecx & XSAVE_FEATURE) !== 0) writeCr(4, readCr(4) | Cr4.OSXSAVE);
    const area = zeroedFrame();
    wrmsr(Msr.IA32_EFER, rdmsr(Msr.IA32_EFER) | Efer.SVME);
    wrmsr(Msr.VM_HSAVE_PA, BigInt(area));
    this.#hostSave = area;
    this.#cpus.enable(this.#cpu);
  }

  /** @throws {AxError} BadState if it is not on */
  hardwareDisable(): void {
    const area = this.#hostSave;
    if (area === undefined) throw axError('BadState', `SVM is not in use on CPU ${this.#cpu}`);
    this.#cpus.disable(this.#cpu);
    wrmsr(Msr.VM_HSAVE_PA, 0n);
    wrmsr(Msr.IA32_EFER, rdmsr(Msr.IA32_EFER) & ~Efer.SVME);
    deallocFrame(area);
    this.#hostSave = undefined;
  }

  /** Nested paging walks as long mode does. */
  maxGuestPageTableLevels(): number {
    return 4;
  }
}
