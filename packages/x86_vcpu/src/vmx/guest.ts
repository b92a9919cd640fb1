/** A guest in a VMCS (SDM vol. 3, chapter 25). */
import {
  Cr0, Cr4, EntryControl, HOST_INTERRUPT_VECTOR, Interruptibility, InterruptionInfo, InvvpidType, InveptType, Msr, ProcControl,
  ProcControl2, VMSUCCEED, VmcsField, invept, invvpid, rdmsr, readDr, vmlaunch, vmresume, writeCr, writeDr,
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
import { writeControls } from './control_fields.ts';
import { CurrentVmcs, succeed } from './current.ts';
import { exitOf } from './exits.ts';
import { writeHostState } from './host_state.ts';
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

export class VmxGuest implements Guest {
  readonly counters = 0;
  readonly #vmcs: CurrentVmcs;
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
    this.#vmcs = new CurrentVmcs((share?.['vmcs'] as HostPhysAddr | undefined) ?? vmxRegion());
    this.#msrFrame = (share?.['msrBitmap'] as HostPhysAddr | undefined) ?? zeroedFrame();
    this.#msrBitmap = new MsrBitmap(Number(this.#msrFrame));
  }

  // ── registers ──

  get(register: GuestRegister): bigint {
    if (register === 'cr0') return (this.#vmcs.read(F.guestCr0) & ~CR0_OWNED) | (this.#vmcs.read(F.cr0ReadShadow) & CR0_OWNED);
    if (register === 'cr4') return (this.#vmcs.read(F.guestCr4) & ~CR4_OWNED) | (this.#vmcs.read(F.cr4ReadShadow) & CR4_OWNED);
    return this.#vmcs.read(REGISTERS[register]);
  }

  set(register: GuestRegister, value: bigint): void {
    switch (register) {
      case 'cr0':
        this.#vmcs.write(F.cr0ReadShadow, value);
        this.#vmcs.write(F.guestCr0, (value & ~(Cr0.NW | Cr0.CD)) | (rdmsr(Msr.IA32_VMX_CR0_FIXED0) & ~(Cr0.PE | Cr0.PG)));
        return;
      case 'cr4':
        this.#vmcs.write(F.cr4ReadShadow, value);
        this.#vmcs.write(F.guestCr4, value | rdmsr(Msr.IA32_VMX_CR4_FIXED0));
        return;
      case 'efer': {
        this.#vmcs.write(F.guestIa32Efer, value);
        const entry = this.#vmcs.low(F.entryControls);
        const long = (value & 0x400n) === 0n ? 0 : EntryControl.ia32eModeGuest;
        this.#vmcs.write(F.entryControls, (entry & ~EntryControl.ia32eModeGuest) | long);
        return;
      }
      default:
        this.#vmcs.write(REGISTERS[register], value);
    }
  }

  segment(name: SegmentName): Segment {
    return {
      selector: this.#vmcs.low(segmentField(F.guestEsSelector, name)),
      base: this.#vmcs.read(segmentField(F.guestEsBase, name)),
      limit: this.#vmcs.low(segmentField(F.guestEsLimit, name)),
      rights: this.#vmcs.low(segmentField(F.guestEsAccessRights, name)),
    };
  }

  rights(name: SegmentName): number {
    return this.#vmcs.low(segmentField(F.guestEsAccessRights, name));
  }

  setSegment(name: SegmentName, { selector, base, limit, rights }: Segment): void {
    this.#vmcs.write(segmentField(F.guestEsSelector, name), selector);
    this.#vmcs.write(segmentField(F.guestEsBase, name), base);
    this.#vmcs.write(segmentField(F.guestEsLimit, name), limit >>> 0);
    this.#vmcs.write(segmentField(F.guestEsAccessRights, name), rights);
  }

  get #interruptibility(): number {
    return this.#vmcs.low(F.guestInterruptibilityState);
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
    for (const [i, entry] of entries.entries()) this.#vmcs.write(F.guestPdpte0 + 2 * i, entry);
  }

  blockNmis(): void {
    this.#vmcs.write(F.guestInterruptibilityState, this.#interruptibility | Interruptibility.blockingByNmi);
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
    if ((state & shadow) !== 0) this.#vmcs.write(F.guestInterruptibilityState, state & ~shadow);
  }

  setShadow(): void {
    this.#vmcs.write(F.guestInterruptibilityState, this.#interruptibility | Interruptibility.blockingByMovSs);
  }

  low(register: GuestRegister): number {
    if (register === 'cr0') return (this.#vmcs.low(F.guestCr0) & ~CR0_OWNED_LOW) | (this.#vmcs.low(F.cr0ReadShadow) & CR0_OWNED_LOW);
    if (register === 'cr4') return (this.#vmcs.low(F.guestCr4) & ~CR4_OWNED_LOW) | (this.#vmcs.low(F.cr4ReadShadow) & CR4_OWNED_LOW);
    return this.#vmcs.low(REGISTERS[register]) | 0;
  }

  skip(length: number): boolean {
    const next = this.#vmcs.low(F.guestRip) + length;
    if (next > 0xffff_ffff) return false;
    this.#vmcs.writeLow(F.guestRip, next);
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
    this.#vmcs.write(F.eptPointer, eptp);
    if (this.#hasVpid) this.#vmcs.write(F.virtualProcessorIdentifier, this.#vpid);
  }

  get #hasVpid(): boolean {
    return (this.#vmcs.low(F.secondaryProcessorBasedControls) & ProcControl2.enableVpid) !== 0;
  }

  flushTranslations(): void {
    this.#isStale = true;
  }

  /** With the VMCS loaded. */
  #flush(): void {
    this.#isStale = false;
    succeed('INVEPT', invept(InveptType.singleContext, this.#vmcs.read(F.eptPointer)));
    if (this.#hasVpid && (rdmsr(Msr.IA32_VMX_EPT_VPID_CAP) & CAP_INVVPID) !== 0n) succeed('INVVPID', invvpid(InvvpidType.singleContext, this.#vpid, 0n));
  }

  setTscOffset(offset: bigint): void {
    this.#vmcs.write(F.tscOffset, BigInt.asUintN(64, offset));
  }

  interceptMsr(msr: number, intercept: boolean): void {
    this.#msrBitmap.set(msr, intercept);
  }

  // ── life cycle ──

  /** Everything but the guest's registers. */
  reset(): void {
    this.#vmcs.clear();
    this.#launched = false;
    this.#vmcs.use();
    this.#msrBitmap.interceptAll();
    for (const msr of PASSED_THROUGH) this.#msrBitmap.set(msr, false);
    this.#primary = writeControls(this.#vmcs, this.#msrFrame);
    for (const [field, value] of [
      [F.guestInterruptibilityState, 0n], [F.guestActivityState, 0n], [F.guestPendingDebugExceptions, 0n], [F.vmcsLinkPointer, ALL_ONES],
      [F.cr0GuestHostMask, CR0_OWNED], [F.cr4GuestHostMask, CR4_OWNED],
    ] as const) this.#vmcs.write(field, value);
  }

  share(): VCpuShare {
    return { vmcs: this.#vmcs.address, msrBitmap: this.#msrFrame };
  }

  bind(): void {
    this.#primary = this.#vmcs.low(F.primaryProcessorBasedControls);
    this.#injects = true;
    this.#writeRoot();
    writeHostState(this.#vmcs);
  }

  /** Its data is in memory again, for any processor to take up. */
  unbind(): void {
    this.#vmcs.clear();
    this.#launched = false;
  }

  [Symbol.dispose](): void {
    if (this.#isShared) return;
    deallocFrame(this.#vmcs.address);
    deallocFrame(this.#msrFrame);
  }

  // ── running ──

  inject(event: GuestEvent | undefined): void {
    if (event === undefined) {
      // The processor has taken back what was injected before, if the entry succeeded.
      if (this.#injects) this.#vmcs.write(F.entryInterruptionInformation, 0);
      this.#injects = false;
      return;
    }
    this.#injects = true;
    const { vector, kind, errorCode, length } = event;
    const info = vector | (kind << InterruptionInfo.typeShift) | (errorCode === undefined ? 0 : InterruptionInfo.errorCodeValid);
    this.#vmcs.write(F.entryInterruptionInformation, info + InterruptionInfo.valid);
    if (errorCode !== undefined) this.#vmcs.write(F.entryExceptionErrorCode, errorCode);
    if (length !== undefined) this.#vmcs.write(F.entryInstructionLength, length);
  }

  openWindows(interrupt: boolean, nmi: boolean): void {
    const windows = ProcControl.interruptWindowExiting | ProcControl.nmiWindowExiting;
    const wanted = ((this.#primary & ~windows) | (interrupt ? ProcControl.interruptWindowExiting : 0) | (nmi ? ProcControl.nmiWindowExiting : 0)) >>> 0;
    if (wanted === this.#primary) return;
    this.#primary = wanted;
    this.#vmcs.write(F.primaryProcessorBasedControls, wanted);
  }

  enter(): X86Exit {
    this.#vmcs.use();
    if (this.#isStale) this.#flush();
    const result = this.#launched ? vmresume(this.#context.address) : vmlaunch(this.#context.address);
    if (result !== VMSUCCEED) return { kind: 'failEntry', reason: BigInt(result) };
    this.#launched = true;
    return exitOf(HOST_INTERRUPT_VECTOR);
  }

  interrupted(): GuestEvent | undefined {
    const info = this.#vmcs.low(F.idtVectoringInformation);
    if (info < InterruptionInfo.valid) return undefined;
    const kind = ((info >>> InterruptionInfo.typeShift) & 7) as EventKind;
    const isSoftware = kind === EventKind.softwareInterrupt || kind === EventKind.privilegedSoftware || kind === EventKind.softwareException;
    return {
      vector: info & 0xff,
      kind,
      ...((info & InterruptionInfo.errorCodeValid) === 0 ? {} : { errorCode: this.#vmcs.low(F.idtVectoringErrorCode) }),
      ...(isSoftware ? { length: this.instructionLength() } : {}),
    };
  }

  instructionLength(): number {
    return this.#vmcs.low(F.exitInstructionLength);
  }

}
