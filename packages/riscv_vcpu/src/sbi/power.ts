/** Hart state management, system reset and system suspend (SBI 2.0, chapters 9, 10 and 13). */
import { gpa } from '@axvisor/axvisor_api/addr';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { activeVcpus, guestMemory, vcpuPowerState, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { error, SbiError, success, type SbiAnswer, type SbiExtension, type SbiHart } from './call.ts';

/** Hart states of hart_get_status. */
const STATUS: Readonly<Record<VCpuPowerState, bigint>> = { on: 0n, off: 1n, 'on-pending': 2n, 'off-pending': 3n, suspended: 4n };

/** The VMM sees a vCPU that waits, as after WFI; that it was suspended only the vCPU knows. */
const powerOf = ({ vmId, vcpuId, suspended }: SbiHart): VCpuPowerState => (suspended ? 'suspended' : vcpuPowerState(vmId, vcpuId));

/** Whether a hart can start at `entry`: an instruction in guest memory. */
function isEntry({ vmId }: SbiHart, entry: bigint): boolean {
  if ((entry & 1n) !== 0n) return false;
  try {
    guestMemory(vmId).readValue(gpa(entry), 2);
    return true;
  } catch (e) {
    if (isAxError(e)) return false;
    throw e;
  }
}

const Suspend = { retentive: 0n, nonRetentive: 0x8000_0000n } as const;
/** Suspend types and sleep types that the specification leaves to platforms. */
const isPlatform = (type: bigint): boolean => (type >= 0x1000_0000n && type < 0x8000_0000n) || type >= 0x9000_0000n;

function hartSuspend(hart: SbiHart, type: bigint, entry: bigint, argument: bigint): SbiAnswer {
  if (type === Suspend.retentive) {
    hart.suspend();
    return { ...success(), exit: { reason: 'Halt' } };
  }
  if (type === Suspend.nonRetentive) return suspendAndResume(hart, entry, argument);
  return error(isPlatform(type) ? SbiError.NOT_SUPPORTED : SbiError.INVALID_PARAM);
}

/** Waits for an interrupt and goes on at `entry`. */
function suspendAndResume(hart: SbiHart, entry: bigint, argument: bigint): SbiAnswer {
  if (!isEntry(hart, entry)) return error(SbiError.INVALID_ADDRESS);
  hart.resumeAt(entry, argument);
  hart.suspend();
  return { exit: { reason: 'Halt' }, resume: 'elsewhere' };
}

export const hsmExtension: SbiExtension = {
  eid: 0x48534dn,
  name: 'HSM',
  functions: [
    [0n, {
      name: 'hart_start',
      call: (hart, [target, entry, argument]) => {
        if (hart.sibling(target) === undefined) return error(SbiError.INVALID_PARAM);
        if (!isEntry(hart, entry)) return error(SbiError.INVALID_ADDRESS);
        return { exit: { reason: 'CpuUp', targetCpu: target, entryPoint: gpa(entry), arg: argument } };
      },
    }],
    [1n, { name: 'hart_stop', call: () => ({ exit: { reason: 'CpuDown', state: 0n } }) }],
    [2n, {
      name: 'hart_get_status',
      call: (hart, [target]) => {
        const sibling = hart.sibling(target);
        return sibling === undefined ? error(SbiError.INVALID_PARAM) : success(STATUS[powerOf(sibling)]);
      },
    }],
    [3n, { name: 'hart_suspend', call: (hart, [type, entry, argument]) => hartSuspend(hart, BigInt.asUintN(32, type), entry, argument) }],
  ],
};

/** Exits by reset type. */
const RESETS: readonly NonNullable<SbiAnswer['exit']>[] = [
  { reason: 'SystemDown' },
  { reason: 'SystemReset', warm: false },
  { reason: 'SystemReset', warm: true },
];
const ResetReason = { none: 0n, systemFailure: 1n } as const;
/** Both of them. */
const RESET_REASONS = 2n;

export const srstExtension: SbiExtension = {
  eid: 0x53525354n,
  name: 'SRST',
  functions: [
    [0n, {
      name: 'system_reset',
      call: (_hart, [type, longReason]) => {
        const exit = RESETS[Number(BigInt.asUintN(32, type))];
        const reason = BigInt.asUintN(32, longReason);
        if (exit === undefined || reason >= RESET_REASONS) return error(SbiError.INVALID_PARAM);
        return { exit: exit.reason === 'SystemDown' && reason === ResetReason.systemFailure ? { ...exit, failure: true } : exit };
      },
    }],
  ],
};

const SUSPEND_TO_RAM = 0n;

export const suspExtension: SbiExtension = {
  eid: 0x53555350n,
  name: 'SUSP',
  functions: [
    [0n, {
      name: 'system_suspend',
      call: (hart, [type, entry, argument]) => {
        if (BigInt.asUintN(32, type) !== SUSPEND_TO_RAM) return error(SbiError.INVALID_PARAM);
        if (activeVcpus(hart.vmId) !== 1n << BigInt(hart.vcpuId)) return error(SbiError.DENIED);
        return suspendAndResume(hart, entry, argument);
      },
    }],
  ],
};
