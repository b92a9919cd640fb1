/**
 * What a GIC is apart from its registers (GIC specification IHI 0069, chapter 4): banks of interrupts, who is interrupted by which, and the outputs to
 * the vCPUs. Registers change the state and call {@link GicCore.update}.
 *
 * The state is words that threads may share: each then has an object for it, and {@link GicCore.atomically} lets one of them work at a time.
 */
import { CpuPin } from '@axvisor/axvisor_api/arch/arm';
import type { Device } from '@axvisor/axvisor_api/device';
import type { VirtualInterrupt } from '@axvisor/axvisor_api/intc';
import { Bank, NOBODY } from './bank.ts';
import { GicCpu, PRIVATE } from './cpu.ts';
import { Lock } from './lock.ts';
import { collectLpis, offerLpis } from './lpi_offer.ts';
import type { Lpis } from './lpis.ts';
import { Space } from './space.ts';

/** A pending interrupt. */
export interface Candidate {
  readonly intid: number;
  readonly priority: number;
  readonly group: 0 | 1;
}

/** Registers of a controller; all are reset together. */
export type RegisterFile = Omit<Device, 'reset'>;

/** What controllers differ in. */
export interface GicShape {
  readonly version: 2 | 3;
  readonly spiCount: number;
  /** Affinities by CPU. */
  readonly affinities: readonly bigint[];
}

/** What a controller is connected with, on each thread. */
export interface GicContext {
  setVcpuInterrupt(vcpu: number, pin: number, level: boolean): void;
  currentVcpu?(): number;
  /** Makes a redistributor's LPIs; absent: there are none, or they are on another thread. */
  lpis?(): Lpis;
  /** A CPU has taken the LPIs that its redistributor, on another thread, has offered. */
  lpiTaken?(): void;
}

/** Words of the controller as a whole: the lock, and GICD_CTLR's enables of groups 0 and 1. */
const Word = { lock: 0, groups: 1 } as const;
const WORDS = 2;

/** What was signalled to a CPU with list registers: the most urgent interrupt, and that some in them came again. */
const NOTHING = 0;
const AGAIN = 1 << 30;
const packed = ({ intid, priority }: Candidate): number => ((priority << 16) | intid) + 1;

export class GicCore {
  readonly version: 2 | 3;
  readonly cpus: readonly GicCpu[];
  readonly spis: Bank;
  /** GICv3: GICD_IROUTER; GICv2: GICD_ITARGETSR. */
  readonly routes: BigUint64Array;
  readonly #context: GicContext;
  readonly #words: Int32Array;
  /** Where other threads work on the same state. */
  readonly #lock: Lock | undefined;
  #lpiTaken = false;

  constructor({ version, spiCount, affinities }: GicShape, space: Space, context: GicContext, isShared: boolean) {
    this.version = version;
    this.#context = context;
    this.#words = space.words(WORDS);
    this.#lock = isShared ? new Lock(this.#words.subarray(Word.lock, Word.lock + 1)) : undefined;
    this.routes = space.longs(spiCount);
    this.spis = new Bank(space, PRIVATE, spiCount, 0);
    this.cpus = affinities.map((affinity, i) => new GicCpu(this, i, affinity, space, context.lpis?.()));
  }

  /** How many words the state of a controller takes. */
  static wordsOf(shape: GicShape): number {
    const space = new Space();
    // It takes what it needs of a space that only counts.
    void new GicCore(shape, space, { setVcpuInterrupt: () => {} }, false);
    return space.count;
  }

  // ── threads ──

  /** Does `work` while no other thread works on the state. Not to be nested. */
  atomically<T>(work: () => T): T {
    const lock = this.#lock;
    if (lock === undefined) return work();
    lock.acquire();
    try {
      for (const { lpis, lpiWords } of this.cpus) if (lpis !== undefined) collectLpis(lpiWords, lpis);
      return work();
    } finally {
      for (const { lpis, lpiWords } of this.cpus) if (lpis !== undefined) offerLpis(lpiWords, lpis);
      lock.release();
      // The other thread may need the lock to answer.
      if (this.#lpiTaken) {
        this.#lpiTaken = false;
        this.#context.lpiTaken?.();
      }
    }
  }

  /** The redistributor of a CPU has to be told, as soon as the state is left. */
  tellLpiTaken(): void {
    this.#lpiTaken = true;
  }

  // ── what is pending ──

  /** GICD_CTLR: whether a group is enabled. */
  groupEnabled(group: 0 | 1): boolean {
    return (((this.#words[Word.groups] as number) >> group) & 1) === 1;
  }

  /** Bits 0 and 1: groups 0 and 1. */
  get groups(): number {
    return this.#words[Word.groups] as number;
  }

  set groups(groups: number) {
    this.#words[Word.groups] = groups & 3;
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
    return bank.enabled[i] === 1 && bank.active[i] === 0 && bank.held[i] === 0 && bank.isPending(i) && this.groupEnabled(bank.group[i] as 0 | 1);
  }

  /** The pending interrupts that `cpu` may take, in no order. */
  *pendingFor(cpu: GicCpu): Generator<Candidate> {
    const { bank } = cpu;
    for (let i = bank.next(0); i >= 0; i = bank.next(i + 1))
      if (this.#deliverable(bank, i)) yield { intid: i, priority: bank.priority[i] as number, group: bank.group[i] as 0 | 1 };
    const { spis } = this;
    for (let i = spis.next(0); i >= 0; i = spis.next(i + 1))
      if (this.#deliverable(spis, i) && this.target(i) === cpu) yield { intid: PRIVATE + i, priority: spis.priority[i] as number, group: spis.group[i] as 0 | 1 };
    if (cpu.lpiView.enabled && this.groupEnabled(1)) for (const { intid, priority } of cpu.lpiView.waiting()) yield { intid, priority, group: 1 };
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
      for (let i = bank.next(0); i >= 0; i = bank.next(i + 1)) {
        if (bank.active[i] === 0 || bank.held[i] === 1 || (bank === this.spis && bank.owner[i] !== cpu.index && !(bank.owner[i] === NOBODY && this.target(i) === cpu))) continue;
        const level = bank.edge[i] === 0 && bank.line[i] === 1;
        yield { intid: bank.first + i, priority: bank.priority[i] as number, group: bank.group[i] as 0 | 1, pending: bank.latch[i] === 1 && bank.enabled[i] === 1, active: true, notifyEnd: level };
      }
  }

  // ── outputs ──

  /** State changed: the outputs follow. */
  update(): void {
    for (const cpu of this.cpus) this.updateCpu(cpu);
  }

  /** State of one CPU changed. */
  updateCpu(cpu: GicCpu): void {
    cpu.changed = true;
    this.updateOutput(cpu);
  }

  #comesAgain(cpu: GicCpu): boolean {
    const { bank } = cpu;
    for (let i = bank.next(0); i >= 0; i = bank.next(i + 1)) if (bank.isHeldAgain(i)) return true;
    const { spis } = this;
    for (let i = spis.next(0); i >= 0; i = spis.next(i + 1)) if (spis.owner[i] === cpu.index && spis.isHeldAgain(i)) return true;
    return false;
  }

  /**
   * Drives the pins of a CPU. With list registers, the one pin says that there is something to fetch, and says it again when there is something else:
   * the CPU may wait, or run, although the last was there.
   *
   * @param isOwn - the CPU does it itself, and looks before it goes on
   */
  updateOutput(cpu: GicCpu, isOwn: boolean = false): void {
    if (cpu.usesListRegisters) {
      const best = this.highest(cpu);
      const before = cpu.signalled;
      const now = (best === undefined ? NOTHING : packed(best)) | (this.#comesAgain(cpu) ? AGAIN : 0);
      cpu.signalled = now;
      if (isOwn ? (now === NOTHING) !== (before === NOTHING) : now !== before) this.#context.setVcpuInterrupt(cpu.index, CpuPin.virq, now !== NOTHING);
      return;
    }
    const { irq, fiq } = cpu.cpuInterface.signals();
    const outputs = (irq ? 1 : 0) | (fiq ? 2 : 0);
    const before = cpu.outputs;
    if (outputs === before) return;
    cpu.outputs = outputs;
    if (((outputs ^ before) & 1) !== 0) this.#context.setVcpuInterrupt(cpu.index, CpuPin.virq, irq);
    if (((outputs ^ before) & 2) !== 0) this.#context.setVcpuInterrupt(cpu.index, CpuPin.vfiq, fiq);
  }

  /** Makes SGI `intid` pending on `target`, if it is of the group. */
  sendSgi(target: GicCpu, intid: number, group: 0 | 1 | undefined, source: number): void {
    if (group !== undefined && target.bank.group[intid] !== group) return;
    if (this.version === 2) (target.sgiSources[intid] as number) |= 1 << source;
    target.bank.setLatch(intid, true);
    this.updateCpu(target);
  }

  /** Power-on state; the outputs do not follow. */
  initialize(): void {
    this.groups = 0;
    this.routes.fill(0n);
    this.spis.reset();
    for (const cpu of this.cpus) cpu.reset();
  }
}
