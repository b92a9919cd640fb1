/**
 * The component: this thread's physical CPU is a software logical processor in hosted mode. It provides the `arch/x86` API (what a hypervisor at
 * CPL 0 does to one) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { x86, type VmxResult, type X86Processor } from '@axvisor/axvisor_api/arch/x86';
import { entropy, randomBytes } from '@axvisor/axvisor_api/entropy';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { allocZeroedFrames, memory, physMemory } from '@axvisor/axvisor_api/memory';
import { processor, type Probe, type Processor } from '@axvisor/axvisor_api/processor';
import { awaitTaken, guestCpus, pageNotes, pendingSignals, setInGuest, Signal, signalCpu, smp, takeSignals } from '@axvisor/axvisor_api/smp';
import { accountInstructions, currentTicks, instructionsUntil, isVirtualClock, tickFrequency, time, type Ticks } from '@axvisor/axvisor_api/time';
import { CoreExit, Execution, PageWrites } from '@axvisor/softcpu';
import { Lp, planLp } from './lp.ts';
import type { LpOptions } from './lp.ts';
import type { SvmOperation } from './priv/svm/operation.ts';
import type { VmxOperation } from './priv/vmx/operation.ts';
import { LpView } from './view.ts';

const FRAME = 4096;
/** Places in linear memory are signed 32-bit numbers in generated code and its helpers. */
const MAX_MEMORY = 0x7fff_0000;
const WASM_PAGE = 0x1_0000;
/** As many steps as fit in a slice that only an exit ends. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** A sequence of numbers for RDRAND that is the same in every run; the state is 64 bits (splitmix64). */
function sequence(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  };
}

/** 64 bits of the runtime's entropy. */
function runtimeRandom(): bigint {
  const words = new BigUint64Array(1);
  randomBytes(new Uint8Array(words.buffer));
  return words[0] as bigint;
}

/** This thread's CPU: the processor and what the APIs keep beside it. */
class Cpu {
  readonly id: number;
  readonly lp: Lp;
  hostTimer: Ticks | undefined;
  #accounted = 0;

  constructor(id: number, options: ComponentOptions) {
    this.id = id;
    const { memory: wasmMemory, bytes } = physMemory();
    ensure(bytes.length <= MAX_MEMORY, 'Unsupported', `a software processor addresses at most ${MAX_MEMORY >> 20} MiB of physical memory, not ${Math.ceil(bytes.length / (1 << 20))}`);
    const frames = Math.ceil(planLp(0, bytes.length).end / FRAME);
    const base = allocZeroedFrames(frames);
    if (base === undefined) throw axError('NoMemory', `no ${frames} contiguous frames for a software processor`);
    const pages = bytes.length / WASM_PAGE;
    this.lp = new Lp({
      memory: wasmMemory,
      memoryLimits: { min: pages, max: pages, shared: !(bytes.buffer instanceof ArrayBuffer) },
      plan: planLp(Number(base), bytes.length),
      ram: [{ pa: 0, size: bytes.length, offset: 0 }],
      now: () => {
        this.account();
        return currentTicks();
      },
      frequency: tickFrequency(),
      random: isVirtualClock() ? sequence(BigInt(id)) : runtimeRandom,
      ...(isVirtualClock()
        ? {
            instructionsUntil: (deadline: bigint) => {
              this.account();
              return instructionsUntil(deadline);
            },
          }
        : {}),
      hosted: true,
      apicId: id,
      ...(guestCpus() > 0 ? { others: { writes: new PageWrites(pageNotes()), self: id } } : {}),
      poll: () => this.poll(),
      engine: Execution.auto,
      ...options,
    });
  }

  /** Tells a virtual clock what was executed since it was last told. */
  account(): void {
    // The constructor of the processor asks for the time before there is one.
    const elapsed = (this.lp as Lp | undefined)?.elapsed ?? 0;
    if (elapsed !== this.#accounted) accountInstructions(elapsed - this.#accounted);
    this.#accounted = elapsed;
  }

  /** The host's timer, and the signals of other CPUs that are for a processor. */
  poll(): void {
    const { priv } = this.lp;
    this.account();
    if (this.hostTimer !== undefined && currentTicks() >= this.hostTimer) priv.setHostInterrupt(true);
    if (guestCpus() === 0 || pendingSignals() === 0) return;
    const signals = takeSignals(Signal.kick | Signal.nested);
    if ((signals & Signal.nested) !== 0) priv.invalidateNested();
    if ((signals & Signal.kick) !== 0) priv.setHostInterrupt(true);
  }

  setHostTimer(deadline: Ticks | undefined): void {
    this.hostTimer = deadline;
    this.lp.hostDeadline = deadline;
    this.lp.priv.setHostInterrupt(false);
  }

  setProbe(at: bigint | undefined, probe: Probe | undefined): void {
    const { lp } = this;
    const view = new LpView(lp);
    lp.setProbe(at === undefined || probe === undefined ? Infinity : Number(at), () => {
      const next = probe?.(view);
      return next === undefined ? Infinity : Math.max(Number(next), lp.retired + 1);
    });
  }

  vmEnter(launch: boolean, context: number): VmxResult {
    const result = this.lp.priv.vmEnter(launch, context);
    if (result === 0) this.#runGuest(context, false);
    return result;
  }

  vmRun(vmcb: bigint, context: number): void {
    this.lp.priv.vmRun(vmcb, context);
    this.#runGuest(context, true);
  }

  #runGuest(context: number, svm: boolean): void {
    const { lp } = this;
    const { priv } = lp;
    setInGuest(true);
    let waited = false;
    while (lp.run(UNLIMITED) === CoreExit.waiting) {
      // A guest that waits without an exit: an interrupt of the host lets the hypervisor decide.
      ensure(!waited, 'BadState', 'the guest waits, and no interrupt of the host can end it');
      waited = true;
      priv.setHostInterrupt(true);
    }
    setInGuest(false);
    this.account();
    // The host takes its interrupts now, whether the exit acknowledged one or not.
    priv.setHostInterrupt(false);
    priv.saveContext(context, svm);
  }
}

/** How code is executed (`auto` unless said otherwise), and as whose processor CPUID presents it: `intel` has VMX, `amd` SVM. */
export type ComponentOptions = Pick<LpOptions, 'engine' | 'translationBytes' | 'vendor' | 'features'>;

function createApis(options: ComponentOptions): { readonly x86: X86Processor; readonly processor: Processor } {
  let current: Cpu | undefined;
  let pageWrites: PageWrites | undefined;
  const cpu = (): Cpu => (current ??= new Cpu(0, options));
  const native = (): Cpu['lp']['priv']['native'] => cpu().lp.priv.native;
  const vmx = (): VmxOperation => cpu().lp.priv.vmx ?? lacks('VMX');
  const svm = (): SvmOperation => cpu().lp.priv.svm ?? lacks('SVM');
  const lacks = (what: string): never => {
    throw axError('Unsupported', `this processor has no ${what}`);
  };

  return {
    x86: {
      cpuid: (leaf, subleaf) => native().cpuid(leaf, subleaf),
      rdmsr: (msr) => native().rdmsr(msr),
      wrmsr: (msr, value) => native().wrmsr(msr, value),
      readCr: (cr) => native().readCr(cr),
      writeCr: (cr, value) => native().writeCr(cr, value),
      readDr: (dr) => native().readDr(dr),
      writeDr: (dr, value) => native().writeDr(dr, value),
      xgetbv: () => native().xgetbv(),
      xsetbv: (value) => native().xsetbv(value),
      xsave: (area) => native().saveVectors(Number(area)),
      xrstor: (area) => native().restoreVectors(Number(area)),
      hostSegments: () => native().hostSegments(),
      vmxon: (region) => vmx().vmxon(region),
      vmxoff: () => vmx().vmxoff(),
      vmclear: (vmcs) => vmx().vmclear(vmcs),
      vmptrld: (vmcs) => vmx().vmptrld(vmcs),
      vmptrst: () => vmx().vmptrst(),
      vmread: (field) => {
        const result = vmx().vmread(field);
        if ('value' in result) return result.value;
        throw axError(result.failure < 0 ? 'BadState' : 'InvalidInput', `VMREAD of 0x${field.toString(16)} failed: ${result.failure < 0 ? 'there is no current VMCS' : 'there is no such field'}`);
      },
      vmwrite: (field, value) => vmx().vmwrite(field, value),
      vmlaunch: (context: HostPhysAddr) => (vmx(), cpu().vmEnter(true, Number(context))),
      vmresume: (context: HostPhysAddr) => (vmx(), cpu().vmEnter(false, Number(context))),
      invept: (type, eptp) => vmx().invept(type, eptp),
      invvpid: (type, vpid, linear) => vmx().invvpid(type, vpid, linear),
      vmrun: (vmcb, context) => (svm(), cpu().vmRun(vmcb, Number(context))),
      vmload: (vmcb) => svm().vmload(vmcb),
      vmsave: (vmcb) => svm().vmsave(vmcb),
      stgi: () => svm().setGif(true),
      clgi: () => svm().setGif(false),
      // Translations are not kept by ASID: what is cached is the last guest's.
      invlpga: () => svm().flush(),
      retiredInstructions: () => BigInt(cpu().lp.retired),
    },
    processor: {
      architecture: () => 'x86_64',
      initProcessor: (id) => {
        current ??= new Cpu(id, options);
        ensure(current.id === id, 'BadState', `this thread is CPU ${current.id}, not ${id}`);
      },
      setHostTimer: (deadline) => cpu().setHostTimer(deadline),
      kickProcessor: (id) => (current === undefined || id === current.id ? cpu().lp.priv.setHostInterrupt(true) : signalCpu(id, Signal.kick)),
      hostWrote: (address, size) => {
        if (guestCpus() > 0) (pageWrites ??= new PageWrites(pageNotes())).happened(Number(address), size);
        current?.lp.invalidatePhys(Number(address), size);
      },
      invalidateNested: () => {
        current?.lp.priv.invalidateNested();
        const others = Array.from({ length: guestCpus() }, (_, id) => id).filter((id) => id !== current?.id);
        for (const id of others) signalCpu(id, Signal.nested);
        for (const id of others) awaitTaken(id, Signal.nested);
      },
      setProbe: (at, probe) => cpu().setProbe(at, probe),
      processorStats: () => {
        const { lp } = cpu();
        return { instructions: BigInt(lp.retired), counters: { ...lp.engine.counters, ...lp.engine.translation } };
      },
    },
  };
}

/** The software processor. One for each thread and linking. */
export function createComponent(options: ComponentOptions = {}): Component<typeof x86.id | typeof processor.id, typeof memory.id | typeof time.id> {
  return axComponent({
    name: '@axvisor/softcpu_x86',
    requires: [entropy, errors, memory, smp, time],
    provides: () => {
      const apis = createApis(options);
      return [apiImpl(x86, apis.x86), apiImpl(processor, apis.processor)];
    },
  });
}

/** The software processor with the defaults: VMX. */
export const component: Component<typeof x86.id | typeof processor.id, typeof memory.id | typeof time.id> = createComponent();
