/**
 * The component: this thread's physical CPU is a software hart in hosted mode. It provides the `arch/riscv` API (what HS-mode
 * software does to a hart) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { CSR, GUEST_CONTEXT_SIZE, Irq, riscv, type GuestAccess, type RiscvProcessor } from '@axvisor/axvisor_api/arch/riscv';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { allocZeroedFrames, memory, physMemory } from '@axvisor/axvisor_api/memory';
import { processor, type Probe, type Processor } from '@axvisor/axvisor_api/processor';
import { awaitTaken, guestCpus, pageNotes, pendingSignals, setInGuest, Signal, signalCpu, smp, takeSignals } from '@axvisor/axvisor_api/smp';
import { accountInstructions, currentTicks, instructionsUntil, isVirtualClock, time } from '@axvisor/axvisor_api/time';
import { CoreExit, createTransfer, Execution, PageWrites } from '@axvisor/softcpu';
import type { CorePlan, Transfer } from '@axvisor/softcpu';
import { Hart, planHart } from './hart.ts';
import type { HartOptions } from './hart.ts';
import { HartView } from './view.ts';
import { CACHE_BLOCK } from './priv/explicit_access.ts';
import { toBigint } from './priv/registers.ts';
import { F, X } from './state.ts';

const FRAME = 4096;
/** Places in linear memory are signed 32-bit numbers in generated code and its helpers. */
const MAX_MEMORY = 0x7fff_0000;
const WASM_PAGE = 0x1_0000;
/** What the hart of a thread that runs no guest is made for. */
const MONITOR_MEMORY = 0x10_0000;
const MONITOR_POOL = 8;
/** A deadline that is never reached. */
const NEVER = 0xffff_ffff_ffff_ffffn;
/** As many steps as fit in a slice that only an exit ends. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** What the hart implements, by the names of the device-tree binding riscv/extensions.yaml. */
const EXTENSIONS = [
  'i', 'm', 'a', 'f', 'd', 'c', 'h', 'zicbom', 'zicboz', 'zicntr', 'zicsr', 'zifencei', 'zihpm', 'zba', 'zbb', 'zbc', 'zbs',
  'sstc', 'svadu', 'svinval', 'svpbmt',
] as const;
/** x0 … x31, f0 … f31: half of the guest context each. */
const HALF = GUEST_CONTEXT_SIZE / 2;

/** This thread's CPU: the hart and what the APIs keep beside it. */
class Cpu {
  readonly id: number;
  readonly hart: Hart;
  /** Between the hart and contexts in physical memory. */
  readonly #registers: Transfer;
  #accounted = 0;

  constructor(id: number, options: ComponentOptions) {
    this.id = id;
    const { memory: wasmMemory, bytes } = physMemory();
    ensure(bytes.length <= MAX_MEMORY, 'Unsupported', `a software hart addresses at most ${MAX_MEMORY >> 20} MiB of physical memory, not ${Math.ceil(bytes.length / (1 << 20))}`);
    // The monitor asks its hart what harts can do, and never enters a guest.
    const isMonitor = guestCpus() > 0 && id === guestCpus();
    const planAt = (base: number): CorePlan => (isMonitor ? planHart(base, MONITOR_MEMORY, MONITOR_POOL) : planHart(base, bytes.length));
    const frames = Math.ceil(planAt(0).end / FRAME);
    const base = allocZeroedFrames(frames);
    if (base === undefined) throw axError('NoMemory', `no ${frames} contiguous frames for a software hart`);
    const start = Number(base);
    const pages = bytes.length / WASM_PAGE;
    const plan = planAt(start);
    const { state } = plan.layout;
    const memoryLimits = { min: pages, max: pages, shared: !(bytes.buffer instanceof ArrayBuffer) };
    this.#registers = createTransfer(wasmMemory, memoryLimits, [
      { place: state + X + 8, offset: 8, bytes: HALF - 8 },
      { place: state + F, offset: HALF, bytes: HALF },
    ]);
    this.hart = new Hart({
      memory: wasmMemory,
      memoryLimits,
      plan,
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
      hartId: id,
      ...(guestCpus() > 0 ? { shared: new PageWrites(pageNotes()), poll: () => this.#poll() } : {}),
      engine: Execution.auto,
      ...options,
    });
  }

  /** Tells a virtual clock what was executed since it was last told. */
  account(): void {
    // The constructor of the hart asks for the time before there is a hart.
    const elapsed = (this.hart as Hart | undefined)?.elapsed ?? 0;
    if (elapsed !== this.#accounted) accountInstructions(elapsed - this.#accounted);
    this.#accounted = elapsed;
  }

  setProbe(at: bigint | undefined, probe: Probe | undefined): void {
    const { hart } = this;
    const view = new HartView(hart);
    hart.setProbe(at === undefined || probe === undefined ? Infinity : Number(at), () => {
      const next = probe?.(view);
      return next === undefined ? Infinity : Math.max(Number(next), hart.retired + 1);
    });
  }

  enter(context: number): void {
    const { hart } = this;
    this.#registers.load(context);
    setInGuest(true);
    hart.priv.enterGuest();
    while (hart.run(UNLIMITED) === CoreExit.waiting) this.#endWait();
    setInGuest(false);
    this.account();
    this.#registers.store(context);
  }

  /** Takes the signals of other CPUs that are for a processor. */
  #poll(): void {
    if (pendingSignals() === 0) return;
    const signals = takeSignals(Signal.kick | Signal.nested);
    if ((signals & Signal.nested) !== 0) this.hart.priv.hfenceGvma();
    if ((signals & Signal.kick) !== 0) this.hart.priv.setPending(Irq.ssi, true);
  }

  /** WFI of a guest that HS-mode does not trap (hstatus.VTW = 0): a spurious supervisor software interrupt lets HS-mode decide. */
  #endWait(): void {
    const { priv } = this.hart;
    const enabled = (priv.csrRead(CSR.sie) >> BigInt(Irq.ssi)) & 1n;
    ensure(enabled === 1n, 'BadState', 'the guest waits for an interrupt, and no interrupt of HS-mode can end it');
    priv.setPending(Irq.ssi, true);
  }

  /** The result of HLV, HLVX, HSV: a value, or the exception that `priv` recorded. */
  access(value: bigint | undefined): GuestAccess {
    if (value !== undefined) return { value };
    const { cause, tvalLo, tvalHi, gpaLo, gpaHi } = this.hart.priv.exception;
    return { cause, tval: toBigint(tvalLo, tvalHi), htval: toBigint(gpaLo, gpaHi) >> 2n };
  }
}

/** How the hart executes code: `auto` unless said otherwise. */
export type ComponentOptions = Pick<HartOptions, 'engine' | 'translationBytes'>;

function createApis(options: ComponentOptions): { readonly riscv: RiscvProcessor; readonly processor: Processor } {
  let current: Cpu | undefined;
  let pageWrites: PageWrites | undefined;
  const cpu = (): Cpu => (current ??= new Cpu(0, options));

  const refused = (number: number, cause: unknown): Error => axError('InvalidInput', `the hart has no CSR 0x${number.toString(16)} that HS-mode can use so`, { cause });
  const csrRead = (number: number): bigint => {
    const { priv } = cpu().hart;
    try {
      return priv.csrRead(number);
    } catch (e) {
      throw refused(number, e);
    }
  };
  const csrWrite = (number: number, value: bigint): void => {
    const { priv } = cpu().hart;
    try {
      priv.csrWrite(number, value);
    } catch (e) {
      throw refused(number, e);
    }
  };

  return {
    riscv: {
      csrRead,
      csrWrite,
      csrSet: (number, bits) => {
        const old = csrRead(number);
        csrWrite(number, old | bits);
        return old;
      },
      csrClear: (number, bits) => {
        const old = csrRead(number);
        csrWrite(number, old & ~bits);
        return old;
      },
      enterGuest: (context: HostPhysAddr) => cpu().enter(Number(context)),
      hfenceGvma: () => cpu().hart.priv.hfenceGvma(),
      hfenceVvma: (gva, asid) => cpu().hart.priv.hfenceVvma(gva, asid),
      hlv: (address, width) => cpu().access(cpu().hart.priv.hlv(address, width)),
      hlvx: (address, width) => cpu().access(cpu().hart.priv.hlvx(address, width)),
      hsv: (address, width, value) => cpu().access(cpu().hart.priv.hsv(address, width, value) ? value : undefined),
      // Stores of this thread's HS-mode are announced by hostWrote; those of other CPUs are what it takes care of.
      fenceI: () => cpu().hart.fenceI(),
      retiredInstructions: () => BigInt(cpu().hart.retired),
      isaExtensions: () => EXTENSIONS,
      cacheBlockSize: () => CACHE_BLOCK,
    },
    processor: {
      architecture: () => 'riscv64',
      initProcessor: (id) => {
        current ??= new Cpu(id, options);
        ensure(current.id === id, 'BadState', `this thread is CPU ${current.id}, not ${id}`);
      },
      setHostTimer: (deadline) => cpu().hart.priv.csrWrite(CSR.stimecmp, deadline ?? NEVER),
      kickProcessor: (id) => (current === undefined || id === current.id ? cpu().hart.priv.setPending(Irq.ssi, true) : signalCpu(id, Signal.kick)),
      hostWrote: (address, size) => {
        // Everybody else compares at the next FENCE.I.
        if (guestCpus() > 0) (pageWrites ??= new PageWrites(pageNotes())).happened(Number(address), size);
        current?.hart.invalidatePhys(Number(address), size);
      },
      invalidateNested: () => {
        current?.hart.priv.hfenceGvma();
        const others = Array.from({ length: guestCpus() }, (_, id) => id).filter((id) => id !== current?.id);
        for (const id of others) signalCpu(id, Signal.nested);
        for (const id of others) awaitTaken(id, Signal.nested);
      },
      setProbe: (at, probe) => cpu().setProbe(at, probe),
      processorStats: () => ({ instructions: BigInt(cpu().hart.retired), counters: { ...cpu().hart.engine.counters, ...cpu().hart.priv.trapCounts, ...cpu().hart.engine.translation } }),
    },
  };
}

/** The software hart. One for each thread and linking. */
export function createComponent(options: ComponentOptions = {}): Component<typeof riscv.id | typeof processor.id, typeof memory.id | typeof time.id> {
  return axComponent({
    name: '@axvisor/softcpu_riscv',
    requires: [errors, memory, smp, time],
    provides: () => {
      const apis = createApis(options);
      return [apiImpl(riscv, apis.riscv), apiImpl(processor, apis.processor)];
    },
  });
}

/** The software hart with the defaults. */
export const component: Component<typeof riscv.id | typeof processor.id, typeof memory.id | typeof time.id> = createComponent();
