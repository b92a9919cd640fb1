/** A logical processor's VMX operation: entered and left (SDM vol. 3, 24.7, 24.8, 32.5). */
import { Cr4, FeatureControl, MemoryType, Msr, VMSUCCEED, cpuid, rdmsr, readCr, vmxoff, vmxon, writeCr, wrmsr } from '@axvisor/axvisor_api/arch/x86';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { deallocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import type { AxArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { zeroedFrame } from '../context.ts';
import type { Cpus } from '../cpus.ts';
import { noneIsCurrent } from './current.ts';

const VMX_FEATURE = 1 << 5;
const XSAVE_FEATURE = 1 << 26;
/** Bits 44:32 of IA32_VMX_BASIC: bytes of a region. */
const REGION_SIZE = 4096n;

export const hasVmx = (): boolean => (cpuid(1, 0).ecx & VMX_FEATURE) !== 0;

/** The identifier that VMXON regions and VMCSs begin with. */
export const revisionId = (): number => Number(rdmsr(Msr.IA32_VMX_BASIC) & 0x7fff_ffffn);

/** A frame that begins with the revision identifier. @throws {AxError} NoMemory */
export function vmxRegion(): HostPhysAddr {
  const frame = zeroedFrame();
  physMemory().words[Number(frame) >>> 2] = revisionId();
  return frame;
}

/** @throws {AxError} Unsupported if regions, memory type or controls are not as this package programs them */
function checkBasics(): void {
  const basic = rdmsr(Msr.IA32_VMX_BASIC);
  const demands: readonly (readonly [boolean, string])[] = [
    [((basic >> 32n) & 0x1fffn) === REGION_SIZE, 'regions are not 4096 bytes'],
    [((basic >> 50n) & 0xfn) === BigInt(MemoryType.WB), 'regions are not write-back memory'],
    [((basic >> 48n) & 1n) === 0n, 'addresses of regions are limited to 32 bits'],
    [((basic >> 54n) & 1n) === 1n, 'exits of INS and OUTS have no information'],
    [((basic >> 55n) & 1n) === 1n, 'there are no true controls'],
  ];
  for (const [holds, why] of demands) if (!holds) throw axError('Unsupported', `VMX cannot be used: ${why}`);
}

/** @throws {AxError} BadState if a control register lacks bits that VMX operation fixes */
function checkFixedBits(cr: 0 | 4, value: bigint, fixed0: number, fixed1: number): void {
  const mustBe1 = rdmsr(fixed0);
  const mayBe1 = rdmsr(fixed1);
  ensure((value & mustBe1) === mustBe1 && (value & ~mayBe1) === 0n, 'BadState', `CR${cr} is 0x${value.toString(16)}: VMX operation wants 0x${mustBe1.toString(16)} set and nothing beyond 0x${mayBe1.toString(16)}`);
}

export class VmxPerCpu implements AxArchPerCpu {
  readonly #cpus: Cpus;
  readonly #cpu: number;
  #region: HostPhysAddr | undefined;

  constructor(cpus: Cpus, cpu: number) {
    this.#cpus = cpus;
    this.#cpu = cpu;
  }

  isEnabled(): boolean {
    return this.#region !== undefined;
  }

  /** @throws {AxError} Unsupported without VMX or where firmware locked it, ResourceBusy if it is on already, BadState on another CPU */
  hardwareEnable(): void {
    ensure(thisCpuId() === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${thisCpuId()}, which this runs on`);
    initProcessor(this.#cpu);
    if (!hasVmx()) throw axError('Unsupported', `CPU ${this.#cpu} has no VMX`);
    ensure((readCr(4) & Cr4.VMXE) === 0n, 'ResourceBusy', `VMX is in use on CPU ${this.#cpu} already`);
    if ((cpuid(1, 0).ecx & XSAVE_FEATURE) !== 0) writeCr(4, readCr(4) | Cr4.OSXSAVE);
    this.#unlock();
    checkBasics();
    checkFixedBits(0, readCr(0), Msr.IA32_VMX_CR0_FIXED0, Msr.IA32_VMX_CR0_FIXED1);
    checkFixedBits(4, readCr(4) | Cr4.VMXE, Msr.IA32_VMX_CR4_FIXED0, Msr.IA32_VMX_CR4_FIXED1);
    const region = vmxRegion();
    writeCr(4, readCr(4) | Cr4.VMXE);
    const result = vmxon(region);
    if (result !== VMSUCCEED) {
      writeCr(4, readCr(4) & ~Cr4.VMXE);
      deallocFrame(region);
      throw axError('BadState', `VMXON failed on CPU ${this.#cpu} with ${result}`);
    }
    this.#region = region;
    this.#cpus.enable(this.#cpu);
  }

  #unlock(): void {
    const control = rdmsr(Msr.IA32_FEATURE_CONTROL);
    if ((control & FeatureControl.LOCK) === 0n) wrmsr(Msr.IA32_FEATURE_CONTROL, control | FeatureControl.LOCK | FeatureControl.VMX_OUTSIDE_SMX);
    else if ((control & FeatureControl.VMX_OUTSIDE_SMX) === 0n) throw axError('Unsupported', `firmware has switched VMX off on CPU ${this.#cpu}`);
  }

  /** @throws {AxError} BadState if it is not on */
  hardwareDisable(): void {
    const region = this.#region;
    if (region === undefined) throw axError('BadState', `VMX is not in use on CPU ${this.#cpu}`);
    this.#cpus.disable(this.#cpu);
    vmxoff();
    noneIsCurrent();
    writeCr(4, readCr(4) & ~Cr4.VMXE);
    deallocFrame(region);
    this.#region = undefined;
  }

  maxGuestPageTableLevels(): number {
    return maxEptLevels();
  }
}

/** EPT of 5 levels, of 4. */
const EPT_5_LEVELS = 1n << 7n;
export const maxEptLevels = (): number => ((rdmsr(Msr.IA32_VMX_EPT_VPID_CAP) & EPT_5_LEVELS) === 0n ? 4 : 5);
