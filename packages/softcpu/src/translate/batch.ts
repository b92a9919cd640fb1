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
import { analyzeFlow } from './flow.ts';
import { generateRegions } from './module.ts';
import type { NumberedSource } from './module.ts';
import { successorsOf } from './region.ts';
import { shapesOf } from './shape.ts';

/** The link of what only tier 0 executes. */
const NONE = -1;

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

/** @param words - linear memory, in which the sources' records are. */
export function packRegions(isa: Isa, words: Int32Array, sources: readonly NumberedSource[]): Int32Array<ArrayBuffer> {
  const out: number[] = [sources.length];
  for (const source of sources) {
    const { number, mode, assumed, blocks, other } = source;
    out.push(number, mode, ...assumed, other?.distance ?? 0, other?.records ?? 0, blocks.length);
    for (const { offset, end, guarded, targets, steps } of blocks) {
      out.push(offset, end, guarded ? 1 : 0, targets.length, ...targets, steps.length);
      for (const step of steps) {
        out.push(step.offset, step.instruction, step.length, step.target);
        for (let i = 0; i < recordWords(isa); i++) out.push(words[(step.record >>> 2) + i] as number);
      }
    }
    const links = linksOf(source);
    out.push(links.size);
    for (const [key, region] of links) out.push(Math.floor(key / REGION_MODES), key & (REGION_MODES - 1), region);
  }
  return Int32Array.from(out);
}

const keyOf = (offset: number, mode: number): number => offset * REGION_MODES + mode;

/** Where a region may be left for, and what is there. */
function linksOf({ mode, blocks, other, link }: NumberedSource): ReadonlyMap<number, number> {
  const { isCut } = analyzeFlow(successorsOf(blocks));
  const blockAt = new Map(blocks.map(({ offset }, i) => [offset, i]));
  const links = new Map<number, number>();
  const add = (from: Block, offset: number, into: number): void => {
    const key = keyOf(offset, into);
    if (isKnown(from, offset, other) && !links.has(key)) links.set(key, link(offset, into));
  };
  blocks.forEach((block, from) => {
    const { targets, steps, end } = block;
    for (const offset of targets) {
      const to = blockAt.get(offset);
      if (to === undefined || isCut(from, to)) add(block, offset, mode);
    }
    const entered = steps.at(-1)?.shape.entered;
    if (entered !== undefined) add(block, end, mode - (mode % MMU_MODES) + entered);
  });
  return links;
}

function unpackRegions(isa: Isa, words: Int32Array): NumberedSource[] {
  const shapes = shapesOf(isa);
  let at = 0;
  const next = (): number => words[at++] as number;
  const step = (): Step => {
    const [offset, instruction, length, target] = [next(), next(), next(), next()];
    const record = at * 4;
    at += recordWords(isa);
    return { offset, instruction, length, target, record, shape: shapes(instruction), linkage: undefined };
  };
  const block = (): Block => {
    const [offset, end, guarded] = [next(), next(), next() === 1];
    return { offset, end, guarded, targets: Array.from({ length: next() }, next), steps: Array.from({ length: next() }, step) };
  };
  const source = (): NumberedSource => {
    const [number, mode] = [next(), next()];
    const assumed = Array.from(isa.assumptions ?? [], next);
    const [distance, records] = [next(), next()];
    const other = records === 0 ? undefined : { distance, records };
    const blocks = Array.from({ length: next() }, block);
    const links = new Map(Array.from({ length: next() }, () => [keyOf(next(), next()), next()]));
    const link = (offset: number, into: number): number => links.get(keyOf(offset, into)) ?? NONE;
    return { number, mode, assumed, blocks, other, field: (record, name) => fieldOf(isa, words, record, name), link };
  };
  return Array.from({ length: next() }, source);
}

/** Compiles a batch for the instruction set that it was made for. */
export function compileBatch(isa: Isa, { id, layout, memoryLimits, words }: RegionBatch): CompiledBatch {
  const sources = unpackRegions(isa, words);
  return { id, code: generateRegions(isa, layout, memoryLimits, sources), regions: sources.map(({ number }) => number) };
}
