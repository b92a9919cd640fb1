/** How an instruction ends that the hypervisor carried out for the guest: RIP moves on, with the trap of a single step, or there is an exception. */
import { Cr0, Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import type { EmulatedCpu } from './emulate/machine.ts';
import type { Events } from './events.ts';
import { EventKind, type Guest } from './guest.ts';
import type { GuestFault } from './paging.ts';

const TF = Number(Rflags.TF);
const PE = Number(Cr0.PE);
/** DR6: the instruction before was the step of one. */
const DR6_BS = 0x4000n;

export class Completion {
  readonly #guest: Guest;
  readonly #events: Events;
  readonly #cpu: () => EmulatedCpu;

  constructor(guest: Guest, events: Events, cpu: () => EmulatedCpu) {
    this.#guest = guest;
    this.#events = events;
    this.#cpu = cpu;
  }

  /** The instruction is done: RIP moves on. @param isShadowed - interrupts and traps wait for the next one. */
  advance(length: number, isShadowed = false): void {
    const guest = this.#guest;
    if (!guest.skip(length)) {
      const rip = guest.get('rip') + BigInt(length);
      guest.set('rip', this.#cpu().mode.long ? BigInt.asUintN(64, rip) : BigInt.asUintN(32, rip));
      guest.clearShadow();
    }
    if (isShadowed) guest.setShadow();
    else this.trapStep();
  }

  /** The instruction is done, and has set RIP. */
  jumped(): void {
    this.#guest.clearShadow();
    this.trapStep();
  }

  /** An instruction, or a part of one that repeats, was carried out for a guest that steps: #DB follows (SDM vol. 3, 18.3.1.4). */
  trapStep(): void {
    if ((this.#guest.low('rflags') & TF) === 0) return;
    this.#guest.addToDr6(DR6_BS);
    this.#events.raise({ vector: Vector.DB, kind: EventKind.exception });
  }

  raise({ vector, errorCode, address }: GuestFault): void {
    if (address !== undefined) this.#guest.setCr2(address);
    // Real-address mode has no error codes, and VM entry refuses them there.
    const hasError = errorCode !== undefined && (this.#guest.low('cr0') & PE) !== 0;
    this.#events.raise({ vector, kind: EventKind.exception, ...(hasError ? { errorCode } : {}) });
  }
}
