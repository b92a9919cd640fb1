/** VMX root operation for a native hypervisor: VMXON to VMRESUME, VMREAD and VMWRITE, INVEPT and INVVPID, VM entries and exits (SDM vol. 3, chapters 27 to 31). */
import { EXIT_REASON_ENTRY_FAILURE, EntryControl, ExitReason, InterruptionInfo, InvvpidType, VMFAIL_INVALID, ProcControl2, VMSUCCEED, VmInstructionError, type VmxResult } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { SHARED } from '../../state.ts';
import type { Ept } from '../ept.ts';
import type { Events } from '../events.ts';
import { CR0, CR4, EVENT } from '../fields.ts';
import { Waiting } from '../interface.ts';
import { storable } from '../linear.ts';
import type { Msrs } from '../msrs.ts';
import type { Paging } from '../paging.ts';
import type { Physical } from '../physical.ts';
import { highWord, lowWord, slot, toNumber, type Registers } from '../registers.ts';
import { FIXED, VMCS_REVISION } from './capabilities.ts';
import { Checks, type Rule } from './checks.ts';
import { controlRules } from './check_controls.ts';
import { guestRules } from './check_guest.ts';
import { hostRules } from './check_host.ts';
import type { ExitDetails } from './exit.ts';
import { VmxGuest } from './guest.ts';
import { Residence } from './residence.ts';
import { Transition } from './transition.ts';
import { F, Vmcs, type Field } from './vmcs.ts';

const E = VmInstructionError;

export interface OperationParts {
  readonly regs: Registers;
  readonly paging: Paging;
  readonly physical: Physical;
  readonly events: Events;
  readonly msrs: Msrs;
  readonly ept: Ept;
  /** The guest runs from now on: its controls, or none. */
  readonly attach: (guest: VmxGuest) => void;
}

/** The rules in the order in which entries look at them. */
const RULES: readonly Rule[] = [...controlRules, ...hostRules, ...guestRules];
/** The VM-instruction error of a rule, 0 where the host's state is loaded instead. */
const ERRORS: readonly number[] = [...controlRules.map(() => E.entryInvalidControlFields), ...hostRules.map(() => E.entryInvalidHostState), ...guestRules.map(() => 0)];

/** The VPID of entries that have none, which is the host's. */
const NO_VPID = 0;
/** Who owns translations, as {@link Translations.setOwner} takes it. */
const owners: string[] = [];
const ownerOf = (vpid: number): string => (owners[vpid] ??= `vpid${vpid}`);

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
const ENTRY_MSR_LOAD_COUNT = Vmcs.word(F.entryMsrLoadCount);
const EXIT_MSR_STORE_COUNT = Vmcs.word(F.exitMsrStoreCount);
const EXIT_MSR_LOAD_COUNT = Vmcs.word(F.exitMsrLoadCount);

export class VmxOperation {
  readonly vmcs: Vmcs;
  readonly guest: VmxGuest;
  /** The first rule that the last entry broke, for people. */
  refused: Rule | undefined;
  private readonly p: OperationParts;
  private readonly transition: Transition;
  private readonly residence: Residence;
  private readonly checks: Checks;
  /** The current guest may stay in the registers when it is left: see {@link Residence}. */
  private mayStay = false;
  private vmxonAddress = -1n;

  constructor(parts: OperationParts, guestParts: Omit<ConstructorParameters<typeof VmxGuest>[0], 'vmcs' | 'leave' | 'tsc'>) {
    this.p = parts;
    const { regs, physical, paging, msrs } = parts;
    this.vmcs = new Vmcs(regs);
    this.transition = new Transition(regs, this.vmcs);
    this.residence = new Residence(this.vmcs, this.transition);
    this.checks = new Checks(RULES, this.vmcs, physical, paging.addressReservedHi);
    this.guest = new VmxGuest({ ...guestParts, vmcs: this.vmcs, leave: (reason, details) => this.leave(reason, details), tsc: () => msrs.tsc() });
  }

  reset(): void {
    this.residence.end();
    this.vmxonAddress = -1n;
    this.vmcs.use();
  }

  get on(): boolean {
    return this.vmxonAddress >= 0n;
  }

  private need(): void {
    if (!this.on) throw axError('BadState', 'the processor is not in VMX operation');
  }

  /** Sets the VM-instruction error, if there is a VMCS for it. */
  private fail(error: number): VmxResult {
    if (this.vmcs.place < 0) return VMFAIL_INVALID;
    this.vmcs.set(F.vmInstructionError, error);
    return error;
  }

  /** Place of a 4 KiB region, -1 if the address is none. */
  private region(address: bigint): number {
    const lo = lowWord(address);
    if ((lo & 0xfff) !== 0 || (highWord(address) & this.p.paging.addressReservedHi) !== 0) return -1;
    return this.p.physical.place(toNumber(lo, highWord(address)), 4096);
  }

  vmxon(address: bigint): VmxResult {
    const { regs } = this.p;
    const { sys } = regs;
    if ((regs.cr4 & CR4.VMXE) === 0) throw axError('BadState', 'VMXON with CR4.VMXE clear raises #UD');
    if (this.on) return this.fail(E.vmxonInRoot);
    const enabled = (sys[slot.featureControl]! & 5) === 5;
    if (!enabled || (regs.cr0 & FIXED.cr0Zero) !== FIXED.cr0Zero) throw axError('BadState', 'VMXON raises #GP: IA32_FEATURE_CONTROL or CR0');
    const place = this.region(address);
    if (place < 0 || regs.words[place >> 2] !== VMCS_REVISION) return VMFAIL_INVALID;
    this.vmxonAddress = address;
    this.vmcs.use();
    return VMSUCCEED;
  }

  /** Native software looks at registers that guests have, too. */
  evict(): void {
    this.residence.evict();
  }

  vmxoff(): VmxResult {
    this.need();
    this.evict();
    this.reset();
    return VMSUCCEED;
  }

  vmclear(address: bigint): VmxResult {
    this.need();
    this.evict();
    const place = this.region(address);
    if (place < 0) return this.fail(E.vmclearInvalidAddress);
    if (address === this.vmxonAddress) return this.fail(E.vmclearVmxonPointer);
    Vmcs.setLaunched(this.p.regs, place, false);
    if (address === this.vmcs.address) this.vmcs.use();
    return VMSUCCEED;
  }

  vmptrld(address: bigint): VmxResult {
    this.need();
    this.evict();
    const place = this.region(address);
    if (place < 0) return this.fail(E.vmptrldInvalidAddress);
    if (address === this.vmxonAddress) return this.fail(E.vmptrldVmxonPointer);
    if (this.p.regs.words[place >> 2] !== VMCS_REVISION) return this.fail(E.vmptrldIncorrectRevision);
    this.vmcs.use(place, address);
    return VMSUCCEED;
  }

  vmptrst(): bigint {
    this.need();
    return BigInt.asUintN(64, this.vmcs.address);
  }

  /** The value, or how VMREAD failed. */
  vmread(field: number): { readonly value: bigint } | { readonly failure: VmxResult } {
    this.need();
    if (this.vmcs.place < 0) return { failure: VMFAIL_INVALID };
    if (!Vmcs.has(field)) return { failure: this.fail(E.unsupportedVmcsComponent) };
    this.residence.reads(field);
    return { value: this.vmcs.read(field) };
  }

  /** Whether VMWRITE succeeds. */
  private writable(field: number): VmxResult {
    this.need();
    if (this.vmcs.place < 0) return VMFAIL_INVALID;
    if (!Vmcs.has(field)) return this.fail(E.unsupportedVmcsComponent);
    if (Vmcs.readOnly(field)) return this.fail(E.vmwriteReadOnlyComponent);
    this.residence.writes(field);
    return VMSUCCEED;
  }

  vmwrite(field: number, value: bigint): VmxResult {
    const result = this.writable(field);
    if (result === VMSUCCEED) this.vmcs.write(field, value);
    return result;
  }

  /** {@link vmread} of the low half, or how it failed, as a negative number. */
  vmreadLow(field: number): number {
    this.need();
    if (this.vmcs.place < 0) return VMFAIL_INVALID;
    if (!Vmcs.has(field)) return -this.fail(E.unsupportedVmcsComponent);
    this.residence.reads(field);
    return this.vmcs.readLow(field);
  }

  vmwriteLow(field: number, value: number): VmxResult {
    const result = this.writable(field);
    if (result === VMSUCCEED) this.vmcs.writeLow(field, value);
    return result;
  }

  invept(type: number, eptp: bigint): VmxResult {
    this.need();
    const lo = lowWord(eptp);
    const memoryType = lo & 7;
    const valid = (memoryType === 0 || memoryType === 6) && ((lo >>> 3) & 7) === 3 && (lo & 0xf80) === 0 && (highWord(eptp) & this.p.paging.addressReservedHi) === 0;
    if ((type !== 1 && type !== 2) || (type === 1 && !valid)) return this.fail(E.invalidOperandToInveptInvvpid);
    this.flush();
    return VMSUCCEED;
  }

  invvpid(type: number, vpid: number, linear: bigint): VmxResult {
    this.need();
    const bad = type < 0 || type > 3 || vpid < 0 || vpid > 0xffff || (type !== 2 && vpid === 0) || (type === 0 && !storable(highWord(linear)));
    if (bad) return this.fail(E.invalidOperandToInveptInvvpid);
    const { regs } = this.p;
    const T = InvvpidType;
    if (type === T.allContexts) regs.translations.flush();
    else if (type === T.individualAddress) regs.translations.invalidate(lowWord(linear), highWord(linear));
    else regs.translations.flushOwner(ownerOf(vpid));
    return VMSUCCEED;
  }

  /** Drops all that depends on second-stage tables. */
  flush(): void {
    this.p.ept.flush();
    this.p.regs.translations.flush();
  }

  // ── entries ──

  /** VMLAUNCH or VMRESUME. {@link VMSUCCEED}: the guest is to run, or was left already ({@link Registers.exited}). */
  enter(launch: boolean): VmxResult {
    this.need();
    const { regs } = this.p;
    const { vmcs } = this;
    this.refused = undefined;
    regs.exited = false;
    if (vmcs.place < 0) return VMFAIL_INVALID;
    if (launch === vmcs.launched) return this.fail(launch ? E.vmlaunchNonClearVmcs : E.vmresumeNonLaunchedVmcs);
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
      return error !== 0 ? this.fail(error) : this.refuse(ExitReason.entryFailureGuestState, this.refused.qualification ?? 0);
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
    paging.secondStage = nested ? ept : undefined;
    const tagged = (secondary & ProcControl2.enableVpid) !== 0;
    const owner = ownerOf(tagged ? vmcs.wordAt(VIRTUAL_PROCESSOR_IDENTIFIER) & 0xffff : NO_VPID);
    if (!tagged) regs.translations.flushOwner(owner);
    regs.translations.setOwner(owner, nested ? ept.name : '');
    this.residence.end();
    // What MSR loading changes must not be what translations were cached with: it comes after the guest's registers.
    transition.loadGuest(pae && nested);
    if (pae && !nested && paging.loadPdptes(regs.sys[slot.cr3]!) !== true) return this.refuse(ExitReason.entryFailureGuestState, 2);
    const failed = this.loadMsrs(ENTRY_MSR_LOAD_COUNT, F.entryMsrLoadAddress);
    if (failed !== 0) return this.refuse(ExitReason.entryFailureMsrLoading, failed);
    if (launch) vmcs.launched = true;
    // Hypervisors of several processors look at a VMCS that is current on another one, between its exits.
    const alone = regs.words[regs.base + (SHARED >> 2)] === 0;
    this.mayStay = alone && tagged && !this.checks.areVolatile && [ENTRY_MSR_LOAD_COUNT, EXIT_MSR_STORE_COUNT, EXIT_MSR_LOAD_COUNT].every((count) => vmcs.wordAt(count) === 0);
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

  /** Loads an MSR list (SDM vol. 3, 27.4), whose length is in the word `count`; the number of the entry that cannot be loaded, 0 if all can. */
  private loadMsrs(count: number, address: Field): number {
    const { vmcs } = this;
    const { physical, msrs } = this.p;
    const entries = vmcs.wordAt(count);
    if (entries === 0) return 0;
    const base = toNumber(vmcs.lo(address), vmcs.hi(address));
    for (let i = 0; i < entries; i++) {
      const at = base + 16 * i;
      const index = physical.read(at, 4) >>> 0;
      const reserved = physical.read(at + 4, 4);
      const lo = physical.read(at + 8, 4);
      const hi = physical.read(at + 12, 4);
      const forbidden = index === 0xc000_0100 || index === 0xc000_0101 || (index >= 0x800 && index < 0x900) || index === 0x79;
      if (reserved !== 0 || forbidden || !msrs.write(index, lo, hi)) return i + 1;
    }
    return 0;
  }

  private storeMsrs(): boolean {
    const { vmcs } = this;
    const { physical, msrs } = this.p;
    const entries = vmcs.wordAt(EXIT_MSR_STORE_COUNT);
    if (entries === 0) return true;
    const base = toNumber(vmcs.lo(F.exitMsrStoreAddress), vmcs.hi(F.exitMsrStoreAddress));
    for (let i = 0; i < entries; i++) {
      const at = base + 16 * i;
      const index = physical.read(at, 4) >>> 0;
      const value = physical.read(at + 4, 4) === 0 ? msrs.read(index) : undefined;
      if (value === undefined) return false;
      physical.write(at + 8, 8, lowWord(value), highWord(value));
    }
    return true;
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
    if (!this.storeMsrs()) this.abort(1);
    this.host();
  }

  private host(): void {
    const { regs } = this.p;
    this.residence.end();
    this.transition.loadHost();
    regs.exited = true;
    if (this.loadMsrs(EXIT_MSR_LOAD_COUNT, F.exitMsrLoadAddress) !== 0) this.abort(4);
  }

  /** A VMX abort: the hypervisor's own lists are wrong, and it could not go on. */
  private abort(indicator: number): never {
    const { regs } = this.p;
    regs.words[(this.vmcs.place + 4) >> 2] = indicator;
    throw axError('BadState', `VMX abort ${indicator}: an MSR list of the VMCS cannot be ${indicator === 1 ? 'stored' : 'loaded'}`);
  }
}
