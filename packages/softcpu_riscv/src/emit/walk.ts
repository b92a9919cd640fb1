/**
 * Walks of VS-stage translation in generated code, where the G-stage has superpages (supervisor chapter, "Virtual Address Translation Process"): what
 * `priv/translation.ts` finds for data, with MXR clear.
 */
import { i32, i64, Permission, select } from '@axvisor/softcpu';
import type { I32, PageWalk } from '@axvisor/softcpu';
import { Pte } from '../priv/fields.ts';
import { MMU, SUPERPAGES, WALK_ROOT, WALK_SHIFT } from '../state.ts';

/** Bits of a PTE that are reserved or PBMT, or lead above 4 GiB. */
const ABOVE = 0xffff_ffff_c000_0000n;
const VALID = 1n;
const PAGE_BITS = 12;
/** What is subtracted at each level. */
const STRIDE = 9;

const bit = (word: I32, mask: number): I32 => i32.ne(i32.and(word, i32.const(mask)), i32.const(0));

export const walk: PageWalk = (b, { address, mmu, giveUpIf, entry, large }) => {
  const root = b.let(b.state('i32.load', WALK_ROOT));
  giveUpIf(i32.eqz(root));
  const shift = b.variable(b.state('i32.load', WALK_SHIFT));
  // All bits above those that are translated are alike.
  const highest = i64.extend_i32_u(i32.add(shift.get, i32.const(STRIDE - 1)));
  giveUpIf(i64.ne(i64.shr_s(address, highest), i64.shr_s(address, i64.const(63))));

  const table = b.variable(root);
  const pte = b.variable(i32.const(0));
  b.loop((again) => {
    const index = i32.and(i32.wrap_i64(i64.shr_u(address, i64.extend_i32_u(shift.get))), i32.const(0x1ff));
    const found = entry(i32.add(table.get, i32.shl(index, i32.const(3))), Permission.read);
    giveUpIf(i64.ne(i64.and(found, i64.const(ABOVE | VALID)), i64.const(VALID)));
    b.assign(pte, i32.wrap_i64(found));
    const isTable = b.let(i32.eqz(bit(pte.get, Pte.R | Pte.W | Pte.X)));
    giveUpIf(i32.and(isTable, i32.or(bit(pte.get, Pte.D | Pte.A | Pte.U), i32.eq(shift.get, i32.const(PAGE_BITS)))));
    b.assign(table, i32.shl(i32.and(pte.get, i32.const(~0x3ff)), i32.const(2)));
    b.assign(shift, i32.sub(shift.get, i32.const(STRIDE)));
    again(isTable);
  });

  const has = (mask: number): I32 => bit(pte.get, mask);
  giveUpIf(i32.ne(i32.and(pte.get, i32.const(Pte.R | Pte.A)), i32.const(Pte.R | Pte.A)));
  // Users need U, supervisors with SUM clear must not have it.
  giveUpIf(i32.eq(mmu, select(has(Pte.U), i32.const(MMU.supervisor), i32.const(MMU.user))));
  b.if(i32.ne(shift.get, i32.const(PAGE_BITS - STRIDE)), () => {
    const bits = b.let(i32.add(shift.get, i32.const(STRIDE)));
    const within = b.let(i32.sub(i32.shl(i32.const(1), bits), i32.const(1)));
    giveUpIf(i32.ne(i32.and(table.get, within), i32.const(0)));
    large(SUPERPAGES, bits);
    b.assign(table, i32.or(table.get, i32.and(i32.wrap_i64(address), within)));
  });
  return { output: table.get, writable: i32.and(has(Pte.W), has(Pte.D)), global: has(Pte.G) };
};
