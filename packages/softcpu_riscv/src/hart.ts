/**
 * A RISC-V hart: the interpreter of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture
 * of `priv/` behind its slow paths.
 */
import { Access, Core, CoreExit, Engine, Permission, Status, busAccess, engineOptions, placeIn, planCore } from '@axvisor/softcpu';
import type { CoreOptions, CorePlan, Machine, PageWrites, PhysBus, RamWindow } from '@axvisor/softcpu';
import { isa } from './emit/isa.ts';
import { CBO_ZERO } from './emit/memory.ts';
import { RecordWriter } from './emit/record.ts';
import { EXEC, createFpExec } from './fp/emit.ts';
import { op } from './isa/table.ts';
import { Privileged } from './priv/privileged.ts';
import type { PrivilegedHost } from './priv/interface.ts';
import { Cause } from './priv/fields.ts';
import { CBO_ZERO_CHECKED, F, FFLAGS, FRM, PC, STATE_SIZE, X } from './state.ts';

/**
 * Entries of a guest, and steps, between two looks at a clock that does not count instructions: of exits in quick succession
 * each costs hardly more than such a look.
 */
const UNTIMED_ENTRIES = 7;
const UNTIMED_STEPS = 10_000;

/** Code pages whose decoded instructions are kept, 33 KiB each. */
const POOL_PAGES = 1024;

/**
 * Plans the region of a hart.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 33 KiB each.
 */
export const planHart = (base: number, memoryBytes: number, poolPages: number = POOL_PAGES): CorePlan => planCore(isa, STATE_SIZE, base, memoryBytes, poolPages);

export interface HartOptions extends CoreOptions {
  /** Parts of `memory` that the hart sees as main memory. */
  readonly ram: readonly RamWindow[];
  /** What answers at all other physical addresses; default: access faults. */
  readonly bus?: PhysBus;
  /** mtime. */
  readonly now: () => bigint;
  /** mhartid, default 0. */
  readonly hartId?: number;
  /** Other harts write the same memory: instructions are what it held at the last FENCE.I. Who writes where is kept here. */
  readonly shared?: PageWrites;
  /** Its number there; default: hartId. */
  readonly sharer?: number;
  /** What becomes of misaligned loads and stores that are not atomic: carried out (default), or an exception. */
  readonly misaligned?: 'handled' | 'trap';
}

/** CSRs whose writes by a guest move the next timer interrupt: stimecmp, vstimecmp. */
const isTimerCsr = (bits: number): boolean => (bits >>> 20 === 0x14d || bits >>> 20 === 0x24d) && (bits & 0x7f) === 0x73 && (bits & 0x3000) !== 0;

const accessFaults = [Cause.loadAccessFault, Cause.storeAccessFault, Cause.instructionAccessFault] as const;

export class Hart extends Core {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #ram: readonly RamWindow[];
  readonly #bus: PhysBus | undefined;
  readonly #shared: boolean;
  readonly #writer: RecordWriter;
  #untimedEntries = 0;
  /** {@link Engine.steps} when the clock was looked at last. */
  #timedAt = 0;

  constructor(options: HartOptions) {
    super(options, isa, STATE_SIZE);
    const { memory, ram, bus, shared } = options;
    this.#ram = ram;
    this.#bus = bus;
    this.#shared = shared !== undefined;
    const common = engineOptions(options, shared === undefined ? undefined : { writes: shared, self: options.sharer ?? options.hartId ?? 0 });
    this.engine = new Engine(this.#machine(), {
      ...common,
      layout: { ...common.layout, strict: options.misaligned === 'trap' },
      isa,
      functions: { [EXEC]: createFpExec(memory, this.state) },
      services: {
        system: (record) => this.#system(this.engine.words[(record >>> 2) + 2] as number, this.#bits(record)),
        illegal: (record) => {
          this.#modeMayChange();
          this.engine.notRetired();
          return this.priv.illegal(this.#bits(record));
        },
        [CBO_ZERO]: (record) => this.#zeroBlock(record),
      },
    });
    this.#writer = new RecordWriter(this.engine.handlers, options.plan.layout);
    this.priv = new Privileged({
      memory,
      stateBase: this.state,
      guestBlocks: options.plan.layout.guestBlocks,
      ram,
      host: this.#host(options.now),
      ...(bus === undefined ? {} : { bus }),
      hosted: this.hosted,
      hartId: options.hartId ?? 0,
    });
  }

  // ── running ──

  protected refusal(): CoreExit | undefined {
    const { priv } = this;
    if (this.hosted && priv.v === 0) {
      // An interrupt may have ended the guest as soon as it was entered.
      if (priv.exited) return CoreExit.exited;
      throw new Error('the hart is in HS-mode: enter a guest first');
    }
    return priv.waiting && !priv.wakeable() ? CoreExit.waiting : undefined;
  }

  protected attend(isFirst: boolean): CoreExit | undefined {
    const { engine } = this;
    this.#modeMayChange();
    const isTimed =
      !isFirst || !this.hosted || this.instructionsUntil !== undefined || --this.#untimedEntries < 0 || engine.steps - this.#timedAt >= UNTIMED_STEPS;
    if (isTimed) {
      this.#untimedEntries = UNTIMED_ENTRIES;
      this.#timedAt = engine.steps;
    }
    return this.priv.pendingInterrupt(isTimed) === Status.leave ? CoreExit.exited : undefined;
  }

  protected ended(): CoreExit | undefined {
    if (this.priv.exited) return CoreExit.exited;
    return this.priv.waiting ? CoreExit.waiting : undefined;
  }

  protected nextTimer(): bigint | undefined {
    return this.priv.nextTimerEdge();
  }

  override run(steps: number): CoreExit {
    const exit = super.run(steps);
    // Who takes steps by count looks at the clock each time.
    if (exit === CoreExit.budget) this.#untimedEntries = 0;
    return exit;
  }

  /** Puts the privileged state at reset and the pc at `pc`; registers are left alone. */
  reset(pc: bigint): void {
    this.priv.reset();
    this.pc = pc;
  }

  /** FENCE.I. */
  fenceI(): void {
    this.engine.pages.fence();
  }

  protected resetState(): void {
    this.reset(0n);
  }

  protected refreshState(): void {
    this.priv.refresh();
  }

  // ── registers ──

  /** Integer register x`i`, unsigned. */
  reg(i: number): bigint {
    return this.word64(X + 8 * i);
  }

  /** Writes x`i`; x0 stays 0. */
  setReg(i: number, value: bigint): void {
    if (i !== 0) this.setWord64(X + 8 * i, value);
  }

  /** Floating-point register f`i`: 64 bits, single precision NaN-boxed. */
  freg(i: number): bigint {
    return this.word64(F + 8 * i);
  }

  setFreg(i: number, value: bigint): void {
    this.setWord64(F + 8 * i, value);
  }

  /** fcsr, also while floating point is off. */
  get fcsr(): number {
    return (this.word32(FRM) << 5) | this.word32(FFLAGS);
  }

  // ── the engine's questions ──

  protected place(pa: number): number {
    return placeIn(this.#ram, pa);
  }

  protected fetchAddress(lo: number, hi: number): number {
    return this.priv.translate(lo, hi, Access.fetch, 2, 0);
  }

  /** The instruction a record was made of. */
  #bits(record: number): number {
    return this.engine.words[(record >>> 2) + 3] as number;
  }

  #machine(): Machine {
    return {
      permissions: () => this.priv.permissions | (this.priv.global ? Permission.global : 0),
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.place(pa),
      accessFault: (lo, hi, access, offset) => this.priv.raise(accessFaults[access], lo, hi, offset),
      misaligned: (lo, hi, access) => this.priv.raise(access === Access.load ? Cause.loadAddressMisaligned : Cause.storeAddressMisaligned, lo, hi),
      trap: (record) => {
        this.#modeMayChange();
        return this.priv.takeTrap(record === 0 ? 0 : this.#bits(record));
      },
      ...busAccess(this.#bus, () => this.view),
      decode: (place, available, record, offset) =>
        this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset),
    };
  }

  #host(now: () => bigint): PrivilegedHost {
    return {
      ...this.coreHost(),
      now,
      flushTlb: () => this.engine.tlb.flush(),
    };
  }

  /** Privilege, and what it permits, may be another afterwards. */
  #modeMayChange(): void {
    this.setWord32(CBO_ZERO_CHECKED, 0);
  }

  /** Executes CBO.ZERO, and lets generated code execute the next ones in this mode and page. */
  #zeroBlock(record: number): Status {
    const { engine } = this;
    const bits = this.#bits(record);
    const status = this.#system(op['cbo.zero'], bits);
    if (status !== Status.next) return status;
    const address = (this.state + X + ((bits >>> 15) & 31) * 8) >>> 2;
    engine.cache(engine.words[address] as number, engine.words[address + 1] as number, Access.store);
    this.setWord32(CBO_ZERO_CHECKED, 1);
    return status;
  }

  /** Moves the pc behind an instruction. */
  #passBy(bits: number): void {
    const { words } = this.engine;
    const at = (this.state + PC) >>> 2;
    const length = (bits & 3) === 3 ? 4 : 2;
    const low = ((words[at] as number) + length) | 0;
    words[at] = low;
    if (low >>> 0 < length) (words[at + 1] as number)++;
  }

  /** Executes an instruction that generated code does not. */
  #system(number: number, bits: number): Status {
    const { engine, priv } = this;
    this.#modeMayChange();
    if (number === op['fence.i']) {
      // Of its own stores the hart has taken care already.
      if (!this.#shared) return Status.next;
      engine.pages.fence();
      this.#passBy(bits);
      return Status.refetch;
    }
    const { exceptions } = priv;
    this.refetch = false;
    this.executing = true;
    const status = priv.system(number, bits);
    this.executing = false;
    if (priv.exceptions !== exceptions) engine.notRetired();
    const rearmed = this.instructionsUntil !== undefined && isTimerCsr(bits);
    if (status !== Status.next) return rearmed ? Status.leave : status;
    if (!rearmed && !this.refetch) return status;
    this.#passBy(bits);
    return rearmed ? Status.leave : Status.refetch;
  }
}
