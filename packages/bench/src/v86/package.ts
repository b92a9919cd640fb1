/** Where the npm package v86 is, if it is installed: only the comparison with it needs it. */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

function main(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('v86');
  } catch {
    return undefined;
  }
}

/** Whether it is installed. */
export const hasV86 = (): boolean => main() !== undefined;

/** An emulator that runs, as its own types describe it. */
interface Emulator {
  add_listener(event: 'serial0-output-byte', listener: (byte: number) => void): void;
}

/** What of its options is used. */
interface EmulatorOptions {
  readonly wasm_path: string;
  /** In bytes. */
  readonly memory_size: number;
  readonly multiboot: { readonly buffer: ArrayBuffer };
  readonly autostart: true;
}

/** Its class, and the WebAssembly module that goes with it. */
export interface V86Package {
  readonly V86: new (options: EmulatorOptions) => Emulator;
  readonly wasm: string;
}

/** @throws {Error} when it is not installed */
export async function loadV86(): Promise<V86Package> {
  const path = main();
  if (path === undefined) throw new Error('the package v86 is not installed');
  const { V86 } = (await import(pathToFileURL(path).href)) as Pick<V86Package, 'V86'>;
  return { V86, wasm: join(dirname(path), 'v86.wasm') };
}
