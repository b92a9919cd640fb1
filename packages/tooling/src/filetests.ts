/** Translator filetests: what the translator makes of guest code, as WebAssembly text, `NAME.wat` for `NAME.s`. `vitest -u` blesses what it makes now. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import wabtInit from 'wabt';

const FEATURES = { threads: true, simd: true, tail_call: true, sat_float_to_int: true, sign_extension: true, bulk_memory: true } as const;

/** @param translate - the module with the region that begins at the start of a program */
export async function filetests(folder: string, translate: (source: string) => Uint8Array): Promise<void> {
  const wabt = await wabtInit();
  test.each(readdirSync(folder).filter((name) => name.endsWith('.s')))('%s', async (name) => {
    const module = translate(readFileSync(join(folder, name), 'utf8'));
    const text = wabt.readWasm(module, { ...FEATURES, readDebugNames: true }).toText({ foldExprs: true, inlineExport: false });
    const start = text.indexOf('  (func $region');
    await expect(`${text.slice(start, text.indexOf('\n  (', start + 1))}\n`).toMatchFileSnapshot(join(folder, name.replace('.s', '.wat')));
  });
}
