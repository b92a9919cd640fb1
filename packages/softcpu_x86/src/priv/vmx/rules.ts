/** Which instructions exit, and by which control (SDM vol. 3, 26.1.2 and 26.1.3). */
import { ExitReason, ProcControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import type { Intercepted } from '../guest.ts';

const P = ProcControl;
const S = ProcControl2;
const R = ExitReason;

/** What decides about an instruction: nothing (it always exits), a primary control, a secondary one. */
export interface Rule {
  readonly reason: number;
  readonly primary?: number;
  readonly secondary?: number;
  /** Secondary control without which it is #UD. */
  readonly enabled?: number;
}

/** By instruction. */
export const INSTRUCTIONS: Readonly<Partial<Record<Intercepted, Rule>>> = {
  cpuid: { reason: R.cpuid }, getsec: { reason: R.getsec }, invd: { reason: R.invd }, xsetbv: { reason: R.xsetbv },
  vmcall: { reason: R.vmcall }, vmclear: { reason: R.vmclear }, vmlaunch: { reason: R.vmlaunch }, vmptrld: { reason: R.vmptrld },
  vmptrst: { reason: R.vmptrst }, vmread: { reason: R.vmread }, vmresume: { reason: R.vmresume }, vmwrite: { reason: R.vmwrite },
  vmxoff: { reason: R.vmxoff }, vmxon: { reason: R.vmxon }, invept: { reason: R.invept }, invvpid: { reason: R.invvpid },
  hlt: { reason: R.hlt, primary: P.hltExiting }, mwait: { reason: R.mwait, primary: P.mwaitExiting },
  monitor: { reason: R.monitor, primary: P.monitorExiting }, rdpmc: { reason: R.rdpmc, primary: P.rdpmcExiting },
  rdtsc: { reason: R.rdtsc, primary: P.rdtscExiting }, rdtscp: { reason: R.rdtscp, primary: P.rdtscExiting, enabled: S.enableRdtscp },
  invpcid: { reason: R.invpcid, primary: P.invlpgExiting, enabled: S.enableInvpcid }, pause: { reason: R.pause, primary: P.pauseExiting },
  wbinvd: { reason: R.wbinvd, secondary: S.wbinvdExiting }, rdrand: { reason: R.rdrand, secondary: S.rdrandExiting },
  rdseed: { reason: R.rdseed, secondary: S.rdseedExiting },
  sgdt: { reason: R.gdtrOrIdtrAccess, secondary: S.descriptorTableExiting }, sidt: { reason: R.gdtrOrIdtrAccess, secondary: S.descriptorTableExiting },
  lgdt: { reason: R.gdtrOrIdtrAccess, secondary: S.descriptorTableExiting }, lidt: { reason: R.gdtrOrIdtrAccess, secondary: S.descriptorTableExiting },
  sldt: { reason: R.ldtrOrTrAccess, secondary: S.descriptorTableExiting }, str: { reason: R.ldtrOrTrAccess, secondary: S.descriptorTableExiting },
  lldt: { reason: R.ldtrOrTrAccess, secondary: S.descriptorTableExiting }, ltr: { reason: R.ldtrOrTrAccess, secondary: S.descriptorTableExiting },
};
