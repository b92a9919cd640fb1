/** Floating-point comparisons that set NZCV (Arm ARM, FPCompare). */
import type { Machine } from './machine.ts';
import { BY_FTYPE } from './shapes.ts';
import type { Get, Handler } from './shapes.ts';
import type { FpLog } from './unit.ts';

/** FCMP, and FCCMP whose condition holds. */
export function compareFlags(m: Machine, get: Get, withZero: boolean, signaling: boolean): void {
  const u = m.begin(BY_FTYPE[get('ftype')] as FpLog);
  m.lane(get('Rn'), 0, u.log, u.a);
  if (withZero) u.set(u.b, 0);
  else m.lane(get('Rm'), 0, u.log, u.b);
  u.flushInput(u.a);
  u.flushInput(u.b);
  const equal = u.compare('equal', u.a, u.b, signaling);
  if (u.isNan(u.a) || u.isNan(u.b)) m.nzcv = 0b0011;
  else if (equal) m.nzcv = 0b0110;
  else if (u.compare('lessThan', u.a, u.b, false)) m.nzcv = 0b1000;
  else m.nzcv = 0b0010;
  u.collect();
  m.raise();
}

/** ConditionHolds. */
function holds(m: Machine, condition: number): boolean {
  const { nzcv } = m;
  const [n, z, c, v] = [8, 4, 2, 1].map((flag) => (nzcv & flag) !== 0) as [boolean, boolean, boolean, boolean];
  const positive = [z, c, n, v, c && !z, n === v, n === v && !z, true][condition >> 1] as boolean;
  return (condition & 1) === 1 && condition !== 15 ? !positive : positive;
}

export function conditionalCompare(m: Machine, signaling: boolean): Handler {
  return (get) => {
    if (holds(m, get('cond'))) compareFlags(m, get, false, signaling);
    else m.nzcv = get('nzcv');
  };
}
