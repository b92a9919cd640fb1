import { expect, test } from 'vitest';
import { createTransfer } from '../../src/wasm/transfer.ts';
import { wasm } from '../../src/wasm/api.ts';

test.each([true, false])('copies the blocks of a context to their places and back, in shared memory: %s', (shared) => {
  const memory = new wasm.Memory({ initial: 1, maximum: 1, shared });
  const bytes = new Uint8Array(memory.buffer);
  const context = bytes.subarray(0x100, 0x120);
  context.set(Uint8Array.from({ length: 32 }, (_, i) => i + 1));
  const { load, store } = createTransfer(memory, { min: 1, max: 1, shared }, [
    { place: 0x1008, offset: 8, bytes: 8 },
    { place: 0x2000, offset: 16, bytes: 16 },
  ]);
  load(0x100);
  expect([...bytes.subarray(0x1008, 0x1010)]).toEqual([9, 10, 11, 12, 13, 14, 15, 16]);
  expect([...bytes.subarray(0x2000, 0x2010)]).toEqual([...context.subarray(16)]);
  expect(bytes[0x1007]).toBe(0);
  bytes.fill(0xff, 0x1008, 0x1010);
  bytes.fill(0xee, 0x2000, 0x2010);
  store(0x100);
  expect([...context]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, ...new Array<number>(8).fill(0xff), ...new Array<number>(16).fill(0xee)]);
});
