/** Who asks for a translation, and whether what a descriptor permits suffices (Arm ARM, chapter D8, "Memory access control"). */

import { MMU } from '../state.ts';
import { AP1, AP2, AP_TABLE0, AP_TABLE1, PXN, PXN_TABLE, XN, XN_TABLE } from './descriptors.ts';
import { Sctlr } from './fields.ts';
import { Permission, type Access } from './interface.ts';

const { read: R, write: W, execute: X } = Permission;

/** What asks for a translation. */
export const Purpose = {
  access: 0,
  /** AT: no fault is an alignment fault, no descriptor is updated. */
  at: 1,
  /** Cache maintenance of what one may read, of anything (Clean at EL1), of what one may write (Invalidate). */
  cacheRead: 2,
  cache: 3,
  cacheWrite: 4,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** Which stages an address goes through; `first` is AT S1Exx. */
export const Stages = { all: 0, first: 1 } as const;

/** What a stage 1 leaf permits in MMU mode `index`; `hierarchy` has the high words of the tables above it ("AArch64.S1DirectBasePermissions" and its successors). */
export function stage1Permissions(index: number, dLo: number, dHi: number, hierarchy: number, sctlr: number): number {
  const writable = (dLo & AP2) === 0 && (hierarchy & AP_TABLE1) === 0;
  const xn = (dHi & XN) !== 0 || (hierarchy & XN_TABLE) !== 0;
  const wxn = (sctlr & Sctlr.WXN) !== 0;
  if (index === MMU.el2) return R | (writable ? W : 0) | (xn || (writable && wxn) ? 0 : X);
  const user = (dLo & AP1) !== 0 && (hierarchy & AP_TABLE0) === 0;
  if (index === MMU.el0) {
    const write = user && writable;
    return (user ? R : 0) | (write ? W : 0) | (xn || (write && wxn) ? 0 : X);
  }
  const pxn = (dHi & PXN) !== 0 || (hierarchy & PXN_TABLE) !== 0;
  const execute = pxn || (writable && (wxn || user)) ? 0 : X;
  if (index === MMU.el1Pan && user) return execute;
  return R | (writable ? W : 0) | execute;
}

/** Whether the permissions suffice for the access. */
export function permits(permissions: number, access: Access, purpose: Purpose): boolean {
  switch (purpose) {
    case Purpose.cacheRead:
      return (permissions & R) !== 0;
    case Purpose.cache:
      return true;
    case Purpose.cacheWrite:
      return (permissions & W) !== 0;
    default:
      return (permissions & (1 << access)) !== 0;
  }
}
