/** Data aborts whose syndrome describes the access: ISV = 1, a load or store of one general register (Arm ARM, D24.2.40, "ISS encoding for an exception from a Data Abort"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { Esr } from '../fields.ts';
import type { DeviceAccess } from './access.ts';

/** Width by SAS. */
const WIDTHS = [1, 2, 4, 8] as const satisfies readonly AccessWidth[];

/** What describes an access; and accesses that were decoded already, of which there are 512. */
const DESCRIPTION = (3n << Esr.SAS_SHIFT) | Esr.SSE | (31n << Esr.SRT_SHIFT) | Esr.SF | Esr.WNR;
const known = new Map<number, DeviceAccess>();

/** The access that `esr` describes; `undefined` if it does not. */
export function decodeSyndrome(esr: bigint): DeviceAccess | undefined {
  if ((esr & Esr.ISV) === 0n) return undefined;
  const key = Number(esr & DESCRIPTION);
  const found = known.get(key);
  if (found !== undefined) return found;
  const access = decode(esr);
  known.set(key, access);
  return access;
}

function decode(esr: bigint): DeviceAccess {
  const width = WIDTHS[Number((esr >> Esr.SAS_SHIFT) & 3n) as 0 | 1 | 2 | 3];
  const reg = Number((esr >> Esr.SRT_SHIFT) & 31n);
  const isLoad = (esr & Esr.WNR) === 0n;
  return {
    isLoad,
    address: undefined,
    writeback: undefined,
    transfers: [
      isLoad
        ? { kind: 'load', offset: 0, width, target: { kind: 'x', reg, signed: (esr & Esr.SSE) !== 0n, regWidth: (esr & Esr.SF) === 0n ? 4 : 8 } }
        : { kind: 'store', offset: 0, width, source: { kind: 'x', reg, byte: 0 } },
    ],
  };
}
