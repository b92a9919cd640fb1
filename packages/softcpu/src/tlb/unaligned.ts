/**
 * The second look at the delta TLB (see `tlb.ts`): its one test refuses addresses that are not aligned, too. Where those are carried out and
 * lie within a page, the entry serves them as well.
 */
import { lower } from '../ir/block.ts';
import type { BlockEmitter } from '../ir/block.ts';
import { i32, i64, local, read } from '../ir/expr.ts';
import { ACCESS_STORE, tlbTableSize } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { Code } from '../wasm/code.ts';

/** Returns from a function `(i64 address, i64 value, i32 mode of the access, …)` with the place of the data, if that is it. */
export function returnUnaligned(code: Code, block: BlockEmitter, isa: Isa, layout: Layout): void {
  const { aligned, mmuIdx } = isa.state;
  if (aligned === undefined) return;
  const { state, tlb, windowBits: w } = layout;
  const address = local('i64', 0);
  const mode = local('i32', 2);
  const word = (offset: number): ReturnType<typeof i32.const> => read('i32.load', i32.const(0), state + offset);
  const low = i32.wrap_i64(address);
  const size = i32.and(mode, i32.const(15));
  const within = i32.le_u(i32.add(i32.and(low, i32.const(4095)), size), i32.const(4096));
  const unaligned = i32.ne(i32.and(low, i32.sub(size, i32.const(1))), i32.const(0));
  // Other modes want more than a place for a value.
  const plain = i32.le_u(mode, i32.const(ACCESS_STORE | 15));
  block.if(i32.and(i32.and(plain, i32.eqz(word(aligned))), i32.and(within, unaligned)), () => {
    const shifted = i32.wrap_i64(i64.shr_u(address, i64.const(9)));
    const index = i32.and(shifted, i32.const((2 ** (w - 11) - 1) * 8));
    const isStore = i32.and(i32.shr_u(mode, i32.const(Math.log2(ACCESS_STORE))), i32.const(1));
    const table = i32.mul(i32.add(word(mmuIdx), i32.mul(isStore, i32.const(MMU_MODES))), i32.const(tlbTableSize(w)));
    const host = block.let(i64.add(address, read('i64.load', i32.add(index, table), tlb)));
    block.if(i64.eqz(i64.and(host, i64.const(-(2n ** BigInt(w))))), () => {
      lower(code, i32.wrap_i64(host));
      code.return();
    });
  });
}
