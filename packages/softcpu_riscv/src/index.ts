/** A software RISC-V hart: RV64GC with bit manipulation, supervisor mode and the H extension. */
export { Hart, HartExit, planHart } from './hart.ts';
export type { HartOptions, HartPlan } from './hart.ts';
export type { HostedHart, PendingException, PhysBus, PrivilegedHart, RamWindow } from './priv/interface.ts';
export { component, createComponent } from './component.ts';
export type { ComponentOptions } from './component.ts';
