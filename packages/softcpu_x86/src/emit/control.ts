/**
 * Jumps, calls, returns and loops within a segment (SDM vol. 2: Jcc, JMP, CALL, RET, LOOPcc, JrCXZ).
 *
 * The engine's pc is linear. In 64-bit mode, and where the target lies in the same page, branches are the engine's; elsewhere (`wrap`) the
 * instruction pointer is computed modulo its size and compared with the limit.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { CONDITIONS } from '../isa/rows_integer.ts';
import { CS_LIMIT, NON_ADDRESS_BITS, Seg } from '../state.ts';
import { define, named } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { condition } from './flags.ts';
import { K, gpr, segmentBase, setGpr } from './operands.ts';
import type { Operands, Variant } from './operands.ts';
import { GENERAL_PROTECTION } from './pair.ts';
import { push, release, top } from './stack.ts';
import { constant as c, zext } from './value.ts';

/** A linear address as instruction pointer. */
const pointer = (e: Emitter, long: boolean, linear: I64): I64 => (long ? linear : zext(i64.sub(linear, segmentBase(e, Seg.cs)), 32));

/** Linear address of an instruction pointer (bound, cut), #GP(0) beyond the limit where `taken`. */
function target(e: Emitter, ip: I64, taken: I32 = i32.const(1)): I64 {
  const beyond = (): I32 => i64.gt_u(ip, i64.extend_i32_u(e.state('i32.load', CS_LIMIT)));
  // Flat segments end where pointers do.
  e.if(i32.and(e.field('k'), i32.const(K.segmented)), () => e.if(i32.and(taken, beyond()), () => e.fault(GENERAL_PROTECTION), undefined, false));
  return zext(i64.add(ip, segmentBase(e, Seg.cs)), 32);
}

/** Target of a relative branch whose pointer wraps: field imm counts from the instruction. */
function wrapped(e: Emitter, { size }: Variant, taken?: I32): I64 {
  return target(e, e.let(zext(i64.add(pointer(e, false, e.pc()), e.field64('imm')), size)), taken);
}

/** A conditional branch; `before` runs when nothing can fault any more. */
function branch(o: Operands, taken: I32, before: () => void = () => {}): void {
  const { e, variant } = o;
  const bound = e.let(taken);
  if (variant.wrap) {
    const to = e.let(wrapped(e, variant, bound));
    before();
    e.jumpTo(select(bound, to, e.nextPc()));
  } else {
    before();
    e.branch(bound);
  }
}

function jump({ e, variant }: Operands): void {
  if (variant.wrap) e.jumpTo(e.let(wrapped(e, variant)));
  else e.jump();
}

/** Linear address of an instruction pointer from a register or memory (bound); one that is not canonical is #GP(0). */
function absolute(e: Emitter, ip: I64, long: boolean): I64 {
  if (!long) return e.let(target(e, ip));
  const spare = i64.extend_i32_u(e.state('i32.load', NON_ADDRESS_BITS));
  e.if(i64.ne(i64.shr_s(i64.shl(ip, spare), spare), ip), () => e.fault(GENERAL_PROTECTION), undefined, false);
  return ip;
}

/** To the pointer in operand 0. */
function indirect(o: Operands): I64 {
  return absolute(o.e, o.bound(0), o.variant.long);
}

const ret: Definition = define(({ e, variant: { stack, size, long } }, row) => {
  const ip = top(e, stack, size);
  const to = absolute(e, ip, long);
  const dropped = row.operands.length === 0 ? c(0) : i64.extend_i32_u(e.field('imm'));
  release(e, stack, i64.add(dropped, c(size / 8)));
  e.jumpTo(to, 'return');
}, { byStack: true, byMode: true, bySize: true, ends: true });

const conditional = { direct: true, byMode: true, bySize: true, frequent: true } as const;

/** LOOP, LOOPE, LOOPNE: rCX of the address size, less one. */
const loop = (and: (e: Emitter) => I32): Definition =>
  define((o) => {
    const { e, variant } = o;
    const left = e.let(zext(i64.sub(gpr(e, 1), c(1)), variant.address));
    branch(o, i32.and(i32.eqz(i64.eqz(left)), and(e)), () => setGpr(e, 1, variant.address, left));
  }, { ...conditional, byAddress: true });

const call: Definition = define((o, row) => {
  const { e, variant } = o;
  const relative = row.operands[0]?.kind === 'J';
  const to = relative ? (variant.wrap ? e.let(wrapped(e, variant)) : undefined) : indirect(o);
  push(e, variant.stack, variant.size, pointer(e, variant.long, e.nextPc()));
  if (to === undefined) e.jump('call');
  else e.jumpTo(to, 'call');
}, { direct: true, byMode: true, bySize: true, byStack: true, frequent: true, ends: true });

export const control: Definitions = {
  ...named(CONDITIONS.map((cc) => `j${cc}`), (_name, i) => define((o) => branch(o, condition(o.e, i)), conditional)),
  jmp: define((o, row) => {
    if (row.operands[0]?.kind === 'J') jump(o);
    else o.e.jumpTo(indirect(o));
  }, { direct: true, byMode: true, bySize: true, ends: true }),
  call,
  ret,
  loop: loop(() => i32.const(1)),
  loope: loop((e) => condition(e, 4)),
  loopne: loop((e) => condition(e, 5)),
  jcxz: define((o) => branch(o, i64.eqz(zext(gpr(o.e, 1), o.variant.address))), { ...conditional, byAddress: true }),
};
