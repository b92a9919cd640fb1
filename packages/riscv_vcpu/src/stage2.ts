/** hgatp of a nested page table (privileged specification 1.13, 21.2.10). */
import type { NestedPageTableFormat, NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { HartFeatures } from './features.ts';
import { Hgatp } from './fields.ts';

const MODES: Readonly<Partial<Record<NestedPageTableFormat, { readonly mode: bigint; readonly feature: 'sv39x4' | 'sv48x4' }>>> = {
  sv39x4: { mode: Hgatp.SV39X4, feature: 'sv39x4' },
  sv48x4: { mode: Hgatp.SV48X4, feature: 'sv48x4' },
};

/** The translation that a vCPU runs with. */
export interface GuestTranslation {
  readonly vmid: number;
  readonly hgatp: bigint;
}

/** @throws {AxError} Unsupported for a format that is not RISC-V's or not this hart's, InvalidInput for a misaligned root or a VMID too wide */
export function guestTranslation(features: HartFeatures, { format, address }: NestedRoot, vmid: number): GuestTranslation {
  const found = MODES[format];
  if (found === undefined || !features[found.feature]) throw axError('Unsupported', `the hart cannot translate with ${format}`);
  ensure((address & 0x3fffn) === 0n, 'InvalidInput', `the root of a nested page table is 16 KiB aligned, not at 0x${address.toString(16)}`);
  ensure(Number.isInteger(vmid) && vmid >= 0 && vmid <= features.maxVmid, 'InvalidInput', `VMID ${String(vmid)} is not in 0 … ${features.maxVmid}, which this hart has`);
  return { vmid, hgatp: (found.mode << Hgatp.MODE_SHIFT) | (BigInt(vmid) << Hgatp.VMID_SHIFT) | (address >> 12n) };
}
