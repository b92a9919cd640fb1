/**
 * Physical memory: one WebAssembly memory, shared between threads where the runtime allows it. A host physical address is
 * an offset in it.
 */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { PhysMemory, WasmMemory } from '@axvisor/axvisor_api/memory';
import { runtime } from '../runtime.ts';

const WASM_PAGE = 0x1_0000;
/** 32-bit linear memory reaches 4 GiB. */
const MAX_BYTES = 0x1_0000_0000;

/**
 * Reserves `bytes` of zeroed memory. The runtime maps it lazily: a page costs host memory only once it is touched.
 *
 * @throws {AxError} InvalidInput unless `bytes` is a positive multiple of 64 KiB up to 4 GiB
 */
export function createPhysMemory(bytes: number): PhysMemory {
  ensure(
    Number.isInteger(bytes) && bytes > 0 && bytes <= MAX_BYTES && bytes % WASM_PAGE === 0,
    'InvalidInput',
    `physical memory of ${bytes} bytes: a positive multiple of 64 KiB up to 4 GiB is wanted`,
  );
  const pages = bytes / WASM_PAGE;
  // A memory whose maximum is its initial size never moves and never grows, so the views below stay valid.
  return viewPhysMemory(new runtime.WebAssembly.Memory({ initial: pages, maximum: pages, shared: runtime.SharedArrayBuffer !== undefined }));
}

/** Physical memory on a WebAssembly memory that exists. */
export function viewPhysMemory(memory: WasmMemory): PhysMemory {
  const { buffer } = memory;
  return { memory, bytes: new Uint8Array(buffer), words: new Int32Array(buffer), longs: new BigUint64Array(buffer) };
}
