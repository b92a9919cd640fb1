/** VMRUN and #VMEXIT, VMLOAD and VMSAVE for a native hypervisor (APM vol. 2, 15.5 and 15.6). */
import { EventInjection, EventType, TlbControl, Vmcb, VmcbSave } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { loadRegisters, pairs, saveRegisters, type Pair } from '../control_area.ts';
import type { Events } from '../events.ts';
import { CR0, CR4, DR6, DR7, EFER, EVENT, SEG, SHADOW } from '../fields.ts';
import { Waiting } from '../interface.ts';
import type { NestedPaging } from '../nested.ts';
import type { Paging } from '../paging.ts';
import type { Physical } from '../physical.ts';
import { highWord, lowWord, slot, toNumber, type Registers } from '../registers.ts';
import { vmrunRules, type VmcbRule } from './checks.ts';
import { SvmGuest, exitIntInfo, type SvmExitDetails } from './guest.ts';
import { VmcbView } from './vmcb.ts';

/** Registers that VMRUN loads and #VMEXIT saves as they are. */
const SWITCHED: readonly Pair[] = pairs(
  ['cr0', VmcbSave.cr0], ['cr2', VmcbSave.cr2], ['cr3', VmcbSave.cr3], ['cr4', VmcbSave.cr4], ['efer', VmcbSave.efer], ['dr6', VmcbSave.dr6],
  ['dr7', VmcbSave.dr7],
);
/** Of nested paging alone. */
const PAT: readonly Pair[] = pairs(['pat', VmcbSave.gPat]);
/** Bases of tables, of which the limits are before them. */
const TABLES: readonly Pair[] = pairs(['gdtrBase', VmcbSave.gdtr + 8], ['idtrBase', VmcbSave.idtr + 8]);
/** What VMLOAD and VMSAVE move. */
const MOVED: readonly Pair[] = pairs(
  ['kernelGsBase', VmcbSave.kernelGsBase], ['star', VmcbSave.star], ['lstar', VmcbSave.lstar], ['cstar', VmcbSave.cstar], ['fmask', VmcbSave.sfmask],
  ['sysenterCs', VmcbSave.sysenterCs], ['sysenterEsp', VmcbSave.sysenterEsp], ['sysenterEip', VmcbSave.sysenterEip],
);
const MOVED_SEGMENTS = [[SEG.fs, VmcbSave.fs], [SEG.gs, VmcbSave.gs], [SEG.ldtr, VmcbSave.ldtr], [SEG.tr, VmcbSave.tr]] as const;
const SEGMENTS = [[SEG.es, VmcbSave.es], [SEG.cs, VmcbSave.cs], [SEG.ss, VmcbSave.ss], [SEG.ds, VmcbSave.ds]] as const;
/** Registers of the host, which come back at #VMEXIT. */
const HOST: readonly number[] = (['cr0', 'cr3', 'cr4', 'efer', 'pat', 'gdtrBase', 'idtrBase'] as const).map((name) => slot[name]);
/** Who owns translations, as {@link Translations.setOwner} takes it. */
const owners = new Map<number, string>();
function ownerOf(asid: number): string {
  let owner = owners.get(asid);
  if (owner === undefined) owners.set(asid, (owner = `asid${asid}`));
  return owner;
}
const RAX = 0;
const RSP = 4;

export interface SvmOperationParts {
  readonly regs: Registers;
  readonly paging: Paging;
  readonly physical: Physical;
  readonly events: Events;
  readonly nested: NestedPaging;
  readonly attach: (guest: SvmGuest) => void;
}

export class SvmOperation {
  readonly vmcb: VmcbView;
  readonly guest: SvmGuest;
  /** Global interrupt flag. */
  gif = true;
  /** The first rule that the last VMRUN broke, for people. */
  refused: VmcbRule | undefined;
  private readonly p: SvmOperationParts;
  /** Words of {@link HOST}. */
  private readonly host = new Int32Array(2 * HOST.length);

  constructor(parts: SvmOperationParts) {
    this.p = parts;
    const { regs, physical, events } = parts;
    this.vmcb = new VmcbView(regs);
    this.guest = new SvmGuest({ regs, physical, events, vmcb: this.vmcb, leave: (code, details) => this.leave(code, details) });
  }

  reset(): void {
    this.gif = true;
  }

  /** Place of a VMCB. @throws {AxError} SVM is off, or the address is none */
  private at(address: bigint): number {
    const { regs, physical, paging } = this.p;
    if ((regs.efer & EFER.SVME) === 0) throw axError('BadState', 'EFER.SVME is clear: the instruction raises #UD');
    const lo = lowWord(address);
    const hi = highWord(address);
    const place = (lo & 0xfff) !== 0 || (hi & paging.addressReservedHi) !== 0 ? -1 : physical.place(toNumber(lo, hi), 4096);
    if (place < 0) throw axError('InvalidInput', `${address} is no address of a VMCB: the instruction raises #GP`);
    return place;
  }

  vmload(address: bigint): void {
    const { regs } = this.p;
    const view = this.view(address);
    for (const [segment, offset] of MOVED_SEGMENTS) view.loadSegment(segment, offset);
    loadRegisters(regs, view, MOVED);
  }

  vmsave(address: bigint): void {
    const { regs } = this.p;
    const view = this.view(address);
    for (const [segment, offset] of MOVED_SEGMENTS) view.saveSegment(segment, offset);
    saveRegisters(regs, view, MOVED);
  }

  private view(address: bigint): VmcbView {
    const view = new VmcbView(this.p.regs);
    view.place = this.at(address);
    return view;
  }

  setGif(value: boolean): void {
    if ((this.p.regs.efer & EFER.SVME) === 0) throw axError('BadState', 'EFER.SVME is clear: the instruction raises #UD');
    this.gif = value;
  }

  /** VMRUN: the guest is to run, or was left already ({@link Registers.exited}). */
  run(address: bigint): void {
    const { regs, paging, nested, attach } = this.p;
    const { vmcb, guest } = this;
    vmcb.place = this.at(address);
    this.refused = undefined;
    regs.exited = false;
    for (let i = 0; i < HOST.length; i++) {
      this.host[2 * i] = regs.sys[HOST[i]!]!;
      this.host[2 * i + 1] = regs.sys[HOST[i]! + 1]!;
    }
    const candidate = { vmcb, reservedHi: paging.addressReservedHi };
    this.refused = vmrunRules.find((rule) => !rule.holds(candidate));
    if (this.refused !== undefined) {
      vmcb.set(Vmcb.exitCode, -1, -1);
      regs.exited = true;
      return;
    }
    const isNested = (vmcb.lo(Vmcb.nestedPaging) & 1) !== 0;
    if (isNested) nested.load(vmcb.lo(Vmcb.nestedCr3), vmcb.hi(Vmcb.nestedCr3), (regs.efer & EFER.NXE) !== 0);
    paging.use(isNested ? nested : undefined);
    const owner = ownerOf(vmcb.lo(Vmcb.guestAsid));
    this.flushAsAsked(owner);
    regs.translations.setOwner(owner, isNested ? nested.name : '');
    this.load(isNested);
    this.gif = true;
    attach(guest);
    guest.begin();
    this.p.events.vectoring = 0;
    const pae = (regs.cr0 & CR0.PG) !== 0 && (regs.cr4 & CR4.PAE) !== 0 && !regs.long;
    if (pae && paging.loadPdptes(regs.sys[slot.cr3]!) !== true) {
      // The walk itself would have failed: nothing of the guest ran.
      this.leave(-1, {});
      vmcb.set(Vmcb.exitCode, -1, -1);
      return;
    }
    this.inject();
  }

  private load(nested: boolean): void {
    const { regs } = this.p;
    const { vmcb } = this;
    loadRegisters(regs, vmcb, SWITCHED);
    regs.set('cr0', regs.cr0 | CR0.ET, 0);
    // Reserved bits of the debug registers read as they always do.
    regs.set('dr6', (vmcb.lo(VmcbSave.dr6) & DR6.defined) | DR6.ones, 0);
    regs.set('dr7', (vmcb.lo(VmcbSave.dr7) & ~0xd000) | DR7.ones, 0);
    const long = (regs.efer & EFER.LME) !== 0 && (regs.cr0 & CR0.PG) !== 0;
    regs.set('efer', (regs.efer & ~EFER.LMA) | (long ? EFER.LMA : 0), 0);
    if (nested) loadRegisters(regs, vmcb, PAT);
    for (const [segment, offset] of SEGMENTS) vmcb.loadSegment(segment, offset);
    loadRegisters(regs, vmcb, TABLES);
    regs.gdtrLimit = vmcb.lo(VmcbSave.gdtr + 4) & 0xffff;
    regs.idtrLimit = vmcb.lo(VmcbSave.idtr + 4) & 0xffff;
    regs.setGpr(RAX, vmcb.lo(VmcbSave.rax), vmcb.hi(VmcbSave.rax));
    regs.setGpr(RSP, vmcb.lo(VmcbSave.rsp), vmcb.hi(VmcbSave.rsp));
    regs.flags = (vmcb.lo(VmcbSave.rflags) & 0x003f_7fd5) | 2;
    regs.cpl = regs.v86 ? 3 : regs.protectedMode ? vmcb.byte(VmcbSave.cpl) & 3 : 0;
    regs.modeChanged();
    regs.setRip(vmcb.lo(VmcbSave.rip), vmcb.hi(VmcbSave.rip));
    regs.waiting = Waiting.no;
    regs.clearShadow();
    if ((vmcb.lo(Vmcb.interruptShadow) & 1) !== 0) regs.blockNext(SHADOW.sti);
    regs.pendingDebug = 0;
    regs.rfAt = regs.host.retired();
  }

  /** Delivers EVENTINJ; software interrupts return to nRIP (APM vol. 2, 15.20). */
  private inject(): void {
    const { vmcb } = this;
    const { events, regs } = this.p;
    const event = vmcb.lo(Vmcb.eventInjection);
    const errorCode = vmcb.hi(Vmcb.eventInjection);
    if (event >= 0) return;
    vmcb.set(Vmcb.eventInjection, 0, 0);
    const type = (event >>> EventInjection.typeShift) & 7;
    const vector = event & 0xff;
    const kind = type === EventType.softwareInterrupt ? EVENT.softInt : type === EventType.exception ? EVENT.hardware : type === EventType.nmi ? EVENT.nmi : EVENT.external;
    const software = kind === EVENT.softInt || (kind === EVENT.hardware && (vector === 3 || vector === 4));
    const length = software ? (vmcb.lo(Vmcb.nextRip) - regs.ripLo()) | 0 : 0;
    events.inject({
      vector,
      kind: software && kind === EVENT.hardware ? EVENT.softException : kind,
      hasError: (event & EventInjection.errorCodeValid) !== 0,
      errorCode,
      length: length > 0 && length < 16 ? length : 0,
    });
  }

  /** TLB_CONTROL (APM vol. 2, 15.16.2); what is said of one ASID but its global pages is done to these too. */
  private flushAsAsked(owner: string): void {
    const control = this.vmcb.byte(Vmcb.tlbControl);
    if (control === TlbControl.none) return;
    this.p.nested.flush();
    if (control === TlbControl.flushAll) this.p.regs.translations.flush();
    else this.p.regs.translations.flushOwner(owner);
  }

  /** Drops all that depends on nested tables. */
  flush(): void {
    this.p.nested.flush();
    this.p.regs.translations.flush();
  }

  private leave(code: number, details: SvmExitDetails): void {
    const { regs, events, paging } = this.p;
    const { vmcb } = this;
    const { sys } = regs;
    vmcb.set(Vmcb.exitCode, code, 0);
    vmcb.set(Vmcb.exitInfo1, details.info1Lo ?? 0, details.info1Hi ?? 0);
    vmcb.set(Vmcb.exitInfo2, details.info2Lo ?? 0, details.info2Hi ?? 0);
    const info = exitIntInfo(events.vectoring);
    vmcb.set(Vmcb.exitIntInfo, info, (info & EventInjection.errorCodeValid) !== 0 ? events.vectoringError : 0);
    const rip = [regs.ripLo(), regs.ripHi()] as const;
    const { length } = details;
    const next = length === undefined ? 0 : (rip[0] + length) | 0;
    const nextHi = length === undefined || !regs.code64 ? 0 : rip[1] + (next >>> 0 < length ? 1 : 0);
    vmcb.set(Vmcb.nextRip, next, nextHi);
    vmcb.setByte(Vmcb.fetchedByteCount, 0);
    saveRegisters(regs, vmcb, SWITCHED);
    if (paging.secondStage !== undefined) saveRegisters(regs, vmcb, PAT);
    for (const [segment, offset] of SEGMENTS) vmcb.saveSegment(segment, offset);
    saveRegisters(regs, vmcb, TABLES);
    vmcb.set32(VmcbSave.gdtr + 4, regs.gdtrLimit);
    vmcb.set32(VmcbSave.idtr + 4, regs.idtrLimit);
    vmcb.set(VmcbSave.rax, regs.lo(RAX), regs.hi(RAX));
    vmcb.set(VmcbSave.rsp, regs.lo(RSP), regs.hi(RSP));
    vmcb.set(VmcbSave.rflags, regs.flags);
    vmcb.set(VmcbSave.rip, rip[0], rip[1]);
    vmcb.setByte(VmcbSave.cpl, regs.cpl);
    this.guest.saveNmiMask();
    vmcb.set(Vmcb.interruptShadow, (regs.currentShadow() !== 0 ? 1 : 0) | ((regs.systemFlags & 0x200) !== 0 ? 2 : 0));
    for (let i = 0; i < HOST.length; i++) {
      sys[HOST[i]!] = this.host[2 * i]!;
      sys[HOST[i]! + 1] = this.host[2 * i + 1]!;
    }
    regs.set('dr7', DR7.ones, 0);
    regs.cpl = 0;
    regs.waiting = Waiting.no;
    regs.clearShadow();
    this.gif = false;
    regs.exited = true;
  }
}
