/**
 * Interrupt sources, their registers, timers (Sstc) and the choice of the interrupt to take (machine chapter, "mip and mie";
 * hypervisor chapter, "hvip, hip and hie").
 */

import { toBigint } from '@axvisor/softcpu';
import { EnvcfgHi, Irq, Mstatus, M_INTERRUPTS, S_INTERRUPTS, VS_INTERRUPTS } from './fields.ts';
import { slot, type State } from './registers.ts';

const { mstatus: MSTATUS, vsstatus: VSSTATUS, mideleg: MIDELEG, hideleg: HIDELEG, mie: MIE } = slot;
const MENVCFG_HI = slot.menvcfg + 1;
const HENVCFG_HI = slot.henvcfg + 1;

/** Interrupt numbers in decreasing priority; those of M-mode come first. SGEI and LCOFI do not exist here. */
const priority: readonly number[] = [11, 3, 7, 9, 1, 5, 10, 2, 6];

/** Writable bits of mideleg; those of VS-level interrupts are read-only one. */
export const MIDELEG_WRITABLE: number = S_INTERRUPTS;
export const MIDELEG_FIXED: number = VS_INTERRUPTS;
/** Bits of mie that exist. */
export const MIE_WRITABLE: number = M_INTERRUPTS | S_INTERRUPTS | VS_INTERRUPTS;

/** Who takes an interrupt or exception. */
export const Target = { M: 3, HS: 1, VS: 0 } as const;

/** Interrupt state of one hart. */
export class Interrupts {
  /** Bits that software writes: SSIP, STIP and SEIP of mip, and hvip. */
  software = 0;
  /** Level of the lines from outside. */
  lines = 0;
  /** STIP and VSTIP as stimecmp and vstimecmp make them, as of the last {@link poll}. */
  private timers = 0;

  /** Target of the interrupt {@link select} found. */
  target: number = Target.M;

  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  reset(): void {
    this.software = 0;
    this.lines = 0;
    this.timers = 0;
    this.state.csr[MIDELEG] = MIDELEG_FIXED;
  }

  /** stimecmp is in use: STIP then is read-only. */
  get stce(): boolean {
    return (this.state.csr[MENVCFG_HI]! & EnvcfgHi.STCE) !== 0;
  }

  /** vstimecmp is in use. */
  get vstce(): boolean {
    const { csr } = this.state;
    return (csr[MENVCFG_HI]! & csr[HENVCFG_HI]! & EnvcfgHi.STCE) !== 0;
  }

  /** mip, with timers as of the last {@link poll}. */
  get mip(): number {
    const software = this.stce ? this.software & ~Irq.STI : this.software;
    return software | this.lines | this.timers;
  }

  /** Compares the timers with the clock. */
  poll(): void {
    let timers = 0;
    if (this.stce) {
      const { csr, host } = this.state;
      const now = host.now();
      if (now >= toBigint(csr[slot.stimecmp]!, csr[slot.stimecmp + 1]!)) timers = Irq.STI;
      if (this.vstce) {
        const guest = BigInt.asUintN(64, now + toBigint(csr[slot.htimedelta]!, csr[slot.htimedelta + 1]!));
        if (guest >= toBigint(csr[slot.vstimecmp]!, csr[slot.vstimecmp + 1]!)) timers |= Irq.VSTI;
      }
    }
    this.timers = timers;
  }

  /** When STIP or VSTIP rises next, whatever is enabled. */
  nextEdge(): bigint | undefined {
    if (!this.stce) return undefined;
    const { csr, host } = this.state;
    const now = host.now();
    const compare = toBigint(csr[slot.stimecmp]!, csr[slot.stimecmp + 1]!);
    let next = compare > now ? compare : undefined;
    if (this.vstce) {
      const guest = BigInt.asUintN(64, now + toBigint(csr[slot.htimedelta]!, csr[slot.htimedelta + 1]!));
      const guestCompare = toBigint(csr[slot.vstimecmp]!, csr[slot.vstimecmp + 1]!);
      const due = now + (guestCompare - guest);
      if (due > now && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /** When the next enabled timer that has not fired does. */
  nextTimer(): bigint | undefined {
    if (!this.stce) return undefined;
    const { csr, host } = this.state;
    const now = host.now();
    let next: bigint | undefined;
    if ((csr[MIE]! & Irq.STI) !== 0) next = toBigint(csr[slot.stimecmp]!, csr[slot.stimecmp + 1]!);
    if (this.vstce && (csr[MIE]! & Irq.VSTI) !== 0) {
      const guest = BigInt.asUintN(64, now + toBigint(csr[slot.htimedelta]!, csr[slot.htimedelta + 1]!));
      const compare = toBigint(csr[slot.vstimecmp]!, csr[slot.vstimecmp + 1]!);
      const due = compare > guest ? now + (compare - guest) : now;
      if (next === undefined || due < next) next = due;
    }
    return next;
  }

  /** A line from outside changes its level. */
  setLine(irq: number, level: boolean): void {
    const bit = 1 << irq;
    if ((bit & (Irq.SSI | Irq.VSSI)) !== 0) {
      if (level) this.software |= bit;
      else this.software &= ~bit;
    } else if (level) this.lines |= bit;
    else this.lines &= ~bit;
  }

  /** Some interrupt is pending and enabled in mie: what WFI waits for. */
  get wakeup(): boolean {
    return (this.mip & this.state.csr[MIE]!) !== 0;
  }

  /**
   * The interrupt to take now, or 0 (which is no interrupt); {@link target} says where to. "An interrupt i will trap to M-mode (HS-mode, VS-mode) if ...";
   * more privileged targets come first.
   */
  select(): number {
    const { csr, prv, v } = this.state;
    const active = this.mip & csr[MIE]!;
    if (active === 0) return 0;
    const mideleg = csr[MIDELEG]!;
    const machine = active & ~mideleg;
    if (machine !== 0 && (prv < 3 || (csr[MSTATUS]! & Mstatus.MIE) !== 0)) return this.highest(machine, Target.M);
    if (prv === 3) return 0;
    const hideleg = csr[HIDELEG]!;
    const hypervisor = active & mideleg & ~hideleg;
    if (hypervisor !== 0 && (v !== 0 || prv === 0 || (csr[MSTATUS]! & Mstatus.SIE) !== 0)) return this.highest(hypervisor, Target.HS);
    const guest = active & hideleg;
    if (guest !== 0 && v !== 0 && (prv === 0 || (csr[VSSTATUS]! & Mstatus.SIE) !== 0)) return this.highest(guest, Target.VS);
    return 0;
  }

  private highest(candidates: number, target: number): number {
    this.target = target;
    for (const irq of priority) if ((candidates & (1 << irq)) !== 0) return irq;
    return 0;
  }
}
