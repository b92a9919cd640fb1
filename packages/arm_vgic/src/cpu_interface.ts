/**
 * The CPU interface in software: masking, acknowledging, preemption, ending (GIC specification IHI 0069, 4.8 and 2.3). GICv2 has its registers in
 * memory, GICv3 in system registers; both work on this.
 */
import { PRIORITY_MASK } from './bank.ts';
import type { GicCore } from './core.ts';
import type { GicCpu } from './cpu.ts';

/** INTIDs that are answers: the pending interrupt is of the other group; there is none. */
export const OTHER_GROUP = 1022;
export const SPURIOUS = 1023;

/** Priority of an idle CPU. */
const IDLE = 0xff;
/** With five bits of priority the binary point of group 0 is at least 2, that of group 1 one more. */
const MIN_BINARY_POINT: readonly [number, number] = [2, 3];

const Flag = { group0: 1, group1: 2, eoiMode: 4, commonBinaryPoint: 8, fiqEnable: 16, ackControl: 32 } as const;
const Word = { flags: 0, priorityMask: 1, binaryPoint: 2, activePriorities: 4 } as const;
export const INTERFACE_WORDS = 6;

export class CpuInterface {
  readonly #core: GicCore;
  readonly #cpu: GicCpu;
  readonly #words: Int32Array;

  constructor(core: GicCore, cpu: GicCpu, words: Int32Array) {
    this.#core = core;
    this.#cpu = cpu;
    this.#words = words;
  }

  reset(): void {
    this.#words.fill(0);
    for (const group of [0, 1] as const) this.setBinaryPoint(group, 0);
  }

  // ── registers ──

  #word(at: number): number {
    return this.#words[at] as number;
  }

  #flag(flag: number): boolean {
    return (this.#word(Word.flags) & flag) !== 0;
  }

  #setFlag(flag: number, set: boolean): void {
    this.#words[Word.flags] = set ? this.#word(Word.flags) | flag : this.#word(Word.flags) & ~flag;
  }

  groupEnabled(group: 0 | 1): boolean {
    return this.#flag(group === 0 ? Flag.group0 : Flag.group1);
  }

  enableGroup(group: 0 | 1, enabled: boolean): void {
    this.#setFlag(group === 0 ? Flag.group0 : Flag.group1, enabled);
  }

  get priorityMask(): number {
    return this.#word(Word.priorityMask);
  }

  set priorityMask(mask: number) {
    this.#words[Word.priorityMask] = mask & PRIORITY_MASK;
  }

  binaryPoint(group: 0 | 1): number {
    return this.#word(Word.binaryPoint + group);
  }

  setBinaryPoint(group: 0 | 1, value: number): void {
    this.#words[Word.binaryPoint + group] = Math.max(MIN_BINARY_POINT[group], value & 7);
  }

  /** A bit for each active priority level of a group. */
  activePriorities(group: 0 | 1): number {
    return this.#word(Word.activePriorities + group) >>> 0;
  }

  setActivePriorities(group: 0 | 1, levels: number): void {
    this.#words[Word.activePriorities + group] = levels;
  }

  /** Ending an interrupt drops its priority only; it is deactivated separately. */
  get eoiMode(): boolean {
    return this.#flag(Flag.eoiMode);
  }

  set eoiMode(set: boolean) {
    this.#setFlag(Flag.eoiMode, set);
  }

  /** Group 1 uses the binary point of group 0 too. */
  get commonBinaryPoint(): boolean {
    return this.#flag(Flag.commonBinaryPoint);
  }

  set commonBinaryPoint(set: boolean) {
    this.#setFlag(Flag.commonBinaryPoint, set);
  }

  /** GICv2: group 0 is signalled as FIQ. */
  get fiqEnable(): boolean {
    return this.#flag(Flag.fiqEnable);
  }

  set fiqEnable(set: boolean) {
    this.#setFlag(Flag.fiqEnable, set);
  }

  /** GICv2: reading the group 0 acknowledge register takes group 1 too. */
  get ackControl(): boolean {
    return this.#flag(Flag.ackControl);
  }

  set ackControl(set: boolean) {
    this.#setFlag(Flag.ackControl, set);
  }

  // ── delivery ──

  /** The part of a priority that decides about preemption. */
  #groupPriority(priority: number, group: 0 | 1): number {
    const point = group === 0 || this.commonBinaryPoint ? this.binaryPoint(0) : this.binaryPoint(1) - 1;
    return priority & (0xff << (point + 1)) & 0xff;
  }

  /** Of the most urgent active interrupt. */
  get runningPriority(): number {
    const active = (this.activePriorities(0) | this.activePriorities(1)) >>> 0;
    return active === 0 ? IDLE : (31 - Math.clz32(active & -active)) << 3;
  }

  /** The interrupt that is signalled now. */
  #signalled(): { readonly intid: number; readonly priority: number; readonly group: 0 | 1 } | undefined {
    const best = this.#core.highest(this.#cpu);
    if (best === undefined || !this.groupEnabled(best.group) || best.priority >= this.priorityMask) return undefined;
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
    if (best === undefined || !this.groupEnabled(best.group)) return SPURIOUS;
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
    this.setActivePriorities(best.group, this.activePriorities(best.group) | (1 << (level >> 3)));
    const sender = this.#take(intid);
    this.#core.update();
    return intid | (sender << 10);
  }

  /** Pending becomes active; returns the sender of an SGI. LPIs are never active. */
  #take(intid: number): number {
    const cpu = this.#cpu;
    const found = this.#core.find(cpu, intid);
    if (found === undefined) {
      cpu.lpiView.acknowledge(intid);
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
    const [zero, one] = [this.activePriorities(0), this.activePriorities(1)];
    return one === 0 || (zero !== 0 && (zero & -zero) >>> 0 <= (one & -one) >>> 0) ? 0 : 1;
  }

  /** Ends an interrupt: the priority drops, and unless {@link eoiMode} it is deactivated. */
  end(group: 0 | 1, value: number): void {
    const intid = value & 0xff_ffff;
    if (intid >= 1020 && intid <= SPURIOUS) return;
    const from = this.ackControl ? this.#mostUrgentGroup : group;
    const active = this.activePriorities(from);
    this.setActivePriorities(from, active & (active - 1));
    if (this.eoiMode) this.#core.updateOutput(this.#cpu);
    else this.deactivate(value);
  }

  deactivate(value: number): void {
    const found = this.#core.find(this.#cpu, this.#core.version === 2 ? value & 0x3ff : value & 0xff_ffff);
    if (found !== undefined && found.bank.active[found.i] === 1) found.bank.setActive(found.i, false, this.#cpu.index);
    this.#core.update();
  }
}
