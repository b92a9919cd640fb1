/**
 * A RISC-V hart: the interpreter of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture
 * of `priv/` behind its slow paths.
 */
import { Access, Engine, PAGE_SIZE, Permission, Status, copiesSize, planLayout } from '@axvisor/softcpu';
import type { Execution, Layout, Limits, Machine, PageWrites, WasmMemory } from '@axvisor/softcpu';
import { isa } from './emit/isa.ts';
import { CBO_ZERO } from './emit/memory.ts';
import { RecordWriter } from './emit/record.ts';
import { EXEC, createFpExec } from './fp/emit.ts';
import { op } from './isa/table.ts';
import { Privileged } from './priv/privileged.ts';
import type { PhysBus, PrivilegedHost, RamWindow } from './priv/interface.ts';
import { Cause } from './priv/fields.ts';
import { CBO_ZERO_CHECKED, F, FFLAGS, FRM, PC, STATE_SIZE, X } from './state.ts';

/** Steps between two looks at timers and interrupt lines. Also lets V8 replace the interpreter by its optimized code. */
const SLICE = 131_072;

/**
 * Entries of a guest, and steps, between two looks at a clock that does not count instructions: of exits in quick succession
 * each costs hardly more than such a look.
 */
const UNTIMED_ENTRIES = 7;
const UNTIMED_STEPS = 10_000;

/** Code pages whose decoded instructions are kept, 33 KiB each. */
const POOL_PAGES = 1024;

/** Why {@link Hart.run} came back. */
export const HartExit = {
  /** The steps asked for were taken. */
  budget: 'budget',
  /** WFI with nothing pending: run again when {@link Privileged.wakeable}. */
  waiting: 'waiting',
  /** Hosted: the guest trapped to HS-mode; the HS-level CSRs say why. */
  exited: 'exited',
  /** {@link Hart.stop} was called. */
  stopped: 'stopped',
} as const;
export type HartExit = (typeof HartExit)[keyof typeof HartExit];

/** Where a hart keeps its state in linear memory. */
export interface HartPlan {
  /** First byte. */
  readonly base: number;
  /** First byte behind it. */
  readonly end: number;
  readonly layout: Layout;
  /** Where a hart that shares its memory keeps copies of code. */
  readonly copies: number;
}

/**
 * Plans the region of a hart.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 33 KiB each.
 */
export function planHart(base: number, memoryBytes: number, poolPages: number = POOL_PAGES): HartPlan {
  const state = Math.ceil(base / 64) * 64;
  const layout = planLayout(isa, { state, base: state + STATE_SIZE, memoryBytes, poolPages });
  const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
  return { base: state, end: copies + copiesSize(layout), layout, copies };
}

export interface HartOptions {
  readonly memory: WasmMemory;
  /** The limits `memory` was created with. */
  readonly memoryLimits: Limits;
  /** Region of the hart, from {@link planHart}; zeroed before, or fresh. */
  readonly plan: HartPlan;
  /** Parts of `memory` that the hart sees as main memory. */
  readonly ram: readonly RamWindow[];
  /** What answers at all other physical addresses; default: access faults. */
  readonly bus?: PhysBus;
  /** mtime. */
  readonly now: () => bigint;
  /**
   * On a clock that counts {@link Hart.elapsed}: how many until mtime is `deadline`. Timer interrupts are then taken at exactly that
   * instruction, on every tier; else within {@link SLICE} steps.
   */
  readonly instructionsUntil?: (deadline: bigint) => number;
  /** There is no machine-mode software, and HS-mode software is native code. Default: false. */
  readonly hosted?: boolean;
  /** mhartid, default 0. */
  readonly hartId?: number;
  /** Other harts write the same memory: instructions are what it held at the last FENCE.I. Who writes where is kept here. */
  readonly shared?: PageWrites;
  /** Called once a slice, before interrupts are looked at: takes what other threads want of this hart. */
  readonly poll?: () => void;
  /** Default: `interpreter`. */
  readonly engine?: Execution;
  /** Bytes that translated code may take, estimated; default 256 MiB. */
  readonly translationBytes?: number;
  /** What becomes of misaligned loads and stores that are not atomic: carried out (default), or an exception. */
  readonly misaligned?: 'handled' | 'trap';
}

/** CSRs whose writes by a guest move the next timer interrupt: stimecmp, vstimecmp. */
const isTimerCsr = (bits: number): boolean => (bits >>> 20 === 0x14d || bits >>> 20 === 0x24d) && (bits & 0x7f) === 0x73 && (bits & 0x3000) !== 0;

const accessFaults = [Cause.loadAccessFault, Cause.storeAccessFault, Cause.instructionAccessFault] as const;

export class Hart {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #state: number;
  readonly #memory: WasmMemory;
  readonly #ram: readonly RamWindow[];
  readonly #bus: PhysBus | undefined;
  readonly #shared: boolean;
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
  #untimedEntries = 0;
  /** {@link Engine.steps} when the clock was looked at last. */
  #timedAt = 0;
  #probeAt = Infinity;
  #probe: (() => number) | undefined;

  constructor(options: HartOptions) {
    const { memory, memoryLimits, plan, ram, bus } = options;
    this.#memory = memory;
    this.#ram = ram;
    this.#bus = bus;
    this.#shared = options.shared !== undefined;
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
      ...(options.shared === undefined ? {} : { shared: { copies: plan.copies, writes: options.shared, self: options.hartId ?? 0 } }),
      ...(options.engine === undefined ? {} : { execution: options.engine }),
      ...(options.translationBytes === undefined ? {} : { translationBytes: options.translationBytes }),
      ...(options.misaligned === undefined ? {} : { misaligned: options.misaligned }),
      functions: { [EXEC]: createFpExec(memory, this.#state) },
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
    this.#writer = new RecordWriter(this.engine.handlers);
    this.priv = new Privileged({
      memory,
      stateBase: this.#state,
      ram,
      host: this.#host(options.now),
      ...(bus === undefined ? {} : { bus }),
      hosted: this.#hosted,
      hartId: options.hartId ?? 0,
    });
  }

  // ── running ──

  /**
   * Executes at most `steps` instructions (an exception taken counts as one), looking at interrupts every 131072 of them.
   *
   * @returns why it came back; {@link steps} tells how many were taken.
   * @throws {Error} hosted, and no guest was ever entered: HS-mode software is not this hart's to execute.
   */
  run(steps: number): HartExit {
    const { engine, priv } = this;
    this.steps = 0;
    if (this.#hosted && priv.v === 0) {
      // An interrupt may have ended the guest as soon as it was entered.
      if (priv.exited) return HartExit.exited;
      throw new Error('the hart is in HS-mode: enter a guest first');
    }
    if (priv.waiting && !priv.wakeable()) return HartExit.waiting;
    let isTimed = !this.#hosted || this.#instructionsUntil !== undefined || --this.#untimedEntries < 0 || engine.steps - this.#timedAt >= UNTIMED_STEPS;
    while (!this.#stop) {
      this.#poll?.();
      this.#modeMayChange();
      if (isTimed) {
        this.#untimedEntries = UNTIMED_ENTRIES;
        this.#timedAt = engine.steps;
      }
      if (priv.pendingInterrupt(isTimed) === Status.leave) return HartExit.exited;
      isTimed = true;
      if (this.steps >= steps) {
        this.#untimedEntries = 0;
        return HartExit.budget;
      }
      this.steps += engine.run(Math.min(SLICE, steps - this.steps, this.#stepsUntilDue()));
      if (priv.exited) return HartExit.exited;
      if (priv.waiting) return HartExit.waiting;
    }
    this.#stop = false;
    return HartExit.stopped;
  }

  /** How many steps may be taken before a timer or the probe is due. */
  #stepsUntilDue(): number {
    while (this.retired >= this.#probeAt) this.#probeAt = this.#probe?.() ?? Infinity;
    const probe = this.#probeAt - this.retired;
    const edge = this.#instructionsUntil === undefined ? undefined : this.priv.nextTimerEdge();
    return edge === undefined ? probe : Math.min(probe, Math.max(1, this.#instructionsUntil?.(edge) ?? Infinity));
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

  /** Instructions retired so far: those that trapped are not. */
  get retired(): number {
    return this.engine.retired - (this.#executing ? 1 : 0);
  }

  /** Instructions retired and exceptions taken: a clock that counts only the former stands still while a guest traps without end. */
  get elapsed(): number {
    return this.engine.steps - (this.#executing ? 1 : 0);
  }

  /** Puts the privileged state at reset and the pc at `pc`; registers are left alone. */
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

  /** FENCE.I. */
  fenceI(): void {
    this.engine.pages.fence();
  }

  /** To be called when the linear memory has grown. */
  refresh(): void {
    this.#view = new DataView(this.#memory.buffer);
    this.engine.refresh();
    this.priv.refresh();
  }

  /** Physical memory was written from outside the hart (a device, the hypervisor): forgets instructions decoded from there. */
  invalidatePhys(pa: number, length: number): void {
    const place = this.#place(pa);
    if (place >= 0) this.engine.invalidate(place, length);
  }

  // ── registers ──

  get pc(): bigint {
    return this.#view.getBigUint64(this.#state + PC, true);
  }

  set pc(value: bigint) {
    this.#view.setBigUint64(this.#state + PC, value, true);
  }

  /** Integer register x`i`, unsigned. */
  reg(i: number): bigint {
    return this.#view.getBigUint64(this.#state + X + 8 * i, true);
  }

  /** Writes x`i`; x0 stays 0. */
  setReg(i: number, value: bigint): void {
    if (i !== 0) this.#view.setBigUint64(this.#state + X + 8 * i, BigInt.asUintN(64, value), true);
  }

  /** Floating-point register f`i`: 64 bits, single precision NaN-boxed. */
  freg(i: number): bigint {
    return this.#view.getBigUint64(this.#state + F + 8 * i, true);
  }

  setFreg(i: number, value: bigint): void {
    this.#view.setBigUint64(this.#state + F + 8 * i, BigInt.asUintN(64, value), true);
  }

  /** fcsr, also while floating point is off. */
  get fcsr(): number {
    return (this.#view.getInt32(this.#state + FRM, true) << 5) | this.#view.getInt32(this.#state + FFLAGS, true);
  }

  /** Up to `length` bytes from `at`, as a fetch would see them; fewer where the page ends, none where it would fault. */
  code(length: number, at: bigint): Uint8Array {
    const low = Number(BigInt.asIntN(32, at));
    const physical = this.priv.translate(low, Number(BigInt.asIntN(32, at >> 32n)), Access.fetch, 2, 0);
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

  #machine(): Machine {
    return {
      permissions: () => this.priv.permissions | (this.priv.global ? Permission.global : 0),
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.#place(pa),
      accessFault: (lo, hi, access, offset) => this.priv.raise(accessFaults[access], lo, hi, offset),
      misaligned: (lo, hi, access) => this.priv.raise(access === Access.load ? Cause.loadAddressMisaligned : Cause.storeAddressMisaligned, lo, hi),
      trap: (record) => {
        this.#modeMayChange();
        return this.priv.takeTrap(record === 0 ? 0 : this.#bits(record));
      },
      deviceRead: (pa, size, place) => {
        const value = this.#bus?.read(pa, size);
        if (value === undefined) return false;
        this.#view.setBigUint64(place, value, true);
        return true;
      },
      deviceWrite: (pa, size, place) => this.#bus?.write(pa, size, BigInt.asUintN(8 * size, this.#view.getBigUint64(place, true))) ?? false,
      decode: (place, available, record, offset) =>
        this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset),
    };
  }

  #host(now: () => bigint): PrivilegedHost {
    return {
      now,
      retired: () => this.retired,
      flushTlb: () => this.engine.tlb.flush(),
      space: (key, regime) => this.engine.spaces.space(key, regime),
      enterSpaces: (data, fetch) => {
        const { spaces } = this.engine;
        const tag = spaces.fetchTag;
        spaces.enter(data, fetch);
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
    };
  }

  /** Privilege, and what it permits, may be another afterwards. */
  #modeMayChange(): void {
    this.engine.words[(this.#state + CBO_ZERO_CHECKED) >>> 2] = 0;
  }

  /** Executes CBO.ZERO, and lets generated code execute the next ones in this mode and page. */
  #zeroBlock(record: number): Status {
    const { engine } = this;
    const bits = this.#bits(record);
    const status = this.#system(op['cbo.zero'], bits);
    if (status !== Status.next) return status;
    const address = (this.#state + X + ((bits >>> 15) & 31) * 8) >>> 2;
    engine.cacheWrite(engine.words[address] as number, engine.words[address + 1] as number);
    engine.words[(this.#state + CBO_ZERO_CHECKED) >>> 2] = 1;
    return status;
  }

  /** Moves the pc behind an instruction. */
  #passBy(bits: number): void {
    const { words } = this.engine;
    const at = (this.#state + PC) >>> 2;
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
    this.#refetch = false;
    this.#executing = true;
    const status = priv.system(number, bits);
    this.#executing = false;
    if (priv.exceptions !== exceptions) engine.notRetired();
    const rearmed = this.#instructionsUntil !== undefined && isTimerCsr(bits);
    if (status !== Status.next) return rearmed ? Status.leave : status;
    if (!rearmed && !this.#refetch) return status;
    this.#passBy(bits);
    return rearmed ? Status.leave : Status.refetch;
  }
}
