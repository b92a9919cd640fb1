/**
 * What a GIC is apart from its registers (GIC specification IHI 0069, chapter 4): banks of interrupts, who is interrupted by which, and the outputs to
 * the vCPUs. Registers change the state and call {@link GicCore.update}.
 */
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { CpuPin } from '@axvisor/axvisor_api/arch/arm';
import type { IntcContext, VirtualInterrupt } from '@axvisor/axvisor_api/intc';
import { Bank, NOBODY } from './bank.ts';
import { CpuInterface } from './cpu_interface.ts';
import { Lpis } from './lpis.ts';

/** Private interrupts of a CPU: 16 SGIs and 16 PPIs. */
export const PRIVATE = 32;
export const SGIS = 16;

/** A pending interrupt. */
export interface Candidate {
  readonly intid: number;
  readonly priority: number;
  readonly group: 0 | 1;
}

/** One CPU. */
export class GicCpu {
  readonly index: number;
  readonly affinity: bigint;
  readonly bank: Bank = new Bank(0, PRIVATE, SGIS);
  readonly lpis: Lpis | undefined;
  readonly cpuInterface: CpuInterface;
  /** Its list registers are filled by this controller; the CPU interface here is not used. */
  usesListRegisters = false;
  changed = true;
  /** GICv2: a bit for each CPU that sent the SGI. */
  readonly sgiSources: Uint8Array = new Uint8Array(SGIS);
  /** GICR_WAKER.ProcessorSleep. */
  asleep = true;

  constructor(core: GicCore, index: number, affinity: bigint, memory: GuestMemoryAccessor | undefined) {
    this.index = index;
    this.affinity = affinity;
    this.lpis = memory && new Lpis(memory);
    this.cpuInterface = new CpuInterface(core, this);
  }
}

export class GicCore {
  readonly version: 2 | 3;
  readonly cpus: readonly GicCpu[];
  readonly spis: Bank;
  /** GICv3: GICD_IROUTER; GICv2: GICD_ITARGETSR. */
  readonly routes: BigUint64Array;
  /** GICD_CTLR: groups 0 and 1. */
  readonly groupEnabled: [boolean, boolean] = [false, false];
  readonly #context: IntcContext;
  readonly #outputs: Uint8Array;

  constructor(version: 2 | 3, spiCount: number, context: IntcContext, withLpis: boolean) {
    this.version = version;
    this.#context = context;
    this.spis = new Bank(PRIVATE, spiCount, 0);
    this.routes = new BigUint64Array(spiCount);
    this.#outputs = new Uint8Array(context.vcpuCount);
    this.cpus = Array.from(
      { length: context.vcpuCount },
      (_, i) => new GicCpu(this, i, context.cpuIds?.[i] ?? BigInt(i), withLpis ? context.memory : undefined),
    );
  }

  /** The CPU whose access is handled. */
  get currentCpu(): GicCpu {
    return this.cpus[this.#context.currentVcpu?.() ?? 0] as GicCpu;
  }

  /** The bank of an INTID, private ones of `cpu`. */
  find(cpu: GicCpu, intid: number): { readonly bank: Bank; readonly i: number } | undefined {
    if (intid < PRIVATE) return { bank: cpu.bank, i: intid };
    return this.spis.has(intid) ? { bank: this.spis, i: intid - PRIVATE } : undefined;
  }

  /** The CPU that SPI `i` interrupts; `undefined`: none. */
  target(i: number): GicCpu | undefined {
    const route = this.routes[i] as bigint;
    if (this.version === 2) return this.cpus.find(({ index }) => ((route >> BigInt(index)) & 1n) === 1n);
    // Interrupt_Routing_Mode: any CPU that takes part.
    return (route & (1n << 31n)) !== 0n ? this.cpus[0] : this.cpus.find(({ affinity }) => affinity === (route & 0xff_00ff_ffffn));
  }

  #deliverable(bank: Bank, i: number): boolean {
    return bank.enabled[i] === 1 && bank.active[i] === 0 && bank.held[i] === 0 && bank.isPending(i) && this.groupEnabled[bank.group[i] as 0 | 1];
  }

  /** The pending interrupts that `cpu` may take, in no order. */
  *pendingFor(cpu: GicCpu): Generator<Candidate> {
    for (const i of cpu.bank.live) if (this.#deliverable(cpu.bank, i)) yield { intid: i, priority: cpu.bank.priority[i] as number, group: cpu.bank.group[i] as 0 | 1 };
    const { spis, groupEnabled } = this;
    for (const i of spis.live)
      if (this.#deliverable(spis, i) && this.target(i) === cpu) yield { intid: PRIVATE + i, priority: spis.priority[i] as number, group: spis.group[i] as 0 | 1 };
    const { lpis } = cpu;
    if (lpis?.enabled !== true || !groupEnabled[1]) return;
    for (const intid of lpis.pending) {
      const priority = lpis.held.has(intid) ? undefined : lpis.priority(intid);
      if (priority !== undefined) yield { intid, priority, group: 1 };
    }
  }

  /** The most urgent of them; the lowest number among equals. */
  highest(cpu: GicCpu): Candidate | undefined {
    let best: Candidate | undefined;
    for (const c of this.pendingFor(cpu)) if (best === undefined || c.priority < best.priority || (c.priority === best.priority && c.intid < best.intid)) best = c;
    return best;
  }

  /** Active interrupts of `cpu` that are in no list register, for those registers. */
  *activeOf(cpu: GicCpu): Generator<VirtualInterrupt> {
    for (const bank of [cpu.bank, this.spis])
      for (const i of bank.live) {
        if (bank.active[i] === 0 || bank.held[i] === 1 || (bank === this.spis && bank.owner[i] !== cpu.index && !(bank.owner[i] === NOBODY && this.target(i) === cpu))) continue;
        const level = bank.edge[i] === 0 && bank.line[i] === 1;
        yield { intid: bank.first + i, priority: bank.priority[i] as number, group: bank.group[i] as 0 | 1, pending: bank.latch[i] === 1 && bank.enabled[i] === 1, active: true, notifyEnd: level };
      }
  }

  /** State changed: the outputs follow. */
  update(): void {
    for (const cpu of this.cpus) {
      cpu.changed = true;
      this.updateOutput(cpu);
    }
  }

  /** Drives the pins of a CPU; with list registers, the one pin says that there is something to fetch. */
  updateOutput(cpu: GicCpu): void {
    const { irq, fiq } = cpu.usesListRegisters ? { irq: this.highest(cpu) !== undefined, fiq: false } : cpu.cpuInterface.signals();
    const outputs = (irq ? 1 : 0) | (fiq ? 2 : 0);
    const before = this.#outputs[cpu.index] as number;
    if (outputs === before) return;
    this.#outputs[cpu.index] = outputs;
    if (((outputs ^ before) & 1) !== 0) this.#context.setVcpuInterrupt(cpu.index, CpuPin.virq, irq);
    if (((outputs ^ before) & 2) !== 0) this.#context.setVcpuInterrupt(cpu.index, CpuPin.vfiq, fiq);
  }

  /** Makes SGI `intid` pending on `target`, if it is of the group. */
  sendSgi(target: GicCpu, intid: number, group: 0 | 1 | undefined, source: number): void {
    if (group !== undefined && target.bank.group[intid] !== group) return;
    if (this.version === 2) (target.sgiSources[intid] as number) |= 1 << source;
    target.bank.setLatch(intid, true);
  }

  reset(): void {
    this.groupEnabled.fill(false);
    this.routes.fill(0n);
    this.spis.reset();
    for (const cpu of this.cpus) {
      cpu.bank.reset();
      cpu.lpis?.reset();
      cpu.sgiSources.fill(0);
      cpu.asleep = true;
      cpu.cpuInterface.reset();
    }
    this.update();
  }
}
