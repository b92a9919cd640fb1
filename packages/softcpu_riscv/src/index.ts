/** A software RISC-V hart: RV64GC with bit manipulation, supervisor mode and the H extension. */
export { Hart, planHart } from './hart.ts';
export type { HartOptions } from './hart.ts';
export { CoreExit } from '@axvisor/softcpu';
export type { CorePlan, PhysBus, RamWindow } from '@axvisor/softcpu';
export type { HostedHart, PendingException, PrivilegedHart } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
