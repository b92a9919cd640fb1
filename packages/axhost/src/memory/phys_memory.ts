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
  const maximum = bytes / WASM_PAGE;
  const shared = runtime.SharedArrayBuffer !== undefined;
  // Of the size that a memory is made with V8's garbage collector thinks as of other buffers: half a gigabyte of a sudden makes it mark the whole
  // heap. It does not mind that a shared one grows.
  const initial = shared ? 1 : maximum;
  const memory = new runtime.WebAssembly.Memory({ initial, maximum, shared });
  if (initial < maximum) memory.grow(maximum - initial);
  // A memory of its maximum size never moves and never grows, so the views stay valid.
  return viewPhysMemory(memory);
}

/** Physical memory on a WebAssembly memory that exists. */
export function viewPhysMemory(memory: WasmMemory): PhysMemory {
  const { buffer } = memory;
  return { memory, bytes: new Uint8Array(buffer), words: new Int32Array(buffer), longs: new BigUint64Array(buffer) };
}
