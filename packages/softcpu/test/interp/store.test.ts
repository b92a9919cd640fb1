/** Interpreters from a store are those that were generated. */
import { expect, test } from 'vitest';
import { interpreter } from '../../src/interp/store.ts';
import type { InterpreterStore } from '../../src/interp/store.ts';
import { planLayout } from '../../src/interp/layout.ts';
import { toyIsa as isa } from './toy.ts';

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
const options = { isa, layout, memoryLimits: { min: 64 }, translating: true, countStarts: false, strict: false };

test('a store is asked first, and numbers of handlers do not depend on it', () => {
  const store = new MapStore();
  const generated = interpreter(options, undefined);
  const first = interpreter(options, store);
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
    { ...options, strict: true },
    { ...options, memoryLimits: { min: 64, max: 64 } },
    { ...options, memoryLimits: { min: 64, max: 64, shared: true } },
    { ...options, layout: planLayout(isa, { state: 64, base: 4096, memoryBytes: 1 << 22, poolPages: 8 }) },
    { ...options, layout: planLayout(isa, { state: 0, base: 4096, memoryBytes: 1 << 23, poolPages: 8 }) },
  ];
  for (const variant of variants) expect(interpreter(variant, store).bytes).toEqual(interpreter(variant, undefined).bytes);
  expect(store.kept.size).toBe(variants.length);
});
