/**
 * A logical processor: the engine of `@axvisor/softcpu` over the instructions in `emit/`, with the privileged architecture of `priv/` behind its slow
 * paths.
 */
import { Access, Core, CoreExit, Engine, Status, engineOptions, planCore } from '@axvisor/softcpu';
import type { CoreOptions, CorePlan, Machine, Service, Sharing } from '@axvisor/softcpu';
import { isMisaligned, stackBitsOf } from './alignment.ts';
import { DIVIDE_ERROR } from './emit/arithmetic.ts';
import { hostFunctions } from './emit/host.ts';
import { isa } from './emit/isa.ts';
import { SEGMENT_FAULT } from './emit/operands.ts';
import { GENERAL_PROTECTION } from './emit/pair.ts';
import { RecordWriter } from './emit/record.ts';
import { AVX_FAULT, FPU_FAULT, SIMD_EXCEPTION, SSE_FAULT } from './emit/simd/operands.ts';
import { BOUND, UNDEFINED } from './emit/simple.ts';
import { REPEAT } from './emit/string.ts';
import { SYSTEM } from './emit/system.ts';
import { X87_EXCEPTION } from './emit/x87.ts';
import { Decoder, MAX_LENGTH } from './isa/decode.ts';
import { CR0, CR4, V } from './priv/fields.ts';
import { Privileged, SYSTEM_OPS, Waiting, type PrivilegedHost, type PrivilegedOptions } from './priv/index.ts';
import { ALIGN_TRAP, ARG0, CODE, GPR, SEG_BASE, SHARED, STATE_SIZE, Seg } from './state.ts';
import { SystemReader } from './system_insn.ts';

/** Code pages whose decoded instructions are kept, 33 KiB each. */
const POOL_PAGES = 1024;

/**
 * Plans the region of a logical processor.
 *
 * @param base - where it may begin.
 * @param memoryBytes - size the linear memory may grow to; the TLB takes 1/32 of it.
 * @param poolPages - code pages whose decoded instructions are kept, 33 KiB each.
 */
export const planLp = (base: number, memoryBytes: number, poolPages: number = POOL_PAGES): CorePlan => planCore(isa, STATE_SIZE, base, memoryBytes, poolPages);

export interface LpOptions extends CoreOptions, Omit<PrivilegedOptions, 'memory' | 'stateBase' | 'host' | 'hosted'> {
  /** The time-stamp counter before offset and adjustment. */
  readonly now: () => bigint;
  /** The same below 2^53, if it does not depend on how many instructions were executed: generated code asks itself. */
  readonly clock?: () => number;
  /** 64 random bits; absent: there is no RDRAND. */
  readonly random?: () => bigint;
  /** Others that write the same memory. */
  readonly others?: Sharing;
}

/** Instructions after which code that others wrote is seen (SDM vol. 3, 9.3, serializing instructions). */
const SERIALIZING: ReadonlySet<string> = new Set(['serialize', 'cpuid', 'iret', 'mov_to_cr', 'wrmsr', 'invlpg', 'lgdt', 'lidt', 'lldt', 'ltr', 'wbinvd', 'invd', 'rsm', 'invpcid']);

/** Legacy prefixes. */
const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

export class Lp extends Core {
  readonly priv: Privileged;
  readonly engine: Engine;
  readonly #shared: boolean;
  readonly #writer: RecordWriter;
  readonly #reader: SystemReader;
  readonly #now: () => bigint;
  #mode = 0;
  readonly #decoder = new Decoder();
  /** Events must be looked at behind the current instruction. */
  #soon = false;
  /** When the host wants its interrupt, for clocks that count instructions: the slice ends there. */
  hostDeadline: bigint | undefined;

  constructor(options: LpOptions) {
    super(options, isa, STATE_SIZE);
    const { memory, others, now, random } = options;
    this.#shared = others !== undefined;
    this.#now = now;
    this.#reader = new SystemReader(this.state);
    this.engine = new Engine(this.#machine(), {
      ...engineOptions(options, others),
      isa,
      functions: hostFunctions(memory, this.state, { lock: others?.lock, clock: options.clock }),
      services: this.#services(),
    });
    this.#writer = new RecordWriter(this.engine.handlers);
    this.setWord32(SHARED, this.#shared ? 1 : 0);
    this.priv = new Privileged({ ...options, stateBase: this.state, guestBlocks: options.plan.layout.guestBlocks, host: this.#host(random, options.clock !== undefined) });
  }

  // ── running ──

  protected refusal(): CoreExit | undefined {
    const { priv } = this;
    if (priv.exited) return CoreExit.exited;
    if (this.hosted && !priv.inGuest) throw new Error('the processor runs its hypervisor: enter a guest first');
    return priv.waiting !== Waiting.no && !priv.wakeable() ? CoreExit.waiting : undefined;
  }

  protected attend(isFirst: boolean): CoreExit | undefined {
    this.#soon = false;
    // An entry ends what the hypervisor did for the guest, serializing instructions among it.
    if (isFirst && this.hosted && this.#shared) this.engine.pages.fence();
    if (this.priv.pendingEvent() !== Status.leave) return undefined;
    return this.priv.exited ? CoreExit.exited : CoreExit.waiting;
  }

  protected ended(): CoreExit | undefined {
    if (this.priv.exited) return CoreExit.exited;
    return this.priv.waiting === Waiting.no ? undefined : CoreExit.waiting;
  }

  /** The VMX-preemption timer, or the host's. */
  protected nextTimer(): bigint | undefined {
    const ticks = this.priv.preemptionTicks();
    if (ticks === undefined) return this.hostDeadline;
    const preemption = this.#now() + BigInt(ticks);
    return this.hostDeadline === undefined || preemption < this.hostDeadline ? preemption : this.hostDeadline;
  }

  protected override get isStepwise(): boolean {
    return this.priv.slow || this.#soon || this.#checksAlignment;
  }

  /** Data accesses must be aligned: found out for one instruction after the other, before it is executed. */
  get #checksAlignment(): boolean {
    return this.engine.words[(this.state + ALIGN_TRAP) >>> 2] !== 0;
  }

  #isMisaligned(): boolean {
    const { pc } = this;
    let code = this.code(MAX_LENGTH, pc);
    // Behind the end of the page, if that can be fetched too.
    if (code.length < MAX_LENGTH) code = Uint8Array.from([...code, ...this.code(MAX_LENGTH - code.length, pc + BigInt(code.length))]);
    const { insn } = this.#decoder;
    if (code.length === 0 || !this.#decoder.decode(code, 0, code.length, this.#mode) || insn.op < 0) return false;
    const isLong = (this.#mode & CODE.size) === CODE.code64;
    const base = (segment: number): bigint => (isLong && segment < Seg.fs ? 0n : this.word64(SEG_BASE + 8 * segment));
    const sources = { gpr: (number: number) => this.gpr(number), base, stackBits: stackBitsOf(this.#mode) };
    return isMisaligned(insn, sources, pc - base(Seg.cs) + BigInt(insn.length));
  }

  /** One instruction, behind which a debug exception may follow. */
  protected override single(): number {
    const { priv } = this;
    if (this.#checksAlignment && this.#isMisaligned()) {
      priv.fault(V.AC);
      return 1;
    }
    const { stepping, exceptions } = priv;
    const steps = priv.alone(() => super.single());
    if (stepping && !priv.exited && priv.exceptions === exceptions) priv.stepped();
    return steps;
  }

  protected resetState(): void {
    this.setWord32(SHARED, this.#shared ? 1 : 0);
    this.priv.reset();
  }

  protected refreshState(): void {
    this.priv.refresh();
  }

  // ── registers ──

  /** General register `i`, unsigned. */
  gpr(i: number): bigint {
    return this.word64(GPR + 8 * i);
  }

  setGpr(i: number, value: bigint): void {
    this.setWord64(GPR + 8 * i, value);
  }

  // ── the engine's questions ──

  protected place(pa: number): number {
    return this.priv.memory.place(pa, 1);
  }

  protected fetchAddress(lo: number, hi: number): number {
    return this.priv.translate(lo, hi, Access.fetch, 1, 1);
  }

  #machine(): Machine {
    return {
      permissions: () => this.priv.permissions,
      translate: (lo, hi, access, size, offset) => this.priv.translate(lo, hi, access, size, offset),
      place: (pa) => this.place(pa),
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
        this.#writer.write(this.engine.bytes, this.engine.words, place, available, record, offset, this.#mode, this.priv.isLimited),
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
      [SEGMENT_FAULT]: fault(() => (this.word32(ARG0) === Seg.ss ? V.SS : V.GP)),
      [SSE_FAULT]: fault(() => (cr0(CR0.EM) || (this.priv.regs.cr4 & CR4.OSFXSR) === 0 ? V.UD : V.NM)),
      [AVX_FAULT]: fault(() => (this.priv.regs.isAvxEnabled ? V.NM : V.UD)),
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

  #host(random: (() => bigint) | undefined, hasClock: boolean): PrivilegedHost {
    return {
      ...this.coreHost(),
      hasClock,
      now: () => this.#now(),
      flushFetch: () => {
        this.engine.pages.fetches.flush();
        this.refetch = true;
      },
      stored: (place, size) => this.engine.invalidate(place, size),
      modeChanged: (mode) => {
        this.#mode = mode;
        this.engine.pages.setMode(mode);
        this.refetch = true;
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
    this.refetch = false;
    this.#soon = false;
    if (op < 0) {
      engine.notRetired();
      return priv.fault(V.UD);
    }
    this.executing = true;
    const status = priv.system(op, this.#reader.insn);
    this.executing = false;
    if (priv.exceptions !== exceptions || priv.exited) engine.notRetired();
    if (status === Status.leave) return status;
    if (this.#shared && isSerializing(op)) {
      engine.pages.fence();
      this.refetch = true;
    }
    if (status === Status.next) {
      if (!this.refetch && !this.#soon) return status;
      priv.regs.advance(this.#reader.insn.length);
    }
    if (!this.#soon) return Status.refetch;
    if (priv.slow || this.#checksAlignment) return Status.leave;
    // What became possible is done here, unless the next instruction comes first.
    this.#soon = false;
    const event = priv.pendingEvent();
    return event === Status.leave || this.#soon ? Status.leave : Status.refetch;
  }
}

const serializing: readonly boolean[] = SYSTEM_OPS.map((name) => SERIALIZING.has(name));

/** Whether an index among the system instructions is one of {@link SERIALIZING}. */
const isSerializing = (op: number): boolean => serializing[op] === true;
