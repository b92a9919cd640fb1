/** Guest and host state on VM entries and exits (SDM vol. 3, 27.3.2, 28.3 and 28.5). */
import { EntryControl, ExitControl, Interruptibility } from '@axvisor/axvisor_api/arch/x86';
import { AR, CR0, CR4, DR7, EFER, SEG, SHADOW } from '../fields.ts';
import { Waiting } from '../interface.ts';
import { slot, type Registers, type Stored } from '../registers.ts';
import { F, type Field, type Vmcs } from './vmcs.ts';

/** Selector, base, limit and access rights of each segment register, by number. */
const NAMES = ['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs', 'Ldtr', 'Tr'] as const;
const SELECTORS: readonly Field[] = NAMES.map((name) => F[`guest${name}Selector`]);
const BASES: readonly Field[] = NAMES.map((name) => F[`guest${name}Base`]);
const LIMITS: readonly Field[] = NAMES.map((name) => F[`guest${name}Limit`]);
const RIGHTS: readonly Field[] = NAMES.map((name) => F[`guest${name}AccessRights`]);

const PDPTES: readonly (readonly [Stored, Field])[] = [
  ['pdpte0', F.guestPdpte0], ['pdpte1', F.guestPdpte1], ['pdpte2', F.guestPdpte2], ['pdpte3', F.guestPdpte3],
];
/** Registers that are loaded and saved as they are. */
const PLAIN: readonly (readonly [Stored, Field])[] = [
  ['cr3', F.guestCr3], ['gdtrBase', F.guestGdtrBase], ['idtrBase', F.guestIdtrBase], ['sysenterEsp', F.guestIa32SysenterEsp],
  ['sysenterEip', F.guestIa32SysenterEip],
];

/** Bits of CR0 that entries do not change: ET, NW, CD and the reserved ones. */
const CR0_KEPT = CR0.NW | CR0.CD;
const ACTIVITY: readonly Waiting[] = [Waiting.no, Waiting.hlt, Waiting.shutdown, Waiting.sipi];

export class Transition {
  private readonly regs: Registers;
  private readonly vmcs: Vmcs;

  constructor(regs: Registers, vmcs: Vmcs) {
    this.regs = regs;
    this.vmcs = vmcs;
  }

  private toRegister(name: Stored, field: Field): void {
    this.regs.set(name, this.vmcs.lo(field), this.vmcs.hi(field));
  }

  private toField(name: Stored, field: Field): void {
    const { sys } = this.regs;
    this.vmcs.set(field, sys[slot[name]]!, sys[slot[name] + 1]);
  }

  /** Loads the guest-state area, whose checks passed. `pae`: PDPTEs are those of the VMCS. */
  loadGuest(pae: boolean): void {
    const { regs, vmcs } = this;
    const { sys } = regs;
    const controls = vmcs.lo(F.entryControls);
    const long = (controls & EntryControl.ia32eModeGuest) !== 0;
    const cr0 = (vmcs.lo(F.guestCr0) & ~CR0_KEPT) | (sys[slot.cr0]! & CR0_KEPT) | CR0.ET;
    regs.set('cr0', cr0, 0);
    regs.set('cr4', vmcs.lo(F.guestCr4), 0);
    for (const [name, field] of PLAIN) this.toRegister(name, field);
    regs.set('sysenterCs', vmcs.lo(F.guestIa32SysenterCs), 0);
    if (pae) for (const [name, field] of PDPTES) this.toRegister(name, field);
    if ((controls & EntryControl.loadDebugControls) !== 0) {
      regs.set('dr7', (vmcs.lo(F.guestDr7) & ~0xd000) | DR7.ones, 0);
      this.toRegister('debugctl', F.guestIa32Debugctl);
    }
    if ((controls & EntryControl.loadIa32Pat) !== 0) this.toRegister('pat', F.guestIa32Pat);
    if ((controls & EntryControl.loadIa32Efer) !== 0) this.toRegister('efer', F.guestIa32Efer);
    else {
      // LMA follows the control, and with paging LME too.
      const mode = (cr0 & CR0.PG) !== 0 ? EFER.LMA | EFER.LME : EFER.LMA;
      regs.set('efer', (regs.efer & ~mode) | (long ? mode : 0), 0);
    }
    for (let i = 0; i < 8; i++) {
      const at = BASES[i]!;
      regs.setSegment(i, vmcs.lo(SELECTORS[i]!) & 0xffff, vmcs.lo(at), vmcs.hi(at), vmcs.lo(LIMITS[i]!), vmcs.lo(RIGHTS[i]!));
    }
    regs.gdtrLimit = vmcs.lo(F.guestGdtrLimit) & 0xffff;
    regs.idtrLimit = vmcs.lo(F.guestIdtrLimit) & 0xffff;
    regs.setGpr(4, vmcs.lo(F.guestRsp), vmcs.hi(F.guestRsp));
    regs.flags = vmcs.lo(F.guestRflags);
    regs.cpl = regs.v86 ? 3 : regs.protectedMode ? regs.dpl(SEG.ss) : 0;
    regs.modeChanged();
    regs.setRip(vmcs.lo(F.guestRip), vmcs.hi(F.guestRip));
    const blocking = vmcs.lo(F.guestInterruptibilityState);
    regs.clearShadow();
    const shadow = blocking & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
    if (shadow !== 0) regs.blockNext(shadow);
    regs.nmiBlocked = (blocking & Interruptibility.blockingByNmi) !== 0;
    regs.pendingDebug = vmcs.lo(F.guestPendingDebugExceptions) & 0x500f;
    regs.rfAt = regs.host.retired();
    regs.waiting = ACTIVITY[vmcs.lo(F.guestActivityState)] ?? Waiting.no;
  }

  /** Saves the guest-state area. `resume`: RFLAGS.RF is set, so that an instruction breakpoint does not hit again. */
  saveGuest(resume: boolean): void {
    const { regs, vmcs } = this;
    const { sys } = regs;
    const controls = vmcs.lo(F.exitControls);
    vmcs.set(F.guestCr0, regs.cr0);
    vmcs.set(F.guestCr4, regs.cr4);
    for (const [name, field] of PLAIN) this.toField(name, field);
    vmcs.set(F.guestIa32SysenterCs, sys[slot.sysenterCs]!);
    if ((regs.cr0 & CR0.PG) !== 0 && (regs.cr4 & CR4.PAE) !== 0 && !regs.long) for (const [name, field] of PDPTES) this.toField(name, field);
    if ((controls & ExitControl.saveDebugControls) !== 0) {
      this.toField('dr7', F.guestDr7);
      this.toField('debugctl', F.guestIa32Debugctl);
    }
    if ((controls & ExitControl.saveIa32Pat) !== 0) this.toField('pat', F.guestIa32Pat);
    if ((controls & ExitControl.saveIa32Efer) !== 0) this.toField('efer', F.guestIa32Efer);
    // For unrestricted guests, the control follows LMA.
    const entry = vmcs.lo(F.entryControls) & ~EntryControl.ia32eModeGuest;
    vmcs.set(F.entryControls, entry | (regs.long ? EntryControl.ia32eModeGuest : 0));
    for (let i = 0; i < 8; i++) {
      vmcs.set(SELECTORS[i]!, regs.selector(i));
      vmcs.set(BASES[i]!, regs.baseLo(i), regs.baseHi(i));
      vmcs.set(LIMITS[i]!, regs.limits[i]! | 0);
      vmcs.set(RIGHTS[i]!, this.rights(i));
    }
    vmcs.set(F.guestGdtrLimit, regs.gdtrLimit);
    vmcs.set(F.guestIdtrLimit, regs.idtrLimit);
    vmcs.set(F.guestRsp, regs.lo(4), regs.hi(4));
    vmcs.set(F.guestRip, regs.ripLo(), regs.ripHi());
    const { flags } = regs;
    const stale = !resume && regs.host.retired() > regs.rfAt ? 0x1_0000 : 0;
    vmcs.set(F.guestRflags, (resume ? flags | 0x1_0000 : flags) & ~stale);
    vmcs.set(F.guestInterruptibilityState, regs.currentShadow() | (regs.nmiBlocked ? SHADOW.nmi : 0));
    vmcs.set(F.guestPendingDebugExceptions, regs.pendingDebug);
    const activity = ACTIVITY.indexOf(regs.waiting);
    vmcs.set(F.guestActivityState, activity < 0 ? 0 : activity);
  }

  /** SS and CS keep their privilege level; in real-address mode and of unusable segments the rest is what the checks accept. */
  private rights(segment: number): number {
    const { regs } = this;
    const rights = regs.rights[segment]!;
    if ((rights & AR.unusable) !== 0) return segment === SEG.ss ? AR.unusable | (regs.cpl << 5) : rights & (AR.unusable | 0xf0ff);
    return rights;
  }

  /**
   * Loads the host-state area. The host is native code: what generated code looks at is not recomputed, and the cached translations stay those of the
   * guest.
   */
  loadHost(): void {
    const { regs, vmcs } = this;
    const controls = vmcs.lo(F.exitControls);
    regs.set('cr0', (vmcs.lo(F.hostCr0) & ~CR0_KEPT) | (regs.cr0 & CR0_KEPT) | CR0.ET, 0);
    this.toRegister('cr3', F.hostCr3);
    regs.set('cr4', vmcs.lo(F.hostCr4), 0);
    regs.set('dr7', DR7.ones, 0);
    regs.set('debugctl', 0, 0);
    regs.set('sysenterCs', vmcs.lo(F.hostIa32SysenterCs), 0);
    this.toRegister('sysenterEsp', F.hostIa32SysenterEsp);
    this.toRegister('sysenterEip', F.hostIa32SysenterEip);
    this.toRegister('gdtrBase', F.hostGdtrBase);
    this.toRegister('idtrBase', F.hostIdtrBase);
    if ((controls & ExitControl.loadIa32Pat) !== 0) this.toRegister('pat', F.hostIa32Pat);
    if ((controls & ExitControl.loadIa32Efer) !== 0) this.toRegister('efer', F.hostIa32Efer);
    else regs.set('efer', regs.efer | EFER.LMA | EFER.LME, 0);
    regs.setBase(SEG.fs, vmcs.lo(F.hostFsBase), vmcs.hi(F.hostFsBase));
    regs.setBase(SEG.gs, vmcs.lo(F.hostGsBase), vmcs.hi(F.hostGsBase));
    regs.cpl = 0;
    regs.waiting = Waiting.no;
    regs.clearShadow();
    regs.pendingDebug = 0;
  }
}
