/**
 * Forgets one page in WebAssembly, for the instructions of guests that do so: what `Tlb` and `FetchCache` have of it. Where code was fetched from the
 * page, or may have been, JavaScript is asked, which tells others too.
 */
import {
  EVICTED, FETCH_ENTRIES, FETCH_ENTRY_SIZE, FETCH_FOLD, FETCH_PLACES, NO_TAG, PAGE_SIZE, SECOND_ENTRY_SIZE, SECOND_WAYS, STRADDLE_PLACES, tlbTableSize,
} from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter } from '../ir/block.ts';
import { i32, i64, local } from '../ir/expr.ts';
import type { I32 } from '../ir/expr.ts';
import { MMU_MODES } from '../isa.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { secondSet } from './second.ts';

/** Export of the interpreter: `(address) → 1, 0 if JavaScript must be asked`. */
export const FORGET = 'forget';

/** Bits of an address that are not a tag, without those in the page. */
const UNTAGGED_PAGE = 0xff_ffff_ffff_f000n;

export function generateForget(module: ModuleBuilder, layout: Layout): number {
  const { index, code } = module.func(FORGET, ['i64'], ['i32']);
  const b = new BlockEmitter(code, layout.state, new Map());
  const address = local('i64', 0);
  const askIf = (condition: I32): void =>
    b.if(condition, () => {
      code.i32(0);
      code.return();
    }, undefined, false);
  const number = b.let(i32.shr_u(i32.wrap_i64(address), i32.const(Math.log2(PAGE_SIZE))));

  // As `FetchCache.flushPage`: of the tag in an entry, what is not the page is anything.
  const evicted = i32.shl(i32.and(number, i32.const(EVICTED - 1)), i32.const(1));
  const found = b.variable(b.read('i32.load16_u', evicted, layout.fetchEvicted));
  const first = b.let(i32.xor(number, i32.shr_u(i32.wrap_i64(address), i32.const(FETCH_FOLD))));
  const page = b.let(i64.and(address, i64.const(-PAGE_SIZE)));
  for (let place = 0; place < FETCH_PLACES; place++) {
    const entry = i32.and(i32.xor(first, i32.const(place * (FETCH_ENTRIES / FETCH_PLACES))), i32.const(FETCH_ENTRIES - 1));
    const tag = b.read('i64.load', i32.mul(entry, i32.const(FETCH_ENTRY_SIZE)), layout.fetchCache);
    b.assign(found, i32.or(found.get, i64.eq(i64.and(tag, i64.const(-PAGE_SIZE)), page)));
  }
  askIf(found.get);
  for (const before of [0, 1]) {
    for (let place = 0; place < STRADDLE_PLACES; place++) {
      const changed = i32.xor(i32.sub(number, i32.const(before)), i32.const(place * (layout.straddleEntries / STRADDLE_PLACES)));
      const entry = i32.and(changed, i32.const(layout.straddleEntries - 1));
      b.write('i32.store', i32.mul(entry, i32.const(FETCH_ENTRY_SIZE)), i32.const(NO_TAG), layout.straddleCache);
    }
  }

  // As `Tlb.flushPage`.
  const { windowBits: w } = layout;
  const slot = b.let(i32.and(i32.wrap_i64(i64.shr_u(address, i64.const(12))), i32.const(2 ** (w - 11) - 1)));
  const empty = b.let(i64.sub(i64.const(2n ** BigInt(w)), i64.shl(i64.extend_i32_u(slot), i64.const(12))));
  const at = b.let(i32.shl(slot, i32.const(3)));
  for (let table = 0; table < 2 * MMU_MODES; table++) b.write('i64.store', at, empty, layout.tlb + table * tlbTableSize(w));
  const set = b.let(secondSet(i64.shr_u(address, i64.const(12))));
  for (let way = 0; way < SECOND_WAYS; way++) {
    const tag = b.read('i64.load', set, layout.second + way * SECOND_ENTRY_SIZE);
    const differs = i64.and(i64.xor(tag, address), i64.const(UNTAGGED_PAGE));
    b.if(i64.eqz(differs), () => b.write('i64.store', set, i64.const(NO_TAG), layout.second + way * SECOND_ENTRY_SIZE));
  }
  code.i32(1);
  code.end();
  return index;
}
