/** The privileged architecture of a software RV64 hart with the hypervisor extension (privileged specification 1.13). */
export { Permission, Status } from './interface.ts';
export type { HostedHart, PendingException, PrivilegedHart, PrivilegedHost, PrivilegedOptions } from './interface.ts';
export { Privileged } from './privileged.ts';
