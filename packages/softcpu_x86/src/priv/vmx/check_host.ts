/** Checks of the host-state area (SDM vol. 3, 27.2.2 to 27.2.4): VM-instruction error 8. The host is in IA-32e mode. */
import { EntryControl, ExitControl } from '@axvisor/axvisor_api/arch/x86';
import { CR0_DEFINED, CR4, EFER } from '../fields.ts';
import { FIXED } from './capabilities.ts';
import type { Candidate, Rule } from './checks.ts';
import { F, type Field } from './vmcs.ts';

const wide = (c: Candidate): boolean => c.has(F.exitControls, ExitControl.hostAddressSpaceSize);
const canonical = (field: Field) => (c: Candidate): boolean => c.canonical(field);
const EFER_DEFINED = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE;

const selector = (name: string, field: Field): Rule => ({ name: `host ${name} selector: TI and RPL`, holds: (c) => (c.lo(field) & 7) === 0 });

export const hostRules: readonly Rule[] = [
  { name: 'host CR0', holds: (c) => (c.lo(F.hostCr0) & FIXED.cr0Zero) === FIXED.cr0Zero && (c.lo(F.hostCr0) & ~CR0_DEFINED) === 0 && c.hi(F.hostCr0) === 0 },
  {
    name: 'host CR4',
    holds: (c) => (c.lo(F.hostCr4) & FIXED.cr4Zero) === FIXED.cr4Zero && (c.lo(F.hostCr4) & ~FIXED.cr4One) === 0 && c.hi(F.hostCr4) === 0,
  },
  { name: 'host CR3', holds: (c) => c.cr3(F.hostCr3) },
  { name: 'host IA32_SYSENTER_ESP', holds: canonical(F.hostIa32SysenterEsp) },
  { name: 'host IA32_SYSENTER_EIP', holds: canonical(F.hostIa32SysenterEip) },
  { name: 'host IA32_PAT', holds: (c) => !c.has(F.exitControls, ExitControl.loadIa32Pat) || c.pat(F.hostIa32Pat) },
  {
    name: 'host IA32_EFER',
    holds: (c) => {
      if (!c.has(F.exitControls, ExitControl.loadIa32Efer)) return true;
      const efer = c.lo(F.hostIa32Efer);
      const mode = wide(c) ? EFER.LME | EFER.LMA : 0;
      return (efer & ~EFER_DEFINED) === 0 && c.hi(F.hostIa32Efer) === 0 && (efer & (EFER.LME | EFER.LMA)) === mode;
    },
  },
  selector('ES', F.hostEsSelector), selector('CS', F.hostCsSelector), selector('SS', F.hostSsSelector), selector('DS', F.hostDsSelector),
  selector('FS', F.hostFsSelector), selector('GS', F.hostGsSelector), selector('TR', F.hostTrSelector),
  { name: 'host CS selector: null', holds: (c) => c.lo(F.hostCsSelector) !== 0 },
  { name: 'host TR selector: null', holds: (c) => c.lo(F.hostTrSelector) !== 0 },
  { name: 'host SS selector: null', holds: (c) => wide(c) || c.lo(F.hostSsSelector) !== 0 },
  { name: 'host FS base', holds: canonical(F.hostFsBase) },
  { name: 'host GS base', holds: canonical(F.hostGsBase) },
  { name: 'host TR base', holds: canonical(F.hostTrBase) },
  { name: 'host GDTR base', holds: canonical(F.hostGdtrBase) },
  { name: 'host IDTR base', holds: canonical(F.hostIdtrBase) },
  { name: 'host address-space size', holds: wide },
  { name: 'IA-32e-mode guest needs a 64-bit host', holds: (c) => wide(c) || !c.has(F.entryControls, EntryControl.ia32eModeGuest) },
  { name: 'host CR4.PAE', holds: (c) => c.has(F.hostCr4, CR4.PAE) },
  { name: 'host RIP', holds: canonical(F.hostRip) },
];
