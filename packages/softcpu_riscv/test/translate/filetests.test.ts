/**
 * What the translator makes of guest code, as WebAssembly text: `golden/NAME.wat` for `golden/NAME.s`. `vitest -u` blesses
 * what it makes now. Only the first region of a program is kept.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Execution, wasm } from '@axvisor/softcpu';
import wabtInit from 'wabt';
import { expect, test, vi } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

const folder = join(import.meta.dirname, 'golden');
const wabt = await wabtInit();
const features = { threads: true, tail_call: true, sat_float_to_int: true, sign_extension: true, bulk_memory: true };

/** The first region's function in the text of a module. */
function firstRegion(bytes: Uint8Array): string {
  const text = wabt.readWasm(bytes, { ...features, readDebugNames: true }).toText({ foldExprs: true, inlineExport: false });
  const start = text.indexOf('  (func $region');
  const end = text.indexOf('\n  (', start + 1);
  return `${text.slice(start, end)}\n`;
}

test.each(readdirSync(folder).filter((name) => name.endsWith('.s')))('%s', async (name) => {
  const machine = new BareMachine({ ramBytes: 1 << 20, poolPages: 16, engine: Execution.translator });
  const { bytes } = assemble(readFileSync(join(folder, name), 'utf8'), { base: BigInt(RAM_BASE) });
  machine.ram.set(bytes);
  machine.hart.reset(BigInt(RAM_BASE));
  const modules = vi.spyOn(wasm, 'Module');
  machine.hart.run(1);
  const [first] = modules.mock.calls.map(([module]) => module);
  modules.mockRestore();
  await expect(firstRegion(first as Uint8Array)).toMatchFileSnapshot(join(folder, name.replace('.s', '.wat')));
});
