/** A processing element's virtualization: what EL2 programs before it runs guests (Arm ARM, D1.5 "Virtualization"). */
import { SYSREG, sysRegWrite, tlbiAll } from '@axvisor/axvisor_api/arch/arm';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import type { AxArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { hasEl2, type PeFeatures } from './features.ts';
import { CNTHCTL_GUEST, CPTR_GUEST, HCR_GUEST, Hcr, ICC_SRE_ALL, Mdcr } from './fields.ts';
import type { Pe, Pes } from './pes.ts';
import { maxLevels } from './stage2.ts';

/** MDCR_EL2: all counters are the guest's; without counters their registers trap. */
export function mdcrValue({ pmuCounters }: Pick<PeFeatures, 'pmuCounters'>): bigint {
  const debug = Mdcr.TDA | Mdcr.TDOSA | Mdcr.TDRA;
  return pmuCounters === undefined ? debug | Mdcr.TPM | Mdcr.TPMCR : debug | BigInt(pmuCounters);
}

export class ArmPerCpu implements AxArchPerCpu {
  readonly #pes: Pes;
  readonly #cpu: number;

  constructor(pes: Pes, cpu: number) {
    this.#pes = pes;
    this.#cpu = cpu;
  }

  isEnabled(): boolean {
    return this.#pes.find(this.#cpu)?.enabled === true;
  }

  /** @throws {AxError} Unsupported without EL2, ResourceBusy if it is enabled already, BadState on another CPU */
  hardwareEnable(): void {
    ensure(thisCpuId() === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${thisCpuId()}, which this runs on`);
    initProcessor(this.#cpu);
    if (!hasEl2()) throw axError('Unsupported', `CPU ${this.#cpu} has no EL2 for AArch64 guests`);
    const pe = this.#here();
    ensure(!pe.enabled, 'ResourceBusy', `virtualization is enabled on CPU ${this.#cpu} already`);
    sysRegWrite(SYSREG.HCR_EL2, HCR_GUEST);
    sysRegWrite(SYSREG.CPTR_EL2, CPTR_GUEST);
    sysRegWrite(SYSREG.HSTR_EL2, 0n);
    sysRegWrite(SYSREG.MDCR_EL2, mdcrValue(pe.features));
    sysRegWrite(SYSREG.CNTHCTL_EL2, CNTHCTL_GUEST);
    if (pe.features.listRegisters !== undefined) {
      sysRegWrite(SYSREG.ICC_SRE_EL2, ICC_SRE_ALL);
      sysRegWrite(SYSREG.ICH_HCR_EL2, 0n);
    }
    tlbiAll();
    pe.enabled = true;
  }

  /** @throws {AxError} BadState if it is not enabled, or on another CPU */
  hardwareDisable(): void {
    const pe = this.#here();
    ensure(pe.enabled, 'BadState', `virtualization is not enabled on CPU ${this.#cpu}`);
    pe.loaded?.evict();
    if (pe.features.listRegisters !== undefined) sysRegWrite(SYSREG.ICH_HCR_EL2, 0n);
    sysRegWrite(SYSREG.VTTBR_EL2, 0n);
    sysRegWrite(SYSREG.HCR_EL2, Hcr.RW);
    pe.enabled = false;
  }

  maxGuestPageTableLevels(): number {
    return maxLevels(this.#here().features);
  }

  #here(): Pe {
    const pe = this.#pes.current();
    ensure(pe.cpu === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${pe.cpu}, which this runs on`);
    return pe;
  }
}
