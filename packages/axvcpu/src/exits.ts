/** Exit reasons for people: one line for each, for logs and statistics. */
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';

type Describe = { readonly [R in AxVCpuExitReason['reason']]: (exit: Extract<AxVCpuExitReason, { readonly reason: R }>) => string };

const hex = (n: bigint | number): string => `0x${n.toString(16)}`;

/** A row for each member of the union; the type makes a missing one a compile error. */
const DESCRIBE: Describe = {
  Hypercall: ({ nr, args }) => `hypercall ${nr}(${args.map(hex).join(', ')})`,
  MmioRead: ({ addr, width, reg, signedExt }) => `load of ${width} bytes at ${hex(addr)} to register ${reg}, ${signedExt ? 'sign' : 'zero'}-extended`,
  MmioWrite: ({ addr, width, data }) => `store of ${width} bytes at ${hex(addr)}: ${hex(data)}`,
  SysRegRead: ({ addr, reg }) => `read of system register ${hex(addr)} to register ${reg}`,
  SysRegWrite: ({ addr, value }) => `write of system register ${hex(addr)}: ${hex(value)}`,
  IoRead: ({ port, width }) => `read of ${width} bytes from port ${hex(port)}`,
  IoWrite: ({ port, width, data }) => `write of ${width} bytes to port ${hex(port)}: ${hex(data)}`,
  ExternalInterrupt: ({ vector }) => `host interrupt ${hex(vector)}`,
  NestedPageFault: ({ addr, accessFlags }) => `access to ${hex(addr)} that the nested page table does not allow (flags ${hex(accessFlags)})`,
  Halt: () => 'waits for an interrupt',
  CpuUp: ({ targetCpu, entryPoint, arg }) => `starts CPU ${targetCpu} at ${hex(entryPoint)} with ${hex(arg)}`,
  CpuDown: ({ state }) => `switches its CPU off (state ${hex(state)})`,
  SystemDown: ({ failure }) => `switches the machine off${failure === true ? ' after a failure' : ''}`,
  SystemReset: ({ warm }) => `restarts the machine (${warm ? 'warm' : 'cold'})`,
  Nothing: () => 'handled',
  FailEntry: ({ hardwareEntryFailureReason }) => `the processor refused to enter the guest, reason ${hex(hardwareEntryFailureReason)}`,
  GuestError: ({ message }) => `failed: ${message}`,
  SendIPI: ({ targetCpu, targetCpuAux, sendToAll, sendToSelf, vector }) =>
    `sends interrupt ${vector} to ${sendToAll ? 'all other CPUs' : sendToSelf ? 'itself' : `CPU ${hex(targetCpu)} (${hex(targetCpuAux)})`}`,
};

/** All exit reasons. */
export const EXIT_REASONS = Object.keys(DESCRIBE) as readonly AxVCpuExitReason['reason'][];

/** One line about `exit`, e.g. `store of 4 bytes at 0x10000000: 0x41`. */
export function describeExit(exit: AxVCpuExitReason): string {
  return (DESCRIBE[exit.reason] as (exit: AxVCpuExitReason) => string)(exit);
}
