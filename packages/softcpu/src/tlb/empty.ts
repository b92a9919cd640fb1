/**
 * Empties the tables of the delta TLB (see `tlb.ts`) when a processor is made. They take 1/32 of the memory that it addresses: WebAssembly writes
 * them in a fifth of the time of JavaScript that is executed for the first time.
 */
import { tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmMemory } from '../wasm/api.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import { numeric } from '../wasm/opcodes.ts';

/** Entry of slot `slot`, when it is empty, of tables for a window of `window` bytes. */
export const emptyEntry = (window: number, slot: number): number => window - slot * 4096;

/** Empties every table in `memory`, which was created with `limits`. */
export function emptyTables(memory: WasmMemory, limits: Limits, { tlb, windowBits }: Pick<Layout, 'tlb' | 'windowBits'>): void {
  const size = tlbTableSize(windowBits);
  const module = new ModuleBuilder();
  module.importMemory('host', 'memory', limits);
  const { index, code } = module.func('empty', [], []);
  const at = code.local('i32');
  const entry = code.local('i64');
  code.i32(tlb);
  code.set(at);
  code.i64(BigInt(emptyEntry(2 ** windowBits, 0)));
  code.set(entry);
  const loop = code.loop();
  code.get(at);
  code.get(entry);
  code.access('i64.store');
  code.get(entry);
  code.i64(4096n);
  code.op(numeric['i64.sub']);
  code.set(entry);
  code.get(at);
  code.i32(8);
  code.op(numeric['i32.add']);
  code.tee(at);
  code.i32(tlb + size);
  code.op(numeric['i32.ne']);
  code.brIf(loop);
  code.end();
  for (let table = 1; table < 2 * MMU_MODES; table++) {
    code.i32(tlb + table * size);
    code.i32(tlb);
    code.i32(size);
    code.copy();
  }
  code.end();
  module.export('empty', 'func', index);
  const { exports } = new wasm.Instance(new wasm.Module(module.build()), { host: { memory } });
  (exports['empty'] as () => void)();
}
