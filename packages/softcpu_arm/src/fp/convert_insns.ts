/** Floating-point conversions: lanes and general registers to and from integers and fixed point, and between precisions. */
import type { Rounding } from '@axvisor/softcpu/softfloat';
import { convert, fromFixed, toFixed } from './convert.ts';
import type { Machine } from './machine.ts';
import { BY_FTYPE } from './shapes.ts';
import type { Get, Handler, Shape } from './shapes.ts';
import type { Element, FpLog } from './unit.ts';

/** Between lanes and integers of the same width; `fraction` bits behind the point. */
export function convertLanes(m: Machine, { log, lanes }: Shape, direction: 'to' | 'from', signed: boolean, mode: Rounding, fraction: (get: Get) => number): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (direction === 'to') toFixed(u, 8 << size, fraction(get), signed, mode);
      else {
        extend(u.a, size, signed);
        fromFixed(u, fraction(get), signed);
      }
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

/** Extends an integer of `8 << size` bits to 64. */
function extend(x: Element, size: number, signed: boolean): void {
  if (size === 3) return;
  if (size === 1) x.lo = signed ? (x.lo << 16) >> 16 : x.lo & 0xffff;
  x.hi = signed ? x.lo >> 31 : 0;
}

/** Between a lane and a general-purpose register. */
export function convertGeneral(m: Machine, direction: 'to' | 'from', signed: boolean, mode: Rounding, fraction: (get: Get) => number): Handler {
  return (get) => {
    const u = m.begin(BY_FTYPE[get('ftype')] as FpLog);
    const wide = get('sf') === 1;
    if (direction === 'to') {
      m.lane(get('Rn'), 0, u.log, u.a);
      toFixed(u, wide ? 64 : 32, fraction(get), signed, mode);
      m.setGeneral(get('Rd'), u.result, wide);
    } else {
      m.general(get('Rn'), u.a);
      if (!wide) extend(u.a, 2, signed);
      fromFixed(u, fraction(get), signed);
      m.clear();
      m.put(0, u.log, u.result);
      m.finish(get('Rd'));
    }
    m.raise();
  };
}

/** Between precisions: scalars, and vectors that halve or double the width. */
export function convertPrecision(m: Machine, from: (get: Get) => FpLog, to: (get: Get) => FpLog, lanes: (get: Get) => number, part: 'all' | 'narrow' | 'widen', odd: boolean): Handler {
  return (get) => {
    const [source, target] = [from(get), to(get)];
    const u = m.begin(target);
    const mode = u.env.rounding;
    const count = lanes(get);
    m.clear();
    for (let i = 0; i < count; i++) {
      m.lane(get('Rn'), part === 'widen' && get('Q') === 1 ? i + count : i, source, u.a);
      convert(u, source, target, odd);
      u.env.rounding = mode;
      m.put(i, target, u.result);
    }
    m.finish(get('Rd'), part === 'narrow' && get('Q') === 1);
    m.raise();
  };
}
