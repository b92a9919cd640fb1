/** A WebAssembly module with a batch of regions, which puts them into the table when it is instantiated. */
import { REGION_PARAMS } from '../interp/enter.ts';
import { ENGINE, MAX_REGIONS } from '../interp/layout.ts';
import { generateHas } from '../interp/lookup.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter } from '../ir/block.ts';
import { REFILL, REFILL_PARAMS, emitRefill } from '../tlb/refill.ts';
import { local } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import { putSymbol } from '../wasm/code.ts';
import type { Body, Use } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import { REGION_TYPE } from './emitter.ts';
import type { RegionObject } from './object.ts';
import { CONSTANT, FUNCTION } from './symbols.ts';

/** Import module names of a batch. */
export const REGION_IMPORTS = {
  /** Field `memory`. */
  host: 'host',
  /**
   * Field `table`: regions by number; `probe(mode)`: place of the access in the engine block, 0 if tier 0 must do it; `refill`: the
   * interpreter's, to be asked first.
   */
  engine: 'engine',
  /** Functions of the ISA. */
  function: 'function',
} as const;

/** A region, and what its symbols stand for. */
export interface PlacedRegion {
  readonly object: RegionObject;
  /** By symbol. */
  readonly constants: ArrayLike<number>;
}

/** Its index in the table. */
export const numberOf = ({ constants }: PlacedRegion): number => constants[CONSTANT.self] as number;

/** Where the value of a symbol is used as the index of a function, not as a constant. */
const isFunction = (use: Use): boolean => use % 2 === 0;

/** Symbols of the functions that are called by any of the regions. */
function functionsOf(regions: readonly PlacedRegion[]): ReadonlySet<number> {
  const used = new Set<number>();
  for (const { object: { symbols } } of regions) {
    for (let i = 0; i < symbols.length; i += 2) if (isFunction(symbols[i] as number)) used.add(symbols[i + 1] as number);
  }
  return used;
}

/** @param read - to be read, not executed: with a table as tools know it that do not read types of references. */
export function linkRegions(isa: Isa, layout: Layout, memoryLimits: Limits, regions: readonly PlacedRegion[], read = false): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(layout.alone);
  module.importMemory(REGION_IMPORTS.host, 'memory', memoryLimits);
  const type = module.type(REGION_PARAMS, ['i32']);
  if (type !== REGION_TYPE) throw new RangeError(`regions are of type ${type}`);
  const filled = read ? undefined : { type };
  module.importTable(REGION_IMPORTS.engine, 'table', { min: MAX_REGIONS, max: MAX_REGIONS }, filled);
  const used = functionsOf(regions);
  const functions = new Map<number, number>();
  const asks = used.has(FUNCTION.slow);
  const probe = asks ? module.importFunc(REGION_IMPORTS.engine, 'probe', ['i32'], ['i32']) : -1;
  if (asks || used.has(FUNCTION.refill)) functions.set(FUNCTION.refill, module.importFunc(REGION_IMPORTS.engine, REFILL, REFILL_PARAMS, ['i32']));
  Object.entries(isa.functions).forEach(([name, { params, result }], i) => {
    if (used.has(FUNCTION.isa + i)) functions.set(FUNCTION.isa + i, module.importFunc(REGION_IMPORTS.function, name, params, [result]));
  });
  if (used.has(FUNCTION.has)) functions.set(FUNCTION.has, generateHas(module, layout));
  if (asks) functions.set(FUNCTION.slow, generateSlow(module, layout, functions.get(FUNCTION.refill) as number, probe));
  for (const region of regions) {
    const number = numberOf(region);
    module.element(0, number, [module.add(`region${number}`, REGION_PARAMS, ['i32'], bodyOf(region, functions))], filled);
  }
  return module.build();
}

/** A region's function in a module whose functions have these indices, by their symbols. */
function bodyOf({ object: { symbols, hints, locals, code }, constants }: PlacedRegion, functions: ReadonlyMap<number, number>): Body {
  const bytes = code.slice();
  for (let i = 0; i < symbols.length; i += 2) {
    const [use, symbol] = [symbols[i] as number, symbols[i + 1] as number];
    putSymbol(bytes, use, (isFunction(use) ? functions.get(symbol) : constants[symbol]) as number);
  }
  return {
    out: { length: bytes.length, view: () => bytes },
    hints: Array.from(hints, (hint) => ({ at: hint >> 1, taken: (hint & 1) !== 0 })),
    encodeLocals: (into) => into.raw(locals),
  };
}

/** `slow(address, value, mode)`: the place of an access that the TLB did not let through. */
function generateSlow(module: ModuleBuilder, layout: Layout, refill: number, probe: number): number {
  const { index, code } = module.func('slow', ['i64', 'i64', 'i32'], ['i32']);
  const block = new BlockEmitter(code, layout.engine, new Map());
  emitRefill(code, refill);
  block.setState('i64.store', ENGINE.address, local('i64', 0));
  block.setState('i64.store', ENGINE.value, local('i64', 1));
  code.get(2);
  code.returnCall(probe);
  code.end();
  return index;
}
