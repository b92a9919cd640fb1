/**
 * The list registers ICH_LR<n>_EL2 (GIC specification IHI 0069, chapter 6): filled from the vCPU's controller before the guest runs, read
 * back when it has run. What does not fit waits for a maintenance interrupt: when at most one register is left in use (underflow).
 */
import { SYSREG, sysRegRead, sysRegWrite } from '@axvisor/axvisor_api/arch/arm';
import type { CpuInterrupts, InterruptState, VirtualInterrupt } from '@axvisor/axvisor_api/intc';
import { IchHcr, Lr } from '../fields.ts';

/** ICH_LR<n>_EL2 for an interrupt. */
export function listRegister({ intid, priority, group, pending, active, notifyEnd }: VirtualInterrupt): bigint {
  return (
    BigInt(intid) |
    (BigInt(priority & 0xff) << Lr.PRIORITY_SHIFT) |
    (group === 1 ? Lr.GROUP1 : 0n) |
    (pending ? Lr.PENDING : 0n) |
    (active ? Lr.ACTIVE : 0n) |
    (notifyEnd ? Lr.EOI : 0n)
  );
}

export class ListRegisters {
  /** How many hold interrupts that the controller left to the CPU. */
  #used = 0;
  /** How many are not zero on the processing element. */
  #written = 0;

  /** Fills `count` registers from `source` and enables the virtual CPU interface. */
  flush(source: CpuInterrupts, count: number): void {
    this.collect(source);
    const { interrupts, more } = source.flush(count);
    // A single register is never left over for an underflow to announce: its end has to be.
    const ends = more && count === 1 ? Lr.EOI : 0n;
    interrupts.forEach((interrupt, i) => sysRegWrite(SYSREG.ICH_LR_EL2 + i, listRegister(interrupt) | ends));
    for (let i = interrupts.length; i < this.#written; i++) sysRegWrite(SYSREG.ICH_LR_EL2 + i, 0n);
    this.#used = this.#written = interrupts.length;
    sysRegWrite(SYSREG.ICH_HCR_EL2, IchHcr.EN | (more && count > 1 ? IchHcr.UIE : 0n));
  }

  /** Gives the interrupts back to `source`, if there are any, and tells what became of them. */
  collect(source: CpuInterrupts): boolean {
    if (this.#used === 0) return false;
    const states: InterruptState[] = [];
    for (let i = 0; i < this.#used; i++) {
      const value = sysRegRead(SYSREG.ICH_LR_EL2 + i);
      states.push({ intid: Number(value & Lr.VINTID), pending: (value & Lr.PENDING) !== 0n, active: (value & Lr.ACTIVE) !== 0n });
    }
    this.#used = 0;
    source.sync(states, Number((sysRegRead(SYSREG.ICH_HCR_EL2) & IchHcr.EOI_COUNT) >> IchHcr.EOI_COUNT_SHIFT));
    return true;
  }

  /** The processing element's registers hold another vCPU's interrupts, or none: all of `count` are to be written. */
  forget(count: number): void {
    this.#used = 0;
    this.#written = count;
  }
}
