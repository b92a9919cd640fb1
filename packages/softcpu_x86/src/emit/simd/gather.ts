/** VGATHER: elements from addresses of their own (SDM vol. 2, VGATHERDPS and its relatives). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { ANY_ADDRESS, checkSegment, memoryAddress } from '../operands.ts';
import { fromBool } from '../value.ts';
import { avx } from './define.ts';
import { ZERO, stateOf } from './operands.ts';

/**
 * One after the other from the lowest: what a fault interrupts goes on behind what is done, since the mask of each element is cleared with it.
 *
 * @param size - bytes of an element.
 * @param indexSize - bytes of an index.
 */
const gather = (size: 4 | 8, indexSize: 4 | 8): Definition =>
  avx((o) => {
    const { e } = o;
    const state = stateOf(e);
    const [destination, mask, index] = [o.registerAt('r'), o.registerAt('h'), o.registerAt('l')];
    const scale = fromBool(i32.and(e.field('k'), i32.const(3)));
    const put = size === 4 ? 'i64.store32' : 'i64.store';
    // As many as fit in the longer of the two vectors.
    const count = (16 << o.length) / Math.max(size, indexSize);
    const halves = [i32.const(0), i32.const(16)];
    for (const register of [destination, mask, index]) for (const half of halves) e.spill(i32.add(register, half));
    // After each element, for where the next one faults.
    const reload = (): void => {
      for (const register of [destination, mask]) for (const half of halves) e.reload(i32.add(register, half));
    };
    for (let n = 0; n < count; n++) {
      const [element, place] = [state + n * size, state + n * indexSize];
      e.if(i32.lt_s(e.read('i32.load', mask, element + size - 4), i32.const(0)), () => {
        const number = indexSize === 8 ? e.read('i64.load', index, place) : i64.extend_i32_s(e.read('i32.load', index, place));
        const { linear, offset } = memoryAddress(e, ANY_ADDRESS, e.let(i64.shl(number, scale)));
        checkSegment(e, offset, size, false);
        e.write(put, destination, e.load(size === 4 ? 'u32' : 'u64', linear), element);
      });
      e.write(put, mask, i64.const(0), element);
      reload();
    }
    // The mask is used up; so is what of the destination has no element.
    for (const offset of [0, 16]) e.write('v128.store', mask, ZERO, state + offset);
    const bytes = count * size;
    if (bytes === 8) e.write('i64.store', destination, i64.const(0), state + 8);
    if (bytes <= 16) e.write('v128.store', destination, ZERO, state + 16);
    reload();
  });

export const gathers: Definitions = {
  vpgatherdd: gather(4, 4), vgatherdps: gather(4, 4), vpgatherdq: gather(8, 4), vgatherdpd: gather(8, 4),
  vpgatherqd: gather(4, 8), vgatherqps: gather(4, 8), vpgatherqq: gather(8, 8), vgatherqpd: gather(8, 8),
};
