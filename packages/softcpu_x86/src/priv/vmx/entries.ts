/** VM entries and exits: what VMLAUNCH and VMRESUME check, load and inject, and what an exit saves (SDM vol. 3, chapters 27 and 28). */
import { EXIT_REASON_ENTRY_FAILURE, EntryControl, ExitReason, InterruptionInfo, ProcControl2, VMFAIL_INVALID, VMSUCCEED, VmInstructionError, type VmxResult } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { SHARED } from '../../state.ts';
import type { Ept } from '../ept.ts';
import type { Events } from '../events.ts';
import { CR0, CR4, EVENT } from '../fields.ts';
import { Waiting } from '../interface.ts';
import type { Msrs } from '../msrs.ts';
import type { Paging } from '../paging.ts';
import type { Physical } from '../physical.ts';
import { slot, type Registers } from '../registers.ts';
import { Checks, type Rule } from './checks.ts';
import { controlRules } from './check_controls.ts';
import { guestRules } from './check_guest.ts';
import { hostRules } from './check_host.ts';
import type { ExitDetails, VmxParts } from './exit.ts';
import { VmxGuest } from './guest.ts';
import { ENTRY_MSR_LOAD_COUNT, EXIT_MSR_LOAD_COUNT, MsrLists } from './msr_lists.ts';
import { Residence } from './residence.ts';
import { Transition } from './transition.ts';
import { F, Vmcs } from './vmcs.ts';

const E = VmInstructionError;

/** What entries and exits take of the processor. */
export interface EntryParts {
  readonly regs: Registers;
  readonly paging: Paging;
  readonly physical: Physical;
  readonly events: Events;
  readonly msrs: Msrs;
  readonly ept: Ept;
  /** The guest runs from now on: its controls, or none. */
  readonly attach: (guest: VmxGuest) => void;
}

/** What deciding about exits takes beside that. */
export type GuestParts = Omit<VmxParts, 'vmcs' | 'leave' | 'tsc'>;

/** The rules in the order in which entries look at them. */
const RULES: readonly Rule[] = [...controlRules, ...hostRules, ...guestRules];
/** The VM-instruction error of a rule, 0 where the host's state is loaded instead. */
const ERRORS: readonly number[] = [...controlRules.map(() => E.entryInvalidControlFields), ...hostRules.map(() => E.entryInvalidHostState), ...guestRules.map(() => 0)];

/** The VPID of entries that have none, which is the host's. */
const NO_VPID = 0;
/** Who owns translations, as {@link Translations.setOwner} takes it. */
const owners: string[] = [];
export const ownerOf = (vpid: number): string => (owners[vpid] ??= `vpid${vpid}`);

/** Words that every entry and exit look at. */
const PRIMARY_PROCESSOR_BASED_CONTROLS = Vmcs.word(F.primaryProcessorBasedControls);
const SECONDARY_PROCESSOR_BASED_CONTROLS = Vmcs.word(F.secondaryProcessorBasedControls);
const GUEST_CR4 = Vmcs.word(F.guestCr4);
const GUEST_CR0 = Vmcs.word(F.guestCr0);
const ENTRY_CONTROLS = Vmcs.word(F.entryControls);
const EPT_POINTER = Vmcs.word(F.eptPointer);
const VIRTUAL_PROCESSOR_IDENTIFIER = Vmcs.word(F.virtualProcessorIdentifier);
const ENTRY_INTERRUPTION_INFORMATION = Vmcs.word(F.entryInterruptionInformation);
const EXIT_REASON = Vmcs.word(F.exitReason);
const EXIT_QUALIFICATION = Vmcs.word(F.exitQualification);
const EXIT_INTERRUPTION_INFORMATION = Vmcs.word(F.exitInterruptionInformation);
const EXIT_INTERRUPTION_ERROR_CODE = Vmcs.word(F.exitInterruptionErrorCode);
const IDT_VECTORING_INFORMATION = Vmcs.word(F.idtVectoringInformation);
const IDT_VECTORING_ERROR_CODE = Vmcs.word(F.idtVectoringErrorCode);
const EXIT_INSTRUCTION_LENGTH = Vmcs.word(F.exitInstructionLength);

export class Entries {
  readonly guest: VmxGuest;
  readonly residence: Residence;
  /** The first rule that the last entry broke, for people. */
  refused: Rule | undefined;
  private readonly p: EntryParts;
  private readonly vmcs: Vmcs;
  private readonly lists: MsrLists;
  private readonly transition: Transition;
  private readonly checks: Checks;
  /** The current guest may stay in the registers when it is left: see {@link Residence}. */
  private mayStay = false;

  constructor(parts: EntryParts, guestParts: GuestParts, vmcs: Vmcs) {
    this.p = parts;
    const { regs, physical, paging, msrs } = parts;
    this.vmcs = vmcs;
    this.lists = new MsrLists(vmcs, physical, msrs);
    this.transition = new Transition(regs, vmcs);
    this.residence = new Residence(vmcs, this.transition);
    this.checks = new Checks(RULES, vmcs, physical, paging.addressReservedHi);
    this.guest = new VmxGuest({ ...guestParts, vmcs, leave: (reason, details) => this.leave(reason, details), tsc: () => msrs.tsc() });
  }

  /** VMLAUNCH or VMRESUME. {@link VMSUCCEED}: the guest is to run, or was left already ({@link Registers.exited}). */
  enter(launch: boolean): VmxResult {
    const { regs } = this.p;
    const { vmcs } = this;
    this.refused = undefined;
    regs.exited = false;
    if (vmcs.place < 0) return VMFAIL_INVALID;
    if (launch === vmcs.launched) return vmcs.fail(launch ? E.vmlaunchNonClearVmcs : E.vmresumeNonLaunchedVmcs);
    if (this.residence.goesOn) {
      this.residence.end();
      this.transition.goOn();
      this.guest.goOn();
      this.p.events.vectoring = 0;
      return VMSUCCEED;
    }
    this.residence.save();
    const broken = this.checks.violated();
    if (broken >= 0) {
      this.refused = RULES[broken]!;
      const error = ERRORS[broken]!;
      return error !== 0 ? this.vmcs.fail(error) : this.refuse(ExitReason.entryFailureGuestState, this.refused.qualification ?? 0);
    }
    return this.load(launch);
  }

  /** An entry that failed after the host state was found good. */
  private refuse(reason: number, qualification: number): VmxResult {
    const { vmcs } = this;
    vmcs.set(F.exitReason, reason | EXIT_REASON_ENTRY_FAILURE);
    vmcs.set(F.exitQualification, qualification);
    this.host();
    return VMSUCCEED;
  }

  private load(launch: boolean): VmxResult {
    const { regs, paging, ept, events, attach } = this.p;
    const { vmcs, guest, transition } = this;
    const secondary = vmcs.wordAt(PRIMARY_PROCESSOR_BASED_CONTROLS) < 0 ? vmcs.wordAt(SECONDARY_PROCESSOR_BASED_CONTROLS) : 0;
    const nested = (secondary & ProcControl2.enableEpt) !== 0;
    const guestCr4 = vmcs.wordAt(GUEST_CR4);
    const long = (vmcs.wordAt(ENTRY_CONTROLS) & EntryControl.ia32eModeGuest) !== 0;
    const pae = (vmcs.wordAt(GUEST_CR0) & CR0.PG) !== 0 && (guestCr4 & CR4.PAE) !== 0 && !long;
    if (pae && nested && !this.pdptesValid()) return this.refuse(ExitReason.entryFailureGuestState, 2);
    if (nested) ept.load(vmcs.wordAt(EPT_POINTER), vmcs.wordAt(EPT_POINTER + 1));
    paging.use(nested ? ept : undefined);
    const tagged = (secondary & ProcControl2.enableVpid) !== 0;
    const owner = ownerOf(tagged ? vmcs.wordAt(VIRTUAL_PROCESSOR_IDENTIFIER) & 0xffff : NO_VPID);
    if (!tagged) regs.translations.flushOwner(owner);
    regs.translations.setOwner(owner, nested ? ept.name : '');
    this.residence.end();
    // What MSR loading changes must not be what translations were cached with: it comes after the guest's registers.
    transition.loadGuest(pae && nested);
    if (pae && !nested && paging.loadPdptes(regs.sys[slot.cr3]!) !== true) return this.refuse(ExitReason.entryFailureGuestState, 2);
    const failed = this.lists.load(ENTRY_MSR_LOAD_COUNT, F.entryMsrLoadAddress);
    if (failed !== 0) return this.refuse(ExitReason.entryFailureMsrLoading, failed);
    if (launch) vmcs.launched = true;
    // Hypervisors of several processors look at a VMCS that is current on another one, between its exits.
    const alone = regs.words[regs.base + (SHARED >> 2)] === 0;
    this.mayStay = alone && tagged && !this.checks.areVolatile && this.lists.areEmpty;
    attach(guest);
    guest.begin();
    const info = vmcs.wordAt(ENTRY_INTERRUPTION_INFORMATION);
    events.vectoring = 0;
    if (info < 0) this.inject(info);
    return VMSUCCEED;
  }

  private pdptesValid(): boolean {
    const { vmcs } = this;
    const { paging } = this.p;
    return [F.guestPdpte0, F.guestPdpte1, F.guestPdpte2, F.guestPdpte3].every((field) => paging.pdpteValid(vmcs.lo(field), vmcs.hi(field)));
  }

  private inject(info: number): void {
    const { vmcs } = this;
    const { regs, events } = this.p;
    const kind = (info >>> 8) & 7;
    if (kind === EVENT.other) {
      this.guest.trapAtOnce();
      return;
    }
    regs.waiting = Waiting.no;
    events.inject({
      vector: info & 0xff,
      kind,
      hasError: (info & InterruptionInfo.errorCodeValid) !== 0,
      errorCode: vmcs.lo(F.entryExceptionErrorCode),
      length: vmcs.lo(F.entryInstructionLength),
    });
  }

  // ── exits ──

  private leave(reason: number, details: ExitDetails): void {
    const { vmcs, transition } = this;
    const { events, regs } = this.p;
    vmcs.setWord(EXIT_REASON, reason);
    vmcs.setWord(EXIT_QUALIFICATION, details.qualificationLo ?? 0);
    vmcs.setWord(EXIT_QUALIFICATION + 1, details.qualificationHi ?? 0);
    const information = details.information ?? 0;
    vmcs.setWord(EXIT_INTERRUPTION_INFORMATION, information);
    if ((information & InterruptionInfo.errorCodeValid) !== 0) vmcs.setWord(EXIT_INTERRUPTION_ERROR_CODE, details.errorCode ?? 0);
    vmcs.setWord(IDT_VECTORING_INFORMATION, events.vectoring);
    if ((events.vectoring & InterruptionInfo.errorCodeValid) !== 0) vmcs.setWord(IDT_VECTORING_ERROR_CODE, events.vectoringError);
    vmcs.setWord(EXIT_INSTRUCTION_LENGTH, events.vectoring !== 0 ? events.vectoringLength : (details.length ?? 0));
    vmcs.setWord(ENTRY_INTERRUPTION_INFORMATION, vmcs.wordAt(ENTRY_INTERRUPTION_INFORMATION) & 0x7fff_ffff);
    if (reason === ExitReason.tripleFault) regs.waiting = Waiting.shutdown;
    transition.saveProgress(details.resume ?? false);
    if (this.mayStay && regs.waiting === Waiting.no && regs.pendingDebug === 0) {
      this.residence.stay();
      regs.exited = true;
      return;
    }
    transition.saveRest();
    if (!this.lists.store()) this.abort(1);
    this.host();
  }

  private host(): void {
    const { regs } = this.p;
    this.residence.end();
    this.transition.loadHost();
    regs.exited = true;
    if (this.lists.load(EXIT_MSR_LOAD_COUNT, F.exitMsrLoadAddress) !== 0) this.abort(4);
  }

  /** A VMX abort: the hypervisor's own lists are wrong, and it could not go on. */
  private abort(indicator: number): never {
    const { regs } = this.p;
    regs.words[(this.vmcs.place + 4) >> 2] = indicator;
    throw axError('BadState', `VMX abort ${indicator}: an MSR list of the VMCS cannot be ${indicator === 1 ? 'stored' : 'loaded'}`);
  }
}
