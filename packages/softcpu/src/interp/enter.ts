/**
 * The way from tier 0 into translated code: a record where a region begins has a number above all handlers, and the region's
 * descriptor keeps the handler it replaced.
 *
 * A region is a function `(pc, budget) → exit`. It returns with pc and budget stored where tier 0 is to go on; on its way
 * it may have passed through any number of other regions.
 */
import { lower } from '../ir/block.ts';
import { i32, i64, local, read } from '../ir/expr.ts';
import type { I32, I64 } from '../ir/expr.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';
import type { Exits, Frame, InterpreterEmitter } from './emitter.ts';
import { ENGINE, JUMP_CACHE_SIZE, JUMP_ENTRIES, JUMP_ENTRY_SIZE, PAGE_SIZE, REGION_SIZE } from './layout.ts';
import type { Layout } from './layout.ts';

/** Type of regions: pc, steps left; a {@link RegionExit}. */
export const REGION_PARAMS = ['i64', 'i32'] as const;

/** Export of the interpreter: a region that leaves at once. */
export const UNLINKED = 'unlinked';
/** Export of the interpreter: the table of regions by number. */
export const REGIONS = 'regions';

/** How tier 0 goes on behind a region. */
export const RegionExit = {
  next: 0,
  /** With one instruction of its own, even if a region begins there. */
  step: 1,
} as const;

/**
 * Place of the entry for an address in a mode's jump cache, without its base. Where instructions begin at any byte, what is jumped to is
 * mostly a multiple of 16, and a page has as many places as there are: the number of the page spreads them.
 */
export function jumpEntry(isa: Pick<Isa, 'unit'>, address: I64): I32 {
  const low = i32.wrap_i64(address);
  const number = isa.unit === 1 ? i32.xor(low, i32.shr_u(low, i32.const(Math.log2(PAGE_SIZE)))) : low;
  const shift = Math.log2(JUMP_ENTRY_SIZE / isa.unit);
  return i32.and(i32.shl(number, i32.const(shift)), i32.const((JUMP_ENTRIES - 1) * JUMP_ENTRY_SIZE));
}

/** Runs the region that begins at the record at `ip`. @returns the handler to be dispatched where it may not run. */
export function emitEnter(e: InterpreterEmitter, isa: Isa, layout: Layout, frame: Frame, handlers: number, type: number, { lookup, target }: Exits): I32 {
  const { code } = e;
  const number = e.let(i32.sub(read('i32.load16_u', local('i32', frame.ip)), i32.const(handlers)));
  const descriptor = e.let(i32.shl(number, i32.const(Math.log2(REGION_SIZE))));
  const mode = e.let(i32.add(i32.mul(e.state('i32.load', isa.state.fetchIdx), i32.const(MMU_MODES)), e.state('i32.load', isa.state.mmuIdx)));
  const pc = e.let(e.pc());
  const stepHere = i32.and(e.engine(ENGINE.step), i64.eq(pc, e.state('i64.load', isa.state.pc)));
  const mayRun = e.let(i32.gt_u(i32.eq(mode, read('i32.load16_u', descriptor, layout.regions + 2)), stepHere));
  e.setEngine(ENGINE.step, i32.const(0));
  e.if(mayRun, () => {
    e.chargeQuietly();
    const entry = e.let(i32.add(jumpEntry(isa, pc), i32.mul(mode, i32.const(JUMP_CACHE_SIZE))));
    const key = e.read('i64.load32_u', i32.shl(e.state('i32.load', isa.state.fetchIdx), i32.const(2)), layout.engine + ENGINE.jumpKeys);
    e.write('i64.store', entry, i64.xor(pc, key), layout.jumps);
    e.write('i32.store', entry, number, layout.jumps + 8);
    e.write('i32.store', i32.shl(mode, i32.const(2)), i32.const(1), layout.jumpsUsed);
    lower(code, pc);
    lower(code, i32.add(local('i32', frame.budget), i32.const(1)));
    lower(code, number);
    code.callIndirect(type);
    const exit = code.local('i32');
    code.set(exit);
    e.setEngine(ENGINE.step, local('i32', exit));
    code.release(exit);
    lower(code, e.state('i32.load', isa.state.budget));
    code.set(frame.budget);
    e.countFromHere();
    lower(code, e.state('i64.load', isa.state.pc));
    code.set(target);
    code.br(lookup);
  });
  return read('i32.load16_u', descriptor, layout.regions);
}
