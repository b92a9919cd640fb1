/** Intercepted instructions that the vCPU carries out itself (SDM vol. 3, 26.1; APM vol. 2, 15.9). */
import { Cr4, Gpr, Msr, Vector, cpuid, xsetbv } from '@axvisor/axvisor_api/arch/x86';
import type { LocalApic } from '@axvisor/axvisor_api/intc';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import type { Context } from './context.ts';
import { isValidXcr0, writeEfer } from './control_registers.ts';
import { guestCpuid, type CpuidView } from './cpuid.ts';
import type { Intercepted } from './exit.ts';
import type { Guest } from './guest.ts';
import type { GuestMsrs } from './msr.ts';
import { GuestFault } from './paging.ts';

/** What the handlers need of the vCPU. */
export interface InstructionHost {
  readonly guest: Guest;
  readonly context: Context;
  readonly msrs: GuestMsrs;
  readonly apic: LocalApic | undefined;
  readonly cpl: number;
  readonly cpuidView: CpuidView;
  /** The hypervisor is asked for an MSR; RIP moves on when it has answered. */
  beginMsr(msr: number, isRead: boolean): AxVCpuExitReason;
}

/** Undefined: done, RIP moves on. An exit that is not an MSR's: RIP has moved on. */
type Handler = (host: InstructionHost) => AxVCpuExitReason | undefined;

const general = (): GuestFault => new GuestFault(Vector.GP, 0);
const undefinedOpcode = (): GuestFault => new GuestFault(Vector.UD);

const isApicMsr = (msr: number): boolean => msr === Msr.IA32_APIC_BASE || msr === Msr.IA32_TSC_DEADLINE || (msr >= Msr.IA32_X2APIC_FIRST && msr <= Msr.IA32_X2APIC_LAST);

/** How many VMCALLs' arguments there are: RDI, RSI, RDX, RCX, R8, R9. */
const ARGUMENTS = [Gpr.RDI, Gpr.RSI, Gpr.RDX, Gpr.RCX, Gpr.R8, Gpr.R9] as const;

const HANDLERS: Readonly<Record<Intercepted, Handler>> = {
  cpuid: (host) => {
    const { context } = host;
    const { eax, ebx, ecx, edx } = guestCpuid(context.low(Gpr.RAX), context.low(Gpr.RCX), host.cpuidView);
    context.setLow(Gpr.RAX, eax);
    context.setLow(Gpr.RBX, ebx);
    context.setLow(Gpr.RCX, ecx);
    context.setLow(Gpr.RDX, edx);
    return undefined;
  },
  hlt: () => ({ reason: 'Halt' }),
  // Memory is coherent with what the guest sees of caches.
  invd: () => undefined,
  wbinvd: () => undefined,
  pause: () => ({ reason: 'Nothing', yields: true }),
  // CPUID offers none of these.
  monitor: () => {
    throw undefinedOpcode();
  },
  mwait: () => {
    throw undefinedOpcode();
  },
  undefined: () => {
    throw undefinedOpcode();
  },
  rdpmc: ({ context, msrs }) => {
    const value = msrs.counter(context.low(Gpr.RCX));
    if (value === undefined) throw general();
    context.edxEax = value;
    return undefined;
  },
  hypercall: ({ context, cpl }) => {
    // Calls of user programs are not the kernel's.
    if (cpl !== 0) throw undefinedOpcode();
    const args = ARGUMENTS.map((index) => context.get(index)) as unknown as readonly [bigint, bigint, bigint, bigint, bigint, bigint];
    return { reason: 'Hypercall', nr: context.get(Gpr.RAX), args };
  },
  xsetbv: ({ guest, context, cpl }) => {
    if ((guest.get('cr4') & Cr4.OSXSAVE) === 0n) throw undefinedOpcode();
    const { eax, edx } = cpuid(0xd, 0);
    const supported = (BigInt(edx >>> 0) << 32n) | BigInt(eax >>> 0);
    if (cpl !== 0 || context.low(Gpr.RCX) !== 0 || !isValidXcr0(context.edxEax, supported)) throw general();
    xsetbv(context.edxEax);
    return undefined;
  },
  rdmsr: (host) => {
    const msr = host.context.low(Gpr.RCX);
    if (isApicMsr(msr) && host.apic !== undefined) {
      const value = host.apic.readMsr(msr);
      if (value === undefined) throw general();
      host.context.edxEax = value;
      return undefined;
    }
    const value = msr === Msr.IA32_EFER ? host.guest.get('efer') : host.msrs.read(msr);
    if (value === undefined) return host.beginMsr(msr, true);
    host.context.edxEax = value;
    return undefined;
  },
  wrmsr: (host) => {
    const msr = host.context.low(Gpr.RCX);
    const value = host.context.edxEax;
    if (isApicMsr(msr) && host.apic !== undefined) {
      if (msr === Msr.IA32_APIC_BASE && value >> BigInt(cpuid(0x8000_0008, 0).eax & 0xff) !== 0n) throw general();
      if (!host.apic.writeMsr(msr, value)) throw general();
      return undefined;
    }
    if (msr === Msr.IA32_EFER) {
      writeEfer(host.guest, value);
      return undefined;
    }
    const written = host.msrs.write(msr, value);
    if (written === undefined) return host.beginMsr(msr, false);
    if (!written) throw general();
    return undefined;
  },
};

/** @throws {GuestFault} */
export const handleInstruction = (host: InstructionHost, instruction: Intercepted): AxVCpuExitReason | undefined => HANDLERS[instruction](host);
