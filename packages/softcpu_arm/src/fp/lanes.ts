/** Floating-point instructions that do the same to every lane, or fold lanes: arithmetic, comparisons to masks, pairs, reductions, estimates. */
import type { ElementOp } from './arithmetic.ts';
import type { Machine } from './machine.ts';
import { vectorLanes } from './shapes.ts';
import type { Get, Handler, Shape } from './shapes.ts';
import type { Element, FpLog, FpUnit } from './unit.ts';

/** Runs an operation on one set of operands, flushed before and after. */
function element(u: FpUnit, operation: ElementOp, operands: number): void {
  const mode = u.env.rounding;
  u.flushInput(u.a);
  if (operands > 1) u.flushInput(u.b);
  if (operands > 2) u.flushInput(u.c);
  operation(u);
  u.settle();
  u.env.rounding = mode;
}

/** Where the third operand comes from. */
type Element3 = (get: Get) => readonly [register: number, lane: number];

export function lanewise(m: Machine, { log, lanes }: Shape, operation: ElementOp, operands: 1 | 2 | 3, elementOf?: Element3, addend = 'Rd'): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    const [register, fixed] = elementOf?.(get) ?? [get('Rm'), undefined];
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (operands > 1) m.lane(register, fixed ?? i, size, u.b);
      if (operands > 2) m.lane(get(addend), i, size, u.c);
      element(u, operation, operands);
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

const zero = { hi: 0, lo: 0 } as const;
const all = { hi: -1, lo: -1 } as const;

/** Comparisons to masks; with zero where `withZero`. */
export function compareLanes(m: Machine, { log, lanes }: Shape, holds: (u: FpUnit) => boolean, withZero: boolean): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    for (let i = 0; i < lanes(get); i++) {
      m.lane(get('Rn'), i, size, u.a);
      if (withZero) u.set(u.b, 0);
      else m.lane(get('Rm'), i, size, u.b);
      u.flushInput(u.a);
      u.flushInput(u.b);
      m.put(i, size, holds(u) ? all : zero);
      u.collect();
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

/** Pairs of neighbours; the scalar forms have one pair. */
export function pairwise(m: Machine, log: (get: Get) => FpLog, lanes: ((get: Get) => number) | undefined, operation: ElementOp): Handler {
  return (get) => {
    const size = log(get);
    const u = m.begin(size);
    m.clear();
    const count = lanes?.(get) ?? 1;
    const pairs = Math.max(count >> 1, 1);
    for (let i = 0; i < count; i++) {
      const register = i < pairs ? get('Rn') : get('Rm');
      m.lane(register, (i % pairs) * 2, size, u.a);
      m.lane(register, (i % pairs) * 2 + 1, size, u.b);
      element(u, operation, 2);
      m.put(i, size, u.result);
    }
    m.finish(get('Rd'));
    m.raise();
  };
}

/** Reduce: halves of the vector first, then their results (Arm ARM, shared/functions/vector/Reduce). */
export function reduce(m: Machine, log: FpLog, operation: ElementOp): Handler {
  return (get) => {
    const u = m.begin(log);
    const fold = (first: number, count: number): Element => {
      const into = { hi: 0, lo: 0 };
      if (count === 1) {
        m.lane(get('Rn'), first, log, into);
        return into;
      }
      const low = fold(first, count / 2);
      const high = fold(first + count / 2, count / 2);
      Object.assign(u.a, low);
      Object.assign(u.b, high);
      element(u, operation, 2);
      return { ...u.result };
    };
    const result = fold(0, log === 2 ? 4 : vectorLanes(1, get('Q')));
    m.clear();
    m.put(0, log, result);
    m.finish(get('Rd'));
    m.raise();
  };
}

export function integerEstimate(m: Machine, estimate: (operand: number) => number): Handler {
  return (get) => {
    const x = { hi: 0, lo: 0 };
    m.clear();
    for (let i = 0; i < (2 << get('Q')); i++) {
      m.lane(get('Rn'), i, 2, x);
      m.put(i, 2, { hi: 0, lo: estimate(x.lo) });
    }
    m.finish(get('Rd'));
  };
}

export const byElement = (half16: boolean): Element3 => (get) => {
  const [h, l, mm, rm] = [get('H'), get('L'), get('M'), get('Rm')];
  if (half16) return [rm, (h << 2) | (l << 1) | mm];
  return [(mm << 4) | rm, get('size') === 2 ? (h << 1) | l : h];
};
