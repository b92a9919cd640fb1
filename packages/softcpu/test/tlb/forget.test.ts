import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FetchCache } from '../../src/interp/fetch_cache.ts';
import { ENGINE, planLayout, TAG_SPACE_SHIFT } from '../../src/interp/layout.ts';
import { emptyTables } from '../../src/tlb/empty.ts';
import { FORGET, generateForget } from '../../src/tlb/forget.ts';
import { Tlb } from '../../src/tlb/tlb.ts';
import { wasm } from '../../src/wasm/api.ts';
import { ModuleBuilder } from '../../src/wasm/module.ts';
import { toyIsa } from '../interp/toy.ts';

const layout = planLayout(toyIsa, { state: 0, base: 4096, memoryBytes: 1 << 22, poolPages: 1 });
const pages = Math.ceil(layout.end / 0x1_0000);
const memory = new wasm.Memory({ initial: pages });
emptyTables(memory, { min: pages }, layout);
const words = new Int32Array(memory.buffer);
const tlb = new Tlb(words, layout);
const fetches = new FetchCache(words, toyIsa, layout, () => true);
const remapped: string[] = [];
fetches.observer = { remapped: () => remapped.push('all'), remappedPage: (lo, hi, modes) => remapped.push(`${lo} ${hi} ${modes}`) };

const module = new ModuleBuilder();
module.importMemory('host', 'memory', { min: pages });
module.export(FORGET, 'func', generateForget(module, layout));
const forget = new wasm.Instance(new wasm.Module(module.build()), { host: { memory } }).exports[FORGET] as (address: bigint) => number;

/** Few pages that meet in the tables, and tags in the top byte. */
const address = fc
  .tuple(fc.constantFrom(0n, 0x5000n, 0x4_0000_0000n, 0xffff_ff80_0000_0000n, 0xffff_ffff_ffff_f000n), fc.bigInt({ min: 0n, max: 2n }), fc.constantFrom(0n, 1n, 1n << 10n, 1n << 12n, 1n << 20n), fc.constantFrom(0n, 0n, 1n << 56n))
  .map(([base, page, more, tag]) => BigInt.asUintN(64, (base + (page + more) * 4096n) ^ tag));
const lo = (value: bigint): number => Number(BigInt.asIntN(32, value));
const hi = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));
const step = fc.oneof(
  fc.record({ data: address, write: fc.boolean(), mode: fc.nat({ max: 3 }), page: fc.nat({ max: 500 }), global: fc.boolean() }),
  fc.record({ fetch: address, tag: fc.nat({ max: 3 }), space: fc.nat({ max: 9 }), straddles: fc.boolean() }),
);

test('a page is forgotten as JavaScript does, which is asked where code was fetched from it', () => {
  const asked = [0, 0];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.array(address, { minLength: 1, maxLength: 5 }), (steps, addresses) => {
      tlb.flush();
      fetches.flush();
      for (const s of steps) {
        if ('data' in s) {
          tlb.fill(s.write, s.mode, lo(s.data), hi(s.data), s.page * 4096, s.global);
          tlb.fillSecond(lo(s.data), hi(s.data), (s.mode << TAG_SPACE_SHIFT) | s.mode, s.page * 4096, 3);
        } else if (s.straddles) fetches.fillStraddle(lo(s.fetch), hi(s.fetch), (s.space << TAG_SPACE_SHIFT) | s.tag, 0, 0);
        else fetches.fill(lo(s.fetch), hi(s.fetch), (s.space << TAG_SPACE_SHIFT) | s.tag, layout.pool);
      }
      for (const at of addresses) {
        const before = words.slice(0, layout.end / 4);
        const isDone = forget(at) === 1;
        const after = words.slice(0, layout.end / 4);
        words.set(before);
        remapped.length = 0;
        tlb.flushPage(lo(at), hi(at));
        fetches.flushPage(lo(at), hi(at));
        (asked[isDone ? 1 : 0] as number)++;
        // What is told of is told by JavaScript.
        if (!isDone) continue;
        expect(remapped).toEqual([]);
        expect(after.every((word, i) => word === words[i])).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
  expect(Math.min(...asked)).toBeGreaterThan(0);
  expect(words[(layout.engine + ENGINE.status) >>> 2]).toBe(0);
});
