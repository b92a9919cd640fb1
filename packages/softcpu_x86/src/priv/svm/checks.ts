/** Consistency checks of VMRUN (APM vol. 2, 15.5.1): what fails is VMEXIT_INVALID. */
import { SvmIntercept3, SvmIntercept4, VirtualInterrupt, Vmcb, VmcbSave, VmcbSegment } from '@axvisor/axvisor_api/arch/x86';
import { CR0, CR4, CR4_DEFINED, EFER } from '../fields.ts';
import { validPat } from '../mtrr.ts';
import type { VmcbView } from './vmcb.ts';

/** What rules look at. */
export interface VmcbCandidate {
  readonly vmcb: VmcbView;
  /** High-word bits of physical addresses that MAXPHYADDR rules out. */
  readonly reservedHi: number;
}

export interface VmcbRule {
  readonly name: string;
  readonly holds: (c: VmcbCandidate) => boolean;
}

const EFER_DEFINED = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE | EFER.SVME | EFER.FFXSR;

const V_NMI_ENABLE = Number(VirtualInterrupt.V_NMI_ENABLE);

const cr0 = (c: VmcbCandidate): number => c.vmcb.lo(VmcbSave.cr0);
const cr4 = (c: VmcbCandidate): number => c.vmcb.lo(VmcbSave.cr4);
const efer = (c: VmcbCandidate): number => c.vmcb.lo(VmcbSave.efer);
const entersLong = (c: VmcbCandidate): boolean => (efer(c) & EFER.LME) !== 0 && (cr0(c) & CR0.PG) !== 0;
const nested = (c: VmcbCandidate): boolean => (c.vmcb.lo(Vmcb.nestedPaging) & 1) !== 0;

/** Exceptions that may be injected: not NMI, and none above 31. */
function eventLegal({ vmcb }: VmcbCandidate): boolean {
  const event = vmcb.lo(Vmcb.eventInjection);
  if (event >= 0) return true;
  const type = (event >>> 8) & 7;
  const vector = event & 0xff;
  if (type !== 0 && type !== 2 && type !== 3 && type !== 4) return false;
  return type !== 3 || (vector < 32 && vector !== 2);
}

export const vmrunRules: readonly VmcbRule[] = [
  { name: 'VMRUN intercept', holds: ({ vmcb }) => vmcb.has(Vmcb.intercept4, SvmIntercept4.VMRUN) },
  { name: 'ASID', holds: ({ vmcb }) => vmcb.lo(Vmcb.guestAsid) !== 0 },
  { name: 'EFER.SVME', holds: (c) => (efer(c) & EFER.SVME) !== 0 },
  { name: 'EFER: reserved bits', holds: (c) => (efer(c) & ~EFER_DEFINED) === 0 && c.vmcb.hi(VmcbSave.efer) === 0 },
  { name: 'CR0: NW without CD', holds: (c) => (cr0(c) & (CR0.CD | CR0.NW)) !== CR0.NW },
  { name: 'CR0: upper half', holds: ({ vmcb }) => vmcb.hi(VmcbSave.cr0) === 0 },
  { name: 'CR0: PG without PE', holds: (c) => (cr0(c) & (CR0.PG | CR0.PE)) !== CR0.PG },
  { name: 'CR3', holds: (c) => !entersLong(c) || (c.vmcb.hi(VmcbSave.cr3) & c.reservedHi) === 0 },
  { name: 'CR4: reserved bits', holds: (c) => (cr4(c) & ~CR4_DEFINED) === 0 && (cr4(c) & CR4.VMXE) === 0 && c.vmcb.hi(VmcbSave.cr4) === 0 },
  { name: 'DR6 and DR7: upper halves', holds: ({ vmcb }) => vmcb.hi(VmcbSave.dr6) === 0 && vmcb.hi(VmcbSave.dr7) === 0 },
  { name: 'long mode: CR4.PAE', holds: (c) => !entersLong(c) || (cr4(c) & CR4.PAE) !== 0 },
  { name: 'long mode: CR0.PE', holds: (c) => !entersLong(c) || (cr0(c) & CR0.PE) !== 0 },
  {
    name: 'long mode: CS.L and CS.D',
    holds: (c) => !entersLong(c) || ((c.vmcb.lo(VmcbSave.cs + VmcbSegment.selector) >>> 16) & 0x600) !== 0x600,
  },
  { name: 'IOPM', holds: (c) => (c.vmcb.hi(Vmcb.iopmBasePa) & c.reservedHi) === 0 },
  { name: 'MSRPM', holds: (c) => (c.vmcb.hi(Vmcb.msrpmBasePa) & c.reservedHi) === 0 },
  { name: 'event injection', holds: eventLegal },
  { name: 'virtual NMIs: NMI intercept', holds: ({ vmcb }) => !vmcb.has(Vmcb.virtualInterrupt, V_NMI_ENABLE) || vmcb.has(Vmcb.intercept3, SvmIntercept3.NMI) },
  { name: 'nested CR3', holds: (c) => !nested(c) || (c.vmcb.hi(Vmcb.nestedCr3) & c.reservedHi) === 0 },
  { name: 'guest PAT', holds: (c) => !nested(c) || validPat(c.vmcb.lo(VmcbSave.gPat), c.vmcb.hi(VmcbSave.gPat)) },
];
