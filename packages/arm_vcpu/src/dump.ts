/** A vCPU's registers by name, for people. */
import type { GuestState } from './guest_state.ts';
import { SAVED } from './saved.ts';

/** pc, pstate, x0 … x30 and the system registers. */
export function dumpGuest(guest: GuestState): Readonly<Record<string, bigint>> {
  const registers: Record<string, bigint> = { pc: guest.reg('ELR_EL2'), pstate: guest.reg('SPSR_EL2') };
  for (let i = 0; i < 31; i++) registers[`x${i}`] = guest.context.x(i);
  for (const { key } of SAVED) if (key !== 'ELR_EL2' && key !== 'SPSR_EL2') registers[key.toLowerCase()] = guest.reg(key);
  return registers;
}
