/** What an exception to EL2 means: a table by exception class (Arm ARM, D24.2.40 "ESR_EL2"). */
import { ExceptionClass, ExceptionKind, fetchIrq, handleIrq, Ppi } from '@axvisor/axvisor_api/arch/arm';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { externalAbort, isStage2Fault, stage2Fault } from './aborts.ts';
import { exceptionClassOf, injectUndefined, isEl0, reflect } from './exceptions.ts';
import { Esr } from './fields.ts';
import { callSmc, isFastCall } from './smccc/table.ts';
import type { SmcAnswer, SmcArguments } from './smccc/call.ts';
import { decodeSysReg, emulateSysReg } from './sysregs.ts';
import type { ArmVCpu } from './vcpu.ts';

/** Handles an exception: the exit reason, or `undefined` to go on at once. */
type Handler = (vcpu: ArmVCpu, esr: bigint) => AxVCpuExitReason | undefined;

const NOTHING: AxVCpuExitReason = { reason: 'Nothing' };

/** Bytes of an instruction; a guest has no A32 and T32. */
const LENGTH = 4;

const undefinedInstruction: Handler = (vcpu) => {
  injectUndefined(vcpu);
  return undefined;
};

/** TI, bits 1:0 of the syndrome: bit 0 is set for WFE and WFET. */
const waitForInterrupt: Handler = (vcpu, esr) => {
  vcpu.advance(LENGTH);
  if ((esr & 1n) === 1n) return { reason: 'Nothing', yields: true };
  return vcpu.waitsInVain() ? undefined : { reason: 'Halt' };
};

const smcArguments = (vcpu: ArmVCpu): SmcArguments => [vcpu.x(1), vcpu.x(2), vcpu.x(3)];

function answer(vcpu: ArmVCpu, { x = [], exit, resume = 'next' }: SmcAnswer, length: number): AxVCpuExitReason {
  x.forEach((value, i) => vcpu.setX(i, value));
  if (resume === 'next') vcpu.advance(length);
  if (exit?.reason === 'CpuUp') vcpu.startsCpu();
  return exit ?? NOTHING;
}

/** ELR_EL2 is behind the HVC already. */
const hypervisorCall: Handler = (vcpu) => {
  const nr = vcpu.x(0);
  if (isFastCall(nr)) return answer(vcpu, callSmc(vcpu, nr, smcArguments(vcpu)), 0);
  return { reason: 'Hypercall', nr, args: [vcpu.x(1), vcpu.x(2), vcpu.x(3), vcpu.x(4), vcpu.x(5), vcpu.x(6)] };
};

/** A trapped SMC was not executed: ELR_EL2 is at it. There is no firmware below that would know more than the table. */
const secureMonitorCall: Handler = (vcpu) => answer(vcpu, callSmc(vcpu, vcpu.x(0), smcArguments(vcpu)), LENGTH);

const systemRegister: Handler = (vcpu, esr) => {
  const access = decodeSysReg(Number(esr & Esr.ISS));
  const value = vcpu.x(access.rt);
  const outcome = emulateSysReg(vcpu.sysRegHost, access, value);
  switch (outcome.kind) {
    case 'undefined':
      injectUndefined(vcpu);
      return undefined;
    case 'read':
      vcpu.setX(access.rt, outcome.value);
      vcpu.advance(LENGTH);
      return undefined;
    case 'written':
      vcpu.advance(LENGTH);
      return vcpu.takeExit();
    case 'unknown':
      return vcpu.beginSysReg(access, value);
  }
};

const abort =
  (isFetch: boolean): Handler =>
  (vcpu, esr) => {
    const registers = vcpu.abortRegisters(esr);
    if (!isStage2Fault(esr)) {
      // An error that the access met where it went, or an alignment that device memory does not allow: the guest's own.
      reflect(vcpu, esr, registers.far);
      return undefined;
    }
    const fault = stage2Fault(registers, isFetch);
    if (fault === undefined) return undefined;
    vcpu.faulted(fault);
    return { reason: 'NestedPageFault', addr: fault.gpa, accessFlags: fault.accessFlags };
  };

/** An exception that is the guest's, from a processing element that sent it here. */
const reflected: Handler = (vcpu, esr) => {
  reflect(vcpu, esr);
  return undefined;
};
const reflectedWithFar: Handler = (vcpu, esr) => {
  reflect(vcpu, esr, vcpu.abortRegisters(esr).far);
  return undefined;
};

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [ExceptionClass.unknown, undefinedInstruction],
  [ExceptionClass.wfx, waitForInterrupt],
  [ExceptionClass.fpAccess, undefinedInstruction],
  [ExceptionClass.sve, undefinedInstruction],
  [ExceptionClass.illegalState, reflected],
  [ExceptionClass.svc64, reflected],
  [ExceptionClass.hvc64, hypervisorCall],
  [ExceptionClass.smc64, secureMonitorCall],
  [ExceptionClass.sysReg, systemRegister],
  [ExceptionClass.instAbortLower, abort(true)],
  [ExceptionClass.dataAbortLower, abort(false)],
  [ExceptionClass.pcAlignment, reflectedWithFar],
  [ExceptionClass.spAlignment, reflected],
  [ExceptionClass.fpException, reflected],
  [ExceptionClass.breakpointLower, reflected],
  [ExceptionClass.stepLower, reflected],
  [ExceptionClass.watchpointLower, reflectedWithFar],
  [ExceptionClass.brk64, reflected],
]);

/** Classes that only AArch32 or an extension which no guest sees can cause: undefined to it. */
const ABSENT: readonly number[] = [0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x11, 0x12, 0x13, 0x14, 0x1c, 0x1d, 0x27, 0x28];

function synchronous(vcpu: ArmVCpu): AxVCpuExitReason | undefined {
  const esr = vcpu.syndrome();
  const exceptionClass = exceptionClassOf(esr);
  const handler = HANDLERS.get(exceptionClass) ?? (ABSENT.includes(exceptionClass) ? undefinedInstruction : undefined);
  if (handler !== undefined) return handler(vcpu, esr);
  return { reason: 'GuestError', message: `exception with ESR_EL2 0x${esr.toString(16)} at ${isEl0(vcpu.reg('SPSR_EL2')) ? 'EL0' : 'EL1'}, pc 0x${vcpu.reg('ELR_EL2').toString(16)}` };
}

/** INTIDs from here on say that there is nothing to acknowledge. */
const FIRST_SPECIAL = 1020;
/** What only the vCPU itself is interested in. */
const OWN: readonly number[] = [Ppi.maintenance, Ppi.virtualTimer, Ppi.physicalTimer];

/** A host interrupt. The guest's timers and the list registers are looked at before every entry anyway. */
function interrupt(vcpu: ArmVCpu): AxVCpuExitReason | undefined {
  const intid = fetchIrq();
  if (intid < FIRST_SPECIAL) handleIrq();
  if (!OWN.includes(intid)) return { reason: 'ExternalInterrupt', vector: BigInt(intid) };
  vcpu.collectInterrupts();
  return undefined;
}

/** Handles the exception that ended the guest's run. */
export function handleException(vcpu: ArmVCpu, kind: ExceptionKind): AxVCpuExitReason | undefined {
  switch (kind) {
    case ExceptionKind.sync:
      return synchronous(vcpu);
    case ExceptionKind.irq:
    case ExceptionKind.fiq:
      return interrupt(vcpu);
    case ExceptionKind.serror:
      return { reason: 'GuestError', message: `SError with ESR_EL2 0x${vcpu.syndrome().toString(16)} at pc 0x${vcpu.reg('ELR_EL2').toString(16)}` };
  }
}

/** Lets the guest take the abort for an access where nothing answers. */
export function injectExternalAbort(vcpu: ArmVCpu, esr: bigint, far: bigint): void {
  reflect(vcpu, externalAbort(esr), far);
}
