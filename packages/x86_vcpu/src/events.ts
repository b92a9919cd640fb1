/** The events that wait for a vCPU, and which of them the next entry delivers (SDM vol. 3, 6.9 "Priority Among Simultaneous Exceptions and Interrupts"). */
import { Rflags, Vector } from '@axvisor/axvisor_api/arch/x86';
import { ensure } from '@axvisor/axvisor_api/errors';
import { ApicPin, type LocalApic } from '@axvisor/axvisor_api/intc';
import { Control } from './context.ts';
import { EventKind, type Guest, type GuestEvent } from './guest.ts';

const IF = Number(Rflags.IF);
const WORD = 32;
const REQUEST_WORDS = 256 / WORD;

/** The pins of the local APIC, a bit each. */
export const PinBit = { intr: 1, nmi: 2, init: 4, sipi: 8 } as const;

export class Events {
  /** {@link Control}: pins and requests, which other threads drive. */
  readonly #control: Int32Array;
  /** Its delivery was interrupted by an exit. */
  #again: GuestEvent | undefined;
  /** Of an instruction that the hypervisor emulated. */
  #exception: GuestEvent | undefined;
  /** NMIs that wait: one while another is handled, else two, of which the first is delivered at once (SDM vol. 3, 6.7.1). */
  #nmis = 0;
  #apic: LocalApic | undefined;
  /** {@link #signals} that the last entry took note of. */
  #prepared = 0;

  constructor(control: Int32Array) {
    this.#control = control;
  }

  attach(apic: LocalApic): void {
    this.#apic = apic;
  }

  /** Forgets what was to be delivered; pins are wires, and stay as they are. */
  reset(): void {
    this.#again = this.#exception = undefined;
    this.#nmis = 0;
  }

  raise(event: GuestEvent): void {
    this.#exception = event;
  }

  /** @param isBlocked - one is being handled. */
  raiseNmi(isBlocked: boolean): void {
    this.#nmis = Math.min(this.#nmis + 1, isBlocked ? 1 : 2);
  }

  /** What the exit interrupted. An exception of the same instruction comes first, as it does on a processor. */
  deliverAgain(event: GuestEvent | undefined): void {
    if (event !== undefined) this.#again = event;
  }

  /** The processor delivered one that was left to it. */
  nmiDelivered(): void {
    this.#nmis--;
  }

  /** What the exit interrupted is delivered. */
  delivered(): void {
    this.#again = undefined;
  }

  /** Whether the delivery of `vector` was interrupted by the last exit. */
  isInterrupted(vector: number): boolean {
    return this.#again?.vector === vector;
  }

  /** Vectors asserted without a local APIC are withdrawn. */
  clearRequests(): void {
    for (let word = 0; word < REQUEST_WORDS; word++) Atomics.store(this.#control, Control.requests + word, 0);
  }

  /** Drives a pin of the local APIC (`ApicPin`), or a vector where there is none. @throws {AxError} InvalidInput for what is neither a vector from 16 on nor a pin */
  set(vector: number, level: boolean): void {
    if (vector >= ApicPin.intr && vector <= ApicPin.sipi) return this.#set(Control.pins, 1 << (vector - ApicPin.intr), level);
    ensure(Number.isInteger(vector) && vector >= 16 && vector < 256, 'InvalidInput', `${vector} is neither an interrupt vector nor a pin of the local APIC`);
    this.#request(vector, level);
  }

  #request(vector: number, level: boolean): void {
    this.#set(Control.requests + (vector >>> 5), 1 << (vector & 31), level);
  }

  #set(word: number, bits: number, level: boolean): void {
    if (level) Atomics.or(this.#control, word, bits);
    else Atomics.and(this.#control, word, ~bits);
  }

  /** Which of {@link PinBit} are asserted. */
  get pins(): number {
    return Atomics.load(this.#control, Control.pins);
  }

  /** The highest vector asserted without a local APIC. */
  get #highest(): number | undefined {
    for (let word = REQUEST_WORDS - 1; word >= 0; word--) {
      const bits = Atomics.load(this.#control, Control.requests + word);
      if (bits !== 0) return word * WORD + 31 - Math.clz32(bits);
    }
    return undefined;
  }

  /** An interrupt waits for RFLAGS.IF. */
  get #interrupted(): boolean {
    if (this.#apic === undefined) return this.#highest !== undefined;
    // Another thread may have asserted it for a request that was taken meanwhile.
    return (this.pins & PinBit.intr) !== 0 && this.#apic.requests;
  }

  #acknowledge(): number {
    if (this.#apic !== undefined) return this.#apic.acknowledge();
    const vector = this.#highest as number;
    this.#request(vector, false);
    return vector;
  }

  /** Whether HLT would end; `interruptible`: RFLAGS.IF. */
  pending(interruptible: boolean): boolean {
    const now = this.#again !== undefined || this.#exception !== undefined || this.#nmis > 0 || (this.pins & (PinBit.nmi | PinBit.init)) !== 0;
    return now || (interruptible && this.#interrupted);
  }

  /** What is asserted, as far as a change of it has to be seen. */
  get #signals(): number {
    return this.#apic === undefined ? (this.pins << 8) | ((this.#highest ?? -1) + 1) : this.pins;
  }

  /** Something came since the last {@link prepare}. */
  get isDue(): boolean {
    return this.#signals !== this.#prepared;
  }

  /** Programs the next entry. */
  prepare(guest: Guest): void {
    this.#prepared = this.#signals;
    guest.inject(this.#next(guest));
    guest.openWindows(this.#interrupted, this.#nmis > 0);
  }

  #next(guest: Guest): GuestEvent | undefined {
    const first = this.#exception ?? this.#again;
    if (first !== undefined) {
      if (this.#exception === undefined) this.#again = undefined;
      // An event whose delivery is interrupted by an exception of another instruction waits; of the same, it is the double fault's business.
      this.#exception = undefined;
      return first;
    }
    if (this.#nmis > 0 && !guest.nmiBlocked && !guest.shadowed) {
      this.#nmis--;
      return { vector: Vector.NMI, kind: EventKind.nmi };
    }
    if (this.#interrupted && (guest.low('rflags') & IF) !== 0 && !guest.shadowed) return { vector: this.#acknowledge(), kind: EventKind.external };
    return undefined;
  }
}
