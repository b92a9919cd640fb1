/**
 * A processing element: the engine of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture of
 * `priv/` behind its slow paths.
 */
import { Access, Engine, PAGE_SIZE, Permission, Status, copiesSize, planLayout } from '@axvisor/softcpu';
import type { Execution, Layout, Limits, Machine, PageWrites, Service, WasmMemory } from '@axvisor/softcpu';
import { FP_FAULT } from './emit/guard.ts';
import { hostFunctions } from './emit/host.ts';
import { UNDEFINED, isa } from './emit/isa.ts';
import { PRIVILEGED, SP_FAULT, UNPRIVILEGED } from './emit/memory.ts';
import { RecordWriter } from './emit/record.ts';
import { SYSTEM, ZERO } from './emit/system.ts';
import type { PrivilegedHost, RamWindow, TlbRequest } from './priv/interface.ts';
import { Privileged } from './priv/privileged.ts';
import { isTimerAccess } from './priv/sysreg_timer.ts';
import { ALIGNED, FPCR, FPSR, MMU_IDX, PC, SP, STATE_SIZE, UNPRIV_IDX, UNSYNCED, V, X, ZVA_CHECKED } from './state.ts';

/** Steps between two looks at timers and interrupt lines. Also lets V8 replace the interpreter by its optimized code. */
const SLICE = 131_072;

/** Code pages whose decoded instructions are kept, 16 KiB each. */
const POOL_PAGES = 2048;

/** Why {@link Pe.run} came back. */
export const PeExit = {
  /** The steps asked for were taken. */
  budget: 'budget',
  /** WFI with nothing pending: run again when {@link Privileged.wakeable}. */
  waiting: 'waiting',
  /** Hosted: an exception was taken to EL2, whose registers say why. */
  exited: 'exited',
  /** {@link Pe.stop} was called. */
  stopped: 'stopped',
} as const;
export type PeExit = (typeof PeExit)[keyof typeof PeExit];

/** Devices, by physical address. */
export interface PhysBus {
  /** Reads 1, 2, 4 or 8 bytes; undefined if nothing answers. */
  read(pa: number, size: number): bigint | undefined;
  /** Writes; false if nothing answers. */
  write(pa: number, size: number, value: bigint): boolean;
}

/** Where a processing element keeps its state in linear memory. */
export interface PePlan {
  /** First byte. */
  readonly base: number;
  /** First byte behind it. */
  readonly end: number;
  readonly layout: Layout;
  /** Where one that shares its memory keeps copies of code. */
  readonly copies: number;
}

/**
 * Plans the region of a processing element.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 16 KiB each.
 */
export function planPe(base: number, memoryBytes: number, poolPages: number = POOL_PAGES): PePlan {
  const state = Math.ceil(base / 64) * 64;
  const layout = planLayout(isa, { state, base: state + STATE_SIZE, memoryBytes, poolPages });
  const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
  return { base: state, end: copies + copiesSize(layout), layout, copies };
}

/** The other processing elements, as one of them tells them what to do. */
export interface OtherPes {
  /** Who writes where, kept by all; `self` is the number of this one. */
  readonly writes: PageWrites;
  readonly self: number;
  /** Fetches must see what is in memory. Need not wait. */
  instructionsChanged(): void;
  /** TLB maintenance. Need not wait. */
  invalidate(request: TlbRequest): void;
  /** Waits until they have done what they were told. */
  synchronize(): void;
}

export interface PeOptions {
  readonly memory: WasmMemory;
  /** The limits `memory` was created with. */
  readonly memoryLimits: Limits;
  /** Region of the processing element, from {@link planPe}; zeroed before, or fresh. */
  readonly plan: PePlan;
  /** Parts of `memory` that it sees as main memory. */
  readonly ram: readonly RamWindow[];
  /** What answers at all other physical addresses; default: External aborts. */
  readonly bus?: PhysBus;
  /** CNTPCT_EL0. */
  readonly now: () => bigint;
  /** CNTFRQ_EL0 at reset, in Hz. */
  readonly frequency?: number;
  /**
   * On a clock that counts {@link Pe.elapsed}: how many until CNTPCT_EL0 is `deadline`. Timer interrupts are then taken at exactly that
   * instruction, on every tier; else within {@link SLICE} steps.
   */
  readonly instructionsUntil?: (deadline: bigint) => number;
  /** EL2 software is native code. Default: false. */
  readonly hosted?: boolean;
  /** MPIDR_EL1 affinity fields. Default 0. */
  readonly affinity?: bigint;
  /** ID_AA64MMFR0_EL1.PARange. */
  readonly paRange?: number;
  /** Others that write the same memory. Default: there are none. */
  readonly others?: OtherPes;
  /** Told when a private interrupt of the processing element (timers, performance monitors) changes its level. */
  readonly line?: (ppi: number, level: boolean) => void;
  /** Called once a slice, before interrupts are looked at: takes what other threads want. */
  readonly poll?: () => void;
  /** Default: `interpreter`. */
  readonly engine?: Execution;
  /** Bytes that translated code may take, estimated; default 256 MiB. */
  readonly translationBytes?: number;
}

export class Pe {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #state: number;
  readonly #memory: WasmMemory;
  readonly #ram: readonly RamWindow[];
  readonly #bus: PhysBus | undefined;
  readonly #others: OtherPes | undefined;
  readonly #poll: (() => void) | undefined;
  readonly #hosted: boolean;
  readonly #writer: RecordWriter;
  #view: DataView;
  /** A fetch translation changed: the next instruction must be looked up again. */
  #refetch = false;
  /** An instruction is being executed by a helper. */
  #executing = false;
  #stop = false;
  readonly #instructionsUntil: ((deadline: bigint) => number) | undefined;
  #probeAt = Infinity;
  #probe: (() => number) | undefined;

  constructor(options: PeOptions) {
    const { memory, memoryLimits, plan, ram, bus, others } = options;
    this.#memory = memory;
    this.#ram = ram;
    this.#bus = bus;
    this.#others = others;
    this.#poll = options.poll;
    this.#hosted = options.hosted ?? false;
    this.#instructionsUntil = options.instructionsUntil;
    this.#state = plan.layout.state;
    this.#view = new DataView(memory.buffer);
    this.engine = new Engine(this.#machine(), {
      isa,
      memory,
      memoryLimits,
      layout: plan.layout,
      ...(others === undefined ? {} : { shared: { copies: plan.copies, writes: others.writes, self: others.self } }),
      ...(options.engine === undefined ? {} : { execution: options.engine }),
      ...(options.translationBytes === undefined ? {} : { translationBytes: options.translationBytes }),
      functions: hostFunctions(memory, this.#state),
      services: this.#services(),
    });
    this.#writer = new RecordWriter(this.engine.handlers);
    this.priv = new Privileged({
      memory,
      stateBase: this.#state,
      ram,
      host: this.#host(options),
      hosted: this.#hosted,
      shared: others !== undefined,
      ...(options.affinity === undefined ? {} : { affinity: options.affinity }),
      ...(options.frequency === undefined ? {} : { frequency: options.frequency }),
      ...(options.paRange === undefined ? {} : { paRange: options.paRange }),
    });
  }

  // ── running ──

  /**
   * Executes at most `steps` instructions (an exception taken counts as one), looking at interrupts every 131072 of them.
   *
   * @returns why it came back; {@link steps} tells how many were taken.
   * @throws {Error} hosted, and no guest was ever entered: EL2 software is not to be executed here.
   */
  run(steps: number): PeExit {
    const { priv } = this;
    this.steps = 0;
    if (this.#hosted && priv.el === 2) {
      // An interrupt may have ended the guest as soon as it was entered.
      if (priv.exited) return PeExit.exited;
      throw new Error('the processing element is at EL2: enter a guest first');
    }
    if (priv.waiting && !priv.wakeable()) return PeExit.waiting;
    while (!this.#stop) {
      this.#poll?.();
      this.#modeMayChange();
      if (priv.pendingInterrupt() === Status.leave) return PeExit.exited;
      if (this.steps >= steps) return PeExit.budget;
      this.steps += priv.stepActive ? this.#step() : this.engine.run(Math.min(SLICE, steps - this.steps, this.#stepsUntilDue()));
      if (priv.exited) return PeExit.exited;
      if (priv.waiting) return PeExit.waiting;
    }
    this.#stop = false;
    return PeExit.stopped;
  }

  /** One instruction, behind which a Software Step exception may follow. */
  #step(): number {
    const { priv } = this;
    const { stepping, exceptions } = priv;
    this.#stepsUntilDue();
    const steps = this.engine.run(1);
    if (stepping && priv.exceptions === exceptions) priv.stepped();
    return steps;
  }

  /** How many steps may be taken before a timer or the probe is due. */
  #stepsUntilDue(): number {
    while (this.retired >= this.#probeAt) this.#probeAt = this.#probe?.() ?? Infinity;
    const probe = this.#probeAt - this.retired;
    const timer = this.#instructionsUntil === undefined ? undefined : this.priv.nextTimer();
    return timer === undefined ? probe : Math.min(probe, Math.max(1, this.#instructionsUntil?.(timer) ?? Infinity));
  }

  /**
   * Calls `probe` between two instructions when exactly `at` have been retired; it returns when it wants to be called next, a
   * later count or `Infinity`.
   */
  setProbe(at: number, probe: () => number): void {
    this.#probeAt = at;
    this.#probe = probe;
  }

  /** Steps taken by the last {@link run}. */
  steps = 0;

  /** Makes {@link run} come back at the end of its slice. For devices on the bus. */
  stop(): void {
    this.#stop = true;
  }

  /** Instructions retired so far: those that took an exception are not. */
  get retired(): number {
    return this.engine.retired - (this.#executing ? 1 : 0);
  }

  /** Instructions retired and exceptions taken: a clock that counts only the former stands still while a guest traps without end. */
  get elapsed(): number {
    return this.engine.steps - (this.#executing ? 1 : 0);
  }

  /** Puts the privileged state at reset and the PC at `pc`; registers are left alone. */
  reset(pc: bigint): void {
    this.priv.reset();
    this.pc = pc;
  }

  /** As after power-on: registers zero, nothing decoded or cached. */
  clear(): void {
    this.engine.bytes.fill(0, this.#state, this.#state + STATE_SIZE);
    this.engine.tlb.flush();
    this.engine.pages.clear();
    this.reset(0n);
  }

  /** Fetches see what is in memory now. */
  fenceInstructions(): void {
    this.engine.pages.fence();
    this.#refetch = true;
  }

  /** To be called when the linear memory has grown. */
  refresh(): void {
    this.#view = new DataView(this.#memory.buffer);
    this.engine.refresh();
    this.priv.refresh();
  }

  /** Physical memory was written from outside (a device, the hypervisor): forgets instructions decoded from there. */
  invalidatePhys(pa: number, length: number): void {
    const place = this.#place(pa);
    if (place >= 0) this.engine.invalidate(place, length);
  }

  // ── registers ──

  get pc(): bigint {
    return this.#view.getBigUint64(this.#state + PC, true);
  }

  set pc(value: bigint) {
    this.#view.setBigUint64(this.#state + PC, BigInt.asUintN(64, value), true);
  }

  /** The stack pointer in use. */
  get sp(): bigint {
    return this.#view.getBigUint64(this.#state + SP, true);
  }

  set sp(value: bigint) {
    this.#view.setBigUint64(this.#state + SP, BigInt.asUintN(64, value), true);
  }

  /** Register x`i`, 0 … 30, unsigned. */
  x(i: number): bigint {
    return this.#view.getBigUint64(this.#state + X + 8 * i, true);
  }

  setX(i: number, value: bigint): void {
    this.#view.setBigUint64(this.#state + X + 8 * i, BigInt.asUintN(64, value), true);
  }

  /** Register v`i`, 128 bits, unsigned. */
  v(i: number): bigint {
    const at = this.#state + V + 16 * i;
    return (this.#view.getBigUint64(at + 8, true) << 64n) | this.#view.getBigUint64(at, true);
  }

  setV(i: number, value: bigint): void {
    const at = this.#state + V + 16 * i;
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
    this.#view.setBigUint64(at + 8, BigInt.asUintN(64, value >> 64n), true);
  }

  /** FPCR and FPSR, also while SIMD and floating point trap. */
  get fpcr(): number {
    return this.#view.getUint32(this.#state + FPCR, true);
  }

  get fpsr(): number {
    return this.#view.getUint32(this.#state + FPSR, true);
  }

  /** Up to `length` bytes from `at`, as a fetch would see them; fewer where the page ends, none where it would fault. */
  code(length: number, at: bigint): Uint8Array {
    const low = Number(BigInt.asIntN(32, at)) & ~3;
    const physical = this.priv.translate(low, Number(BigInt.asIntN(32, at >> 32n)), Access.fetch, 4, 0);
    const place = physical < 0 ? -1 : this.#place(physical);
    return place < 0 ? new Uint8Array(0) : this.engine.bytes.slice(place, place + Math.min(length, PAGE_SIZE - (low & (PAGE_SIZE - 1))));
  }

  // ── the engine's questions ──

  #place(pa: number): number {
    for (const { pa: base, size, offset } of this.#ram) {
      const distance = pa - base;
      if (distance >= 0 && distance < size) return offset + distance;
    }
    return -1;
  }

  /** The instruction a record was made of. */
  #bits(record: number): number {
    return this.engine.words[(record >>> 2) + 3] as number;
  }

  #word(field: number): number {
    return this.engine.words[(this.#state + field) >>> 2] as number;
  }

  #setWord(field: number, value: number): void {
    this.engine.words[(this.#state + field) >>> 2] = value;
  }

  #machine(): Machine {
    return {
      permissions: () => this.#permissions(),
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.#place(pa),
      accessFault: (lo, hi, access) => this.priv.externalAbort(lo, hi, access),
      misaligned: (lo, hi, access) => this.priv.alignmentFault(lo, hi, access),
      trap: (record) => {
        this.#modeMayChange();
        return this.#taken(this.priv.takeException(record === 0 ? 0 : this.#bits(record)));
      },
      deviceRead: (pa, size, place) => {
        const value = this.#bus?.read(pa, size);
        if (value === undefined) return false;
        this.#view.setBigUint64(place, value, true);
        return true;
      },
      deviceWrite: (pa, size, place) => this.#bus?.write(pa, size, BigInt.asUintN(8 * size, this.#view.getBigUint64(place, true))) ?? false,
      decode: (place, available, record, offset) => this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset),
    };
  }

  /** What needs no further question: while addresses of cached pages need not be aligned, Device memory is not cached. */
  #permissions(): number {
    const { permissions, isDevice } = this.priv;
    return isDevice && this.#word(ALIGNED) === 0 ? permissions & Permission.execute : permissions;
  }

  #services(): Readonly<Record<string, Service>> {
    /** Takes an exception in place of the instruction. */
    const exception = (take: () => Status): Status => {
      this.#modeMayChange();
      this.engine.notRetired();
      return this.#taken(take());
    };
    let index = 0;
    return {
      [SYSTEM]: (record) => this.#system(this.#bits(record)),
      [ZERO]: (record) => this.#zeroBlock(this.#bits(record)),
      [UNDEFINED]: () => exception(() => this.priv.undefined()),
      [FP_FAULT]: () => exception(() => this.priv.fpTrap()),
      [SP_FAULT]: () => exception(() => this.priv.spAlignment()),
      // An exception in between sets the index anew.
      [UNPRIVILEGED]: () => {
        index = this.#word(MMU_IDX);
        this.#setWord(MMU_IDX, this.#word(UNPRIV_IDX));
        return Status.next;
      },
      [PRIVILEGED]: () => {
        this.#setWord(MMU_IDX, index);
        return Status.next;
      },
    };
  }

  #host({ now, line }: PeOptions): PrivilegedHost {
    const others = this.#others;
    return {
      now,
      retired: () => this.retired,
      space: (key, regime) => this.engine.spaces.space(key, regime),
      enterSpace: (space, modes) => {
        const { spaces } = this.engine;
        const tag = spaces.fetchTag;
        spaces.enter(space, space, modes);
        if (spaces.fetchTag !== tag) this.#refetch = true;
      },
      forgetSpaces: (condition) => {
        this.engine.spaces.forget(condition);
        this.#refetch = true;
      },
      flushPage: (lo, hi) => {
        this.engine.tlb.flushPage(lo, hi);
        this.engine.pages.flushFetchPage(lo, hi);
        // What is being executed was looked up already.
        const pc = (this.#state + PC) >>> 2;
        const { words } = this.engine;
        if ((((words[pc] as number) ^ lo) & -PAGE_SIZE) === 0 && words[pc + 1] === hi) this.#refetch = true;
      },
      stored: (pa, size) => {
        const place = this.#place(pa);
        if (place < 0) return;
        this.engine.pages.opened(place);
        this.engine.invalidate(place, size);
      },
      ...(line === undefined ? {} : { line }),
      ...(others === undefined
        ? {}
        : {
            instructionsChanged: () => {
              this.fenceInstructions();
              others.instructionsChanged();
              this.#setWord(UNSYNCED, 1);
            },
            broadcast: (request: TlbRequest) => {
              others.invalidate(request);
              this.#setWord(UNSYNCED, 1);
            },
            synchronize: () => {
              this.#setWord(UNSYNCED, 0);
              others.synchronize();
            },
          }),
    };
  }

  /** The Exception level, and what it permits, may be another afterwards. */
  #modeMayChange(): void {
    this.#setWord(ZVA_CHECKED, 0);
  }

  /** An exception was taken, or returned from: software step is looked at before the next instruction. */
  #taken(status: Status): Status {
    return status === Status.refetch && this.priv.stepActive ? Status.leave : status;
  }

  /** Executes DC ZVA, and lets generated code execute the next ones in this mode and page. */
  #zeroBlock(bits: number): Status {
    const { engine } = this;
    const status = this.#system(bits);
    if (status !== Status.next) return status;
    const register = bits & 31;
    // XZR is the address 0.
    if (register === 31) return status;
    const address = (this.#state + X + register * 8) >>> 2;
    engine.cacheWrite(engine.words[address] as number, engine.words[address + 1] as number);
    this.#setWord(ZVA_CHECKED, 1);
    return status;
  }

  /** Executes an instruction that generated code does not. */
  #system(bits: number): Status {
    const { engine, priv } = this;
    this.#modeMayChange();
    const { exceptions } = priv;
    this.#refetch = false;
    this.#executing = true;
    const status = priv.system(bits);
    this.#executing = false;
    if (priv.exceptions !== exceptions) engine.notRetired();
    const rearmed = this.#instructionsUntil !== undefined && isTimerAccess(bits);
    if (status !== Status.next) return rearmed ? Status.leave : this.#taken(status);
    const leave = rearmed || priv.stepActive;
    if (!leave && !this.#refetch) return status;
    this.pc += 4n;
    return leave ? Status.leave : Status.refetch;
  }
}
