/**
 * A software processor as this thread's physical CPU: it lies in the host's physical memory, lives by its clock and takes the signals
 * of other CPUs. What is the same for all architectures, with the `processor` API.
 */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { allocZeroedFrames, physMemory } from '@axvisor/axvisor_api/memory';
import type { Architecture, Probe, Processor, ProcessorView } from '@axvisor/axvisor_api/processor';
import { awaitTaken, guestCpus, pageNotes, pendingSignals, setInGuest, Signal, signalCpu, takeSignals } from '@axvisor/axvisor_api/smp';
import { accountInstructions, currentTicks, instructionsUntil, isVirtualClock, type Ticks } from '@axvisor/axvisor_api/time';
import { CoreExit, type Core, type CoreOptions, type Sharing } from './core.ts';
import type { CorePlan } from './core_plan.ts';
import { Execution } from './engine.ts';
import { BusLock } from './interp/bus_lock.ts';
import { PageWrites } from './interp/page_writes.ts';
import type { RamWindow } from './physical.ts';

const FRAME = 4096;
const WASM_PAGE = 0x1_0000;
/** Places in linear memory are signed 32-bit numbers in generated code and its helpers. */
const MAX_MEMORY = 0x7fff_0000;
/** What the processor of a thread that runs no guest is made for. */
const MONITOR_MEMORY = 0x10_0000;
const MONITOR_POOL = 8;
/** As many steps as fit in a slice that only an exit ends. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** The signals that are for a processor. */
const SIGNALS = Signal.kick | Signal.nested | Signal.instructions | Signal.translations;

/** What a processor in the host's memory is made with. */
export interface HostedOptions extends CoreOptions {
  readonly ram: readonly RamWindow[];
  /** The host's clock. */
  readonly now: () => bigint;
  readonly hosted: true;
  readonly poll: () => void;
}

export abstract class HostedCpu {
  readonly id: number;
  abstract readonly core: Core;
  /** Others wait for it only while it is in a guest. */
  readonly #hasOthers: boolean;
  #accounted = 0;

  constructor(id: number) {
    this.id = id;
    this.#hasOthers = guestCpus() > 0;
  }

  // ── what an architecture adds ──

  /** The processor between two instructions. */
  protected abstract view(): ProcessorView;
  /** An interrupt that is the hypervisor's makes the processor leave its guest. */
  abstract interrupt(): void;
  /** Forgets all that depends on nested translations. */
  abstract invalidateNested(): void;
  abstract setHostTimer(deadline: Ticks | undefined): void;

  /** Fetches see what is in memory now. */
  protected fenceInstructions(): void {
    this.core.engine.pages.fence();
  }

  /** Forgets what other processors noted in the memory that they share. */
  protected invalidateNoted(): void {
    this.invalidateNested();
  }

  /** The guest waits for an interrupt without an exit: one of the host's lets the hypervisor decide. */
  protected endWait(): void {
    this.interrupt();
  }

  counters(): Readonly<Record<string, number>> {
    const { engine } = this.core;
    return { ...engine.counters, ...engine.translation };
  }

  // ── for its constructor ──

  /**
   * Allocates the region of the processor, and says what it is to be made with.
   *
   * @param name - what the architecture calls a processor.
   * @param plan - plans the region for so many bytes of memory and pages of decoded code.
   * @throws {AxError} NoMemory; Unsupported for more memory than a software processor addresses
   */
  protected hostedOptions(name: string, plan: (base: number, memoryBytes: number, poolPages?: number) => CorePlan): HostedOptions {
    const { memory, bytes } = physMemory();
    ensure(bytes.length <= MAX_MEMORY, 'Unsupported', `a ${name} addresses at most ${MAX_MEMORY >> 20} MiB of physical memory, not ${Math.ceil(bytes.length / (1 << 20))}`);
    // The monitor asks its processor what processors can do, and never enters a guest.
    const isMonitor = guestCpus() > 0 && this.id === guestCpus();
    const planAt = (base: number): CorePlan => (isMonitor ? plan(base, MONITOR_MEMORY, MONITOR_POOL) : plan(base, bytes.length));
    const frames = Math.ceil(planAt(0).end / FRAME);
    const base = allocZeroedFrames(frames);
    if (base === undefined) throw axError('NoMemory', `no ${frames} contiguous frames for a ${name}`);
    const pages = bytes.length / WASM_PAGE;
    return {
      memory,
      memoryLimits: { min: pages, max: pages, shared: !(bytes.buffer instanceof ArrayBuffer) },
      plan: planAt(Number(base)),
      ram: [{ pa: 0, size: bytes.length, offset: 0 }],
      now: () => {
        this.account();
        return currentTicks();
      },
      ...(isVirtualClock()
        ? {
            instructionsUntil: (deadline: bigint) => {
              this.account();
              return instructionsUntil(deadline);
            },
          }
        : {}),
      hosted: true,
      poll: () => this.poll(),
      engine: Execution.auto,
    };
  }

  /** Who else writes the host's memory, if anybody does. */
  protected sharing(): Sharing | undefined {
    return guestCpus() > 0 ? { writes: new PageWrites(pageNotes()), lock: new BusLock(pageNotes(), PageWrites.spare), self: this.id } : undefined;
  }

  // ── running ──

  /** Runs the guest that was entered until it is left. */
  protected runGuest(): void {
    if (this.#hasOthers) setInGuest(true);
    while (this.core.run(UNLIMITED) === CoreExit.waiting) this.endWait();
    if (this.#hasOthers) setInGuest(false);
    this.account();
  }

  /** Tells a virtual clock what was executed since it was last told. */
  account(): void {
    // The constructor of the processor asks for the time before there is one.
    const elapsed = (this.core as Core | undefined)?.elapsed ?? 0;
    if (elapsed !== this.#accounted) accountInstructions(elapsed - this.#accounted);
    this.#accounted = elapsed;
  }

  /** Takes the signals of other CPUs. */
  protected poll(): void {
    this.core.engine.closeIfAsked();
    if (pendingSignals() === 0) return;
    this.core.expectMore();
    const signals = takeSignals(SIGNALS);
    if ((signals & Signal.nested) !== 0) this.invalidateNested();
    if ((signals & Signal.translations) !== 0) this.invalidateNoted();
    if ((signals & Signal.instructions) !== 0) this.fenceInstructions();
    if ((signals & Signal.kick) !== 0) this.interrupt();
  }

  setProbe(at: bigint | undefined, probe: Probe | undefined): void {
    const view = this.view();
    this.core.setProbe(at === undefined || probe === undefined ? Infinity : Number(at), () => {
      const next = probe?.(view);
      return next === undefined ? Infinity : Math.max(Number(next), this.core.retired + 1);
    });
  }

  // ── other CPUs ──

  /** Sends signals to all other guest CPUs. */
  protected tellOthers(signals: number): void {
    for (const id of otherCpus(this.id)) signalCpu(id, signals);
  }

  /** Waits until all others have taken signals. */
  protected awaitOthers(signals: number): void {
    // Two that wait for each other are both as good as outside of their guests.
    setInGuest(false);
    for (const id of otherCpus(this.id)) awaitTaken(id, signals);
    setInGuest(true);
    this.poll();
  }
}

function* otherCpus(self: number | undefined): Generator<number> {
  for (let id = 0; id < guestCpus(); id++) if (id !== self) yield id;
}

/** This thread's CPU, brought up when it is first asked for, and the `processor` API of it. */
export interface HostedProcessor<C extends HostedCpu> {
  cpu(): C;
  readonly processor: Processor;
}

/** @param create - makes the CPU of a number. */
export function hostedProcessor<C extends HostedCpu>(architecture: Architecture, create: (id: number) => C): HostedProcessor<C> {
  let current: C | undefined;
  let pageWrites: PageWrites | undefined;
  const cpu = (): C => (current ??= create(0));
  return {
    cpu,
    processor: {
      architecture: () => architecture,
      initProcessor: (id) => {
        current ??= create(id);
        ensure(current.id === id, 'BadState', `this thread is CPU ${current.id}, not ${id}`);
      },
      setHostTimer: (deadline) => cpu().setHostTimer(deadline),
      kickProcessor: (id) => (current === undefined || id === current.id ? cpu().interrupt() : signalCpu(id, Signal.kick)),
      hostWrote: (address, size) => {
        // Everybody else compares before the next instruction that asks for it.
        if (guestCpus() > 0) (pageWrites ??= new PageWrites(pageNotes())).happened(Number(address), size);
        current?.core.invalidatePhys(Number(address), size);
      },
      invalidateNested: () => {
        current?.invalidateNested();
        for (const id of otherCpus(current?.id)) signalCpu(id, Signal.nested);
        for (const id of otherCpus(current?.id)) awaitTaken(id, Signal.nested);
      },
      setProbe: (at, probe) => cpu().setProbe(at, probe),
      processorStats: () => ({ instructions: BigInt(cpu().core.retired), counters: cpu().counters() }),
    },
  };
}
