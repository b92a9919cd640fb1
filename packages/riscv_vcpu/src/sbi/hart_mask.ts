/** Sets of harts as SBI calls name them (SBI 2.0, section "Hart list parameter"). */
import { ALL_ONES } from '../fields.ts';
import type { SbiHart } from './call.ts';

/** The vCPUs of a hart mask: bit n is hart `base` + n, a base of -1 means all. `undefined` if one of them does not exist. */
export function hartsOf(caller: SbiHart, mask: bigint, base: bigint): SbiHart[] | undefined {
  if (base === ALL_ONES) return caller.siblings();
  if (mask === 1n && base === caller.hartId) return [caller];
  const harts: SbiHart[] = [];
  for (let bits = mask, id = base; bits !== 0n; bits >>= 1n, id++) {
    if ((bits & 1n) === 0n) continue;
    const hart = caller.sibling(id);
    if (hart === undefined) return undefined;
    harts.push(hart);
  }
  return harts;
}
