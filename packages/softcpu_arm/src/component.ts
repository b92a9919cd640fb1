/**
 * The component: this thread's physical CPU is a software processing element in hosted mode. It provides the `arch/arm` API (what EL2
 * software does to one) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { arm, GUEST_CONTEXT_SIZE, GUEST_CONTEXT_V, Ppi, SYSREG, type AddressTranslation, type ArmHost, type ExceptionKind } from '@axvisor/axvisor_api/arch/arm';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor, type Processor, type ProcessorView } from '@axvisor/axvisor_api/processor';
import { pageNotes, smp, Signal } from '@axvisor/axvisor_api/smp';
import { tickFrequency, time, type Ticks } from '@axvisor/axvisor_api/time';
import { createTransfer, PageWrites } from '@axvisor/softcpu';
import type { Transfer } from '@axvisor/softcpu';
import { HostedCpu, hostedProcessor } from '@axvisor/softcpu/hosted';
import { Pe, planPe } from './pe.ts';
import type { OtherPes, PeOptions } from './pe.ts';
import type { HostInterrupts } from './priv/interface.ts';
import { sysRegKey } from './priv/sysreg.ts';
import { V, X } from './state.ts';
import { TlbLog } from './tlb_log.ts';
import { PeView } from './view.ts';

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
class Cpu extends HostedCpu {
  readonly core: Pe;
  readonly ppis: HostInterrupts;
  /** Between the processing element and contexts in physical memory. */
  readonly #registers: Transfer;
  #acknowledged = NOTHING;
  /** What it tells other processing elements to forget, and they tell it. */
  #log: TlbLog | undefined;

  constructor(id: number, options: ComponentOptions) {
    super(id);
    const host = this.hostedOptions('software processing element', planPe);
    const { state } = host.plan.layout;
    this.#registers = createTransfer(host.memory, host.memoryLimits, [
      { place: state + X, offset: 0, bytes: GUEST_CONTEXT_V - 8 },
      { place: state + V, offset: GUEST_CONTEXT_V, bytes: GUEST_CONTEXT_SIZE - GUEST_CONTEXT_V },
    ]);
    const others = this.#others();
    this.core = new Pe({
      ...host,
      frequency: Number(tickFrequency()),
      affinity: BigInt(id),
      ...(others === undefined ? {} : { others }),
      ...options,
    });
    const { ppis } = this.core.priv;
    ensure(ppis !== undefined, 'BadState', 'a hosted processing element has interrupts of its own');
    this.ppis = ppis;
  }

  protected view(): ProcessorView {
    return new PeView(this.core);
  }

  interrupt(): void {
    this.ppis.trigger(KICK);
  }

  invalidateNested(): void {
    this.core.priv.tlbRequest({ stage2: true, va: undefined });
  }

  protected override invalidateNoted(): void {
    const requests = this.#log?.read();
    if (requests === undefined) this.invalidateNested();
    else for (const request of requests) this.core.priv.tlbRequest(request);
  }

  protected override fenceInstructions(): void {
    this.core.fenceInstructions();
  }

  setHostTimer(deadline: Ticks | undefined): void {
    const { priv } = this.core;
    if (deadline !== undefined) priv.sysRegWrite(SYSREG.CNTHP_CVAL_EL2, deadline);
    priv.sysRegWrite(SYSREG.CNTHP_CTL_EL2, deadline === undefined ? 0n : ENABLE);
  }

  enter(context: number): ExceptionKind {
    const { core } = this;
    this.#registers.load(context);
    // Timers as they were when their registers were last written: what has become due since ends the run.
    this.ppis.hold(GUEST_PPIS);
    core.priv.enterGuest();
    this.runGuest();
    this.#registers.store(context);
    return core.priv.exitKind;
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
    const { priv } = this.core;
    const saved = priv.sysRegRead(SYSREG.PAR_EL1);
    const done = priv.sysInstruction(AT[operation], address);
    const result = done ? priv.sysRegRead(SYSREG.PAR_EL1) : PAR_FAULT | (BigInt(priv.exception.iss & 0x3f) << PAR_FST_SHIFT);
    priv.sysRegWrite(SYSREG.PAR_EL1, saved);
    return result;
  }

  #others(): OtherPes | undefined {
    const sharing = this.sharing();
    if (sharing === undefined) return undefined;
    this.#log = new TlbLog(pageNotes(), PageWrites.ofArchitecture, this.id);
    return {
      ...sharing,
      instructionsChanged: () => this.tellOthers(Signal.instructions),
      invalidate: (request) => {
        this.#log?.append(request);
        this.tellOthers(Signal.translations);
      },
      synchronize: () => this.awaitOthers(Signal.translations | Signal.instructions),
    };
  }
}

/** How code is executed: `auto` unless said otherwise. */
export type ComponentOptions = Pick<PeOptions, 'engine' | 'translationBytes' | 'compiler' | 'interpreters'>;

/** What a host with a physical GIC provides besides. */
type HostGic = 'hardwareInjectVirtualInterrupt' | 'readVgicdTyper' | 'readVgicdIidr' | 'getHostGicdBase' | 'getHostGicrBase';

function createApis(options: ComponentOptions): { readonly arm: Omit<ArmHost, HostGic>; readonly processor: Processor } {
  const { cpu, processor } = hostedProcessor('aarch64', (id) => new Cpu(id, options));

  const refused = (e: unknown): unknown => (e instanceof RangeError ? axError('InvalidInput', e.message, { cause: e }) : e);
  return {
    arm: {
      fetchIrq: () => cpu().fetchIrq(),
      handleIrq: () => cpu().handleIrq(),
      sysRegRead: (key) => {
        try {
          return cpu().core.priv.sysRegRead(key);
        } catch (e) {
          throw refused(e);
        }
      },
      sysRegWrite: (key, value) => {
        try {
          cpu().core.priv.sysRegWrite(key, value);
        } catch (e) {
          throw refused(e);
        }
      },
      enterGuest: (context: HostPhysAddr) => cpu().enter(Number(context)),
      setAbortVector: (vector) => {
        cpu().core.priv.abortVector = vector;
      },
      // What is cached is of the VMID in VTTBR_EL2, a change of which drops it.
      tlbiStage2: () => processor.invalidateNested(0, 0n, 0n),
      tlbiStage1: () => cpu().core.priv.tlbRequest({ stage2: false, va: undefined }),
      tlbiAll: () => cpu().core.priv.tlbRequest({ stage2: true, va: undefined }),
      addressTranslate: (operation, address) => cpu().translate(operation, address),
      retiredInstructions: () => BigInt(cpu().core.retired),
    },
    processor,
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
