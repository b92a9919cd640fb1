/**
 * Walks of 4-level and 5-level paging in generated code, where the second stage has large pages (SDM vol. 3, chapter 4): what `priv/paging.ts` finds for
 * data, where accessed flags are set.
 */
import { i32, i64, Permission, select } from '@axvisor/softcpu';
import type { I32, PageWalk } from '@axvisor/softcpu';
import { CR0, CR4, EFER } from '../priv/fields.ts';
import { LARGE_PAGES, MMU, NESTED, NON_ADDRESS_BITS, storedAt } from '../state.ts';

const PRESENT = 1n << 0n;
const ACCESSED = 1n << 5n;
const [WRITABLE, USER, DIRTY, LARGE, GLOBAL] = [1, 2, 6, 7, 8];
/** Physical addresses have 32 bits. */
const HIGH_ADDRESS = 0x000f_ffff_0000_0000n;
const NO_EXECUTE = 1n << 63n;
/** Enables of breakpoints in DR7. */
const BREAKPOINTS = 0xff;
const PAGE_BITS = 12;
/** What is subtracted at each level. */
const STRIDE = 9;
/** A bit in large leaves that is no address: PAT. */
const PAT = 0x1000;

const bit = (word: I32, n: number): I32 => i32.and(i32.shr_u(word, i32.const(n)), i32.const(1));

export const walk: PageWalk = (b, { address, mmu, giveUpIf, entry, large }) => {
  const control = (name: 'cr0' | 'cr4' | 'efer' | 'dr7', mask: number): I32 => i32.and(b.state('i32.load', storedAt(name)), i32.const(mask));
  giveUpIf(i32.or(i32.eqz(b.state('i32.load', NESTED)), i32.eqz(control('efer', EFER.LMA))));
  // Pages with breakpoints are not cached.
  giveUpIf(i32.or(control('dr7', BREAKPOINTS), i32.eq(mmu, i32.const(MMU.implicit))));
  const ignored = b.let(b.state('i32.load', NON_ADDRESS_BITS));
  const by = i64.extend_i32_u(ignored);
  giveUpIf(i64.ne(i64.shr_s(i64.shl(address, by), by), address));
  const root = b.let(b.state('i64.load', storedAt('cr3')));
  giveUpIf(i64.ne(i64.and(root, i64.const(HIGH_ADDRESS)), i64.const(0)));

  const mask = i64.const(HIGH_ADDRESS | PRESENT | ACCESSED);
  const looked = b.let(select(control('efer', EFER.NXE), mask, i64.or(mask, i64.const(NO_EXECUTE))));
  const table = b.variable(i32.and(i32.wrap_i64(root), i32.const(-1 << PAGE_BITS)));
  // Where the index of the first table begins.
  const shift = b.variable(i32.sub(i32.const(64 - STRIDE), ignored));
  const leaf = b.variable(i32.const(0));
  const rights = b.variable(i32.const(-1));
  b.loop((again) => {
    const index = i32.and(i32.wrap_i64(i64.shr_u(address, i64.extend_i32_u(shift.get))), i32.const(0x1ff));
    // Nested paging, and EPT with dirty flags, take it for a write.
    const found = entry(i32.add(table.get, i32.shl(index, i32.const(3))), Permission.read | Permission.write);
    giveUpIf(i64.ne(i64.and(found, looked), i64.const(PRESENT | ACCESSED)));
    b.assign(leaf, i32.wrap_i64(found));
    b.assign(rights, i32.and(rights.get, leaf.get));
    const isTable = b.let(i32.gt_u(i32.ne(shift.get, i32.const(PAGE_BITS)), bit(leaf.get, LARGE)));
    b.assign(table, i32.and(leaf.get, i32.const(-1 << PAGE_BITS)));
    b.assign(shift, i32.sub(shift.get, i32.const(STRIDE)));
    again(isTable);
  });

  // Users need rights of users, supervisors with SMAP in force must not have them.
  giveUpIf(i32.eq(mmu, select(bit(rights.get, USER), i32.const(MMU.supervisorSmap), i32.const(MMU.user))));
  b.if(i32.ne(shift.get, i32.const(PAGE_BITS - STRIDE)), () => {
    const bits = b.let(i32.add(shift.get, i32.const(STRIDE)));
    const within = b.let(i32.sub(i32.shl(i32.const(1), bits), i32.const(1)));
    giveUpIf(i32.and(i32.and(table.get, within), i32.const(~PAT)));
    large(LARGE_PAGES, bits);
    b.assign(table, i32.or(i32.and(table.get, i32.xor(within, i32.const(-1))), i32.and(i32.wrap_i64(address), within)));
  });
  // Supervisors may write to everything where CR0.WP is clear.
  const unprotected = i32.gt_u(i32.ne(mmu, i32.const(MMU.user)), i32.ne(control('cr0', CR0.WP), i32.const(0)));
  const writable = i32.and(i32.or(bit(rights.get, WRITABLE), unprotected), bit(leaf.get, DIRTY));
  return { output: table.get, writable, global: i32.and(bit(leaf.get, GLOBAL), i32.ne(control('cr4', CR4.PGE), i32.const(0))) };
};
