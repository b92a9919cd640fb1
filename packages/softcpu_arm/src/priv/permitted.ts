/** Instructions of {@link Permit}: which of them the controls neither trap nor make undefined, so that generated code executes them (Arm ARM, D1.3.6, D24.2). */
import { Permit } from '../state.ts';
import { Hcr, Sctlr } from './fields.ts';
import { slot } from './stored.ts';

const { SCTLR_EL1, HCR_EL2 } = slot;

/** All of {@link Permit}. */
const PERMITS: number = Object.values(Permit).reduce((all, bit) => all | bit, 0);

/**
 * Which of the instructions of {@link Permit} the controls allow at an Exception level.
 *
 * @param sys - the stored system registers
 * @param shared - there are other processing elements, which invalidation concerns too
 */
export function permitted(el: number, sys: Int32Array, shared: boolean): number {
  if (el === 2) return (shared ? PERMITS & ~Permit.invalidate : PERMITS) & ~Permit.forget;
  const hcr = sys[HCR_EL2]!;
  const sctlr = el === 0 ? sys[SCTLR_EL1]! : -1;
  const allowed = (user: number, trap: number, permit: number): number => ((sctlr & user) !== 0 && (hcr & trap) === 0 ? permit : 0);
  return (
    allowed(Sctlr.UCT, Hcr.TID2, Permit.ctr) |
    allowed(Sctlr.UCI, Hcr.TPU, shared ? Permit.cleanPou : Permit.cleanPou | Permit.invalidate) |
    allowed(Sctlr.UCI, Hcr.TPCP, Permit.cleanPoc) |
    allowed(Sctlr.DZE, Hcr.TDZ, Permit.zero) |
    (el === 1 && (hcr & Hcr.TRVM) === 0 ? Permit.syndrome : 0) |
    (el === 1 && !shared && (hcr & Hcr.TTLB) === 0 ? Permit.forget : 0)
  );
}
