/** A guest in a VMCB (APM vol. 2, 15.5, appendix B). */
import {
  Efer, EventInjection, Gpr, SvmIntercept3, SvmIntercept4, SvmIntercept5, TlbControl, VirtualInterrupt, Vmcb, VmcbSave, VmcbSegment, clgi, fromVmcbAttributes,
  stgi, toVmcbAttributes, vmload, vmrun, vmsave,
} from '@axvisor/axvisor_api/arch/x86';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import type { VCpuShare } from '@axvisor/axvisor_api/vcpu';
import { axError } from '@axvisor/axvisor_api/errors';
import { deallocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import { zeroedFrame, type Context } from '../context.ts';
import type { X86Exit } from '../exit.ts';
import { EventKind, type Guest, type GuestEvent, type GuestRegister, type Segment, type SegmentName } from '../guest.ts';
import { PASSED_THROUGH } from '../msr.ts';
import { exitOf } from './exits.ts';
import { asidCount } from './percpu.ts';
import { PermissionMaps } from './permission_maps.ts';

const SIZE = 4096;
const REGISTERS: Readonly<Record<Exclude<GuestRegister, 'gdtr.base' | 'gdtr.limit' | 'idtr.base' | 'idtr.limit' | 'efer'>, number>> = {
  rip: VmcbSave.rip, rsp: VmcbSave.rsp, rflags: VmcbSave.rflags, cr0: VmcbSave.cr0, cr3: VmcbSave.cr3, cr4: VmcbSave.cr4, pat: VmcbSave.gPat,
  dr7: VmcbSave.dr7, sysenter_cs: VmcbSave.sysenterCs, sysenter_esp: VmcbSave.sysenterEsp, sysenter_eip: VmcbSave.sysenterEip, debugctl: VmcbSave.dbgctl,
};
const TABLES: Readonly<Partial<Record<GuestRegister, readonly [segment: number, part: 'base' | 'limit']>>> = {
  'gdtr.base': [VmcbSave.gdtr, 'base'], 'gdtr.limit': [VmcbSave.gdtr, 'limit'], 'idtr.base': [VmcbSave.idtr, 'base'], 'idtr.limit': [VmcbSave.idtr, 'limit'],
};

const SVME = Number(Efer.SVME);
/** CR8 is the local APIC's. */
const CR8 = 1 << 8;
/** Task switches are the processor's own business, unlike under VMX. */
const INTERCEPT_3 =
  (SvmIntercept3.INTR | SvmIntercept3.NMI | SvmIntercept3.SMI | SvmIntercept3.INIT | SvmIntercept3.RDPMC | SvmIntercept3.CPUID | SvmIntercept3.RSM |
    SvmIntercept3.INVD | SvmIntercept3.PAUSE | SvmIntercept3.HLT | SvmIntercept3.INVLPGA | SvmIntercept3.IOIO_PROT | SvmIntercept3.MSR_PROT | SvmIntercept3.FERR_FREEZE) + SvmIntercept3.SHUTDOWN;
const INTERCEPT_4 =
  SvmIntercept4.VMRUN | SvmIntercept4.VMMCALL | SvmIntercept4.VMLOAD | SvmIntercept4.VMSAVE | SvmIntercept4.STGI | SvmIntercept4.CLGI | SvmIntercept4.SKINIT |
  SvmIntercept4.MONITOR | SvmIntercept4.MWAIT | SvmIntercept4.XSETBV;
const INTERCEPT_5 = SvmIntercept5.INVLPGB;
/** PAUSEs before one leaves the guest. */
const PAUSE_FILTER = 1000;
const NESTED_PAGING = 1n;

export class SvmGuest implements Guest {
  /** APM vol. 2, 13.2.1. */
  readonly counters = 4;
  readonly #vmcb: HostPhysAddr;
  readonly #maps: PermissionMaps;
  readonly #context: Context;
  readonly #view: DataView;
  #root: NestedRoot | undefined;
  #asid = 1;
  /** Of the virtual interrupt word: what waits for the guest to take it. */
  #windows = 0n;
  /** Another thread made its structures and gives them back. */
  readonly #isShared: boolean;

  /** @throws {AxError} NoMemory */
  constructor(context: Context, share: VCpuShare | undefined) {
    this.#context = context;
    this.#isShared = share !== undefined;
    this.#vmcb = (share?.['vmcb'] as HostPhysAddr | undefined) ?? zeroedFrame();
    this.#maps = new PermissionMaps(share);
    const { bytes } = physMemory();
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + Number(this.#vmcb), SIZE);
  }

  #get64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  #set64(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  }

  // ── registers ──

  get(register: GuestRegister): bigint {
    const table = TABLES[register];
    if (table !== undefined) return table[1] === 'base' ? this.#get64(table[0] + VmcbSegment.base) : BigInt(this.#view.getUint32(table[0] + VmcbSegment.limit, true));
    // SVME has to be set in a VMCB; guests do not see it.
    if (register === 'efer') return this.#get64(VmcbSave.efer) & ~Efer.SVME;
    return this.#get64(REGISTERS[register as keyof typeof REGISTERS]);
  }

  set(register: GuestRegister, value: bigint): void {
    const table = TABLES[register];
    if (table !== undefined) {
      if (table[1] === 'base') this.#set64(table[0] + VmcbSegment.base, value);
      else this.#view.setUint32(table[0] + VmcbSegment.limit, Number(value), true);
    } else if (register === 'efer') {
      this.#set64(VmcbSave.efer, value | Efer.SVME);
    } else {
      this.#set64(REGISTERS[register as keyof typeof REGISTERS], value);
    }
  }

  #segmentOffset(name: SegmentName): number {
    return VmcbSave[name];
  }

  segment(name: SegmentName): Segment {
    const at = this.#segmentOffset(name);
    return {
      selector: this.#view.getUint16(at + VmcbSegment.selector, true),
      base: this.#get64(at + VmcbSegment.base),
      limit: this.#view.getUint32(at + VmcbSegment.limit, true),
      rights: fromVmcbAttributes(this.#view.getUint16(at + VmcbSegment.attributes, true)),
    };
  }

  rights(name: SegmentName): number {
    return fromVmcbAttributes(this.#view.getUint16(this.#segmentOffset(name) + VmcbSegment.attributes, true));
  }

  setSegment(name: SegmentName, { selector, base, limit, rights }: Segment): void {
    const at = this.#segmentOffset(name);
    this.#view.setUint16(at + VmcbSegment.selector, selector, true);
    this.#view.setUint16(at + VmcbSegment.attributes, toVmcbAttributes(rights), true);
    this.#view.setUint32(at + VmcbSegment.limit, limit, true);
    this.#set64(at + VmcbSegment.base, base);
    if (name === 'ss') this.#view.setUint8(VmcbSave.cpl, (rights >>> 5) & 3);
  }

  get shadowed(): boolean {
    return (this.#view.getUint32(Vmcb.interruptShadow, true) & 1) !== 0;
  }

  get nmiBlocked(): boolean {
    return (this.#get64(Vmcb.virtualInterrupt) & VirtualInterrupt.V_NMI_MASK) !== 0n;
  }

  get nmiDelivered(): boolean {
    return (this.#windows & VirtualInterrupt.V_NMI) !== 0n && (this.#get64(Vmcb.virtualInterrupt) & VirtualInterrupt.V_NMI) === 0n;
  }

  /** With nested paging the processor reads them when it needs them (APM vol. 2, 15.25.10). */
  setPdptes(): void {}

  blockNmis(): void {
    this.#set64(Vmcb.virtualInterrupt, this.#get64(Vmcb.virtualInterrupt) | VirtualInterrupt.V_NMI_MASK);
  }

  setCr2(address: bigint): void {
    this.#set64(VmcbSave.cr2, address);
  }

  addToDr6(bits: bigint): void {
    this.#set64(VmcbSave.dr6, this.#get64(VmcbSave.dr6) | bits);
  }

  clearShadow(): void {
    this.#view.setUint32(Vmcb.interruptShadow, this.#view.getUint32(Vmcb.interruptShadow, true) & ~1, true);
  }

  setShadow(): void {
    this.#view.setUint32(Vmcb.interruptShadow, this.#view.getUint32(Vmcb.interruptShadow, true) | 1, true);
  }

  low(register: GuestRegister): number {
    const table = TABLES[register];
    if (table !== undefined) return this.#view.getInt32(table[0] + VmcbSegment[table[1]], true);
    // As in `get`.
    if (register === 'efer') return this.#view.getInt32(VmcbSave.efer, true) & ~SVME;
    return this.#view.getInt32(REGISTERS[register as keyof typeof REGISTERS], true);
  }

  skip(length: number): boolean {
    const next = this.#view.getUint32(VmcbSave.rip, true) + length;
    if (next > 0xffff_ffff) return false;
    this.#view.setUint32(VmcbSave.rip, next, true);
    this.clearShadow();
    return true;
  }

  setRoot(root: NestedRoot, tag: number): void {
    if (root.format !== 'npt') throw axError('Unsupported', `SVM walks nested page tables in the format npt, not ${root.format}`);
    this.#root = root;
    const asids = Math.max(2, asidCount());
    this.#asid = 1 + (tag % (asids - 1));
  }

  #writeRoot(): void {
    if (this.#root === undefined) return;
    this.#set64(Vmcb.nestedCr3, BigInt(this.#root.address));
    this.#view.setUint32(Vmcb.guestAsid, this.#asid, true);
  }

  flushTranslations(): void {
    this.#view.setUint8(Vmcb.tlbControl, TlbControl.flushAsid);
  }

  setTscOffset(offset: bigint): void {
    this.#set64(Vmcb.tscOffset, offset);
  }

  interceptMsr(msr: number, intercept: boolean): void {
    this.#maps.setMsr(msr, intercept);
  }

  // ── life cycle ──

  reset(): void {
    physMemory().bytes.fill(0, Number(this.#vmcb), Number(this.#vmcb) + SIZE);
    this.#maps.interceptAllMsrs();
    for (const msr of PASSED_THROUGH) this.#maps.setMsr(msr, false);
    // SVME is not the guest's to clear: writes are checked and carried out by the hypervisor.
    this.#maps.setMsr(0xc000_0080, true);
    const view = this.#view;
    view.setUint32(Vmcb.interceptCr, (CR8 << 16) | CR8, true);
    view.setUint32(Vmcb.intercept3, INTERCEPT_3 >>> 0, true);
    view.setUint32(Vmcb.intercept4, INTERCEPT_4, true);
    view.setUint32(Vmcb.intercept5, INTERCEPT_5, true);
    view.setUint16(Vmcb.pauseFilterCount, PAUSE_FILTER, true);
    this.#set64(Vmcb.iopmBasePa, BigInt(this.#maps.io));
    this.#set64(Vmcb.msrpmBasePa, BigInt(this.#maps.msr));
    this.#set64(Vmcb.nestedPaging, NESTED_PAGING);
    this.#windows = 0n;
    this.#writeVirtualInterrupt();
  }

  #writeVirtualInterrupt(): void {
    const mask = this.#get64(Vmcb.virtualInterrupt) & VirtualInterrupt.V_NMI_MASK;
    this.#set64(Vmcb.virtualInterrupt, VirtualInterrupt.V_INTR_MASKING | VirtualInterrupt.V_NMI_ENABLE | mask | this.#windows);
  }

  share(): VCpuShare {
    return { vmcb: this.#vmcb, ...this.#maps.share() };
  }

  bind(): void {
    this.#writeRoot();
  }

  unbind(): void {}

  [Symbol.dispose](): void {
    if (this.#isShared) return;
    this.#maps[Symbol.dispose]();
    deallocFrame(this.#vmcb);
  }

  // ── running ──

  inject(event: GuestEvent | undefined): void {
    if (event === undefined) {
      this.#set64(Vmcb.eventInjection, 0n);
      return;
    }
    const { vector, kind, errorCode } = event;
    // INT3 and INTO are delivered as exceptions.
    const type = kind === EventKind.softwareException || kind === EventKind.privilegedSoftware ? EventKind.exception : kind;
    const info = vector | (type << EventInjection.typeShift) | (errorCode === undefined ? 0 : EventInjection.errorCodeValid);
    this.#set64(Vmcb.eventInjection, BigInt(info + EventInjection.valid) | (BigInt(errorCode ?? 0) << 32n));
  }

  /** A virtual interrupt of the highest priority is never delivered, since VINTR is intercepted: the guest is left where it could be. NMIs the processor delivers. */
  openWindows(interrupt: boolean, nmi: boolean): void {
    this.#windows = (interrupt ? VirtualInterrupt.V_IRQ | VirtualInterrupt.V_IGN_TPR : 0n) | (nmi ? VirtualInterrupt.V_NMI : 0n);
    this.#writeVirtualInterrupt();
    this.#view.setUint32(Vmcb.intercept3, (INTERCEPT_3 | (interrupt ? SvmIntercept3.VINTR : 0)) >>> 0, true);
  }

  enter(): X86Exit {
    clgi();
    vmload(this.#vmcb);
    // RAX is in the VMCB.
    this.#set64(VmcbSave.rax, this.#context.get(Gpr.RAX));
    vmrun(this.#vmcb, this.#context.address);
    this.#context.set(Gpr.RAX, this.#get64(VmcbSave.rax));
    vmsave(this.#vmcb);
    stgi();
    this.#view.setUint8(Vmcb.tlbControl, TlbControl.none);
    return exitOf(this.#view);
  }

  interrupted(): GuestEvent | undefined {
    const low = this.#view.getUint32(Vmcb.exitIntInfo, true);
    if (low < EventInjection.valid) return undefined;
    return {
      vector: low & 0xff,
      kind: ((low >>> EventInjection.typeShift) & 7) as EventKind,
      ...((low & EventInjection.errorCodeValid) === 0 ? {} : { errorCode: this.#view.getUint32(Vmcb.exitIntInfo + 4, true) }),
    };
  }

  /** From the address of the next instruction, which is saved for intercepted instructions only. */
  instructionLength(): number | undefined {
    const view = this.#view;
    const low = view.getUint32(Vmcb.nextRip, true);
    const length = (low - view.getUint32(VmcbSave.rip, true)) >>> 0;
    const isThere = low !== 0 || view.getUint32(Vmcb.nextRip + 4, true) !== 0;
    return !isThere || length > 15 ? undefined : length;
  }
}

