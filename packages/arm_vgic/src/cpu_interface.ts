/**
 * The CPU interface in software: masking, acknowledging, preemption, ending (GIC specification IHI 0069, 4.8 and 2.3). GICv2 has its registers in
 * memory, GICv3 in system registers; both work on this.
 */
import { PRIORITY_MASK } from './bank.ts';
import type { GicCore, GicCpu } from './core.ts';

/** INTIDs that are answers: the pending interrupt is of the other group; there is none. */
export const OTHER_GROUP = 1022;
export const SPURIOUS = 1023;

/** Priority of an idle CPU. */
const IDLE = 0xff;
/** With five bits of priority the binary point of group 0 is at least 2, that of group 1 one more. */
const MIN_BINARY_POINT: readonly [number, number] = [2, 3];

export class CpuInterface {
  readonly #core: GicCore;
  readonly #cpu: GicCpu;
  readonly groupEnabled: [boolean, boolean] = [false, false];
  priorityMask = 0;
  readonly binaryPoint: [number, number] = [...MIN_BINARY_POINT];
  /** Ending an interrupt drops its priority only; it is deactivated separately. */
  eoiMode = false;
  /** Group 1 uses the binary point of group 0 too. */
  commonBinaryPoint = false;
  /** GICv2: group 0 is signalled as FIQ; reading the group 0 acknowledge register takes group 1 too. */
  fiqEnable = false;
  ackControl = false;
  /** A bit for each active priority level, by group. */
  readonly activePriorities: [number, number] = [0, 0];

  constructor(core: GicCore, cpu: GicCpu) {
    this.#core = core;
    this.#cpu = cpu;
  }

  reset(): void {
    this.groupEnabled.fill(false);
    this.priorityMask = 0;
    this.binaryPoint.splice(0, 2, ...MIN_BINARY_POINT);
    this.eoiMode = this.commonBinaryPoint = this.fiqEnable = this.ackControl = false;
    this.activePriorities.fill(0);
  }

  setBinaryPoint(group: 0 | 1, value: number): void {
    this.binaryPoint[group] = Math.max(MIN_BINARY_POINT[group], value & 7);
  }

  /** The part of a priority that decides about preemption. */
  #groupPriority(priority: number, group: 0 | 1): number {
    const point = group === 0 || this.commonBinaryPoint ? this.binaryPoint[0] : this.binaryPoint[1] - 1;
    return priority & (0xff << (point + 1)) & 0xff;
  }

  /** Of the most urgent active interrupt. */
  get runningPriority(): number {
    const active = (this.activePriorities[0] | this.activePriorities[1]) >>> 0;
    return active === 0 ? IDLE : (31 - Math.clz32(active & -active)) << 3;
  }

  /** The interrupt that is signalled now. */
  #signalled(): { readonly intid: number; readonly priority: number; readonly group: 0 | 1 } | undefined {
    const best = this.#core.highest(this.#cpu);
    if (best === undefined || !this.groupEnabled[best.group] || best.priority >= this.priorityMask) return undefined;
    return this.#groupPriority(best.priority, best.group) < this.runningPriority ? best : undefined;
  }

  signals(): { readonly irq: boolean; readonly fiq: boolean } {
    const signalled = this.#signalled();
    const fiq = signalled?.group === 0 && (this.#core.version === 3 || this.fiqEnable);
    return { irq: signalled !== undefined && !fiq, fiq };
  }

  /** The highest pending interrupt as HPPIR shows it, whether or not it is masked. */
  highestPending(group: 0 | 1): number {
    const best = this.#core.highest(this.#cpu);
    if (best === undefined || !this.groupEnabled[best.group]) return SPURIOUS;
    if (best.group === group) return best.intid;
    return group === 0 && this.#core.version === 2 ? (this.ackControl ? best.intid : OTHER_GROUP) : SPURIOUS;
  }

  /** Acknowledges: the interrupt becomes active. Returns its INTID, for an SGI of a GICv2 with the sender in bits 12:10. */
  acknowledge(group: 0 | 1): number {
    const best = this.#signalled();
    if (best === undefined) return SPURIOUS;
    if (best.group !== group && !(group === 0 && this.ackControl)) return group === 0 && this.#core.version === 2 ? OTHER_GROUP : SPURIOUS;
    const { intid } = best;
    const level = this.#groupPriority(best.priority, best.group) & PRIORITY_MASK;
    this.activePriorities[best.group] = (this.activePriorities[best.group] | (1 << (level >> 3))) >>> 0;
    const sender = this.#take(intid);
    this.#core.update();
    return intid | (sender << 10);
  }

  /** Pending becomes active; returns the sender of an SGI. LPIs are never active. */
  #take(intid: number): number {
    const cpu = this.#cpu;
    const found = this.#core.find(cpu, intid);
    if (found === undefined) {
      cpu.lpis?.setPending(intid, false);
      return 0;
    }
    const { bank, i } = found;
    let sender = 0;
    let others = 0;
    if (this.#core.version === 2 && intid < cpu.sgiSources.length) {
      const sources = cpu.sgiSources[intid] as number;
      sender = sources === 0 ? 0 : 31 - Math.clz32(sources & -sources);
      others = cpu.sgiSources[intid] = sources & ~(1 << sender);
    }
    bank.latch[i] = others === 0 ? 0 : 1;
    bank.setActive(i, true, cpu.index);
    return sender;
  }

  /** The group of the most urgent active interrupt. */
  get #mostUrgentGroup(): 0 | 1 {
    const [zero, one] = this.activePriorities;
    return one === 0 || (zero !== 0 && (zero & -zero) >>> 0 <= (one & -one) >>> 0) ? 0 : 1;
  }

  /** Ends an interrupt: the priority drops, and unless {@link eoiMode} it is deactivated. */
  end(group: 0 | 1, value: number): void {
    const intid = value & 0xff_ffff;
    if (intid >= 1020 && intid <= SPURIOUS) return;
    const from = this.ackControl ? this.#mostUrgentGroup : group;
    const active = this.activePriorities[from];
    this.activePriorities[from] = (active & (active - 1)) >>> 0;
    if (this.eoiMode) this.#core.updateOutput(this.#cpu);
    else this.deactivate(value);
  }

  deactivate(value: number): void {
    const found = this.#core.find(this.#cpu, this.#core.version === 2 ? value & 0x3ff : value & 0xff_ffff);
    if (found !== undefined && found.bank.active[found.i] === 1) found.bank.setActive(found.i, false, this.#cpu.index);
    this.#core.update();
  }
}
