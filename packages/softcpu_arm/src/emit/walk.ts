/** Walks of stage 1 of EL1&0 in generated code, where stage 2 has blocks (Arm ARM, chapter D8, "Translation table walk"): what `priv/translation.ts` finds for data. */
import { i32, i64, Permission, select } from '@axvisor/softcpu';
import type { I32, PageWalk } from '@axvisor/softcpu';
import { MMU, WALK_BLOCKS, WALK_BLOCK_COUNT, WALK_LOWER, WALK_NORMAL, WALK_UPPER, WalkRange } from '../state.ts';
import { stateBase } from './define.ts';

const VALID = 1n;
/** Output addresses have 32 bits. */
const HIGH_OUTPUT = 0xffff_0000_0000n;
const AP_TABLE = 3n << 61n;
const AF = 0x400;
const BLOCK_MASK = 0x1f_ffff;
const PAGE_BITS = 12;
const BLOCK_BITS = 21;
/** What is subtracted at each level. */
const STRIDE = 9;

const bit = (word: I32, n: number): I32 => i32.and(i32.shr_u(word, i32.const(n)), i32.const(1));

export const walk: PageWalk = (b, { address, mmu, giveUpIf, entry }) => {
  const range = b.let(select(i64.lt_s(address, i64.const(0)), i32.const(WALK_UPPER - WALK_LOWER), i32.const(0)));
  const field = (offset: number): I32 => b.read('i32.load', range, stateBase(b) + WALK_LOWER + offset);
  const root = b.let(field(WalkRange.root));
  giveUpIf(i32.or(i32.eqz(root), i32.eq(mmu, i32.const(MMU.el2))));
  // All bits above the input are alike. With a tag in the top byte they are not.
  const sign = i64.shr_s(address, i64.const(63));
  giveUpIf(i64.ne(i64.shr_s(address, i64.extend_i32_u(field(WalkRange.inputBits))), sign));

  const table = b.variable(root);
  const shift = b.variable(field(WalkRange.shift));
  const mask = b.variable(field(WalkRange.mask));
  const descriptor = b.variable(i64.const(0));
  b.loop((again) => {
    const index = i32.and(i32.wrap_i64(i64.shr_u(address, i64.extend_i32_u(shift.get))), mask.get);
    b.assign(descriptor, entry(i32.add(table.get, i32.shl(index, i32.const(3))), Permission.read));
    // A page has the same bits as a table.
    const isBlock = i32.and(i32.eqz(bit(i32.wrap_i64(descriptor.get), 1)), i32.eq(shift.get, i32.const(BLOCK_BITS)));
    giveUpIf(i64.ne(i64.and(descriptor.get, i64.const(VALID | HIGH_OUTPUT)), i64.const(VALID)));
    const isTable = b.let(i32.and(bit(i32.wrap_i64(descriptor.get), 1), i32.ne(shift.get, i32.const(PAGE_BITS))));
    giveUpIf(i32.and(isTable, i64.ne(i64.and(descriptor.get, i64.const(AP_TABLE)), i64.const(0))));
    giveUpIf(i32.eqz(i32.or(bit(i32.wrap_i64(descriptor.get), 1), isBlock)));
    b.assign(table, i32.and(i32.wrap_i64(descriptor.get), i32.const(-1 << PAGE_BITS)));
    b.assign(shift, i32.sub(shift.get, i32.const(STRIDE)));
    b.assign(mask, i32.const(0x1ff));
    again(isTable);
  });

  const leaf = b.let(i32.wrap_i64(descriptor.get));
  b.if(i32.eq(shift.get, i32.const(BLOCK_BITS - STRIDE)), () => {
    // TLB maintenance has to find that pieces of it are cached: JavaScript notes it.
    const number = b.let(i64.shr_u(address, i64.const(BLOCK_BITS)));
    const noted = i32.shl(i32.and(i32.wrap_i64(number), i32.const(WALK_BLOCK_COUNT - 1)), i32.const(3));
    giveUpIf(i64.ne(b.read('i64.load', noted, stateBase(b) + WALK_BLOCKS), number));
    const within = i32.and(i32.wrap_i64(address), i32.const(BLOCK_MASK & (-1 << PAGE_BITS)));
    b.assign(table, i32.or(i32.and(leaf, i32.const(~BLOCK_MASK)), within));
  });
  giveUpIf(i32.eqz(i32.and(leaf, i32.const(AF))));
  giveUpIf(i32.eqz(bit(i32.shr_u(b.state('i32.load', WALK_NORMAL), i32.and(i32.shr_u(leaf, i32.const(2)), i32.const(7))), 0)));
  // AP[1]: EL0 may, so that EL0 needs it, and EL1 with PAN must not have it.
  giveUpIf(i32.eq(mmu, select(bit(leaf, 6), i32.const(MMU.el1Pan), i32.const(MMU.el0))));
  return {
    output: table.get,
    // AP[2]: not writable.
    writable: i32.eqz(bit(leaf, 7)),
    // nG
    global: i32.eqz(bit(leaf, 11)),
  };
};
