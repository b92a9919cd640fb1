/** Branches (Arm ARM, C6.2). */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emit, Emitter, I64, Linkage } from '@axvisor/softcpu';
import { BRANCH_TBI, X } from '../state.ts';
import { bySf, fixed, plain, signed, single, source, sum } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { condition } from './flags.ts';
import { W, XW } from './width.ts';

const LINK = X + 30 * 8;

const direct = (record: Definition['record'], emit: Emit, ends = false): Definition => single(record, emit, { direct: true, ends });

/** BranchTo: with a tagged address the top byte is replaced by copies of bit 55. */
function branchTo(e: Emitter, address: I64, linkage?: Linkage): void {
  const at = e.variable(address);
  const untagged = e.let(i64.shr_s(i64.shl(at.get, i64.const(8)), i64.const(8)));
  // Only then does it matter whether tags are ignored.
  e.if(i64.ne(untagged, at.get), () => {
    const range = i32.wrap_i64(i64.and(i64.shr_u(at.get, i64.const(55)), i64.const(1)));
    const ignored = i32.and(i32.shr_u(e.state('i32.load', BRANCH_TBI), range), i32.const(1));
    e.assign(at, select(ignored, untagged, at.get));
  }, undefined, false);
  e.jumpTo(at.get, linkage);
}

const register = (linkage?: Linkage): Definition =>
  single({ n: source('Rn'), d: fixed(LINK) }, (e) => {
    const at = e.let(e.reg('n'));
    if (linkage === 'call') e.setReg('d', e.nextPc());
    branchTo(e, at, linkage);
  }, { ends: true });

const compare = (nonzero: boolean): Definition => {
  const record = { n: source('Rt'), imm: signed('imm19', 19, 4) };
  const emit = (w: typeof W | typeof XW): Emit => (e) => {
    const zero = w === W ? i32.eqz(W.get(e, 'n')) : i64.eqz(e.reg('n'));
    e.branch(nonzero ? i32.eqz(zero) : zero);
  };
  return bySf(record, emit(W), emit(XW), { direct: true });
};

const test = (nonzero: boolean): Definition =>
  direct({ n: source('Rt'), m: sum(plain('b40'), plain('b5'), 32), imm: signed('imm14', 14, 4) }, (e) => {
    const bit = i32.wrap_i64(i64.and(i64.shr_u(e.reg('n'), i64.extend_i32_u(e.field('m'))), i64.const(1)));
    e.branch(nonzero ? bit : i32.eqz(bit));
  });

export const branches: Definitions = {
  b: direct({ imm: signed('imm26', 26, 4) }, (e) => e.jump(), true),
  bl: direct({ imm: signed('imm26', 26, 4), d: fixed(LINK) }, (e) => {
    e.setReg('d', e.nextPc());
    e.jump('call');
  }, true),
  b_cond: {
    record: { imm: signed('imm19', 19, 4) },
    variants: Array.from({ length: 16 }, (_, number): Emit => (e) => e.branch(condition(e, number))),
    select: plain('cond'),
    direct: true,
  },
  cbz: compare(false),
  cbnz: compare(true),
  tbz: test(false),
  tbnz: test(true),
  br: register(),
  blr: register('call'),
  ret: register('return'),
};
