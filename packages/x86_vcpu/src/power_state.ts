/** How a vCPU comes to execute its first instruction: by RESET, INIT and startup IPIs, or the hypervisor's word (SDM vol. 3, 9.4, 10.1). */
import { Gpr } from '@axvisor/axvisor_api/arch/x86';
import { currentTicks } from '@axvisor/axvisor_api/time';
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import { Control, type Context } from './context.ts';
import type { Cpus, VmCpus } from './cpus.ts';
import { setRegisters } from './dump.ts';
import type { Guest } from './guest.ts';
import type { GuestMsrs } from './msr.ts';
import { entryPoint, resetRegisters, startRegisters } from './power_on.ts';
import type { SharedState } from './shared_state.ts';

const RESET_VECTOR = 0xffff_fff0n;

/** What of a vCPU has a state after power-on. */
export interface PowerParts {
  readonly vcpuId: number;
  readonly guest: Guest;
  readonly context: Context;
  readonly shared: SharedState;
  readonly msrs: GuestMsrs;
  readonly cpus: Cpus;
  readonly vm: VmCpus;
  /** The state that a boot protocol asks for. */
  readonly start: X86Start | undefined;
}

export class PowerState {
  /** Guest physical address at which execution begins. */
  entry = 0n;
  readonly #p: PowerParts;
  /** What is to be done before it runs next. */
  #starts: (() => void) | undefined;

  constructor(parts: PowerParts) {
    this.#p = parts;
  }

  /** It waits for a startup IPI. */
  get waitsForSipi(): boolean {
    return this.#p.context.control[Control.waitsForSipi] !== 0;
  }

  set waitsForSipi(waits: boolean) {
    this.#p.context.control[Control.waitsForSipi] = Number(waits);
  }

  /** RESET, of all vCPUs of a VM. */
  reset(): void {
    const { vcpuId, vm } = this.#p;
    // One moment for all of them: their counters agree.
    if (vcpuId === 0) vm.start = currentTicks();
    this.waitsForSipi = vcpuId !== 0;
    this.#startBy(() => this.#powerOn());
  }

  /** Begins at a place, with an argument in RDI. */
  startAt(entry: bigint, arg: bigint): void {
    this.waitsForSipi = false;
    this.#startBy(() => {
      this.#powerOn();
      const { selector, base, ip } = entryPoint(entry);
      resetRegisters(this.#p.guest, selector, base, ip);
      this.#p.context.set(Gpr.RDI, arg);
    });
  }

  #startBy(starts: () => void): void {
    this.#starts = starts;
    if (this.#p.cpus.enabledHere) this.begin();
  }

  /** Puts the control structure in the state that was asked for. */
  begin(): void {
    const starts = this.#starts;
    if (starts === undefined) return;
    this.#starts = undefined;
    starts();
    this.#p.guest.unbind();
  }

  #powerOn(): void {
    const { guest, context, shared, msrs, vm, start } = this.#p;
    context.clear();
    context.control[Control.translations] = 0;
    shared.reset();
    guest.reset();
    msrs.reset(vm.start);
    if (start === undefined) {
      const { selector, base, ip } = entryPoint(this.entry);
      resetRegisters(guest, selector, base, ip);
    } else {
      startRegisters(guest, start);
      setRegisters(guest, context, start.registers);
    }
  }

  /** INIT keeps MSRs, x87 and vector registers. */
  init(): void {
    const { guest, context, vcpuId } = this.#p;
    for (let index = 0; index < 16; index++) if (index !== Gpr.RSP) context.set(index, 0n);
    const { selector, base, ip } = entryPoint(RESET_VECTOR);
    resetRegisters(guest, selector, base, ip);
    this.waitsForSipi = vcpuId !== 0;
  }

  /** A startup IPI. */
  startUp(vector: number): void {
    const { guest } = this.#p;
    guest.setSegment('cs', { ...guest.segment('cs'), selector: vector << 8, base: BigInt(vector) << 12n });
    guest.set('rip', 0n);
    this.waitsForSipi = false;
  }
}
