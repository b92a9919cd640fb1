/**
 * The physical interrupts of a hosted processing element: its own private peripheral interrupts (timers, performance monitors,
 * virtual CPU interface), acknowledged and completed by native EL2 software through ICC_*_EL1, without priorities. Group 1 only.
 */

import type { GicCpuInterface, HostInterrupts } from './interface.ts';
import { sysRegKey } from './sysreg.ts';

const SPURIOUS = 1023;
/** INTIDs below are software generated. */
const FIRST_PPI = 16;

const key = {
  IAR1: sysRegKey(3, 0, 12, 12, 0), EOIR1: sysRegKey(3, 0, 12, 12, 1), HPPIR1: sysRegKey(3, 0, 12, 12, 2), DIR: sysRegKey(3, 0, 12, 11, 1),
  CTLR: sysRegKey(3, 0, 12, 12, 4), IGRPEN1: sysRegKey(3, 0, 12, 12, 7),
} as const;
/** ICC_CTLR_EL1.EOImode: completion does not deactivate. */
const EOI_MODE = 2;

export class HostPpis implements GicCpuInterface, HostInterrupts {
  /** Levels, active states, and levels that were reported already, by INTID. */
  private levels = 0;
  private active = 0;
  private held = 0;
  private control = 0;
  private enabled = true;

  private readonly signal: (level: boolean) => void;

  /** @param signal - called with the level of the IRQ input. */
  constructor(signal: (level: boolean) => void) {
    this.signal = signal;
  }

  reset(): void {
    this.levels = this.active = this.held = this.control = 0;
    this.enabled = true;
    this.update();
  }

  setLevel(ppi: number, level: boolean): void {
    if (level) this.levels |= 1 << ppi;
    else this.levels &= ~(1 << ppi);
    this.held &= this.levels;
    this.update();
  }

  hold(intids: number): void {
    this.held |= this.levels & intids;
    this.update();
  }

  trigger(intid: number): void {
    this.setLevel(intid, true);
  }

  acknowledge(): number {
    const { highest } = this;
    if (highest === SPURIOUS) return SPURIOUS;
    this.active |= 1 << highest;
    // Of software generated interrupts there is no level.
    if (highest < FIRST_PPI) this.levels &= ~(1 << highest);
    this.update();
    return highest;
  }

  private get pending(): number {
    return this.levels & ~(this.active | this.held);
  }

  private update(): void {
    this.signal(this.enabled && this.pending !== 0);
  }

  /** The INTID of the pending interrupt with the lowest number. */
  private get highest(): number {
    const { pending } = this;
    return pending === 0 || !this.enabled ? SPURIOUS : 31 - Math.clz32(pending & -pending);
  }

  read(register: number): bigint {
    switch (register) {
      case key.IAR1:
        return BigInt(this.acknowledge());
      case key.HPPIR1:
        return BigInt(this.highest);
      case key.CTLR:
        return BigInt(this.control);
      case key.IGRPEN1:
        return this.enabled ? 1n : 0n;
      default:
        return 0n;
    }
  }

  write(register: number, value: bigint): void {
    const number = Number(value & 0xff_ffffn);
    switch (register) {
      case key.EOIR1:
        if ((this.control & EOI_MODE) === 0) this.deactivate(number);
        break;
      case key.DIR:
        this.deactivate(number);
        break;
      case key.CTLR:
        this.control = number & EOI_MODE;
        break;
      case key.IGRPEN1:
        this.enabled = (number & 1) !== 0;
        this.update();
        break;
      default:
        break;
    }
  }

  deactivate(intid: number): void {
    if (intid < 32) this.active &= ~(1 << intid);
    this.update();
  }
}
