/** A software Armv8-A processing element: AArch64 with EL2 and both stages of translation. */
export { Pe, planPe } from './pe.ts';
export type { OtherPes, PeOptions } from './pe.ts';
export { CoreExit } from '@axvisor/softcpu';
export type { CorePlan, PhysBus, RamWindow } from '@axvisor/softcpu';
export type { HostedPe, HostInterrupts, PendingException, PrivilegedPe, TlbRequest } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
