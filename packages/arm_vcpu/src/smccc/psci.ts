/** The power state coordination interface, version 1.1 (Arm DEN0022D), with HVC or SMC as the conduit. */
import { gpa } from '@axvisor/axvisor_api/addr';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { activeVcpus, guestMemory, vcpuPowerState, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { AFFINITY } from '../fields.ts';
import { result, SmcError, type SmcAnswer, type SmcArguments, type SmcCaller, type SmcFunction } from './call.ts';

/** 1.1. */
export const PSCI_VERSION = 0x1_0001n;

/** Function numbers; 32-bit calls are 0x8400_0000 + n, 64-bit calls 0xC400_0000 + n. */
const Psci = {
  version: 0, cpuSuspend: 1, cpuOff: 2, cpuOn: 3, affinityInfo: 4, migrateInfoType: 6, systemOff: 8, systemReset: 9,
  features: 10, systemSuspend: 14, systemReset2: 18,
} as const;

/** AFFINITY_INFO (5.1.5); a suspended CPU is on. */
const POWER: Readonly<Record<VCpuPowerState, bigint>> = { on: 0n, off: 1n, 'on-pending': 2n, 'off-pending': 0n, suspended: 0n };

/** Whether a CPU can start at `entry`: an instruction in guest memory. */
function isEntry({ vmId }: SmcCaller, entry: bigint): boolean {
  if ((entry & 3n) !== 0n) return false;
  try {
    guestMemory(vmId).readValue(gpa(entry), 4);
    return true;
  } catch (e) {
    if (isAxError(e)) return false;
    throw e;
  }
}

function cpuOn(caller: SmcCaller, [target, entry, context]: SmcArguments): SmcAnswer {
  const sibling = (target & ~AFFINITY) === 0n ? caller.siblings().find(({ affinity }) => affinity === target) : undefined;
  if (sibling === undefined) return result(SmcError.INVALID_PARAMETERS);
  if (!isEntry(caller, entry)) return result(SmcError.INVALID_ADDRESS);
  if (vcpuPowerState(sibling.vmId, sibling.vcpuId) === 'on-pending') return result(SmcError.ON_PENDING);
  return { exit: { reason: 'CpuUp', targetCpu: target, entryPoint: gpa(entry), arg: context } };
}

/** power_state in the original format: 25:24 the level, bit 16 says power-down, 15:0 the state; the rest is zero (5.4.2). */
const POWER_DOWN = 1n << 16n;
const POWER_STATE = 0x0301_ffffn;

function cpuSuspend(caller: SmcCaller, [powerState, entry, context]: SmcArguments): SmcAnswer {
  const state = BigInt.asUintN(32, powerState);
  if ((state & ~POWER_STATE) !== 0n) return result(SmcError.INVALID_PARAMETERS);
  if ((state & POWER_DOWN) !== 0n) return suspendAndResume(caller, entry, context);
  caller.suspend();
  return { ...result(SmcError.SUCCESS), exit: { reason: 'Halt' } };
}

/** Waits for an interrupt and goes on at `entry`. */
function suspendAndResume(caller: SmcCaller, entry: bigint, context: bigint): SmcAnswer {
  if (!isEntry(caller, entry)) return result(SmcError.INVALID_ADDRESS);
  caller.resumeAt(entry, context);
  caller.suspend();
  return { exit: { reason: 'Halt' }, resume: 'elsewhere' };
}

function systemSuspend(caller: SmcCaller, [entry, context]: SmcArguments): SmcAnswer {
  if (activeVcpus(caller.vmId) !== 1n << BigInt(caller.vcpuId)) return result(SmcError.DENIED);
  return suspendAndResume(caller, entry, context);
}

/** The state of the CPUs that share `target` from affinity level `level` up: on if one of them is. */
function affinityInfo(caller: SmcCaller, [target, level]: SmcArguments): SmcAnswer {
  const lowest = BigInt.asUintN(32, level);
  if (lowest > 3n || (target & ~AFFINITY) !== 0n) return result(SmcError.INVALID_PARAMETERS);
  // Affinity level 3 is in bits 39:32.
  const mask = AFFINITY & ~(lowest === 3n ? 0xff_ffffn : (1n << (8n * lowest)) - 1n);
  const states = caller.siblings().filter(({ affinity }) => (affinity & mask) === (target & mask)).map(({ vmId, vcpuId }) => POWER[vcpuPowerState(vmId, vcpuId)]);
  if (states.length === 0) return result(SmcError.INVALID_PARAMETERS);
  return result([POWER.on, POWER['on-pending'], POWER.off].find((state) => states.includes(state)) ?? POWER.off);
}

const RESET2_WARM = 0n;

/** Whether a function of this 32-bit id is there; given by the table that has all of them. */
export type IsSupported = (id: bigint) => boolean;

/** No trusted OS, nothing to migrate (5.1.7). */
const NO_MIGRATION = 2n;

/** The functions: number, whether there is a 64-bit call, what it does. */
export const psciFunctions = (isSupported: IsSupported): readonly (readonly [number, 32 | 64, SmcFunction])[] => [
  [Psci.version, 32, { name: 'PSCI_VERSION', call: () => result(PSCI_VERSION) }],
  [Psci.cpuSuspend, 64, { name: 'CPU_SUSPEND', call: cpuSuspend }],
  [Psci.cpuOff, 32, { name: 'CPU_OFF', call: () => ({ exit: { reason: 'CpuDown', state: 0n } }) }],
  [Psci.cpuOn, 64, { name: 'CPU_ON', call: cpuOn }],
  [Psci.affinityInfo, 64, { name: 'AFFINITY_INFO', call: affinityInfo }],
  [Psci.migrateInfoType, 32, { name: 'MIGRATE_INFO_TYPE', call: () => result(NO_MIGRATION) }],
  [Psci.systemOff, 32, { name: 'SYSTEM_OFF', call: () => ({ exit: { reason: 'SystemDown' } }) }],
  [Psci.systemReset, 32, { name: 'SYSTEM_RESET', call: () => ({ exit: { reason: 'SystemReset', warm: false } }) }],
  // No function has feature flags here: original format of power_state, platform-coordinated mode.
  [Psci.features, 32, { name: 'PSCI_FEATURES', call: (_caller, [id]) => result(isSupported(BigInt.asUintN(32, id)) ? SmcError.SUCCESS : SmcError.NOT_SUPPORTED) }],
  [Psci.systemSuspend, 64, { name: 'SYSTEM_SUSPEND', call: systemSuspend }],
  [
    Psci.systemReset2, 64,
    {
      name: 'SYSTEM_RESET2',
      call: (_caller, [type]) => (BigInt.asUintN(32, type) === RESET2_WARM ? { exit: { reason: 'SystemReset', warm: true } } : result(SmcError.INVALID_PARAMETERS)),
    },
  ],
];
