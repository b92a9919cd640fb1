/**
 * Tier 1 of one processor: finds regions for what tier 0 reports as hot, has them compiled in batches, puts them in the place
 * of their first record, and drops them when their code changes.
 *
 * A region is known by a number, its index in the table of functions. The number belongs to a place (offset in a physical
 * page, mode) from the first time code jumps there: until something is translated, and again after it was dropped, the table
 * holds the region that leaves at once. Numbers are given to other places only when no code that knows them is left.
 */
import type { CodeObserver, CodePages } from '../interp/codepages.ts';
import { REGIONS, UNLINKED } from '../interp/enter.ts';
import type { HandlerTable } from '../interp/generate.ts';
import { COMPUTED, COUNTERS, ENGINE, FIRST_HANDLER, MAX_REGIONS, NO_REGION, PAGE_SIZE, REGION_MODES, REGION_SIZE } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { LENGTH, MMU_MODES, RECORD_SIZE } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmImports, WasmInstance, WasmMemory, WasmModule, WasmTable } from '../wasm/api.ts';
import type { Limits } from '../wasm/module.ts';
import { REFILL } from '../tlb/refill.ts';
import { packRegions } from './batch.ts';
import type { RegionCompiler } from './batch.ts';
import { JumpCaches } from './jumps.ts';
import { discover, hasComputedTargets, linkageOf } from './discover.ts';
import type { Block, Step } from './discover.ts';
import { REGION_IMPORTS, generateRegions } from './module.ts';
import type { NumberedSource } from './module.ts';
import { fieldOf } from './registers.ts';
import { shapesOf } from './shape.ts';
import type { Shape } from './shape.ts';

/** Jumps to a place before it is translated: before V8 optimizes it, translated code is no faster than tier 0. */
const THRESHOLD = 8000;
/** Of so many slices, so many end in a region that is made anew, with what its returns and computed jumps lead to within the page. */
const SAMPLED = 512;
const OFTEN = 128;
/** Regions compiled at a time, bounds what a slice is delayed. */
const BATCH = 12;
/** Slices that a place may wait until a batch is full: fewer where nothing stops for it. */
const PATIENCE = 100;
const PATIENCE_ELSEWHERE = 10;
/** What a module and a byte of its code take in the host's memory, about. */
const MODULE_COST = 20_000;
const BYTE_COST = 12;
/** Invalidations of a page that are forgiven; each one more doubles the slices until it is translated again. */
const FORGIVEN = 4;
const LONGEST_BACKOFF = 20;
/** Slices without another invalidation after which they are forgotten. */
const FORGOTTEN = 4096;
/** Numbers that wait to be given to other places until the jump caches are emptied. */
const RETIRED = 8192;
/** Numbers that one batch may take at most: every instruction of it could lead out of its region. */
const NUMBERS_OF_BATCH = 4096;

export interface TranslatorOptions {
  readonly isa: Isa;
  readonly layout: Layout;
  readonly memory: WasmMemory;
  readonly memoryLimits: Limits;
  /** Translate what is executed for the first time, at once. */
  readonly eager: boolean;
  /** Estimated bytes of translated code that may be kept. */
  readonly cacheBytes: number;
  /** Compiles while tier 0 goes on; not where translation is {@link eager}. */
  readonly compiler?: RegionCompiler;
}

/** What the translator needs of the engine around it. */
export interface TranslatorHost {
  readonly words: Int32Array;
  readonly pages: CodePages;
  readonly handlers: HandlerTable;
  /** Decodes the instruction of an empty record. */
  decode(ip: number): void;
  /** {@link REGION_IMPORTS.engine} `probe`. */
  probe(mode: number): number;
  /** Exports of the interpreter. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Counters since the processor was made. */
export interface TranslatorStats {
  regions: number;
  /** Guest instructions in them. */
  translated: number;
  modules: number;
  /** Bytes of those modules. */
  bytes: number;
  /** Regions dropped because their code was written, or its page taken. */
  invalidated: number;
  /** Times that everything was dropped to stay within bounds. */
  flushes: number;
}

/** A place where a region begins or may begin. */
interface Slot {
  readonly number: number;
  readonly page: number;
  readonly offset: number;
  readonly mode: number;
  /** What is translated there, or being compiled. */
  blocks: readonly Block[] | undefined;
  /** What the region was made of that is in the table until one of {@link blocks} is. */
  replaced: readonly Block[] | undefined;
  /** The table holds its region. */
  installed: boolean;
  /** It is made with what its computed jumps lead to. */
  deep: boolean;
  /** It was looked up when it became hot. */
  computed: boolean;
  queued: boolean;
  /** {@link RegionSource.assumed} when it became hot. */
  assumed: readonly number[];
}

/** What was submitted to be compiled. */
interface Submitted {
  readonly slot: Slot;
  readonly blocks: readonly Block[];
}

interface Page {
  /** By offset * REGION_MODES + mode. */
  readonly slots: Map<number, Slot>;
}

/** How often a page lost regions, and until which slice it is left alone. */
interface Backoff {
  count: number;
  until: number;
  /** Slice of the last loss. */
  last: number;
}

/** Its element segments put the regions into the table. */
const instantiate = (module: WasmModule, imports: WasmImports): WasmInstance => new wasm.Instance(module, imports);

export class Translator implements CodeObserver {
  readonly stats: TranslatorStats = { regions: 0, translated: 0, modules: 0, bytes: 0, invalidated: 0, flushes: 0 };
  readonly #options: TranslatorOptions;
  readonly #jumps: JumpCaches;
  readonly #shapes: (instruction: number) => Shape;
  readonly #compiler: RegionCompiler | undefined;
  readonly #submitted = new Map<number, readonly Submitted[]>();
  #batches = 0;
  readonly #pages = new Map<number, Page>();
  readonly #slots: (Slot | undefined)[] = [];
  readonly #free: number[] = [];
  /** Numbers that are nobody's any more, but may be in the jump caches. */
  readonly #retired: number[] = [];
  /** By region: slices that ended there lately. */
  readonly #samples = new Map<Slot, number>();
  readonly #backoff = new Map<number, Backoff>();
  #host: TranslatorHost | undefined;
  #queue: Slot[] = [];
  #waited = 0;
  /** What waits became hot once more. */
  #urgent = false;
  #slice = 0;
  #cost = 0;

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#jumps = new JumpCaches(options.isa, options.layout);
    this.#shapes = shapesOf(options.isa);
    this.#compiler = options.eager ? undefined : options.compiler;
  }

  /** To be called once, when there is an interpreter. */
  attach(host: TranslatorHost): void {
    this.#host = host;
    host.pages.observer = this;
    this.#resetCounters();
    this.#jumps.erase(this.#words);
    this.remapped();
  }

  get #words(): Int32Array {
    return (this.#host as TranslatorHost).words;
  }

  #resetCounters(): void {
    const first = this.#options.layout.counters >>> 2;
    this.#words.fill(this.#threshold, first, first + COUNTERS);
  }

  get #threshold(): number {
    return this.#options.eager ? 0 : THRESHOLD - 1;
  }

  /** As regions know it. */
  get #mode(): number {
    const { layout, isa } = this.#options;
    const words = this.#words;
    return (words[(layout.state + isa.state.fetchIdx) >>> 2] as number) * MMU_MODES + (words[(layout.state + isa.state.mmuIdx) >>> 2] as number);
  }

  // ── what is hot ──

  /** Tier 0 jumped often to the record at `ip`. */
  hot(counted: number): void {
    const ip = counted & ~COMPUTED;
    const { layout, isa, eager } = this.#options;
    const host = this.#host as TranslatorHost;
    const words = this.#words;
    words[(layout.counters + ((ip >>> 2) & ((COUNTERS - 1) * 4))) >>> 2] = this.#threshold;
    const place = host.pages.pageOf(ip);
    if (place < 0) return;
    const mode = this.#mode;
    if (mode >= REGION_MODES) return;
    const page = place / PAGE_SIZE;
    if ((this.#backoff.get(page)?.until ?? 0) > this.#slice) return;
    const offset = ((ip - host.pages.baseOf(ip)) / RECORD_SIZE) * isa.unit;
    const step = this.#read(page, offset);
    if (step === undefined || step.shape.control === 'stop') return;
    const slot = this.#slotAt(page, offset, mode);
    slot.computed ||= (counted & COMPUTED) !== 0;
    if (slot.queued) {
      this.#urgent = true;
      return;
    }
    if (slot.blocks !== undefined) {
      if (slot.installed) this.#patch(slot);
      return;
    }
    slot.queued = true;
    slot.assumed = (isa.assumptions ?? []).map(({ offset: at, value }) => value ?? (words[(layout.state + at) >>> 2] as number));
    this.#queue.push(slot);
    if (eager) this.#translate();
  }

  /** Between slices: translates what waits. @param whole - the last one took all its steps. */
  work(whole: boolean): void {
    this.#slice++;
    if (whole) this.#sample();
    if (this.#submitted.size > 0) this.#receive();
    if (this.#queue.length === 0) return;
    if (this.#urgent || this.#queue.length >= BATCH || ++this.#waited >= (this.#compiler === undefined ? PATIENCE : PATIENCE_ELSEWHERE)) this.#translate();
  }

  /** Notes where the slice ended. */
  #sample(): void {
    if (this.#slice % SAMPLED === 0) this.#samples.clear();
    const { pages } = this.#host as TranslatorHost;
    const { layout, isa } = this.#options;
    const ip = this.#words[(layout.engine + ENGINE.record) >>> 2] as number;
    const slots = this.#pages.get(pages.pageOf(ip) / PAGE_SIZE)?.slots;
    if (slots === undefined) return;
    const offset = ((ip - pages.baseOf(ip)) / RECORD_SIZE) * isa.unit;
    for (const slot of slots.values()) {
      if (!slot.installed || slot.queued || slot.deep || slot.blocks?.some((block) => block.offset <= offset && offset < block.end) !== true) continue;
      const samples = (this.#samples.get(slot) ?? 0) + 1;
      this.#samples.set(slot, samples);
      if (samples < OFTEN) continue;
      slot.deep = true;
      slot.queued = true;
      this.#queue.push(slot);
    }
  }

  // ── records ──

  /** The instruction at an offset of a page; undefined where only tier 0 can go on. */
  #read(page: number, offset: number): Step | undefined {
    const { isa } = this.#options;
    const host = this.#host as TranslatorHost;
    const base = host.pages.recordsOf(page);
    if (base === 0 || !host.pages.isCurrentMode(page)) return undefined;
    const record = base + (offset / isa.unit) * RECORD_SIZE;
    let handler = this.#handler(record);
    if (handler === 0) {
      host.decode(record);
      handler = this.#handler(record);
    }
    const slot = handler < FIRST_HANDLER ? undefined : host.handlers.slot(handler);
    if (slot === undefined) return undefined;
    const { instruction, variant } = slot;
    const shape = this.#shapes(instruction);
    const direct = isa.instructions[instruction]?.direct === true;
    const distance = direct ? this.#field(record, 'imm') / (variant.near ? RECORD_SIZE / isa.unit : 1) : 0;
    const length = variant.length === 0 ? this.#field(record, LENGTH) : variant.length;
    const linkage = linkageOf(isa.state, shape.linkage, (name) => this.#field(record, name));
    return { offset, record, instruction, length, shape, target: offset + distance, linkage };
  }

  /** The handler of a record, of an entered one the original. */
  #handler(record: number): number {
    const handler = (this.#words[record >>> 2] as number) & 0xffff;
    const region = handler - (this.#host as TranslatorHost).handlers.count;
    return region < 0 ? handler : (this.#words[(this.#options.layout.regions + region * REGION_SIZE) >>> 2] as number) & 0xffff;
  }

  #field = (record: number, name: string): number => fieldOf(this.#options.isa, this.#words, record, name);

  // ── slots ──

  #slotAt(page: number, offset: number, mode: number): Slot {
    let slots = this.#pages.get(page)?.slots;
    if (slots === undefined) this.#pages.set(page, { slots: (slots = new Map()) });
    const key = offset * REGION_MODES + mode;
    let slot = slots.get(key);
    if (slot === undefined) {
      const number = this.#free.pop() ?? Math.max(this.#slots.length, NO_REGION + 1);
      slot = { number, page, offset, mode, blocks: undefined, replaced: undefined, installed: false, deep: this.#options.eager, computed: false, queued: false, assumed: [] };
      this.#slots[number] = slot;
      slots.set(key, slot);
    }
    return slot;
  }

  /** Where a region's computed jumps may lead to in its page; undefined where that does not matter. */
  #entries({ page, mode, deep }: Slot): readonly number[] | undefined {
    const slots = [...(this.#pages.get(page)?.slots.values() ?? [])];
    return deep ? slots.filter((slot) => slot.mode === mode && slot.computed).map(({ offset }) => offset) : undefined;
  }

  /** Number of the first record's word. */
  #firstWord(slot: Slot): number {
    const base = (this.#host as TranslatorHost).pages.recordsOf(slot.page);
    return base === 0 ? -1 : (base + (slot.offset / this.#options.isa.unit) * RECORD_SIZE) >>> 2;
  }

  /** Puts a region in the place of its first record. */
  #patch(slot: Slot): void {
    const word = this.#firstWord(slot);
    const original = this.#handler(word * 4);
    this.#words[(this.#options.layout.regions + slot.number * REGION_SIZE) >>> 2] = original | (slot.mode << 16);
    this.#words[word] = ((this.#words[word] as number) & ~0xffff) | ((this.#host as TranslatorHost).handlers.count + slot.number);
  }

  #unpatch(slot: Slot): void {
    const word = this.#firstWord(slot);
    if (word < 0) return;
    const content = this.#words[word] as number;
    if ((content & 0xffff) !== (this.#host as TranslatorHost).handlers.count + slot.number) return;
    this.#words[word] = (content & ~0xffff) | this.#handler(word * 4);
  }

  // ── translating ──

  #translate(): void {
    const batch = this.#queue.splice(0, BATCH);
    this.#waited = 0;
    this.#urgent = false;
    if (this.#cost > this.#options.cacheBytes || this.#slots.length > MAX_REGIONS - NUMBERS_OF_BATCH) {
      this.flush();
      return;
    }
    const { isa, layout, memoryLimits } = this.#options;
    const sources: NumberedSource[] = [];
    for (const slot of batch) {
      slot.queued = false;
      if (this.#slots[slot.number] !== slot || (slot.blocks !== undefined && !slot.installed)) continue;
      const { page, mode, number, assumed } = slot;
      const blocks = discover(slot.offset, PAGE_SIZE, (offset) => this.#read(page, offset), this.#entries(slot));
      if (blocks.length === 0 || (slot.installed && !hasComputedTargets(blocks))) continue;
      slot.replaced = slot.blocks;
      slot.blocks = blocks;
      sources.push({ number, mode, assumed, blocks, field: this.#field, link: (offset, into) => this.#link(page, offset, into) });
    }
    if (sources.length === 0) return;
    const submitted = sources.map(({ number, blocks }) => ({ slot: this.#slots[number] as Slot, blocks }));
    if (this.#compiler === undefined) {
      const bytes = generateRegions(isa, layout, memoryLimits, sources);
      this.#install(submitted, new wasm.Module(bytes), bytes.length);
      return;
    }
    const id = this.#batches++;
    this.#submitted.set(id, submitted);
    this.#compiler.submit({ id, layout, memoryLimits, words: packRegions(this.#words, sources) });
  }

  /** A module with the region alone in which the code at a place is executed in the current mode; undefined where that is tier 0. */
  moduleAt(place: number): Uint8Array<ArrayBuffer> | undefined {
    const { isa, layout, memoryLimits } = this.#options;
    const slots = this.#pages.get(Math.floor(place / PAGE_SIZE))?.slots;
    const offset = place % PAGE_SIZE;
    const mode = this.#mode;
    const covers = ({ installed, mode: of, blocks }: Slot): boolean => installed && of === mode && blocks?.some((block) => block.offset <= offset && offset < block.end) === true;
    const entered = slots?.get(offset * REGION_MODES + mode);
    const slot = entered !== undefined && covers(entered) ? entered : [...(slots?.values() ?? [])].find(covers);
    if (slot === undefined) return undefined;
    const { number, assumed, blocks = [] } = slot;
    // As it was compiled, except that a number is given to no place now.
    const link = (at: number, into: number): number | undefined => (at < 0 || at >= PAGE_SIZE ? undefined : (slots?.get(at * REGION_MODES + into)?.number ?? -1));
    return generateRegions(isa, layout, memoryLimits, [{ number, mode, assumed, blocks, field: this.#field, link }], true);
  }

  /** Takes what was compiled meanwhile. */
  #receive(): void {
    for (let compiled = this.#compiler?.take(); compiled !== undefined; compiled = this.#compiler?.take()) {
      const submitted = this.#submitted.get(compiled.id) as readonly Submitted[];
      this.#submitted.delete(compiled.id);
      const valid = submitted.filter(({ slot, blocks }) => slot.blocks === blocks);
      if (valid.length === submitted.length) {
        this.#install(submitted, compiled.module, compiled.bytes);
        continue;
      }
      // Its element segments would put what was dropped since into the table, at numbers that may be others' by now.
      for (const { slot } of valid) {
        slot.blocks = slot.replaced;
        slot.replaced = undefined;
        slot.queued = true;
        this.#queue.push(slot);
      }
    }
  }

  #install(regions: readonly Submitted[], module: WasmModule, bytes: number): void {
    const host = this.#host as TranslatorHost;
    instantiate(module, {
      [REGION_IMPORTS.host]: { memory: this.#options.memory },
      [REGION_IMPORTS.engine]: { table: host.exports[REGIONS], probe: (mode: number) => host.probe(mode), [REFILL]: host.exports[REFILL] },
      [REGION_IMPORTS.function]: host.exports,
    });
    for (const { slot, blocks } of regions) {
      slot.installed = true;
      slot.replaced = undefined;
      this.#patch(slot);
      for (const { steps } of blocks) this.stats.translated += steps.length;
    }
    this.stats.regions += regions.length;
    this.stats.modules++;
    this.stats.bytes += bytes;
    this.#cost += MODULE_COST + BYTE_COST * bytes;
  }

  /** As {@link NumberedSource.link}. */
  #link(page: number, offset: number, mode: number): number | undefined {
    if (offset < 0 || offset >= PAGE_SIZE) return undefined;
    const step = this.#read(page, offset);
    return step === undefined || step.shape.control === 'stop' ? -1 : this.#slotAt(page, offset, mode).number;
  }

  // ── forgetting ──

  #drop(slot: Slot): void {
    if (slot.blocks === undefined) return;
    slot.blocks = undefined;
    slot.replaced = undefined;
    if (!slot.installed) return;
    slot.installed = false;
    this.#unpatch(slot);
    const { exports } = this.#host as TranslatorHost;
    (exports[REGIONS] as WasmTable).set(slot.number, exports[UNLINKED]);
    this.stats.invalidated++;
  }

  #backOff(page: number): void {
    let backoff = this.#backoff.get(page);
    if (backoff === undefined) this.#backoff.set(page, (backoff = { count: 0, until: 0, last: 0 }));
    if (this.#slice - Math.max(backoff.last, backoff.until) > FORGOTTEN) backoff.count = 0;
    backoff.last = this.#slice;
    backoff.count++;
    const doublings = backoff.count - FORGIVEN;
    if (doublings > 0) backoff.until = this.#slice + 2 ** Math.min(doublings, LONGEST_BACKOFF);
  }

  written(page: number, from: number, to: number): void {
    const known = this.#pages.get(page);
    if (known === undefined) return;
    let dropped = false;
    for (const slot of known.slots.values()) {
      const overlaps = (block: Block): boolean => block.offset < to && block.end > from;
      if (slot.blocks?.some(overlaps) !== true && slot.replaced?.some(overlaps) !== true) continue;
      this.#drop(slot);
      dropped = true;
    }
    if (dropped) this.#backOff(page);
  }

  uses(page: number): boolean {
    return this.#pages.has(page);
  }

  released(page: number, written: boolean): void {
    const known = this.#pages.get(page);
    if (known === undefined) return;
    for (const slot of known.slots.values()) {
      this.#drop(slot);
      this.#slots[slot.number] = undefined;
      this.#retired.push(slot.number);
    }
    this.#pages.delete(page);
    if (this.#retired.length > RETIRED) this.remapped();
    if (written) this.#backOff(page);
  }

  /** Drops everything. */
  flush(): void {
    for (const page of [...this.#pages.keys()]) this.#forget(page);
    this.#queue = [];
    this.#cost = 0;
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#retired.length = 0;
    this.remapped();
    this.#resetCounters();
    this.stats.flushes++;
  }

  #forget(page: number): void {
    for (const slot of this.#pages.get(page)?.slots.values() ?? []) {
      this.#drop(slot);
      slot.queued = false;
    }
    this.#pages.delete(page);
  }

  remapped(): void {
    for (const number of this.#retired.splice(0)) this.#free.push(number);
    this.#jumps.clear(this.#words);
  }

  remappedPage(vaLo: number, vaHi: number, modes: number): void {
    this.#jumps.clearPage(this.#words, vaLo, vaHi, modes);
  }
}
