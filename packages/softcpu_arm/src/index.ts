/** A software Armv8-A processing element: AArch64 with EL2 and both stages of translation. */
export { Pe, PeExit, planPe } from './pe.ts';
export type { OtherPes, PeOptions, PePlan, PhysBus } from './pe.ts';
export type { HostedPe, HostInterrupts, PendingException, PrivilegedPe, RamWindow, TlbRequest } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
