/** Calling regions before their processor has them. */
import { expect, test } from 'vitest';
import { compileBatch } from '../../src/index.ts';
import type { RegionBatch } from '../../src/index.ts';
import { REGION_PARAMS } from '../../src/interp/enter.ts';
import { MAX_REGIONS } from '../../src/interp/layout.ts';
import { REGION_IMPORTS } from '../../src/translate/module.ts';
import { Rehearsal } from '../../src/translate/rehearsal.ts';
import { wasm } from '../../src/wasm/api.ts';
import type { WasmModule } from '../../src/wasm/api.ts';
import type { Code } from '../../src/wasm/code.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';
import { Execution } from '../../src/engine.ts';
import { Toy, toy, toyIsa } from '../interp/toy.ts';
import { Elsewhere } from './compilers.ts';

/** The first batch of a machine that executes instructions in a circle. */
function batchOf(code: readonly number[]): RegionBatch {
  const compiler = new Elsewhere();
  const machine = new Toy({ execution: Execution.auto, compiler });
  machine.load(code);
  for (let i = 0; i < 1000 && compiler.waiting.length === 0; i++) machine.engine.run(10_000);
  return compiler.waiting[0] as RegionBatch;
}

test.each([
  ['loop', [toy('addi', 1, 1, 3), toy('jump', 0, 0, -4)]],
  ['loop with an access', [toy('pc', 1), toy('load', 2, 1, 0x4000), toy('store', 2, 1, 0x4008), toy('jump', 0, 0, -12)]],
])('a %s is called without an effect, once for each memory', (_name, code) => {
  const batch = batchOf(code);
  const { code: bytes, regions } = compileBatch(toyIsa, batch);
  const module = new wasm.Module(bytes);
  const rehearsal = new Rehearsal();
  expect(regions).toHaveLength(1);
  for (let i = 0; i < 2; i++) rehearsal.run(module, batch.memoryLimits, regions);
});

/** A module with one region. */
function moduleOf(number: number, body: (code: Code, probe: number) => void): WasmModule {
  const module = new ModuleBuilder();
  const type = module.type(REGION_PARAMS, ['i32']);
  module.importTable(REGION_IMPORTS.engine, 'table', { min: MAX_REGIONS, max: MAX_REGIONS }, { type });
  const probe = module.importFunc(REGION_IMPORTS.engine, 'probe', ['i32'], ['i32']);
  const { index, code } = module.func('region', REGION_PARAMS, ['i32']);
  body(code, probe);
  code.end();
  module.element(0, number, [index], { type });
  return new wasm.Module(module.build());
}

test('a region that goes on is an error', () => {
  const goesOn = moduleOf(5, (code) => code.i32(0));
  expect(() => new Rehearsal().run(goesOn, { min: 1 }, [5])).toThrow('region 5 did not leave at its beginning');
  const calls = moduleOf(5, (code, probe) => {
    code.i32(0);
    code.call(probe);
  });
  expect(() => new Rehearsal().run(calls, { min: 1 }, [5])).toThrow('a region did not leave at once');
});

test('without room for another memory, none is called', () => {
  const goesOn = moduleOf(5, (code) => code.i32(0));
  const rehearsal = new Rehearsal();
  for (let i = 0; i < 2; i++) expect(() => rehearsal.run(goesOn, { min: 65_537 }, [5])).not.toThrow();
});
