/** A vCPU's registers by name, for people. */
import type { GuestState } from './guest_state.ts';
import { Sstatus } from './fields.ts';

/** Names of x0 … x31 in the calling convention. */
const X_NAMES = [
  'zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 's2', 's3', 's4',
  's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6',
] as const;

const CSRS = [
  'vsstatus', 'vsie', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsatp', 'vstimecmp', 'htimedelta', 'hvip', 'scounteren',
  'senvcfg', 'fcsr',
] as const;

/** pc, the privilege (1: VS, 0: VU), x1 … x31 and the CSRs. */
export function dumpGuest(guest: GuestState): Readonly<Record<string, bigint>> {
  const registers: Record<string, bigint> = { pc: guest.csr('sepc'), privilege: (guest.csr('sstatus') & Sstatus.SPP) === 0n ? 0n : 1n };
  X_NAMES.forEach((name, i) => {
    if (i > 0) registers[name] = guest.context.x(i);
  });
  for (const name of CSRS) registers[name] = guest.csr(name);
  return registers;
}
