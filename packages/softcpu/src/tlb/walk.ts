/**
 * Walks of page tables in WebAssembly: what the caches of translations do not have, an instruction set may find for itself where everything is as it
 * nearly always is. What is found goes to the second-level TLB; of all else, faults included, JavaScript is asked.
 */
import { ACCESS_STORE, ACCESS_UPDATE, ENGINE, NO_TAG, PAGE_SIZE, SECOND_ENTRY_SIZE, SECOND_WAYS } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { BlockEmitter } from '../ir/block.ts';
import type { Block } from '../ir/emitter.ts';
import { i32, i64, local, select } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';
import type { Isa } from '../isa.ts';
import { Permission } from '../machine.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { GUEST_BLOCK_SIZE } from './guest_blocks.ts';
import { noteLargeLeaf } from './large_leaves.ts';
import { GLOBAL, secondSet } from './second.ts';

/** What is asked for, and what helps to find it. */
export interface WalkContext {
  readonly address: I64;
  /** MMU mode of the access. */
  readonly mmu: I32;
  /** Leaves it to JavaScript if a condition holds. */
  giveUpIf(condition: I32): void;
  /**
   * The 8 bytes of a table at a guest physical address, bound.
   *
   * @param needs - bits of {@link Permission} that the second stage must grant there.
   */
  entry(at: I32, needs: number): I64;
  /** Notes in the `LargeLeaves` at an offset of the state block that pieces of a leaf of 2^shift bytes are cached. */
  large(leaves: number, shift: I32): void;
}

/** Guest physical address below 4 GiB of what is found, or of anything in its page; whether the first stage lets it be written, and all address spaces have it (0 or 1). */
export interface WalkedPage {
  readonly output: I32;
  readonly writable: I32;
  readonly global: I32;
}

/** Defines a walk of the first stage. It neither faults nor writes to tables, and finds no page that must not be cached. */
export type PageWalk = (b: Block, context: WalkContext) => WalkedPage;

const BLOCK_MASK: number = GUEST_BLOCK_SIZE - 1;
const bit = (word: I32, n: number): I32 => i32.and(i32.shr_u(word, i32.const(n)), i32.const(1));

/** `(address, mode)`: 1 if the second-level TLB has the page now. */
export function generateWalk(module: ModuleBuilder, isa: Isa, layout: Layout, walk: PageWalk): number {
  const { index, code } = module.func('walk', ['i64', 'i32'], ['i32']);
  const b = new BlockEmitter(code, layout.state, new Map());
  const address = local('i64', 0);
  const mode = local('i32', 1);
  const mmu = b.let(b.state('i32.load', isa.state.mmuIdx));
  const giveUpIf = (condition: I32): void =>
    b.if(condition, () => {
      code.i32(0);
      code.return();
    }, undefined, false);
  /** What `GuestBlocks` has around a guest physical address, bound. */
  const block = (at: I32): I32 => b.let(b.read('i32.load', i32.shl(i32.shr_u(at, i32.const(Math.log2(GUEST_BLOCK_SIZE))), i32.const(2)), layout.guestBlocks));
  const placeIn = (of: I32, at: I32): I32 => i32.or(i32.and(of, i32.const(~BLOCK_MASK)), i32.and(at, i32.const(BLOCK_MASK)));
  const { output, writable, global } = walk(b, {
    address,
    mmu,
    giveUpIf,
    entry: (at, needs) => {
      const bound = b.let(at);
      const of = block(bound);
      giveUpIf(i32.ne(i32.and(of, i32.const(needs)), i32.const(needs)));
      return b.let(b.read('i64.load', placeIn(of, bound)));
    },
    large: (leaves, shift) => giveUpIf(i32.eqz(noteLargeLeaf(b, layout.state + leaves, address, shift))),
  });
  const at = b.let(output);
  const of = block(at);
  giveUpIf(i32.eqz(bit(of, Math.log2(Permission.read))));
  const page = b.let(i32.and(placeIn(of, at), i32.const(-PAGE_SIZE)));
  // Who shares memory says before it is able to write that it is, in JavaScript: of a page that it could write to, it has.
  const opened = layout.alone ? i32.const(1) : b.read('i32.load8_u', i32.shr_u(page, i32.const(12)), layout.writable);
  const mayWrite = b.let(i32.and(i32.and(writable, bit(of, Math.log2(Permission.write))), opened));
  const isWrite = i32.ne(i32.and(mode, i32.const(ACCESS_STORE | ACCESS_UPDATE)), i32.const(0));
  giveUpIf(i32.gt_u(isWrite, mayWrite));
  const permissions = b.let(i32.or(i32.const(Permission.read), i32.shl(mayWrite, i32.const(Math.log2(Permission.write)))));
  fillSecond(b, layout, address, mmu, page, permissions, b.let(global));
  code.i32(1);
  code.end();
  return index;
}

/** As `SecondTlb.fill`. */
function fillSecond(b: Block, layout: Layout, address: I64, mmu: I32, page: I32, permissions: I32, global: I32): void {
  const tags = select(global, i32.const(ENGINE.globalTags), i32.const(ENGINE.dataTags));
  const low = b.read('i32.load', i32.add(i32.shl(mmu, i32.const(2)), tags), layout.engine);
  const tag = b.let(i64.or(i64.and(address, i64.const(-PAGE_SIZE)), i64.extend_i32_u(low)));
  const set = b.let(secondSet(i64.shr_u(address, i64.const(12))));
  const place = b.variable(i32.const(-1));
  const ways = Array.from({ length: SECOND_WAYS }, (_, way) => way * SECOND_ENTRY_SIZE);
  for (const wanted of [i64.const(NO_TAG), tag])
    for (const way of ways) b.if(i64.eq(b.read('i64.load', set, layout.second + way), wanted), () => b.assign(place, i32.add(set, i32.const(way))));
  b.if(i32.lt_s(place.get, i32.const(0)), () => {
    const victim = b.let(i32.and(i32.add(b.read('i32.load', i32.const(0), layout.engine + ENGINE.victim), i32.const(1)), i32.const(SECOND_WAYS - 1)));
    b.write('i32.store', i32.const(0), victim, layout.engine + ENGINE.victim);
    b.assign(place, i32.add(set, i32.mul(victim, i32.const(SECOND_ENTRY_SIZE))));
  });
  const old = b.let(b.read('i32.load', place.get, layout.second + 8));
  // What was permitted before stays, if it is the same page.
  const isSame = i32.and(i64.eq(b.read('i64.load', place.get, layout.second), tag), i32.eq(i32.and(old, i32.const(-PAGE_SIZE)), page));
  const more = b.let(select(isSame, i32.and(old, i32.const(PAGE_SIZE - 1)), i32.const(0)));
  const rights = i32.or(permissions, i32.shl(global, i32.const(Math.log2(GLOBAL))));
  b.write('i64.store', place.get, tag, layout.second);
  b.write('i32.store', place.get, i32.or(i32.or(page, rights), more), layout.second + 8);
  b.if(i32.and(permissions, i32.const(Permission.write)), () => b.write('i32.store8', i32.shr_u(page, i32.const(12)), i32.const(1), layout.writable));
}
