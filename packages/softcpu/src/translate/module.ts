/** A WebAssembly module with a batch of regions, which puts them into the table when it is instantiated. */
import { REGION_PARAMS } from '../interp/enter.ts';
import { ENGINE, MAX_REGIONS } from '../interp/layout.ts';
import { generateHas } from '../interp/lookup.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter } from '../ir/block.ts';
import { REFILL, REFILL_PARAMS, emitRefill } from '../tlb/refill.ts';
import { local } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import { Code } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import { shapesIn } from './discover.ts';
import { RegionGenerator } from './region.ts';
import type { RegionSource } from './region.ts';

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

/** Bytes that a region has, mostly. */
const REGION_BYTES = 8192;

export interface NumberedSource extends RegionSource {
  /** Index in the table. */
  readonly number: number;
}

/** @param read - to be read, not executed: with a table as tools know it that do not read types of references. */
export function generateRegions(isa: Isa, layout: Layout, memoryLimits: Limits, regions: readonly NumberedSource[], read = false): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(layout.alone);
  module.importMemory(REGION_IMPORTS.host, 'memory', memoryLimits);
  const type = module.type(REGION_PARAMS, ['i32']);
  const filled = read ? undefined : { type };
  module.importTable(REGION_IMPORTS.engine, 'table', { min: MAX_REGIONS, max: MAX_REGIONS }, filled);
  const probe = module.importFunc(REGION_IMPORTS.engine, 'probe', ['i32'], ['i32']);
  const refill = module.importFunc(REGION_IMPORTS.engine, REFILL, REFILL_PARAMS, ['i32']);
  const names = new Set<string>();
  for (const { blocks } of regions) for (const shape of shapesIn(blocks)) for (const name of shape.callees) names.add(name);
  const callees = new Map(
    [...names].map((name) => {
      const { params, result } = isa.functions[name] as Isa['functions'][string];
      return [name, module.importFunc(REGION_IMPORTS.function, name, params, [result])] as const;
    }),
  );
  const has = regions.some(({ other }) => other !== undefined) ? generateHas(module, layout) : -1;
  const runtime = { callees, refill, slow: generateSlow(module, layout, refill, probe), leave: generateLeave(module, isa, layout), has, type };
  for (const source of regions) {
    const { index, code } = module.func(`region${source.number}`, REGION_PARAMS, ['i32'], new Code(REGION_PARAMS, layout.alone, REGION_BYTES));
    new RegionGenerator(code, isa, layout, runtime, source).generate();
    module.element(0, source.number, [index], filled);
  }
  return module.build();
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

/** `leave(pc, budget, exit)`: stores where tier 0 is to go on. */
function generateLeave(module: ModuleBuilder, isa: Isa, layout: Layout): number {
  const { index, code } = module.func('leave', ['i64', 'i32', 'i32'], ['i32']);
  const block = new BlockEmitter(code, layout.state, new Map());
  block.setState('i64.store', isa.state.pc, local('i64', 0));
  block.setState('i32.store', isa.state.budget, local('i32', 1));
  code.get(2);
  code.end();
  return index;
}
