/** `main.ts KERNEL MEMORY`: runs a multiboot kernel in v86 without a BIOS, its serial port on standard output. Memory in MiB. */

import { readFile } from 'node:fs/promises';
import { loadV86 } from './package.ts';

const [kernel = '', memory = ''] = process.argv.slice(2);
const { V86, wasm } = await loadV86();
const { buffer } = new Uint8Array(await readFile(kernel));
const emulator = new V86({ wasm_path: wasm, memory_size: Number(memory) << 20, multiboot: { buffer }, autostart: true });
emulator.add_listener('serial0-output-byte', (byte) => process.stdout.write(String.fromCharCode(byte)));
