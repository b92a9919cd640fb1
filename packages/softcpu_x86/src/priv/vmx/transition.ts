/** Guest and host state on VM entries and exits (SDM vol. 3, 27.3.2, 28.3 and 28.5). */
import { EntryControl, ExitControl, Interruptibility } from '@axvisor/axvisor_api/arch/x86';
import { loadRegisters, pairs, saveRegisters, type Pair } from '../control_area.ts';
import { AR, CR0, CR4, DR7, EFER, SEG, SHADOW } from '../fields.ts';
import { Waiting } from '../interface.ts';
import { slot, type Registers } from '../registers.ts';
import { F, type Field, type Vmcs } from './vmcs.ts';

/** Selector, base, limit and access rights of each segment register, by number. */
const NAMES = ['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs', 'Ldtr', 'Tr'] as const;
const SELECTORS: readonly Field[] = NAMES.map((name) => F[`guest${name}Selector`]);
const BASES: readonly Field[] = NAMES.map((name) => F[`guest${name}Base`]);
const LIMITS: readonly Field[] = NAMES.map((name) => F[`guest${name}Limit`]);
const RIGHTS: readonly Field[] = NAMES.map((name) => F[`guest${name}AccessRights`]);

const PDPTES: readonly Pair[] = pairs(['pdpte0', F.guestPdpte0], ['pdpte1', F.guestPdpte1], ['pdpte2', F.guestPdpte2], ['pdpte3', F.guestPdpte3]);
const PLAIN: readonly Pair[] = pairs(
  ['cr3', F.guestCr3], ['gdtrBase', F.guestGdtrBase], ['idtrBase', F.guestIdtrBase], ['sysenterEsp', F.guestIa32SysenterEsp],
  ['sysenterEip', F.guestIa32SysenterEip],
);
const DEBUG: readonly Pair[] = pairs(['dr7', F.guestDr7], ['debugctl', F.guestIa32Debugctl]);
const PAT: readonly Pair[] = pairs(['pat', F.guestIa32Pat]);
const EFER_FIELD: readonly Pair[] = pairs(['efer', F.guestIa32Efer]);
const HOST: readonly Pair[] = pairs(
  ['cr3', F.hostCr3], ['cr4', F.hostCr4], ['sysenterCs', F.hostIa32SysenterCs], ['sysenterEsp', F.hostIa32SysenterEsp],
  ['sysenterEip', F.hostIa32SysenterEip], ['gdtrBase', F.hostGdtrBase], ['idtrBase', F.hostIdtrBase],
);
const HOST_PAT: readonly Pair[] = pairs(['pat', F.hostIa32Pat]);
const HOST_EFER: readonly Pair[] = pairs(['efer', F.hostIa32Efer]);

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

  /** Loads the guest-state area, whose checks passed. `pae`: PDPTEs are those of the VMCS. */
  loadGuest(pae: boolean): void {
    const { regs, vmcs } = this;
    const { sys } = regs;
    const controls = vmcs.lo(F.entryControls);
    const long = (controls & EntryControl.ia32eModeGuest) !== 0;
    const cr0 = (vmcs.lo(F.guestCr0) & ~CR0_KEPT) | (sys[slot.cr0]! & CR0_KEPT) | CR0.ET;
    regs.set('cr0', cr0, 0);
    regs.set('cr4', vmcs.lo(F.guestCr4), 0);
    loadRegisters(regs, vmcs, PLAIN);
    regs.set('sysenterCs', vmcs.lo(F.guestIa32SysenterCs), 0);
    if (pae) loadRegisters(regs, vmcs, PDPTES);
    if ((controls & EntryControl.loadDebugControls) !== 0) {
      loadRegisters(regs, vmcs, DEBUG);
      sys[slot.dr7] = (sys[slot.dr7]! & ~0xd000) | DR7.ones;
    }
    if ((controls & EntryControl.loadIa32Pat) !== 0) loadRegisters(regs, vmcs, PAT);
    if ((controls & EntryControl.loadIa32Efer) !== 0) loadRegisters(regs, vmcs, EFER_FIELD);
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
    saveRegisters(regs, vmcs, PLAIN);
    vmcs.set(F.guestIa32SysenterCs, sys[slot.sysenterCs]!);
    if ((regs.cr0 & CR0.PG) !== 0 && (regs.cr4 & CR4.PAE) !== 0 && !regs.long) saveRegisters(regs, vmcs, PDPTES);
    if ((controls & ExitControl.saveDebugControls) !== 0) saveRegisters(regs, vmcs, DEBUG);
    if ((controls & ExitControl.saveIa32Pat) !== 0) saveRegisters(regs, vmcs, PAT);
    if ((controls & ExitControl.saveIa32Efer) !== 0) saveRegisters(regs, vmcs, EFER_FIELD);
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
    loadRegisters(regs, vmcs, HOST);
    regs.set('dr7', DR7.ones, 0);
    regs.set('debugctl', 0, 0);
    if ((controls & ExitControl.loadIa32Pat) !== 0) loadRegisters(regs, vmcs, HOST_PAT);
    if ((controls & ExitControl.loadIa32Efer) !== 0) loadRegisters(regs, vmcs, HOST_EFER);
    else regs.set('efer', regs.efer | EFER.LMA | EFER.LME, 0);
    regs.setBase(SEG.fs, vmcs.lo(F.hostFsBase), vmcs.hi(F.hostFsBase));
    regs.setBase(SEG.gs, vmcs.lo(F.hostGsBase), vmcs.hi(F.hostGsBase));
    regs.cpl = 0;
    regs.waiting = Waiting.no;
    regs.clearShadow();
    regs.pendingDebug = 0;
  }
}
