/**
 * One software processor: the generated interpreter, its decode cache and TLB, and the slow paths in JavaScript that the
 * generated code calls. What an address means, how an exception is taken and how an instruction is decoded is the ISA's,
 * behind {@link Machine}.
 */
import { CodePages } from './interp/codepages.ts';
import type { SharedCode } from './interp/codepages.ts';
import { UNLINKED } from './interp/enter.ts';
import { IMPORTS, generateInterpreter } from './interp/generate.ts';
import type { HandlerTable } from './interp/generate.ts';
import { ACCESS_EXACT, ACCESS_SIZE, ACCESS_STORE, ACCESS_UPDATE, ENGINE, Handler, PAGE_SIZE, Status } from './interp/layout.ts';
import type { Layout } from './interp/layout.ts';
import { RECORD_SIZE } from './isa.ts';
import type { Isa } from './isa.ts';
import { Spaces } from './tlb/spaces.ts';
import { Tlb } from './tlb/tlb.ts';
import { Translator } from './translate/translator.ts';
import type { TranslatorHost, TranslatorStats } from './translate/translator.ts';
import { wasm } from './wasm/api.ts';
import type { WasmMemory, WasmModule } from './wasm/api.ts';
import type { Limits } from './wasm/module.ts';

/** Kinds of memory access. */
export const Access = { load: 0, store: 1, fetch: 2 } as const;
export type Access = (typeof Access)[keyof typeof Access];

/** Bits of {@link Machine.permissions}. `global`: the translation is that of all address spaces of the regime. */
export const Permission = { read: 1, write: 2, execute: 4, global: 8 } as const;

/**
 * The ISA's side of the engine. Guest addresses are pairs of int32 words; exceptions are recorded first and taken by
 * {@link Machine.trap} with the pc in the state block on the instruction.
 */
export interface Machine {
  /** After a successful translation: accesses of the current mode to the whole page that need not ask again. */
  permissions(): number;
  /**
   * Translates an access that lies within a page; `offset` is how far into the instruction's access it begins.
   * @returns the physical address, or -1 with an exception recorded.
   */
  translate(lo: number, hi: number, access: Access, size: number, offset: number): number;
  /** Place in linear memory of a physical address, or -1 if no memory is there. Pages stay together. */
  place(physical: number): number;
  /** Records that nothing answers at an address. */
  accessFault(lo: number, hi: number, access: Access, offset: number): void;
  /** Records that an address is not aligned as the access demands. */
  misaligned(lo: number, hi: number, access: Access): void;
  /**
   * Takes the recorded exception of the instruction whose record is given, 0 if it could not be fetched.
   * @returns {@link Status.refetch} or {@link Status.leave}.
   */
  trap(record: number): Status;
  /** Reads a device: puts `size` bytes at `place`. False if nothing answers. */
  deviceRead(physical: number, size: number, place: number): boolean;
  /** Writes `size` bytes at `place` to a device. False if nothing answers. */
  deviceWrite(physical: number, size: number, place: number): boolean;
  /**
   * Decodes the instruction at `place`, of which `available` bytes are there, into the record at `record`; its address
   * ends in `offset` (within the page).
   * @returns its length in bytes, negative if execution does not go on behind it, 0 if it is longer than `available`.
   */
  decode(place: number, available: number, record: number, offset: number): number;
}

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
  /** Other processors write the same memory. */
  readonly shared?: SharedCode;
  /** What becomes of loads and stores at addresses that are no multiple of their size: carried out (default), or an exception. */
  readonly misaligned?: 'handled' | 'trap';
}

/** What the slow paths of an engine did, since it was made. */
export class EngineCounters {
  /** Accesses to memory that the TLB did not let through. */
  tlb_misses = 0;
  /** Entries put into the TLB. */
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
  /** All of linear memory; replaced when it has grown. */
  words: Int32Array;
  bytes: Uint8Array;
  readonly #machine: Machine;
  readonly #memory: WasmMemory;
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #run: () => void;
  readonly #translator: Translator | undefined;
  readonly #eager: boolean;
  readonly #strict: boolean;
  readonly #pc: number;
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
    this.#machine = machine;
    this.#memory = memory;
    this.#isa = isa;
    this.#layout = layout;
    this.#pc = (layout.state + isa.state.pc) >>> 2;
    this.#budget = (layout.state + isa.state.budget) >>> 2;
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    if (layout.end > this.bytes.length) throw new RangeError(`the engine's regions end at ${layout.end}, memory at ${this.bytes.length}`);
    this.tlb = new Tlb(this.words, layout);
    this.spaces = new Spaces(this.words, isa, layout, {
      flushTagged: () => {
        this.tlb.flush();
        this.pages.flushFetch();
      },
      flushMode: (mode) => this.tlb.flushMode(mode),
    });
    const memoryBytes = (memoryLimits.max ?? memoryLimits.min) * 0x1_0000;
    this.pages = new CodePages(this.words, isa, layout, memoryBytes, (page) => this.tlb.protect(page), (tag) => this.spaces.isLive(tag), options.shared);
    this.words[(layout.engine + ENGINE.boot) >>> 2] = Handler.start;
    const execution = options.execution ?? Execution.interpreter;
    this.#eager = execution === Execution.translator;
    this.#strict = options.misaligned === 'trap';
    this.#translator =
      execution === Execution.interpreter
        ? undefined
        : new Translator({ isa, layout, memory, memoryLimits, eager: this.#eager, cacheBytes: options.translationBytes ?? CACHE_BYTES });
    const { bytes, handlers } = generateInterpreter(isa, layout, memoryLimits, this.#translator !== undefined, this.#eager, this.#strict);
    this.handlers = handlers;
    const module: WasmModule = new wasm.Module(bytes);
    const instance = new wasm.Instance(module, {
      [IMPORTS.host]: { memory },
      [IMPORTS.engine]: {
        decode: (ip: number) => this.#decode(ip >>> 0),
        straddle: (ip: number) => this.#straddle(ip >>> 0),
        fetch: () => this.#fetch(),
        access: (mode: number) => this.#access(mode),
        hot: (ip: number) => this.#translator?.hot(ip),
        ...(this.#translator === undefined ? {} : { table: this.#translator.table }),
      },
      [IMPORTS.service]: options.services,
      [IMPORTS.function]: options.functions ?? {},
    });
    this.#run = instance.exports['run'] as () => void;
    this.#translator?.attach(this.#translatorHost(instance.exports), instance.exports[UNLINKED]);
  }

  #translatorHost(exports: Readonly<Record<string, unknown>>): TranslatorHost {
    const engine = this;
    return {
      get words() {
        return engine.words;
      },
      pages: this.pages,
      handlers: this.handlers,
      exports,
      decode: (ip) => this.#decodeBlock(ip),
      probe: (mode) => this.#probe(mode),
    };
  }

  /** What tier 1 has done, undefined without it. */
  get translation(): Readonly<TranslatorStats> | undefined {
    return this.#translator?.stats;
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
    this.#run();
    const taken = steps - (this.words[this.#budget] as number);
    this.#retired += taken - this.#trapped;
    this.#steps += taken;
    this.#slice = 0;
    this.#trapped = 0;
    this.words[this.#budget] = 0;
    this.#translator?.work();
    return taken;
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
    this.#accessPlace(lo, hi, 1, access, true);
  }

  // ── slow paths ──

  /** The helper is not the instruction's: its step is given back. */
  #giveStepBack(): void {
    this.words[this.#budget] = (this.words[this.#budget] as number) + 1;
  }

  #trap(record: number): Status {
    this.#trapped++;
    return this.#machine.trap(record);
  }

  /** Decodes from the record at `ip` to the end of the basic block. */
  #decode(ip: number): Status {
    const { pages } = this;
    const page = pages.pageOf(ip);
    if (page < 0) {
      // The records were given up while they were being executed, or are for one instruction only.
      pages.flushFetch();
      this.#giveStepBack();
      return Status.refetch;
    }
    this.#decodeBlock(ip);
    // Eagerly translated, it is entered when it is dispatched again.
    if (this.#eager) this.#translator?.hot(ip);
    return Status.next;
  }

  #decodeBlock(ip: number): void {
    const { pages, words } = this;
    const base = pages.baseOf(ip);
    const text = pages.textOf(ip);
    const { unit } = this.#isa;
    let offset = ((ip - base) / RECORD_SIZE) * unit;
    do {
      const record = base + (offset / unit) * RECORD_SIZE;
      const length = this.#machine.decode(text + offset, PAGE_SIZE - offset, record, offset);
      this.counters.decoded_instructions++;
      if (length === 0) words[record >>> 2] = Handler.straddle;
      if (length <= 0) break;
      offset += length;
    } while (offset < PAGE_SIZE && ((words[(base + (offset / unit) * RECORD_SIZE) >>> 2] as number) & 0xffff) === Handler.undecoded);
  }

  /** Translates a fetch; -1 after recording an exception. */
  #fetchPlace(lo: number, hi: number, offset: number): number {
    const physical = this.#machine.translate(lo, hi, Access.fetch, this.#isa.unit, offset);
    if (physical < 0) return -1;
    const place = this.#machine.place(physical);
    if (place < 0) this.#machine.accessFault(lo, hi, Access.fetch, offset);
    return place;
  }

  /** Fills the fetch cache for the pc in the state block. */
  #fetch(): Status {
    this.counters.fetch_refills++;
    const { words, pages } = this;
    const lo = words[this.#pc] as number;
    const hi = words[this.#pc + 1] as number;
    const place = this.#fetchPlace(lo, hi, 0);
    if (place < 0) return this.#fetchTrap();
    const offset = lo & (PAGE_SIZE - 1);
    const permissions = this.#machine.permissions();
    if ((permissions & Permission.global) === 0) this.spaces.ownFetch();
    if ((permissions & Permission.execute) !== 0) {
      // First of all, since it may empty the cache.
      const records = pages.acquire(place - offset);
      pages.fillFetch(lo, hi, this.spaces.fetchTag, records);
      return Status.next;
    }
    // Protection divides the page: this instruction only, and its parts one by one.
    const { maxLength, unit } = this.#isa;
    const scratch = this.#layout.engine + ENGINE.scratch;
    const parts: number[] = [place];
    const record = pages.fillUncached(lo, hi, this.spaces.fetchTag);
    for (let available: number = unit; ; available += unit) {
      for (let i = 0; i < unit; i++) this.bytes[scratch + available - unit + i] = this.bytes[(parts.at(-1) as number) + i] as number;
      if (this.#machine.decode(scratch, available, record, offset) !== 0 || available >= maxLength) return Status.next;
      const [nextLo, nextHi] = advance(lo, hi, available);
      const next = this.#fetchPlace(nextLo, nextHi, available);
      if (next < 0) return this.#fetchTrap();
      parts.push(next);
    }
  }

  /** A failed fetch takes a step of its own: no instruction was dispatched. */
  #fetchTrap(): Status {
    this.words[this.#budget] = (this.words[this.#budget] as number) - 1;
    return this.#trap(0);
  }

  /** Decodes the instruction at `ip` that ends in the next page. */
  #straddle(ip: number): Status {
    const { words, bytes, pages } = this;
    const lo = words[this.#pc] as number;
    const hi = words[this.#pc + 1] as number;
    const offset = lo & (PAGE_SIZE - 1);
    const available = PAGE_SIZE - offset;
    const [nextLo, nextHi] = advance(lo, hi, available);
    const second = this.#fetchPlace(nextLo, nextHi, available);
    if (second < 0) return this.#trap(0);
    const page = pages.pageOf(ip);
    const within = second & (PAGE_SIZE - 1);
    const next = pages.textOf(pages.acquire(second - within)) + within; // acquired, so that writes to it are noticed
    // That may have taken the records at `ip` back, and given them to `second`.
    if (page < 0 || pages.pageOf(ip) !== page) {
      this.#giveStepBack();
      return Status.refetch;
    }
    const text = pages.textOf(ip);
    const scratch = this.#layout.engine + ENGINE.scratch;
    for (let i = 0; i < this.#isa.maxLength; i++) bytes[scratch + i] = bytes[i < available ? text + offset + i : next + i - available] as number;
    this.#machine.decode(scratch, this.#isa.maxLength, pages.fillStraddle(lo, hi, this.spaces.fetchTag), offset);
    return Status.next;
  }

  /** Carries a data access out that the TLB did not let through; the place of its data, or 0 with the status set. */
  #access(mode: number): number {
    const address = (this.#layout.engine + ENGINE.address) >>> 2;
    const lo = this.words[address] as number;
    const hi = this.words[address + 1] as number;
    const size = mode & ACCESS_SIZE;
    const access = (mode & ACCESS_STORE) !== 0 ? Access.store : Access.load;
    const exact = (mode & ACCESS_EXACT) !== 0;
    const { counters } = this;
    const refills = counters.tlb_refills;
    const denied = (mode & ACCESS_UPDATE) !== 0 && !this.#mayStore(lo, hi, size);
    const place = denied ? 0 : this.#accessPlace(lo, hi, size, access, exact);
    counters.tlb_misses++;
    if (counters.tlb_refills === refills) counters[access === Access.store ? 'slow_stores' : 'slow_loads']++;
    if (place === 0) {
      const engine = this.#layout.engine >>> 2;
      this.words[engine + (ENGINE.status >>> 2)] = this.#trap((this.words[engine + (ENGINE.record >>> 2)] as number) >>> 0);
    }
    return place;
  }

  /** Whether a store is translated, to both pages that it may touch; else its exception is recorded. */
  #mayStore(lo: number, hi: number, size: number): boolean {
    const first = Math.min(size, PAGE_SIZE - (lo & (PAGE_SIZE - 1)));
    if (this.#machine.translate(lo, hi, Access.store, first, 0) < 0) return false;
    if (first === size) return true;
    const [nextLo, nextHi] = advance(lo, hi, first);
    return this.#machine.translate(nextLo, nextHi, Access.store, size - first, first) >= 0;
  }

  /**
   * The same for translated code: nothing is done that tier 0 would do again, and 0 leaves everything to it.
   * Stores to pages with records are tier 0's, since the region itself may be on them.
   */
  #probe(mode: number): number {
    const address = (this.#layout.engine + ENGINE.address) >>> 2;
    const lo = this.words[address] as number;
    const hi = this.words[address + 1] as number;
    const size = mode & ACCESS_SIZE;
    const access = (mode & ACCESS_STORE) !== 0 ? Access.store : Access.load;
    const offset = lo & (PAGE_SIZE - 1);
    const exact = (mode & ACCESS_EXACT) !== 0 || this.#strict;
    const misaligned = (offset & (size - 1)) !== 0;
    if (offset + size > PAGE_SIZE || (exact && misaligned)) return 0;
    // The TLB lets aligned accesses through alone: its page may be there.
    if (misaligned && !this.#asksWhenUnaligned) {
      const page = this.tlb.find(access === Access.store || (mode & ACCESS_UPDATE) !== 0, this.#mmuMode, lo, hi);
      if (page > 0) return page + offset;
    }
    const machine = this.#machine;
    if ((mode & ACCESS_UPDATE) !== 0 && !this.#mayStore(lo, hi, size)) return 0;
    const physical = machine.translate(lo, hi, access, size, 0);
    if (physical < 0) return 0;
    const place = machine.place(physical);
    if (place <= 0 || (access === Access.store && this.pages.has(place))) return 0;
    if (access === Access.store) this.pages.opened(place);
    this.#fill(access, lo, hi, place - offset);
    return place;
  }

  /** Addresses that are not aligned must be asked about, whatever the TLB knows. */
  get #asksWhenUnaligned(): boolean {
    const { aligned } = this.#isa.state;
    return aligned !== undefined && this.words[(this.#layout.state + aligned) >>> 2] !== 0;
  }

  get #mmuMode(): number {
    return this.words[(this.#layout.state + this.#isa.state.mmuIdx) >>> 2] as number;
  }

  /** Enters the page of a successful translation into the TLB, if it may be. */
  #fill(access: Access, lo: number, hi: number, page: number): void {
    const store = access === Access.store;
    const permissions = this.#machine.permissions() & ~Permission.execute;
    if ((permissions & (store ? Permission.write : Permission.read)) === 0) return;
    const global = (permissions & Permission.global) !== 0;
    if (!this.spaces.mayFill(global)) return;
    this.counters.tlb_refills++;
    this.tlb.fill(store, this.#mmuMode, lo, hi, page, global);
    // Who shares memory says before that it is able to write, see `opened`.
    const opened = store || !this.pages.shared ? permissions : permissions & ~Permission.write;
    this.tlb.fillSecond(lo, hi, this.spaces.dataTag, page, opened);
  }

  /** Place of the data, in the scratch words where memory itself will not do; 0 with an exception recorded. */
  #accessPlace(lo: number, hi: number, size: number, access: Access, exact: boolean): number {
    const machine = this.#machine;
    const offset = lo & (PAGE_SIZE - 1);
    if ((exact || this.#strict) && (offset & (size - 1)) !== 0) {
      machine.misaligned(lo, hi, access);
      return 0;
    }
    if (offset + size > PAGE_SIZE) return this.#crossing(lo, hi, size, access);
    const physical = machine.translate(lo, hi, access, size, 0);
    if (physical < 0) return 0;
    const place = machine.place(physical);
    if (place < 0) return this.#device(physical, lo, hi, size, access, exact);
    if (access === Access.store) this.pages.opened(place);
    if (access === Access.store && this.pages.has(place)) this.pages.written(place, size);
    else this.#fill(access, lo, hi, place - offset);
    // Place 0 means failure.
    return place !== 0 ? place : this.#bytewise(Uint32Array.of(0), size, size, access);
  }

  #device(physical: number, lo: number, hi: number, size: number, access: Access, exact: boolean): number {
    const machine = this.#machine;
    const scratch = this.#layout.engine + ENGINE.scratch;
    const done =
      !exact &&
      physical % size === 0 &&
      (access === Access.store ? machine.deviceWrite(physical, size, this.#layout.engine + ENGINE.value) : machine.deviceRead(physical, size, scratch));
    if (done) return scratch;
    machine.accessFault(lo, hi, access, 0);
    return 0;
  }

  /** An access to two pages: both are translated before anything is written. */
  #crossing(lo: number, hi: number, size: number, access: Access): number {
    const machine = this.#machine;
    const first = PAGE_SIZE - (lo & (PAGE_SIZE - 1));
    const places = new Uint32Array(2);
    for (const part of [0, 1]) {
      const distance = part * first;
      const [partLo, partHi] = advance(lo, hi, distance);
      const physical = machine.translate(partLo, partHi, access, part === 0 ? first : size - first, distance);
      if (physical < 0) return 0;
      const place = machine.place(physical);
      if (place < 0) {
        machine.accessFault(partLo, partHi, access, distance);
        return 0;
      }
      places[part] = place;
    }
    return this.#bytewise(places, first, size, access);
  }

  /** Moves `size` bytes between the scratch or value words and memory, the first `split` at one place, the rest at another. */
  #bytewise(places: Uint32Array, split: number, size: number, access: Access): number {
    const { bytes } = this;
    const { engine } = this.#layout;
    for (let i = 0; i < size; i++) {
      const place = i < split ? (places[0] as number) + i : (places[1] as number) + i - split;
      if (access === Access.store) {
        this.pages.opened(place);
        this.pages.written(place, 1);
        bytes[place] = bytes[engine + ENGINE.value + i] as number;
      } else {
        bytes[engine + ENGINE.scratch + i] = bytes[place] as number;
      }
    }
    return engine + ENGINE.scratch;
  }
}

/** Address `lo`, `hi` plus a small distance. */
function advance(lo: number, hi: number, distance: number): readonly [number, number] {
  const sum = (lo >>> 0) + distance;
  return [sum | 0, (hi + (sum > 0xffff_ffff ? 1 : 0)) | 0];
}
