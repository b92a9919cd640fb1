/** What a trap from the guest means: a table by scause (privileged specification 1.13, table of scause values). */
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { Cause, CAUSE_INTERRUPT, CSR, csrClear, csrRead, Irq } from '@axvisor/axvisor_api/arch/riscv';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { decodeVirtualInstruction } from './csr_emulation.ts';
import { Pseudo, SInterrupt, Sstatus } from './fields.ts';
import { fetchInstruction } from './mmio/instruction.ts';
import type { SbiAnswer, SbiArguments } from './sbi/call.ts';
import { callSbi, EID_HVC } from './sbi/table.ts';
import type { RiscvVCpu } from './vcpu.ts';

/** A guest page fault, as far as what follows needs it. */
export interface AccessFault {
  readonly gpa: GuestPhysAddr;
  readonly htinst: bigint;
  readonly tval: bigint;
  /** The exception for an address where nothing answers. */
  readonly accessFault: number;
  readonly isLoad: boolean;
  /** The access of an instruction, not of a fetch or of address translation. */
  readonly isExplicit: boolean;
}

/** Handles a trap: the exit reason, or `undefined` to go on at once. */
type Handler = (vcpu: RiscvVCpu) => AxVCpuExitReason | undefined;

/** The three kinds of guest page faults. */
const GUEST_PAGE_FAULTS = {
  [Cause.instGuestPageFault]: { flags: MappingFlags.EXECUTE, accessFault: Cause.instAccessFault },
  [Cause.loadGuestPageFault]: { flags: MappingFlags.READ, accessFault: Cause.loadAccessFault },
  [Cause.storeGuestPageFault]: { flags: MappingFlags.WRITE, accessFault: Cause.storeAccessFault },
} as const;

const guestPageFault =
  (cause: keyof typeof GUEST_PAGE_FAULTS): Handler =>
  (vcpu) => {
    const { flags, accessFault } = GUEST_PAGE_FAULTS[cause];
    const htinst = csrRead(CSR.htinst);
    const tval = csrRead(CSR.stval);
    const page = BigInt.asUintN(64, csrRead(CSR.htval) << 2n);
    // For an implicit access htval is the address of the page-table entry and stval has nothing to do with it.
    const implicit = htinst === Pseudo.readPte || htinst === Pseudo.writePte;
    const address = gpa(implicit ? page : page | (tval & 3n));
    vcpu.faulted({
      gpa: address,
      htinst,
      tval,
      accessFault,
      isLoad: cause === Cause.loadGuestPageFault,
      isExplicit: !implicit && cause !== Cause.instGuestPageFault,
    });
    const accessFlags = htinst === Pseudo.readPte ? MappingFlags.READ : htinst === Pseudo.writePte ? MappingFlags.WRITE : flags;
    return { reason: 'NestedPageFault', addr: address, accessFlags };
  };

const NOTHING: AxVCpuExitReason = { reason: 'Nothing' };

const A0 = 10;
const A6 = 16;
const A7 = 17;
const ECALL_LENGTH = 4;

function environmentCall(vcpu: RiscvVCpu): AxVCpuExitReason {
  const { context } = vcpu.guest;
  const a: SbiArguments = [context.x(A0), context.x(A0 + 1), context.x(A0 + 2), context.x(A0 + 3), context.x(A0 + 4), context.x(A0 + 5)];
  const nr = context.x(A6);
  const eid = context.x(A7);
  if (eid === EID_HVC) {
    vcpu.advance(ECALL_LENGTH);
    return { reason: 'Hypercall', nr, args: a };
  }
  return answer(vcpu, callSbi(vcpu, eid, nr, a));
}

function answer(vcpu: RiscvVCpu, { a0, a1, exit, resume = 'next', fault }: SbiAnswer): AxVCpuExitReason {
  if (fault !== undefined) return pointerFault(vcpu, fault);
  const { context } = vcpu.guest;
  if (a0 !== undefined) context.setX(A0, a0);
  if (a1 !== undefined) context.setX(A0 + 1, a1);
  if (resume === 'next') vcpu.advance(ECALL_LENGTH);
  if (exit?.reason === 'CpuUp') vcpu.startsCpu();
  return exit ?? NOTHING;
}

/** The memory a call named raised an exception: lazily mapped memory is asked for and the call repeated, anything else is the guest's. */
function pointerFault(vcpu: RiscvVCpu, { cause, tval, htval }: NonNullable<SbiAnswer['fault']>): AxVCpuExitReason {
  if (cause !== Cause.loadGuestPageFault) {
    vcpu.reflect(cause, tval);
    return { reason: 'Nothing' };
  }
  const address = gpa(BigInt.asUintN(64, htval << 2n) | (tval & 3n));
  vcpu.faulted({ gpa: address, htinst: 0n, tval, accessFault: Cause.loadAccessFault, isLoad: true, isExplicit: false });
  return { reason: 'NestedPageFault', addr: address, accessFlags: MappingFlags.READ };
}

function virtualInstruction(vcpu: RiscvVCpu): AxVCpuExitReason | undefined {
  const tval = csrRead(CSR.stval);
  // Harts need not report the instruction.
  const bits = tval === 0n ? fetchInstruction(vcpu.csr('sepc'))?.bits : Number(BigInt.asUintN(32, tval));
  if (bits === undefined) return undefined;
  const instruction = decodeVirtualInstruction(bits, {
    supervisor: (vcpu.csr('sstatus') & Sstatus.SPP) !== 0n,
    scounteren: vcpu.csr('scounteren'),
    timeDelta: vcpu.csr('htimedelta'),
    counters: vcpu.counters,
  });
  switch (instruction.kind) {
    case 'wfi':
      vcpu.advance(4);
      return vcpu.hasPendingInterrupt() ? undefined : { reason: 'Halt' };
    case 'read':
      vcpu.setRegister(instruction.rd, instruction.value);
      vcpu.advance(4);
      return undefined;
    case 'illegal':
      vcpu.reflect(Cause.illegalInst, BigInt(bits));
      return undefined;
  }
}

/** An exception that is the guest's, on a hart that does not let it be delegated. */
const reflected =
  (cause: number): Handler =>
  (vcpu) => {
    vcpu.reflect(cause, csrRead(CSR.stval));
    return undefined;
  };

/** Exceptions that a guest handles itself; hedeleg passes them on where it can. */
export const GUEST_EXCEPTIONS: readonly number[] = [
  Cause.instAddrMisaligned, Cause.instAccessFault, Cause.illegalInst, Cause.breakpoint, Cause.loadAddrMisaligned, Cause.loadAccessFault,
  Cause.storeAddrMisaligned, Cause.storeAccessFault, Cause.ecallU, Cause.instPageFault, Cause.loadPageFault, Cause.storePageFault,
];

/** By cause. */
const EXCEPTIONS: readonly (Handler | undefined)[] = Array.from(
  { length: 64 },
  (_, cause) =>
    ({
      [Cause.ecallVS]: environmentCall,
      [Cause.instGuestPageFault]: guestPageFault(Cause.instGuestPageFault),
      [Cause.loadGuestPageFault]: guestPageFault(Cause.loadGuestPageFault),
      [Cause.storeGuestPageFault]: guestPageFault(Cause.storeGuestPageFault),
      [Cause.virtualInst]: virtualInstruction,
    })[cause] ?? (GUEST_EXCEPTIONS.includes(cause) ? reflected(cause) : undefined),
);

const KICK = CAUSE_INTERRUPT | BigInt(Irq.ssi);

/** Handles the trap that scause describes. */
export function handleTrap(vcpu: RiscvVCpu): AxVCpuExitReason | undefined {
  const scause = csrRead(CSR.scause);
  if (scause >= CAUSE_INTERRUPT) {
    // A kick is done with once it has been seen; timer and devices are quiet when their handlers are.
    if (scause === KICK) csrClear(CSR.sip, SInterrupt.SSI);
    return { reason: 'ExternalInterrupt', vector: scause };
  }
  const handler = EXCEPTIONS[Number(scause)];
  if (handler !== undefined) return handler(vcpu);
  return {
    reason: 'GuestError',
    message: `trap with scause 0x${scause.toString(16)} and stval 0x${csrRead(CSR.stval).toString(16)} at pc 0x${vcpu.csr('sepc').toString(16)}`,
  };
}
