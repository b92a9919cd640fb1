/**
 * The state of the privileged architecture of one processing element: system register storage, PSTATE, and the fields of the
 * shared state block that follow from them.
 */

import { GuestBlocks, GuestPages, placeIn, type RamWindow, type Space } from '@axvisor/softcpu';
import {
  ALIGNED, ATTENTION, BRANCH_TBI, DAIF, ELR_EL1, ELR_EL2, ESR_EL1, ESR_EL2, EXCL_VALID, FAR_EL1, FAR_EL2, FETCH_IDX, FP_TRAP, MMU, MMU_IDX, MODE, PC,
  PERMITTED, Permit, SP, SP_ALIGN, SP_EL0, SP_EL1, SP_EL2, SPSR_EL1, SPSR_EL2, TPIDR_EL0, TPIDR_EL1, TPIDRRO_EL0, UNPRIV_IDX, X,
} from '../state.ts';
import { readNzcv, writeNzcv } from '../nzcv.ts';
import { Cptr, Hcr, Mdcr, Mdscr, Sctlr, Spsr } from './fields.ts';
import type { PrivilegedHost, PrivilegedOptions } from './interface.ts';
import { BlockLog } from './block_log.ts';
import { permitted } from './permitted.ts';
import { resetValues, slot, stored, type StoredReg } from './stored.ts';
import { Walks } from './walks.ts';

const { SCTLR_EL1, SCTLR_EL2, CPACR_EL1, HCR_EL2, CPTR_EL2, TCR_EL1, TCR_EL2, MDCR_EL2, MDSCR_EL1, TTBR0_EL1, TTBR1_EL1, VTTBR_EL2 } = slot;

/** Registers of the state block that are zero at reset. */
const CLEARED: readonly number[] = [
  SP_EL0, SP_EL1, SP_EL2, TPIDR_EL0, TPIDR_EL1, TPIDRRO_EL0, ESR_EL1, FAR_EL1, ELR_EL1, SPSR_EL1, ESR_EL2, FAR_EL2, ELR_EL2, SPSR_EL2,
];

/** Where the banked stack pointers lie, by EL. */
const spBank: readonly number[] = [SP_EL0, SP_EL1, SP_EL2];

/** ISS of a Software Step exception: its fault status code; with ISV (bit 24) after an instruction was stepped. */
export const STEP = 0x22;
export const STEPPED: number = STEP | (1 << 24);

/** TCR_EL1.A1, the ASID is that of TTBR1_EL1; and in the high word AS, it has 16 bits. */
const TCR_A1 = 1 << 22;
const TCR_HI_AS = 1 << 4;

/** MMU modes of EL1 and EL0, all of which EL1 uses, and of EL2. */
const EL1_MODES: readonly number[] = [MMU.el0, MMU.el1, MMU.el1Pan];
const EL2_MODES: readonly number[] = [MMU.el2];

/** System registers and PSTATE of one processing element. */
export class State {
  /** Stored system registers, two words each, at {@link slot}. */
  readonly sys: Int32Array = new Int32Array(2 * stored.length);
  /** Current Exception level. */
  el = 2;
  /** PSTATE.SP, PAN, UAO, SS, IL. */
  spSel = 1;
  pan = 0;
  uao = 0;
  ss = 0;
  il = 0;
  /** ISS of the next Software Step exception. */
  stepSyndrome: number = STEP;
  /** The Event Register. */
  event = false;
  /** OSLSR_EL1.OSLK. */
  osLock = true;
  /** ICC_SRE_EL2.Enable. */
  gicEnable = true;
  /** Debug claim tags. */
  claimTags = 0;
  /** Hosted: the guest was left. */
  exited = false;
  /** Offset of the vector that it was left through, in its group of vectors. */
  exitVector = 0;
  /** A WFI waits. */
  waiting = false;
  /** Called before the Exception level may change, while somebody counts what happens in it. */
  leavingEl: (() => void) | undefined;
  /** Counts changes of what walks depend on besides page tables. */
  controls = 0;

  readonly host: PrivilegedHost;
  readonly ram: readonly RamWindow[];
  readonly hosted: boolean;
  readonly options: PrivilegedOptions;
  /** The linear memory, 32-bit and 8-bit; the state block begins at word `base`. */
  words: Int32Array;
  bytes: Uint8Array;
  readonly base: number;
  /** Leaves above 4 KiB that may be cached page by page. */
  readonly blocks: BlockLog = new BlockLog();
  /** Translations of stage 2 alone. */
  readonly guestPages: GuestPages = new GuestPages();
  /** The same for walks in generated code, of Normal memory. */
  readonly guestBlocks: GuestBlocks;
  readonly walks: Walks;
  /** Interrupts, physical or virtual, that are pending: bits of `Line`, some perhaps routed nowhere. */
  lines = 0;
  /** The engine may hold a translation. */
  cached = true;
  /** What of PSTATE {@link modeChanged} saw last; -1: a control has changed since. */
  private mode = -1;
  /** {@link MMU_IDX}, as it follows from that. */
  private index = 0;
  /** Address spaces of the EL1&0 and EL2 regimes; undefined once what they depend on changed. */
  private guestSpace: Space | undefined;
  private el2Space: Space | undefined;

  constructor(options: PrivilegedOptions) {
    this.options = options;
    this.host = options.host;
    this.ram = options.ram;
    this.hosted = options.hosted ?? false;
    this.base = options.stateBase >> 2;
    this.words = new Int32Array(options.memory.buffer);
    this.bytes = new Uint8Array(options.memory.buffer);
    this.guestBlocks = new GuestBlocks(this, options.guestBlocks);
    this.walks = new Walks(this);
  }

  refresh(): void {
    this.words = new Int32Array(this.options.memory.buffer);
    this.bytes = new Uint8Array(this.options.memory.buffer);
  }

  /** Everything to the manual's reset value, or zero where that is UNKNOWN. */
  reset(): void {
    this.sys.fill(0);
    for (const [name, value] of Object.entries(resetValues)) this.sys[slot[name as StoredReg]] = value;
    this.sys[slot.CNTFRQ_EL0] = this.options.frequency ?? 62_500_000;
    for (const field of CLEARED) this.words.fill(0, this.at(field), this.at(field) + 2);
    this.words[this.at(EXCL_VALID)] = 0;
    this.nzcv = 0;
    this.words[this.at(DAIF)] = Spsr.DAIF;
    this.el = 2;
    this.spSel = 1;
    this.pan = this.uao = this.ss = this.il = 0;
    this.event = this.exited = this.waiting = false;
    this.osLock = true;
    this.claimTags = 0;
    this.gicEnable = true;
    this.cached = true;
    this.flushStage2();
    this.walksChanged();
    this.modeChanged(true);
  }

  /** Index in `words` of a field of the state block. */
  at(field: number): number {
    return this.base + (field >> 2);
  }

  /** Byte offset in linear memory of `size` bytes of RAM at a physical address, or -1. */
  ramOffset(pa: number, size: number): number {
    return placeIn(this.ram, pa, size);
  }

  /** Low word of a general-purpose register; 31 is XZR. */
  xLo(register: number): number {
    return register === 31 ? 0 : this.words[this.at(X) + 2 * register]!;
  }

  xHi(register: number): number {
    return register === 31 ? 0 : this.words[this.at(X) + 2 * register + 1]!;
  }

  /** Writes a general-purpose register; writes to 31 are dropped. */
  setX(register: number, lo: number, hi: number): void {
    if (register === 31) return;
    const at = this.at(X) + 2 * register;
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  setPc(lo: number, hi: number): void {
    this.put(PC, lo, hi);
  }

  /** Writes 64 bits of the state block. */
  put(field: number, lo: number, hi: number): void {
    const at = this.at(field);
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  /** Moves PC past one instruction. */
  advancePc(): void {
    const at = this.at(PC);
    const lo = (this.words[at]! + 4) | 0;
    if (lo >>> 0 < 4) this.words[at + 1]! += 1;
    this.words[at] = lo;
  }

  get daif(): number {
    return this.words[this.at(DAIF)]!;
  }

  set daif(value: number) {
    this.words[this.at(DAIF)] = value & Spsr.DAIF;
  }

  /** PSTATE as SPSR_ELx holds it. */
  get pstate(): number {
    const { words } = this;
    return (
      (readNzcv(words, this.base) << 28) |
      (this.uao << 23) | (this.pan << 22) | (this.ss << 21) | (this.il << 20) | this.daif | (this.el << 2) | this.spSel
    );
  }

  /** PSTATE.{N,Z,C,V} from bits 31…28. */
  set nzcv(value: number) {
    writeNzcv(this.words, this.base, value >>> 28);
  }

  /** Moves to another Exception level and stack. {@link modeChanged} must follow when PSTATE is complete. */
  setMode(el: number, spSel: number): void {
    const { words } = this;
    const from = this.at(spBank[this.spSel === 0 ? 0 : this.el]!);
    const to = this.at(spBank[spSel === 0 ? 0 : el]!);
    const live = this.at(SP);
    this.leavingEl?.();
    words[from] = words[live]!;
    words[from + 1] = words[live + 1]!;
    words[live] = words[to]!;
    words[live + 1] = words[to + 1]!;
    this.el = el;
    this.spSel = spSel;
  }

  /** Index in `words` of SP_EL0, SP_EL1 or SP_EL2, wherever it is now. */
  spAt(el: number): number {
    return this.at((this.spSel === 0 ? 0 : this.el) === el ? SP : spBank[el]!);
  }

  get tge(): boolean {
    return (this.sys[HCR_EL2]! & Hcr.TGE) !== 0;
  }

  /**
   * Recomputes what generated code looks at after PSTATE or a control changed. While native EL2 code runs that is nobody's: it
   * happens when the guest is entered.
   */
  modeChanged(always = false): void {
    if (this.hosted && this.el === 2 && !always) {
      this.mode = -1;
      return;
    }
    this.mode = this.modeNow;
    const { words, el, sys } = this;
    const index = (this.index = el === 0 ? MMU.el0 : el === 2 ? MMU.el2 : this.pan !== 0 ? MMU.el1Pan : MMU.el1);
    words[this.at(MMU_IDX)] = index;
    words[this.at(UNPRIV_IDX)] = el === 1 && this.uao === 0 ? MMU.el0 : index;
    words[this.at(FETCH_IDX)] = el;
    words[this.at(MODE)] = (el << 1) | this.spSel;
    words[this.at(FP_TRAP)] = this.fpTarget();
    const sctlr = sys[el === 2 ? SCTLR_EL2 : SCTLR_EL1]!;
    words[this.at(SP_ALIGN)] = (sctlr & (el === 0 ? Sctlr.SA0 : Sctlr.SA)) !== 0 ? 15 : 0;
    // Without stage 1 data is in Device memory, unless HCR_EL2.DC says otherwise.
    const hcr = el === 2 ? 0 : sys[HCR_EL2]!;
    const isDevice = (hcr & Hcr.DC) === 0 && ((sctlr & Sctlr.M) === 0 || (hcr & Hcr.TGE) !== 0);
    const aligned = (sctlr & Sctlr.A) !== 0 || isDevice;
    words[this.at(ALIGNED)] = aligned ? 1 : 0;
    words[this.at(PERMITTED)] = permitted(el, sys, this.options.shared === true) & (aligned ? ~Permit.zero : -1);
    this.attend();
    // TBI0 and TBI1 are bits 38:37 of TCR_EL1, TBI bit 20 of TCR_EL2, which has one range of addresses.
    words[this.at(BRANCH_TBI)] = el === 2 ? ((sys[TCR_EL2]! >>> 20) & 1) * 3 : (sys[TCR_EL1 + 1]! >>> 5) & 3;
    const isHyp = el === 2;
    const space = isHyp ? (this.el2Space ??= this.host.space('2')) : (this.guestSpace ??= this.newGuestSpace());
    this.host.enterSpaces(space, space, isHyp ? EL2_MODES : EL1_MODES);
  }

  private get modeNow(): number {
    return (this.el << 3) | (this.spSel << 2) | (this.pan << 1) | this.uao;
  }

  /** PSTATE changed and nothing else: a guest that is entered again is mostly where it was. */
  stateChanged(): void {
    if (this.mode !== this.modeNow) this.modeChanged();
    // An unprivileged access that faulted left it as it was for that.
    else this.words[this.at(MMU_IDX)] = this.index;
  }

  /** Notes for generated code whether clearing PSTATE.DAIF can have consequences; it may say so too often. */
  attend(): void {
    const { sys } = this;
    const virtual = sys[HCR_EL2]! & (Hcr.VF | Hcr.VI | Hcr.VSE);
    this.words[this.at(ATTENTION)] = this.lines | virtual | (sys[MDSCR_EL1]! & Mdscr.SS);
  }

  private newGuestSpace(): Space {
    const { sys } = this;
    const hi = sys[((sys[TCR_EL1]! & TCR_A1) !== 0 ? TTBR1_EL1 : TTBR0_EL1) + 1]! >>> 16;
    const asid = (sys[TCR_EL1 + 1]! & TCR_HI_AS) !== 0 ? hi : hi & 0xff;
    const machine = machineKey(sys[VTTBR_EL2]!, sys[VTTBR_EL2 + 1]!);
    return this.host.space(`${machine}${asid}`, machine);
  }

  /** The Exception level that instructions using SIMD&FP registers trap to, 0 if they do not ("CheckFPAdvSIMDEnabled64"). */
  fpTarget(): number {
    if (this.el < 2) {
      const fpen = (this.sys[CPACR_EL1]! >>> 20) & 3;
      if ((fpen & 1) === 0 || (fpen === 1 && this.el === 0)) return 1;
    }
    return (this.sys[CPTR_EL2]! & Cptr.TFP) !== 0 ? 2 : 0;
  }

  /** Where debug exceptions go: EL2 with MDCR_EL2.TDE or HCR_EL2.TGE. */
  get debugTarget(): number {
    return (this.sys[MDCR_EL2]! & Mdcr.TDE) !== 0 || this.tge ? 2 : 1;
  }

  /** Software step is active ("DebugExceptionReturnSS", "SSAdvance"): MDSCR_EL1.SS, and debug exceptions are enabled here. */
  get stepActive(): boolean {
    const mdscr = this.sys[MDSCR_EL1]!;
    if ((mdscr & 1) === 0 || this.osLock || (this.hosted && this.el === 2)) return false;
    const target = this.debugTarget;
    if (this.el !== target) return this.el < target;
    return (mdscr & (1 << 13)) !== 0 && (this.daif & Spsr.D) === 0;
  }

  /** Something changed that walks depend on besides page tables. */
  walksChanged(): void {
    this.controls++;
    this.walks.stop();
  }

  /** A control of translation changed: what was cached may be wrong. */
  controlsChanged(): void {
    this.walksChanged();
    this.flush();
  }

  /** TTBR0_EL1 or TTBR1_EL1 changed, and with them perhaps the ASID: what is cached is tagged with that. */
  addressSpaceChanged(): void {
    this.walksChanged();
    this.guestSpace = undefined;
    this.modeChanged();
  }

  /** VTTBR_EL2 changed: what is cached of stage 1 is tagged with it. */
  machineChanged(): void {
    this.clearStage2();
    this.addressSpaceChanged();
  }

  /** Drops every cached translation of stage 1, alone or combined. */
  flush(): void {
    if (!this.cached) return;
    this.cached = false;
    this.walks.stop();
    this.walks.forgetNoted();
    this.blocks.clear();
    this.forget(() => true);
  }

  /** Drops those of one address space of a virtual machine, by its VTTBR_EL2, but for what is global. */
  flushAsid(asid: number, machine?: { readonly lo: number; readonly hi: number }): void {
    if (!this.cached) return;
    const { lo, hi } = machine ?? { lo: this.sys[VTTBR_EL2]!, hi: this.sys[VTTBR_EL2 + 1]! };
    const key = `${machineKey(lo, hi)}${asid}`;
    this.forget((other) => other === key);
  }

  private forget(condition: (key: string) => boolean): void {
    this.guestSpace = undefined;
    this.el2Space = undefined;
    this.host.forgetSpaces(condition);
  }

  /** Drops the cached translations of one virtual address, in all address spaces. */
  flushPage(vaLo: number, vaHi: number): void {
    if (!this.cached) return;
    if (this.blocks.largeHas(vaLo, vaHi)) {
      this.flush();
      return;
    }
    const pages = this.blocks.smallPages;
    const lo = vaLo & ~(pages * 4096 - 1);
    for (let i = 0; i < pages; i++) this.host.flushPage(lo + i * 4096, vaHi);
  }

  /** Drops everything, what is known of stage 2 included. */
  flushStage2(): void {
    this.clearStage2();
    this.flush();
  }

  private clearStage2(): void {
    this.guestPages.clear();
    this.guestBlocks.clear();
  }
}

/** How the keys of all address spaces of a virtual machine begin, by its VTTBR_EL2. */
const machineKey = (lo: number, hi: number): string => `1:${lo}.${hi}:`;
