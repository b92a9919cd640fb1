/**
 * The GICv3 virtual CPU interface: list registers and the ICV behaviour of ICC_*_EL1 (GIC architecture specification, chapter
 * 6 and the pseudocode of chapter 12). 16 list registers, 5 bits of priority, all of which preempt.
 */

import type { Interrupts } from './interrupts.ts';
import { Line, Ppi, type GicCpuInterface } from './interface.ts';

export const LIST_REGISTERS = 16;
const PRIORITY_BITS = 5;
/** Priorities have their lowest 3 bits 0. */
const PRIORITY_MASK = 0xf8;
const IDLE = 0xff;
export const SPURIOUS = 1023;
/** First INTID of an LPI, which has no active state. */
const FIRST_LPI = 8192;

/** ICH_HCR_EL2. */
export const IchHcr = {
  En: 0x1, UIE: 0x2, LRENPIE: 0x4, NPIE: 0x8, VGrp0EIE: 0x10, VGrp0DIE: 0x20, VGrp1EIE: 0x40, VGrp1DIE: 0x80, TC: 0x400,
  TALL0: 0x800, TALL1: 0x1000, TDIR: 0x4000,
} as const;
const HCR_WRITABLE = 0xf800_5cff | 0;
const EOI_COUNT_SHIFT = 27;

/** ICH_VMCR_EL2; VFIQEn is one. */
const Vmcr = { VENG0: 1 << 0, VENG1: 1 << 1, VFIQEn: 1 << 3, VCBPR: 1 << 4, VEOIM: 1 << 9 } as const;
const VMCR_WRITABLE = Vmcr.VENG0 | Vmcr.VENG1 | Vmcr.VCBPR | Vmcr.VEOIM | (0x3f << 18) | (PRIORITY_MASK << 24);
/** The least binary points: all 5 bits are group priority. */
const MIN_BPR0 = 7 - PRIORITY_BITS;

/** ICH_LR<n>_EL2, high word: State, HW, Group, Priority, pINTID or, without HW, EOI. */
const Lr = { PENDING: 1 << 30, ACTIVE: 1 << 31, HW: 1 << 29, GROUP1: 1 << 28, EOI: 1 << 9 } as const;
const LR_HI_WRITABLE = 0xf0f8_1fff | 0;
const STATE = Lr.PENDING | Lr.ACTIVE;

/** ICH_VTR_EL2: PRIbits - 1, PREbits - 1, 24 INTID bits, Aff3 is valid, no direct injection, TDIR, list registers - 1. */
export const ICH_VTR: number = ((PRIORITY_BITS - 1) << 29) | ((PRIORITY_BITS - 1) << 26) | (1 << 23) | (1 << 21) | (1 << 20) | (1 << 19) | (LIST_REGISTERS - 1);
/** ICC_CTLR_EL1: range selector, Aff3, 24 INTID bits, PRIbits - 1; EOImode, CBPR. */
const CTLR_FIXED = (1 << 18) | (1 << 15) | (1 << 11) | ((PRIORITY_BITS - 1) << 8);
const Ctlr = { CBPR: 1, EOImode: 2 } as const;

/** The virtual CPU interface of one processing element. */
export class GicCpu {
  /** ICH_HCR_EL2 and ICH_VMCR_EL2. */
  hcr = 0;
  private vmcr = 0;
  /** ICH_AP0R0_EL2 and ICH_AP1R0_EL2: active group priorities. */
  readonly activePriorities: Int32Array = new Int32Array(2);
  private readonly lo = new Int32Array(LIST_REGISTERS);
  private readonly hi = new Int32Array(LIST_REGISTERS);
  private maintenance = false;

  /** The physical CPU interface; undefined: the processing element has no GIC system registers. */
  readonly physical: GicCpuInterface | undefined;
  private readonly interrupts: Interrupts;
  private readonly report: (ppi: number, level: boolean) => void;

  constructor(interrupts: Interrupts, physical: GicCpuInterface | undefined, report: (ppi: number, level: boolean) => void) {
    this.interrupts = interrupts;
    this.physical = physical;
    this.report = report;
  }

  get present(): boolean {
    return this.physical !== undefined;
  }

  reset(): void {
    this.hcr = 0;
    this.writeVmcr(0);
    this.activePriorities.fill(0);
    this.lo.fill(0);
    this.hi.fill(0);
    this.update();
  }

  // ── the hypervisor's view: ICH_*_EL2 ──

  writeHcr(value: number): void {
    this.hcr = value & HCR_WRITABLE;
    this.update();
  }

  get vmcrValue(): number {
    return this.vmcr;
  }

  writeVmcr(value: number): void {
    this.vmcr = (value & VMCR_WRITABLE) | Vmcr.VFIQEn;
    this.setBpr(0, (value >>> 21) & 7);
    this.setBpr(1, (value >>> 18) & 7);
    this.update();
  }

  lrLo(n: number): number {
    return this.lo[n]!;
  }

  lrHi(n: number): number {
    return this.hi[n]!;
  }

  writeLr(n: number, lo: number, hi: number): void {
    this.lo[n] = lo & 0xff_ffff;
    this.hi[n] = hi & LR_HI_WRITABLE;
    this.update();
  }

  writeActive(group: number, value: number): void {
    this.activePriorities[group] = value;
    this.update();
  }

  /** ICH_EISR_EL2: list registers whose end of interrupt is to be told and is there. */
  get eisr(): number {
    return this.bits((hi) => (hi & (STATE | Lr.HW | Lr.EOI)) === Lr.EOI);
  }

  /** ICH_ELRSR_EL2: list registers that are free. */
  get elrsr(): number {
    return this.bits((hi) => (hi & STATE) === 0 && (hi & (Lr.HW | Lr.EOI)) !== Lr.EOI);
  }

  /** ICH_MISR_EL2: EOI, U, LRENP, NP, VGrp0E, VGrp0D, VGrp1E, VGrp1D. */
  get misr(): number {
    const { hcr, vmcr } = this;
    const valid = this.bits((hi) => (hi & STATE) !== 0);
    const on = (condition: boolean, bit: number): number => (condition ? bit : 0);
    return (
      on(this.eisr !== 0, 1 << 0) | on((hcr & IchHcr.UIE) !== 0 && (valid & (valid - 1)) === 0, 1 << 1) |
      on((hcr & IchHcr.LRENPIE) !== 0 && hcr >>> EOI_COUNT_SHIFT !== 0, 1 << 2) |
      on((hcr & IchHcr.NPIE) !== 0 && this.bits((hi) => (hi & STATE) === Lr.PENDING) === 0, 1 << 3) |
      on((hcr & IchHcr.VGrp0EIE) !== 0 && (vmcr & Vmcr.VENG0) !== 0, 1 << 4) | on((hcr & IchHcr.VGrp0DIE) !== 0 && (vmcr & Vmcr.VENG0) === 0, 1 << 5) |
      on((hcr & IchHcr.VGrp1EIE) !== 0 && (vmcr & Vmcr.VENG1) !== 0, 1 << 6) | on((hcr & IchHcr.VGrp1DIE) !== 0 && (vmcr & Vmcr.VENG1) === 0, 1 << 7)
    );
  }

  private bits(which: (hi: number) => boolean): number {
    let bits = 0;
    for (let n = 0; n < LIST_REGISTERS; n++) if (which(this.hi[n]!)) bits |= 1 << n;
    return bits;
  }

  // ── the guest's view: ICV ──

  /** ICV_IAR0_EL1 or ICV_IAR1_EL1. */
  acknowledge(group: number): number {
    const n = this.highestPending();
    if (n < 0 || this.groupOf(n) !== group || !this.signals(n)) return SPURIOUS;
    const intid = this.lo[n]!;
    this.activePriorities[group]! |= 1 << (this.groupPriority(n) >>> (8 - PRIORITY_BITS));
    this.hi[n] = (this.hi[n]! & ~STATE) | (intid < FIRST_LPI ? Lr.ACTIVE : 0);
    this.update();
    return intid;
  }

  /** ICV_EOIR0_EL1 or ICV_EOIR1_EL1. */
  endOfInterrupt(group: number, intid: number): void {
    if (intid >= 1020 && intid < 1024) return;
    const dropped = this.dropPriority();
    if (dropped === IDLE || intid >= FIRST_LPI) {
      this.update();
      return;
    }
    if ((this.vmcr & Vmcr.VEOIM) === 0) {
      const n = this.findActive(intid);
      if (n < 0) this.countEoi();
      else if (this.groupOf(n) === group && this.groupPriority(n) === dropped) this.deactivate(n);
    }
    this.update();
  }

  /** ICV_DIR_EL1. */
  deactivateInterrupt(intid: number): void {
    if ((this.vmcr & Vmcr.VEOIM) === 0 || intid >= FIRST_LPI || (intid >= 1020 && intid < 1024)) return;
    const n = this.findActive(intid);
    if (n < 0) this.countEoi();
    else this.deactivate(n);
    this.update();
  }

  /** ICV_HPPIR0_EL1 or ICV_HPPIR1_EL1. */
  highestPendingId(group: number): number {
    const n = this.highestPending();
    return n < 0 || this.groupOf(n) !== group ? SPURIOUS : this.lo[n]!;
  }

  /** ICV_RPR_EL1. */
  get runningPriority(): number {
    const active = this.activePriorities[0]! | this.activePriorities[1]!;
    return active === 0 ? IDLE : (31 - Math.clz32(active & -active)) << (8 - PRIORITY_BITS);
  }

  get priorityMask(): number {
    return this.vmcr >>> 24;
  }

  set priorityMask(value: number) {
    this.vmcr = (this.vmcr & 0xff_ffff) | ((value & PRIORITY_MASK) << 24);
    this.update();
  }

  /** ICV_BPR0_EL1 or ICV_BPR1_EL1, which with CBPR shows the other and is not written. */
  bpr(group: number): number {
    if (group === 1 && (this.vmcr & Vmcr.VCBPR) !== 0) return Math.min(this.bpr(0) + 1, 7);
    return (this.vmcr >>> (group === 0 ? 21 : 18)) & 7;
  }

  writeBpr(group: number, value: number): void {
    if (group === 1 && (this.vmcr & Vmcr.VCBPR) !== 0) return;
    this.setBpr(group, value & 7);
    this.update();
  }

  private setBpr(group: number, value: number): void {
    const shift = group === 0 ? 21 : 18;
    this.vmcr = (this.vmcr & ~(7 << shift)) | (Math.max(value, MIN_BPR0 + group) << shift);
  }

  get control(): number {
    return CTLR_FIXED | ((this.vmcr & Vmcr.VCBPR) !== 0 ? Ctlr.CBPR : 0) | ((this.vmcr & Vmcr.VEOIM) !== 0 ? Ctlr.EOImode : 0);
  }

  set control(value: number) {
    this.vmcr = (this.vmcr & ~(Vmcr.VCBPR | Vmcr.VEOIM)) | ((value & Ctlr.CBPR) !== 0 ? Vmcr.VCBPR : 0) | ((value & Ctlr.EOImode) !== 0 ? Vmcr.VEOIM : 0);
    this.update();
  }

  groupEnabled(group: number): boolean {
    return (this.vmcr & (Vmcr.VENG0 << group)) !== 0;
  }

  enableGroup(group: number, enabled: boolean): void {
    if (enabled) this.vmcr |= Vmcr.VENG0 << group;
    else this.vmcr &= ~(Vmcr.VENG0 << group);
    this.update();
  }

  // ── the state machine ──

  private groupOf(n: number): number {
    return (this.hi[n]! & Lr.GROUP1) !== 0 ? 1 : 0;
  }

  private priorityOf(n: number): number {
    return (this.hi[n]! >>> 16) & PRIORITY_MASK;
  }

  /** The bits of priority that decide whether a group's interrupts preempt. */
  private groupMask(group: number): number {
    // Binary point b of group 0 leaves bits 7:b+1; that of group 1 is one more for the same split.
    const low = group === 0 || (this.vmcr & Vmcr.VCBPR) !== 0 ? this.bpr(0) + 1 : this.bpr(1);
    return -1 << low;
  }

  /** The priority with which a list register preempts: without its subpriority. */
  private groupPriority(n: number): number {
    return this.priorityOf(n) & this.groupMask(this.groupOf(n));
  }

  /** The list register of the pending interrupt of highest priority whose group is enabled, or -1. */
  private highestPending(): number {
    if ((this.hcr & IchHcr.En) === 0) return -1;
    let best = -1;
    for (let n = 0; n < LIST_REGISTERS; n++) {
      if ((this.hi[n]! & STATE) !== Lr.PENDING || !this.groupEnabled(this.groupOf(n))) continue;
      if (best < 0 || this.priorityOf(n) < this.priorityOf(best)) best = n;
    }
    return best;
  }

  /** A pending interrupt passes the mask and preempts what is active. */
  private signals(n: number): boolean {
    if (this.priorityOf(n) >= this.priorityMask) return false;
    const { runningPriority } = this;
    return runningPriority === IDLE || this.groupPriority(n) < (runningPriority & this.groupMask(this.groupOf(n)));
  }

  private findActive(intid: number): number {
    for (let n = 0; n < LIST_REGISTERS; n++) if ((this.hi[n]! & Lr.ACTIVE) !== 0 && this.lo[n] === intid) return n;
    return -1;
  }

  /** Drops the highest active priority, which it returns. */
  private dropPriority(): number {
    const { runningPriority } = this;
    if (runningPriority === IDLE) return IDLE;
    const bit = 1 << (runningPriority >>> (8 - PRIORITY_BITS));
    // Only one group has it; if software wrote both, group 0 comes first.
    const group = (this.activePriorities[0]! & bit) !== 0 ? 0 : 1;
    this.activePriorities[group]! &= ~bit;
    return runningPriority;
  }

  private deactivate(n: number): void {
    const hi = this.hi[n]!;
    this.hi[n] = hi & ~Lr.ACTIVE;
    if ((hi & Lr.HW) !== 0) this.physical?.deactivate(hi & 0x1fff);
  }

  /** An end of interrupt that no list register has: the hypervisor keeps it elsewhere. */
  private countEoi(): void {
    this.hcr = (this.hcr + (1 << EOI_COUNT_SHIFT)) | 0;
  }

  /** Works the outputs out again. */
  private update(): void {
    const n = this.highestPending();
    const group = n >= 0 && this.signals(n) ? this.groupOf(n) : -1;
    this.interrupts.setVirtual(Line.irq, group === 1);
    this.interrupts.setVirtual(Line.fiq, group === 0);
    const maintenance = (this.hcr & IchHcr.En) !== 0 && this.misr !== 0;
    if (maintenance === this.maintenance) return;
    this.maintenance = maintenance;
    this.report(Ppi.maintenance, maintenance);
  }
}
