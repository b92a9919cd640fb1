/** The events that wait for a vCPU, and which of them the next entry delivers (SDM vol. 3, 6.9 "Priority Among Simultaneous Exceptions and Interrupts"). */
import { Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import type { LocalApic } from '@axvisor/axvisor_api/intc';
import { EventKind, type Guest, type GuestEvent } from './guest.ts';

const WORD = 32;

export class Events {
  /** Vectors asserted without a local APIC, one bit each. */
  readonly #requests = new Uint32Array(256 / WORD);
  /** Its delivery was interrupted by an exit. */
  #again: GuestEvent | undefined;
  /** Of an instruction that the hypervisor emulated. */
  #exception: GuestEvent | undefined;
  #nmi = false;
  #apic: LocalApic | undefined;

  attach(apic: LocalApic): void {
    this.#apic = apic;
  }

  reset(): void {
    this.#requests.fill(0);
    this.#again = this.#exception = undefined;
    this.#nmi = false;
  }

  raise(event: GuestEvent): void {
    this.#exception = event;
  }

  raiseNmi(): void {
    this.#nmi = true;
  }

  /** What the exit interrupted. An exception of the same instruction comes first, as it does on a processor. */
  deliverAgain(event: GuestEvent | undefined): void {
    if (event !== undefined) this.#again = event;
  }

  request(vector: number, level: boolean): void {
    const word = vector >>> 5;
    const bit = 1 << (vector & 31);
    const old = this.#requests[word] as number;
    this.#requests[word] = level ? old | bit : old & ~bit;
  }

  /** The highest vector asserted. */
  get #highest(): number | undefined {
    for (let word = this.#requests.length - 1; word >= 0; word--) {
      const bits = this.#requests[word] as number;
      if (bits !== 0) return word * WORD + 31 - Math.clz32(bits);
    }
    return undefined;
  }

  #pendingVector(): number | undefined {
    return this.#apic === undefined ? this.#highest : this.#apic.pending();
  }

  #acknowledge(): number {
    if (this.#apic !== undefined) return this.#apic.acknowledge();
    const vector = this.#highest as number;
    this.request(vector, false);
    return vector;
  }

  /** Whether HLT would end; `interruptible`: RFLAGS.IF. */
  pending(interruptible: boolean): boolean {
    return this.#again !== undefined || this.#exception !== undefined || this.#nmi || (interruptible && this.#pendingVector() !== undefined);
  }

  /** Programs the next entry. */
  prepare(guest: Guest): void {
    const interruptible = (guest.get('rflags') & Rflags.IF) !== 0n && !guest.shadowed;
    const event = this.#next(guest, interruptible);
    guest.inject(event);
    guest.openWindows(this.#pendingVector() !== undefined, this.#nmi);
  }

  #next(guest: Guest, interruptible: boolean): GuestEvent | undefined {
    const first = this.#exception ?? this.#again;
    if (first !== undefined) {
      if (this.#exception === undefined) this.#again = undefined;
      // An event whose delivery is interrupted by an exception of another instruction waits; of the same, it is the double fault's business.
      this.#exception = undefined;
      return first;
    }
    if (this.#nmi && !guest.nmiBlocked && !guest.shadowed) {
      this.#nmi = false;
      return { vector: Vector.NMI, kind: EventKind.nmi };
    }
    if (interruptible && this.#pendingVector() !== undefined) return { vector: this.#acknowledge(), kind: EventKind.external };
    return undefined;
  }
}
