/** Guest and host state on VM entries and exits (SDM vol. 3, 27.3.2, 28.3 and 28.5). */
import { EntryControl, ExitControl, Interruptibility } from '@axvisor/axvisor_api/arch/x86';
import { Flag, GPR, LIMITS, RIGHTS, SEG_BASE, SELECTOR, storedAt } from '../../state.ts';
import { load, movesOf, named, type Move, type Moves } from '../control_area.ts';
import { AR, CR0, CR4, DR7, EFER, SEG, SHADOW } from '../fields.ts';
import { Waiting } from '../interface.ts';
import { slot, type Registers } from '../registers.ts';
import { F, Vmcs, type Field } from './vmcs.ts';

const RSP = 4;

/** Selector, base, limit and access rights of each segment register, by number. */
const NAMES = ['Es', 'Cs', 'Ss', 'Ds', 'Fs', 'Gs', 'Ldtr', 'Tr'] as const;
const word = (field: Field): number => Vmcs.word(field);
const RIGHTS_WORDS: readonly number[] = NAMES.map((name) => word(F[`guest${name}AccessRights`]));

/** Words that entries and exits look at one by one. */
const ENTRY_CONTROLS = word(F.entryControls);
const EXIT_CONTROLS = word(F.exitControls);
const GUEST_CR0 = word(F.guestCr0);
const GUEST_LDTR_SELECTOR = word(F.guestLdtrSelector);
const GUEST_TR_SELECTOR = word(F.guestTrSelector);
const GUEST_GDTR_LIMIT = word(F.guestGdtrLimit);
const GUEST_IDTR_LIMIT = word(F.guestIdtrLimit);
const GUEST_RFLAGS = word(F.guestRflags);
const GUEST_RIP = word(F.guestRip);
const GUEST_INTERRUPTIBILITY_STATE = word(F.guestInterruptibilityState);
const GUEST_PENDING_DEBUG_EXCEPTIONS = word(F.guestPendingDebugExceptions);
const GUEST_ACTIVITY_STATE = word(F.guestActivityState);
const HOST_CR0 = word(F.hostCr0);

/** Of segments: all but the access rights, and the selectors of LDTR and TR. */
const SEGMENTS: readonly Move[] = NAMES.flatMap((name, i): Move[] => [
  ...(i < SEG.ldtr ? [[SELECTOR + 4 * i, 1, word(F[`guest${name}Selector`])] as const] : []),
  [i < SEG.ldtr ? SEG_BASE + 8 * i : storedAt(i === SEG.ldtr ? 'ldtrBase' : 'trBase'), 2, word(F[`guest${name}Base`])],
  [LIMITS + 4 * i, 1, word(F[`guest${name}Limit`])],
]);
const SEGMENT_RIGHTS: readonly Move[] = RIGHTS_WORDS.map((at, i) => [RIGHTS + 4 * i, 1, at]);
const ALWAYS: readonly Move[] = [
  ...named(
    word, ['cr4', F.guestCr4], ['cr3', F.guestCr3], ['gdtrBase', F.guestGdtrBase], ['idtrBase', F.guestIdtrBase], ['sysenterCs', F.guestIa32SysenterCs],
    ['sysenterEsp', F.guestIa32SysenterEsp], ['sysenterEip', F.guestIa32SysenterEip],
  ),
  [GPR + 8 * RSP, 2, word(F.guestRsp)],
  ...SEGMENTS,
];
const DEBUG = named(word, ['dr7', F.guestDr7], ['debugctl', F.guestIa32Debugctl]);
const PAT = named(word, ['pat', F.guestIa32Pat]);
const EFER_FIELD = named(word, ['efer', F.guestIa32Efer]);
const HOST: readonly Move[] = [
  ...named(
    word, ['cr3', F.hostCr3], ['cr4', F.hostCr4], ['sysenterCs', F.hostIa32SysenterCs], ['sysenterEsp', F.hostIa32SysenterEsp],
    ['sysenterEip', F.hostIa32SysenterEip], ['gdtrBase', F.hostGdtrBase], ['idtrBase', F.hostIdtrBase],
  ),
  [SEG_BASE + 8 * SEG.fs, 2, word(F.hostFsBase)],
  [SEG_BASE + 8 * SEG.gs, 2, word(F.hostGsBase)],
];
const PDPTES: Moves = movesOf(named(word, ['pdpte0', F.guestPdpte0], ['pdpte1', F.guestPdpte1], ['pdpte2', F.guestPdpte2], ['pdpte3', F.guestPdpte3]));

/** Control words that are remembered. */
const MAX_CONTROLS = 16;

/** What moves by a control word: those that guests have are few. */
function byControls(list: (has: (bit: number) => boolean) => readonly Move[]): (controls: number) => Moves {
  const known = new Map<number, Moves>();
  let last = NaN;
  let moves = movesOf([]);
  return (controls) => {
    if (controls === last) return moves;
    last = controls;
    const found = known.get(controls);
    if (found !== undefined) return (moves = found);
    if (known.size === MAX_CONTROLS) known.clear();
    known.set(controls, (moves = movesOf(list((bit) => (controls & bit) !== 0))));
    return moves;
  };
}

/** Bits of CR0 that entries do not change: ET, NW, CD and the reserved ones. */
const CR0_KEPT = CR0.NW | CR0.CD;
const ACTIVITY: readonly Waiting[] = [Waiting.no, Waiting.hlt, Waiting.shutdown, Waiting.sipi];

export class Transition {
  private readonly regs: Registers;
  private readonly vmcs: Vmcs;
  private readonly loaded = byControls((has) => [
    ...ALWAYS, ...SEGMENT_RIGHTS, ...(has(EntryControl.loadDebugControls) ? DEBUG : []), ...(has(EntryControl.loadIa32Pat) ? PAT : []),
    ...(has(EntryControl.loadIa32Efer) ? EFER_FIELD : []),
  ]);
  private readonly saved = byControls((has) => [
    ...ALWAYS, ...named(word, ['cr0', F.guestCr0]), ...(has(ExitControl.saveDebugControls) ? DEBUG : []), ...(has(ExitControl.saveIa32Pat) ? PAT : []),
    ...(has(ExitControl.saveIa32Efer) ? EFER_FIELD : []),
  ]);
  private readonly host = byControls((has) => [
    ...HOST, ...(has(ExitControl.loadIa32Pat) ? named(word, ['pat', F.hostIa32Pat]) : []), ...(has(ExitControl.loadIa32Efer) ? named(word, ['efer', F.hostIa32Efer]) : []),
  ]);

  constructor(regs: Registers, vmcs: Vmcs) {
    this.regs = regs;
    this.vmcs = vmcs;
  }

  /** Loads the guest-state area, whose checks passed. `pae`: PDPTEs are those of the VMCS. */
  loadGuest(pae: boolean): void {
    const { regs, vmcs } = this;
    const { sys } = regs;
    const controls = vmcs.wordAt(ENTRY_CONTROLS);
    const long = (controls & EntryControl.ia32eModeGuest) !== 0;
    const cr0 = (vmcs.wordAt(GUEST_CR0) & ~CR0_KEPT) | (sys[slot.cr0]! & CR0_KEPT) | CR0.ET;
    load(regs, vmcs.base, this.loaded(controls));
    sys[slot.cr0] = cr0;
    sys[slot.cr0 + 1] = 0;
    if (pae) load(regs, vmcs.base, PDPTES);
    if ((controls & EntryControl.loadDebugControls) !== 0) sys[slot.dr7] = (sys[slot.dr7]! & ~0xd000) | DR7.ones;
    if ((controls & EntryControl.loadIa32Efer) === 0) {
      // LMA follows the control, and with paging LME too.
      const mode = (cr0 & CR0.PG) !== 0 ? EFER.LMA | EFER.LME : EFER.LMA;
      regs.set('efer', (regs.efer & ~mode) | (long ? mode : 0), 0);
    }
    regs.ldtrSelector = vmcs.wordAt(GUEST_LDTR_SELECTOR) & 0xffff;
    regs.trSelector = vmcs.wordAt(GUEST_TR_SELECTOR) & 0xffff;
    regs.gdtrLimit = vmcs.wordAt(GUEST_GDTR_LIMIT) & 0xffff;
    regs.idtrLimit = vmcs.wordAt(GUEST_IDTR_LIMIT) & 0xffff;
    regs.flags = vmcs.wordAt(GUEST_RFLAGS);
    regs.cpl = regs.v86 ? 3 : regs.protectedMode ? regs.dpl(SEG.ss) : 0;
    regs.modeChanged();
    this.loadProgress();
    regs.pendingDebug = vmcs.wordAt(GUEST_PENDING_DEBUG_EXCEPTIONS) & 0x500f;
    regs.waiting = ACTIVITY[vmcs.wordAt(GUEST_ACTIVITY_STATE)] ?? Waiting.no;
  }

  private loadProgress(): void {
    const { regs, vmcs } = this;
    regs.setRip(vmcs.wordAt(GUEST_RIP), vmcs.wordAt(GUEST_RIP + 1));
    const blocking = vmcs.wordAt(GUEST_INTERRUPTIBILITY_STATE);
    regs.clearShadow();
    const shadow = blocking & (Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);
    if (shadow !== 0) regs.blockNext(shadow);
    regs.nmiBlocked = (blocking & Interruptibility.blockingByNmi) !== 0;
    regs.rfAt = regs.host.retired();
  }

  /** Loads what may have changed of a guest whose registers are the processor's: RIP, and what blocks interrupts. */
  goOn(): void {
    const { regs, vmcs } = this;
    regs.systemFlags = (regs.systemFlags & ~Flag.RF) | (vmcs.wordAt(GUEST_RFLAGS) & Flag.RF);
    this.loadProgress();
  }

  /** Saves of the guest-state area what {@link goOn} looks at. `resume`: RFLAGS.RF is set, so that an instruction breakpoint does not hit again. */
  saveProgress(resume: boolean): void {
    const { regs, vmcs } = this;
    vmcs.setWord(GUEST_RIP, regs.ripLo());
    vmcs.setWord(GUEST_RIP + 1, regs.ripHi());
    const { flags } = regs;
    const stale = !resume && regs.host.retired() > regs.rfAt ? 0x1_0000 : 0;
    vmcs.setWord(GUEST_RFLAGS, (resume ? flags | 0x1_0000 : flags) & ~stale);
    vmcs.setWord(GUEST_INTERRUPTIBILITY_STATE, regs.currentShadow() | (regs.nmiBlocked ? SHADOW.nmi : 0));
    vmcs.setWord(GUEST_PENDING_DEBUG_EXCEPTIONS, regs.pendingDebug);
    const activity = ACTIVITY.indexOf(regs.waiting);
    vmcs.setWord(GUEST_ACTIVITY_STATE, activity < 0 ? 0 : activity);
  }

  /** Saves the rest of the guest-state area. */
  saveRest(): void {
    const { regs, vmcs } = this;
    const controls = vmcs.wordAt(EXIT_CONTROLS);
    vmcs.save(this.saved(controls));
    if ((regs.cr0 & CR0.PG) !== 0 && (regs.cr4 & CR4.PAE) !== 0 && !regs.long) vmcs.save(PDPTES);
    // For unrestricted guests, the control follows LMA.
    const entry = vmcs.wordAt(ENTRY_CONTROLS) & ~EntryControl.ia32eModeGuest;
    vmcs.setWord(ENTRY_CONTROLS, entry | (regs.long ? EntryControl.ia32eModeGuest : 0));
    for (let i = 0; i < 8; i++) vmcs.setWord(RIGHTS_WORDS[i]!, this.rights(i));
    vmcs.setWord(GUEST_LDTR_SELECTOR, regs.ldtrSelector);
    vmcs.setWord(GUEST_TR_SELECTOR, regs.trSelector);
    vmcs.setWord(GUEST_GDTR_LIMIT, regs.gdtrLimit);
    vmcs.setWord(GUEST_IDTR_LIMIT, regs.idtrLimit);
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
    const { sys } = regs;
    const controls = vmcs.wordAt(EXIT_CONTROLS);
    const cr0 = (vmcs.wordAt(HOST_CR0) & ~CR0_KEPT) | (regs.cr0 & CR0_KEPT) | CR0.ET;
    load(regs, vmcs.base, this.host(controls));
    sys[slot.cr0] = cr0;
    sys[slot.cr0 + 1] = 0;
    sys[slot.dr7] = DR7.ones;
    sys[slot.debugctl] = 0;
    sys[slot.dr7 + 1] = sys[slot.debugctl + 1] = 0;
    if ((controls & ExitControl.loadIa32Efer) === 0) regs.set('efer', regs.efer | EFER.LMA | EFER.LME, 0);
    regs.cpl = 0;
    regs.waiting = Waiting.no;
    regs.clearShadow();
    regs.pendingDebug = 0;
  }
}
