/** WebAssembly that code was translated to, as text. */
import { usageError } from '../errors.ts';

/** What generated modules use. */
const FEATURES = { threads: true, simd: true, tail_call: true, sat_float_to_int: true, sign_extension: true, bulk_memory: true } as const;

/** The text of the one region of a module, without what surrounds it. */
export type RegionText = (module: Uint8Array) => string;

/** @throws {CliError} the package `wabt`, which does it, was left out when this one was installed. */
export async function regionPrinter(): Promise<RegionText> {
  let wabt;
  try {
    wabt = await (await import('wabt')).default();
  } catch (e) {
    throw usageError('--wasm needs the optional package wabt, which is not installed', e);
  }
  return (bytes) => {
    const module = wabt.readWasm(bytes, { ...FEATURES, readDebugNames: true });
    const text = module.toText({ foldExprs: true, inlineExport: false });
    module.destroy();
    const start = text.indexOf('  (func $region');
    return text.slice(start, text.indexOf('\n  (', start + 1));
  };
}
