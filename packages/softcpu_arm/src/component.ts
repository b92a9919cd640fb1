/**
 * The component: this thread's physical CPU is a software processing element in hosted mode. It provides the `arch/arm` API (what EL2
 * software does to one) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { arm, GUEST_CONTEXT_SIZE, GUEST_CONTEXT_V, Ppi, SYSREG, type AddressTranslation, type ArmHost, type ExceptionKind } from '@axvisor/axvisor_api/arch/arm';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { allocZeroedFrames, memory, physMemory } from '@axvisor/axvisor_api/memory';
import { processor, type Probe, type Processor } from '@axvisor/axvisor_api/processor';
import { awaitTaken, guestCpus, pageNotes, pendingSignals, setInGuest, Signal, signalCpu, smp, takeSignals } from '@axvisor/axvisor_api/smp';
import { accountInstructions, currentTicks, instructionsUntil, isVirtualClock, tickFrequency, time } from '@axvisor/axvisor_api/time';
import { CoreExit, Execution, PageWrites } from '@axvisor/softcpu';
import { Pe, planPe } from './pe.ts';
import type { PeOptions } from './pe.ts';
import type { HostInterrupts } from './priv/interface.ts';
import { sysRegKey } from './priv/sysreg.ts';
import { V, X } from './state.ts';
import { PeView } from './view.ts';

const FRAME = 4096;
/** Places in linear memory are signed 32-bit numbers in generated code and its helpers. */
const MAX_MEMORY = 0x7fff_0000;
const WASM_PAGE = 0x1_0000;
/** As many steps as fit in a slice that only an exit ends. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** INTID of the software generated interrupt that a kick is. */
const KICK = 0;
/** The interrupts that are the guest's own, as a bit set of INTIDs. */
const GUEST_PPIS = (1 << Ppi.virtualTimer) | (1 << Ppi.physicalTimer) | (1 << Ppi.pmu);
const NOTHING = 1023;
/** CNTHP_CTL_EL2.ENABLE. */
const ENABLE = 1n;

/** Operation codes of AT. */
const AT: Readonly<Record<AddressTranslation, number>> = {
  s1e1r: sysRegKey(1, 0, 7, 8, 0), s1e1w: sysRegKey(1, 0, 7, 8, 1), s1e0r: sysRegKey(1, 0, 7, 8, 2), s1e0w: sysRegKey(1, 0, 7, 8, 3),
  s12e1r: sysRegKey(1, 4, 7, 8, 4), s12e1w: sysRegKey(1, 4, 7, 8, 5), s12e0r: sysRegKey(1, 4, 7, 8, 6), s12e0w: sysRegKey(1, 4, 7, 8, 7),
};
/** PAR_EL1.F, and where it has the fault status code. */
const PAR_FAULT = 1n;
const PAR_FST_SHIFT = 1n;

/** This thread's CPU: the processing element and what the APIs keep beside it. */
class Cpu {
  readonly id: number;
  readonly pe: Pe;
  readonly ppis: HostInterrupts;
  readonly state: number;
  readonly bytes: Uint8Array;
  #accounted = 0;
  #acknowledged = NOTHING;

  constructor(id: number, options: ComponentOptions) {
    this.id = id;
    const { memory: wasmMemory, bytes } = physMemory();
    this.bytes = bytes;
    ensure(bytes.length <= MAX_MEMORY, 'Unsupported', `a software processing element addresses at most ${MAX_MEMORY >> 20} MiB of physical memory, not ${Math.ceil(bytes.length / (1 << 20))}`);
    const frames = Math.ceil(planPe(0, bytes.length).end / FRAME);
    const base = allocZeroedFrames(frames);
    if (base === undefined) throw axError('NoMemory', `no ${frames} contiguous frames for a software processing element`);
    const start = Number(base);
    const pages = bytes.length / WASM_PAGE;
    const plan = planPe(start, bytes.length);
    this.state = plan.layout.state;
    this.pe = new Pe({
      memory: wasmMemory,
      memoryLimits: { min: pages, max: pages, shared: !(bytes.buffer instanceof ArrayBuffer) },
      plan,
      ram: [{ pa: 0, size: bytes.length, offset: 0 }],
      now: () => {
        this.account();
        return currentTicks();
      },
      frequency: Number(tickFrequency()),
      ...(isVirtualClock()
        ? {
            instructionsUntil: (deadline: bigint) => {
              this.account();
              return instructionsUntil(deadline);
            },
          }
        : {}),
      hosted: true,
      affinity: BigInt(id),
      ...(guestCpus() > 0 ? { others: this.#others(), poll: () => this.poll() } : {}),
      engine: Execution.auto,
      ...options,
    });
    const { ppis } = this.pe.priv;
    ensure(ppis !== undefined, 'BadState', 'a hosted processing element has interrupts of its own');
    this.ppis = ppis;
  }

  /** Tells a virtual clock what was executed since it was last told. */
  account(): void {
    // The constructor of the processing element asks for the time before there is one.
    const elapsed = (this.pe as Pe | undefined)?.elapsed ?? 0;
    if (elapsed !== this.#accounted) accountInstructions(elapsed - this.#accounted);
    this.#accounted = elapsed;
  }

  setProbe(at: bigint | undefined, probe: Probe | undefined): void {
    const { pe } = this;
    const view = new PeView(pe);
    pe.setProbe(at === undefined || probe === undefined ? Infinity : Number(at), () => {
      const next = probe?.(view);
      return next === undefined ? Infinity : Math.max(Number(next), pe.retired + 1);
    });
  }

  enter(context: number): ExceptionKind {
    const { bytes, state, pe } = this;
    bytes.copyWithin(state + X, context, context + GUEST_CONTEXT_V - 8);
    bytes.copyWithin(state + V, context + GUEST_CONTEXT_V, context + GUEST_CONTEXT_SIZE);
    setInGuest(true);
    // Timers as they were when their registers were last written: what has become due since ends the run.
    this.ppis.hold(GUEST_PPIS);
    pe.priv.enterGuest();
    while (pe.run(UNLIMITED) === CoreExit.waiting) this.ppis.trigger(KICK);
    setInGuest(false);
    this.account();
    bytes.copyWithin(context, state + X, state + X + GUEST_CONTEXT_V - 8);
    bytes.copyWithin(context + GUEST_CONTEXT_V, state + V, state + V + GUEST_CONTEXT_SIZE - GUEST_CONTEXT_V);
    return pe.priv.exitKind;
  }

  fetchIrq(): number {
    this.#acknowledged = this.ppis.acknowledge();
    return this.#acknowledged;
  }

  handleIrq(): void {
    if (this.#acknowledged === NOTHING) return;
    this.ppis.hold(GUEST_PPIS & (1 << this.#acknowledged));
    this.ppis.deactivate(this.#acknowledged);
    this.#acknowledged = NOTHING;
  }

  /** Executes AT without a change of PAR_EL1. */
  translate(operation: AddressTranslation, address: bigint): bigint {
    const { priv } = this.pe;
    const saved = priv.sysRegRead(SYSREG.PAR_EL1);
    const done = priv.sysInstruction(AT[operation], address);
    const result = done ? priv.sysRegRead(SYSREG.PAR_EL1) : PAR_FAULT | (BigInt(priv.exception.iss & 0x3f) << PAR_FST_SHIFT);
    priv.sysRegWrite(SYSREG.PAR_EL1, saved);
    return result;
  }

  // ── other CPUs ──

  /** Takes the signals of other CPUs that are for a processor. */
  poll(): void {
    if (pendingSignals() === 0) return;
    const signals = takeSignals(Signal.kick | Signal.nested | Signal.instructions);
    if ((signals & Signal.nested) !== 0) this.pe.priv.tlbRequest({ stage2: true, va: undefined });
    if ((signals & Signal.instructions) !== 0) this.pe.fenceInstructions();
    if ((signals & Signal.kick) !== 0) this.ppis.trigger(KICK);
  }

  get #otherIds(): readonly number[] {
    return Array.from({ length: guestCpus() }, (_, id) => id).filter((id) => id !== this.id);
  }

  #others(): NonNullable<PeOptions['others']> {
    const tell = (signal: number) => (): void => {
      for (const id of this.#otherIds) signalCpu(id, signal);
    };
    return {
      writes: new PageWrites(pageNotes()),
      self: this.id,
      instructionsChanged: tell(Signal.instructions),
      invalidate: tell(Signal.nested),
      synchronize: () => {
        // Two that wait for each other are both as good as outside of their guests.
        setInGuest(false);
        for (const id of this.#otherIds) awaitTaken(id, Signal.nested | Signal.instructions);
        setInGuest(true);
        this.poll();
      },
    };
  }
}

/** How code is executed: `auto` unless said otherwise. */
export type ComponentOptions = Pick<PeOptions, 'engine' | 'translationBytes'>;

/** What a host with a physical GIC provides besides. */
type HostGic = 'hardwareInjectVirtualInterrupt' | 'readVgicdTyper' | 'readVgicdIidr' | 'getHostGicdBase' | 'getHostGicrBase';

function createApis(options: ComponentOptions): { readonly arm: Omit<ArmHost, HostGic>; readonly processor: Processor } {
  let current: Cpu | undefined;
  let pageWrites: PageWrites | undefined;
  const cpu = (): Cpu => (current ??= new Cpu(0, options));

  const register = <T>(use: () => T): T => {
    try {
      return use();
    } catch (e) {
      if (e instanceof RangeError) throw axError('InvalidInput', e.message, { cause: e });
      throw e;
    }
  };
  /** TLB maintenance here, and everywhere else. */
  const invalidate = (stage2: boolean): void => {
    current?.pe.priv.tlbRequest({ stage2, va: undefined });
    const others = Array.from({ length: guestCpus() }, (_, id) => id).filter((id) => id !== current?.id);
    for (const id of others) signalCpu(id, Signal.nested);
    for (const id of others) awaitTaken(id, Signal.nested);
  };

  return {
    arm: {
      fetchIrq: () => cpu().fetchIrq(),
      handleIrq: () => cpu().handleIrq(),
      sysRegRead: (key) => register(() => cpu().pe.priv.sysRegRead(key)),
      sysRegWrite: (key, value) => register(() => cpu().pe.priv.sysRegWrite(key, value)),
      enterGuest: (context: HostPhysAddr) => cpu().enter(Number(context)),
      // What is cached is of the VMID in VTTBR_EL2, a change of which drops it.
      tlbiStage2: () => invalidate(true),
      tlbiStage1: () => cpu().pe.priv.tlbRequest({ stage2: false, va: undefined }),
      tlbiAll: () => cpu().pe.priv.tlbRequest({ stage2: true, va: undefined }),
      addressTranslate: (operation, address) => cpu().translate(operation, address),
      retiredInstructions: () => BigInt(cpu().pe.retired),
    },
    processor: {
      architecture: () => 'aarch64',
      initProcessor: (id) => {
        current ??= new Cpu(id, options);
        ensure(current.id === id, 'BadState', `this thread is CPU ${current.id}, not ${id}`);
      },
      setHostTimer: (deadline) => {
        const { priv } = cpu().pe;
        if (deadline !== undefined) priv.sysRegWrite(SYSREG.CNTHP_CVAL_EL2, deadline);
        priv.sysRegWrite(SYSREG.CNTHP_CTL_EL2, deadline === undefined ? 0n : ENABLE);
      },
      kickProcessor: (id) => (current === undefined || id === current.id ? cpu().ppis.trigger(KICK) : signalCpu(id, Signal.kick)),
      hostWrote: (address, size) => {
        if (guestCpus() > 0) (pageWrites ??= new PageWrites(pageNotes())).happened(Number(address), size);
        current?.pe.invalidatePhys(Number(address), size);
      },
      invalidateNested: () => invalidate(true),
      setProbe: (at, probe) => cpu().setProbe(at, probe),
      processorStats: () => {
        const { pe } = cpu();
        return { instructions: BigInt(pe.retired), counters: { ...pe.engine.counters, ...pe.engine.translation } };
      },
    },
  };
}

/** The software processing element. One for each thread and linking. */
export function createComponent(options: ComponentOptions = {}): Component<typeof arm.id | typeof processor.id, typeof memory.id | typeof time.id> {
  return axComponent({
    name: '@axvisor/softcpu_arm',
    requires: [errors, memory, smp, time],
    provides: () => {
      const apis = createApis(options);
      return [apiImpl(arm, apis.arm), apiImpl(processor, apis.processor)];
    },
  });
}

/** The software processing element with the defaults. */
export const component: Component<typeof arm.id | typeof processor.id, typeof memory.id | typeof time.id> = createComponent();
