/**
 * The component: this thread's physical CPU is a software hart in hosted mode. It provides the `arch/riscv` API (what HS-mode
 * software does to a hart) and the `processor` API, on the host's physical memory and clock.
 */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { CSR, GUEST_CONTEXT_SIZE, Irq, riscv, type GuestAccess, type RiscvProcessor } from '@axvisor/axvisor_api/arch/riscv';
import { axError, ensure, errors } from '@axvisor/axvisor_api/errors';
import { memory } from '@axvisor/axvisor_api/memory';
import { processor, type Processor, type ProcessorView } from '@axvisor/axvisor_api/processor';
import { smp } from '@axvisor/axvisor_api/smp';
import { time, type Ticks } from '@axvisor/axvisor_api/time';
import { createTransfer, toBigint } from '@axvisor/softcpu';
import type { Transfer } from '@axvisor/softcpu';
import { HostedCpu, hostedProcessor } from '@axvisor/softcpu/hosted';
import { Hart, planHart } from './hart.ts';
import type { HartOptions } from './hart.ts';
import { HartView } from './view.ts';
import { CACHE_BLOCK } from './priv/explicit_access.ts';
import { F, X } from './state.ts';

/** A deadline that is never reached. */
const NEVER = 0xffff_ffff_ffff_ffffn;
/** What the hart implements, by the names of the device-tree binding riscv/extensions.yaml. */
const EXTENSIONS = [
  'i', 'm', 'a', 'f', 'd', 'c', 'h', 'zicbom', 'zicboz', 'zicntr', 'zicsr', 'zifencei', 'zihpm', 'zba', 'zbb', 'zbc', 'zbs',
  'sstc', 'svadu', 'svinval', 'svpbmt',
] as const;
/** x0 … x31, f0 … f31: half of the guest context each. */
const HALF = GUEST_CONTEXT_SIZE / 2;

/** This thread's CPU: the hart and what the APIs keep beside it. */
class Cpu extends HostedCpu {
  readonly core: Hart;
  /** Between the hart and contexts in physical memory. */
  readonly #registers: Transfer;

  constructor(id: number, options: ComponentOptions) {
    super(id);
    const host = this.hostedOptions('software hart', planHart);
    const { state } = host.plan.layout;
    this.#registers = createTransfer(host.memory, host.memoryLimits, [
      { place: state + X + 8, offset: 8, bytes: HALF - 8 },
      { place: state + F, offset: HALF, bytes: HALF },
    ]);
    const shared = this.sharing()?.writes;
    this.core = new Hart({ ...host, hartId: id, ...(shared === undefined ? {} : { shared }), ...options });
  }

  protected view(): ProcessorView {
    return new HartView(this.core);
  }

  interrupt(): void {
    this.core.priv.setPending(Irq.ssi, true);
  }

  invalidateNested(): void {
    this.core.priv.hfenceGvma();
  }

  setHostTimer(deadline: Ticks | undefined): void {
    this.core.priv.csrWrite(CSR.stimecmp, deadline ?? NEVER);
  }

  override counters(): Readonly<Record<string, number>> {
    return { ...super.counters(), ...this.core.priv.trapCounts };
  }

  enter(context: number): void {
    this.#registers.load(context);
    this.core.priv.enterGuest();
    this.runGuest();
    this.#registers.store(context);
  }

  /** WFI of a guest that HS-mode does not trap (hstatus.VTW = 0). */
  protected override endWait(): void {
    const enabled = (this.core.priv.csrRead(CSR.sie) >> BigInt(Irq.ssi)) & 1n;
    ensure(enabled === 1n, 'BadState', 'the guest waits for an interrupt, and no interrupt of HS-mode can end it');
    super.endWait();
  }

  /** The result of HLV, HLVX, HSV: a value, or the exception that `priv` recorded. */
  access(value: bigint | undefined): GuestAccess {
    if (value !== undefined) return { value };
    const { cause, tvalLo, tvalHi, gpaLo, gpaHi } = this.core.priv.exception;
    return { cause, tval: toBigint(tvalLo, tvalHi), htval: toBigint(gpaLo, gpaHi) >> 2n };
  }
}

/** How the hart executes code: `auto` unless said otherwise. */
export type ComponentOptions = Pick<HartOptions, 'engine' | 'translationBytes' | 'compiler' | 'interpreters'>;

function createApis(options: ComponentOptions): { readonly riscv: RiscvProcessor; readonly processor: Processor } {
  const { cpu, processor } = hostedProcessor('riscv64', (id) => new Cpu(id, options));

  const refused = (number: number, cause: unknown): Error => axError('InvalidInput', `the hart has no CSR 0x${number.toString(16)} that HS-mode can use so`, { cause });
  const csrRead = (number: number): bigint => {
    const { priv } = cpu().core;
    try {
      return priv.csrRead(number);
    } catch (e) {
      throw refused(number, e);
    }
  };
  const csrWrite = (number: number, value: bigint): void => {
    const { priv } = cpu().core;
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
      setFaultVector: (vector) => {
        cpu().core.priv.faultVector = vector;
      },
      hfenceGvma: () => cpu().core.priv.hfenceGvma(),
      hfenceVvma: (gva, asid) => cpu().core.priv.hfenceVvma(gva, asid),
      hlv: (address, width) => cpu().access(cpu().core.priv.hlv(address, width)),
      hlvx: (address, width) => cpu().access(cpu().core.priv.hlvx(address, width)),
      hsv: (address, width, value) => cpu().access(cpu().core.priv.hsv(address, width, value) ? value : undefined),
      // Stores of this thread's HS-mode are announced by hostWrote; those of other CPUs are what it takes care of.
      fenceI: () => cpu().core.fenceI(),
      retiredInstructions: () => BigInt(cpu().core.retired),
      isaExtensions: () => EXTENSIONS,
      cacheBlockSize: () => CACHE_BLOCK,
    },
    processor,
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
