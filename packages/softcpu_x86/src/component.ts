/**
 * The component: this thread's physical CPU is a software logical processor in hosted mode. It provides the `arch/x86` API (what a hypervisor at
 * CPL 0 does to one) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { VMFAIL_INVALID, x86, type VmxResult, type X86Processor } from '@axvisor/axvisor_api/arch/x86';
import { entropy, randomBytes } from '@axvisor/axvisor_api/entropy';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor, type Processor, type ProcessorView } from '@axvisor/axvisor_api/processor';
import { smp } from '@axvisor/axvisor_api/smp';
import { currentTicks, isVirtualClock, tickFrequency, time, type Ticks } from '@axvisor/axvisor_api/time';
import { HostedCpu, hostedProcessor } from '@axvisor/softcpu/hosted';
import { Lp, planLp } from './lp.ts';
import type { LpOptions } from './lp.ts';
import type { SvmOperation } from './priv/svm/operation.ts';
import type { VmxOperation } from './priv/vmx/operation.ts';
import { LpView } from './view.ts';

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
class Cpu extends HostedCpu {
  readonly core: Lp;
  #hostTimer: Ticks | undefined;
  /** The guest was told to stop waiting. */
  #waited = false;

  constructor(id: number, options: ComponentOptions) {
    super(id);
    const host = this.hostedOptions('software processor', planLp);
    const others = this.sharing();
    this.core = new Lp({
      ...host,
      frequency: tickFrequency(),
      ...(isVirtualClock() ? {} : { clock: () => Number(currentTicks()) }),
      random: isVirtualClock() ? sequence(BigInt(id)) : runtimeRandom,
      apicId: id,
      ...(others === undefined ? {} : { others }),
      ...options,
    });
  }

  protected view(): ProcessorView {
    return new LpView(this.core);
  }

  interrupt(): void {
    this.core.priv.setHostInterrupt(true);
  }

  invalidateNested(): void {
    this.core.priv.invalidateNested();
  }

  /** The host's timer, and the signals of other CPUs. */
  protected override poll(): void {
    this.account();
    if (this.#hostTimer !== undefined && currentTicks() >= this.#hostTimer) this.interrupt();
    super.poll();
  }

  setHostTimer(deadline: Ticks | undefined): void {
    this.#hostTimer = deadline;
    this.core.hostDeadline = deadline;
    this.core.priv.setHostInterrupt(false);
  }

  protected override endWait(): void {
    ensure(!this.#waited, 'BadState', 'the guest waits, and no interrupt of the host can end it');
    this.#waited = true;
    super.endWait();
  }

  vmEnter(launch: boolean, context: number): VmxResult {
    const result = this.core.priv.vmEnter(launch, context);
    if (result === 0) this.#run(context, false);
    return result;
  }

  vmRun(vmcb: bigint, context: number): void {
    this.core.priv.vmRun(vmcb, context);
    this.#run(context, true);
  }

  #run(context: number, svm: boolean): void {
    const { priv } = this.core;
    this.#waited = false;
    this.runGuest();
    // The host takes its interrupts now, whether the exit acknowledged one or not.
    priv.setHostInterrupt(false);
    priv.saveContext(context, svm);
  }
}

/** How code is executed (`auto` unless said otherwise), and as whose processor CPUID presents it: `intel` has VMX, `amd` SVM. */
export type ComponentOptions = Pick<LpOptions, 'engine' | 'translationBytes' | 'compiler' | 'interpreters' | 'vendor' | 'features'>;

const vmreadFailed = (field: number, withoutVmcs: boolean): Error =>
  axError(withoutVmcs ? 'BadState' : 'InvalidInput', `VMREAD of 0x${field.toString(16)} failed: ${withoutVmcs ? 'there is no current VMCS' : 'there is no such field'}`);

function createApis(options: ComponentOptions): { readonly x86: X86Processor; readonly processor: Processor } {
  const { cpu, processor } = hostedProcessor('x86_64', (id) => new Cpu(id, options));
  const native = (): Cpu['core']['priv']['native'] => cpu().core.priv.native;
  const vmx = (): VmxOperation => cpu().core.priv.vmx ?? lacks('VMX');
  const svm = (): SvmOperation => cpu().core.priv.svm ?? lacks('SVM');
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
        throw vmreadFailed(field, result.failure < 0);
      },
      vmwrite: (field, value) => vmx().vmwrite(field, value),
      vmreadLow: (field) => {
        const result = vmx().vmreadLow(field);
        if (result < 0) throw vmreadFailed(field, result === VMFAIL_INVALID);
        return result;
      },
      vmwriteLow: (field, value) => vmx().vmwriteLow(field, value),
      vmlaunch: (context: HostPhysAddr) => (vmx(), cpu().vmEnter(true, Number(context))),
      vmresume: (context: HostPhysAddr) => (vmx(), cpu().vmEnter(false, Number(context))),
      invept: (type, eptp) => vmx().invept(type, eptp),
      invvpid: (type, vpid, linear) => vmx().invvpid(type, vpid, linear),
      vmrun: (vmcb, context) => (svm(), cpu().vmRun(vmcb, Number(context))),
      vmload: (vmcb) => svm().vmload(vmcb),
      vmsave: (vmcb) => svm().vmsave(vmcb),
      setPortVector: (vector) => {
        cpu().core.priv.portVector = vector;
      },
      stgi: () => svm().setGif(true),
      clgi: () => svm().setGif(false),
      // Translations are not kept by ASID: what is cached is the last guest's.
      invlpga: () => svm().flush(),
      retiredInstructions: () => BigInt(cpu().core.retired),
    },
    processor,
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
