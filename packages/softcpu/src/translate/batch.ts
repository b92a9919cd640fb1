/**
 * Batches of regions as data, so that they can be compiled on a thread that has neither the processor nor its records: the same
 * bytes come of a batch wherever it is compiled.
 *
 * Format, in words: regions, then for each its number, mode, values of the ISA's assumptions, distance and records of its other page (zeros: it has none), and number
 * of blocks; a block is its offset, end, whether it is guarded, number of targets and these, number of steps and these; a step is its offset, instruction, length, target, and its record. Behind the blocks are the
 * number of links, and each link: offset, mode, number of the region.
 */
import { fieldOf } from '../interp/fields.ts';
import { REGION_MODES } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { WasmModule } from '../wasm/api.ts';
import type { Limits } from '../wasm/module.ts';
import { isKnown } from './discover.ts';
import type { Block, Step } from './discover.ts';
import { cutsOf } from './flow.ts';
import { generateRegions } from './module.ts';
import type { NumberedSource } from './module.ts';
import { successorsOf } from './region.ts';
import { shapesOf } from './shape.ts';

/** The link of what only tier 0 executes. */
const NONE = -1;
/** Words of a link. */
const LINK_WORDS = 3;

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
}

/** Its regions, to be instantiated. */
export interface ReadyBatch {
  readonly id: number;
  readonly module: WasmModule;
  /** What it was made of. */
  readonly bytes: number;
}

/** Compiles batches elsewhere, while the processor goes on. */
export interface RegionCompiler {
  /** That it compiles for; they run at the same time. */
  readonly processors: number;
  submit(batch: RegionBatch): void;
  /** A batch that is ready, each once. @throws {Error} one could not be compiled. */
  take(): ReadyBatch | undefined;
}

const recordWords = ({ records }: Isa): number => records.size / 4;

/** Words of a region but for its links. */
function sizeOf(recordSize: number, { assumed, blocks }: NumberedSource): number {
  let size = 5 + assumed.length;
  for (const { targets, steps } of blocks) size += 5 + targets.length + steps.length * (4 + recordSize);
  return size;
}

/** @param words - linear memory, in which the sources' records are. */
export function packRegions(isa: Isa, words: Int32Array, sources: readonly NumberedSource[]): Int32Array<ArrayBuffer> {
  const recordSize = recordWords(isa);
  const links = sources.map(linksOf);
  const out = new Int32Array(sources.reduce((size, source, i) => size + sizeOf(recordSize, source) + 1 + (links[i] as readonly number[]).length, 1));
  let at = 0;
  out[at++] = sources.length;
  for (const [i, { number, mode, assumed, blocks, other }] of sources.entries()) {
    out[at++] = number;
    out[at++] = mode;
    for (const value of assumed) out[at++] = value;
    out[at++] = other?.distance ?? 0;
    out[at++] = other?.records ?? 0;
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
        for (let word = 0; word < recordSize; word++) out[at++] = words[record + word] as number;
      }
    }
    const known = links[i] as readonly number[];
    out[at++] = known.length / LINK_WORDS;
    for (const word of known) out[at++] = word;
  }
  return out;
}

const keyOf = (offset: number, mode: number): number => offset * REGION_MODES + mode;

/** Where a region may be left for, and what is there, as {@link LINK_WORDS} each. */
function linksOf({ mode, blocks, other, link }: NumberedSource): readonly number[] {
  const successors = successorsOf(blocks);
  const isCut = cutsOf(successors);
  const inside = new Set<number>();
  for (const { offset } of blocks) inside.add(offset);
  const known = new Set<number>();
  const links: number[] = [];
  const add = (from: Block, offset: number, into: number): void => {
    const key = keyOf(offset, into);
    if (known.has(key) || !isKnown(from, offset, other)) return;
    known.add(key);
    links.push(offset, into, link(offset, into));
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

function unpackRegions(isa: Isa, words: Int32Array): NumberedSource[] {
  const shapes = shapesOf(isa);
  const size = recordWords(isa);
  let at = 0;
  const next = (): number => words[at++] as number;
  /** As many as the next word says. */
  const list = <T>(read: () => T): T[] => {
    const count = next();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read());
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
  const source = (): NumberedSource => {
    const [number, mode] = [next(), next()];
    const assumed = Array.from(isa.assumptions ?? [], next);
    const [distance, records] = [next(), next()];
    const other = records === 0 ? undefined : { distance, records };
    const blocks = list(block);
    const links = new Map(list(() => [keyOf(next(), next()), next()] as const));
    const link = (offset: number, into: number): number => links.get(keyOf(offset, into)) ?? NONE;
    return { number, mode, assumed, blocks, other, field: (record, name) => fieldOf(isa, words, record, name), link };
  };
  return list(source);
}

/** Compiles a batch for the instruction set that it was made for. */
export function compileBatch(isa: Isa, { id, layout, memoryLimits, words }: RegionBatch): CompiledBatch {
  const sources = unpackRegions(isa, words);
  return { id, code: generateRegions(isa, layout, memoryLimits, sources), regions: sources.map(({ number }) => number) };
}
