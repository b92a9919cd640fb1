/** One CPU's part of the controller as a vCPU uses it: private wires, SGIs that it sends, and its list registers. */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { CpuInterrupts, InterruptState, SgiRequest, VirtualInterrupt } from '@axvisor/axvisor_api/intc';
import type { GicCore } from './core.ts';
import { PRIVATE, SGIS, type GicCpu } from './cpu.ts';

/** Affinity level 0: CPUs of one target list share all above. */
const AFF0 = 0xffn;

export class CpuPort implements CpuInterrupts {
  readonly #core: GicCore;
  readonly #cpu: GicCpu;

  constructor(core: GicCore, cpu: GicCpu) {
    this.#core = core;
    this.#cpu = cpu;
  }

  useListRegisters(): boolean {
    if (this.#core.version === 2) return false;
    this.#core.atomically(() => {
      this.#cpu.usesListRegisters = true;
      this.#core.update();
    });
    return true;
  }

  get systemRegisters(): boolean {
    return this.#core.version === 3;
  }

  get changed(): boolean {
    return this.#cpu.changed;
  }

  setPrivateLine(intid: number, level: boolean): void {
    // Nobody else drives the wire; mostly it stays as it is.
    if (!(intid >= SGIS && intid < PRIVATE) || (this.#cpu.bank.line[intid] === 1) === level) return;
    this.#core.atomically(() => {
      this.#cpu.bank.setLine(intid, level);
      this.#cpu.changed = true;
      this.#core.updateOutput(this.#cpu, true);
    });
  }

  /** @throws {AxError} InvalidInput for an interrupt that the controller lacks */
  setPending(intid: number, pending: boolean): void {
    const found = this.#core.find(this.#cpu, intid);
    ensure(found !== undefined, 'InvalidInput', `the GIC has no interrupt ${String(intid)}`);
    this.#core.atomically(() => {
      if (intid < SGIS && this.#core.version === 2) this.#cpu.sgiSources[intid] = pending ? 1 << this.#cpu.index : 0;
      found.bank.setLatch(found.i, pending);
      this.#core.update();
    });
  }

  sendSgi({ intid, group, targets }: SgiRequest): void {
    const isTarget = (cpu: GicCpu): boolean => {
      if (targets === 'others') return cpu !== this.#cpu;
      const aff0 = Number(cpu.affinity & AFF0);
      return (cpu.affinity & ~AFF0) === targets.affinity && aff0 >> 4 === targets.range && ((targets.list >> (aff0 & 15)) & 1) === 1;
    };
    this.#core.atomically(() => {
      for (const cpu of this.#core.cpus) if (isTarget(cpu)) this.#core.sendSgi(cpu, intid & (SGIS - 1), group, this.#cpu.index);
    });
  }

  flush(count: number): { readonly interrupts: readonly VirtualInterrupt[]; readonly more: boolean } {
    return this.#core.atomically(() => this.#flush(count));
  }

  #flush(count: number): { readonly interrupts: readonly VirtualInterrupt[]; readonly more: boolean } {
    const cpu = this.#cpu;
    cpu.changed = false;
    const byUrgency = (a: VirtualInterrupt, b: VirtualInterrupt): number => a.priority - b.priority || a.intid - b.intid;
    const active = [...this.#core.activeOf(cpu)].sort(byUrgency);
    const pending = [...this.#core.pendingFor(cpu)].map(
      (c): VirtualInterrupt => ({ ...c, pending: true, active: false, notifyEnd: this.#tellsEnd(c.intid) }),
    );
    const all = [...active, ...pending.sort(byUrgency)];
    const interrupts = all.slice(0, count);
    for (const { intid } of interrupts) {
      const found = this.#core.find(cpu, intid);
      if (found !== undefined) found.bank.hold(found.i, cpu.index);
      else cpu.lpiView.hold(intid);
    }
    this.#core.updateOutput(cpu, true);
    return { interrupts, more: all.length > count };
  }

  /** Levels are looked at again at the end. Of LPIs from another thread the next comes when the last is taken. */
  #tellsEnd(intid: number): boolean {
    const found = this.#core.find(this.#cpu, intid);
    return found === undefined ? this.#cpu.lpis === undefined : found.bank.edge[found.i] === 0 && found.bank.line[found.i] === 1;
  }

  sync(states: readonly InterruptState[], endedElsewhere: number): void {
    this.#core.atomically(() => this.#sync(states, endedElsewhere));
  }

  #sync(states: readonly InterruptState[], endedElsewhere: number): void {
    const cpu = this.#cpu;
    for (const { intid, pending, active } of states) {
      const found = this.#core.find(cpu, intid);
      if (found === undefined) cpu.lpiView.release(intid, pending);
      else if (found.bank.owner[found.i] === cpu.index) found.bank.release(found.i, pending, active);
    }
    if (endedElsewhere > 0) {
      const waiting = [...this.#core.activeOf(cpu)].sort((a, b) => a.priority - b.priority);
      for (const { intid } of waiting.slice(0, endedElsewhere)) {
        const found = this.#core.find(cpu, intid);
        found?.bank.setActive(found.i, false, cpu.index);
      }
    }
    cpu.changed = true;
    this.#core.updateOutput(cpu, true);
  }

  highestPending(): { readonly priority: number; readonly group: 0 | 1 } | undefined {
    return this.#core.atomically(() => this.#core.highest(this.#cpu));
  }
}
