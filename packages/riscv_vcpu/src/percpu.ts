/** A physical hart's virtualization: what HS-mode programs before it runs guests (privileged specification 1.13, chapter 21). */
import { CSR, csrClear, csrRead, csrSet, csrWrite } from '@axvisor/axvisor_api/arch/riscv';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { thisCpuId } from '@axvisor/axvisor_api/host';
import { initProcessor } from '@axvisor/axvisor_api/processor';
import type { AxArchPerCpu } from '@axvisor/axvisor_api/vcpu';
import { GUEST_EXCEPTIONS } from './exits.ts';
import { hasHypervisorExtension } from './features.ts';
import { SInterrupt, VsInterrupt } from './fields.ts';
import type { Hart, Harts } from './harts.ts';

/** hedeleg: every exception that a guest handles itself. */
export const HEDELEG: bigint = GUEST_EXCEPTIONS.reduce((bits, cause) => bits | (1n << BigInt(cause)), 0n);

/** All user-level counters. */
const ALL_COUNTERS = 0xffff_ffffn;

export class RiscvPerCpu implements AxArchPerCpu {
  readonly #harts: Harts;
  readonly #cpu: number;

  constructor(harts: Harts, cpu: number) {
    this.#harts = harts;
    this.#cpu = cpu;
  }

  isEnabled(): boolean {
    return this.#harts.find(this.#cpu)?.enabled === true;
  }

  /** @throws {AxError} Unsupported without the H extension, ResourceBusy if it is enabled already, BadState on another CPU */
  hardwareEnable(): void {
    ensure(thisCpuId() === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${thisCpuId()}, which this runs on`);
    initProcessor(this.#cpu);
    if (!hasHypervisorExtension()) throw axError('Unsupported', `CPU ${this.#cpu} has no H extension`);
    const hart = this.#here();
    ensure(!hart.enabled, 'ResourceBusy', `virtualization is enabled on CPU ${this.#cpu} already`);
    csrWrite(CSR.hideleg, VsInterrupt.ALL);
    if ((csrRead(CSR.hideleg) & VsInterrupt.ALL) !== VsInterrupt.ALL) throw axError('Unsupported', `CPU ${this.#cpu} cannot delegate interrupts to guests`);
    // What does not stick is reflected by software.
    csrWrite(CSR.hedeleg, HEDELEG);
    csrWrite(CSR.hvip, 0n);
    csrWrite(CSR.hgeie, 0n);
    csrWrite(CSR.hcounteren, ALL_COUNTERS);
    csrWrite(CSR.henvcfg, hart.features.henvcfg);
    csrSet(CSR.sie, SInterrupt.ALL);
    hart.enabled = true;
  }

  /** @throws {AxError} BadState if it is not enabled, or on another CPU */
  hardwareDisable(): void {
    const hart = this.#here();
    ensure(hart.enabled, 'BadState', `virtualization is not enabled on CPU ${this.#cpu}`);
    hart.loaded?.evict();
    csrClear(CSR.sie, SInterrupt.ALL);
    for (const csr of [CSR.hgatp, CSR.hvip, CSR.hideleg, CSR.hedeleg, CSR.hcounteren, CSR.henvcfg]) csrWrite(csr, 0n);
    hart.enabled = false;
  }

  maxGuestPageTableLevels(): number {
    return this.#here().features.sv48x4 ? 4 : 3;
  }

  #here(): Hart {
    const hart = this.#harts.current();
    ensure(hart.cpu === this.#cpu, 'BadState', `CPU ${this.#cpu} is not CPU ${hart.cpu}, which this runs on`);
    return hart;
  }
}
