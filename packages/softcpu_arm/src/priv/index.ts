/** The privileged architecture of a software Armv8-A processing element in AArch64 state (Arm ARM, part D). */
export { Access, Line, Permission, Ppi, Status } from './interface.ts';
export type { GicCpuInterface, HostedPe, HostInterrupts, PendingException, PrivilegedHost, PrivilegedOptions, PrivilegedPe, TlbRequest } from './interface.ts';
export { Privileged } from './privileged.ts';
export { sysRegKey } from './sysreg.ts';
