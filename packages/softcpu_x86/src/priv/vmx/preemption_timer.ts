/** The VMX-preemption timer: counts down in VMX non-root operation at a fraction of the rate of the TSC (SDM vol. 3, 26.5.1). */
import { lowWord } from '../registers.ts';
import { PREEMPTION_SHIFT } from './capabilities.ts';
import { F, type Vmcs } from './vmcs.ts';

export class PreemptionTimer {
  private readonly vmcs: Vmcs;
  private readonly tsc: () => bigint;
  /** TSC at which it is zero; undefined: it is not active. */
  private deadline: bigint | undefined;

  constructor(vmcs: Vmcs, tsc: () => bigint) {
    this.vmcs = vmcs;
    this.tsc = tsc;
  }

  /** Counts from the value in the VMCS, if the control is set. */
  start(active: boolean): void {
    this.deadline = active ? this.tsc() + (BigInt(this.vmcs.lo(F.vmxPreemptionTimerValue) >>> 0) << BigInt(PREEMPTION_SHIFT)) : undefined;
  }

  get expired(): boolean {
    return this.deadline !== undefined && this.tsc() >= this.deadline;
  }

  /** Ticks of the TSC until it expires. */
  ticks(): number | undefined {
    return this.deadline === undefined ? undefined : Math.max(0, Number(this.deadline - this.tsc()));
  }

  /** What an exit saves of it. */
  value(): number {
    const left = this.deadline === undefined ? 0n : this.deadline - this.tsc();
    return left <= 0n ? 0 : lowWord(left >> BigInt(PREEMPTION_SHIFT));
  }
}
