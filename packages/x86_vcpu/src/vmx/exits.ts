/** VM exits by reason (SDM vol. 3, appendix C; 28.2.1 for the qualifications). */
import { EXIT_REASON_ENTRY_FAILURE, EptViolation, ExitReason, InterruptionInfo, VmcsField, vmread, vmreadLow } from '@axvisor/axvisor_api/arch/x86';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Intercepted, X86Exit } from '../exit.ts';
import type { TaskSource } from '../task_switch.ts';

const R = ExitReason;
const read = (field: number): number => vmreadLow(field);
/** The low half of the exit qualification; what is above it is of no exit here. */
const qualification = (): number => vmreadLow(VmcsField.exitQualification);

const instruction = (name: Intercepted) => (): X86Exit => ({ kind: 'instruction', instruction: name });
/** What CPUID does not offer does not exist. */
const undefinedInstruction = instruction('undefined');
const window = (): X86Exit => ({ kind: 'window' });

function controlRegister(): X86Exit {
  const q = qualification();
  const gpr = (q >>> 8) & 15;
  switch ((q >>> 4) & 3) {
    case 0:
      return { kind: 'cr', cr: q & 15, access: 'write', gpr };
    case 1:
      return { kind: 'cr', cr: q & 15, access: 'read', gpr };
    case 2:
      return { kind: 'clts' };
    default:
      return { kind: 'lmsw', source: (q >>> 16) & 0xffff };
  }
}

function inputOutput(): X86Exit {
  const q = qualification();
  return { kind: 'io', port: q >>> 16, width: ((q & 7) + 1) as AccessWidth, input: (q & 8) !== 0, string: (q & 16) !== 0 };
}

function eptViolation(): X86Exit {
  const q = qualification();
  const walk = (q & EptViolation.linearAddressValid) !== 0 && (q & EptViolation.translation) === 0;
  return {
    kind: 'nested', gpa: vmread(VmcsField.guestPhysicalAddress),
    read: (q & EptViolation.read) !== 0, write: (q & EptViolation.write) !== 0, fetch: (q & EptViolation.fetch) !== 0, walk,
  };
}

function taskSwitch(): X86Exit {
  const q = qualification();
  return { kind: 'task', selector: q & 0xffff, source: (q >>> 30) as TaskSource };
}

const HANDLERS: Readonly<Record<number, () => X86Exit>> = {
  [R.externalInterrupt]: () => ({ kind: 'interrupt', vector: read(VmcsField.exitInterruptionInformation) & 0xff }),
  [R.exceptionOrNmi]: () => {
    const info = read(VmcsField.exitInterruptionInformation);
    // NMIs of the host are its own; no exception is intercepted.
    return ((info >>> InterruptionInfo.typeShift) & 7) === 2 ? { kind: 'interrupt', vector: 2 } : { kind: 'unexpected', message: `exception ${info & 0xff} left the guest` };
  },
  [R.tripleFault]: () => ({ kind: 'shutdown' }),
  [R.interruptWindow]: window,
  [R.nmiWindow]: window,
  [R.taskSwitch]: taskSwitch,
  [R.cpuid]: instruction('cpuid'),
  [R.hlt]: instruction('hlt'),
  [R.invd]: instruction('invd'),
  [R.wbinvd]: instruction('wbinvd'),
  [R.pause]: instruction('pause'),
  [R.monitor]: instruction('monitor'),
  [R.mwait]: instruction('mwait'),
  [R.rdpmc]: instruction('rdpmc'),
  [R.vmcall]: instruction('hypercall'),
  [R.xsetbv]: instruction('xsetbv'),
  [R.rdmsr]: instruction('rdmsr'),
  [R.wrmsr]: instruction('wrmsr'),
  [R.crAccess]: controlRegister,
  [R.ioInstruction]: inputOutput,
  [R.eptViolation]: eptViolation,
  ...Object.fromEntries(
    [R.getsec, R.vmclear, R.vmlaunch, R.vmptrld, R.vmptrst, R.vmread, R.vmresume, R.vmwrite, R.vmxoff, R.vmxon, R.invept, R.invvpid, R.vmfunc, R.encls].map((reason) => [reason, undefinedInstruction]),
  ),
};

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(R).map(([name, reason]) => [reason, name]));

/** The last exit of the current VMCS. @param hostVector - of interrupts that were not acknowledged. */
export function exitOf(hostVector: number): X86Exit {
  const reason = read(VmcsField.exitReason);
  const basic = reason & 0xffff;
  if (reason >= EXIT_REASON_ENTRY_FAILURE) return { kind: 'failEntry', reason: BigInt(basic) };
  const exit = HANDLERS[basic]?.() ?? { kind: 'unexpected', message: `VM exit ${NAMES.get(basic) ?? basic}, qualification 0x${vmread(VmcsField.exitQualification).toString(16)}` };
  return exit.kind === 'interrupt' && exit.vector === 0 ? { kind: 'interrupt', vector: hostVector } : exit;
}
