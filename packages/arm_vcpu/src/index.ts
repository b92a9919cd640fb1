/** The Arm virtual CPU. */
export { component } from './component.ts';
export { CPTR_GUEST, HCR_GUEST, SCTLR_RESET, SPSR_RESET } from './fields.ts';
export { DEFAULT_PRIORITY, PendingQueue } from './interrupts/queue.ts';
export { decodeInstruction } from './mmio/instruction.ts';
export type { AddressRegisters, DeviceAccess, LoadTarget, Transfer } from './mmio/access.ts';
export { decodeSgi } from './sgi.ts';
export { SmcError } from './smccc/call.ts';
export { PSCI_VERSION } from './smccc/psci.ts';
export { HYPERVISOR_UID, SMC_FUNCTIONS } from './smccc/table.ts';
export { sysRegKey } from './sysregs.ts';
