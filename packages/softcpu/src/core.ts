/**
 * A processor of any architecture around an engine: where it lies in linear memory, and the loop in which it executes, looks at
 * interrupts and comes back.
 */
import type { CorePlan } from './core_plan.ts';
import type { Engine, EngineOptions, Execution } from './engine.ts';
import type { BusLock } from './interp/bus_lock.ts';
import { PAGE_SIZE } from './interp/layout.ts';
import type { PageWrites } from './interp/page_writes.ts';
import type { InterpreterStore } from './interp/store.ts';
import type { Isa } from './isa.ts';
import type { Space } from './tlb/spaces.ts';
import type { RegionCompiler } from './translate/batch.ts';
import type { WasmMemory } from './wasm/api.ts';
import type { Limits } from './wasm/module.ts';

/** Steps between two looks at timers and interrupt lines. Also lets V8 replace the interpreter by its optimized code. */
const SLICE = 131_072;
/** The same, and for how many looks, once another thread has wanted something: who asks waits for the next look, and seldom asks once. */
const SHORT_SLICE = 16_384;
const SHORT_SLICES = 16;

/** Why {@link Core.run} came back. */
export const CoreExit = {
  /** The steps asked for were taken. */
  budget: 'budget',
  /** The guest waits (WFI, HLT) with nothing pending: run again when there is. */
  waiting: 'waiting',
  /** Hosted: the guest was left for its hypervisor; the architecture's registers say why. */
  exited: 'exited',
  /** {@link Core.stop} was called. */
  stopped: 'stopped',
} as const;
export type CoreExit = (typeof CoreExit)[keyof typeof CoreExit];

/** What processors of all architectures are made with. */
export interface CoreOptions {
  readonly memory: WasmMemory;
  /** The limits `memory` was created with. */
  readonly memoryLimits: Limits;
  /** Region of the processor, planned for its architecture; zeroed before, or fresh. */
  readonly plan: CorePlan;
  /**
   * On a clock that counts {@link Core.elapsed}: how many until it shows `deadline`. Timer interrupts are then taken at exactly that
   * instruction, on every tier; else within a slice of 131072 steps.
   */
  readonly instructionsUntil?: (deadline: bigint) => number;
  /** There is no hypervisor in guest code: it is native. Default: false. */
  readonly hosted?: boolean;
  /** Called once a slice, before interrupts are looked at: takes what other threads want. */
  readonly poll?: () => void;
  /** Default: `interpreter`. */
  readonly engine?: Execution;
  /** Bytes that translated code may take, estimated; default 256 MiB. */
  readonly translationBytes?: number;
  /** Compiles what is hot while the guest goes on; default: this thread does, between slices. */
  readonly compiler?: RegionCompiler;
  /** Keeps the generated interpreter for the next start; default: it is generated. */
  readonly interpreters?: InterpreterStore;
}

/** What the privileged architecture needs from the engine around it, whatever the architecture. */
export interface CoreHost {
  /** Instructions retired so far, not counting the one being executed. */
  retired(): number;
  /** The address space of a key; `regime`, the key of the one whose pages it shares where they are global. */
  space(key: string, regime?: string): Space;
  /**
   * Data accesses and fetches, with the mode indices as they are, are in these address spaces from now on.
   *
   * @param alike - further MMU modes for data, which are used without being entered.
   * @param fetchAlike - further fetch modes, the same.
   */
  enterSpaces(data: Space, fetch: Space, alike?: readonly number[], fetchAlike?: readonly number[]): void;
  /** Forgets every translation of the address spaces whose keys a condition holds for. */
  forgetSpaces(condition: (key: string) => boolean): void;
  /** The same of the address spaces of these keys, which are no regimes. */
  dropSpaces(keys: Iterable<string>): void;
  /** Forgets the data and fetch translations of one 4 KiB virtual page, in all address spaces. */
  flushPage(vaLo: number, vaHi: number): void;
  /** The privileged architecture itself wrote RAM at `pa` (a table entry, a block): code translated from there is stale. */
  stored(pa: number, size: number): void;
}

/** Who else writes the memory of a processor. */
export interface Sharing {
  /** Who writes where, kept by all. */
  readonly writes: PageWrites;
  /** For accesses that WebAssembly cannot make in one step, of architectures that have such. */
  readonly lock?: BusLock;
  /** The number of this processor among them. */
  readonly self: number;
}

/** The part of an engine's options that is the same for all architectures. */
export function engineOptions(options: CoreOptions, sharing: Sharing | undefined): Omit<EngineOptions, 'isa' | 'services' | 'functions'> {
  const { memory, memoryLimits, plan, engine, translationBytes, compiler, interpreters } = options;
  return {
    memory,
    memoryLimits,
    layout: { ...plan.layout, alone: sharing === undefined },
    ...(sharing === undefined ? {} : { shared: { copies: plan.copies, ...sharing } }),
    ...(engine === undefined ? {} : { execution: engine }),
    ...(translationBytes === undefined ? {} : { translationBytes }),
    ...(compiler === undefined ? {} : { compiler }),
    ...(interpreters === undefined ? {} : { interpreters }),
  };
}

export abstract class Core {
  abstract readonly engine: Engine;
  /** Place of the state block. */
  readonly state: number;
  /** Steps taken by the last {@link run}. */
  steps = 0;
  protected readonly hosted: boolean;
  protected readonly instructionsUntil: ((deadline: bigint) => number) | undefined;
  protected view: DataView;
  /** A fetch translation changed: the next instruction must be looked up again. */
  protected refetch = false;
  /** An instruction is being executed by a helper. */
  protected executing = false;
  readonly #memory: WasmMemory;
  readonly #stateSize: number;
  /** Offset of the pc in the state block. */
  readonly #pc: number;
  readonly #poll: (() => void) | undefined;
  #stop = false;
  /** Short slices to come. */
  #shortSlices = 0;
  #probeAt = Infinity;
  #probe: (() => number) | undefined;

  /** @param stateSize - as the region was planned with, for this instruction set. */
  protected constructor(options: CoreOptions, isa: Isa, stateSize: number) {
    this.#memory = options.memory;
    this.#stateSize = stateSize;
    this.#pc = isa.state.pc;
    this.#poll = options.poll;
    this.state = options.plan.layout.state;
    this.hosted = options.hosted ?? false;
    this.instructionsUntil = options.instructionsUntil;
    this.view = new DataView(options.memory.buffer);
  }

  // ── what an architecture adds ──

  /**
   * Why nothing can be executed at all, if so.
   *
   * @throws {Error} hosted, and no guest was ever entered.
   */
  protected abstract refusal(): CoreExit | undefined;
  /** Takes interrupts; says why the run ends, if so. */
  protected abstract attend(isFirst: boolean): CoreExit | undefined;
  /** Why the run ends behind what was executed, if so. */
  protected abstract ended(): CoreExit | undefined;
  /** When the next timer wants to be looked at, of those that the architecture has. */
  protected abstract nextTimer(): bigint | undefined;
  /** Physical address of a linear or virtual one as a fetch would have it; negative where it would fault. */
  protected abstract fetchAddress(lo: number, hi: number): number;
  /** Place of a physical address in linear memory; negative where there is none. */
  protected abstract place(pa: number): number;
  /** Puts the privileged state at reset. */
  protected abstract resetState(): void;
  /** The linear memory has grown. */
  protected abstract refreshState(): void;

  /** Whether something must be looked at behind the very next instruction. */
  protected get isStepwise(): boolean {
    return false;
  }

  /** One instruction, where {@link isStepwise}. @returns the steps it took. */
  protected single(): number {
    return this.engine.run(1);
  }

  // ── running ──

  /**
   * Executes at most `steps` instructions (an exception taken counts as one), looking at interrupts every 131072 of them, or sooner.
   *
   * @returns why it came back; {@link steps} tells how many were taken.
   * @throws {Error} hosted, and no guest was ever entered: hypervisor software is not to be executed here.
   */
  run(steps: number): CoreExit {
    this.steps = 0;
    const refusal = this.refusal();
    if (refusal !== undefined) return refusal;
    let isFirst = true;
    while (!this.#stop) {
      this.#poll?.();
      const left = this.attend(isFirst);
      if (left !== undefined) return left;
      isFirst = false;
      if (this.steps >= steps) return CoreExit.budget;
      const budget = Math.min(this.#slice(), steps - this.steps, this.#stepsUntilDue());
      this.steps += this.isStepwise ? this.single() : this.engine.run(budget);
      const end = this.ended();
      if (end !== undefined) return end;
    }
    this.#stop = false;
    return CoreExit.stopped;
  }

  #slice(): number {
    if (this.#shortSlices === 0) return SLICE;
    this.#shortSlices--;
    return SHORT_SLICE;
  }

  /** Another thread wanted something: looks at what others want come sooner for a while. */
  expectMore(): void {
    this.#shortSlices = SHORT_SLICES;
  }

  /** How many steps may be taken before a timer or the probe is due. */
  #stepsUntilDue(): number {
    while (this.retired >= this.#probeAt) this.#probeAt = this.#probe?.() ?? Infinity;
    const probe = this.#probeAt - this.retired;
    const timer = this.instructionsUntil === undefined ? undefined : this.nextTimer();
    return timer === undefined ? probe : Math.min(probe, Math.max(1, this.instructionsUntil?.(timer) ?? Infinity));
  }

  /**
   * Calls `probe` between two instructions when exactly `at` have been retired; it returns when it wants to be called next, a
   * later count or `Infinity`.
   */
  setProbe(at: number, probe: () => number): void {
    this.#probeAt = at;
    this.#probe = probe;
  }

  /** Makes {@link run} come back at the end of its slice. For devices on the bus. */
  stop(): void {
    this.#stop = true;
  }

  /** Instructions retired so far: those that took an exception are not. */
  get retired(): number {
    return this.engine.retired - (this.executing ? 1 : 0);
  }

  /** Instructions retired and exceptions taken: a clock that counts only the former stands still while a guest traps without end. */
  get elapsed(): number {
    return this.engine.steps - (this.executing ? 1 : 0);
  }

  // ── from outside ──

  /** As after power-on: registers zero, nothing decoded or cached. */
  clear(): void {
    this.engine.bytes.fill(0, this.state, this.state + this.#stateSize);
    this.engine.tlb.flush();
    this.engine.pages.clear();
    this.resetState();
  }

  /** To be called when the linear memory has grown. */
  refresh(): void {
    this.view = new DataView(this.#memory.buffer);
    this.engine.refresh();
    this.refreshState();
  }

  /** Physical memory was written from outside (a device, the hypervisor): forgets instructions decoded from there. */
  invalidatePhys(pa: number, length: number): void {
    const place = this.place(pa);
    if (place >= 0) this.engine.invalidate(place, length);
  }

  /** Up to `length` bytes from `at`, as a fetch would see them; fewer where the page ends, none where it would fault. */
  code(length: number, at: bigint): Uint8Array {
    const place = this.#placeOfCode(at);
    return place < 0 ? new Uint8Array(0) : this.engine.bytes.slice(place, place + Math.min(length, PAGE_SIZE - (place & (PAGE_SIZE - 1))));
  }

  /** The module of WebAssembly that the code at an address is executed as, for the mode the processor is in; undefined where it is interpreted. */
  translation(at: bigint): Uint8Array | undefined {
    const place = this.#placeOfCode(at);
    return place < 0 ? undefined : this.engine.translationAt(place);
  }

  #placeOfCode(at: bigint): number {
    const physical = this.fetchAddress(Number(BigInt.asIntN(32, at)), Number(BigInt.asIntN(32, at >> 32n)));
    return physical < 0 ? -1 : this.place(physical);
  }

  /** The engine, as the privileged architecture uses it. */
  protected coreHost(): CoreHost {
    return {
      retired: () => this.retired,
      space: (key, regime) => this.engine.spaces.space(key, regime),
      enterSpaces: (data, fetch, alike, fetchAlike) => {
        const { spaces } = this.engine;
        const tag = spaces.fetchTag;
        spaces.enter(data, fetch, alike, fetchAlike);
        if (spaces.fetchTag !== tag) this.refetch = true;
      },
      forgetSpaces: (condition) => {
        this.engine.spaces.forget(condition);
        this.refetch = true;
      },
      dropSpaces: (keys) => {
        this.engine.spaces.drop(keys);
        this.refetch = true;
      },
      flushPage: (lo, hi) => {
        this.engine.tlb.flushPage(lo, hi);
        this.engine.pages.fetches.flushPage(lo, hi);
        // What is being executed was looked up already.
        if (((this.word32(this.#pc) ^ lo) & -PAGE_SIZE) === 0 && this.word32(this.#pc + 4) === hi) this.refetch = true;
      },
      stored: (pa, size) => {
        const place = this.place(pa);
        if (place < 0) return;
        this.engine.pages.opened(place);
        this.engine.invalidate(place, size);
      },
    };
  }

  // ── the state block ──

  /** Address of the next instruction. */
  get pc(): bigint {
    return this.word64(this.#pc);
  }

  set pc(value: bigint) {
    this.setWord64(this.#pc, value);
  }

  /** A 64-bit word of the state block, unsigned. */
  protected word64(offset: number): bigint {
    return this.view.getBigUint64(this.state + offset, true);
  }

  protected setWord64(offset: number, value: bigint): void {
    this.view.setBigUint64(this.state + offset, BigInt.asUintN(64, value), true);
  }

  protected word32(offset: number): number {
    return this.engine.words[(this.state + offset) >>> 2] as number;
  }

  protected setWord32(offset: number, value: number): void {
    this.engine.words[(this.state + offset) >>> 2] = value;
  }
}
