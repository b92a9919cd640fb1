/** Exchanges of operands that lie in two words, or in two pages: what becomes of them, and what others see of them at the same time. */
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockEmitter, lower } from '../../src/ir/block.ts';
import { local } from '../../src/ir/expr.ts';
import { SPLIT_EXCHANGE, splitFunctions } from '../../src/split_exchange.ts';
import { wasm } from '../../src/wasm/api.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';
import type { ValueType } from '../../src/wasm/opcodes.ts';

const OPERANDS = 0x40;
/** Two pages that a guest has side by side. */
const PAGES = [0x4000, 0x2000] as const;
const PAGE = 0x1000;

const memory = new wasm.Memory({ initial: 1, maximum: 1, shared: true });
const bytes = new Uint8Array(memory.buffer);
let held = 0;
/** What the bus does to the memory once it is held: another processor may be last there. */
let whenHeld = (): void => {};

function generate(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory('host', 'memory', { min: 1, max: 1, shared: true });
  const definitions = Object.entries(splitFunctions(OPERANDS));
  const callees = new Map<string, number>();
  for (const [name, { params, result, body }] of definitions) if (body === undefined) callees.set(name, module.importFunc('host', name, params, [result]));
  for (const [name, { params, result, body }] of definitions) {
    if (body === undefined) continue;
    const { index, code } = module.func(name, params, [result]);
    lower(code, body(new BlockEmitter(code, 0, callees), ...params.map((type, i) => local<ValueType>(type, i))));
    code.end();
    module.export(name, 'func', index);
  }
  return module.build();
}

const binary = generate();
const host = {
  memory,
  holdBus: () => {
    held++;
    whenHeld();
    return 0;
  },
  releaseBus: () => --held,
};
const exchange = new wasm.Instance(new wasm.Module(binary), { host }).exports[SPLIT_EXCHANGE] as (first: number, last: number, size: number) => number;

const placeOf = (at: number): number => (at < PAGE ? PAGES[0] + at : PAGES[1] + at - PAGE);
const read = (at: number, size: number): number[] => Array.from({ length: size }, (_, i) => bytes[placeOf(at + i)] as number);
const write = (at: number, values: readonly number[]): void => values.forEach((value, i) => (bytes[placeOf(at + i)] = value));

const operand = fc
  .constantFrom(2, 4, 8, 16)
  .chain((size) =>
    fc.record({
      size: fc.constant(size),
      at: fc.oneof(fc.integer({ min: 0x100, max: 0x120 }), fc.integer({ min: PAGE - 20, max: PAGE + 4 })).map((at) => (size === 16 ? at & ~15 : at)),
      old: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: size, maxLength: size }),
      next: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: size, maxLength: size }),
      /** Bytes of the old value that are the new one's already, and one that is found to be another. */
      kept: fc.constantFrom(0, 0xff, 0xff00, 0xf0f),
      other: fc.option(fc.nat(size - 1)),
    }),
  );

test('compares, and replaces all bytes or none, and none beside', () => {
  fc.assert(
    fc.property(operand, fc.boolean(), ({ size, at, old, next, kept, other }, late) => {
      const value = next.map((byte, i) => ((kept >> i) & 1 ? (old[i] as number) : byte));
      for (const page of PAGES) bytes.fill(0xa5, page, page + PAGE);
      bytes.fill(0xee, OPERANDS, OPERANDS + 32);
      // What is smaller than 8 bytes is cut to its size.
      for (const from of [OPERANDS, OPERANDS + 16]) bytes.fill(0, from, from + 8);
      bytes.set(old, OPERANDS);
      bytes.set(value, OPERANDS + 16);
      write(at, old);
      const found = old.map((byte, i) => (i === other ? byte ^ 0x10 : byte));
      whenHeld = () => write(at, found);
      if (!late) whenHeld();
      const mismatch = exchange(placeOf(at), placeOf(at + size - 1), size);
      expect(held).toBe(0);
      expect(mismatch).toBe(other === null ? 0 : 1);
      expect(read(at, size)).toEqual(other === null ? value : found);
      expect([...read(at - 16, 16), ...read(at + size, 16)]).toEqual(Array<number>(32).fill(0xa5));
      if (mismatch === 1) expect([...bytes.subarray(OPERANDS, OPERANDS + size)]).toEqual(found);
    }),
    { numRuns: 2000 },
  );
});

const PLACE = 0x5000;
const PHASE = 0;

/** Runs `loop` on a thread of its own, where `tryOnce(expected, value)` exchanges two words at PLACE; meanwhile `beside` here, again and again. */
async function meanwhile(loop: string, beside: () => void): Promise<void> {
  const source = `
    const { binary, memory } = require('node:worker_threads').workerData;
    const host = { memory, holdBus: () => 0, releaseBus: () => 0 };
    const { ${SPLIT_EXCHANGE} } = new WebAssembly.Instance(new WebAssembly.Module(binary), { host }).exports;
    const longs = new BigInt64Array(memory.buffer);
    const operands = longs.subarray(${OPERANDS / 8}, ${OPERANDS / 8 + 4});
    const tryOnce = (expected, value) => {
      operands.set([...expected, ...value]);
      return ${SPLIT_EXCHANGE}(${PLACE}, ${PLACE + 15}, 16) === 0;
    };
    Atomics.store(longs, ${PHASE}, 1n);
    try {
      ${loop}
    } finally {
      Atomics.store(longs, ${PHASE}, 2n);
    }`;
  const longs = new BigInt64Array(memory.buffer);
  longs.fill(0n, PLACE / 8, PLACE / 8 + 2);
  Atomics.store(longs, PHASE, 0n);
  const worker = new Worker(source, { eval: true, workerData: { binary, memory } });
  const ended = new Promise<number>((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  while (Atomics.load(longs, PHASE) === 0n) await new Promise((resolve) => setTimeout(resolve, 1));
  while (Atomics.load(longs, PHASE) === 1n) beside();
  expect(await ended).toBe(0);
}

const words = new BigInt64Array(memory.buffer, PLACE, 2);

test('nobody sees what an exchange that fails would have put there', async () => {
  let seen = 0n;
  await meanwhile('for (let i = 0; i < 50_000; i++) tryOnce([0n, 1n], [2n, 2n]);', () => (seen |= Atomics.load(words, 0) | Atomics.load(words, 1)));
  expect(seen).toBe(0n);
});

test('no access of one word is lost beside exchanges of both', async () => {
  let added = 0n;
  await meanwhile('for (let n = 0n; n < 20_000n; ) if (tryOnce([n, operands[1]], [n + 1n, operands[1]])) n++;', () => {
    Atomics.add(words, 1, 1n);
    added++;
  });
  expect([...words]).toEqual([20_000n, added]);
});
