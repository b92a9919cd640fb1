/** Interpreters from a store are those that were generated. */
import { expect, test } from 'vitest';
import { interpreter } from '../../src/interp/store.ts';
import type { InterpreterStore } from '../../src/interp/store.ts';
import { planLayout } from '../../src/interp/layout.ts';
import { Toy, toy, toyIsa as isa } from './toy.ts';
import type { Isa } from '../../src/isa.ts';
import { i64 } from '../../src/ir/expr.ts';

class MapStore implements InterpreterStore {
  readonly kept = new Map<string, Uint8Array>();
  find(key: string): Uint8Array | undefined {
    return this.kept.get(key);
  }
  keep(key: string, bytes: Uint8Array): void {
    this.kept.set(key, bytes);
  }
}

const layout = planLayout(isa, { state: 0, base: 4096, memoryBytes: 1 << 22, poolPages: 8 });
const options = { isa, layout, memoryLimits: { min: 64 }, translating: true, countStarts: false };

test('a store is asked first, and numbers of handlers do not depend on it', () => {
  const store = new MapStore();
  const generated = interpreter(options, undefined);
  const first = interpreter(options, store);
  expect(first.instructions?.find()).toBeUndefined();
  const [[key, kept]] = [...store.kept] as [[string, Uint8Array]];
  expect(first.bytes).toEqual(generated.bytes);
  expect(kept).toEqual(generated.bytes);
  const second = interpreter(options, { find: (wanted) => (wanted === key ? kept : undefined), keep: () => expect.unreachable() });
  expect(second.bytes).toBe(kept);
  expect(second.handlers.count).toBe(generated.handlers.count);
  for (let number = 0; number < generated.handlers.count; number++) expect(second.handlers.slot(number)).toEqual(generated.handlers.slot(number));
});

test('whatever changes an interpreter changes its key', () => {
  const store = new MapStore();
  const variants = [
    options,
    { ...options, translating: false },
    { ...options, countStarts: true },
    { ...options, layout: { ...layout, strict: true } },
    { ...options, memoryLimits: { min: 64, max: 64 } },
    { ...options, memoryLimits: { min: 64, max: 64, shared: true } },
    { ...options, layout: planLayout(isa, { state: 64, base: 4096, memoryBytes: 1 << 22, poolPages: 8 }) },
    { ...options, layout: planLayout(isa, { state: 0, base: 4096, memoryBytes: 1 << 23, poolPages: 8 }) },
  ];
  for (const variant of variants) expect(interpreter(variant, store).bytes).toEqual(interpreter(variant, undefined).bytes);
  expect(store.kept.size).toBe(variants.length);
});

test('instructions that were wanted are there at the next start', () => {
  const count = 100;
  const more = Array.from({ length: count }, (_, i): Isa['instructions'][number] => ({
    name: `more${i}`, lengths: [4], outline: true, emit: (e) => e.setReg('a', i64.add(i64.mul(e.reg('a'), i64.const(3)), i64.const(i))),
  }));
  const many: Isa = { ...isa, name: 'many', manyOutlined: true, instructions: [...isa.instructions, ...more] };
  const store = new MapStore();
  /** Executes the first so many of them, and says what they come to and how often the store was written to. */
  const execute = (wanted: number, interpreters?: MapStore): { readonly value: bigint; readonly keeps: number } => {
    let keeps = 0;
    const m = new Toy({ isa: many, ...(interpreters === undefined ? {} : { interpreters: { find: (key) => interpreters.find(key), keep: (key, bytes) => void (keeps++, interpreters.keep(key, bytes)) } }) });
    // A jump behind each: blocks are decoded one by one.
    m.load([...Array.from({ length: wanted }, (_, i) => [(isa.instructions.length + i) | (3 << 8), toy('jump', 0, 0, 4)]).flat(), toy('service')]);
    m.engine.run(10_000);
    return { value: m.reg(3), keeps };
  };
  expect(execute(count, store).keeps).toBeGreaterThan(2);
  expect(store.kept.size).toBe(2);
  // What is not kept is not enough to be.
  expect(execute(count, store)).toEqual({ value: execute(count).value, keeps: 0 });
  expect(execute(10, store)).toEqual({ value: execute(10).value, keeps: 0 });
  // In the worst case all that is kept is of no use, and the rest is made as before.
  for (const key of store.kept.keys()) if (key.startsWith('instructions')) store.kept.delete(key);
  expect(execute(30, store).keeps).toBe(1);
  expect(execute(count, store).value).toBe(execute(count).value);
});
