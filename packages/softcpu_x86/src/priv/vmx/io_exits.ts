/** Exits for I/O instructions: what they say (SDM vol. 3, 28.2.1, table 28-5). */
import { CODE } from '../../state.ts';
import type { SystemInsn } from '../interface.ts';
import type { Registers } from '../registers.ts';
import { F, type Vmcs } from './vmcs.ts';

/** Exit qualification of IN, OUT, INS and OUTS. */
export function ioQualification(port: number, size: number, input: boolean, string: boolean, insn: SystemInsn): number {
  return (size - 1) | (input ? 8 : 0) | (string ? 16 : 0) | (string && insn.rep ? 32 : 0) | (insn.immediatePort ? 64 : 0) | (port << 16);
}

/** Saves the guest-linear address of what INS or OUTS transfer. */
export function saveStringAddress(vmcs: Vmcs, regs: Registers, input: boolean, insn: SystemInsn): void {
  const register = input ? 7 : 6;
  const segment = input ? 0 : insn.seg;
  const offset = insn.addrSize === 2 ? regs.lo(register) & 0xffff : regs.lo(register);
  const useBase = regs.code !== CODE.code64 || segment >= 4;
  const sum = (offset >>> 0) + (useBase ? regs.baseLo(segment) >>> 0 : 0);
  const hi = (insn.addrSize === 8 ? regs.hi(register) : 0) + (useBase && regs.code64 ? regs.baseHi(segment) : 0) + (sum > 0xffff_ffff && regs.code64 ? 1 : 0);
  vmcs.set(F.guestLinearAddress, sum | 0, hi);
}
