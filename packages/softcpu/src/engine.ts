/**
 * One software processor: the generated interpreter and translator, decode cache and TLB, and the slow paths in JavaScript
 * (`slow/`) that the generated code calls. What an address means, how an exception is taken and how an instruction is decoded is
 * the ISA's, behind {@link Machine}.
 */
import { DECODE_BLOCK } from './decode/generate.ts';
import type { DecodeBlock } from './decode/generate.ts';
import { CodePages } from './interp/codepages.ts';
import type { SharedCode } from './interp/copies.ts';
import { IMPORTS } from './interp/generate.ts';
import type { HandlerTable } from './interp/handlers.ts';
import { LaterInstructions } from './interp/outlined.ts';
import { ENGINE, Handler, PAGE_SIZE, Status } from './interp/layout.ts';
import type { Layout } from './interp/layout.ts';
import { interpreter } from './interp/store.ts';
import type { InterpreterStore } from './interp/store.ts';
import type { Isa } from './isa.ts';
import type { Access, Machine } from './machine.ts';
import { DataPath } from './slow/data.ts';
import { FetchPath } from './slow/fetch.ts';
import { emptyTables } from './tlb/empty.ts';
import { Spaces } from './tlb/spaces.ts';
import { Tlb } from './tlb/tlb.ts';
import type { RegionCompiler } from './translate/batch.ts';
import { Translator } from './translate/translator.ts';
import type { TranslatorHost, TranslatorStats } from './translate/translator.ts';
import { wasm } from './wasm/api.ts';
import type { WasmMemory, WasmModule } from './wasm/api.ts';
import type { Limits } from './wasm/module.ts';

/** A helper that `service` calls. */
export type Service = (ip: number) => Status;
/** A JavaScript function that `call` calls. */
export type HostFunction = (...args: number[]) => number;

/**
 * How code is executed: by tier 0 alone, by tier 1 where it is executed often, or by tier 1 from the first time (which is
 * slow, and for tests).
 */
export const Execution = { interpreter: 'interpreter', auto: 'auto', translator: 'translator' } as const;
export type Execution = (typeof Execution)[keyof typeof Execution];

/** Bytes that translated code may take. */
const CACHE_BYTES = 256 << 20;

export interface EngineOptions {
  readonly isa: Isa;
  readonly memory: WasmMemory;
  /** Limits `memory` was created with. */
  readonly memoryLimits: Limits;
  readonly layout: Layout;
  readonly services: Readonly<Record<string, Service>>;
  readonly functions?: Readonly<Record<string, HostFunction>>;
  /** Default: `interpreter`. */
  readonly execution?: Execution;
  /** Bytes that translated code may take, estimated; default 256 MiB. */
  readonly translationBytes?: number;
  /** Compiles what is hot while the guest goes on; default: this thread does, between slices. */
  readonly compiler?: RegionCompiler;
  /** Keeps the generated interpreter for the next start; default: it is generated. */
  readonly interpreters?: InterpreterStore;
  /** Other processors write the same memory. */
  readonly shared?: SharedCode;
}

/** What the slow paths of an engine did, since it was made. */
export class EngineCounters {
  /** Accesses to memory that generated code found no place for, in the TLB or in page tables. */
  tlb_misses = 0;
  /** Entries put into the TLB for them. */
  tlb_refills = 0;
  /** Loads and stores that helpers carried out: to devices, across pages, to pages with decoded code, and those that trapped. */
  slow_loads = 0;
  slow_stores = 0;
  /** Pages entered into the cache of fetch translations. */
  fetch_refills = 0;
  /** Instructions decoded. */
  decoded_instructions = 0;
}

export class Engine {
  readonly counters: EngineCounters = new EngineCounters();
  readonly tlb: Tlb;
  readonly pages: CodePages;
  /** The ISA says here which address space is entered, and which are to be forgotten. Without that, there is one. */
  readonly spaces: Spaces;
  readonly handlers: HandlerTable;
  /** Instructions that are made when they are decoded. */
  readonly later: LaterInstructions | undefined;
  /** Absent: {@link Machine.decode} decodes everything. */
  readonly decodeBlock: DecodeBlock | undefined;
  /** All of linear memory; replaced when it has grown. */
  words: Int32Array;
  bytes: Uint8Array;
  readonly #data: DataPath;
  readonly #fetches: FetchPath;
  readonly #memory: WasmMemory;
  readonly #layout: Layout;
  readonly #run: () => void;
  readonly #translator: Translator | undefined;
  readonly #budget: number;
  /** Instructions retired before the current slice. */
  #retired = 0;
  /** Steps taken before the current slice. */
  #steps = 0;
  #slice = 0;
  /** Steps of the current slice that retired nothing. */
  #trapped = 0;

  constructor(machine: Machine, options: EngineOptions) {
    const { isa, memory, memoryLimits, layout } = options;
    this.#memory = memory;
    this.#layout = layout;
    this.#budget = (layout.state + isa.state.budget) >>> 2;
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    if (layout.end > this.bytes.length) throw new RangeError(`the engine's regions end at ${layout.end}, memory at ${this.bytes.length}`);
    emptyTables(memory, memoryLimits, layout);
    this.tlb = new Tlb(this.words, layout);
    this.spaces = new Spaces(this.words, isa, layout, {
      flushTagged: () => {
        this.tlb.flush();
        this.pages.fetches.flush();
      },
      flushMode: (mode) => this.tlb.flushMode(mode),
      flushLocal: (mode) => this.tlb.flushLocal(mode),
      flushDead: () => {
        this.tlb.flushDead((tag) => this.spaces.isLive(tag));
        this.pages.fetches.flushDead();
      },
    });
    this.pages = new CodePages(this.words, isa, layout, (page) => this.tlb.protect(page), (tag) => this.spaces.isLive(tag), options.shared);
    this.words[(layout.engine + ENGINE.boot) >>> 2] = Handler.start;
    const execution = options.execution ?? Execution.interpreter;
    const eager = execution === Execution.translator;
    const slow = {
      isa, layout, machine,
      trap: (record: number) => {
        this.#trapped++;
        return machine.trap(record);
      },
    };
    this.#data = new DataPath(this, slow);
    this.#fetches = new FetchPath(this, slow);
    this.#translator =
      execution === Execution.interpreter
        ? undefined
        : new Translator({ isa, layout, memory, memoryLimits, eager, cacheBytes: options.translationBytes ?? CACHE_BYTES, ...(options.compiler === undefined ? {} : { compiler: options.compiler }) });
    const { bytes, handlers, instructions } = interpreter({ isa, layout, memoryLimits, translating: this.#translator !== undefined, countStarts: eager }, options.interpreters);
    this.handlers = handlers;
    const module: WasmModule = new wasm.Module(bytes);
    const instance = new wasm.Instance(module, {
      [IMPORTS.host]: { memory },
      [IMPORTS.engine]: {
        decode: (ip: number) => {
          const status = this.#fetches.decode(ip >>> 0);
          // Eagerly translated, it is entered when it is dispatched again.
          if (eager && status === Status.next) this.#translator?.hot(ip >>> 0);
          return status;
        },
        straddle: (ip: number) => {
          this.#data.forgetFault();
          return this.#fetches.straddle(ip >>> 0);
        },
        fetch: () => {
          this.#data.forgetFault();
          return this.#fetches.fetch();
        },
        access: (mode: number) => this.#data.access(mode),
        hot: (ip: number) => this.#translator?.hot(ip),
      },
      [IMPORTS.service]: options.services,
      [IMPORTS.function]: options.functions ?? {},
    });
    this.#run = instance.exports['run'] as () => void;
    this.decodeBlock = instance.exports[DECODE_BLOCK] as DecodeBlock | undefined;
    if (isa.manyOutlined === true) {
      this.later = new LaterInstructions(isa, layout, handlers, { memory, memoryLimits, services: options.services, functions: options.functions ?? {}, exports: instance.exports }, instructions);
    }
    this.#translator?.attach(this.#translatorHost(instance.exports));
  }

  #translatorHost(exports: Readonly<Record<string, unknown>>): TranslatorHost {
    const engine = this;
    return {
      get words() {
        return engine.words;
      },
      get bytes() {
        return engine.bytes;
      },
      pages: this.pages,
      handlers: this.handlers,
      exports,
      decode: (ip) => this.#fetches.decodeBeside(ip),
      decodeAcross: (first, second, offset, record) => this.#fetches.decodeAcross(first, second, offset, record),
      probe: (mode) => this.#data.probe(mode),
    };
  }

  /** What tier 1 has done, undefined without it. */
  get translation(): Readonly<TranslatorStats> | undefined {
    return this.#translator?.stats;
  }

  /** A WebAssembly module with the region in which the code at a place of linear memory is executed now; undefined where it is interpreted. */
  translationAt(place: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#translator?.moduleAt(place);
  }

  /** Takes up a memory that has grown. */
  refresh(): void {
    this.words = new Int32Array(this.#memory.buffer);
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.tlb.words = this.words;
    this.spaces.words = this.words;
    this.pages.words = this.words;
  }

  /** Instructions retired; in a helper, before the current instruction if {@link stepping}. */
  get retired(): number {
    return this.#retired + this.#slice - (this.words[this.#budget] as number) - this.#trapped;
  }

  /** Steps taken: instructions retired, and exceptions. */
  get steps(): number {
    return this.#steps + this.#slice - (this.words[this.#budget] as number);
  }

  /** Takes a step that ends without retiring an instruction out of the count: the current one trapped. */
  notRetired(): void {
    this.#trapped++;
  }

  /**
   * Interprets from the pc in the state block for at most `steps` steps (instructions, and exceptions taken), fewer if a
   * helper answered {@link Status.leave}.
   * @returns the steps taken.
   */
  run(steps: number): number {
    if (steps <= 0) return 0;
    this.words[this.#budget] = steps;
    this.#slice = steps;
    this.#data.forgetFault();
    this.#run();
    const taken = steps - (this.words[this.#budget] as number);
    this.#retired += taken - this.#trapped;
    this.#steps += taken;
    this.#slice = 0;
    this.#trapped = 0;
    this.words[this.#budget] = 0;
    this.#translator?.work(taken === steps);
    return taken;
  }

  /** Gives up writing to memory without asking, if other processors want that: translations are found again when they are needed. */
  closeIfAsked(): void {
    if (!this.pages.isAskedToClose) return;
    this.tlb.close();
    this.pages.closed();
  }

  /** Forgets instructions decoded from a part of linear memory that is written from outside the guest. */
  invalidate(place: number, length: number): void {
    for (let at = place; at < place + length; ) {
      const next = Math.min(place + length, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE);
      this.pages.written(at, next - at);
      at = next;
    }
  }

  /** Accesses that missed the delta TLB and hit the second level, modulo 2^32. */
  get secondLevelHits(): number {
    return (this.words[(this.#layout.engine + ENGINE.refills) >>> 2] as number) >>> 0;
  }

  /** Enters the page of an address that was just accessed without the TLB into it, if that may be. */
  cache(lo: number, hi: number, access: Access): void {
    this.#data.place(lo, hi, 1, access, true);
  }
}
