/**
 * Batches of regions as data, so that they can be compiled on a thread that has neither the processor nor its records: the same
 * bytes come of a batch wherever it is compiled.
 *
 * Format, in words: regions, then for each the mark of its entry, how many constants it has and these: its number, the place of the records of its
 * other page, the numbers of the regions that its links lead to (-1: only tier 0 executes what is there), and addresses in its instructions. Then how
 * many words its content has, and this: all that its code depends on beside the values of its constants. That is its mode, whether its accesses ask, values of the ISA's
 * assumptions, whether it has another page and at which distance, and number of blocks; a block is its offset, end, whether it is guarded, number of
 * targets and these, number of steps and these; a step is its offset, instruction, length, target, and its record. In the place of the record's handler is
 * 1 where it has the number of a constant in the place of an address. Behind the blocks are the number of links, and of each: offset, mode, whether a
 * region may begin there.
 */
import { fieldOf } from '../interp/fields.ts';
import { REGION_MODES } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { WasmModule } from '../wasm/api.ts';
import type { Limits } from '../wasm/module.ts';
import { isKnown } from './discover.ts';
import type { Block, OtherPage, Step } from './discover.ts';
import { cutsOf } from './flow.ts';
import { linkRegions, numberOf } from './module.ts';
import type { PlacedRegion } from './module.ts';
import { decodeObject, encodeObject, generateObject } from './object.ts';
import type { RegionObject } from './object.ts';
import { successorsOf } from './region.ts';
import type { RegionSource } from './region.ts';
import { shapesOf } from './shape.ts';
import { CONSTANT } from './symbols.ts';

/** The link of what only tier 0 executes. */
const NONE = -1;
/** Words of a link in the content. */
const LINK_WORDS = 3;
/** Of a record, what a handler is put into, which may be a region's. */
const HANDLER = 0xffff;
/** Nearer to zero than this, a number in an instruction is not taken for an address. */
const LEAST_ADDRESS = 2 ** 30;

/** A region to be packed. */
export interface NumberedSource extends Pick<RegionSource, 'mode' | 'asks' | 'assumed' | 'blocks' | 'link'> {
  /** Index in the table. */
  readonly number: number;
  /** What its entry is known by in other runs. */
  readonly mark: number;
  /** Its other page, with the place of its records. */
  readonly other: (OtherPage & { readonly records: number }) | undefined;
}

/** Regions to be compiled. May be posted to another thread. */
export interface RegionBatch {
  /** What {@link CompiledBatch} is to be known by. */
  readonly id: number;
  readonly layout: Layout;
  readonly memoryLimits: Limits;
  readonly words: Int32Array<ArrayBuffer>;
}

/** May be posted to another thread. */
export interface CompiledBatch {
  readonly id: number;
  /** A WebAssembly module. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Numbers of the regions in it. */
  readonly regions: readonly number[];
  /** How many of them were found in the store. */
  readonly kept: number;
}

/** Its regions, to be instantiated. */
export interface ReadyBatch {
  readonly id: number;
  readonly module: WasmModule;
  /** What it was made of. */
  readonly bytes: number;
  /** Regions that were translated in an earlier run. */
  readonly kept: number;
}

/** Compiles batches elsewhere, while the processor goes on. */
export interface RegionCompiler {
  /** That it compiles for; they run at the same time. */
  readonly processors: number;
  /** Marks of the entries whose regions are kept from earlier runs, the last ones last. */
  known?(layout: Layout): Int32Array;
  submit(batch: RegionBatch): void;
  /** A batch that is ready, each once. @throws {Error} one could not be compiled. */
  take(): ReadyBatch | undefined;
}

/** Keeps regions from one run to the next. */
export interface RegionStore {
  /** What was kept for a content, perhaps in a run long ago. */
  find(content: Uint8Array): Uint8Array | undefined;
  /** @param mark - of the entry. */
  keep(content: Uint8Array, object: Uint8Array, mark: number): void;
}

const recordWords = ({ records }: Isa): number => records.size / 4;

/** Words of a region's content but for its links. */
function sizeOf(recordSize: number, { assumed, blocks }: NumberedSource): number {
  let size = 5 + assumed.length;
  for (const { targets, steps } of blocks) size += 5 + targets.length + steps.length * (4 + recordSize);
  return size;
}

/** A way out of a region to another one. */
interface Link {
  readonly offset: number;
  readonly mode: number;
  /** Of the region that it leads to, or {@link NONE}. */
  readonly number: number;
}

/** Words of an instruction's record: behind its own places are those of the instructions that follow. */
const ownWords = ({ unit, records: { size, place } }: Isa, { length }: Step): number => Math.min(size, (length / unit) * place) / 4;

/** The word of an instruction's record that holds an address, -1 if none does. */
function addressOf(isa: Isa, words: Int32Array, step: Step): number {
  const { address } = isa.records;
  if (address === undefined || address / 4 >= ownWords(isa, step)) return -1;
  const word = (step.record + address) >>> 2;
  return Math.abs(words[word] as number) >= LEAST_ADDRESS ? word : -1;
}

/** Addresses in the instructions of blocks. */
const addressesIn = (isa: Isa, words: Int32Array, blocks: readonly Block[]): readonly number[] =>
  blocks.flatMap(({ steps }) => steps.flatMap((step) => {
    const word = addressOf(isa, words, step);
    return word < 0 ? [] : (words[word] as number);
  }));

/** @param words - linear memory, in which the sources' records are. */
export function packRegions(isa: Isa, words: Int32Array, sources: readonly NumberedSource[]): Int32Array<ArrayBuffer> {
  const recordSize = recordWords(isa);
  const links = sources.map(linksOf);
  const sizes = sources.map((source, i) => sizeOf(recordSize, source) + 1 + LINK_WORDS * (links[i] as readonly Link[]).length);
  const constants = sources.map(({ number, blocks, other }, i) => [number, other?.records ?? 0, ...(links[i] as readonly Link[]).map(({ number }) => number), ...addressesIn(isa, words, blocks)]);
  const out = new Int32Array(sources.reduce((size, _, i) => size + 3 + (constants[i] as readonly number[]).length + (sizes[i] as number), 1));
  let at = 0;
  out[at++] = sources.length;
  for (const [i, { mark, mode, asks, assumed, blocks, other }] of sources.entries()) {
    const known = links[i] as readonly Link[];
    let address = CONSTANT.links + known.length;
    out[at++] = mark;
    out[at++] = (constants[i] as readonly number[]).length;
    for (const value of constants[i] as readonly number[]) out[at++] = value;
    out[at++] = sizes[i] as number;
    out[at++] = mode;
    out[at++] = asks ? 1 : 0;
    for (const value of assumed) out[at++] = value;
    out[at++] = other === undefined ? 0 : 1;
    out[at++] = other?.distance ?? 0;
    out[at++] = blocks.length;
    for (const { offset, end, guarded, targets, steps } of blocks) {
      out[at++] = offset;
      out[at++] = end;
      out[at++] = guarded ? 1 : 0;
      out[at++] = targets.length;
      for (const target of targets) out[at++] = target;
      out[at++] = steps.length;
      for (const step of steps) {
        out[at++] = step.offset;
        out[at++] = step.instruction;
        out[at++] = step.length;
        out[at++] = step.target;
        const record = step.record >>> 2;
        const own = ownWords(isa, step);
        for (let word = 0; word < own; word++) out[at + word] = words[record + word] as number;
        (out[at] as number) &= ~HANDLER;
        const moved = addressOf(isa, words, step);
        if (moved >= 0) {
          (out[at] as number) |= 1;
          out[at + moved - record] = address++;
        }
        at += recordSize;
      }
    }
    out[at++] = known.length;
    for (const link of known) {
      out[at++] = link.offset;
      out[at++] = link.mode;
      out[at++] = link.number === NONE ? 0 : 1;
    }
  }
  return out;
}

const keyOf = (offset: number, mode: number): number => offset * REGION_MODES + mode;

/** Where a region may be left for, and what is there. */
function linksOf({ mode, blocks, other, link }: NumberedSource): readonly Link[] {
  const successors = successorsOf(blocks);
  const isCut = cutsOf(successors);
  const inside = new Set<number>();
  for (const { offset } of blocks) inside.add(offset);
  const known = new Set<number>();
  const links: Link[] = [];
  const add = (from: Block, offset: number, into: number): void => {
    const key = keyOf(offset, into);
    if (known.has(key) || !isKnown(from, offset, other)) return;
    known.add(key);
    links.push({ offset, mode: into, number: link(offset, into) });
  };
  blocks.forEach((block, from) => {
    let edge = 0;
    for (const offset of block.targets) {
      const isLeft = !inside.has(offset) || isCut(from, (successors[from] as readonly number[])[edge++] as number);
      if (isLeft) add(block, offset, mode);
    }
    const entered = block.steps.at(-1)?.shape.entered;
    if (entered !== undefined) add(block, block.end, mode - (mode % MMU_MODES) + entered);
  });
  return links;
}

/** A packed region. */
interface PackedRegion extends Pick<PlacedRegion, 'constants'> {
  readonly mark: number;
  readonly content: Int32Array;
}

function unpackRegions(words: Int32Array): PackedRegion[] {
  let at = 0;
  const next = (): number => words[at++] as number;
  const list = (): Int32Array => {
    const length = next();
    at += length;
    return words.subarray(at - length, at);
  };
  return Array.from({ length: next() }, () => ({ mark: next(), constants: list(), content: list() }));
}

function readContent(isa: Isa, words: Int32Array): RegionSource {
  const shapes = shapesOf(isa);
  const size = recordWords(isa);
  let at = 0;
  const next = (): number => words[at++] as number;
  /** As many as the next word says. */
  const list = <T>(read: (index: number) => T): T[] => {
    const count = next();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read(i));
    return items;
  };
  const step = (): Step => {
    const offset = next();
    const instruction = next();
    const length = next();
    const target = next();
    const record = at * 4;
    at += size;
    return { offset, instruction, length, target, record, shape: shapes(instruction), linkage: undefined };
  };
  const block = (): Block => {
    const offset = next();
    const end = next();
    const guarded = next() === 1;
    return { offset, end, guarded, targets: list(next), steps: list(step) };
  };
  const mode = next();
  const asks = next() === 1;
  const assumed = Array.from(isa.assumptions ?? [], next);
  const [hasOther, distance] = [next(), next()];
  const other = hasOther === 0 ? undefined : { distance };
  const blocks = list(block);
  const links = new Map(list((index) => [keyOf(next(), next()), next() === 0 ? NONE : CONSTANT.links + index] as const));
  const link = (offset: number, into: number): number => links.get(keyOf(offset, into)) ?? NONE;
  const { address } = isa.records;
  const constant = (record: number, name: string): number => (isa.fields[name]?.offset === address && ((words[record >>> 2] as number) & 1) !== 0 ? fieldOf(isa, words, record, name) : NONE);
  return { mode, asks, assumed, blocks, other, field: (record, name) => fieldOf(isa, words, record, name), constant, link };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

/** The code of a region, and keeps it. */
function generate(isa: Isa, layout: Layout, { content, mark }: PackedRegion, store: RegionStore | undefined): RegionObject {
  const object = generateObject(isa, layout, readContent(isa, content));
  store?.keep(bytesOf(content), encodeObject(object), mark);
  return object;
}

/**
 * Compiles a batch for the instruction set that it was made for.
 *
 * @param store - what the code of regions is taken from, and kept in.
 * @param read - see {@link linkRegions}.
 */
export function compileBatch(isa: Isa, { id, layout, memoryLimits, words }: RegionBatch, store?: RegionStore, read = false): CompiledBatch {
  const regions = unpackRegions(words);
  let kept = 0;
  const placed = regions.map((region) => {
    const found = store?.find(bytesOf(region.content));
    if (found !== undefined) kept++;
    return { ...region, object: found === undefined ? generate(isa, layout, region, store) : decodeObject(found) };
  });
  return { id, code: linkRegions(isa, layout, memoryLimits, placed, read), regions: placed.map(numberOf), kept };
}
