/** Translations that another thread compiles, through shared memory. */
import { describe, expect, test } from 'vitest';
import { CompilerService, Execution, compileBatch, connectCompiler, createCompilerShare, planLayout } from '../../src/index.ts';
import { wasm } from '../../src/wasm/api.ts';
import type { CompiledBatch, CompilerShare, ReadyBatch, RegionBatch, RegionCompiler, WasmModule } from '../../src/index.ts';
import { Toy, toy, toyIsa } from '../interp/toy.ts';
import { MemoryStore } from './compilers.ts';

const compile = (batch: RegionBatch): CompiledBatch => compileBatch(toyIsa, batch);

/** Executes a loop, each machine another one. */
function machineOf(compiler: RegionCompiler, step: number): Toy {
  const machine = new Toy({ execution: Execution.auto, compiler });
  machine.load([toy('addi', 1, 1, step), toy('jump', 0, 0, -4)]);
  return machine;
}

const regions = (machine: Toy): number => machine.engine.translation?.regions ?? 0;

/** Runs both until something was submitted and what came of it is in place. */
function heat(machines: readonly Toy[], service: CompilerService): void {
  for (let i = 0; i < 100 && machines.some((machine) => regions(machine) === 0); i++) {
    for (const machine of machines) machine.engine.run(10_000);
    while (service.turn());
  }
}

test('processors of one layout share what is kept, and are told of it', () => {
  const store = new MemoryStore();
  const opened: string[] = [];
  const withStore = (share: CompilerShare): CompilerService =>
    new CompilerService(share, (batch, kept) => compileBatch(toyIsa, batch, kept), undefined, (key) => {
      opened.push(key);
      return store;
    });
  const run = (): readonly Toy[] => {
    const share = createCompilerShare(2);
    const machines = [0, 1].map((processor) => machineOf(connectCompiler(share, processor, undefined, () => Int32Array.from(store.marks)), 3));
    heat(machines, withStore(share));
    return machines;
  };
  expect(run().map((machine) => machine.engine.translation?.kept)).toEqual([0, 1]);
  expect(run().map((machine) => machine.engine.translation?.kept)).toEqual([1, 1]);
  expect(opened).toHaveLength(2);
});

test('each processor gets its own', () => {
  const share = createCompilerShare(2);
  const service = new CompilerService(share, compile);
  const machines = [machineOf(connectCompiler(share, 0), 3), machineOf(connectCompiler(share, 1), 5)] as const;
  expect(service.turn()).toBe(false);
  heat(machines, service);
  expect(machines.map(regions)).toEqual([1, 1]);
  expect(service.turn()).toBe(false);
  for (const [i, step] of [3n, 5n].entries()) {
    const machine = machines[i] as Toy;
    machine.setReg(1, 0n);
    machine.pc = BigInt(machine.base);
    machine.engine.run(2000);
    expect(machine.reg(1)).toBe(1000n * step);
  }
});

test('a batch whose code was written while it was being compiled is given up, and its processor goes on with what is there', () => {
  const share = createCompilerShare(2);
  const service = new CompilerService(share, compile);
  const machines = [machineOf(connectCompiler(share, 0), 3), machineOf(connectCompiler(share, 1), 3)] as const;
  const [written, other] = machines;
  for (let i = 0; i < 150; i++) for (const machine of machines) machine.engine.run(10_000);
  while (service.turn());
  written.load([toy('addi', 1, 1, 7)]);
  for (const machine of machines) {
    machine.setReg(1, 0n);
    machine.pc = BigInt(machine.base);
    machine.engine.run(2000);
    machine.engine.run(2000);
  }
  expect([written.reg(1), regions(written)]).toEqual([14_000n, 0]);
  expect([other.reg(1), regions(other)]).toEqual([6000n, 1]);
});

/** A module with a section that only says what words there were. */
function moduleOf({ id, words }: RegionBatch): CompiledBatch {
  const content = Uint8Array.from({ length: 4 * words.length + 1 }, (_, i) => (words[i >>> 2] ?? 255) & 0xff);
  const size = content.length + 2;
  const leb = [(size & 0x7f) | 0x80, ((size >>> 7) & 0x7f) | 0x80, ((size >>> 14) & 0x7f) | 0x80, size >>> 21];
  return { id, code: Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, ...leb, 1, 0x77, ...content]), regions: [], kept: 0 };
}

const { Module } = wasm as unknown as { readonly Module: { customSections(module: WasmModule, name: string): ArrayBuffer[] } };

describe.each(['as bytes', 'posted'])('modules that come %s', (how) => {
  test('are those of the batches, however long these are', () => {
    const share = createCompilerShare(1);
    const long = 300_000;
    const posted: WasmModule[] = [];
    const service = how === 'posted' ? new CompilerService(share, moduleOf, (_processor, module) => void posted.push(module)) : new CompilerService(share, moduleOf);
    const compiler = connectCompiler(share, 0, how === 'posted' ? () => posted.shift() as WasmModule : undefined);
    const layout = planLayout(toyIsa, { state: 0, base: 4096, memoryBytes: 1 << 22, poolPages: 4 });
    const answers: ReadyBatch[] = [];
    for (const id of [7, 8]) compiler.submit({ id, layout, memoryLimits: { min: 1 }, words: Int32Array.from({ length: long }, (_, i) => i + id) });
    for (let i = 0; i < 100 && answers.length < 2; i++) {
      service.turn();
      const answer = compiler.take();
      if (answer !== undefined) answers.push(answer);
    }
    const said = answers.map(({ id, bytes, module }) => {
      const content = new Uint8Array(Module.customSections(module, 'w')[0] as ArrayBuffer);
      return [id, bytes, content.length, content[0], content[4 * (long - 1)], content[4 * long]];
    });
    expect(said).toEqual([7, 8].map((id) => [id, 4 * long + 16, 4 * long + 1, id, (long - 1 + id) & 0xff, 255]));
    expect(posted).toEqual([]);
  });
});

test('regions that are posted were called, and do what they did not do then', () => {
  const share = createCompilerShare(1);
  const posted: WasmModule[] = [];
  const service = new CompilerService(share, compile, (_processor, module) => void posted.push(module));
  const machine = machineOf(connectCompiler(share, 0, () => posted.shift() as WasmModule), 3);
  heat([machine], service);
  machine.setReg(1, 0n);
  machine.pc = BigInt(machine.base);
  machine.engine.run(2000);
  expect([machine.reg(1), regions(machine)]).toEqual([3000n, 1]);
});

test('a failure is said where its batch came from', () => {
  const share = createCompilerShare(1);
  const service = new CompilerService(share, () => {
    throw new RangeError('no such instruction ✗');
  });
  const machine = machineOf(connectCompiler(share, 0), 1);
  expect(() => heat([machine], service)).toThrow(/a translation could not be compiled: RangeError: no such instruction ✗/);
});
