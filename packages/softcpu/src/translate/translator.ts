/**
 * Tier 1 of one processor: finds regions for what tier 0 reports as hot, has them compiled in batches, puts them in the place
 * of their first record, and drops them when their code changes.
 *
 * A region is known by a number, its index in the table of functions. The number belongs to a place (offset in a physical
 * page, mode) from the first time code jumps there: until something is translated, and again after it was dropped, the table
 * holds the region that leaves at once. Numbers are given to other places only when no code that knows them is left.
 */
import type { CodeObserver } from '../interp/codepages.ts';
import { REGIONS, UNLINKED } from '../interp/enter.ts';
import { COMPUTED, MAX_REGIONS, PAGE_SIZE, REGION_MODES, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmImports, WasmInstance, WasmMemory, WasmModule, WasmTable } from '../wasm/api.ts';
import type { Limits } from '../wasm/module.ts';
import { REFILL } from '../tlb/refill.ts';
import { compileBatch, packRegions } from './batch.ts';
import type { NumberedSource, ReadyBatch, RegionBatch, RegionCompiler } from './batch.ts';
import { Again } from './again.ts';
import { Backoff } from './backoff.ts';
import { JumpCaches } from './jumps.ts';
import { hasComputedTargets } from './discover.ts';
import { Counters, thresholdOf } from './counters.ts';
import { Entries } from './entries.ts';
import { REGION_IMPORTS } from './module.ts';
import { Planner } from './planner.ts';
import { Records } from './records.ts';
import type { RecordsHost } from './records.ts';
import { Slots, covers } from './slots.ts';
import type { Extent, Slot } from './slots.ts';

/** Regions compiled at a time, bounds what a slice is delayed. */
const BATCH = 12;
/** Slices that a place may wait until a batch is full. */
const PATIENCE = 100;
/** Elsewhere, what comes while so many batches are being compiled waits to become one. */
const IN_WORK = 2;
/** What a module and a byte of its code take in the host's memory, about. */
const MODULE_COST = 20_000;
const BYTE_COST = 12;
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
export interface TranslatorHost extends RecordsHost {
  /** {@link REGION_IMPORTS.engine} `probe`. */
  probe(mode: number): number;
  /** Exports of the interpreter. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Counters since the processor was made. */
export interface TranslatorStats {
  regions: number;
  /** Of them, those that were kept from earlier runs. */
  kept: number;
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

/** What was submitted to be compiled. */
interface Submitted {
  readonly slot: Slot;
  readonly extent: Extent;
}

/** Its element segments put the regions into the table. */
const instantiate = (module: WasmModule, imports: WasmImports): WasmInstance => new wasm.Instance(module, imports);

export class Translator implements CodeObserver {
  readonly stats: TranslatorStats = { regions: 0, kept: 0, translated: 0, modules: 0, bytes: 0, invalidated: 0, flushes: 0 };
  readonly #options: TranslatorOptions;
  readonly #jumps: JumpCaches;
  readonly #compiler: RegionCompiler | undefined;
  readonly #submitted = new Map<number, readonly Submitted[]>();
  #batches = 0;
  readonly #backoff = new Backoff();
  readonly #slots: Slots;
  #host: TranslatorHost | undefined;
  #records: Records | undefined;
  #planner: Planner | undefined;
  #again: Again | undefined;
  #counters: Counters | undefined;
  #queue: Slot[] = [];
  #waited = 0;
  /** What waits became hot once more. */
  #urgent = false;
  #slice = 0;
  #cost = 0;

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#jumps = new JumpCaches(options.isa, options.layout);
    this.#slots = new Slots(options.eager);
    this.#compiler = options.eager ? undefined : options.compiler;
  }

  /** To be called once, when there is an interpreter. */
  attach(host: TranslatorHost): void {
    const { isa, layout, eager } = this.#options;
    const compiler = this.#compiler;
    this.#host = host;
    this.#records = new Records(isa, layout, host);
    this.#planner = new Planner(host, this.#records, this.#slots, this.#backoff, !eager);
    this.#again = new Again(host, isa, layout, this.#slots, eager);
    host.pages.observer = this;
    this.#counters = new Counters(host, isa, layout, eager ? 0 : thresholdOf(isa, (compiler?.processors ?? 1) > 1), new Entries(compiler?.known?.(layout) ?? new Int32Array()));
    this.#jumps.erase(this.#words);
    this.remapped();
  }

  get #instructions(): Records {
    return this.#records as Records;
  }

  get #words(): Int32Array {
    return (this.#host as TranslatorHost).words;
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
    const { isa, eager } = this.#options;
    if (eager && this.#remake((this.#again as Again).refused(this.#slice))) this.#translate();
    const host = this.#host as TranslatorHost;
    const counters = this.#counters as Counters;
    counters.restart(ip);
    const place = host.pages.pageOf(ip);
    if (place < 0) return;
    const mode = this.#mode;
    if (mode >= REGION_MODES) return;
    const page = place / PAGE_SIZE;
    if (this.#backoff.holds(page, this.#slice)) return;
    const offset = (ip - host.pages.baseOf(ip)) >>> recordShift(isa);
    const step = this.#instructions.read(page, offset);
    if (step === undefined || step === 'cut' || step.shape.control === 'stop') return;
    if (counters.isMistaken(ip, () => (this.#planner as Planner).markOf(page, offset))) return;
    const slot = this.#slots.at(page, offset, mode);
    slot.computed ||= (counted & COMPUTED) !== 0;
    if (slot.queued) {
      this.#urgent = true;
      // Before what is executed less.
      const waiting = this.#queue.indexOf(slot);
      if (waiting > 0) this.#queue.unshift(...this.#queue.splice(waiting, 1));
      return;
    }
    if (slot.extent !== undefined) {
      if (slot.installed) this.#instructions.enter(slot);
      return;
    }
    slot.queued = true;
    slot.assumed = (this.#again as Again).assumptions();
    this.#queue.push(slot);
    if (eager) this.#translate();
  }

  /** Between slices: translates what waits. @param whole - the last one took all its steps. */
  work(whole: boolean): void {
    this.#slice++;
    const again = this.#again as Again;
    if (whole) this.#remake(again.sampled());
    this.#remake(again.refused(this.#slice));
    if (this.#submitted.size > 0) this.#receive();
    if (this.#queue.length === 0) return;
    const isTime = this.#compiler === undefined ? this.#urgent || ++this.#waited >= PATIENCE : this.#submitted.size < IN_WORK;
    if (isTime || this.#queue.length >= BATCH) this.#translate();
  }

  /** Has regions made anew. @returns whether there are any */
  #remake(slots: readonly Slot[]): boolean {
    if (slots.length === 0) return false;
    for (const slot of slots) slot.queued = true;
    this.#queue.push(...slots);
    return true;
  }

  // ── translating ──

  #translate(): void {
    const waiting = this.#queue.splice(0, BATCH);
    this.#waited = 0;
    this.#urgent = false;
    if (this.#cost > this.#options.cacheBytes || this.#slots.length > MAX_REGIONS - NUMBERS_OF_BATCH) {
      this.flush();
      return;
    }
    const planner = this.#planner as Planner;
    const planned: Submitted[] = [];
    for (const [index, slot] of waiting.entries()) {
      slot.queued = false;
      if (this.#slots.byNumber(slot.number) !== slot || (slot.extent !== undefined && !slot.installed)) continue;
      const extent = planner.extent(slot, index, this.#slice);
      if (extent.blocks.length === 0 || (slot.installed && !slot.stale && !hasComputedTargets(extent.blocks))) continue;
      slot.stale = false;
      this.#slots.setExtent(slot, extent, slot.extent);
      this.#follow(slot, extent);
      planned.push({ slot, extent });
    }
    // Reading code may show that it was written.
    const submitted = planned.filter(({ slot, extent }) => slot.extent === extent);
    if (submitted.length === 0) return;
    const sources = submitted.map(({ slot, extent }) => planner.source(slot, extent, 'given'));
    const batch = this.#pack(sources);
    if (this.#compiler === undefined) {
      const { code } = compileBatch(this.#options.isa, batch);
      this.#install(submitted, { module: new wasm.Module(code), bytes: code.length, kept: 0 });
      return;
    }
    this.#submitted.set(batch.id, submitted);
    this.#compiler.submit(batch);
  }

  #pack(sources: readonly NumberedSource[]): RegionBatch {
    const { isa, layout, memoryLimits } = this.#options;
    return { id: this.#batches++, layout, memoryLimits, words: packRegions(isa, this.#words, sources) };
  }

  /** A module with the region alone in which the code at a place is executed in the current mode; undefined where that is tier 0. */
  moduleAt(place: number): Uint8Array<ArrayBuffer> | undefined {
    const planner = this.#planner as Planner;
    const page = Math.floor(place / PAGE_SIZE);
    const offset = place % PAGE_SIZE;
    const mode = this.#mode;
    const executes = (slot: Slot | undefined): slot is Slot => slot?.installed === true && slot.mode === mode && covers(slot, slot.extent, page, offset, offset + 1);
    const entered = this.#slots.find(page, offset, mode);
    const slot = executes(entered) ? entered : this.#slots.on(page).find(executes);
    if (slot?.extent === undefined || !planner.restore(slot, slot.extent)) return undefined;
    // As it was compiled, except that a number is given to no place now.
    return compileBatch(this.#options.isa, this.#pack([planner.source(slot, slot.extent, 'known')]), undefined, true).code;
  }

  /** What a region was too long for does not have to become hot by itself. */
  #follow(from: Slot, extent: Extent): void {
    for (const slot of (this.#planner as Planner).rest(from, extent)) {
      if (slot.queued || slot.extent !== undefined) continue;
      slot.queued = true;
      slot.assumed = from.assumed;
      this.#queue.push(slot);
    }
  }

  /** Takes what was compiled meanwhile. */
  #receive(): void {
    for (let compiled = this.#compiler?.take(); compiled !== undefined; compiled = this.#compiler?.take()) {
      const submitted = this.#submitted.get(compiled.id) as readonly Submitted[];
      this.#submitted.delete(compiled.id);
      const valid = submitted.filter(({ slot, extent }) => slot.extent === extent);
      if (valid.length === submitted.length) {
        this.#install(submitted, compiled);
        continue;
      }
      // Its element segments would put what was dropped since into the table, at numbers that may be others' by now.
      for (const { slot } of valid) {
        this.#slots.setExtent(slot, slot.replaced);
        slot.queued = true;
        this.#queue.push(slot);
      }
    }
  }

  #install(regions: readonly Submitted[], { module, bytes, kept }: Omit<ReadyBatch, 'id'>): void {
    const host = this.#host as TranslatorHost;
    instantiate(module, {
      [REGION_IMPORTS.host]: { memory: this.#options.memory },
      [REGION_IMPORTS.engine]: { table: host.exports[REGIONS], probe: (mode: number) => host.probe(mode), [REFILL]: host.exports[REFILL] },
      [REGION_IMPORTS.function]: host.exports,
    });
    for (const { slot, extent } of regions) {
      slot.installed = true;
      (this.#again as Again).restart(slot, this.#slice);
      this.#slots.setExtent(slot, extent);
      this.#instructions.enter(slot);
      for (const { steps } of extent.blocks) this.stats.translated += steps.length;
    }
    this.stats.regions += regions.length;
    this.stats.kept += kept;
    this.stats.modules++;
    this.stats.bytes += bytes;
    this.#cost += MODULE_COST + BYTE_COST * bytes;
  }

  // ── forgetting ──

  #drop(slot: Slot): void {
    if (slot.extent === undefined) return;
    this.#slots.setExtent(slot, undefined);
    if (!slot.installed) return;
    slot.installed = false;
    this.#instructions.restore(slot);
    const { exports } = this.#host as TranslatorHost;
    (exports[REGIONS] as WasmTable).set(slot.number, exports[UNLINKED]);
    this.stats.invalidated++;
  }

  written(page: number, from: number, to: number): void {
    let dropped = false;
    for (const slot of this.#slots.on(page)) {
      if (!covers(slot, slot.extent, page, from, to) && !covers(slot, slot.replaced, page, from, to)) continue;
      this.#drop(slot);
      dropped = true;
    }
    if (dropped) this.#backoff.lost(page, this.#slice);
  }

  acquired(page: number): void {
    this.#counters?.expectIn(page);
  }

  uses(page: number): boolean {
    return this.#slots.has(page);
  }

  released(page: number, written: boolean): void {
    if (!this.#slots.has(page)) return;
    for (const slot of this.#slots.on(page)) this.#drop(slot);
    this.#slots.retire(page);
    if (this.#slots.retired > RETIRED) this.remapped();
    if (written) this.#backoff.lost(page, this.#slice);
  }

  /** Drops everything. */
  flush(): void {
    for (const page of this.#slots.pages) {
      for (const slot of this.#slots.of(page)) {
        this.#drop(slot);
        slot.queued = false;
      }
    }
    this.#queue = [];
    this.#cost = 0;
    this.#slots.clear();
    this.remapped();
    this.#counters?.reset();
    this.stats.flushes++;
  }

  remapped(): void {
    this.#slots.free();
    this.#jumps.clear(this.#words);
  }

  remappedPage(vaLo: number, vaHi: number, modes: number): void {
    this.#jumps.clearPage(this.#words, vaLo, vaHi, modes);
  }
}
