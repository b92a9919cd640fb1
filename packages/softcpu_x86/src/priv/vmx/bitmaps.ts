/** Ports and MSRs in VMX non-root operation: which accesses exit, by controls and bitmaps (SDM vol. 3, 25.6.4, 25.6.9 and 26.1.3). */
import { ProcControl } from '@axvisor/axvisor_api/arch/x86';
import type { Physical } from '../physical.ts';
import { toNumber } from '../registers.ts';
import { F, type Field, type Vmcs } from './vmcs.ts';

const addressOf = (vmcs: Vmcs, field: Field): number => toNumber(vmcs.lo(field), vmcs.hi(field));
const isSet = (physical: Physical, bitmap: number, bit: number): boolean => ((physical.read(bitmap + (bit >>> 3), 1) >>> (bit & 7)) & 1) !== 0;

/** Whether an access to `size` ports exits. @param primary - primary processor-based controls. */
export function portExits(vmcs: Vmcs, physical: Physical, primary: number, port: number, size: number): boolean {
  if ((primary & ProcControl.useIoBitmaps) === 0) return (primary & ProcControl.unconditionalIoExiting) !== 0;
  // An access that wraps around the port space exits too.
  if (port + size > 0x1_0000) return true;
  for (let at = port; at < port + size; at++) {
    if (isSet(physical, addressOf(vmcs, at < 0x8000 ? F.ioBitmapA : F.ioBitmapB), at & 0x7fff)) return true;
  }
  return false;
}

/** Whether RDMSR or WRMSR exits. */
export function msrExits(vmcs: Vmcs, physical: Physical, primary: number, index: number, write: boolean): boolean {
  const low = index >>> 0 < 0x2000;
  const high = index >>> 0 >= 0xc000_0000 && index >>> 0 < 0xc000_2000;
  if ((primary & ProcControl.useMsrBitmaps) === 0 || (!low && !high)) return true;
  return isSet(physical, addressOf(vmcs, F.msrBitmaps) + (write ? 2048 : 0) + (high ? 1024 : 0), index & 0x1fff);
}
