/** A guest in a VMCS (SDM vol. 3, chapter 25). */
import {
  Cr0, Cr4, EntryControl, ExitControl, HOST_INTERRUPT_VECTOR, Interruptibility, InterruptionInfo, InvvpidType, InveptType, Msr, PinControl, ProcControl,
  ProcControl2, VMFAIL_INVALID, VMSUCCEED, VmcsField, hostSegments, invept, invvpid, rdmsr, readCr, vmclear, vmlaunch, vmptrld, vmptrst, vmread,
  readDr, vmreadLow, vmresume, vmwrite, vmwriteLow, writeCr, writeDr,
} from '@axvisor/axvisor_api/arch/x86';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import type { VCpuShare } from '@axvisor/axvisor_api/vcpu';
import { axError } from '@axvisor/axvisor_api/errors';
import { deallocFrame } from '@axvisor/axvisor_api/memory';
import { zeroedFrame, type Context } from '../context.ts';
import type { X86Exit } from '../exit.ts';
import { EventKind, SEGMENTS, type Guest, type GuestEvent, type GuestRegister, type Segment, type SegmentName } from '../guest.ts';
import { PASSED_THROUGH } from '../msr.ts';
import { allowedControls, controls } from './controls.ts';
import { exitOf } from './exits.ts';
import { MsrBitmap } from './msr_bitmap.ts';
import { vmxRegion } from './percpu.ts';

const F = VmcsField;
const REGISTERS: Readonly<Record<Exclude<GuestRegister, 'cr0' | 'cr4'>, number>> = {
  rip: F.guestRip, rsp: F.guestRsp, rflags: F.guestRflags, cr3: F.guestCr3, efer: F.guestIa32Efer, pat: F.guestIa32Pat, dr7: F.guestDr7,
  sysenter_cs: F.guestIa32SysenterCs, sysenter_esp: F.guestIa32SysenterEsp, sysenter_eip: F.guestIa32SysenterEip, debugctl: F.guestIa32Debugctl,
  'gdtr.base': F.guestGdtrBase, 'gdtr.limit': F.guestGdtrLimit, 'idtr.base': F.guestIdtrBase, 'idtr.limit': F.guestIdtrLimit,
};

/** The fields of a segment are 2 apart for each, in the order of {@link SEGMENTS}. */
const DISTANCES = Object.fromEntries(SEGMENTS.map((name, i) => [name, 2 * i])) as Readonly<Record<SegmentName, number>>;
const segmentField = (first: number, name: SegmentName): number => first + DISTANCES[name];

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Bits of CR0 that guests see but processors in VMX operation fix or heed otherwise. */
const CR0_OWNED = Cr0.NE | Cr0.NW | Cr0.CD;
const CR0_OWNED_LOW = Number(CR0_OWNED);
/** CPUID offers neither to guests. */
const CR4_OWNED = Cr4.VMXE | Cr4.SMXE;
const CR4_OWNED_LOW = Number(CR4_OWNED);

/** EPTP: write-back tables, levels - 1 in 5:3, accessed and dirty flags in bit 6 (SDM vol. 3, 25.6.11). */
const EPT_WB = 6n;
const EPT_AD = 1n << 6n;
/** IA32_VMX_EPT_VPID_CAP: flags, INVVPID. */
const CAP_AD = 1n << 21n;
const CAP_INVVPID = 1n << 32n;

/** Pause loops: PAUSEs no further apart than the gap for as long as the window, in ticks of the counter (SDM vol. 3, 25.6.13). */
const PLE_GAP = 128n;
const PLE_WINDOW = 4096n;

const REQUIRED = {
  pin: PinControl.externalInterruptExiting | PinControl.nmiExiting | PinControl.virtualNmis,
  primary:
    (ProcControl.useTscOffsetting | ProcControl.hltExiting | ProcControl.mwaitExiting | ProcControl.monitorExiting | ProcControl.rdpmcExiting |
      ProcControl.cr8LoadExiting | ProcControl.cr8StoreExiting | ProcControl.unconditionalIoExiting | ProcControl.useMsrBitmaps) + ProcControl.activateSecondaryControls,
  secondary: ProcControl2.enableEpt | ProcControl2.unrestrictedGuest,
  exit:
    ExitControl.hostAddressSpaceSize | ExitControl.acknowledgeInterruptOnExit | ExitControl.saveIa32Pat | ExitControl.loadIa32Pat | ExitControl.saveIa32Efer |
    ExitControl.loadIa32Efer | ExitControl.saveDebugControls,
  entry: EntryControl.loadIa32Pat | EntryControl.loadIa32Efer | EntryControl.loadDebugControls,
} as const;
const WANTED_SECONDARY =
  ProcControl2.enableRdtscp | ProcControl2.enableInvpcid | ProcControl2.enableXsavesXrstors | ProcControl2.enableVpid | ProcControl2.pauseLoopExiting;
/** Accesses to CR3 do not leave the guest. */
const FORBIDDEN_PRIMARY = ProcControl.cr3LoadExiting | ProcControl.cr3StoreExiting;

export class VmxGuest implements Guest {
  readonly counters = 0;
  readonly #vmcs: HostPhysAddr;
  readonly #msrBitmap: MsrBitmap;
  readonly #msrFrame: HostPhysAddr;
  readonly #context: Context;
  #launched = false;
  #primary = 0;
  /** Information about an event may be in the VMCS. */
  #injects = true;
  #root: NestedRoot | undefined;
  #vpid = 0;
  #isStale = false;

  /** Another thread made its structures and gives them back. */
  readonly #isShared: boolean;

  /** @throws {AxError} NoMemory */
  constructor(context: Context, share: VCpuShare | undefined) {
    this.#context = context;
    this.#isShared = share !== undefined;
    this.#vmcs = (share?.['vmcs'] as HostPhysAddr | undefined) ?? vmxRegion();
    this.#msrFrame = (share?.['msrBitmap'] as HostPhysAddr | undefined) ?? zeroedFrame();
    this.#msrBitmap = new MsrBitmap(Number(this.#msrFrame));
  }

  /** Makes the VMCS the current one. */
  #use(): void {
    if (vmptrst() === BigInt(this.#vmcs)) return;
    this.#succeed('VMPTRLD', vmptrld(this.#vmcs));
  }

  #succeed(instruction: string, result: number): void {
    if (result === VMSUCCEED) return;
    const error = result === VMFAIL_INVALID ? 'there is no current VMCS' : `VM-instruction error ${result}`;
    throw axError('BadState', `${instruction} failed: ${error}`);
  }

  #read(field: number): bigint {
    this.#use();
    return vmread(field);
  }

  /** All of a field of 16 or 32 bits, the low half of another. */
  #low(field: number): number {
    this.#use();
    return vmreadLow(field);
  }

  #write(field: number, value: bigint | number): void {
    this.#use();
    this.#succeed(`VMWRITE 0x${field.toString(16)}`, vmwrite(field, BigInt(value)));
  }

  // ── registers ──

  get(register: GuestRegister): bigint {
    if (register === 'cr0') return (this.#read(F.guestCr0) & ~CR0_OWNED) | (this.#read(F.cr0ReadShadow) & CR0_OWNED);
    if (register === 'cr4') return (this.#read(F.guestCr4) & ~CR4_OWNED) | (this.#read(F.cr4ReadShadow) & CR4_OWNED);
    return this.#read(REGISTERS[register]);
  }

  set(register: GuestRegister, value: bigint): void {
    switch (register) {
      case 'cr0':
        this.#write(F.cr0ReadShadow, value);
        this.#write(F.guestCr0, (value & ~(Cr0.NW | Cr0.CD)) | (rdmsr(Msr.IA32_VMX_CR0_FIXED0) & ~(Cr0.PE | Cr0.PG)));
        return;
      case 'cr4':
        this.#write(F.cr4ReadShadow, value);
        this.#write(F.guestCr4, value | rdmsr(Msr.IA32_VMX_CR4_FIXED0));
        return;
      case 'efer': {
        this.#write(F.guestIa32Efer, value);
        const entry = this.#low(F.entryControls);
        const long = (value & 0x400n) === 0n ? 0 : EntryControl.ia32eModeGuest;
        this.#write(F.entryControls, (entry & ~EntryControl.ia32eModeGuest) | long);
        return;
      }
      default:
        this.#write(REGISTERS[register], value);
    }
  }

  segment(name: SegmentName): Segment {
    return {
      selector: this.#low(segmentField(F.guestEsSelector, name)),
      base: this.#read(segmentField(F.guestEsBase, name)),
      limit: this.#low(segmentField(F.guestEsLimit, name)),
      rights: this.#low(segmentField(F.guestEsAccessRights, name)),
    };
  }

  rights(name: SegmentName): number {
    return this.#low(segmentField(F.guestEsAccessRights, name));
  }

  setSegment(name: SegmentName, { selector, base, limit, rights }: Segment): void {
    this.#write(segmentField(F.guestEsSelector, name), selector);
    this.#write(segmentField(F.guestEsBase, name), base);
    this.#write(segmentField(F.guestEsLimit, name), limit >>> 0);
    this.#write(segmentField(F.guestEsAccessRights, name), rights);
  }

  get #interruptibility(): number {
    return this.#low(F.guestInterruptibilityState);
  }

  get shadowed(): boolean {
    return (this.#interruptibility & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs)) !== 0;
  }

  get nmiDelivered(): boolean {
    return false;
  }

  get nmiBlocked(): boolean {
    return (this.#interruptibility & Interruptibility.blockingByNmi) !== 0;
  }

  setPdptes(entries: readonly bigint[]): void {
    for (const [i, entry] of entries.entries()) this.#write(F.guestPdpte0 + 2 * i, entry);
  }

  blockNmis(): void {
    this.#write(F.guestInterruptibilityState, this.#interruptibility | Interruptibility.blockingByNmi);
  }

  /** CR2 and DR6 are the processor's. */
  setCr2(address: bigint): void {
    writeCr(2, address);
  }

  addToDr6(bits: bigint): void {
    writeDr(6, readDr(6) | bits);
  }

  clearShadow(): void {
    const state = this.#interruptibility;
    const shadow = Interruptibility.blockingBySti | Interruptibility.blockingByMovSs;
    if ((state & shadow) !== 0) this.#write(F.guestInterruptibilityState, state & ~shadow);
  }

  low(register: GuestRegister): number {
    if (register === 'cr0') return (this.#low(F.guestCr0) & ~CR0_OWNED_LOW) | (this.#low(F.cr0ReadShadow) & CR0_OWNED_LOW);
    if (register === 'cr4') return (this.#low(F.guestCr4) & ~CR4_OWNED_LOW) | (this.#low(F.cr4ReadShadow) & CR4_OWNED_LOW);
    return this.#low(REGISTERS[register]) | 0;
  }

  skip(length: number): boolean {
    const next = this.#low(F.guestRip) + length;
    if (next > 0xffff_ffff) return false;
    this.#succeed('VMWRITE', vmwriteLow(F.guestRip, next));
    this.clearShadow();
    return true;
  }

  setRoot(root: NestedRoot, tag: number): void {
    if (root.format !== 'ept') throw axError('Unsupported', `VMX walks EPT, not ${root.format}`);
    this.#root = root;
    // VPID 0 is the host's.
    this.#vpid = 1 + (tag % 0xffff);
  }

  #writeRoot(): void {
    const root = this.#root;
    if (root === undefined) return;
    const capabilities = rdmsr(Msr.IA32_VMX_EPT_VPID_CAP);
    const flags = (capabilities & CAP_AD) === 0n ? 0n : EPT_AD;
    const eptp = BigInt(root.address) | (BigInt(root.levels - 1) << 3n) | EPT_WB | flags;
    this.#write(F.eptPointer, eptp);
    if (this.#hasVpid) this.#write(F.virtualProcessorIdentifier, this.#vpid);
  }

  get #hasVpid(): boolean {
    return (this.#low(F.secondaryProcessorBasedControls) & ProcControl2.enableVpid) !== 0;
  }

  flushTranslations(): void {
    this.#isStale = true;
  }

  /** With the VMCS loaded. */
  #flush(): void {
    this.#isStale = false;
    this.#succeed('INVEPT', invept(InveptType.singleContext, this.#read(F.eptPointer)));
    if (this.#hasVpid && (rdmsr(Msr.IA32_VMX_EPT_VPID_CAP) & CAP_INVVPID) !== 0n) this.#succeed('INVVPID', invvpid(InvvpidType.singleContext, this.#vpid, 0n));
  }

  setTscOffset(offset: bigint): void {
    this.#write(F.tscOffset, BigInt.asUintN(64, offset));
  }

  interceptMsr(msr: number, intercept: boolean): void {
    this.#msrBitmap.set(msr, intercept);
  }

  // ── life cycle ──

  /** Everything but the guest's registers. */
  reset(): void {
    this.#succeed('VMCLEAR', vmclear(this.#vmcs));
    this.#launched = false;
    this.#use();
    this.#msrBitmap.interceptAll();
    for (const msr of PASSED_THROUGH) this.#msrBitmap.set(msr, false);
    this.#writeControls();
    for (const [field, value] of [
      [F.guestInterruptibilityState, 0n], [F.guestActivityState, 0n], [F.guestPendingDebugExceptions, 0n], [F.vmcsLinkPointer, ALL_ONES],
      [F.cr0GuestHostMask, CR0_OWNED], [F.cr4GuestHostMask, CR4_OWNED],
    ] as const) this.#write(field, value);
  }

  #writeControls(): void {
    this.#primary = controls('primary', allowedControls(Msr.IA32_VMX_TRUE_PROCBASED_CTLS), REQUIRED.primary >>> 0, 0, FORBIDDEN_PRIMARY);
    const secondary = controls('secondary', allowedControls(Msr.IA32_VMX_PROCBASED_CTLS2), REQUIRED.secondary, WANTED_SECONDARY);
    for (const [field, value] of [
      [F.pinBasedControls, controls('pin-based', allowedControls(Msr.IA32_VMX_TRUE_PINBASED_CTLS), REQUIRED.pin)],
      [F.primaryProcessorBasedControls, this.#primary],
      [F.secondaryProcessorBasedControls, secondary],
      [F.exitControls, controls('exit', allowedControls(Msr.IA32_VMX_TRUE_EXIT_CTLS), REQUIRED.exit)],
      [F.entryControls, controls('entry', allowedControls(Msr.IA32_VMX_TRUE_ENTRY_CTLS), REQUIRED.entry)],
      [F.exceptionBitmap, 0], [F.pageFaultErrorCodeMask, 0], [F.pageFaultErrorCodeMatch, 0], [F.cr3TargetCount, 0],
      [F.exitMsrStoreCount, 0], [F.exitMsrLoadCount, 0], [F.entryMsrLoadCount, 0], [F.entryInterruptionInformation, 0],
      [F.msrBitmaps, this.#msrFrame],
    ] as const) this.#write(field, value);
    if ((secondary & ProcControl2.pauseLoopExiting) !== 0) {
      this.#write(F.pleGap, PLE_GAP);
      this.#write(F.pleWindow, PLE_WINDOW);
    }
  }

  share(): VCpuShare {
    return { vmcs: this.#vmcs, msrBitmap: this.#msrFrame };
  }

  bind(): void {
    this.#primary = this.#low(F.primaryProcessorBasedControls);
    this.#injects = true;
    this.#writeRoot();
    this.#writeHostState();
  }

  /** Its data is in memory again, for any processor to take up. */
  unbind(): void {
    this.#succeed('VMCLEAR', vmclear(this.#vmcs));
    this.#launched = false;
  }

  [Symbol.dispose](): void {
    if (this.#isShared) return;
    deallocFrame(this.#vmcs);
    deallocFrame(this.#msrFrame);
  }

  #writeHostState(): void {
    const s = hostSegments();
    for (const [field, value] of [
      [F.hostEsSelector, s.es], [F.hostCsSelector, s.cs], [F.hostSsSelector, s.ss], [F.hostDsSelector, s.ds], [F.hostFsSelector, s.fs], [F.hostGsSelector, s.gs],
      [F.hostTrSelector, s.tr], [F.hostTrBase, s.trBase], [F.hostGdtrBase, s.gdtrBase], [F.hostIdtrBase, s.idtrBase],
      [F.hostFsBase, rdmsr(Msr.IA32_FS_BASE)], [F.hostGsBase, rdmsr(Msr.IA32_GS_BASE)], [F.hostIa32Pat, rdmsr(Msr.IA32_PAT)], [F.hostIa32Efer, rdmsr(Msr.IA32_EFER)],
      [F.hostCr0, readCr(0)], [F.hostCr3, readCr(3)], [F.hostCr4, readCr(4)],
      [F.hostIa32SysenterCs, 0], [F.hostIa32SysenterEsp, 0], [F.hostIa32SysenterEip, 0],
      // Native code goes on where the call of VMLAUNCH returns; the processor has neither place.
      [F.hostRip, 0], [F.hostRsp, 0],
    ] as const) this.#write(field, value);
  }

  // ── running ──

  inject(event: GuestEvent | undefined): void {
    if (event === undefined) {
      // The processor has taken back what was injected before, if the entry succeeded.
      if (this.#injects) this.#write(F.entryInterruptionInformation, 0);
      this.#injects = false;
      return;
    }
    this.#injects = true;
    const { vector, kind, errorCode, length } = event;
    const info = vector | (kind << InterruptionInfo.typeShift) | (errorCode === undefined ? 0 : InterruptionInfo.errorCodeValid);
    this.#write(F.entryInterruptionInformation, info + InterruptionInfo.valid);
    if (errorCode !== undefined) this.#write(F.entryExceptionErrorCode, errorCode);
    if (length !== undefined) this.#write(F.entryInstructionLength, length);
  }

  openWindows(interrupt: boolean, nmi: boolean): void {
    const windows = ProcControl.interruptWindowExiting | ProcControl.nmiWindowExiting;
    const wanted = ((this.#primary & ~windows) | (interrupt ? ProcControl.interruptWindowExiting : 0) | (nmi ? ProcControl.nmiWindowExiting : 0)) >>> 0;
    if (wanted === this.#primary) return;
    this.#primary = wanted;
    this.#write(F.primaryProcessorBasedControls, wanted);
  }

  enter(): X86Exit {
    this.#use();
    if (this.#isStale) this.#flush();
    const result = this.#launched ? vmresume(this.#context.address) : vmlaunch(this.#context.address);
    if (result !== VMSUCCEED) return { kind: 'failEntry', reason: BigInt(result) };
    this.#launched = true;
    return exitOf(HOST_INTERRUPT_VECTOR);
  }

  interrupted(): GuestEvent | undefined {
    const info = this.#low(F.idtVectoringInformation);
    if (info < InterruptionInfo.valid) return undefined;
    const kind = ((info >>> InterruptionInfo.typeShift) & 7) as EventKind;
    const isSoftware = kind === EventKind.softwareInterrupt || kind === EventKind.privilegedSoftware || kind === EventKind.softwareException;
    return {
      vector: info & 0xff,
      kind,
      ...((info & InterruptionInfo.errorCodeValid) === 0 ? {} : { errorCode: this.#low(F.idtVectoringErrorCode) }),
      ...(isSoftware ? { length: this.instructionLength() } : {}),
    };
  }

  instructionLength(): number {
    return this.#low(F.exitInstructionLength);
  }

}
