/**
 * A logical processor: the engine of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture of `priv/` behind its slow
 * paths.
 */
import { Access, Engine, PAGE_SIZE, Status, copiesSize, planLayout } from '@axvisor/softcpu';
import type { Execution, Layout, Limits, Machine, PageWrites, Service, WasmMemory } from '@axvisor/softcpu';
import { DIVIDE_ERROR } from './emit/arithmetic.ts';
import { isa } from './emit/isa.ts';
import { SEGMENT_FAULT } from './emit/operands.ts';
import { GENERAL_PROTECTION } from './emit/pair.ts';
import { RecordWriter } from './emit/record.ts';
import { SIMD_EXCEPTION, SIMD_EXEC } from './emit/simd/float.ts';
import { FPU_FAULT, SSE_FAULT } from './emit/simd/operands.ts';
import { BOUND, UNDEFINED } from './emit/simple.ts';
import { REPEAT } from './emit/string.ts';
import { SYSTEM } from './emit/system.ts';
import { X87_EXCEPTION, X87_EXEC } from './emit/x87.ts';
import { createSimdExec } from './fp/simd_exec.ts';
import { createX87Exec } from './fp/x87_exec.ts';
import { CR0, CR4, V } from './priv/fields.ts';
import { Privileged, SYSTEM_OPS, Waiting, type PrivilegedHost, type PrivilegedOptions } from './priv/index.ts';
import { ARG0, CODE, GPR, PC, SEG_BASE, STATE_SIZE, Seg } from './state.ts';
import { SystemReader } from './system_insn.ts';

/** Steps between two looks at interrupts. Also lets V8 replace the interpreter by its optimized code. */
const SLICE = 131_072;

/** Code pages whose decoded instructions are kept, 64 KiB each. */
const POOL_PAGES = 1024;

/** Why {@link Lp.run} came back. */
export const LpExit = {
  /** The steps asked for were taken. */
  budget: 'budget',
  /** HLT, shutdown or wait-for-SIPI with nothing pending: run again when {@link Privileged.wakeable}. */
  waiting: 'waiting',
  /** Hosted: the guest was left; the VMCS or VMCB says why. */
  exited: 'exited',
  /** {@link Lp.stop} was called. */
  stopped: 'stopped',
} as const;
export type LpExit = (typeof LpExit)[keyof typeof LpExit];

/** Where a logical processor keeps its state in linear memory. */
export interface LpPlan {
  /** First byte. */
  readonly base: number;
  /** First byte behind it. */
  readonly end: number;
  readonly layout: Layout;
  /** Where one that shares its memory keeps copies of code. */
  readonly copies: number;
}

/**
 * Plans the region of a logical processor.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 64 KiB each.
 */
export function planLp(base: number, memoryBytes: number, poolPages: number = POOL_PAGES): LpPlan {
  const state = Math.ceil(base / 64) * 64;
  const layout = planLayout(isa, { state, base: state + STATE_SIZE, memoryBytes, poolPages });
  const copies = Math.ceil(layout.end / PAGE_SIZE) * PAGE_SIZE;
  return { base: state, end: copies + copiesSize(layout), layout, copies };
}

export interface LpOptions extends Omit<PrivilegedOptions, 'memory' | 'stateBase' | 'host'> {
  readonly memory: WasmMemory;
  /** The limits `memory` was created with. */
  readonly memoryLimits: Limits;
  /** Region of the processor, from {@link planLp}; zeroed before, or fresh. */
  readonly plan: LpPlan;
  /** The time-stamp counter before offset and adjustment. */
  readonly now: () => bigint;
  /** 64 random bits; absent: there is no RDRAND. */
  readonly random?: () => bigint;
  /** How many steps until `now` is `deadline`, on a clock that counts {@link Lp.elapsed}. */
  readonly instructionsUntil?: (deadline: bigint) => number;
  /** Others that write the same memory. `self` is the number of this one. */
  readonly others?: { readonly writes: PageWrites; readonly self: number };
  /** Called once a slice, before interrupts are looked at: takes what other threads want. */
  readonly poll?: () => void;
  /** Default: `interpreter`. */
  readonly engine?: Execution;
  /** Bytes that translated code may take, estimated; default 256 MiB. */
  readonly translationBytes?: number;
}

/** Instructions after which code that others wrote is seen (SDM vol. 3, 9.3, serializing instructions). */
const SERIALIZING: ReadonlySet<string> = new Set(['cpuid', 'iret', 'mov_to_cr', 'wrmsr', 'invlpg', 'lgdt', 'lidt', 'lldt', 'ltr', 'wbinvd', 'invd', 'rsm', 'invpcid']);

/** Legacy prefixes. */
const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

export class Lp {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #state: number;
  readonly #memory: WasmMemory;
  readonly #poll: (() => void) | undefined;
  readonly #hosted: boolean;
  readonly #shared: boolean;
  readonly #writer: RecordWriter;
  readonly #reader: SystemReader;
  readonly #instructionsUntil: ((deadline: bigint) => number) | undefined;
  readonly #now: () => bigint;
  #view: DataView;
  #mode = 0;
  /** A fetch translation changed: the next instruction must be looked up again. */
  #refetch = false;
  /** Events must be looked at behind the current instruction. */
  #soon = false;
  /** An instruction is being executed by a helper. */
  #executing = false;
  #stop = false;
  #probeAt = Infinity;
  #probe: (() => number) | undefined;

  constructor(options: LpOptions) {
    const { memory, memoryLimits, plan, others, now, random } = options;
    this.#memory = memory;
    this.#poll = options.poll;
    this.#hosted = options.hosted ?? false;
    this.#shared = others !== undefined;
    this.#instructionsUntil = options.instructionsUntil;
    this.#now = now;
    this.#state = plan.layout.state;
    this.#view = new DataView(memory.buffer);
    this.#reader = new SystemReader(this.#state);
    this.engine = new Engine(this.#machine(), {
      isa,
      memory,
      memoryLimits,
      layout: plan.layout,
      ...(others === undefined ? {} : { shared: { copies: plan.copies, writes: others.writes, self: others.self } }),
      ...(options.engine === undefined ? {} : { execution: options.engine }),
      ...(options.translationBytes === undefined ? {} : { translationBytes: options.translationBytes }),
      functions: { [SIMD_EXEC]: createSimdExec(memory, this.#state), [X87_EXEC]: createX87Exec(memory, this.#state) },
      services: this.#services(),
    });
    this.#writer = new RecordWriter(this.engine.handlers);
    this.priv = new Privileged({ ...options, stateBase: this.#state, host: this.#host(random) });
  }

  // ── running ──

  /**
   * Executes at most `steps` instructions (an exception taken counts as one), looking at interrupts every 131072 of them.
   *
   * @returns why it came back; {@link steps} tells how many were taken.
   * @throws {Error} hosted, and no guest was entered: hypervisor software is not to be executed here.
   */
  run(steps: number): LpExit {
    const { priv, engine } = this;
    this.steps = 0;
    if (priv.exited) return LpExit.exited;
    if (this.#hosted && !priv.inGuest) throw new Error('the processor runs its hypervisor: enter a guest first');
    if (priv.waiting !== Waiting.no && !priv.wakeable()) return LpExit.waiting;
    while (!this.#stop) {
      this.#poll?.();
      this.#soon = false;
      if (priv.pendingEvent() === Status.leave) return priv.exited ? LpExit.exited : LpExit.waiting;
      if (this.steps >= steps) return LpExit.budget;
      if (priv.slow || this.#soon) this.steps += this.#step();
      else this.steps += engine.run(Math.min(SLICE, steps - this.steps, this.#stepsUntilDue()));
      if (priv.exited) return LpExit.exited;
      if (priv.waiting !== Waiting.no) return LpExit.waiting;
    }
    this.#stop = false;
    return LpExit.stopped;
  }

  /** One instruction, behind which a debug exception may follow. */
  #step(): number {
    const { priv } = this;
    const { stepping, exceptions } = priv;
    this.#stepsUntilDue();
    const steps = this.engine.run(1);
    if (stepping && !priv.exited && priv.exceptions === exceptions) priv.stepped();
    return steps;
  }

  /** How many steps may be taken before a timer or the probe is due. */
  #stepsUntilDue(): number {
    while (this.retired >= this.#probeAt) this.#probeAt = this.#probe?.() ?? Infinity;
    const probe = this.#probeAt - this.retired;
    const ticks = this.#instructionsUntil === undefined ? undefined : this.priv.preemptionTicks();
    const deadline = ticks === undefined ? this.hostDeadline : earlier(this.hostDeadline, this.#now() + BigInt(ticks));
    if (deadline === undefined || this.#instructionsUntil === undefined) return probe;
    return Math.min(probe, Math.max(1, this.#instructionsUntil(deadline)));
  }

  /** When the host wants its interrupt, for clocks that count instructions: the slice ends there. */
  hostDeadline: bigint | undefined;

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

  /** Instructions retired so far: those that raised an exception are not. */
  get retired(): number {
    return this.engine.retired - (this.#executing ? 1 : 0);
  }

  /** Instructions retired and exceptions taken: a clock that counts only the former stands still while a guest traps without end. */
  get elapsed(): number {
    return this.engine.steps - (this.#executing ? 1 : 0);
  }

  /** As after power-on: registers zero, nothing decoded or cached. */
  clear(): void {
    this.engine.bytes.fill(0, this.#state, this.#state + STATE_SIZE);
    this.engine.tlb.flush();
    this.engine.pages.clear();
    this.priv.reset();
  }

  /** To be called when the linear memory has grown. */
  refresh(): void {
    this.#view = new DataView(this.#memory.buffer);
    this.engine.refresh();
    this.priv.refresh();
  }

  /** Physical memory was written from outside (a device, the hypervisor): forgets instructions decoded from there. */
  invalidatePhys(pa: number, length: number): void {
    const place = this.priv.memory.place(pa, length);
    if (place >= 0) this.engine.invalidate(place, length);
  }

  // ── registers ──

  /** Linear address of the next instruction. */
  get pc(): bigint {
    return this.#view.getBigUint64(this.#state + PC, true);
  }

  /** General register `i`, unsigned. */
  gpr(i: number): bigint {
    return this.#view.getBigUint64(this.#state + GPR + 8 * i, true);
  }

  setGpr(i: number, value: bigint): void {
    this.#view.setBigUint64(this.#state + GPR + 8 * i, BigInt.asUintN(64, value), true);
  }

  /** Up to `length` bytes from linear address `at`, as a fetch would see them; fewer where the page ends, none where it would fault. */
  code(length: number, at: bigint): Uint8Array {
    const low = Number(BigInt.asIntN(32, at));
    const physical = this.priv.translate(low, Number(BigInt.asIntN(32, at >> 32n)), Access.fetch, 1, 1);
    const place = physical < 0 ? -1 : this.priv.memory.place(physical, 1);
    return place < 0 ? new Uint8Array(0) : this.engine.bytes.slice(place, place + Math.min(length, PAGE_SIZE - (low & (PAGE_SIZE - 1))));
  }

  // ── the engine's questions ──

  #machine(): Machine {
    return {
      permissions: () => this.priv.permissions,
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.priv.memory.place(pa, 1),
      // What is no memory reads as ones, which is no instruction; accesses to it that cross pages or are locked are not made.
      accessFault: (_lo, _hi, access) => this.priv.raise(access === Access.fetch ? V.UD : V.GP),
      misaligned: () => this.priv.raise(V.AC),
      trap: (record) => this.priv.takeException(record !== 0 && this.#throughSs(record)),
      deviceRead: (pa, size, place) => {
        const { memory } = this.priv;
        this.engine.words[place >>> 2] = memory.read(pa, size);
        this.engine.words[(place >>> 2) + 1] = memory.hi;
        return true;
      },
      deviceWrite: (pa, size, place) => {
        this.priv.memory.write(pa, size, this.engine.words[place >>> 2] as number, this.engine.words[(place >>> 2) + 1] as number);
        return true;
      },
      decode: (place, available, record, offset) =>
        this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset, this.#mode),
    };
  }

  /** Whether a memory operand of a record is in the stack segment: by its segment, or in 64-bit mode by its base. */
  #throughSs(record: number): boolean {
    const word = this.engine.words[(record >>> 2) + 1] as number;
    const base = word & 0xff;
    return ((word >>> 16) & 0xff) === SEG_BASE + 8 * Seg.ss || ((this.#mode & CODE.size) === CODE.code64 && (base === GPR + 32 || base === GPR + 40));
  }

  #services(): Readonly<Record<string, Service>> {
    /** Takes an exception in place of the instruction. */
    const fault = (vector: () => number): Service => () => {
      this.engine.notRetired();
      return this.priv.fault(vector());
    };
    const always = (vector: number): Service => fault(() => vector);
    const cr0 = (bit: number): boolean => (this.priv.regs.cr0 & bit) !== 0;
    return {
      [SYSTEM]: (record) => this.#system(record),
      [UNDEFINED]: always(V.UD),
      [GENERAL_PROTECTION]: always(V.GP),
      [DIVIDE_ERROR]: always(V.DE),
      [BOUND]: always(V.BR),
      [REPEAT]: () => Status.refetch,
      [SEGMENT_FAULT]: fault(() => (this.engine.words[(this.#state + ARG0) >>> 2] === Seg.ss ? V.SS : V.GP)),
      [SSE_FAULT]: fault(() => (cr0(CR0.EM) || (this.priv.regs.cr4 & CR4.OSFXSR) === 0 ? V.UD : V.NM)),
      // With CR0.EM, MMX instructions do not exist; x87's are there for an emulator.
      [FPU_FAULT]: fault(() => (cr0(CR0.EM) && !this.#isX87() ? V.UD : V.NM)),
      [SIMD_EXCEPTION]: fault(() => ((this.priv.regs.cr4 & CR4.OSXMMEXCPT) !== 0 ? V.XM : V.UD)),
      [X87_EXCEPTION]: always(V.MF),
    };
  }

  /** Whether the instruction at PC is one of x87: behind its prefixes an escape opcode. */
  #isX87(): boolean {
    const code = this.code(15, this.pc);
    const wide = (this.#mode & CODE.size) === CODE.code64;
    const opcode = code.find((byte) => !PREFIXES.has(byte) && !(wide && (byte & 0xf0) === 0x40)) ?? 0;
    return (opcode & 0xf8) === 0xd8;
  }

  #host(random: (() => bigint) | undefined): PrivilegedHost {
    return {
      now: () => this.#now(),
      retired: () => this.retired,
      flushTlb: () => this.engine.tlb.flush(),
      flushLocalTlb: () => this.engine.tlb.flushLocal(),
      flushFetch: () => {
        this.engine.pages.flushFetch();
        this.#refetch = true;
      },
      flushPage: (lo, hi) => {
        this.engine.tlb.flushPage(lo, hi);
        this.engine.pages.flushFetchPage(lo, hi);
        this.#refetch = true;
      },
      stored: (place, size) => this.engine.invalidate(place, size),
      modeChanged: (mode) => {
        this.#mode = mode;
        this.engine.pages.setMode(mode);
        this.#refetch = true;
      },
      endSlice: () => {
        this.#soon = true;
      },
      ...(random === undefined ? {} : { random }),
    };
  }

  /** Executes an instruction that generated code does not. */
  #system(record: number): Status {
    const { engine, priv } = this;
    const op = this.#reader.read(engine.words, record);
    const { exceptions } = priv;
    this.#refetch = false;
    this.#soon = false;
    if (op < 0) {
      engine.notRetired();
      return priv.fault(V.UD);
    }
    this.#executing = true;
    const status = priv.system(op, this.#reader.insn);
    this.#executing = false;
    if (priv.exceptions !== exceptions || priv.exited) engine.notRetired();
    if (status === Status.leave) return status;
    if (this.#shared && isSerializing(op)) {
      engine.pages.fence();
      this.#refetch = true;
    }
    if (status === Status.next) {
      if (!this.#refetch && !this.#soon) return status;
      priv.regs.advance(this.#reader.insn.length);
    }
    if (!this.#soon) return Status.refetch;
    if (priv.slow) return Status.leave;
    // What became possible is done here, unless the next instruction comes first.
    this.#soon = false;
    const event = priv.pendingEvent();
    return event === Status.leave || this.#soon ? Status.leave : Status.refetch;
  }
}

const serializing: readonly boolean[] = SYSTEM_OPS.map((name) => SERIALIZING.has(name));

/** Whether an index among the system instructions is one of {@link SERIALIZING}. */
const isSerializing = (op: number): boolean => serializing[op] === true;

function earlier(a: bigint | undefined, b: bigint): bigint {
  return a === undefined || b < a ? b : a;
}
