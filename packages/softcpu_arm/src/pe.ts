/**
 * A processing element: the engine of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture of
 * `priv/` behind its slow paths.
 */
import { Access, Core, CoreExit, Engine, Permission, Status, busAccess, engineOptions, placeIn, planCore } from '@axvisor/softcpu';
import type { CoreOptions, CorePlan, Machine, PhysBus, RamWindow, Service, Sharing } from '@axvisor/softcpu';
import { FP_FAULT } from './emit/guard.ts';
import { hostFunctions } from './emit/host.ts';
import { UNDEFINED, isa } from './emit/isa.ts';
import { SP_FAULT } from './emit/memory.ts';
import { RecordWriter } from './emit/record.ts';
import { CLEAN, SYSTEM, ZERO } from './emit/system.ts';
import type { PrivilegedHost, TlbRequest } from './priv/interface.ts';
import { Privileged } from './priv/privileged.ts';
import { isTimerAccess } from './priv/sysreg_timer.ts';
import { ALIGNED, FPCR, FPSR, SP, STATE_SIZE, UNSYNCED, V, X } from './state.ts';

/** Code pages whose decoded instructions are kept, 16 KiB each. */
const POOL_PAGES = 2048;

/**
 * Plans the region of a processing element.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 16 KiB each.
 */
export const planPe = (base: number, memoryBytes: number, poolPages: number = POOL_PAGES): CorePlan => planCore(isa, STATE_SIZE, base, memoryBytes, poolPages);

/** The other processing elements, as one of them tells them what to do. */
export interface OtherPes extends Sharing {
  /** Fetches must see what is in memory. Need not wait. */
  instructionsChanged(): void;
  /** TLB maintenance. Need not wait. */
  invalidate(request: TlbRequest): void;
  /** Waits until they have done what they were told. */
  synchronize(): void;
}

export interface PeOptions extends CoreOptions {
  /** Parts of `memory` that it sees as main memory. */
  readonly ram: readonly RamWindow[];
  /** What answers at all other physical addresses; default: External aborts. */
  readonly bus?: PhysBus;
  /** CNTPCT_EL0. */
  readonly now: () => bigint;
  /** CNTFRQ_EL0 at reset, in Hz. */
  readonly frequency?: number;
  /** MPIDR_EL1 affinity fields. Default 0. */
  readonly affinity?: bigint;
  /** ID_AA64MMFR0_EL1.PARange. */
  readonly paRange?: number;
  /** Others that write the same memory. Default: there are none. */
  readonly others?: OtherPes;
  /** Told when a private interrupt of the processing element (timers, performance monitors) changes its level. */
  readonly line?: (ppi: number, level: boolean) => void;
}

export class Pe extends Core {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #ram: readonly RamWindow[];
  readonly #bus: PhysBus | undefined;
  readonly #others: OtherPes | undefined;
  readonly #writer: RecordWriter;
  /** Instruction caches were invalidated, which has to be over at the next DSB. */
  #fenceDue = false;

  constructor(options: PeOptions) {
    super(options, isa, STATE_SIZE);
    const { memory, ram, bus, others } = options;
    this.#ram = ram;
    this.#bus = bus;
    this.#others = others;
    this.engine = new Engine(this.#machine(), {
      ...engineOptions(options, others),
      isa,
      functions: hostFunctions(memory, this.state, others?.lock),
      services: this.#services(),
    });
    this.#writer = new RecordWriter(this.engine.handlers, options.plan.layout);
    this.priv = new Privileged({
      memory,
      stateBase: this.state,
      guestBlocks: options.plan.layout.guestBlocks,
      ram,
      host: this.#host(options),
      hosted: this.hosted,
      shared: others !== undefined,
      ...(options.affinity === undefined ? {} : { affinity: options.affinity }),
      ...(options.frequency === undefined ? {} : { frequency: options.frequency }),
      ...(options.paRange === undefined ? {} : { paRange: options.paRange }),
    });
  }

  // ── running ──

  protected refusal(): CoreExit | undefined {
    const { priv } = this;
    if (this.hosted && priv.el === 2) {
      // An interrupt may have ended the guest as soon as it was entered.
      if (priv.exited) return CoreExit.exited;
      throw new Error('the processing element is at EL2: enter a guest first');
    }
    return priv.waiting && !priv.wakeable() ? CoreExit.waiting : undefined;
  }

  protected attend(): CoreExit | undefined {
    return this.priv.pendingInterrupt() === Status.leave ? this.#left() : undefined;
  }

  protected ended(): CoreExit | undefined {
    if (this.priv.exited) return this.#left();
    return this.priv.waiting ? CoreExit.waiting : undefined;
  }

  protected nextTimer(): bigint | undefined {
    return this.priv.nextTimer();
  }

  protected override get isStepwise(): boolean {
    return this.priv.stepActive;
  }

  /** One instruction, behind which a Software Step exception may follow. */
  protected override single(): number {
    const { priv } = this;
    const { stepping, exceptions } = priv;
    const steps = super.single();
    if (stepping && priv.exceptions === exceptions) priv.stepped();
    return steps;
  }

  /** Puts the privileged state at reset and the PC at `pc`; registers are left alone. */
  reset(pc: bigint): void {
    this.priv.reset();
    this.pc = pc;
  }

  /** Fetches see what is in memory now. */
  fenceInstructions(): void {
    this.engine.pages.fence();
    this.refetch = true;
  }

  /** The guest was left: what was executed here may go on elsewhere, with its DSB. */
  #left(): CoreExit {
    this.#fenceIfDue();
    return CoreExit.exited;
  }

  #fenceIfDue(): void {
    if (!this.#fenceDue) return;
    this.#fenceDue = false;
    this.fenceInstructions();
    this.#others?.instructionsChanged();
  }

  protected resetState(): void {
    this.reset(0n);
  }

  protected refreshState(): void {
    this.priv.refresh();
  }

  // ── registers ──

  /** The stack pointer in use. */
  get sp(): bigint {
    return this.word64(SP);
  }

  set sp(value: bigint) {
    this.setWord64(SP, value);
  }

  /** Register x`i`, 0 … 30, unsigned. */
  x(i: number): bigint {
    return this.word64(X + 8 * i);
  }

  setX(i: number, value: bigint): void {
    this.setWord64(X + 8 * i, value);
  }

  /** Register v`i`, 128 bits, unsigned. */
  v(i: number): bigint {
    return (this.word64(V + 16 * i + 8) << 64n) | this.word64(V + 16 * i);
  }

  setV(i: number, value: bigint): void {
    this.setWord64(V + 16 * i, value);
    this.setWord64(V + 16 * i + 8, value >> 64n);
  }

  /** FPCR and FPSR, also while SIMD and floating point trap. */
  get fpcr(): number {
    return this.word32(FPCR) >>> 0;
  }

  get fpsr(): number {
    return this.word32(FPSR) >>> 0;
  }

  // ── the engine's questions ──

  protected place(pa: number): number {
    return placeIn(this.#ram, pa);
  }

  protected fetchAddress(lo: number, hi: number): number {
    return this.priv.translate(lo & ~3, hi, Access.fetch, 4, 0);
  }

  /** The instruction a record was made of. */
  #bits(record: number): number {
    return this.engine.words[(record >>> 2) + 3] as number;
  }

  #machine(): Machine {
    return {
      permissions: () => this.#permissions(),
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.place(pa),
      accessFault: (lo, hi, access) => this.priv.externalAbort(lo, hi, access),
      misaligned: (lo, hi, access) => this.priv.alignmentFault(lo, hi, access),
      trap: (record) => {
        return this.#taken(this.priv.takeException(record === 0 ? 0 : this.#bits(record)));
      },
      ...busAccess(this.#bus, () => this.view),
      decode: (place, available, record, offset) => this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset),
    };
  }

  /** What needs no further question: while addresses of cached pages need not be aligned, Device memory is not cached. */
  #permissions(): number {
    const { permissions, isDevice } = this.priv;
    return isDevice && this.word32(ALIGNED) === 0 ? permissions & Permission.execute : permissions;
  }

  #services(): Readonly<Record<string, Service>> {
    /** Takes an exception in place of the instruction. */
    const exception = (take: () => Status): Status => {
      this.engine.notRetired();
      return this.#taken(take());
    };
    return {
      [SYSTEM]: (record) => this.#system(this.#bits(record)),
      [ZERO]: (record) => this.#onPage(this.#bits(record), Access.store),
      [CLEAN]: (record) => this.#onPage(this.#bits(record), Access.load),
      [UNDEFINED]: () => exception(() => this.priv.undefined()),
      [FP_FAULT]: () => exception(() => this.priv.fpTrap()),
      [SP_FAULT]: () => exception(() => this.priv.spAlignment()),
    };
  }

  #host({ now, line }: PeOptions): PrivilegedHost {
    const others = this.#others;
    return {
      ...this.coreHost(),
      now,
      ...(line === undefined ? {} : { line }),
      ...(others === undefined
        ? {}
        : {
            instructionsChanged: () => {
              this.#fenceDue = true;
              this.setWord32(UNSYNCED, 1);
            },
            broadcast: (request: TlbRequest) => {
              others.invalidate(request);
              this.setWord32(UNSYNCED, 1);
            },
            synchronize: () => {
              this.setWord32(UNSYNCED, 0);
              this.#fenceIfDue();
              others.synchronize();
            },
          }),
    };
  }

  /** An exception was taken, or returned from: software step is looked at before the next instruction. */
  #taken(status: Status): Status {
    return status === Status.refetch && this.priv.stepActive ? Status.leave : status;
  }

  /** Executes DC ZVA and the like, and lets generated code execute the next ones in this page. */
  #onPage(bits: number, access: Access): Status {
    const { engine } = this;
    const status = this.#system(bits);
    if (status !== Status.next) return status;
    const register = bits & 31;
    // XZR is the address 0.
    if (register === 31) return status;
    const address = (this.state + X + register * 8) >>> 2;
    engine.cache(engine.words[address] as number, engine.words[address + 1] as number, access);
    return status;
  }

  /** Executes an instruction that generated code does not. */
  #system(bits: number): Status {
    const { engine, priv } = this;
    const { exceptions } = priv;
    this.refetch = false;
    this.executing = true;
    const status = priv.system(bits);
    this.executing = false;
    if (priv.exceptions !== exceptions) engine.notRetired();
    const rearmed = this.instructionsUntil !== undefined && isTimerAccess(bits);
    if (status !== Status.next) return rearmed ? Status.leave : this.#taken(status);
    const leave = rearmed || priv.stepActive;
    if (!leave && !this.refetch) return status;
    this.pc += 4n;
    return leave ? Status.leave : Status.refetch;
  }
}
