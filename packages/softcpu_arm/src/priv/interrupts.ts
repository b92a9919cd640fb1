/** Interrupt inputs, physical and virtual, and the choice of the one to take (Arm ARM, chapter D1, "Asynchronous exceptions"). */

import { Hcr, Spsr } from './fields.ts';
import { Line } from './interface.ts';
import type { State } from './registers.ts';
import { slot } from './stored.ts';

const { HCR_EL2 } = slot;

/** What {@link Interrupts.select} found. */
export const Interrupt = { none: 0, irq: 1, fiq: 2, serror: 4 } as const;
export type Interrupt = (typeof Interrupt)[keyof typeof Interrupt];

/** What each kind of interrupt is routed by, masked by, and in which bit it is virtual; in the order they are looked at. */
const kinds = [
  { line: Line.fiq, result: Interrupt.fiq, mask: Spsr.F, route: Hcr.FMO, pending: Hcr.VF },
  { line: Line.irq, result: Interrupt.irq, mask: Spsr.I, route: Hcr.IMO, pending: Hcr.VI },
  { line: Line.serror, result: Interrupt.serror, mask: Spsr.A, route: Hcr.AMO, pending: Hcr.VSE },
] as const;

/** Interrupt state of one processing element. */
export class Interrupts {
  /** Levels of the inputs, wherever they come from: bits of {@link Line}. */
  lines = 0;
  private external = 0;
  private internal = 0;
  /** Levels of the virtual CPU interface's outputs: bits of {@link Line}. */
  virtualLines = 0;
  /** Target of the interrupt {@link select} found, and whether it is virtual. */
  target = 1;
  virtual = false;

  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** Inputs from outside keep their levels. */
  reset(): void {
    this.internal = 0;
    this.virtualLines = 0;
    this.changed();
  }

  private changed(): void {
    this.lines = this.external | this.internal;
    this.state.lines = this.lines | this.virtualLines;
    this.state.attend();
  }

  setLine(line: number, level: boolean): void {
    this.external = level ? this.external | line : this.external & ~line;
    this.changed();
  }

  /** IRQ of the processing element's own private interrupts, where nobody outside collects them. */
  setInternal(level: boolean): void {
    this.internal = level ? Line.irq : 0;
    this.changed();
  }

  setVirtual(line: number, level: boolean): void {
    if (level) this.virtualLines |= line;
    else this.virtualLines &= ~line;
    this.changed();
  }

  /** A physical SError was taken: it is an event, not a level. */
  serrorTaken(): void {
    this.setLine(Line.serror, false);
  }

  /** Virtual interrupts that are pending: bits of {@link Line}. They exist only where the physical ones are routed to EL2. */
  get virtualPending(): number {
    const hcr = this.state.sys[HCR_EL2]!;
    if ((hcr & Hcr.TGE) !== 0) return 0;
    let pending = 0;
    for (const { line, route, pending: bit } of kinds) {
      if ((hcr & route) !== 0 && ((hcr & bit) !== 0 || (this.virtualLines & line) !== 0)) pending |= line;
    }
    return pending;
  }

  /** Something a WFI waits for is pending, masked or not. */
  get wakeup(): boolean {
    return this.lines !== 0 || (this.state.el < 2 && this.virtualPending !== 0);
  }

  /** ISR_EL1: what is pending for the current Exception level, in the positions of PSTATE. */
  get isr(): number {
    const { state } = this;
    const hcr = state.sys[HCR_EL2]!;
    const virtual = this.virtualPending;
    let isr = 0;
    for (const { line, route, mask } of kinds) {
      const seen = state.el === 1 && (hcr & route) !== 0 ? virtual : this.lines;
      if ((seen & line) !== 0) isr |= mask;
    }
    return isr;
  }

  /** The interrupt to take now. Physical interrupts come first, FIQ, IRQ and SError in turn. */
  select(): Interrupt {
    const { state } = this;
    const { el, daif } = state;
    const hcr = state.sys[HCR_EL2]!;
    if (this.lines !== 0) {
      for (const { line, result, mask, route } of kinds) {
        if ((this.lines & line) === 0) continue;
        const target = (hcr & (route | Hcr.TGE)) !== 0 ? 2 : 1;
        // For a higher Exception level nothing masks; for a lower one everything does.
        if (el > target || ((target === 1 || el === 2) && (daif & mask) !== 0)) continue;
        this.target = target;
        this.virtual = false;
        return result;
      }
    }
    if (el === 2) return Interrupt.none;
    const virtual = this.virtualPending & ~(((daif & Spsr.F) !== 0 ? Line.fiq : 0) | ((daif & Spsr.I) !== 0 ? Line.irq : 0) | ((daif & Spsr.A) !== 0 ? Line.serror : 0));
    if (virtual === 0) return Interrupt.none;
    this.target = 1;
    this.virtual = true;
    return (virtual & Line.fiq) !== 0 ? Interrupt.fiq : (virtual & Line.irq) !== 0 ? Interrupt.irq : Interrupt.serror;
  }
}
