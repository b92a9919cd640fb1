/**
 * A guest that was left, in the registers of the processor: most exits end in an entry that only RIP is written for. Its state is saved when the hypervisor reads
 * it, and the host's is loaded when native software looks at what both have. Where the data of a VMCS is kept is the processor's business (SDM vol. 3, 25.1).
 */
import { vmcsFieldType } from '@axvisor/axvisor_api/arch/x86';
import type { Transition } from './transition.ts';
import { F, Vmcs } from './vmcs.ts';

const RIP_HIGH: number = Vmcs.word(F.guestRip) + 1;
const INTERRUPTIBILITY = Vmcs.word(F.guestInterruptibilityState);
const ENTRY_INTERRUPTION_INFORMATION = Vmcs.word(F.entryInterruptionInformation);

/** What every exit saves. */
const PROGRESS: ReadonlySet<number> = new Set([F.guestRip, F.guestRflags, F.guestInterruptibilityState, F.guestPendingDebugExceptions, F.guestActivityState]);
/** What may be written for an entry that goes on; with which values, {@link Residence.goesOn} says. */
const FREE: ReadonlySet<number> = new Set([F.guestRip, F.guestInterruptibilityState, F.entryInterruptionInformation, F.entryExceptionErrorCode, F.entryInstructionLength]);

/** By encoding of a field: bits of what concerns it. */
const LAZY = 1;
const FIXED = 2;
const kinds: Uint8Array = new Uint8Array(0x7000);
for (const field of Vmcs.fields) {
  // The entry controls say whether IA-32e mode is active.
  const lazy = (vmcsFieldType(field) === 'guest' && !PROGRESS.has(field)) || field === F.entryControls;
  kinds[field] = (lazy ? LAZY : 0) | (FREE.has(field) ? 0 : FIXED);
}

export class Residence {
  private readonly vmcs: Vmcs;
  private readonly transition: Transition;
  /** The registers of the guest are the processor's. */
  private isHere = false;
  /** All of them are in the VMCS. */
  private isSaved = true;
  /** A field that an entry would have to look at was written. */
  private isWritten = false;
  private ripHigh = 0;
  private blocking = 0;

  constructor(vmcs: Vmcs, transition: Transition) {
    this.vmcs = vmcs;
    this.transition = transition;
  }

  /** The guest was left, and {@link Transition.saveProgress} called. */
  stay(): void {
    this.isHere = true;
    this.isSaved = this.isWritten = false;
    this.ripHigh = this.vmcs.wordAt(RIP_HIGH);
    this.blocking = this.vmcs.wordAt(INTERRUPTIBILITY);
  }

  /** Whether an entry may go on with what the registers hold: nothing was written that it would check or load. */
  get goesOn(): boolean {
    const { vmcs } = this;
    if (!this.isHere || this.isWritten || vmcs.wordAt(RIP_HIGH) !== this.ripHigh || vmcs.wordAt(ENTRY_INTERRUPTION_INFORMATION) < 0) return false;
    const blocking = vmcs.wordAt(INTERRUPTIBILITY);
    return blocking === 0 || blocking === this.blocking;
  }

  /** A field is about to be read. */
  reads(field: number): void {
    if (!this.isSaved && (kinds[field & ~1]! & LAZY) !== 0) this.save();
  }

  /** A field is about to be written. */
  writes(field: number): void {
    if (!this.isHere || (kinds[field & ~1]! & FIXED) === 0) return;
    this.save();
    this.isWritten = true;
  }

  /** The VMCS holds all of the guest's state. */
  save(): void {
    if (this.isSaved) return;
    this.isSaved = true;
    this.transition.saveRest();
  }

  /** The same, and the registers are the host's. */
  evict(): void {
    this.save();
    if (!this.isHere) return;
    this.isHere = false;
    this.transition.loadHost();
  }

  /** The registers are the host's, or a guest runs. */
  end(): void {
    this.isHere = false;
    this.isSaved = true;
  }
}
